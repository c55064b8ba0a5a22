"""`splice` finds planted networks exactly, and keeps what it promises."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsefit.core.errors import SparsefitError
from sparsefit.core.problem import Problem
from sparsefit.core.result import Status
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton import recovery, starts
from sparsefit.gauss_newton.levenberg_marquardt import Minimum
from sparsefit.gauss_newton.recovery import Recovery
from sparsefit.gauss_newton.relaxed import relaxed_start
from sparsefit.methods import find_method
from sparsefit.methods.splice import Splice

QUICK = {"restarts": 3, "cycles": 4, "start_steps": 1000}
N, D, HIDDEN = 600, 8, 5


def sparse(rng, shape, nnz):
    values = np.zeros(np.prod(shape))
    values[rng.choice(len(values), nnz, replace=False)] = rng.normal(size=nnz)
    return values.reshape(shape)


def planted(kind, seed):
    """Return a problem, the number of nonzeros of its network, and what a setting needs for it."""
    rng = np.random.default_rng(seed)
    X, fresh = rng.normal(size=(2, N, D))
    W = sparse(rng, (D, HIDDEN), 12)
    U, nnz, extra = np.ones((HIDDEN, 1)), 12, {}
    b, C, second = np.zeros(HIDDEN), np.zeros((D, 1)), np.eye(HIDDEN)
    if kind == "three outputs":
        U = sparse(rng, (HIDDEN, 3), 8)
        nnz += 8
    elif kind == "bias":
        b, extra = rng.normal(size=HIDDEN), {"bias": True}
        nnz += HIDDEN
    elif kind == "skip":
        C[[0, 3, 6], 0], extra = (1, -1, 0.5), {"skip": True}
        nnz += 3
    elif kind == "two layers":
        second, extra = sparse(rng, (HIDDEN, 3), 6), {"layers": 2}
        U = np.ones((3, 1))
        nnz += 6

    def f(X):
        return np.maximum(np.maximum(X @ W + b, 0) @ second, 0) @ U + X @ C

    return Problem(X, f(X), X_test=fresh, y_test=f(fresh)), nnz, extra


def fit(problem, nnz, seed=0, options=None, **setting):
    method = Splice(**QUICK | (options or {}))
    [(_, found)] = method.path(
        problem, [nnz], Setting(**{"hidden": HIDDEN, "seed": seed} | setting)
    )
    return found


def mean_square(problem, network):
    return float(np.mean((network.predict(problem.X_test) - problem.y_test) ** 2))


def widths(network):
    """Return how many units of each hidden layer have weights."""
    return [
        int((layer.weight != 0).sum(axis=0).astype(bool).sum()) for layer in network.hidden_layers
    ]


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("one output", 0), ("one output", 1), ("one output", 2), ("three outputs", 0),
        ("three outputs", 1), ("bias", 0), ("bias", 1), ("skip", 0), ("two layers", 0),
    ],
)  # fmt: skip
def test_a_planted_network_is_found_exactly(kind, seed):
    problem, nnz, extra = planted(kind, seed)
    # The linear term may make targets negative though all units add up.
    options = {"signs": "plus"} if kind == "skip" else {}
    found = fit(problem, nnz, seed, options, **extra)
    assert found.status is Status.CONVERGED
    assert mean_square(problem, found.network) < 1e-20
    assert found.network.nnz <= nnz
    assert found.history[-1] < 1e-13


@pytest.mark.parametrize("seed", [2, 3])
def test_signs_are_settled_without_a_cycle(seed):
    """The relaxed network is right up to signs, which the free linear term makes up for."""
    problem, nnz, _ = planted("one output", seed)
    found = fit(problem, nnz, seed, {"restarts": 0, "cycles": 0})
    assert found.status is Status.CONVERGED
    assert mean_square(problem, found.network) < 1e-20


@pytest.mark.parametrize("seed", range(2))
def test_the_sum_of_inputs_takes_two_units(seed):
    X, fresh = np.random.default_rng(seed).normal(size=(2, N, 10))
    problem = Problem(
        X, X.sum(axis=1, keepdims=True), X_test=fresh, y_test=fresh.sum(axis=1, keepdims=True)
    )
    found = fit(problem, 22, seed, hidden=6)
    assert found.status is Status.CONVERGED
    assert found.network.nnz == 22
    assert not found.network.fused
    assert mean_square(problem, found.network) < 1e-20


def test_signs_decide_whether_outputs_have_weights():
    problem, nnz, _ = planted("one output", 0)
    turned = replace(problem, y=-problem.y)
    options = {"restarts": 0, "cycles": 0, "start_steps": 20}

    def is_fused(problem, signs):
        return fit(problem, nnz, options=options | {"signs": signs}).network.fused

    assert [is_fused(problem, signs) for signs in ("auto", "plus", "free")] == [True, True, False]
    assert [is_fused(turned, signs) for signs in ("auto", "plus", "free")] == [False, True, False]


@pytest.mark.parametrize("kind", ["one output", "three outputs", "bias", "skip", "two layers"])
@pytest.mark.parametrize(("nnz", "hidden"), [(1, 3), (7, 2), (20, 1), (200, 3)])
def test_budgets_of_weights_and_units_are_never_exceeded(kind, nnz, hidden):
    problem, _, extra = planted(kind, 0)
    options = {"restarts": 1, "cycles": 2, "start_steps": 50}
    network = fit(problem, nnz, options=options, hidden=hidden, **extra).network
    assert network.nnz <= nnz
    assert all(layer.weight.shape[1] == hidden for layer in network.hidden_layers)
    assert max(widths(network)) <= hidden
    assert np.isfinite(network.predict(problem.X)).all()


def test_same_seed_same_bytes():
    problem, nnz, _ = planted("three outputs", 0)
    torch.manual_seed(0)
    options = {"restarts": 1, "cycles": 2, "start_steps": 300}
    one = fit(problem, nnz - 6, 5, options)
    torch.manual_seed(1)
    two = fit(problem, nnz - 6, 5, options)
    for ours, theirs in zip(one.network.layers, two.network.layers, strict=True):
        assert ours.weight.data.tobytes() == theirs.weight.data.tobytes()
        assert ours.weight.indices.tobytes() == theirs.weight.indices.tobytes()
    assert one.history == two.history


def test_the_time_limit_stops_between_cycles():
    problem, nnz, _ = planted("one output", 0)
    found = fit(problem, nnz - 5, options={"time_limit": 1e-9, "restarts": 50, "cycles": 1000})
    assert found.n_iter == 0
    assert found.status is Status.FINISHED
    assert found.network.nnz <= nnz - 5
    unlimited = fit(problem, nnz - 5, options={"restarts": 0})
    assert mean_square(problem, unlimited.network) < mean_square(problem, found.network)


def test_each_budget_has_its_own_time(monkeypatch):
    clock, deadlines = iter(range(0, 1000, 100)), []
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    first = Recovery.first

    def spy(self, objective, init):
        deadlines.append(self.effort.deadline)
        effort = replace(self.effort, deadline=float("inf"))
        return first(replace(self, effort=effort), objective, init)

    monkeypatch.setattr(Recovery, "first", spy)
    monkeypatch.setattr(
        "sparsefit.gauss_newton.grow_and_prune.GrowAndPrune.is_over", lambda self, best: True
    )
    problem, _, _ = planted("one output", 0)
    method = Splice(**QUICK, time_limit=7)
    list(method.path(problem, [12, 5], Setting(hidden=HIDDEN)))
    assert deadlines == [7, 107]


def test_a_warm_path_goes_down_from_the_larger_budgets(monkeypatch):
    problem, _, _ = planted("one output", 0)
    budgets, asked = [6, 12, 9], []
    first = Recovery.first

    def spy(self, objective, init):
        asked.append((self.starts.nnz, None if init is None else init.nnz))
        return first(self, objective, init)

    monkeypatch.setattr(Recovery, "first", spy)
    options = QUICK | {"restarts": 0}
    fits = dict(Splice(**options, warm=True).path(problem, budgets, Setting(hidden=HIDDEN)))
    assert asked == [(12, None), (9, 12), (6, 9)]
    assert sorted(fits) == sorted(budgets)
    losses = [fits[nnz].history[-1] for nnz in (12, 9, 6)]
    assert losses == sorted(losses)
    assert all(found.network.nnz <= nnz for nnz, found in fits.items())
    asked.clear()
    list(Splice(**options).path(problem, budgets, Setting(hidden=HIDDEN)))
    assert asked == [(6, None), (12, None), (9, None)]


def test_draws_that_end_alike_are_the_end(monkeypatch):
    """Under noise nothing is exact: the search stops when three attempts agree."""
    attempts = []

    def attempt(self, phase, number):
        attempts.append(number)
        net = self.starts.begin(phase.objective, 0, free=False)
        net = phase.contract(net).net
        return Minimum(net, (1.0, 0.5, 0.5002, 0.5001, 0.1)[number])

    def crossed(self, phase, pool):
        return Minimum(pool.best.net, 0.7)

    monkeypatch.setattr(Recovery, "_attempt", attempt)
    monkeypatch.setattr(Recovery, "_crossed", crossed)
    problem, _, _ = planted("one output", 0)
    fit(problem, 5, options={"start_steps": 20, "restarts": 9})
    assert attempts == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_noise_below_zero_does_not_hide_a_plain_sum(seed):
    """Its output weights would cost nonzeros that the network does not have."""
    clean, nnz, _ = planted("one output", seed)
    noise = 0.2 * np.random.default_rng(seed).normal(size=clean.y.shape)
    problem = replace(clean, y=clean.y + noise)
    assert problem.y.min() < 0 <= clean.y.min()
    found = fit(problem, nnz)
    assert found.network.fused
    # Least squares of so many weights err by sigma^2 nnz / n.
    assert mean_square(clean, found.network) < 3 * 0.2**2 * nnz / N


def test_units_of_both_signs_are_found_where_few_targets_are_negative():
    X, fresh = np.random.default_rng(0).normal(size=(2, N, D))

    def f(X):
        return (np.maximum(X[:, :3], 0) @ [1.0, 1.0, -0.3]).reshape(-1, 1)

    found = fit(Problem(X, f(X)), 6)
    assert 0 < Problem(X, f(X)).negative_share < 0.25
    assert not found.network.fused
    assert found.network.predict(fresh) == pytest.approx(f(fresh), abs=1e-6)


def test_few_units_are_found_among_very_many(monkeypatch):
    """A start of as many units as weights could feed spreads them over too many."""
    tried = []

    def start(objective, units, *rest):
        tried.extend(units)
        return relaxed_start(objective, units, *rest)

    monkeypatch.setattr(starts, "relaxed_start", start)
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(3000, 60)), np.zeros((60, 6))
    for unit in range(6):
        W[rng.choice(60, 10, replace=False), unit] = rng.normal(size=10)
    problem = Problem(X, np.maximum(X @ W, 0).sum(axis=1, keepdims=True))
    found = fit(problem, 60, options={"restarts": 0}, hidden=1_000_000)
    assert found.status is Status.CONVERGED
    assert found.network.layers[0].weight.shape == (60, 1_000_000)
    assert sum(widths(found.network)) == 6
    assert tried == sorted(tried)
    assert max(tried) < 40


def test_progress_goes_up_to_one_at_most():
    told = []
    problem, nnz, _ = planted("one output", 0)
    fit(problem, nnz - 5, progress=lambda share, text: told.append((share, text)))
    shares = [share for share, _ in told]
    assert len(told) > 2
    assert all(0 < share <= 1 for share in shares)
    assert all(text.startswith("attempt ") for _, text in told)


def test_classes_are_refused_in_one_sentence():
    X = np.random.default_rng(0).normal(size=(30, 4))
    classes = Problem(X, np.arange(30) % 3, loss="softmax", metric="accuracy", n_classes=3)
    method = find_method("splice")()
    with pytest.raises(SparsefitError) as caught:
        list(method.path(classes, [5], Setting(hidden=3)))
    text = str(caught.value)
    assert text.startswith("method 'splice' fits the squared loss, and this task has softmax")
    assert "\n" not in text


def test_many_rows_are_searched_by_a_draw_and_all_of_them_settle_the_result(monkeypatch):
    monkeypatch.setattr(
        recovery, "RECOVERY", replace(recovery.RECOVERY, least_rows=200, rows_a_weight=5)
    )
    seen = []
    attempt = recovery.Recovery._attempt

    def watched(self, phase, number):
        seen.append(phase.objective.rows.n)
        return attempt(self, phase, number)

    monkeypatch.setattr(recovery.Recovery, "_attempt", watched)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 6))
    y = np.maximum(X[:, :1] - X[:, 2:3], 0) + np.maximum(X[:, 3:4], 0)
    found = next(Splice().path(Problem(X, y), [3], Setting(hidden=3, seed=0)))[1]
    assert seen == [200]
    assert found.status is Status.CONVERGED
    assert found.network.nnz == 3
    seen.clear()
    noisy = Problem(X, y + 0.1 * rng.normal(size=y.shape))
    method = Splice(restarts=0, cycles=2, signs="plus")
    found = next(method.path(noisy, [3], Setting(hidden=3, seed=0)))[1]
    assert seen == [200]
    fitted = found.network.predict(X)
    # The least squares of all rows fit them better than the truth does; those of 200 rows do not.
    assert np.mean((fitted - noisy.y) ** 2) < np.mean((y - noisy.y) ** 2)
