"""Formulas say what models do, as people would write it."""

import numpy as np
import pytest

from sparsefit import Column, Layer, Network, Predictor, SparseMLPClassifier, SparseMLPRegressor
from sparsefit.core.errors import SparsefitError
from sparsefit.core.gates import RandomGates
from tests.exported import COLUMNS, MODELS, ROWS, as_dicts

# Weights of planted networks and the formulas that all of them are: hidden (d x m), output, skip.
PLANTED = {
    "y = 2 relu(x0 - x1) - 1.5 relu(x3) + x2": ([[1, 0], [-1, 0], [0, 0], [0, 1]],
                                                [2, -1.5], [0, 0, 1, 0], 0),
    "y = relu(x0)": ([[1], [0]], [1], [0, 0], 0),
    "y = 3 x1 + 2": ([[0], [0]], [0], [0, 3], 2),
    "y = -relu(x0 + x1)": ([[1], [1]], [-1], [0, 0], 0),
    "y = 0.5 relu(x1 - x0) + 4": ([[-1], [1]], [0.5], [0, 0], 4),
    "y = 10 relu(0.5 x0 + x1) - x0": ([[0.5], [1]], [10], [-1, 0], 0),
    "y = 2 relu(x0) + 2 relu(x1) - 1": ([[1, 0], [0, 1]], [2, 2], [0, 0], -1),
    "y = 1.25 relu(-x2) + x0 + 0.75 x1": ([[0], [0], [-1]], [1.25], [1, 0.75, 0], 0),
    "y = 4 relu(x0 - x1 - x2)": ([[1], [-1], [-1]], [4], [0, 0, 0], 0),
    "y = 2 relu(x0 - x1) + relu(x1 - x2)": ([[1, 0], [-1, 1], [0, -1]], [2, 1], [0, 0, 0], 0),
}  # fmt: skip


@pytest.mark.parametrize("formula", PLANTED)
def test_a_planted_table_gives_its_simplest_formula_back(formula):
    hidden, output, skip, constant = (np.array(part, dtype=float) for part in PLANTED[formula])
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, len(hidden)))
    y = np.maximum(X @ hidden, 0) @ output + X @ skip + constant
    model = SparseMLPRegressor((10,), nnz=20, random_state=0).fit(X, y)
    assert str(model.formula()) == formula.replace("y = ", "y0 = ")


