"""A model in a few lines of HTML, for notebooks: its formula, its network and its size."""

from __future__ import annotations

import html
from collections.abc import Mapping

from sparsefit.core.errors import SparsefitError
from sparsefit.predictor.formula import Formula
from sparsefit.predictor.predictor import Predictor

# Of so many nodes in a layer a picture is still read.
_MOST_NODES = 40
_WIDTH, _STEP, _MARGIN = 640, 22, 150
_COLORS = ("#0b62a8", "#b8500a")


def snippet(model: Predictor, facts: Mapping[str, str] | None = None) -> str:
    """Return a part of a page.

    Parameters
    ----------
    model : Predictor
    facts : mapping, optional
        What is to be said beside its size, by name.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column, Predictor
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> text = snippet(Predictor(network=network, columns=(Column(name="a"),), targets=("y",)))
    >>> "<pre>y = 2 a</pre>" in text
    True
    """
    try:
        formula = model.formula()
        body = f"<pre>{html.escape(repr(formula))}</pre>{_picture(formula)}"
    except SparsefitError as error:
        body = f"<p>{html.escape(str(error))}</p>"
    known = {"nonzeros": f"{model.network.nnz} of {model.network.n_params}", **(facts or {})}
    said = ", ".join(f"{html.escape(name)}: {html.escape(text)}" for name, text in known.items())
    return f'<div class="sparsefit"><p>{said}</p>{body}</div>'


def _picture(formula: Formula) -> str:
    """Return inputs, hidden units and outputs as SVG: blue adds, orange subtracts."""
    n_inputs = len(formula.inputs)
    names = [name if level is None else f"{name}={level}" for name, level in formula.inputs]
    layers = [list(range(n_inputs))]
    if formula.hidden:
        layers.append([n_inputs + at for at in range(len(formula.hidden))])
        names += [unit.name for unit in formula.hidden]
    layers.append([len(names) + at for at in range(len(formula.outputs))])
    names += [output.name for output in formula.outputs]
    most = max(map(len, layers))
    if most > _MOST_NODES:
        return ""
    height = _STEP * most + 10
    places = {
        node: (_MARGIN + at * (_WIDTH - 2 * _MARGIN) / (len(layers) - 1),
               (k + 0.5) * height / len(layer))
        for at, layer in enumerate(layers) for k, node in enumerate(layer)
    }  # fmt: skip
    sums = [*formula.hidden, *formula.outputs]
    edges = [
        (source, n_inputs + at, value) for at, one in enumerate(sums) for source, value in one.terms
    ]
    largest = max((abs(value) for _, _, value in edges), default=1.0)
    lines = [_line(*places[a], *places[b], value / largest) for a, b, value in edges]
    texts = [_node(*places[node], names[node], at == 0) for at, layer in enumerate(layers)
             for node in layer]  # fmt: skip
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" '
        f'aria-label="network" style="max-width: 100%; height: auto">{"".join(lines + texts)}</svg>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, share: float) -> str:
    middle = (x + to_x) / 2
    return (
        f'<path d="M{x:.0f},{y:.0f}C{middle:.0f},{y:.0f} {middle:.0f},{to_y:.0f} '
        f'{to_x:.0f},{to_y:.0f}" fill="none" stroke="{_COLORS[share < 0]}" '
        f'stroke-width="{0.6 + 3 * abs(share):.1f}" opacity="0.7"/>'
    )


def _node(x: float, y: float, name: str, is_input: bool) -> str:
    shown = html.escape(name if len(name) <= 22 else name[:21] + "…")
    side, anchor = (-8, "end") if is_input else (8, "start")
    return (
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="currentColor"/>'
        f'<text x="{x + side:.0f}" y="{y + 4:.0f}" text-anchor="{anchor}" font-size="12" '
        f'fill="currentColor">{shown}</text>'
    )
