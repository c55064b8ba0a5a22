"""The weights into one layer of a network, stored by their nonzeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights into one layer of units.

    Attributes
    ----------
    weight : scipy.sparse.csc_array
        Shape (n_inputs, n_units); column j holds the weights into unit j. No stored zeros.
    bias : ndarray or None
        Shape (n_units,); None where the layer has no biases.

    Examples
    --------
    >>> layer = Layer(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.5, 0.0]))
    >>> layer.n_inputs, layer.n_units, layer.nnz
    (2, 2, 3)
    """

    weight: sparse.csc_array
    bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Bring the weights to one canonical form: sorted, without stored zeros."""
        weight = sparse.csc_array(self.weight)
        weight.sum_duplicates()
        weight.eliminate_zeros()
        object.__setattr__(self, "weight", weight)
        if self.bias is not None:
            object.__setattr__(self, "bias", np.asarray(self.bias, dtype=weight.dtype))

    @classmethod
    def from_flat(
        cls, indices: np.ndarray, values: np.ndarray, n_inputs: int, n_units: int,
        *, constant_input: bool = False,
    ) -> Layer:  # fmt: skip
        """Build from positions in the unit-major vector (w_1, w_2, ...) of length m*d.

        With `constant_input` the last of the d inputs is the constant 1, whose weights are the
        biases.
        """
        units, inputs = np.divmod(np.asarray(indices, dtype=np.int64), n_inputs)
        weight = sparse.csc_array((np.asarray(values), (inputs, units)), shape=(n_inputs, n_units))
        if not constant_input:
            return cls(weight)
        bias = weight[[n_inputs - 1], :].toarray().ravel()
        return cls(weight[: n_inputs - 1, :], bias)

    @property
    def n_inputs(self) -> int:
        """Inputs of the layer."""
        return int(self.weight.shape[0])

    @property
    def n_units(self) -> int:
        """Units of the layer."""
        return int(self.weight.shape[1])

    @property
    def nnz(self) -> int:
        """Nonzero weights and biases."""
        biases = 0 if self.bias is None else int(np.count_nonzero(self.bias))
        return int(self.weight.nnz) + biases

    def times(self, scale: float) -> Layer:
        """Return the layer with its weights and biases times `scale`."""
        return Layer(self.weight * scale, None if self.bias is None else self.bias * scale)

    def double(self) -> Layer:
        """Return the layer in double precision."""
        weight = self.weight.astype(np.float64)
        return Layer(weight, None if self.bias is None else self.bias.astype(np.float64))

    def scaled(self, scale: float) -> Layer:
        """Return the layer with its weights, but not its biases, times `scale`."""
        return Layer(self.weight * scale, self.bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return x @ weight + bias, shape (n, n_units)."""
        z = np.asarray(x @ self.weight)
        return z if self.bias is None else z + self.bias
