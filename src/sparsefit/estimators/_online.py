"""More rows for a network that was fitted: recursive Gauss-Newton on its support."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sparsefit.core.errors import SparsefitError
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.conversion import from_network, to_network
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective, Prior
from sparsefit.gauss_newton.sparse_net import SparseNet


@dataclass(frozen=True)
class OnlineProfile:
    """Limits of what is kept of the rows so far.

    Attributes
    ----------
    most_weights : int
        What rows say is kept as a matrix of so many rows and columns at most: 8 MB.
    most_rows : int
        Of many rows, so many say it for all. Not tuned.
    steps, gain : int, float
        Levenberg-Marquardt steps for new rows, and when they stop. Not tuned.
    """

    most_weights: int = 1000
    most_rows: int = 20_000
    steps: int = 20
    gain: float = 1e-6


ONLINE = OnlineProfile()


@dataclass(frozen=True)
class Online:
    """A network, and what the rows so far say about its weights.

    They say that twice the loss on them is near (w - w0)^T P (w - w0) and a constant, where w0 are
    the present weights and P = J^T H J of all rows, each at the weights of its time. New rows are
    fitted with this added; for a linear model the result is that of all rows at once.

    Attributes
    ----------
    net : SparseNet
    precision : Tensor of shape (p, p)
    """

    net: SparseNet
    precision: Tensor

    @classmethod
    def start(
        cls, network: Network, problem: Problem, setting: Setting, *, total: float,
        free_constant: bool,
    ) -> Online:  # fmt: skip
        """Return the state after a fit to the rows of a problem.

        Parameters
        ----------
        network : Network
        problem : Problem
        setting : Setting
        total : float
            Sum of the weights of the rows.
        free_constant : bool
            Outputs have biases that are not counted, and change with the weights.

        Raises
        ------
        SparsefitError
            If the network is too large.
        """
        net = from_network(network).net
        if free_constant:
            outputs = torch.arange(net.n_outputs)
            constant = torch.full_like(outputs, net.skip.n_sources - 1)
            zeros = net.values.new_zeros(len(outputs))
            linear = net.skip.add(constant, outputs, zeros)
            net = replace(net, skip=linear, skip_counts=True, fused=False)
        if net.nnz > ONLINE.most_weights:
            raise SparsefitError(
                f"partial_fit takes networks of at most {ONLINE.most_weights} weights, "
                f"and this one has {net.nnz}"
            )
        return cls(net, _information(net, problem, setting, total))

    def update(self, problem: Problem, setting: Setting, total: float) -> Online:
        """Return the state after more rows, whose weights sum to `total`."""
        objective = Objective.of(problem, setting)
        prior = Prior(self.net.values, self.precision * (objective.rows.n / total))
        net = levenberg_marquardt(
            self.net, replace(objective, prior=prior), steps=ONLINE.steps, gain=ONLINE.gain
        ).net
        return Online(net, self.precision + _information(net, problem, setting, total))

    def network(self, setting: Setting) -> Network:
        """Return the network as it is stored."""
        return to_network(self.net, setting)


def _information(net: SparseNet, problem: Problem, setting: Setting, total: float) -> Tensor:
    objective = Objective.of(problem, setting, most=ONLINE.most_rows)
    return objective.equations(net).gram * (total / objective.rows.n)
