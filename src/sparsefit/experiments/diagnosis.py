"""A found network against its data: patterns, conditioning, certificate, drift, stability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from sparsefit.core.activations import RELU
from sparsefit.core.device import check_device, limited_threads
from sparsefit.core.errors import SparsefitError
from sparsefit.core.exact import is_exact
from sparsefit.core.file_rows import FileRows
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem, SensingProblem
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import no_progress
from sparsefit.experiments.activity import Activity, GateDrift, closest, patterns
from sparsefit.experiments.assumptions import Inputs, check_all, cut
from sparsefit.experiments.rows import plain
from sparsefit.experiments.stability import fit_again, stability
from sparsefit.experiments.stored import StoredRun
from sparsefit.gauss_newton.certificate import Weight, certify
from sparsefit.gauss_newton.conversion import Converted, from_network, with_unit_readout
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.near import exchanges
from sparsefit.gauss_newton.objective import Objective

# The Gram matrix of more weights than that takes too much memory, and its cube too long.
MOST_WEIGHTS = 5000
# Each weight is dropped in turn, and the others refitted.
_MOST_EXCHANGED, _MOST_ROWS_EXCHANGED = 300, 5000
# Of rows in files.
_MOST_ROWS = 100_000
VECTOR_NOTE = "the run recovers a sparse vector, which has no units: there is only its row"


class Spectrum(NamedTuple):
    """Extreme eigenvalues of A_S^T A_S / n, and the number of columns of A_S."""

    alpha: float
    beta: float
    columns: int


def diagnose(
    run: StoredRun,
    *,
    drift: bool = False,
    resamples: int = 0,
    slack: float | None = None,
    progress: Callable[[float, str], None] = no_progress,
) -> dict[str, Any]:
    """Return all that can be said on a run, by name, in the types of JSON.

    Parameters
    ----------
    run : StoredRun
    drift : bool, optional
        Fit once more to see the gates move.
    resamples : int, optional
        Fit so many bootstrap resamples to see whether the support stays; 0: none.
    slack : float, optional
        Look for supports that differ in one weight and whose residual is larger by at most this
        share.
    progress : callable, optional
        Gets the number of fits done, with fractions, and a message.

    Returns
    -------
    dict
        What does not apply is None, and ``notes`` say why.

    Raises
    ------
    SparsefitError
        If `resamples` are asked of a problem without rows, or a fit is refused.
    """
    if drift or resamples:
        check_device(run.cell.setting.device)
    names = ("run_id", "task", "method", "hidden", "layers", "nnz", "seed", "status")
    found: dict[str, Any] = {name: run.row.get(name) for name in names}
    measured = ("units", "closest", "spectrum", "inputs", "checks", "certificate", "drift")
    found |= dict.fromkeys((*measured, "stability", "near"))
    found["recovery"] = _recovery(run)
    notes: list[str] = []
    run = _in_memory(run, notes)
    with limited_threads(run.cell.setting.threads):
        if isinstance(run.problem, SensingProblem):
            notes.append(VECTOR_NOTE)
        else:
            found |= _measure(run.network, run.problem, run.cell.setting.bias, notes)
            if slack is not None:
                found["near"] = _near(run.network, run.problem, slack, notes)
            if drift:
                found["drift"] = _drift(run, notes, progress)
        if resamples:
            found["stability"] = _stability(run, resamples, drift, progress)
    facts: dict[str, Any] = plain(found | {"notes": notes})
    return facts


def _in_memory(run: StoredRun, notes: list[str]) -> StoredRun:
    """Return a run whose rows are in memory: a draw of them, if they are many in files."""
    problem = run.problem
    if isinstance(problem, SensingProblem) or not isinstance(problem.X, FileRows):
        return run
    if problem.n > _MOST_ROWS:
        notes.append(f"measured on a draw of {_MOST_ROWS} of the {problem.n} rows")
        return replace(run, problem=problem.sample(_MOST_ROWS, run.cell.setting.seed))
    return replace(run, problem=replace(problem, X=problem.X[:]))


def _recovery(run: StoredRun) -> dict[str, Any] | None:
    """Return how much of a planted network was found, as the row has it."""
    fields = {"recall": "support_recall", "precision": "support_precision", "exact": "exact"}
    values = {name: run.row.get(field) for name, field in fields.items()}
    return values if any(value is not None for value in values.values()) else None


def _measure(network: Network, problem: Problem, bias: bool, notes: list[str]) -> dict[str, Any]:
    is_relu = network.activation == RELU
    if not is_relu:
        notes.append(
            f"no checks of what theorems ask for: they are of ReLU networks, and the units of this "
            f"one are {network.activation}; units count as active where their sum is positive"
        )
    found = patterns(network, problem.X)
    near = closest(found.live)
    inputs = Inputs.measure(problem.X, network)
    converted = _convert(network, notes)
    extremes = None if converted is None else spectrum(converted, problem.X)
    certificate = None
    if problem.loss != "squared":
        notes.append(f"no certificate: it is for the squared loss, and this is {problem.loss}")
    elif converted is not None:
        certificate = _certificate(network, converted, problem)
    if converted is not None and converted.n_idle:
        notes.append(
            f"nonzeros of units that no input reaches or that reach no output: {converted.n_idle}; "
            "they cost nothing to drop, and the certificate is of the others"
        )
    edges = None if extremes is None else (extremes.alpha, extremes.beta)
    apart = None if near is None else near.share
    checks = check_all(network, inputs, found.live.shares.tolist(), apart, edges)
    return {
        "units": _units(found, network),
        "closest": None if near is None else near._asdict(),
        "spectrum": None if extremes is None else _with_ratio(extremes),
        "inputs": asdict(inputs),
        "checks": [check._asdict() for check in checks] if is_relu else None,
        "certificate": certificate,
    }


def _units(found: Activity, network: Network) -> dict[str, Any]:
    """Count units, and say for those with weights on which share of the rows they are active."""
    shares, n_units = found.shares, network.hidden_layers[0].n_units
    live = found.live.shares
    middle = {"min": live.min(), "median": np.median(live), "max": live.max()} if len(live) else {}
    return {
        "total": n_units,
        "with_weights": len(shares),
        "dead": n_units - len(live),
        "always_active": int((shares == 1).sum()),
        "share": middle or None,
        "shares": {int(unit): share for unit, share in zip(found.units, shares, strict=True)},
    }


def _with_ratio(extremes: Spectrum) -> dict[str, Any]:
    ratio = extremes.beta / extremes.alpha if extremes.alpha else None
    return {**extremes._asdict(), "ratio": ratio}


def _convert(network: Network, notes: list[str]) -> Converted | None:
    """Return the network on its support; None, with a note, if its equations cannot be formed."""
    left_out = "no eigenvalues of A_S and no certificate: "
    try:
        converted = from_network(network)
    except SparsefitError as error:
        notes.append(f"{left_out}{error}")
        return None
    count = len(converted.net.values)
    if not 0 < count <= MOST_WEIGHTS:
        notes.append(f"{left_out}they are made for 1 to {MOST_WEIGHTS} weights in use, not {count}")
        return None
    return converted


def spectrum(converted: Converted, X: np.ndarray) -> Spectrum:
    """Return the extreme eigenvalues of A_S^T A_S / n.

    A_S holds the derivatives of the outputs by the weights of the first hidden layer and of the
    skip connection, biases included, with all units scaled so that what each feeds has norm 1. With
    one hidden layer and one output that makes it the gated columns 1[X w_j > 0] * x_i, up to sign.

    Parameters
    ----------
    converted : Converted
    X : ndarray of shape (n, d)

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> network = Network((Layer(np.array([[1.0], [1.0]])),), fused=True)
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [-1.0, 0.0]])
    >>> spectrum(from_network(network), X)
    Spectrum(alpha=0.25, beta=1.0, columns=2)
    """
    net = with_unit_readout(converted.net)
    rows = RowBlocks(X, bias=converted.bias, dtype=torch.float64)
    nothing = net.values.new_zeros(net.n_outputs, rows.n)
    gram, _, _ = Objective(rows, nothing).equations(net)
    number = torch.arange(len(gram))
    chosen = (number < net.hidden[0].nnz) | (number >= len(gram) - net.skip.nnz)
    gram = gram[chosen][:, chosen] / rows.n
    values = torch.linalg.eigvalsh(gram)
    beta = max(float(values[-1]), 0.0)
    return Spectrum(cut(float(values[0]), beta, len(gram)), beta, len(gram))


def _certificate(network: Network, converted: Converted, problem: Problem) -> dict[str, Any] | None:
    """Return the certificate of the network with its weights refitted, as it takes for granted."""
    objective = _objective(converted, problem)
    y = objective.y
    size = float(y.square().sum())
    before = float(objective.residuals(converted.net).square().sum())
    best = levenberg_marquardt(converted.net, objective, steps=50, gain=1e-9)
    found = certify(best.net, objective, converted.units)
    if found is None:
        return None
    # Refitting balances units; the network on disk has its own scale.
    drop = replace(found.swap_drop, value=_stored_value(network, found.swap_drop))
    change = (best.loss * y.numel() - before) / size
    return {**asdict(replace(found, swap_drop=drop)), "refit_change": min(change, 0.0)}


def _objective(converted: Converted, problem: Problem) -> Objective:
    rows = RowBlocks(problem.X, bias=converted.bias, dtype=torch.float64)
    return Objective(rows, torch.from_numpy(problem.y.T.astype(np.float64)).contiguous())


def _near(
    network: Network, problem: Problem, slack: float, notes: list[str]
) -> dict[str, Any] | None:
    """Return the supports near that of a network; None, with a note, if there are none to find."""
    left_out = "no near-equal supports: "
    if problem.loss != "squared":
        notes.append(f"{left_out}they are for the squared loss, and this is {problem.loss}")
        return None
    converted = _convert(network, [])
    if converted is None or converted.net.nnz > _MOST_EXCHANGED:
        notes.append(f"{left_out}they are looked for of 1 to {_MOST_EXCHANGED} weights in use")
        return None
    objective = _objective(converted, problem.sample(_MOST_ROWS_EXCHANGED, seed=0))
    best = levenberg_marquardt(converted.net, objective, steps=50, gain=1e-9)
    if is_exact(best.loss, objective.mean_square):
        notes.append(f"{left_out}the network is exact, and its residual is rounding")
        return None
    found = list(exchanges(best.net, objective, slack, converted.units))
    given_up = {(one.dropped.layer, one.dropped.unit, one.dropped.input) for one in found}
    weights = [
        replace(one, dropped=replace(one.dropped, value=_stored_value(network, one.dropped)))
        for one in sorted(found, key=lambda one: one.change)
    ]
    return {
        "slack": slack, "supports": len(found), "weights": best.net.nnz,
        "always": best.net.nnz - len(given_up), "exchanges": [asdict(one) for one in weights],
    }  # fmt: skip


def _stored_value(network: Network, place: Weight) -> float:
    layer = network.all_layers[network.layer_names.index(place.layer)]
    if place.input is not None:
        return float(layer.weight[place.input, place.unit])
    assert layer.bias is not None
    return float(layer.bias[place.unit])


def _drift(
    run: StoredRun, notes: list[str], progress: Callable[[float, str], None]
) -> dict[str, Any] | None:
    """Fit again, watching; None, with a note, if there is nothing to see."""
    assert isinstance(run.problem, Problem)
    watch, n_seen = GateDrift(run.problem.X), 0

    def observe(network: Network) -> None:
        nonlocal n_seen
        n_seen += 1
        watch(network)

    fit = fit_again(run.cell, run.problem, observe=observe, progress=progress)
    if n_seen == 0:
        notes.append(f"no gate drift: method {run.cell.method.name!r} does not show its iterates")
        return None
    if not _is_equal(fit.network, run.network, run.problem.X):
        notes.append("the fit that was watched ended in another network than the one on disk")
    shares = watch.shares
    ends = {"first": shares[0], "mean": np.mean(shares), "last": shares[-1]} if shares else None
    return {"iterates": n_seen, "share": ends, "shares": shares}


def _is_equal(a: Network, b: Network, X: np.ndarray) -> bool:
    """Whether both give the same outputs but for rounding."""
    ours, theirs = a.predict(X), b.predict(X)
    size = float(np.abs(theirs).max(initial=0.0))
    return np.allclose(ours, theirs, rtol=0, atol=1e-6 * size, equal_nan=True)


def _stability(
    run: StoredRun, resamples: int, after_drift: bool, progress: Callable[[float, str], None]
) -> dict[str, Any]:
    start = int(after_drift)
    found = stability(
        run.cell, run.problem, run.network, resamples,
        lambda done, message: progress(start + done, message),
    )  # fmt: skip
    shares = list(found.found.values())
    spread = {"min": min(shares), "median": np.median(shares), "max": max(shares)} if shares else {}
    each = {
        "recall": [overlap.recall for overlap in found.overlaps],
        "precision": [overlap.precision for overlap in found.overlaps],
        "jaccard": found.jaccard,
    }
    summary = {
        name: {"mean": np.mean(values), "std": np.std(values), "values": values}
        for name, values in each.items()
    }
    return {
        "resamples": resamples,
        "always": sum(share == 1 for share in shares),
        "found": spread or None,
        **summary,
        "weights": [{**place._asdict(), "found": share} for place, share in found.found.items()],
    }
