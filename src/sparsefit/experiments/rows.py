"""The row of a cell: what was asked, what came out, at what cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit._version import __version__
from sparsefit.core.errors import SparsefitError
from sparsefit.core.exact import EXACT_PSNR, EXACT_RELATIVE_ERROR
from sparsefit.core.problem import AnyProblem, Problem, SensingProblem
from sparsefit.core.result import Fit, Status
from sparsefit.core.source import source_of
from sparsefit.experiments.metrics import (
    network_scores,
    sensing_scores,
)
from sparsefit.experiments.oracle import oracle_network
from sparsefit.experiments.spec import Cell, result_options
from sparsefit.experiments.store import DENSE_NOTE, FIELDS, Row
from sparsefit.experiments.support import (
    Overlap,
    overlap_and_distance,
    parameter_distance,
    vector_overlap,
)

if TYPE_CHECKING:
    from sparsefit.core.network import Network


def empty_row(cell: Cell, status: Status, note: str) -> Row:
    """Return the row of a cell without a result: all that was measured is None."""
    setting = cell.setting
    given = {
        "run_id": cell.run_id,
        "task": cell.task.name,
        "method": cell.method.name,
        "hidden": setting.hidden,
        "layers": setting.layers,
        "bias": setting.bias,
        "skip": setting.skip,
        "activation": setting.activation,
        "nnz": cell.nnz,
        "seed": setting.seed,
        "status": status.value,
        "note": note,
        "dtype": cell.dtype,
        "device": setting.device,
        "threads": setting.threads,
        "data": cell.task.fingerprint or None,
        "task_options": plain(result_options(cell.task)),
        "method_options": plain(result_options(cell.method)),
        "version": __version__,
    }
    return {name: given.get(name) for name in FIELDS} | _files(cell)


def _files(cell: Cell) -> dict[str, str]:
    """Return what tells apart the versions of a method or task that is read from a user's file."""
    parts = {"task_file": source_of(type(cell.task)), "method_file": source_of(type(cell.method))}
    return {name: source.label for name, source in parts.items() if source}


def result_row(
    cell: Cell, problem: AnyProblem, fit: Fit, network: Network, *, seconds: float, peak_mb: float
) -> Row:
    """Return the row of a fitted cell.

    Parameters
    ----------
    cell : Cell
    problem : Problem or SensingProblem
    fit : Fit
        As the method gave it.
    network : Network
        ``fit.network`` as read back from its file: what is scored and counted.
    seconds, peak_mb : float
        What the cell cost.

    Raises
    ------
    SparsefitError
        If the network exceeds the budget.
    """
    if cell.method.uses_budget and cell.nnz is not None and network.nnz > cell.nnz:
        raise SparsefitError(
            f"method {cell.method.name!r} gave {network.nnz} nonzeros for a budget of {cell.nnz}"
        )
    row = empty_row(cell, fit.status, fit.note)
    scores, overlap, distance = _compare(problem, network)
    exact = _is_exact(problem, scores["value"])
    row |= {
        "metric": problem.metric,
        **scores,
        "nnz_found": network.nnz,
        "n_params": network.n_params,
        "dense": not cell.method.uses_budget or (cell.nnz or 0) >= network.n_params,
        "seconds": round(seconds, 4),
        "peak_mb": round(peak_mb, 1),
        "support_recall": overlap and overlap.recall,
        "support_precision": overlap and overlap.precision,
        "exact": exact,
        "n_iter": fit.n_iter,
    }
    if not cell.method.uses_budget:
        row["nnz"] = cell.nnz or network.nnz
    elif row["dense"]:
        row["note"] = f"{row['note']}; {DENSE_NOTE}" if row["note"] else DENSE_NOTE
    beside = {} if distance is None else {"parameter_distance": distance}
    whole: Row = plain(row | beside | _best_possible(problem) | problem.info | fit.info)
    return whole


def _compare(
    problem: AnyProblem, network: Network
) -> tuple[dict[str, float], Overlap | None, float | None]:
    """Return scores and, beside the true network, what is shared and how far weights are off."""
    if isinstance(problem, SensingProblem):
        return sensing_scores(problem, network), vector_overlap(problem, network), None
    scores = network_scores(problem, network)
    if problem.truth is None:
        return scores, None, None
    return scores, *overlap_and_distance(problem.truth, network)


def _best_possible(problem: AnyProblem) -> dict[str, float | None]:
    """Return what least squares on the true support gets, where there is noise."""
    oracle = oracle_network(problem)
    if oracle is None:
        return {}
    assert isinstance(problem, Problem)
    assert problem.truth is not None
    value = network_scores(problem, oracle)["value"]
    return {
        "oracle_value": value, "oracle_distance": parameter_distance(problem.truth, oracle)
    }  # fmt: skip


def _is_exact(problem: AnyProblem, value: float) -> bool | None:
    """Whether the truth was recovered to 100 dB; None where there is no truth."""
    if isinstance(problem, SensingProblem):
        return value < EXACT_RELATIVE_ERROR
    if problem.truth is None or problem.metric != "psnr":
        return None
    return value > EXACT_PSNR


def plain(value: Any) -> Any:
    """Return `value` in the types of JSON; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
