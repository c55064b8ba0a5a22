"""MNIST, Fashion-MNIST and CIFAR-10: where their files are, and how they are put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sparsefit.core.errors import DataError
from sparsefit.data.cifar import read_batches
from sparsefit.data.fetch import Source
from sparsefit.data.idx import read_labelled

_IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class IdxSet:
    """A set of images in MNIST's four files.

    Attributes
    ----------
    source : Source
    installed : tuple of Path
        Folders where packages of operating systems put the files.
    """

    source: Source
    installed: tuple[Path, ...] = ()

    def load(self, data_dir: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the images of the training file followed by those of the test file.

        Parameters
        ----------
        data_dir : str or None
            Folder of the four files, each gzipped or not; None: an installed copy or a download.

        Returns
        -------
        images : ndarray of uint8, shape (n, height, width)
        labels : ndarray of uint8, shape (n,)

        Raises
        ------
        DataError
            If files are missing or damaged.
        OptionError
            If `data_dir` is not a folder.
        """
        paths = self._locate(data_dir)
        train, test = read_labelled(*paths[:2]), read_labelled(*paths[2:])
        if train[0].shape[1:] != test[0].shape[1:]:
            raise DataError(f"the images in {paths[0]} and in {paths[2]} differ in size")
        return np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])

    def _locate(self, data_dir: str | None) -> list[Path]:
        if data_dir is not None:
            return _find_all(self.source.folder(data_dir), self.source.wanted)
        for folder in self.installed:
            if folder.is_dir():
                return _find_all(folder, self.source.wanted)
        return self.source.download()


def _find_all(folder: Path, wanted: str) -> list[Path]:
    """Return the four files of a folder, the plain one where there is a gzipped one too."""
    pairs = [(folder / name, folder / f"{name}.gz") for name in _IDX_NAMES]
    missing = [plain.name for plain, gz in pairs if not plain.is_file() and not gz.is_file()]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}; it must hold {wanted}")
    return [plain if plain.is_file() else gz for plain, gz in pairs]


def _idx_source(name: str, urls: tuple[str, ...], md5: Sequence[str]) -> Source:
    names = [f"{name}.gz" for name in _IDX_NAMES]
    wanted = ", ".join(f"{name}(.gz)" for name in _IDX_NAMES[:-1]) + f" and {_IDX_NAMES[-1]}(.gz)"
    return Source(name, urls, dict(zip(names, md5, strict=True)), wanted)


MNIST = IdxSet(
    _idx_source(
        "MNIST",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    )
)

FASHION_MNIST = IdxSet(
    _idx_source(
        "Fashion-MNIST",
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    # Debian's package dataset-fashion-mnist.
    installed=(Path("/usr/share/datasets/fashion-mnist"),),
)

_CIFAR_BATCHES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_CIFAR_FOLDER = "cifar-10-batches-bin"
_CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"

CIFAR10 = Source(
    "CIFAR-10",
    ("https://www.cs.toronto.edu/~kriz/",),
    {_CIFAR_ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530"},
    f"data_batch_1.bin to data_batch_5.bin and test_batch.bin, or with {_CIFAR_ARCHIVE}",
)


def load_cifar10(
    part: Literal["train", "test"], classes: Sequence[int], data_dir: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of some classes, in the order of the files.

    Parameters
    ----------
    part : {"train", "test"}
    classes : sequence of int
        Labels to keep: 0 airplane, 1 automobile, ...
    data_dir : str or None
        Folder of the binary batches, or of their folder ``cifar-10-batches-bin`` or archive; None:
        a download.

    Returns
    -------
    images : ndarray of uint8, shape (n, 3, 32, 32)
    labels : ndarray of uint8, shape (n,)

    Raises
    ------
    DataError
        If files are missing or damaged.
    OptionError
        If `data_dir` is not a folder.
    """
    names = _CIFAR_BATCHES[part]
    return read_batches(_cifar_place(data_dir, names), names, classes)


def _cifar_place(data_dir: str | None, names: Sequence[str]) -> Path:
    if data_dir is None:
        return CIFAR10.download()[0]
    folder = CIFAR10.folder(data_dir)
    for place in (folder, folder / _CIFAR_FOLDER):
        if all((place / name).is_file() for name in names):
            return place
    if (folder / _CIFAR_ARCHIVE).is_file():
        return folder / _CIFAR_ARCHIVE
    missing = [name for name in names if not (folder / name).is_file()]
    raise DataError(f"{folder} lacks {', '.join(missing)}; it must hold {CIFAR10.wanted}")
