"""The course of the learning rate, and inputs that are dropped."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.dense import PROTOCOLS, Trainer
from sparsefit.methods.fisher_gmp import FisherPruning

SETTING = Setting(hidden=3, dtype="float64")


def make_trainer(**protocol):
    rng = np.random.default_rng(0)
    problem = Problem(rng.normal(size=(1000, 8)), rng.normal(size=(1000, 1)))
    base = replace(PROTOCOLS["own"], epochs=20, batch_size=200, lr=2.0)
    return Trainer(problem, SETTING, replace(base, **protocol))


def rates_of(trainer):
    rates = []

    def note(optimizer, *_):
        rates.append(optimizer.param_groups[0]["lr"])
        assert optimizer.param_groups[0]["betas"] == trainer.protocol.betas

    hook = register_optimizer_step_post_hook(note)
    trainer.train()
    hook.remove()
    return rates


def test_the_rate_grows_then_falls_along_a_cosine():
    rates = rates_of(make_trainer(warmup=0.1, final_rate=0.25, betas=(0.8, 0.9)))
    course = [2.0 * (0.25 + 0.75 * (1 + np.cos(np.pi * t / 100)) / 2) for t in range(100)]
    growth = [min(1.0, (t + 1) / 10) for t in range(100)]
    np.testing.assert_allclose(rates, np.multiply(course, growth))


def test_a_constant_rate_stays():
    assert rates_of(make_trainer(schedule="constant")) == [2.0] * 100


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_inputs_are_dropped_and_the_others_made_up_for_it(share):
    trainer, seen = make_trainer(input_dropout=share), []
    trainer.net.register_forward_pre_hook(lambda net, args: seen.append(args[0]))
    rows = np.arange(1000)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        trainer.add_gradient(rows)
    [X] = seen
    assert (X == 0).double().mean().item() == pytest.approx(share, abs=0.02)
    torch.testing.assert_close(X[X != 0], trainer.X[X != 0] / (1 - share))


@pytest.mark.parametrize(("classes", "expected"), [(True, 0.1), (False, 0.0)])
def test_inputs_are_dropped_for_classes_only(classes, expected):
    X, y = np.eye(4), np.arange(4)
    loss = {"loss": "softmax", "n_classes": 4, "metric": "accuracy"} if classes else {}
    problem = Problem(X, y if classes else y[:, None].astype(float), **loss)
    trainer = FisherPruning().make_trainer(problem, SETTING)
    assert trainer.protocol.input_dropout == expected
    trainer = FisherPruning(input_dropout=0.3).make_trainer(problem, SETTING)
    assert trainer.protocol.input_dropout == 0.3
