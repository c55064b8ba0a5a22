"""From a problem to a network with the implicit models: one hidden layer after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sparsefit.core.batches import Batches
from sparsefit.core.datafits import DATAFITS, Datafit, Squared, TotalFit
from sparsefit.core.errors import SparsefitError
from sparsefit.core.file_rows import FileRows, Rows, chunks
from sparsefit.core.gates import RandomGates
from sparsefit.core.layer import Layer
from sparsefit.core.memory import Workspace
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem, SensingProblem
from sparsefit.core.result import Fit, Status
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models import FactoredReLU, GatedReLU, GaussianSensing, NetworkModel
from sparsefit.solvers.base import Solver, SolveResult

# Targets, outputs, residuals, an image, and two on the way.
_NUMBERS_A_ROW = 6
_WORST_FIRST = (Status.DIVERGED, Status.FINISHED, Status.CONVERGED)


def fit_layerwise(
    problem: Problem,
    nnz: int,
    setting: Setting,
    make_solver: Callable[[NetworkModel, int], Solver],
    *,
    batch_size: int,
) -> Fit:
    """Train hidden layers in sequence, each with its share ``nnz // layers`` of the budget.

    Every layer is fitted to the targets as if it were the last; its output, relu(X W), is the
    input of the next. With several outputs each solve also finds output weights, of which only
    the last ones are kept.

    Parameters
    ----------
    problem : Problem
    nnz : int
        Budget of the whole network.
    setting : Setting
        ``dtype`` must be set.
    make_solver : callable
        Given the model of a layer and its share of the budget.
    batch_size : int
        Rows of a minibatch; 0 for all.

    Raises
    ------
    SparsefitError
        If the budget leaves nothing for a layer.
    """
    share = nnz // setting.layers
    if share == 0:
        raise SparsefitError(f"nnz={nnz} leaves nothing for each of {setting.layers} hidden layers")
    if problem.share is not None and batch_size:
        raise SparsefitError("minibatches are of the rows of one process: leave --batch-size out")
    X, layers, results = problem.X, list[Layer](), list[SolveResult]()
    for number in range(setting.layers):
        model = _make_model(problem, X, setting)
        solver = make_solver(model, share)
        result = solver.solve(
            model, _datafit(problem), _targets(problem, model), share,
            batches=Batches(model.rows.n, batch_size, setting.seed),
            callback=_reporter(model, solver, setting, list(layers)),
        )  # fmt: skip
        results.append(result)
        layers.append(_hidden_layer(model, results[-1].coef, setting))
        if number + 1 < setting.layers:
            X = np.concatenate([np.maximum(layers[-1](chunk), 0) for chunk in chunks(X)])
    return Fit(
        _join(model, layers, results[-1].coef, keep_gates=not solver.sequential),
        _worst([result.status for result in results]),
        sum(result.n_iter for result in results),
        tuple(loss for result in results for loss in result.history),
        note="; ".join(dict.fromkeys(result.note for result in results if result.note)),
    )


def _datafit(problem: Problem) -> Datafit:
    datafit: Datafit = DATAFITS[problem.loss]()
    if problem.share is None:
        return datafit
    return cast(Datafit, TotalFit(datafit, problem.share.team))


def _worst(statuses: list[Status]) -> Status:
    """Return the status of a network whose layers ended so."""
    return next(status for status in _WORST_FIRST if status in statuses)


def recover_vector(problem: SensingProblem, nnz: int, setting: Setting, solver: Solver) -> Fit:
    """Recover a sparse vector; the answer is a network of one linear layer.

    Parameters
    ----------
    problem : SensingProblem
    nnz : int
        Budget.
    setting : Setting
        ``dtype`` must be set.
    solver : Solver
    """
    dtype = getattr(torch, str(setting.dtype))
    y = torch.from_numpy(problem.measurements).to(device=setting.device, dtype=dtype)
    model = GaussianSensing(
        len(y), problem.length, seed=problem.seed, dtype=dtype, device=setting.device,
        memory=Workspace(setting.memory_bytes, setting.device),
    )  # fmt: skip
    batches = Batches(len(y), 0, setting.seed)
    solver = replace(solver, sequential=False)  # there are no gates
    result = solver.solve(model, Squared(), y, nnz, batches=batches)
    indices, values = result.coef.indices.cpu().numpy(), result.coef.values.cpu().numpy()
    layer = Layer.from_flat(indices, values, problem.length, 1)
    return Fit(Network((layer,)), result.status, result.n_iter, result.history)


def _make_model(problem: Problem, X: Rows, setting: Setting) -> NetworkModel:
    dtype = getattr(torch, str(setting.dtype))
    memory_bytes, room = setting.memory_bytes, 0
    if isinstance(X, FileRows):
        # What solvers hold of each row, and rows that are kept, beside what they ask for.
        left = max(memory_bytes - _NUMBERS_A_ROW * dtype.itemsize * len(X), memory_bytes // 8)
        memory_bytes, room = left // 2, left // 4
    rows = RowBlocks(
        X, bias=setting.bias, dtype=dtype, device=setting.device, room=room, share=problem.share
    )
    memory = Workspace(memory_bytes, setting.device)
    gates = RandomGates(setting.seed, rows.d)
    if problem.n_outputs == 1:
        return GatedReLU(rows, setting.hidden, gates, memory)
    return FactoredReLU(rows, setting.hidden, problem.n_outputs, gates, memory)


def _reporter(
    model: NetworkModel, solver: Solver, setting: Setting, below: list[Layer]
) -> Callable[[int, SparseVector], None]:
    """Return what tells progress after each epoch of a layer, and shows the network so far."""
    total = solver.epochs * setting.layers

    def report(epoch: int, coef: SparseVector) -> None:
        done = len(below) * solver.epochs + epoch
        setting.progress(done / total, f"epoch {done}/{total}")
        if setting.observe is not None:
            layers = [*below, _hidden_layer(model, coef, setting)]
            setting.observe(_join(model, layers, coef, keep_gates=not solver.sequential))

    return report


def _targets(problem: Problem, model: NetworkModel) -> Tensor:
    """Return y as the model has it: (n,) for one output, else a column per output or class."""
    y = problem.y
    if problem.loss == "softmax":
        y = np.eye(problem.n_classes, dtype=np.float32)[y]
    targets = torch.from_numpy(y).to(model.rows.device, model.rows.dtype)
    return targets[:, 0] if isinstance(model, GatedReLU) else targets


def _hidden_layer(model: NetworkModel, coef: SparseVector, setting: Setting) -> Layer:
    coef = model.split(coef)[0] if isinstance(model, FactoredReLU) else coef
    indices, values = coef.indices.cpu().numpy(), coef.values.cpu().numpy()
    return Layer.from_flat(
        indices, values, model.rows.d, setting.hidden, constant_input=setting.bias
    )


def _join(
    model: NetworkModel, layers: list[Layer], coef: SparseVector, *, keep_gates: bool
) -> Network:
    """Join the hidden layers and, with several outputs, the last solve's output weights."""
    gates = model.patterns.gates if keep_gates else None
    assert gates is None or isinstance(gates, RandomGates)
    if isinstance(model, GatedReLU):
        return Network(tuple(layers), fused=True, gates=gates)
    u = model.split(coef)[1]
    unit, output = np.divmod(u.indices.cpu().numpy(), model.n_outputs)
    shape = (model.hidden, model.n_outputs)
    weight = sparse.csc_array((u.values.cpu().numpy(), (unit, output)), shape=shape)
    return Network((*layers, Layer(weight)), gates=gates)
