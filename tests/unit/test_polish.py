"""What a polish promises: the same budget, a lower loss, and no other kind of weight."""

from dataclasses import replace

import numpy as np
import pytest

from sparsefit.core.errors import SparsefitError
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.dense import mean_loss
from sparsefit.gauss_newton import polish
from sparsefit.methods import auto
from sparsefit.methods.auto import Auto
from sparsefit.methods.fisher_gmp import FisherPruning

SETTING = Setting(hidden=12, dtype="float32")
QUICK = FisherPruning(epochs=40, batch_size=128)


def classes(loss="softmax", n=600):
    """Return rows of 20 inputs, of which some make the class."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20)).astype(np.float32)
    hidden = np.maximum(X @ (rng.normal(size=(20, 6)) * (rng.random((20, 6)) < 0.3)), 0)
    labels = (hidden @ rng.normal(size=(6, 4))).argmax(axis=1)
    if loss == "softmax":
        return Problem(X, labels, loss=loss, metric="accuracy", n_classes=4)
    return Problem(X, (labels > 1).astype(float)[:, None], loss=loss, metric="accuracy")


@pytest.mark.parametrize("loss", ["softmax", "logistic"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("skip", [False, True])
def test_a_polished_network_has_the_same_budget_and_a_lower_loss(loss, bias, skip):
    problem, setting = classes(loss), replace(SETTING, bias=bias, skip=skip)
    plain, polished = QUICK.fits(problem, 24, setting)
    losses = [mean_loss(fit.network, problem) for fit in (plain, polished)]
    assert losses[1] < 0.95 * losses[0]
    assert plain.network.nnz == 24
    assert 20 <= polished.network.nnz <= 24
    assert (polished.network.skip is None) is not skip
    assert any(layer.bias is not None for layer in polished.network.layers) is bias


def test_the_option_gives_the_polished_network_and_the_same_one_each_time():
    problem = classes()
    _, polished = QUICK.fits(problem, 24, SETTING)
    for _ in range(2):
        [(_, fit)] = replace(QUICK, polish=True).path(problem, [24], SETTING)
        np.testing.assert_array_equal(
            fit.network.predict(problem.X), polished.network.predict(problem.X)
        )


def test_a_dense_network_has_nothing_to_polish():
    assert len(list(QUICK.fits(classes(), 10_000, SETTING))) == 1


def test_what_cannot_be_polished_is_refused_and_auto_does_without(monkeypatch):
    problem = classes(n=100)
    with pytest.raises(SparsefitError, match="--polish: 10000000 weights take"):
        next(replace(QUICK, polish=True).path(problem, [10_000_000], SETTING))
    monkeypatch.setattr(auto, "FisherPruning", lambda **given: replace(QUICK, **given))
    monkeypatch.setattr(polish, "total_bytes", lambda device: 1000)
    [(_, fit)] = Auto().path(problem, [24], SETTING)
    assert fit.info["picked"] == "fisher-gmp"


@pytest.mark.parametrize("helps", [True, False])
def test_auto_polishes_if_held_out_rows_say_so(helps, monkeypatch):
    problem, losses = classes(), iter([1.0, 0.9] if helps else [1.0, 1.1])
    held = []

    def loss_on(network, part):
        held.append(part.X)
        return next(losses)

    monkeypatch.setattr("sparsefit.dense.mean_loss", loss_on)
    monkeypatch.setattr(auto, "FisherPruning", lambda **given: replace(QUICK, **given))
    [(_, fit)] = Auto().path(problem, [24], SETTING)
    assert fit.info["picked"] == ("fisher-gmp --polish" if helps else "fisher-gmp")
    assert len(held[0]) == 120
    [(_, expected)] = replace(QUICK, polish=helps).path(problem, [24], SETTING)
    np.testing.assert_array_equal(
        fit.network.predict(problem.X), expected.network.predict(problem.X)
    )


def test_progress_of_auto_goes_from_nothing_to_all_and_never_back(monkeypatch):
    monkeypatch.setattr(auto, "FisherPruning", lambda **given: replace(QUICK, **given))
    seen = []
    setting = replace(SETTING, progress=lambda fraction, message: seen.append(fraction))
    list(Auto().path(classes(n=60), [24], setting))
    assert seen == sorted(seen)
    assert 0 <= seen[0] < 0.1
    assert seen[-1] == 1
