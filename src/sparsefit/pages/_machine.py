"""The numbers of a model, from which its page computes what values give."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsefit.core.errors import SparsefitError
from sparsefit.predictor.lowering import Units, lower
from sparsefit.predictor.predictor import Predictor
from sparsefit.predictor.writing import output_names

# Of more numbers a page would be slow to load.
_MOST_NUMBERS = 20_000
# Where ranges are not known: so many scales to either side of the mean.
_SCALES = 3.0


def machine(model: Predictor) -> dict[str, Any] | None:
    """Return what a page needs to compute outputs; None for models that are too large for that.

    Returns
    -------
    dict or None
        ``columns`` that are read, with what they may be; ``inputs`` made of them, as [column, mean,
        scale, level]; ``layers``, each a list of units [bias, [place, weight], ...], of all values
        so far; the ``activation`` and its ``slope``; ``outputs``, their names; ``link``.
    """
    try:
        net = lower(model)
    except SparsefitError:
        return None
    if net.nnz > _MOST_NUMBERS:
        return None
    read = sorted({entry.column for entry in net.inputs})
    place = {column: at for at, column in enumerate(read)}
    ranges = _ranges(model)
    columns = []
    for at in read:
        column = net.columns[at]
        low, high = ranges.get(
            at, (column.mean - _SCALES * column.scale, column.mean + _SCALES * column.scale)
        )
        columns.append({
            "name": column.name, "levels": list(column.levels), "mean": column.mean,
            "unit": column.written.unit, "low": low, "high": high,
        })  # fmt: skip
    *hidden, output = net.wired
    names = output_names(model)
    return {
        "columns": columns,
        "inputs": [[place[e.column], e.mean, e.scale, e.level] for e in net.inputs],
        "layers": [_units(layer) for layer in hidden],
        "output": _units(output)[-len(names) :],
        "activation": net.activation.name, "slope": getattr(net.activation, "slope", 0.0),
        "outputs": names, "link": model.link, "classes": list(model.classes),
    }  # fmt: skip


def _units(layer: Units) -> list[list[Any]]:
    starts, places, values = (part.tolist() for part in (
        layer.weight.indptr, layer.weight.indices, layer.weight.data
    ))  # fmt: skip
    return [
        [bias, *([places[i], values[i]] for i in range(starts[unit], starts[unit + 1]))]
        for unit, bias in enumerate(layer.bias.tolist())
    ]


def _ranges(model: Predictor) -> dict[int, tuple[float, float]]:
    """Return, by column, the range of numbers on the fitted rows."""
    found = {}
    live = model.network.live_inputs.tolist()
    for place, (low, high) in zip(live, model.ranges, strict=False):
        at = int(np.searchsorted(model.starts, place, side="right")) - 1
        column = model.columns[at]
        if not column.levels:
            found[at] = (column.mean + column.scale * low, column.mean + column.scale * high)
    return found
