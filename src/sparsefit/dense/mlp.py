"""A plain network and its sparse form."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sparsefit.core.activations import RELU, Activation
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network


class MLP(nn.Module):
    """Linear layers with activations between them, in torch's default initialisation.

    Parameters
    ----------
    widths : sequence of int
        Inputs, units of each hidden layer, outputs.
    bias : bool
        Biases in every layer.
    seed : int
        Seed of the initial weights; torch's global generator is left as it was.
    skip : bool, optional
        Add a skip connection, linear from the inputs to the outputs. The other layers start as
        without it.
    activation : Activation, optional
        Default ReLU.

    Examples
    --------
    >>> net = MLP([4, 3, 2], bias=True, seed=0)
    >>> net.n_params, net.to_network().nnz
    (23, 23)
    >>> MLP([4, 3, 2], bias=True, seed=0, skip=True).n_params
    31
    """

    def __init__(
        self, widths: Sequence[int], *, bias: bool, seed: int, skip: bool = False,
        activation: Activation = RELU,
    ):  # fmt: skip
        super().__init__()
        self.activation = activation
        modules: list[nn.Module] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for n_in, n_out in itertools.pairwise(widths):
                modules += [nn.Linear(n_in, n_out, bias=bias), activation.module()]
            self.layers = nn.Sequential(*modules[:-1])
            # Without a bias: the last layer has that of the outputs.
            self.skip = nn.Linear(widths[0], widths[-1], bias=False) if skip else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, shape (n, n_outputs)."""
        z = self.layers(x)
        outputs: Tensor = z if self.skip is None else z + self.skip(x)
        return outputs

    @property
    def n_params(self) -> int:
        """Number of weights and biases."""
        return sum(parameter.numel() for parameter in self.parameters())

    @torch.no_grad()
    def load(self, network: Network) -> None:
        """Set all weights to those of a network of the same shape."""
        linear = [module for module in self.layers if isinstance(module, nn.Linear)]
        for module, layer in zip(linear, network.layers, strict=True):
            _load(module, layer)
        if self.skip is not None:
            assert network.skip is not None
            _load(self.skip, network.skip)

    def to_network(self) -> Network:
        """Return the nonzeros as a `Network`."""
        linear = [module for module in self.layers if isinstance(module, nn.Linear)]
        skip = None if self.skip is None else _layer(self.skip)
        layers = tuple(_layer(module) for module in linear)
        return Network(layers, skip=skip, activation=self.activation)


def _load(module: nn.Linear, layer: Layer) -> None:
    module.weight.copy_(torch.from_numpy(layer.weight.toarray().T))
    if module.bias is not None:
        bias = np.zeros(layer.n_units) if layer.bias is None else layer.bias
        module.bias.copy_(torch.from_numpy(bias))


def _layer(module: nn.Linear) -> Layer:
    bias = None if module.bias is None else _array(module.bias)
    return Layer(sparse.csc_array(_array(module.weight).T), bias)


def _array(parameter: Tensor) -> np.ndarray:
    return parameter.detach().cpu().numpy().copy()