def test_constants_have_the_digits_that_noisy_rows_support():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    y = 2 * np.maximum(X[:, 0] - X[:, 1], 0) + X[:, 2] + 0.5 * rng.normal(size=2000)
    model = SparseMLPRegressor((10,), nnz="auto", random_state=0).fit(X, y)
    short, whole = model.formula(), model.formula(rounded=False)
    assert len(str(short)) < len(str(whole)) / 1.5
    inputs = X[:, [int(name[1:]) for name, _ in short.inputs]]
    mse = [np.mean((f.evaluate(inputs)[:, 0] - y) ** 2) for f in (short, whole)]
    # Of five constants each adds less than the error of one, 1 / 2000 of the noise.
    assert mse[0] < mse[1] * (1 + 5 / 2000)
    assert model.predictor_.resolution == pytest.approx([0.5 / 2000**0.5], rel=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_unrounded_formulas_predict_as_the_model(name):
    model = MODELS[name]
    try:
        formula = model.formula(rounded=False)
    except SparsefitError:
        assert model.network.gates is not None
        return
    by_name = {column.name: (at, column) for at, column in enumerate(COLUMNS)}
    rows = ROWS[~np.isnan(ROWS).any(axis=1)]
    values = []
    for name, level in formula.inputs:
        at, column = by_name[name]
        values.append(rows[:, at] if level is None else rows[:, at] == column.levels.index(level))
    expected = model.outputs(rows)
    X = np.stack(values, axis=1)
    np.testing.assert_allclose(formula.evaluate(X), expected, rtol=1e-9, atol=1e-9)
    names = {}
    exec(formula.python(), names)
    read = [by_name[name][1] for name in dict.fromkeys(names_read(formula))]
    for row, answers in zip(as_dicts(COLUMNS, rows), expected, strict=True):
        found = names["predict"](*(row[column.name] for column in read))
        found = list(found.values()) if isinstance(found, dict) else [found]
        np.testing.assert_allclose(found, answers, rtol=1e-9, atol=1e-9)


def names_read(formula):
    """Return the columns that are read, in the order of the inputs."""
    read = {place for one in (*formula.hidden, *formula.outputs) for place, _ in one.terms}
    return [formula.inputs[at][0] for at in sorted(read) if at < len(formula.inputs)]


def model_of(*layers, columns=None, skip=None, **more):
    n = layers[0].n_inputs
    columns = columns or tuple(Column(name=f"x{at}") for at in range(n))
    return Predictor(network=Network(layers, skip=skip), columns=columns,
                     **{"targets": ("y",), **more})  # fmt: skip


def test_thresholds_are_in_units_of_the_column():
    column = Column(name="age", mean=40.0, scale=10.0)
    first = Layer(np.array([[3.0]]), np.array([-1.5]))
    model = model_of(first, Layer(np.array([[2.0]])), columns=(column,))
    assert str(model.formula()) == "y = 0.6 relu(age - 45)"


def test_units_that_are_positive_on_all_fitted_rows_are_linear():
    first = Layer(np.array([[1.0, -1.0, 1.0]]), np.array([5.0, -5.0, 0.0]))
    layers = first, Layer(np.array([[2.0], [1.0], [3.0]]))
    assert str(model_of(*layers).formula()).count("relu") == 3
    known = model_of(*layers, ranges=((-4.0, 4.0),))
    assert str(known.formula()) == "y = 3 relu(x0) + 2 x0 + 10"
    assert str(model_of(*layers, ranges=((0.0, 4.0),)).formula()) == "y = 5 x0 + 10"


def test_units_that_several_read_have_a_line_of_their_own():
    first = Layer(np.array([[2.0, 0.0], [0.0, 1.0]]))
    second = Layer(np.array([[1.0, 1.0], [0.0, 4.0]]))
    model = model_of(first, second, targets=("a", "b"))
    assert str(model.formula()).splitlines() == [
        "h1 = relu(x0)", "a = 2 h1", "b = 4 relu(x1) + 2 h1",
    ]  # fmt: skip


def test_deep_networks_have_a_line_for_each_unit():
    model = model_of(Layer(np.eye(2)), Layer(np.array([[1.0], [-2.0]])), Layer(np.array([[3.0]])))
    assert str(model.formula()).splitlines() == [
        "h1_1 = relu(x0)", "h1_2 = relu(x1)", "h2_1 = relu(0.5 h1_1 - h1_2)", "y = 6 h2_1",
    ]  # fmt: skip


def test_categories_odd_names_and_links():
    columns = (Column(name="pet", levels=("cat", "dog")), Column(name="house size", scale=2.0))
    layer = Layer(np.array([[0.0], [1.5], [-1.0]]))
    formula = model_of(layer, columns=columns).formula()
    assert str(formula) == "y = 1.5 [pet = dog] - 0.5 `house size`"
    assert formula.latex() == (
        r"y = 1.5\,[\mathrm{pet} = \mathrm{dog}] - 0.5\,\mathrm{house\ size}"
    )  # fmt: skip
    assert formula.python() == (
        "def predict(house_size, pet):\n    return 1.5 * (pet == 'dog') - 0.5 * house_size\n"
    )
    counts = model_of(layer, columns=columns, exponential=True)
    assert str(counts.formula()) == "y = exp(1.5 [pet = dog] - 0.5 `house size`)"
    two = model_of(layer, columns=columns, classes=("no", "yes"))
    assert str(two.formula()).startswith("log odds of yes = 1.5")


def test_a_constant_model_is_a_number():
    model = model_of(Layer(np.zeros((2, 1))), intercepts=(2.5,))
    assert str(model.formula()) == "y = 2.5"
    assert model.formula().python() == "def predict():\n    return 2.5\n"


def test_long_formulas_break_at_signs_and_are_shown_in_part():
    rng = np.random.default_rng(0)
    model = model_of(Layer(rng.normal(size=(200, 1))))
    lines = str(model.formula()).splitlines()
    assert max(map(len, lines)) <= 88
    assert all(line.startswith("    ") for line in lines[1:])
    assert repr(model).splitlines()[-1] == f"... and {len(lines) - 12} more lines"


def test_random_gates_have_no_formula_but_the_model_can_be_printed():
    network = Network((Layer(np.eye(2)),), fused=True, gates=RandomGates(seed=0, n_inputs=2))
    model = Predictor(network=network, columns=(Column(name="a"), Column(name="b")), targets=("y",))
    with pytest.raises(SparsefitError, match="random gates"):
        model.formula()
    assert repr(model) == "Predictor of y by 2 nonzero weights"


def test_what_formulas_need_is_in_the_file(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    labels = np.where(X[:, 0] + 0.5 * rng.normal(size=300) > 0, "yes", "no")
    model = SparseMLPClassifier((4,), nnz=5, random_state=0).fit(X, labels).predictor_
    model.save(tmp_path / "m.safetensors")
    loaded = Predictor.load(tmp_path / "m.safetensors")
    assert (loaded.resolution, loaded.ranges) == (model.resolution, model.ranges)
    assert str(loaded.formula()) == str(model.formula())
    low, high = model.ranges[0]
    at = model.network.live_inputs[0]
    column = model.columns[at]
    assert low == pytest.approx((X[:, at].min() - column.mean) / column.scale)
    assert high == pytest.approx((X[:, at].max() - column.mean) / column.scale)
