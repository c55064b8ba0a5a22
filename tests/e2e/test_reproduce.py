"""Recipes of the package: their grids, and the command that runs and draws them."""

import json

import pytest

from sparsefit.cli import main
from sparsefit.core.errors import SparsefitError
from sparsefit.experiments.recipe import SCALES, find_recipe, list_recipes
from tests import toys
from tests.e2e.test_mlp_iht_commands import EXAMPLES

TOY = """
title = "Toys"
score = "train_value"

[[tiny]]
task = { name = "ramp" }
methods = [{ name = "ones" }, { name = "together", scale = 2.0 }]
hidden = [3]
nnz = [1, 2]
seeds = [0]

[[tiny]]
task = { name = "drawn" }
methods = [{ name = "ones" }]
hidden = [2]
nnz = [2]
seeds = [0, 1]
setting = { layers = 2 }
"""

METHODS = {
    "masks": {"learned-mask"},
    "recovery": {"splice"},
    "phase": {"splice", "aiht"},
    "compare": {"aiht", "htp", "subspace-pursuit", "imp", "splice"},
    "classify": {"imp", "fisher-gmp", "rigl", "dense"},
}


def numbers(text):
    return [int(word) for word in text.split()]


def grid_of_example(task, widths, budgets, flags):
    """Write down what a command of MLP-IHT asks for, cell by cell."""
    words = flags.split()
    given = dict(zip(words[::2], numbers(" ".join(words[1::2])), strict=True))
    return {
        (
            task.replace("mlp_planted", "planted").replace("_", "-"), method, hidden, nnz, seed,
            given.get("--num_layers", 1), given["--num_epochs"], given.get("--batch_size", 0),
        )
        for method in ("aiht", "imp")
        for hidden in numbers(widths)
        for nnz in numbers(budgets)
        for seed in range(3)
    }  # fmt: skip


@pytest.mark.parametrize("number", range(1, 6))
def test_scale_paper_is_the_grid_of_the_commands_of_mlp_iht(number):
    expected = set().union(*(grid_of_example(*item) for item in EXAMPLES[2 * number - 2 :][:2]))
    cells = find_recipe(f"figure{number}").cells("paper")
    found = {
        (
            cell.task.name, cell.method.name, cell.setting.hidden, cell.nnz, cell.setting.seed,
            cell.setting.layers, cell.method.epochs, cell.method.batch_size or 0,
        )
        for cell in cells
    }  # fmt: skip
    assert found == expected
    assert len(cells) == len(found)
    assert {getattr(cell.method, "score", "pruned") for cell in cells} == {"pruned"}


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_has_sensible_cells_at_every_scale(name):
    recipe = find_recipe(name)
    assert recipe.score in ("value", "train_value")
    assert set(recipe.sweeps) == ({"tiny"} if name == "demo" else set(SCALES))
    sizes = [len(recipe.cells(scale)) for scale in recipe.sweeps]
    assert sizes == sorted(sizes)
    methods = METHODS.get(name, {"aiht", "imp"})
    assert methods <= {cell.method.name for cell in recipe.cells("tiny")}


def test_values_in_lists_are_combined():
    cells = find_recipe("phase").cells("tiny")
    assert {cell.task.n_samples for cell in cells} == {50, 100, 200, 400, 800}


def test_recovery_and_phase_count_exact_fits():
    thresholds = {name: find_recipe(name).threshold for name in ("recovery", "phase", "figure1")}
    assert thresholds == {"recovery": 100.0, "phase": 100.0, "figure1": None}


def test_figure_1_has_one_output_and_figure_2_ten():
    assert {cell.task.n_outputs for cell in find_recipe("figure1").cells("paper")} == {1}
    assert {cell.task.n_outputs for cell in find_recipe("figure2").cells("paper")} == {10}


def test_the_data_folder_reaches_the_tasks_that_read_files():
    cells = find_recipe("figure3").cells("tiny", data_dir="somewhere")
    assert {cell.task.data_dir for cell in cells} == {"somewhere"}
    assert find_recipe("figure1").cells("tiny", data_dir="somewhere")


def test_seeds_and_methods_of_a_recipe_can_be_chosen():
    recipe = find_recipe("figure1")
    cells = recipe.cells("tiny", seeds=(5, 6, 7), methods=("aiht",))
    assert {cell.setting.seed for cell in cells} == {5, 6, 7}
    assert {cell.method.name for cell in cells} == {"aiht"}
    with pytest.raises(SparsefitError, match="--method must be of aiht, imp for figure1, got 'ss'"):
        recipe.cells("tiny", methods=("ss",))


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Make a recipe of toys the only one."""
    toys.install(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.toml").write_text(TOY)
    files = {"toy": tmp_path / "toy.toml"}
    monkeypatch.setattr("sparsefit.experiments.recipe._files", lambda: files)


@pytest.mark.usefixtures("toy")
def test_reproduce_runs_every_sweep_and_draws_it(capsys, tmp_path):
    assert main(["reproduce", "toy", "--workers", "1", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert {(row["task"], row["method"], row["nnz"], row["seed"]) for row in rows} == {
        ("ramp", "ones", 1, 0), ("ramp", "ones", 2, 0),
        ("ramp", "together", 1, 0), ("ramp", "together", 2, 0),
        ("drawn", "ones", 2, 0), ("drawn", "ones", 2, 1),
    }  # fmt: skip
    assert len(rows) == 6
    assert {row["layers"] for row in rows if row["task"] == "drawn"} == {2}
    folder = tmp_path / "runs" / "toy-tiny"
    names = {path.name for path in (folder / "figures").iterdir()}
    assert {"curves-ramp.png", "comparison-ramp-ones-minus-together.png"} <= names
    assert "figures in runs/toy-tiny/figures" in err


@pytest.mark.usefixtures("toy")
def test_reproduce_again_computes_nothing(capsys, tmp_path):
    words = ["reproduce", "toy", "--out", "here", "--workers", "1", "--format", "json"]
    main(words)
    first = sorted(capsys.readouterr().out.splitlines())
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "here" / "rows").iterdir()}
    main(words)
    assert sorted(capsys.readouterr().out.splitlines()) == first
    assert {path: path.stat().st_mtime_ns for path in files} == files


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["toys"], "unknown recipe 'toys' (did you mean 'toy'?); there are toy"),
        (["toy", "--scale", "paper"], "--scale must be one of tiny for toy, got 'paper'"),
        (["toy", "--device", "tpu"], "--device must be"),
        (["toy", "--workers", "0"], "--workers must be an integer between 1 and 1024, got 0"),
    ],
)
def test_a_bad_request_is_one_sentence_and_writes_nothing(words, sentence, capsys, tmp_path):
    assert main(["reproduce", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert sentence in err
    assert [path.name for path in tmp_path.iterdir()] == ["toy.toml"]
