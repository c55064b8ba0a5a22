"""Results on disk: one file per row, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsefit.core.errors import SparsefitError
from sparsefit.core.files import parse_json, writing
from sparsefit.core.result import Status

if TYPE_CHECKING:
    from sparsefit.core.network import Network

Row = dict[str, Any]

# What every row has; facts on the data of a task may follow.
FIELDS = (
    "run_id", "task", "method", "hidden", "layers", "bias", "skip", "activation", "nnz", "seed",
    "metric", "value", "train_value", "constant_value", "constant_train_value",
    "nnz_found", "n_params", "dense", "status", "seconds", "peak_mb",
    "support_recall", "support_precision", "exact", "n_iter", "note",
    "dtype", "device", "threads", "data", "task_options", "method_options", "version",
)  # fmt: skip

DENSE_NOTE = "the budget is at least the number of parameters: the network is dense"

# A row without one of these is damaged; the other fields may differ between versions.
REQUIRED = ("run_id", "task", "method", "hidden", "nnz", "seed", "metric", "value", "status")
_NOTHING = type(None)
# What these are, where they are there at all.
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("run_id", "task", "method", "status"), (str,)),
    **dict.fromkeys(("hidden", "seed"), (int,)), "nnz": (int, _NOTHING),
    "metric": (str, _NOTHING), "value": (int, float, _NOTHING),
    **dict.fromkeys(("task_options", "method_options"), (dict, _NOTHING)),
    **dict.fromkeys(("seconds", "train_value", "constant_value"), (int, float, _NOTHING)),
    "layers": (int, _NOTHING), "note": (str, _NOTHING),
}  # fmt: skip
# Cells of these outcomes never had a network.
WITHOUT_NETWORK = (Status.SKIPPED.value, Status.FAILED.value)
_ORDER = ("task", "method", "layers", "hidden", "nnz", "seed")


class StoreError(SparsefitError):
    """A result could not be written; rows written before are whole."""

    exit_code = 1


@dataclass(frozen=True)
class Store:
    """A folder of results.

    ``rows/<run_id>.json`` holds one JSON object on one line, ``networks/<run_id>.safetensors`` the
    network, ``logs/<run_id>.txt`` the traceback of a failed cell. Files appear whole under their
    name, the network before its row, so any number of processes may use one folder.

    Parameters
    ----------
    folder : Path
        Made when the first result is written.

    Raises
    ------
    SparsefitError
        If the folder is a file or cannot be written.
    """

    folder: Path

    def __post_init__(self) -> None:
        """Try to write, leaving nothing; the folder itself is made by the first result."""
        for name in ("rows", "networks"):
            path = self.folder / name
            existing = next(part for part in (path, *path.absolute().parents) if part.exists())
            try:
                tempfile.TemporaryFile(dir=existing).close()
            except NotADirectoryError as error:
                raise SparsefitError(
                    f"--out must be a folder, got {str(self.folder)!r}: {existing} is a file"
                ) from error
            except OSError as error:
                raise SparsefitError(
                    f"--out must be a folder that can be written, got {str(self.folder)!r}: "
                    f"{error.strerror}"
                ) from error

    def row_path(self, run_id: str) -> Path:
        """Return where the row of a cell is."""
        return self.folder / "rows" / f"{run_id}.json"

    def network_path(self, run_id: str) -> Path:
        """Return where the network of a cell is."""
        return self.folder / "networks" / f"{run_id}.safetensors"

    def log_path(self, run_id: str) -> Path:
        """Return where the traceback of a failed cell is."""
        return self.folder / "logs" / f"{run_id}.txt"

    def find(self, run_ids: Iterable[str], on_damage: Callable[[str], None]) -> dict[str, Row]:
        """Return the rows that are there with their networks, by run id; set damaged rows aside.

        Parameters
        ----------
        run_ids : iterable of str
        on_damage : callable
            Gets one sentence per damaged row, which is renamed to ``<run_id>.json.damaged``, and
            per missing network, whose row is left out.

        Raises
        ------
        StoreError
            If a damaged row cannot be renamed.
        """
        found = {}
        for run_id in run_ids:
            path = self.row_path(run_id)
            try:
                row = read_row(path)
            except FileNotFoundError:
                continue
            except ValueError as error:
                aside = _set_aside(path)
                on_damage(f"{path} is damaged ({error}); kept as {aside.name} and computed again")
            else:
                if row["status"] not in WITHOUT_NETWORK and not self.network_path(run_id).exists():
                    on_damage(f"{self.network_path(run_id)} is missing; computed again")
                    continue
                found[run_id] = row
        return found

    def leftovers(self) -> Iterator[tuple[str, Path]]:
        """Give files that were begun and not ended, each with the run id of its cell."""
        for name in ("rows", "networks", "logs"):
            for path in (self.folder / name).glob(".*.tmp"):
                yield path.name[1:].partition(".")[0], path

    def put_network(self, run_id: str, network: Network) -> Network:
        """Save a network and return it as read back from its file."""
        path = self.network_path(run_id)
        with _writing(path) as temporary:
            network.save(temporary)
        return type(network).load(path)

    def put_row(self, row: Row) -> None:
        """Write a row; it is on disk when this returns."""
        with _writing(self.row_path(row["run_id"])) as temporary:
            temporary.write_text(json.dumps(row, allow_nan=False) + "\n", encoding="utf-8")

    def put_log(self, run_id: str, text: str) -> None:
        """Write the traceback of a failed cell."""
        with _writing(self.log_path(run_id)) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _set_aside(path: Path) -> Path:
    aside = path.with_name(path.name + ".damaged")
    try:
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            path.replace(aside)
    except OSError as error:
        raise StoreError(
            f"{path} is damaged and cannot be renamed to {aside.name}: {error.strerror}"
        ) from error
    return aside


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all, in a folder that is made if it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path) as temporary:
            yield temporary
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}; finished cells are kept"
        ) from error


def read_row(path: Path) -> Row:
    """Read a row file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it cannot be read or is not a row; the message says why.
    """
    try:
        row = parse_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(error.strerror) from error
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    missing = [key for key in REQUIRED if key not in row]
    if missing:
        raise ValueError(f"no {missing[0]!r}")
    for key, kinds in _KINDS.items():
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{key!r} is {value!r}")
    if row["run_id"] != path.stem:
        raise ValueError(f"it is of run {row['run_id']!r}")
    return row


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)


def load_rows(folder: str | Path, on_damage: Callable[[str], None] = _warn) -> list[Row]:
    """Read all rows of a results folder, ready for ``pandas.DataFrame``.

    Parameters
    ----------
    folder : str or Path
        What ``--out`` was.
    on_damage : callable, optional
        Gets one sentence per damaged file; default: a warning.

    Returns
    -------
    list of dict
        Ordered by task, method, layers, hidden, nnz and seed. Damaged files are left out.

    Raises
    ------
    SparsefitError
        If there is no such folder or it holds no results.

    Examples
    --------
    >>> load_rows("nowhere")
    Traceback (most recent call last):
    sparsefit.core.errors.SparsefitError: there are no results in 'nowhere': ...
    """
    rows_folder = Path(folder) / "rows"
    if not rows_folder.is_dir():
        raise SparsefitError(f"there are no results in {str(folder)!r}: it has no folder 'rows'")
    rows = []
    for path in sorted(rows_folder.glob("*.json")):
        row = _read_whole(path, on_damage)
        if row is not None:
            rows.append(row)
    return sorted(rows, key=_order)


def _read_whole(path: Path, on_damage: Callable[[str], None]) -> Row | None:
    try:
        return read_row(path)
    except FileNotFoundError:  # another process has set it aside
        return None
    except ValueError as error:
        on_damage(f"{path} is damaged ({error}) and left out")
        return None


def _order(row: Row) -> tuple[tuple[bool, Any], ...]:
    # Skipped cells of methods without a budget have none; they go first.
    return tuple((row.get(key) is not None, row.get(key)) for key in _ORDER)
