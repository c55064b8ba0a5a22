"""What a notebook shows: formulas, networks, tables and pages; plots that go where one wants."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import sparsefit
from sparsefit import OptionError, SparseMLPClassifier, SparseMLPRegressor


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = 2 * np.maximum(X[:, 0] - X[:, 1], 0) - X[:, 3] + 0.1 * rng.normal(size=300)
    return SparseMLPRegressor((5,), nnz=8, random_state=0).fit(X, y)


def well_formed(text):
    """Return the elements of a piece of HTML, which is to be XML as well."""
    return list(ET.fromstring(text).iter())


def test_a_fitted_model_shows_formula_network_and_score(model):
    shown = model._repr_mimebundle_()
    assert shown["text/plain"] == repr(model)
    elements = well_formed(shown["text/html"])
    [formula] = [element.text for element in elements if element.tag == "pre"]
    assert formula == str(model.formula())
    assert sum(element.tag == "path" for element in elements) == sum(
        len(one.terms) for one in (*model.formula().hidden, *model.formula().outputs)
    )
    assert "loss on held-out rows: 0." in elements[1].text
    assert formula in model.predictor_._repr_html_().replace("&lt;", "<")


def test_a_model_that_is_not_fitted_shows_what_scikit_learn_does():
    assert "text/plain" in SparseMLPClassifier()._repr_mimebundle_()


def test_a_large_network_is_shown_in_part():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 100))
    model = SparseMLPRegressor((5,), nnz=90, folds=0, random_state=0).fit(X, X @ np.ones(100))
    elements = well_formed(model.predictor_._repr_html_())
    assert not [element for element in elements if element.tag == "svg"]


def test_tables_of_torch_models_are_tables():
    layer = sparsefit.prune(nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)), nnz=100)
    rows = well_formed(sparsefit.summary(layer)._repr_html_())
    assert sum(element.tag == "tr" for element in rows) == 4
    small = sparsefit.compress(layer, torch.zeros(4, 64))
    rows = well_formed(f"<div>{small.compression._repr_html_()}</div>")
    assert sum(element.tag == "tr" for element in rows) == 4


def test_a_report_is_a_page_that_a_notebook_shows(model, tmp_path):
    page = sparsefit.report(model, tmp_path / "m.html")
    assert page.path == tmp_path / "m.html"
    assert page._repr_html_().startswith("<iframe")
    assert "&lt;!doctype html&gt;" in page._repr_html_()
    model.predictor_.save(tmp_path / "m.safetensors")
    assert sparsefit.report(tmp_path / "m.safetensors").path == tmp_path / "m.html"
    with pytest.raises(OptionError, match="source must be a fitted estimator"):
        sparsefit.report(nn.Linear(2, 2))


def test_plots_go_into_axes_that_are_given(model):
    figure = Figure()
    first, second = figure.subplots(1, 2)
    assert model.plot_path(first) is first
    assert model.plot_importances(second) is second
    assert [label.get_text() for label in second.get_yticklabels()][-1] in ("x0", "x1", "x3")
    assert first.get_xlabel() == "nonzero weights"
