"""Batches of CIFAR-10 are read from a folder or from the archive; damaged ones are named."""

import io
import tarfile

import numpy as np
import pytest

from sparsefit.core.errors import DataError, OptionError
from sparsefit.data.datasets import load_cifar10
from tests.image_files import BATCHES, write_cifar


def pack(folder, archive):
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, f"cifar-10-batches-bin/{path.name}")


def test_classes_are_picked_in_the_order_of_the_files(tmp_path):
    written = write_cifar(tmp_path)
    images, labels = load_cifar10("train", (0, 1), str(tmp_path))
    assert images.shape == (20, 3, 32, 32)
    assert labels.tolist() == [0, 1, 1, 0] * 5
    expected = np.concatenate([written[name][[0, 1, 3, 4]] for name in BATCHES[:5]])
    # Planes of red, green and blue, each row by row.
    assert images[7, 2, 5, 9] == expected[7, 2 * 1024 + 5 * 32 + 9]
    assert np.array_equal(images.reshape(20, -1), expected)
    images, labels = load_cifar10("test", (9,), str(tmp_path))
    assert np.array_equal(images.reshape(1, -1), written["test_batch.bin"][[5]])
    assert labels.tolist() == [9]


def test_inner_folder_and_archive_give_the_same(tmp_path):
    inner, archive = tmp_path / "a" / "cifar-10-batches-bin", tmp_path / "b"
    write_cifar(inner)
    pack(inner, archive / "cifar-10-binary.tar.gz")
    ways = [load_cifar10("train", (0, 1), str(path)) for path in (inner, inner.parent, archive)]
    for images, labels in ways[1:]:
        assert np.array_equal(images, ways[0][0])
        assert np.array_equal(labels, ways[0][1])
    assert sorted(path.name for path in archive.iterdir()) == ["cifar-10-binary.tar.gz"]


def test_missing_files_are_listed(tmp_path):
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"lacks data_batch_3.bin; it must hold data_batch_1.bin "):
        load_cifar10("train", (0, 1), str(tmp_path))
    with pytest.raises(OptionError, match=r"data_dir must be a folder with data_batch_1\.bin"):
        load_cifar10("train", (0, 1), str(tmp_path / "nowhere"))


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3073 * 2 + 1), bytes(3073 * 10_001)])
def test_a_batch_must_hold_whole_records(tmp_path, content):
    write_cifar(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_2.bin is not a batch of CIFAR-10"):
        load_cifar10("train", (0, 1), str(tmp_path))


def test_labels_must_be_below_ten(tmp_path):
    write_cifar(tmp_path, labels=(0, 1, 77))
    with pytest.raises(DataError, match=r"test_batch.bin holds the label 77"):
        load_cifar10("test", (0, 1), str(tmp_path))


def test_a_damaged_archive_is_named(tmp_path):
    archive = tmp_path / "cifar-10-binary.tar.gz"
    archive.write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz cannot be read"):
        load_cifar10("test", (0, 1), str(tmp_path))
    write_cifar(tmp_path / "batches")
    pack(tmp_path / "batches", archive)
    archive.write_bytes(archive.read_bytes()[:20_000])
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz cannot be read"):
        load_cifar10("test", (0, 1), str(tmp_path))


def test_an_archive_without_the_batch_is_refused(tmp_path):
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as tar:
        folder = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder, io.BytesIO())
    for part in ("train", "test"):
        with pytest.raises(DataError, match=r"tar.gz cannot be read: .*batch"):
            load_cifar10(part, (0, 1), str(tmp_path))
