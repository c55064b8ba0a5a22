"""The protocol of training is said by one option, and stored results still count."""

import dataclasses
import json

import pytest

from sparsefit import dense
from sparsefit.core.problem import Problem
from sparsefit.core.result import Status
from sparsefit.core.setting import Setting
from sparsefit.experiments.rows import empty_row
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.stored import make_cell
from sparsefit.methods import find_method
from sparsefit.methods.imp import IterativeMagnitudePruning
from sparsefit.tasks import find_task
from tests.toys import Ramp


def cell(name, **options):
    return Cell(find_task("planted")(), find_method(name)(**options), Setting(hidden=10), 20)


# Ids of version 0.1.0, which had no such option: there, epochs asked for the paper's protocol.
BEFORE = [
    (cell("imp"), "99bea9012cbce04b"),
    (cell("imp", protocol="paper", epochs=15, score="pruned"), "127f7bd8f7ea07f1"),
    (cell("pruning", epochs=15, score="pruned"), "127f7bd8f7ea07f1"),
    (cell("magnitude", protocol="paper", epochs=3, lr=0.01), "186e48892ed910df"),
    (cell("dense", protocol="paper", epochs=20), "7b8c61b701af2b23"),
]


@pytest.mark.parametrize(("now", "run_id"), BEFORE)
def test_stored_results_are_found_under_the_protocol_that_they_had(now, run_id):
    assert now.run_id == run_id
    assert "protocol" not in now.identity["method"]["options"]


@pytest.mark.parametrize("name", ["imp", "magnitude", "dense"])
def test_the_four_ways_to_train_are_four_runs(name):
    cells = [
        cell(name, protocol=protocol, epochs=epochs)
        for protocol in ("own", "paper")
        for epochs in (None, 15)
    ]
    assert len({part.run_id for part in cells}) == 4


@pytest.mark.parametrize("protocol", ["own", "paper"])
@pytest.mark.parametrize("epochs", [None, 15])
def test_a_row_says_which_protocol_it_had(protocol, epochs):
    asked = cell("imp", protocol=protocol, epochs=epochs)
    row = json.loads(json.dumps(empty_row(asked, Status.FAILED, "")))
    assert make_cell(row).method == asked.method


def test_a_row_from_before_with_epochs_had_the_papers():
    row = empty_row(cell("imp", epochs=15), Status.FAILED, "")
    del row["method_options"]["protocol"]
    assert make_cell(row).method.protocol == "paper"


@pytest.fixture
def problem() -> Problem:
    return Ramp().load(Setting(), 1)


@pytest.mark.parametrize("name", ["own", "paper"])
def test_epochs_change_the_epochs_alone(problem, name):
    method = IterativeMagnitudePruning(protocol=name, epochs=7)
    assert method.protocol_for(problem) == dataclasses.replace(dense.PROTOCOLS[name], epochs=7)


def test_options_that_are_given_go_before_the_protocols(problem):
    method = IterativeMagnitudePruning(protocol="paper", batch_size=9, lr=0.5, schedule="cosine")
    protocol = method.protocol_for(problem)
    assert (protocol.batch_size, protocol.lr, protocol.schedule) == (9, 0.5, "cosine")
    assert not protocol.scale_inputs


def test_pruning_is_imp_by_the_papers_protocol_unless_another_is_given():
    pruning = find_method("pruning")
    assert pruning() == IterativeMagnitudePruning(protocol="paper")
    assert pruning(protocol="own") == IterativeMagnitudePruning()
    assert pruning.name == "imp"
