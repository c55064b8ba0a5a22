"""Rows of a planted sparse network, to be recovered from its outputs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sparsefit.core.options import Other, above, at_least, between, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.tasks._base import SkipCell, Task

if TYPE_CHECKING:
    from sparsefit.core.network import Network

# The paper's draw permutes all positions of a layer; beyond this many that costs too much memory.
PAPER_DRAW_LIMIT = 10_000_000
_NOISE_STREAM, _WEIGHT_STREAM, _BIAS_STREAM = 5, 6, 7


@dataclass(frozen=True, kw_only=True)
class Planted(Task):
    """A planted sparse network, recovered from its outputs on random inputs.

    The network has the width, depth, activation and budget of the cell. With one output its last
    hidden layer is summed up; with several, or an activation other than ReLU and leaky ReLU, an
    output layer is planted too, and each layer gets an equal share of the nonzeros.

    Examples
    --------
    >>> problem = Planted(n_samples=50, n_test=0).load(Setting(hidden=10, seed=0), 20)
    >>> problem.X.shape, problem.truth.nnz, problem.info["draw"]
    ((50, 100), 20, 'paper')
    """

    name: ClassVar[str] = "planted"
    aliases: ClassVar[tuple[str, ...]] = ("mlp-planted",)
    draws_truth: ClassVar[bool] = True
    limits: ClassVar[tuple[float, float]] = (-20.0, 50.0)
    quick: ClassVar[Mapping[str, Any]] = {"n_samples": 40, "n_test": 20, "n_features": 8}

    n_samples: int = option(10_000, "training rows", aliases=("nmeasurements",), check=at_least(1))
    n_features: int = option(100, "inputs d", aliases=("input-dim",), check=at_least(1))
    n_outputs: int = option(1, "outputs k", aliases=("output-dim",), check=at_least(1))
    inputs: Literal["gaussian", "uniform", "correlated"] = option(
        "gaussian", "distribution of the inputs, each of variance 1"
    )
    correlation: float = option(
        0.5, "correlation of neighbouring inputs, with --inputs correlated",
        check=between(0, 0.999), other=Other(0.9, beside={"inputs": "correlated"}),
    )  # fmt: skip
    noise_db: float | None = option(
        None, "PSNR in dB of the noisy training targets; default: no noise", check=above(0),
        other=20.0,
    )  # fmt: skip
    biases: int = option(
        0, "nonzeros of the budget that are biases of units of the first layer; only networks with "
        "--bias have some", check=at_least(0), other=1, later=True,
    )  # fmt: skip
    n_test: int = option(10_000, "fresh noiseless rows to score on; 0: none", check=at_least(0))
    draw: Literal["auto", "paper", "sparse"] = option(
        "auto", "draw of the weights: the paper's, or one in O(nnz) memory; "
        "auto: the paper's up to 1e7 weights in a layer",
        other="sparse",
    )  # fmt: skip

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Draw the network and its rows."""
        shapes = self._shapes(setting)
        paper = max(a * b for a, b in shapes) <= PAPER_DRAW_LIMIT
        draw = self.draw if self.draw != "auto" else ("paper" if paper else "sparse")
        if self.biases >= nnz:
            raise SkipCell(f"biases={self.biases} leave nothing of nnz={nnz} for weights")
        fused = len(shapes) == setting.layers
        truth = _draw_network(shapes, nnz - self.biases, setting.seed, draw, fused=fused)
        truth = replace(truth, activation=setting.nonlinearity)
        truth = _with_biases(truth, self.biases, setting.seed)
        X, y = self._rows(truth, self.n_samples, setting.seed + 2)
        peak = float(np.abs(y).max())
        if peak == 0:
            raise SkipCell(f"all labels are zero: the network planted with nnz={nnz} is dead")
        if self.noise_db is not None:
            scale = peak * 10 ** (-self.noise_db / 20)
            rng = np.random.default_rng([setting.seed, _NOISE_STREAM])
            y = (y + scale * rng.normal(size=y.shape)).astype(np.float32)
        X_test, y_test = self._rows(truth, self.n_test, setting.seed + 4)
        return Problem(
            X, y, peak=peak, truth=truth, info={"draw": draw},
            X_test=X_test if self.n_test else None, y_test=y_test if self.n_test else None,
        )  # fmt: skip

    def _shapes(self, setting: Setting) -> list[tuple[int, int]]:
        widths = [self.n_features] + [setting.hidden] * setting.layers
        # Output weights of one output go into those before it, where units have no scale.
        if self.n_outputs > 1 or not setting.nonlinearity.is_homogeneous:
            widths.append(self.n_outputs)
        return list(itertools.pairwise(widths))

    def _rows(self, truth: Network, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        X = self._draw_inputs(np.random.RandomState(seed), n).astype(np.float32)
        return X, truth.predict(X).astype(np.float32)

    def _draw_inputs(self, random: np.random.RandomState, n: int) -> np.ndarray:
        shape = (n, self.n_features)
        if self.inputs == "uniform":
            return random.uniform(-np.sqrt(3), np.sqrt(3), size=shape)
        X = random.normal(size=shape)
        if self.inputs == "correlated":
            # A stationary autoregression over the inputs: corr(X_i, X_j) = correlation^|i - j|.
            fresh = np.sqrt(1 - self.correlation**2)
            for i in range(1, self.n_features):
                X[:, i] = self.correlation * X[:, i - 1] + fresh * X[:, i]
        return X


def _draw_network(
    shapes: list[tuple[int, int]], nnz: int, seed: int, draw: str, *, fused: bool
) -> Network:
    """Draw the layers one after the other, each with an equal share of the nonzeros."""
    from sparsefit.core.layer import Layer
    from sparsefit.core.network import Network

    paper, sparse = np.random.RandomState(seed + 1), np.random.default_rng([seed, _WEIGHT_STREAM])
    random = paper if draw == "paper" else sparse
    layers = []
    for n_inputs, n_units in shapes:
        size, share = n_inputs * n_units, nnz // len(shapes)
        count = min(size, share)
        # RandomState permutes all positions; a Generator takes O(count) memory.
        positions = random.choice(size, size=count, replace=False)
        values = random.normal(size=count).astype(np.float32).astype(np.float64)
        # The paper lays positions row-major into (inputs, units).
        inputs, units = np.divmod(positions, n_units)
        layers.append(Layer.from_flat(units * n_inputs + inputs, values, n_inputs, n_units))
    return Network(tuple(layers), fused=fused)


def _with_biases(network: Network, count: int, seed: int) -> Network:
    """Return the network with biases, normal draws, of hidden units that have weights."""
    if not count:
        return network
    first, *rest = network.layers
    live = np.unique(first.weight.tocoo().col)
    if count > len(live):
        raise SkipCell(f"biases={count} are more than the {len(live)} units that have weights")
    rng = np.random.default_rng([seed, _BIAS_STREAM])
    bias = np.zeros(first.weight.shape[1])
    bias[rng.choice(live, count, replace=False)] = rng.normal(size=count)
    return replace(network, layers=(replace(first, bias=bias), *rest))
