"""IDX files, the format of MNIST: a header with the shape, then plain bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from sparsefit.core.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 8
# Far above any of the standard files; a damaged header must not make us allocate what it says.
_MAX_BYTES = 2**31
_CHUNK_BYTES = 2**20
_WORDS = {1: "labels", 3: "images"}


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped or not, whatever its name.

    Parameters
    ----------
    path : Path
    ndim : int
        Dimensions that it must have: 1 for labels, 3 for images.

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    DataError
        If the file cannot be read, has another header, or is shorter or longer than its header
        says.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    >>> read_idx(path, ndim=1)
    array([7, 8, 9], dtype=uint8)
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if zipped else file
            shape = _read_shape(path, stream, ndim)
            size = math.prod(shape)
            content = _read(stream, size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(content) != size:
        found = "it is longer" if len(content) > size else f"it holds only {len(content)}"
        raise DataError(f"{path} is damaged: its header says {size} bytes of content, {found}")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read(stream: BinaryIO, most: int) -> bytes:
    """Read at most so many bytes; a file that says it has more takes no more room than it needs."""
    pieces, left = list[bytes](), most
    while left and (piece := stream.read(min(left, _CHUNK_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _read_shape(path: Path, stream: BinaryIO, ndim: int) -> tuple[int, ...]:
    header = stream.read(4)
    expected = bytes([0, 0, _UNSIGNED_BYTE, ndim])
    if header != expected:
        raise DataError(
            f"{path} is not an IDX file of {_WORDS[ndim]}: it starts with "
            f"{header.hex() or 'nothing'}, not {expected.hex()}"
        )
    sizes = stream.read(4 * ndim)
    if len(sizes) != 4 * ndim:
        raise DataError(f"{path} is damaged: it ends within its header")
    shape = struct.unpack(f">{ndim}I", sizes)
    if not 0 < math.prod(shape) < _MAX_BYTES:
        raise DataError(f"{path} is damaged: its header says a shape of {shape}")
    return shape


def read_labelled(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a pair of IDX files.

    Returns
    -------
    images : ndarray of uint8, shape (n, height, width)
    labels : ndarray of uint8, shape (n,)
        Classes 0 to 9.

    Raises
    ------
    DataError
        As `read_idx`, and if the counts differ or a label is above 9.
    """
    pixels, classes = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(classes):
        raise DataError(
            f"{images} holds {len(pixels)} images, but {labels} holds {len(classes)} labels"
        )
    if classes.max() > 9:
        raise DataError(f"{labels} holds the label {classes.max()}; labels must be 0 to 9")
    return pixels, classes
