"""Planted problems: the paper's draw bit for bit, and what the options change."""

import numpy as np
import pytest

from sparsefit.core.errors import OptionError
from sparsefit.core.setting import Setting
from sparsefit.tasks import find_task
from sparsefit.tasks._base import SkipCell
from sparsefit.tasks.planted import Planted
from tests.reference.planted_draw import planted_draw


def load(hidden=5, nnz=12, seed=0, layers=1, **options):
    task = Planted(**{"n_samples": 50, "n_features": 7, "n_test": 20, **options})
    return task.load(Setting(hidden=hidden, seed=seed, layers=layers), nnz)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("hidden", "nnz", "layers", "k"),
    [(5, 12, 1, 1), (20, 50, 1, 1), (6, 31, 2, 1), (6, 40, 1, 3), (4, 41, 2, 3), (3, 500, 1, 1)],
)
def test_the_draw_is_that_of_the_paper(hidden, nnz, layers, k, seed):
    weights, X, labels = planted_draw(hidden=hidden, nnz=nnz, seed=seed, layers=layers, k=k)
    problem = load(hidden, nnz, seed, layers, n_outputs=k)
    assert problem.info == {"draw": "paper"}
    assert problem.X.dtype == problem.y.dtype == np.float32
    assert np.array_equal(problem.X, X)
    assert np.array_equal(problem.y, labels)
    assert problem.peak == np.abs(labels).max()
    assert problem.truth.fused == (k == 1)
    for layer, weight in zip(problem.truth.layers, weights, strict=True):
        assert np.array_equal(layer.weight.toarray(), weight)


def test_the_command_lines_name_is_known():
    assert find_task("mlp_planted") is Planted


@pytest.mark.parametrize("draw", ["paper", "sparse"])
def test_same_seed_same_bytes(draw):
    first, again = (load(seed=3, draw=draw, noise_db=20.0) for _ in range(2))
    for name in ("X", "y", "X_test", "y_test"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert not np.array_equal(first.y, load(seed=4, draw=draw, noise_db=20.0).y)


@pytest.mark.parametrize("nnz", [12, 34, 35])
def test_the_sparse_draw_has_distinct_places(nnz):
    problem = load(hidden=5, nnz=nnz, draw="sparse")
    assert problem.info == {"draw": "sparse"}
    assert problem.truth.nnz == nnz
    assert np.array_equal(problem.X, load(nnz=nnz).X)
    assert np.allclose(problem.y, problem.truth.predict(problem.X))


def test_every_place_is_as_likely():
    draws = [
        load(hidden=2, nnz=3, seed=seed, draw="sparse", n_features=3).truth.layers[0].weight
        for seed in range(300)
    ]
    counts = sum((weight != 0).toarray().astype(int) for weight in draws)
    assert counts.sum() == 900
    assert (abs(counts - 150) < 45).all()


def test_wide_layers_are_drawn_sparsely():
    problem = load(hidden=2_000_000, nnz=100)
    assert problem.info == {"draw": "sparse"}
    assert problem.truth.nnz == 100
    assert load(hidden=1_000_000, nnz=5, n_features=10).info == {"draw": "paper"}


def test_fresh_rows_are_noiseless_and_new():
    problem, clean = load(noise_db=10.0), load()
    assert problem.X_test.shape == (20, 7)
    assert np.allclose(problem.truth.predict(problem.X_test), problem.y_test)
    assert np.array_equal(problem.y_test, clean.y_test)
    assert not np.isin(problem.X_test, problem.X).any()
    assert load(n_test=0).X_test is None


@pytest.mark.parametrize("k", [1, 4])
def test_noise_has_the_level_asked_for(k):
    noisy, clean = (
        load(n_samples=20_000, n_outputs=k, noise_db=level, nnz=20) for level in (17.0, None)
    )
    error = np.mean((noisy.y.astype(float) - clean.y) ** 2)
    assert 20 * np.log10(np.abs(clean.y).max()) - 10 * np.log10(error) == pytest.approx(17, abs=0.1)
    assert np.array_equal(noisy.X, clean.X)


@pytest.mark.parametrize("inputs", ["gaussian", "uniform", "correlated"])
def test_inputs_have_their_distribution(inputs):
    X = load(inputs=inputs, n_samples=40_000, correlation=0.7).X.astype(float)
    distance = np.abs(np.subtract.outer(range(7), range(7)))
    expected = 0.7**distance if inputs == "correlated" else np.eye(7)
    assert np.abs(X.T @ X / len(X) - expected).max() < 0.03
    assert np.abs(X.mean(axis=0)).max() < 0.03
    assert (np.abs(X).max() <= np.sqrt(3) + 1e-6) == (inputs == "uniform")


@pytest.mark.parametrize("k", [1, 3])
def test_biases_are_of_the_budget_and_of_units_that_have_weights(k):
    problem = load(hidden=10, nnz=30, n_outputs=k, biases=4)
    first = problem.truth.layers[0]
    assert (problem.truth.nnz, np.count_nonzero(first.bias)) == (30, 4)
    assert set(np.flatnonzero(first.bias)) <= set(first.weight.tocoo().col)
    assert np.allclose(problem.truth.predict(problem.X), problem.y, atol=1e-5)
    for biases in (30, 15):
        with pytest.raises(SkipCell, match=f"biases={biases} "):
            load(hidden=10, nnz=30, n_outputs=k, biases=biases)


def test_a_dead_network_is_skipped():
    with pytest.raises(SkipCell, match="all labels are zero: the network planted with nnz=1"):
        load(nnz=1, layers=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": "cubic"}, "inputs must be one of gaussian, uniform, correlated, got 'cubic'"),
        ({"n_samples": 0}, "n_samples must be an integer >= 1, got 0"),
        ({"n_test": -1}, "n_test must be an integer >= 0, got -1"),
        ({"correlation": 1.0}, "correlation must be a number between 0 and 0.999, got 1.0"),
        ({"draw": "dense"}, "draw must be one of auto, paper, sparse, got 'dense'"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(OptionError) as caught:
        Planted(**options)
    assert str(caught.value) == message
