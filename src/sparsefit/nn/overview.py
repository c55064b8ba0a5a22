"""A table of a model's weights: how many each layer holds, and how many are not zero."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sparsefit.core.text_table import html_table, text_table
from sparsefit.nn.driven import Driven
from sparsefit.nn.masked import Masked
from sparsefit.nn.stored import StoredLinear
from sparsefit.nn.targets import NORMS, TRANSPOSED, masked_weights

INDEX_BYTES = 4
HEAD = (
    "layer", "kind", "shape", "masked", "weights", "nonzero", "density", "biases", "nonzero",
    "dead units", "bytes",
)  # fmt: skip
N_TEXT_COLUMNS = 4


@dataclass(frozen=True)
class Count:
    """How many numbers there are, and how many of them are not zero.

    Attributes
    ----------
    size, nonzeros : int
    """

    size: int
    nonzeros: int

    @property
    def density(self) -> float:
        """Share of the numbers that are not zero; nan where there are none."""
        return self.nonzeros / self.size if self.size else float("nan")


@dataclass(frozen=True)
class LayerSummary:
    """One layer; of a layer with several weights, such as a recurrent one, one of them.

    Attributes
    ----------
    name, kind : str
        As in ``named_modules``, with the weight where there are several; and the class.
    shape : tuple of int
        Of the weight.
    weights, biases : Count
        The weights as the masks leave them, and the biases; no biases count as 0 of 0.
    masked : tuple of str
        Which of them have a mask, such as ``("weight", "bias")``; after `finalize`, none.
    dead_units : int
        Outputs without a nonzero weight.
    bytes : int
        Size of the nonzeros, each with a 32-bit position.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: Count
    biases: Count
    masked: tuple[str, ...]
    dead_units: int
    bytes: int

    @property
    def n_params(self) -> int:
        """Weights and biases."""
        return self.weights.size + self.biases.size

    @property
    def nonzeros(self) -> int:
        """Weights and biases that are not zero."""
        return self.weights.nonzeros + self.biases.nonzeros

    @property
    def density(self) -> float:
        """Share of weights and biases together that are not zero."""
        return self.nonzeros / self.n_params


@dataclass(frozen=True)
class Summary:
    """All layers of a model; printing it gives a table.

    Attributes
    ----------
    layers : tuple of LayerSummary
    other_weights, other_biases : Count
        Parameters of the model outside of these layers, such as those of norms, which have no mask.
        Those that are named ``bias`` count as biases.

    Examples
    --------
    >>> found = summary(nn.Linear(10, 4))
    >>> found.weights.size, found.biases.size
    (40, 4)
    """

    layers: tuple[LayerSummary, ...]
    other_weights: Count
    other_biases: Count

    @property
    def weights(self) -> Count:
        """Weights of the whole model."""
        return _sum([*(layer.weights for layer in self.layers), self.other_weights])

    @property
    def biases(self) -> Count:
        """Biases of the whole model."""
        return _sum([*(layer.biases for layer in self.layers), self.other_biases])

    @property
    def other_params(self) -> int:
        """Numbers outside of the layers."""
        return self.other_weights.size + self.other_biases.size

    @property
    def nonzeros(self) -> int:
        """Nonzero numbers in the whole model."""
        return self.weights.nonzeros + self.biases.nonzeros

    @property
    def n_params(self) -> int:
        """Numbers in the whole model."""
        return self.weights.size + self.biases.size

    def __str__(self) -> str:
        """Return the table."""
        return text_table(self._rows, n_text_columns=N_TEXT_COLUMNS)

    def _repr_html_(self) -> str:
        return html_table(self._rows, n_text_columns=N_TEXT_COLUMNS)

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [HEAD]
        for layer in self.layers:
            about = (layer.name or "(model)", layer.kind, "x".join(map(str, layer.shape)))
            masked = ", ".join(layer.masked) or "no"
            numbers = _cells(layer.weights, layer.biases)
            rows.append((*about, masked, *numbers, str(layer.dead_units), str(layer.bytes)))
        if self.other_params:
            rows.append(
                ("(other)", "", "", "no", *_cells(self.other_weights, self.other_biases), "", "")
            )
        rows.append(("total", "", "", "", *_cells(self.weights, self.biases), "", ""))
        return rows


