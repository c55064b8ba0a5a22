"""Arrays of NumPy as columns."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from sparsefit.core.errors import DataError
from sparsefit.core.file_rows import NPY_DAMAGE

# What NumPy and zipfile raise of a damaged file: the last ones where it says that it is packed in a
# way that they do not know, or locked.
_DAMAGE = (
    *NPY_DAMAGE, struct.error, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError,
)  # fmt: skip


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """Return the columns of an NPZ file, and the shape of the images that rows are.

    Arrays of shape (n,) are columns by their names, others are flattened to name0, name1, ...

    Parameters
    ----------
    path : Path

    Returns
    -------
    columns : dict of str to ndarray of shape (n,)
        Native numbers, truth values or texts.
    image_shape : tuple of int
        Of the one array of three or four dimensions: height, width and perhaps channels; else
        empty.

    Raises
    ------
    DataError
        If it is no such file, or its arrays have different numbers of rows.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.npz"
    ...     np.savez(path, X=np.zeros((5, 2)), y=np.ones(5))
    ...     columns, image_shape = read_arrays(path)
    >>> list(columns), image_shape
    (['X0', 'X1', 'y'], ())
    """
    arrays = _arrays(path)
    columns: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        flat = _native(array, name, path).reshape(len(array), -1)
        many = {f"{name}{at}": flat[:, at] for at in range(flat.shape[1])}
        columns |= {name: flat[:, 0]} if array.ndim == 1 else many
    lengths = sorted({len(array) for array in columns.values()})
    if len(lengths) != 1:
        raise DataError(f"{path}: its arrays must have one number of rows, got {lengths}")
    shapes = [array.shape[1:] for array in arrays.values() if array.ndim > 2]
    return columns, shapes[0] if len(shapes) == 1 else ()


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        # A stream of our own: NumPy leaves that of a damaged file open.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except MemoryError:
        raise DataError(f"{path} says that it has larger arrays than there is memory for") from None
    except _DAMAGE:
        raise DataError(f"{path} is not an NPZ file of plain arrays") from None
    for name, array in arrays.items():
        if not 1 <= array.ndim <= 4:
            raise DataError(f"{path}: array {name!r} must have 1 to 4 dimensions")
    return arrays


def _native(array: np.ndarray, name: str, path: Path) -> np.ndarray:
    """Return an array in the byte order of this machine, bytes as texts."""
    if array.dtype.kind not in "biufUS":
        raise DataError(
            f"{path}: array {name!r} has {array.dtype} where numbers or texts are needed"
        )
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
