"""Small models of every kind, with the rows and the answers that exported ones must agree on."""

import numpy as np

from sparsefit.core.activations import activation_named
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.predictor import Column, Predictor

HOSTILE = (
    'a"b',
    "*/ int x; /*",
    "??/??'",
    "new\nline",
    "back\\slash\\",
    "größe",
    '"""',
    "#{}@ONE@ %s",
)
COLUMNS = (
    Column(name="age", mean=40.0, scale=10.0),
    Column(name="pet", levels=("cat", "dog", "fish")),
    Column(name="dead"),
    Column(name="h1", mean=-0.5, scale=0.25),
    Column(name="row", levels=("x", "y")),
    Column(name="max", mean=0.0, scale=3.0),
    *(Column(name=name, mean=1.0) for name in HOSTILE),
    Column(name="hostile levels", levels=HOSTILE),
)
N_INPUTS = sum(column.n_inputs for column in COLUMNS)
DEAD = 4


def draw(rng, *shape):
    return rng.normal(size=shape) * (rng.random(shape) < 0.4)


def hidden(rng, n_before, n_units):
    """Return a layer with units that get nothing, some of them with a bias."""
    weight = draw(rng, n_before, n_units)
    weight[:, :2] = 0
    return Layer(weight, np.append([-1.5, 2.0], draw(rng, n_units))[:n_units])


def first(rng, n_units, bias=True):
    layer = hidden(rng, N_INPUTS, n_units)
    weight = layer.weight.toarray()
    weight[DEAD] = 0
    return Layer(weight, layer.bias if bias else None)


def unread(layer):
    """Return the layer with what its first and last inputs had taken off."""
    weight = layer.weight.toarray()
    weight[[2, -1]] = 0
    return Layer(weight, layer.bias)


def networks(k):
    rng = np.random.default_rng(k)
    skip = draw(rng, N_INPUTS, k)
    skip[DEAD] = 0
    output = unread(hidden(rng, 6, k)) if k > 2 else Layer(draw(rng, 6, k), draw(rng, k))
    found = {
        "one hidden": Network((first(rng, 6), output)),
        "no biases": Network((first(rng, 6, bias=False), Layer(output.weight)), skip=Layer(skip)),
        "two hidden": Network((first(rng, 7), unread(hidden(rng, 7, 6)), output), skip=Layer(skip)),
        "linear": Network((Layer(skip, draw(rng, k)),)),
        "linear twice": Network((Layer(skip, draw(rng, k)),), skip=Layer(draw(rng, *skip.shape))),
        "constant": Network((Layer(np.zeros((N_INPUTS, 6)), np.ones(6)), output)),
        "constant and skip": Network(
            (first(rng, 6), Layer(np.zeros((6, 6)), np.ones(6)), output), skip=Layer(skip)
        ),
        "single precision": Network((
            Layer(first(rng, 6).weight.astype(np.float32)),
            Layer(output.weight.astype(np.float32), output.bias),
        )),
    }  # fmt: skip
    if k == 4:
        both = (first(rng, 7), unread(hidden(rng, 7, 6)), output)
        found |= {
            name: Network(both, skip=Layer(skip), activation=activation_named(name))
            for name in ("leaky-relu:0.3", "tanh", "sigmoid", "gelu", "sine")
        }
    if k == 1:
        found["fused"] = Network((first(rng, 6),), fused=True)
        found["fused and skip"] = Network(
            (first(rng, 5), hidden(rng, 5, 4)), fused=True, skip=Layer(skip, np.array([0.5]))
        )
    return found


MODELS = {
    f"{kind}, {name}": Predictor(
        network=network, columns=COLUMNS, classes=classes, intercepts=intercepts,
        exponential=kind == "a count",
        targets=("y",) if classes else tuple(f"y{at}" for at in range(k)),
    )
    for kind, k, classes, intercepts in (
        ("a value", 1, (), (3.0,)),
        ("four values", 4, (), ()),
        ("a count", 1, (), (-3.0,)),
        ("two classes", 1, ("no", HOSTILE[0]), (0.1,)),
        ("three classes", 3, ("no", HOSTILE[0], HOSTILE[1]), (0.1, 0.0, -0.2)),
    )
    for name, network in networks(k).items()
}  # fmt: skip


def rows_of(columns=COLUMNS, n=60):
    """Return rows with missing values and codes of no level."""
    rng = np.random.default_rng(9)
    rows = np.empty((n, len(columns)))
    for at, column in enumerate(columns):
        if column.levels:
            rows[:, at] = rng.integers(-1, len(column.levels), n)
        else:
            rows[:, at] = column.mean + column.scale * rng.normal(size=n)
            rows[rng.random(n) < 0.1, at] = np.nan
    # What formats in single precision are given.
    return rows.astype(np.float32).astype(np.float64)


ROWS = rows_of()


def answers(model, rows=ROWS):
    """Return values, or probabilities, and the names of the classes."""
    outputs = model.outputs(rows)
    if not model.classes:
        return outputs, []
    labels = [model.classes[number] for number in model.class_numbers(outputs)]
    return model.probabilities(outputs), labels


def assert_close(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def as_dicts(columns, rows):
    for row in rows:
        yield {
            column.name: None if value != value
            else (column.levels[int(value)] if value >= 0 else "?") if column.levels
            else float(value)
            for column, value in zip(columns, row, strict=True)
        }  # fmt: skip