@torch.no_grad()
def summary(model: nn.Module) -> Summary:
    """Count weights, biases, what of them is not zero, and dead units, by layer.

    Parameters
    ----------
    model : Module
        With masks or plain; every parameter of two or more dimensions, but those of norms, gets a
        line, whether it can be masked or not. A soft mask counts as evaluation sees it, hard.

    Returns
    -------
    Summary

    Examples
    --------
    >>> from sparsefit.nn import prune
    >>> print(summary(prune(nn.Linear(10, 4, bias=False), nnz=4)))
    layer    kind    shape  masked  weights  nonzero  density  biases  nonzero  dead units  bytes
    (model)  Linear  4x10   weight       40        4   0.1000       0        0  ...
    total                                40        4   0.1000       0        0
    """
    masked = {id(target.weight) for target in masked_weights(model)}
    lines, counted, made = [], set[int](), list[Tensor]()
    for name, module in model.named_modules():
        if isinstance(module, (Driven, *NORMS)):
            continue
        own: dict[str, Tensor] = {t: p for t, p in module._parameters.items() if p is not None}
        if isinstance(module, StoredLinear):
            own["weight"] = module.weight
            made.append(own["weight"])  # so that no other tensor gets its id
            masked.add(id(own["weight"]))
            counted.add(id(module.weight_store.values))
        weights = {tensor: p for tensor, p in own.items() if p.ndim > 1 and id(p) not in counted}
        for tensor, weight in weights.items():
            beside = {tensor: weight}
            bias = own.get(tensor.replace("weight", "bias"))
            if bias is not None and bias.ndim == 1:
                beside[tensor.replace("weight", "bias")] = bias
            full = f"{name}.{tensor}".lstrip(".") if len(weights) > 1 else name
            lines.append(_summarize(full, module, beside, masked))
            counted |= {id(parameter) for parameter in beside.values()}
    scores = {id(m.scores) for m in model.modules() if isinstance(m, Masked)}
    other = [(n, p) for n, p in model.named_parameters() if id(p) not in counted | scores]
    biases = [parameter for name, parameter in other if name.rpartition(".")[2] == "bias"]
    others = [parameter for name, parameter in other if name.rpartition(".")[2] != "bias"]
    return Summary(tuple(lines), _count(*others), _count(*biases))


def _summarize(
    name: str, module: nn.Module, beside: dict[str, Tensor], masked: set[int]
) -> LayerSummary:
    weight, *bias = beside.values()
    weights, biases = _count(weight), _count(*bias)
    kind = getattr(type(module), "plain_class", type(module))
    if isinstance(module, StoredLinear):
        kind = module.weight_store.plain_class
    return LayerSummary(
        name,
        kind=kind.__name__,
        shape=tuple(weight.shape),
        weights=weights,
        biases=biases,
        masked=tuple(tensor for tensor, p in beside.items() if id(p) in masked),
        dead_units=int((_by_output(module, weight) == 0).all(dim=1).sum()),
        bytes=(weights.nonzeros + biases.nonzeros) * (weight.element_size() + INDEX_BYTES),
    )


def _by_output(module: nn.Module, weight: Tensor) -> Tensor:
    """Return a weight as a matrix, a row for every output."""
    if isinstance(module, TRANSPOSED):
        weight = weight.transpose(0, 1)
    return weight.reshape(len(weight), -1)


def _count(*tensors: Tensor) -> Count:
    return _sum(Count(tensor.numel(), int((tensor != 0).sum())) for tensor in tensors)


def _sum(counts: Iterable[Count]) -> Count:
    pairs = [(count.size, count.nonzeros) for count in counts]
    return Count(sum(size for size, _ in pairs), sum(nonzeros for _, nonzeros in pairs))


def _cells(weights: Count, biases: Count) -> tuple[str, ...]:
    density = f"{weights.density:.4f}" if weights.size else ""
    return (
        str(weights.size), str(weights.nonzeros), density, str(biases.size), str(biases.nonzeros)
    )  # fmt: skip
