"""A run that is on disk, with all that it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sparsefit.core.errors import ParameterError, SparsefitError
from sparsefit.core.exact import EXACT_PSNR
from sparsefit.core.network import Network
from sparsefit.core.options import Options, option_infos
from sparsefit.core.problem import AnyProblem, SensingProblem
from sparsefit.core.setting import Setting
from sparsefit.experiments.jobs import load_problem
from sparsefit.experiments.metrics import network_scores, sensing_scores
from sparsefit.experiments.spec import Cell, all_options
from sparsefit.experiments.store import WITHOUT_NETWORK, Row, read_row
from sparsefit.methods import find_method
from sparsefit.tasks import find_task
from sparsefit.tasks._base import SkipCell

O = TypeVar("O", bound=Options)  # noqa: E741
# Scores of one network on the same rows differ by rounding only, on any machine.
_SAME = 1e-3


def find_row(run: str, out: Path) -> tuple[Path, Row]:
    """Return the file and the content of one row.

    Parameters
    ----------
    run : str
        A run id, the start of one, or the name of a row's file.
    out : Path
        The results folder; not used for a file.

    Raises
    ------
    SparsefitError
        If no row or several answer to `run`, or the file is damaged.
    """
    path = _find_path(run, out)
    try:
        return path, read_row(path)
    except ValueError as error:
        raise SparsefitError(f"{path} is damaged: {error}") from error


def _find_path(run: str, out: Path) -> Path:
    if run.endswith(".json") and Path(run).is_file():
        return Path(run)
    paths = sorted((out / "rows").glob("*.json"))
    found = [path for path in paths if path.stem.startswith(run)]
    if len(found) == 1:
        return found[0]
    if found:
        raise SparsefitError(f"{len(found)} runs in {out} start with {run!r}: give more of the id")
    raise SparsefitError(f"there is no run {run!r} among the {len(paths)} in {out}")


def network_path(row_path: Path) -> Path:
    """Return where the network of the row in a file is, whether it is there or not."""
    return row_path.parent.parent / "networks" / f"{row_path.stem}.safetensors"


@dataclass(frozen=True)
class StoredRun:
    """A row, the cell that it is of, the data of that cell, and the network that was found.

    Attributes
    ----------
    row : dict
    cell : Cell
    problem : Problem or SensingProblem
    network : Network
    """

    row: Row
    cell: Cell
    problem: AnyProblem
    network: Network

    @classmethod
    def load(cls, run: str, out: Path, data_dir: str | None = None) -> StoredRun:
        """Find a run and make its data again.

        Parameters
        ----------
        run, out
            See `find_row`.
        data_dir : str, optional
            Where the files of the task are; rows do not say.

        Raises
        ------
        SparsefitError
            If the run is not there, has no network, is of a version with other options, or its
            data are not what they were.
        """
        path, row = find_row(run, out)
        run_id = row["run_id"]
        if row["status"] in WITHOUT_NETWORK:
            raise SparsefitError(f"run {run_id} has no network: {row.get('note') or row['status']}")
        if not network_path(path).exists():
            raise SparsefitError(f"the network of run {run_id} is missing: {network_path(path)}")
        network, cell = Network.load(network_path(path)), make_cell(row, data_dir)
        changed = f"the data of task {row['task']!r} are not those that run {run_id} was fitted to"
        # Rows of older versions do not say which data they were fitted to.
        if row.get("data") not in (None, cell.task.fingerprint):
            raise SparsefitError(changed)
        try:
            problem = load_problem(cell)
            is_same = _is_same(row, problem, network)
        except ParameterError:  # the user's, not the data's
            raise
        except (SkipCell, ValueError) as error:  # no such rows, or rows of another width
            raise SparsefitError(changed) from error
        if not is_same:
            raise SparsefitError(changed)
        return cls(row, cell, problem, network)


def make_cell(row: Row, data_dir: str | None = None) -> Cell:
    """Return the cell that a row is of.

    Parameters
    ----------
    row : dict
    data_dir : str, optional
        Where the files of the task are.

    Raises
    ------
    SparsefitError
        If the row lacks a field that says what was asked, or names something that is not known.

    Examples
    --------
    >>> from sparsefit.core.result import Status
    >>> from sparsefit.experiments.rows import empty_row
    >>> cell = Cell(find_task("planted")(), find_method("aiht")(), Setting(hidden=9), 20)
    >>> make_cell(empty_row(cell, Status.FAILED, "")).run_id == cell.run_id
    True
    """
    try:
        task = rebuilt(find_task(row["task"]), row["task_options"], row, data_dir)
        method = rebuilt(find_method(row["method"]), row["method_options"], row)
        setting = Setting(
            **{name: row[name] for name in ("hidden", "layers", "bias", "seed", "dtype")},
            **{name: row[name] for name in ("device", "threads")},
            skip=row.get("skip", False),
            activation=row.get("activation", "relu"),
        )
    except KeyError as error:
        missing = f"no {error}"
        raise SparsefitError(f"run {row['run_id']} does not say what was asked: {missing}") from (
            error
        )
    except (AttributeError, TypeError) as error:  # a file that was changed by hand
        raise SparsefitError(f"run {row['run_id']} does not say what was asked: {error}") from error
    takes_budget = method.uses_budget or task.draws_truth
    return Cell(task, method, setting, row["nnz"] if takes_budget else None)


def rebuilt(cls: type[O], options: dict[str, Any], row: Row, data_dir: str | None = None) -> O:
    """Return the task or method of a row, its files being in `data_dir`.

    Raises
    ------
    SparsefitError
        If the row has options that the task or method no longer has.
    """
    known = {info.name for info in option_infos(cls)}
    if not known.issuperset(options):
        raise SparsefitError(
            f"the rows are of version {row.get('version')}, which had other options"
        )
    given = {} if data_dir is None or "data_dir" not in known else {"data_dir": data_dir}
    return cls(**(all_options(cls, options) | given))


def _is_same(row: Row, problem: AnyProblem, network: Network) -> bool:
    """Whether the network scores on the data as the row says that it did."""
    before = row.get("train_value")
    if before is None:
        return True
    if isinstance(problem, SensingProblem):
        now = sensing_scores(problem, network)["train_value"]
        return bool(abs(now - before) <= _SAME * before + 1e-9)
    now = network_scores(problem, network)["train_value"]
    # Beyond that, scores are decibels of rounding.
    is_exact = problem.metric == "psnr" and min(now, before) > EXACT_PSNR
    return bool(is_exact or abs(now - before) <= _SAME * max(abs(before), 1.0))
