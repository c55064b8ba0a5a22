"""What the run id depends on."""

import dataclasses
import json

import pytest

from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.core.options import option, option_infos
from sparsefit.core.setting import Setting
from sparsefit.experiments import Cell, grid
from sparsefit.methods import list_methods
from sparsefit.tasks import Task, list_tasks
from tests.toys import Drawn, Full, Ones, Ramp, Together

PARTS = [*list_tasks().values(), *list_methods().values(), Ramp, Ones]
CELL = Cell(Ramp(), Ones(), Setting(), 3)


def other_value(info):
    """Return an allowed value that is not the default."""
    candidates = [*info.choices, *{int: range(1, 50), float: [0.25, 0.5, 3.0]}.get(info.type, [])]
    candidates += {bool: [True, False], str: ["other", "rows"]}.get(info.type, [])
    for value in candidates:
        try:
            info.validate(value)
        except OptionError:
            continue
        if value != info.default:
            return value
    raise AssertionError(f"no other value for {info.name}")


def run_id(part):
    field = "task" if isinstance(part, Task) else "method"
    return dataclasses.replace(CELL, **{field: part}).run_id


@pytest.mark.parametrize(
    ("cls", "info"),
    [(cls, info) for cls in PARTS for info in option_infos(cls)],
    ids=lambda value: getattr(value, "name", None),
)
def test_every_option_of_tasks_and_methods_changes_the_run_id(cls, info, monkeypatch):
    if issubclass(cls, Task):  # the content of files counts too, but they are not here
        monkeypatch.setattr(cls, "fingerprint", "")
    changed = {info.name: other_value(info)}
    try:
        part = cls(**changed)
    except SparsefitError:
        pytest.skip("not allowed beside the other defaults")
    same = run_id(part) == run_id(cls())
    assert same == (info.name == "data_dir")


@pytest.mark.parametrize(
    "changed",
    [
        {"hidden": 7}, {"layers": 2}, {"bias": True}, {"skip": True}, {"seed": 1}, {"threads": 2},
        {"dtype": "float32"}, {"device": "cuda"},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_change_results_change_the_run_id(changed):
    assert dataclasses.replace(CELL, setting=Setting(**changed)).run_id != CELL.run_id


@pytest.mark.parametrize("changed", [{"memory": "7MB"}, {"dtype": "float64"}], ids=str)
def test_settings_that_change_nothing_keep_the_run_id(changed):
    assert dataclasses.replace(CELL, setting=Setting(**changed)).run_id == CELL.run_id


def test_only_the_kind_of_device_counts():
    first, second = (
        dataclasses.replace(CELL, setting=Setting(device=f"cuda:{number}")) for number in range(2)
    )
    assert first.run_id == second.run_id


def test_budget_names_and_versions_count():
    class Later(Ones):
        version = 2

    others = [
        dataclasses.replace(CELL, nnz=4),
        dataclasses.replace(CELL, method=Together()),
        dataclasses.replace(CELL, method=Later()),
        dataclasses.replace(CELL, task=Drawn()),
    ]
    assert len({CELL.run_id, *(cell.run_id for cell in others)}) == 5


def test_options_that_came_later_count_only_where_they_are_not_at_their_default():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class More(Ones):
        softly: bool = option(False, "an option of the next version", later=True)

    assert run_id(More()) == run_id(Ones())
    assert run_id(More(softly=True)) != run_id(Ones())


def test_a_whole_number_for_a_real_option_is_the_same_run():
    assert run_id(Ones(scale=2)) == run_id(Ones(scale=2.0))


def test_run_id_is_stable_between_processes_and_versions():
    # Results folders outlive this code: this id may change only with a version of Ones or Ramp.
    assert CELL.run_id == "694c3ba2c8a17110"
    json.dumps(CELL.identity)


def test_the_content_of_files_counts_and_nothing_in_its_place_where_there_are_none():
    class Reads(Ramp):
        fingerprint = "abc"

    assert "data" not in CELL.identity
    cell = dataclasses.replace(CELL, task=Reads())
    assert cell.identity == CELL.identity | {"data": "abc"}


@pytest.mark.parametrize("nnz", [0, -3, 2.0, True, "4"])
def test_budget_must_be_a_positive_integer(nnz):
    with pytest.raises(OptionError, match="nnz must be an integer >= 1"):
        Cell(Ramp(), Ones(), Setting(), nnz)


def test_a_method_without_a_budget_has_one_cell_per_width_and_seed():
    cells = grid([Ramp()], [Full()], hidden=[1, 2], nnz=[3, 4], seeds=[0, 1])
    assert [cell.nnz for cell in cells] == [None] * 4


def test_a_task_drawn_for_its_budget_keeps_the_budget_even_then():
    cells = grid([Drawn()], [Full()], hidden=[1], nnz=[3, 4])
    assert [cell.nnz for cell in cells] == [3, 4]


def test_missing_budgets_are_named():
    assert len(grid([Ramp()], [Full()], hidden=[1])) == 1
    with pytest.raises(SparsefitError, match="--nnz is missing: method 'ones'"):
        grid([Ramp()], [Ones()], hidden=[1])
    with pytest.raises(SparsefitError, match="--nnz is missing: task 'drawn'"):
        grid([Drawn()], [Full()], hidden=[1])


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("seed", 2**31, "an integer between 0 and 2147483647"),
        ("threads", 100_000, "an integer between 1 and 1024"),
    ],
)
def test_settings_beyond_what_machines_and_generators_take(option, value, allowed):
    with pytest.raises(OptionError, match=f"{option} must be {allowed}, got {value}"):
        Setting(**{option: value})


@pytest.mark.parametrize("rounds", [0, 0.5, 1, 2.0, 30])
def test_rounds_of_pruning(rounds):
    assert list_methods()["imp"](prune_iters=rounds).prune_iters == rounds


@pytest.mark.parametrize("rounds", [-1, -0.5, 1.5, 2.5, float("inf")])
def test_rounds_of_pruning_that_would_have_to_be_rounded(rounds):
    with pytest.raises(OptionError, match="whole and >= 0, or between 0 and 1"):
        list_methods()["imp"](prune_iters=rounds)
