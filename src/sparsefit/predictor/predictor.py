"""A fitted network with all that leads from the columns of a table to an answer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sparsefit.core.errors import DataError, SparsefitError
from sparsefit.core.files import mark
from sparsefit.core.network import Network
from sparsefit.predictor.columns import Column, strings

if TYPE_CHECKING:
    from sparsefit.predictor.formula import Formula

Link = Literal["identity", "log", "logistic", "softmax"]
_ROWS_PER_BLOCK = 8192
_KEY = "predictor"
# What counts as missing, beside an empty cell.
MISSING = (
    "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "null", "NULL", "None", "?", "-",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Predictor:
    """A network, the columns that it reads, and what its outputs mean.

    Attributes
    ----------
    network : Network
        From the inputs that the columns become to the outputs.
    columns : tuple of Column
        In the order of a row.
    targets : tuple of str
        For regression the name of each output; for classes the name of the one target.
    classes : tuple of str
        Labels by output; empty for regression. With two classes and one output, the output is
        the log odds of the second.
    intercepts : tuple of float
        Added to the outputs of the network; empty for none.
    exponential : bool
        Whether the values are the exponentials of the outputs of the network, as of counts.
    missing : tuple of str
        Texts of a file that stand for no value, beside an empty one.
    source : str
        Name of what it was fitted to.
    resolution : tuple of float
        Of each output, a change that the data cannot tell from none: about the standard error of
        one constant. Formulas are rounded by it; empty where it is not known.
    ranges : tuple of (float, float)
        The least and the largest value, on the fitted rows, of each input of the network that has
        a weight, in the order of ``network.live_inputs``; empty where they are not known.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> network = Network((Layer(np.array([[2.0], [0.0]])),), fused=True)
    >>> columns = (Column(name="age", mean=40.0, scale=10.0), Column(name="height"))
    >>> model = Predictor(network=network, columns=columns, targets=("y",), intercepts=(5.0,))
    >>> model.outputs(np.array([[50.0, 1.8], [40.0, 1.7]])).tolist()
    [[7.0], [5.0]]
    """

    network: Network
    columns: tuple[Column, ...]
    targets: tuple[str, ...]
    classes: tuple[str, ...] = ()
    intercepts: tuple[float, ...] = ()
    exponential: bool = False
    missing: tuple[str, ...] = MISSING
    source: str = ""
    resolution: tuple[float, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()

    def __repr__(self) -> str:
        """Return the formula, or its start."""
        try:
            return repr(self.formula())
        except SparsefitError:
            return f"Predictor of {', '.join(self.targets)} by {self.network.nnz} nonzero weights"

    def _repr_html_(self) -> str:
        from sparsefit.predictor.html import snippet

        return snippet(self)

    def formula(self, *, rounded: bool = True) -> Formula:
        """Return the model as people would write it down.

        Columns are as a table has them, not standardised. Each hidden unit is scaled so that the
        column that matters most to it has the factor 1 or -1.

        Parameters
        ----------
        rounded : bool, optional
            Whether numbers have only as many digits as the data support; else the formula gives
            what the model does.

        Raises
        ------
        SparsefitError
            If the network has random gates.

        Examples
        --------
        >>> from sparsefit.core.layer import Layer
        >>> network = Network((Layer(np.array([[2.0]]), np.array([-1.0])),), fused=True)
        >>> columns = (Column(name="age", mean=40.0, scale=10.0),)
        >>> Predictor(network=network, columns=columns, targets=("risk",)).formula()
        risk = 0.2 relu(age - 45)
        """
        from sparsefit.predictor.writing import formula_of

        return formula_of(self, rounded=rounded)

    @property
    def link(self) -> Link:
        """What turns outputs into an answer."""
        if not self.classes:
            return "log" if self.exponential else "identity"
        return "softmax" if self.network.n_outputs > 1 else "logistic"

    @cached_property
    def starts(self) -> list[int]:
        """The first input that each column becomes, and last the number of inputs."""
        return [0, *itertools.accumulate(column.n_inputs for column in self.columns)]

    @cached_property
    def input_names(self) -> list[str]:
        """Names of the inputs of the network."""
        return [name for column in self.columns for name in column.input_names]

    @cached_property
    def live_columns(self) -> list[int]:
        """The columns that become an input with a weight."""
        places = np.searchsorted(self.starts, self.network.live_inputs, side="right") - 1
        return sorted(set(places.tolist()))

    @cached_property
    def inputs_by_source(self) -> dict[str, list[int]]:
        """The inputs that each column of a file becomes, the parts of a date together."""
        found: dict[str, list[int]] = {}
        for at, column in enumerate(self.columns):
            span = range(self.starts[at], self.starts[at + 1])
            found.setdefault(column.read_from, []).extend(span)
        return found

    @cached_property
    def live_sources(self) -> list[str]:
        """The columns of a file that are read for an input with a weight."""
        return list(dict.fromkeys(self.columns[at].read_from for at in self.live_columns))

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Return the inputs of the network, (n, n_inputs); those without a weight are left zero.

        Parameters
        ----------
        rows : ndarray of shape (n, n_columns)
            See `Column.encode`.
        """
        X = np.zeros((len(rows), self.starts[-1]), dtype=rows.dtype)
        for at in self.live_columns:
            X[:, self.starts[at] : self.starts[at + 1]] = self.columns[at].encode(rows[:, at])
        return X

    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """Return values, or scores of the classes, (n, n_outputs).

        Parameters
        ----------
        rows : ndarray of shape (n, n_columns)
            See `Column.encode`.
        """
        blocks = (rows[i : i + _ROWS_PER_BLOCK] for i in range(0, len(rows), _ROWS_PER_BLOCK))
        parts = [self.network.predict(self.encode(block.astype(np.float64))) for block in blocks]
        z = np.concatenate(parts) if parts else np.zeros((0, self.network.n_outputs))
        z = z + np.array(self.intercepts) if self.intercepts else z
        return np.exp(z) if self.exponential else z

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return the probability of each class, (n, n_classes), from what `outputs` returns."""
        from scipy.special import expit, softmax

        if self.link == "softmax":
            return np.asarray(softmax(outputs, axis=1))
        second = expit(outputs)
        return np.hstack([1 - second, second])

    def class_numbers(self, outputs: np.ndarray) -> np.ndarray:
        """Return the number of the most probable class, (n,), from what `outputs` returns."""
        if self.link == "softmax":
            return np.asarray(outputs.argmax(axis=1))
        return (outputs[:, 0] > 0).astype(np.int64)

    def save(self, path: Path) -> None:
        """Write the model as safetensors: the nonzeros, and a JSON header with all else.

        `Network.load` reads the network of such a file.
        """
        header: dict[str, Any] = {
            "columns": [column.stored for column in self.columns],
            "targets": self.targets,
            "classes": self.classes,
            "intercepts": self.intercepts,
            "source": self.source,
        }
        if self.exponential:
            header["exponential"] = True
        if self.resolution:
            header["resolution"] = self.resolution
        if self.ranges:
            header["ranges"] = self.ranges
        if self.missing != MISSING:
            header["missing"] = self.missing
        self.network.save(path, {_KEY: header, "made": mark(self.source)})

    @classmethod
    def load(cls, path: Path) -> Predictor:
        """Read a model that `save` wrote.

        Raises
        ------
        DataError
            If the file is not one, is damaged, or does not fit together.
        """
        network, whole = Network.load_with_header(path)
        header = whole.get(_KEY)
        if header is None:
            raise DataError(f"{path} is a network without columns, not a model of 'sparsefit fit'")
        try:
            columns = tuple(map(Column.of_stored, header["columns"]))
            model = cls(
                network=network, columns=columns, targets=strings(header["targets"]),
                classes=strings(header["classes"]), missing=strings(header.get("missing", MISSING)),
                intercepts=tuple(float(value) for value in header["intercepts"]),
                source=str(header.get("source", "")),
                exponential=bool(header.get("exponential", False)),
                resolution=tuple(float(value) for value in header.get("resolution", ())),
                ranges=tuple((float(a), float(b)) for a, b in header.get("ranges", ())),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} cannot be read as a model: {error}") from error
        if problem := model._misfit():
            raise DataError(f"{path} cannot be read as a model: {problem}")
        return model

    def _misfit(self) -> str:
        """Return what does not fit together, or nothing."""
        k = self.network.n_outputs
        if self.starts[-1] != self.network.n_inputs:
            return (
                f"its columns are {self.starts[-1]} inputs, its network has {self.network.n_inputs}"
            )
        if self.classes and k != len(self.classes) and (k, len(self.classes)) != (1, 2):
            return f"it has {len(self.classes)} classes and {k} outputs"
        if len(self.targets) != (1 if self.classes else k):
            return f"it has {len(self.targets)} targets and {k} outputs"
        if self.intercepts and len(self.intercepts) != k:
            return f"it has {len(self.intercepts)} intercepts and {k} outputs"
        if self.resolution and len(self.resolution) != k:
            return f"it has {len(self.resolution)} resolutions and {k} outputs"
        if self.ranges and len(self.ranges) != len(self.network.live_inputs):
            return f"it has {len(self.ranges)} ranges for {len(self.network.live_inputs)} inputs"
        values = [value for c in self.columns for value in (c.mean, c.scale)]
        if not np.isfinite(
            [*values, *self.intercepts, *self.resolution, *sum(self.ranges, ())]
        ).all():
            return "a number is not finite"
        return "" if all(column.scale > 0 for column in self.columns) else "a scale is not positive"
