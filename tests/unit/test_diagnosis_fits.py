"""What `diagnose` takes more fits for: stability, drift; and the whole of it."""

import dataclasses
import json

import numpy as np
import pytest

from sparsefit.core.errors import SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem, SensingProblem
from sparsefit.core.setting import Setting
from sparsefit.experiments.diagnosis import diagnose
from sparsefit.experiments.run import run_cells
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.stability import resampled, stability
from sparsefit.experiments.store import Store
from sparsefit.experiments.stored import StoredRun, make_cell
from sparsefit.experiments.support import found_again, support_overlap
from sparsefit.methods import find_method
from sparsefit.tasks import find_task
from tests.unit.test_diagnosis import D, M, fused, networks, rows

# Stability.


def test_found_again_agrees_with_the_overlap_and_names_the_stored_units():
    reference = fused([0, 0, 0, 0, 0], [1, 2, 0, 0, 0], [2, 4, 0, 0, 0], [0, 0, 1, 0, 3])
    other = fused([0, 0, 1, 0, 0], [1, 0, 0, 7, 0])
    found = found_again(reference, other)
    assert {(place.unit, place.input): there for place, there in found.items()} == {
        (1, 0): True, (1, 1): False, (3, 2): True, (3, 4): False,
    }  # fmt: skip
    assert sum(found.values()) == support_overlap(reference, other).shared


@pytest.mark.parametrize("name", [*networks(), "a dead unit"])
def test_a_network_finds_itself_again(name):
    hidden = np.eye(D, M) * np.append(0, np.ones(M - 1))
    dead = Network((Layer(hidden), Layer(np.eye(M, M)), Layer(np.ones((M, 2)))))
    network = {**networks(), "a dead unit": dead}[name]
    found = found_again(network, network)
    overlap = support_overlap(network, network)
    assert all(found.values())
    assert len(found) == overlap.planted
    counted = [network.layer_names.index(place.layer) for place in found]
    for place, number in zip(found, counted, strict=True):
        layer = network.all_layers[number]
        stored = layer.bias[place.unit] if place.input is None else (
            layer.weight[place.input, place.unit]
        )  # fmt: skip
        assert stored != 0


def planted_cell(method="htp", **options):
    task = find_task("planted")(n_samples=200, n_test=0, n_features=8)
    return Cell(task, find_method(method)(**options), Setting(hidden=4), 6)


def test_stability_is_what_refits_of_the_resamples_give():
    cell = planted_cell(epochs=8)
    problem = cell.task.load(cell.setting, 6)
    [(_, fit)] = cell.method.path(problem, [6], cell.setting)
    seen = []
    found = stability(cell, problem, fit.network, 3, lambda done, message: seen.append(done))
    for number in range(3):
        rng = np.random.default_rng([cell.setting.seed, 7, number])
        picked = rng.integers(200, size=200)
        again = resampled(problem, cell.setting.seed, number)
        assert (problem.X[picked] == again.X).all()
        assert (again.y == problem.y[picked]).all()
        [(_, refitted)] = cell.method.path(again, [6], cell.setting)
        assert found.overlaps[number] == support_overlap(fit.network, refitted.network)
    shared = sum(overlap.shared for overlap in found.overlaps)
    assert 3 * sum(found.found.values()) == pytest.approx(shared)
    assert found.jaccard[0] == found.overlaps[0].shared / (
        found.overlaps[0].planted + found.overlaps[0].found - found.overlaps[0].shared
    )
    assert seen == sorted(seen)
    assert max(seen) <= 3


def test_a_sensed_vector_has_no_rows_to_draw():
    task = find_task("gaussian-sparse")(n_measurements=20)
    cell = Cell(task, find_method("aiht")(), Setting(hidden=30), 2)
    problem = task.load(cell.setting, 2)
    assert isinstance(problem, SensingProblem)
    with pytest.raises(SparsefitError, match="no rows but measurements"):
        stability(cell, problem, Network((Layer(np.ones((30, 1))),)), 2)


# Observed fits.


