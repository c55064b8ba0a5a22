"""The page of a model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparsefit.core.errors import DataError, SparsefitError
from sparsefit.core.files import facts_path
from sparsefit.pages._facts import checked_facts, read_facts
from sparsefit.pages._formulas import Formula, formulas, output_names, unit_name
from sparsefit.pages._graph import column_rows, graph, layer_rows, multiply_adds
from sparsefit.pages._machine import machine
from sparsefit.pages._page import short, write_page
from sparsefit.predictor.lowering import n_numbers
from sparsefit.predictor.predictor import Predictor

_LINKS = {
    "identity": "the outputs are the values",
    "log": "the exponential function of an output is the value",
    "logistic": "the logistic function of the output is the probability of the second class",
    "softmax": "the class with the highest score is the answer",
}


def model_data(
    model: Predictor, facts: Mapping[str, Any] | None = None, *, title: str = "model"
) -> dict[str, Any]:
    """Return what the page of a model shows.

    Parameters
    ----------
    model : Predictor
    facts : mapping, optional
        May have ``image_shape``, ``scores``, ``path``, ``truth`` and ``prediction`` or
        ``confusion``, ``command`` and ``title``; what is there is shown.
    title : str, optional
        Unless the facts have one.

    Returns
    -------
    dict
        ``formula`` and ``machine``, which computes it, ``summary``, ``layers``, ``columns`` and
        ``unused`` columns, ``graph``, ``formulas`` of columns as they are ("given") and as the
        network gets them ("standardised"), ``pictures`` of the units where the inputs are an
        image, and ``facts``.

    Raises
    ------
    DataError
        If a fact does not have the form that it must have.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column
    >>> model = Predictor(
    ...     network=Network((Layer(np.array([[2.0], [0.0]])),), fused=True),
    ...     columns=(Column(name="age"), Column(name="height")), targets=("y",),
    ... )
    >>> data = model_data(model)
    >>> data["unused"], [formula["text"] for formula in data["formulas"]["given"]]
    (['height'], ['h0 = relu(2 * age)', 'y = h0'])
    """
    known = checked_facts(facts or {}, model)
    live = set(model.live_columns)
    given, standardised = (formulas(model, standardised=flag) for flag in (False, True))
    return {
        "kind": "model",
        "source": model.source,
        "title": known.pop("title", title),
        "summary": _summary(model),
        "link": _LINKS[model.link],
        "layers": layer_rows(model),
        "columns": column_rows(model),
        "unused": [column.name for at, column in enumerate(model.columns) if at not in live],
        "graph": graph(model),
        "target": ", ".join(model.targets),
        "nnz": model.network.nnz,
        "formula": _short_formula(model),
        "machine": machine(model),
        "formulas": {
            "given": [_plain(formula) for formula in given],
            "standardised": [_plain(f) for f in standardised] if given != standardised else None,
            "gated": model.network.gates is not None,
            "about": model.network.activation.text("about"),
        },
        "pictures": _pictures(model, known.get("image_shape")),
        "facts": known,
    }


def write_model_report(
    model: Predictor | str | Path,
    facts: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
) -> Path:
    """Write the page of a model.

    Parameters
    ----------
    model : Predictor, str or Path
        A model, or the file of one.
    facts : mapping, optional
        See `model_data`; default: what the file of `facts_path` has, if there is one.
    out : str or Path, optional
        The file; default: the name of the model's with ``.html``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If the file is not of a model, or a fact does not have the form that it must have.
    SparsefitError
        If the page cannot be written; nothing is left of it then.

    Examples
    --------
    >>> write_model_report("nowhere.safetensors")
    Traceback (most recent call last):
    sparsefit.core.errors.DataError: nowhere.safetensors cannot be read as a network: ...
    """
    if isinstance(model, Predictor):
        if out is None:
            raise DataError("out must be the name of a file where the model is not one, got None")
        return write_page(model_data(model, facts, title=Path(out).stem), Path(out))
    path = Path(model)
    loaded = Predictor.load(path)
    facts = read_facts(facts_path(path)) if facts is None else facts
    data = model_data(loaded, facts, title=path.stem)
    return write_page(data, path.with_suffix(".html") if out is None else Path(out))


def _short_formula(model: Predictor) -> str | None:
    """Return the formula, if it is short enough to be read first."""
    try:
        formula = model.formula()
    except SparsefitError:
        return None
    return str(formula) if formula.is_short else None


def _summary(model: Predictor) -> list[dict[str, Any]]:
    network = model.network
    live = len(model.live_columns)
    entries = {
        "numbers in it": n_numbers(model),
        "numbers of a dense network": network.n_params,
        "bytes on disk": _size(model),
        "multiply-adds per row": multiply_adds(model),
        "columns used": f"{live} of {len(model.columns)}",
        "hidden layers": len(network.hidden_layers),
        "classes" if model.classes else "targets": len(model.classes or model.targets),
        "precision": str(network.layers[0].weight.dtype),
    }
    return [{"name": name, "value": value} for name, value in entries.items()]


def _size(model: Predictor) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return path.stat().st_size


def _plain(formula: Formula) -> dict[str, Any]:
    return {
        "name": formula.name,
        "terms": [[name, short(value)] for name, value in formula.terms],
        "constant": short(formula.constant),
        "wrap": formula.wrap,
        "text": str(formula),
    }


def _pictures(model: Predictor, shape: list[int] | None) -> dict[str, Any] | None:
    """Return the weights of the inputs by pixel, channels added up.

    For each unit of the first layer and each output with a skip connection, those of most pixels
    first.
    """
    if shape is None:
        return None
    channels, network = shape[2] if len(shape) == 3 else 1, model.network
    sources = [(network.layers[0], bool(network.hidden_layers)), (network.skip, False)]
    units = []
    for layer, is_hidden in sources:
        if layer is None:
            continue
        for unit in np.flatnonzero(np.diff(layer.weight.indptr)).tolist():
            name = unit_name(model, 0, unit) if is_hidden else output_names(model)[unit]
            span = slice(layer.weight.indptr[unit], layer.weight.indptr[unit + 1])
            places, values = layer.weight.indices[span] // channels, layer.weight.data[span]
            sums = np.bincount(places, values)
            pixels = [[pixel, short(sums[pixel])] for pixel in np.unique(places).tolist()]
            units.append({"name": name, "pixels": pixels})
    units.sort(key=lambda unit: -len(unit["pixels"]))
    return {"height": shape[0], "width": shape[1], "units": units}
