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
from sparsefit.gauss_newton.equations import as_rows
from sparsefit.gauss_newton.levenberg_marquardt import Prior, refit
from sparsefit.gauss_newton.sparse_net import SparseNet

# What rows say is kept as a matrix of so many rows and columns at most.
MOST_WEIGHTS = 1000
# Of many rows, so many say it for all.
MOST_ROWS = 20_000
_STEPS = 20


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
            If the network is too large, or a later hidden layer has biases.
        """
        net = from_network(network).net
        if free_constant:
            outputs = torch.arange(net.n_outputs)
            constant = torch.full_like(outputs, net.linear.n_sources - 1)
            zeros = net.values.new_zeros(len(outputs))
            linear = net.linear.add(constant, outputs, zeros)
            net = replace(net, linear=linear, linear_counts=True, fused=False)
        if net.n_weights > MOST_WEIGHTS:
            raise SparsefitError(
                f"partial_fit takes networks of at most {MOST_WEIGHTS} weights, "
                f"and this one has {net.n_weights}"
            )
        return cls(net, _information(net, problem, setting, total))

    def update(self, problem: Problem, setting: Setting, total: float) -> Online:
        """Return the state after more rows, whose weights sum to `total`."""
        rows, y, datafit = as_rows(problem, setting)
        prior = Prior(self.net.values, self.precision * (rows.n / total))
        net = refit(
            self.net, rows, y, steps=_STEPS, gain=1e-6, datafit=datafit, prior=prior
        ).net  # fmt: skip
        return Online(net, self.precision + _information(net, problem, setting, total))

    def network(self, setting: Setting) -> Network:
        """Return the network as it is stored."""
        return to_network(self.net, setting)


def _information(net: SparseNet, problem: Problem, setting: Setting, total: float) -> Tensor:
    rows, y, datafit = as_rows(problem, setting, most=MOST_ROWS)
    gram, _, _ = net.normal_equations(rows, y, datafit)
    return gram * (total / rows.n)
