"""A table of a model's layers: how many numbers they hold, and how many are not zero."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sparsefit.nn.targets import LAYERS, masked_weights

INDEX_BYTES = 4


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes
    ----------
    name, kind : str
        As in ``named_modules``, and the class.
    shape : tuple of int
        Of the weight.
    n_params, nonzeros : int
        Numbers in weight and bias, and how many of them are not zero now.
    dead_units : int
        Outputs without a nonzero weight.
    bytes : int
        Size of the nonzeros, each with a 32-bit position.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    n_params: int
    nonzeros: int
    dead_units: int
    bytes: int

    @property
    def density(self) -> float:
        """Share of the numbers that are not zero."""
        return self.nonzeros / self.n_params


@dataclass(frozen=True)
class Summary:
    """All layers of a model; printing it gives a table.

    Attributes
    ----------
    layers : tuple of LayerSummary
    other_params : int
        Parameters of the model outside of these layers, which are dense.
    """

    layers: tuple[LayerSummary, ...]
    other_params: int

    @property
    def nonzeros(self) -> int:
        """Nonzero numbers in the whole model."""
        return sum(layer.nonzeros for layer in self.layers) + self.other_params

    @property
    def n_params(self) -> int:
        """Numbers in the whole model."""
        return sum(layer.n_params for layer in self.layers) + self.other_params

    def __str__(self) -> str:
        """Return the table."""
        head = (
            "layer",
            "kind",
            "shape",
            "parameters",
            "nonzeros",
            "density",
            "dead units",
            "bytes",
        )
        rows = [
            (
                layer.name or "(model)", layer.kind, "x".join(map(str, layer.shape)),
                str(layer.n_params), str(layer.nonzeros), f"{layer.density:.4f}",
                str(layer.dead_units), str(layer.bytes),
            )
            for layer in self.layers
        ]  # fmt: skip
        if self.other_params:
            rows.append(
                ("(other)", "", "", str(self.other_params), str(self.other_params)) + ("",) * 3
            )
        density = f"{self.nonzeros / self.n_params:.4f}" if self.n_params else ""
        rows.append(("total", "", "", str(self.n_params), str(self.nonzeros), density, "", ""))
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        return "\n".join(
            "  ".join(
                text.ljust(width) if i < 3 else text.rjust(width)
                for i, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in [head, *rows]
        )


def summary(model: nn.Module) -> Summary:
    """Count parameters, nonzeros and dead units by layer.

    Parameters
    ----------
    model : Module
        With masks or plain; linear layers and convolutions get a line each. A soft mask counts as
        evaluation sees it, hard.

    Examples
    --------
    >>> from sparsefit.nn import prune
    >>> print(summary(prune(nn.Linear(10, 4, bias=False), nnz=4)))
    layer    kind    shape  parameters  nonzeros  density  dead units  bytes
    (model)  Linear  4x10           40         4   0.1000  ...
    total                           40         4   0.1000
    """
    # Gates of a soft mask are not zero, and may be random: what counts is the mask behind them.
    soft = [target.masked for target in masked_weights(model) if target.masked.is_soft]
    for masked in soft:
        masked.is_soft = False
    layers = [
        _summarize(name, module)
        for name, module in model.named_modules()
        if isinstance(module, LAYERS)
    ]
    for masked in soft:
        masked.is_soft = True
    masks = sum(p.numel() for name, p in model.named_parameters() if _is_score(name))
    total = sum(p.numel() for p in model.parameters()) - masks
    return Summary(tuple(layers), total - sum(layer.n_params for layer in layers))


def _is_score(name: str) -> bool:
    return ".scores" in name and "parametrizations." in name


def _summarize(name: str, module: nn.Linear | nn.modules.conv._ConvNd) -> LayerSummary:
    weight, bias = module.weight.detach(), module.bias
    n_params, nonzeros = weight.numel(), int((weight != 0).sum())
    if bias is not None:
        n_params += bias.numel()
        nonzeros += int((bias != 0).sum())
    dead = int((weight.reshape(len(weight), -1) != 0).any(dim=1).logical_not().sum())
    kind = next(base.__name__ for base in LAYERS if isinstance(module, base))
    size = nonzeros * (weight.element_size() + INDEX_BYTES)
    return LayerSummary(name, kind, tuple(weight.shape), n_params, nonzeros, dead, size)
