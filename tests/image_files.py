"""Write small files in the formats of MNIST and CIFAR-10."""

import gzip
import struct

import numpy as np
from PIL import Image

from sparsefit.core.layer import Layer
from sparsefit.core.network import Network

BATCHES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def idx_bytes(array):
    """Write the format down once more, on its own."""
    array = np.asarray(array, np.uint8)
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write_idx_set(folder, labels_train, labels_test, *, zipped=False, seed=0):
    """Write the four files; return all images, those of the training file first."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    everything = []
    for part, labels in (("train", labels_train), ("t10k", labels_test)):
        images = rng.integers(0, 256, (len(labels), 28, 28), dtype=np.uint8)
        everything.append(images)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            path = folder / f"{part}-{name}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(content) if zipped else content)
    return np.concatenate(everything)


def write_cifar(folder, labels=(0, 1, 2, 1, 0, 9), *, seed=0):
    """Write six batches of as many images as labels; return their pixels by batch."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    written = {}
    for name in BATCHES:
        records = rng.integers(0, 256, (len(labels), 3073), dtype=np.uint8)
        records[:, 0] = labels
        (folder / name).write_bytes(records.tobytes())
        written[name] = records[:, 1:]
    return written


def write_all(folder, *, seed=0):
    """Write files of every format that tasks read, ten images of each class, and a photo."""
    labels = np.arange(50) % 10
    write_idx_set(folder, labels, labels, seed=seed)
    write_cifar(folder, seed=seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "photo.png")
    rng = np.random.default_rng(seed)
    np.save(folder / "rows.npy", rng.normal(size=(80, 4)))
    layers = [Layer(rng.normal(size=(784, 2))), Layer(rng.normal(size=(2, 10)))]
    Network(tuple(layers)).save(folder / "teacher.safetensors")