@pytest.mark.parametrize("method", ["aiht", "htp", "splice"])
def test_iterates_are_shown_and_showing_changes_nothing(method):
    X = rows()
    problem = Problem(X, np.maximum(X[:, :1] - X[:, 1:2], 0) + np.maximum(X[:, 2:3], 0))
    seen = []
    fits = []
    for observe in (None, seen.append):
        setting = Setting(hidden=3, observe=observe)
        [(_, fit)] = find_method(method)().path(problem, [3], setting)
        fits.append(fit)
    assert (fits[0].network.predict(X) == fits[1].network.predict(X)).all()
    assert (seen[-1].predict(X) > 0).tolist() == (fits[0].network.predict(X) > 0).tolist()
    if method != "splice":
        assert len(seen) == fits[0].n_iter
        assert (seen[-1].predict(X) == fits[0].network.predict(X)).all()


def test_shown_networks_see_the_inputs_as_they_are():
    X = (1000 * rows()).astype(np.float32)
    problem = Problem(X, (X[:, 0] > 0).astype(np.int64), loss="softmax", metric="accuracy",
                      n_classes=2)  # fmt: skip
    seen = []
    setting = Setting(hidden=3, bias=True, observe=seen.append)
    [(_, fit)] = find_method("aiht")(epochs=3).path(problem, [6], setting)
    assert len(seen) == 3
    np.testing.assert_array_equal(seen[-1].predict(X), fit.network.predict(X))


def test_layers_are_shown_as_they_are_added():
    X = rows()
    seen = []
    setting = Setting(hidden=3, layers=2, observe=seen.append)
    problem = Problem(X, np.maximum(X[:, :1], 0))
    find_method("htp")(epochs=2)
    [(_, fit)] = find_method("htp")(epochs=2).path(problem, [4], setting)
    assert [len(network.hidden_layers) for network in seen] == [1, 1, 2, 2]
    assert (seen[-1].predict(X) == fit.network.predict(X)).all()


def test_observing_is_no_part_of_the_run():
    cell = planted_cell()
    watched = dataclasses.replace(cell, setting=dataclasses.replace(cell.setting, observe=print))
    assert watched.run_id == cell.run_id
    assert watched == cell


# The whole of it.


def stored(tmp_path, cell):
    run_cells([cell], Store(tmp_path))
    return StoredRun.load(cell.run_id, tmp_path)


@pytest.mark.parametrize(
    ("method", "options"), [("aiht", {"bias": True}), ("imp", {"skip": True}), ("dense", {})]
)
def test_a_row_gives_its_cell_back(tmp_path, method, options):
    cell = planted_cell(method, **({"epochs": 2} if method != "aiht" else {}))
    cell = dataclasses.replace(cell, setting=Setting(hidden=4, seed=2, **options))
    run = stored(tmp_path, cell)
    assert make_cell(run.row).run_id == cell.run_id
    problem = cell.task.load(cell.setting, 6)
    assert (run.problem.X == problem.X).all()


def test_a_diagnosis_names_weights_of_the_file_and_repeats(tmp_path):
    cell = planted_cell("imp", epochs=20)
    run = stored(tmp_path, cell)
    first, again = (diagnose(run, drift=True, resamples=2) for _ in range(2))
    assert first == again
    assert json.loads(json.dumps(first, allow_nan=False)) == json.loads(json.dumps(first))
    drop = first["certificate"]["swap_drop"]
    layer = run.network.all_layers[run.network.layer_names.index(drop["layer"])]
    assert layer.weight[drop["input"], drop["unit"]] == pytest.approx(drop["value"])
    assert drop["value"] != 0
    assert first["certificate"]["refit_change"] < 0
    assert any("'imp' does not show its iterates" in note for note in first["notes"])
    assert first["drift"] is None
    assert first["recovery"]["recall"] == run.row["support_recall"]


def test_losses_vectors_and_gates_without_an_entry_are_noted(tmp_path):
    digits = Cell(find_task("digits")(), find_method("aiht")(epochs=2), Setting(hidden=5), 30)
    found = diagnose(stored(tmp_path, digits))
    assert found["certificate"] is None
    assert found["spectrum"] is not None
    assert any("this is softmax" in note for note in found["notes"])
    convex = planted_cell("aiht", convex=True, epochs=3)
    found = diagnose(stored(tmp_path, convex), drift=True)
    assert found["spectrum"] is found["certificate"] is None
    assert found["drift"]["iterates"] == 3
    assert any("gates are random" in note for note in found["notes"])
    sensed = Cell(find_task("gaussian-sparse")(), find_method("aiht")(), Setting(hidden=300), 3)
    found = diagnose(stored(tmp_path, sensed), drift=True)
    assert found["units"] is found["drift"] is None
    assert found["recovery"]["exact"] is True
    assert any("no units" in note for note in found["notes"])
