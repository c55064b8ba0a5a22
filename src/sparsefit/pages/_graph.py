"""The nonzeros of a network as nodes and edges, and as counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsefit.pages._formulas import output_names, unit_name
from sparsefit.pages._page import short
from sparsefit.predictor.predictor import Predictor

# More lines are no picture; the strongest are drawn.
_MOST_EDGES = 1500
_ROUNDS = 4
Edge = tuple[int, int, int, int, float]


def graph(model: Predictor) -> dict[str, Any]:
    """Return the inputs in use, the hidden units with a number, the outputs, and their weights.

    Returns
    -------
    dict
        ``layers``: for each its ``name`` and the names of its ``nodes``, ordered so that few
        edges cross; ``edges`` as [layer, node, layer, node, weight], the strongest of each pair of
        layers; ``left_out``, how many others there are.
    """
    edges = _edges(model)
    used: list[set[int]] = [set() for _ in range(len(model.network.hidden_layers) + 2)]
    for start, i, stop, j, _ in edges:
        used[start].add(i)
        used[stop].add(j)
    for at, layer in enumerate(model.network.hidden_layers, start=1):
        if layer.bias is not None:
            used[at].update(np.flatnonzero(layer.bias).tolist())
    used[-1] = set(range(model.network.n_outputs))
    order = _ordered([sorted(nodes) for nodes in used], edges)
    place = [{node: k for k, node in enumerate(nodes)} for nodes in order]
    kept = sorted(edges, key=lambda edge: -abs(edge[4]))[:_MOST_EDGES]
    names = ["inputs in use", *_hidden_names(model), "outputs"]
    return {
        "layers": [
            {"name": name, "nodes": [_label(model, at, node) for node in nodes]}
            for at, (name, nodes) in enumerate(zip(names, order, strict=True))
        ],
        "edges": [[a, place[a][i], b, place[b][j], short(w)] for a, i, b, j, w in kept],
        "left_out": len(edges) - len(kept),
    }


def _hidden_names(model: Predictor) -> list[str]:
    n = len(model.network.hidden_layers)
    return ["hidden units"] if n == 1 else [f"hidden {number + 1}" for number in range(n)]


def _label(model: Predictor, at: int, node: int) -> str:
    if at == 0:
        return model.input_names[node]
    if at == len(model.network.hidden_layers) + 1:
        return output_names(model)[node]
    return unit_name(model, at - 1, node)


def _edges(model: Predictor) -> list[Edge]:
    network = model.network
    last = len(network.hidden_layers) + 1
    links = [(at, at + 1, layer) for at, layer in enumerate(network.layers)]
    if network.skip is not None:
        links.append((0, last, network.skip))
    edges = []
    for start, stop, layer in links:
        weight = layer.weight.tocoo()
        triples = zip(weight.row.tolist(), weight.col.tolist(), weight.data.tolist(), strict=True)
        edges += [(start, i, stop, j, float(value)) for i, j, value in triples]
    if network.fused:
        layer = network.hidden_layers[-1]
        occupied = np.diff(layer.weight.indptr) > 0
        if layer.bias is not None:
            occupied |= layer.bias != 0
        edges += [(last - 1, unit, last, 0, 1.0) for unit in np.flatnonzero(occupied).tolist()]
    return edges


def _ordered(layers: list[list[int]], edges: list[Edge]) -> list[list[int]]:
    """Order each layer by the mean place of the neighbours, forth and back a few times."""
    neighbours: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for start, i, stop, j, _ in edges:
        neighbours.setdefault((start, i), []).append((stop, j))
        neighbours.setdefault((stop, j), []).append((start, i))
    place = {(at, node): (k + 0.5) / len(nodes)
             for at, nodes in enumerate(layers) for k, node in enumerate(nodes)}  # fmt: skip

    def near(at: int, node: int) -> list[tuple[int, int]]:
        return neighbours.get((at, node), [(at, node)])

    inner = list(range(len(layers) - 1))
    for _ in range(_ROUNDS):
        # Outputs keep their order: it is that of the targets or classes.
        for at in inner + inner[::-1]:
            means = [
                (float(np.mean([place[other] for other in near(at, node)])), node)
                for node in layers[at]
            ]
            layers[at] = [node for _, node in sorted(means)]
            place |= {(at, node): (k + 0.5) / len(layers[at]) for k, node in enumerate(layers[at])}
    return layers


def layer_rows(model: Predictor) -> list[dict[str, Any]]:
    """Return name, shape, weights and biases of each layer that is stored."""
    network = model.network
    return [
        {
            "name": name,
            "inputs": layer.n_inputs,
            "units": layer.n_units,
            "weights": int(layer.weight.nnz),
            "biases": layer.nnz - int(layer.weight.nnz),
            "share": short(
                layer.nnz / (layer.n_units * (layer.n_inputs + (layer.bias is not None)))
            ),
        }
        for name, layer in zip(network.layer_names, network.all_layers, strict=True)
    ]


def multiply_adds(model: Predictor) -> int:
    """Return how many multiplications the network takes for one row.

    Weights out of hidden units that get nothing are not counted: these units are left out.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column
    >>> first, second = Layer(np.array([[2.0, 0.0]])), Layer(np.array([[1.0], [3.0]]))
    >>> model = Predictor(
    ...     network=Network((first, second)), columns=(Column(name="age"),), targets=("y",)
    ... )
    >>> multiply_adds(model)
    2
    """
    network = model.network
    alive = np.ones(network.n_inputs, dtype=bool)
    count = 0 if network.skip is None else int(network.skip.weight.nnz)
    for number, layer in enumerate(network.layers):
        per_input = np.bincount(layer.weight.indices, minlength=layer.n_inputs)
        count += int(per_input[alive].sum())
        n_before = int(alive.sum()) + (layer.bias is not None)
        alive = np.diff(layer.weight.indptr) > 0
        if layer.bias is not None:
            alive |= layer.bias != 0
        if network.gates is not None and number == len(network.hidden_layers) - 1:
            count += int(alive.sum()) * n_before
    return count


def column_rows(model: Predictor) -> list[dict[str, Any]]:
    """Return the columns that are used: kind, inputs with a weight, and number of weights."""
    first, skip = model.network.layers[0], model.network.skip
    counts = np.zeros(model.starts[-1])
    for layer in (first, skip):
        if layer is not None:
            np.add.at(counts, layer.weight.indices, 1)
    rows = []
    for at in model.live_columns:
        column, span = model.columns[at], slice(model.starts[at], model.starts[at + 1])
        rows.append(
            {
                "name": column.name,
                "kind": f"category, {column.n_inputs} levels" if column.levels else "number",
                "mean": None if column.levels else short(column.mean),
                "scale": None if column.levels else short(column.scale),
                "inputs": int((counts[span] > 0).sum()),
                "weights": int(counts[span].sum()),
            }
        )
    return rows
