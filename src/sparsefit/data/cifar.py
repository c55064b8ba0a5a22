"""The binary version of CIFAR-10: records of one label and 3 x 32 x 32 bytes."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from sparsefit.core.errors import DataError

SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
# The standard batches hold as many; a damaged archive must not fill the memory.
_MAX_BYTES = 10_000 * _RECORD


def read_batches(
    place: Path, names: Sequence[str], classes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Read the images of some classes, in the order of the files.

    Parameters
    ----------
    place : Path
        A folder with the batches, or the .tar.gz archive of them, which is not unpacked to disk.
    names : sequence of str
        Batches to read, such as ``data_batch_1.bin``.
    classes : sequence of int
        Labels to keep.

    Returns
    -------
    images : ndarray of uint8, shape (n, 3, 32, 32)
        Red, green and blue planes.
    labels : ndarray of uint8, shape (n,)

    Raises
    ------
    DataError
        If a batch is missing, or is not a whole number of records with labels 0 to 9.
    """
    parts = []
    for name, content in _contents(place, names):
        records = _records(f"{place / name}", content)
        parts.append(records[np.isin(records[:, 0], classes)])
    kept = np.concatenate(parts)
    return kept[:, 1:].reshape(-1, *SHAPE), kept[:, 0]


def _records(name: str, content: bytes) -> np.ndarray:
    if not content or len(content) % _RECORD or len(content) > _MAX_BYTES:
        raise DataError(
            f"{name} is not a batch of CIFAR-10: its size must be a multiple of {_RECORD} bytes, "
            f"up to {_MAX_BYTES}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() > 9:
        raise DataError(f"{name} holds the label {records[:, 0].max()}; labels must be 0 to 9")
    return records


def _contents(place: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of each batch, in the order of `names`."""
    try:
        if place.is_dir():
            for name in names:
                with (place / name).open("rb") as file:
                    yield name, file.read(_MAX_BYTES + 1)
        else:
            with tarfile.open(place, "r:*") as archive:
                for name in names:
                    with _open_member(archive, name) as stream:
                        yield name, stream.read(_MAX_BYTES + 1)
    except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{place} cannot be read: {error}") from error


def _open_member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = archive.extractfile(f"cifar-10-batches-bin/{name}")
    if stream is None:
        raise OSError(f"{name} is not a file")
    return stream
