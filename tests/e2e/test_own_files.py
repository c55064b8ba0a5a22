"""Methods and tasks of users: the documented examples as their pages run them, and faults."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import sparsefit
from sparsefit.core.errors import SparsefitError
from sparsefit.experiments.store import load_rows
from sparsefit.methods import find_method
from sparsefit.methods._base import METHODS
from sparsefit.tasks._base import TASKS
from tests.documented import EXAMPLES, write_example

GRID = ["--hidden", "6", "--nnz", "12", "20"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Run in an empty folder, with the documented examples in it."""
    monkeypatch.chdir(tmp_path)
    for name in EXAMPLES:
        write_example(name, tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_both_examples_run_by_their_path_and_are_drawn(command, tmp_path, workers):
    code, out, _ = command(
        "run", "--task", "./ripples.py", "planted", "--n-samples", "60", "--n-features", "5",
        "--waves", "0.5", "--method", "random_features.py", "--candidates", "50", *GRID,
        "--workers", workers, "--out", tmp_path / "runs", "--format", "json",
    )  # fmt: skip
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {(row["task"], row["method"]) for row in rows} == {
        ("ripples", "random-features"), ("planted", "random-features"),
    }  # fmt: skip
    assert {row["status"] for row in rows} == {"finished"}
    assert {row["method_options"]["candidates"] for row in rows} == {50}
    assert {row["task_options"].get("waves", 0.5) for row in rows} == {0.5}
    assert all(0 < row["nnz_found"] <= row["nnz"] for row in rows)
    # Rows outlive the files.
    for name in EXAMPLES:
        (tmp_path / name).unlink()
    code, out, _ = command("figures", "runs")
    assert code == 0
    assert any("random-features" in path for path in out.splitlines())
    assert command("report", "runs")[0] == 0


def test_workers_change_nothing(command, tmp_path):
    for workers in ("1", "2"):
        assert command(
            "run", "--task", "ripples.py", "--n-samples", "60", "--method", "random_features.py",
            *GRID, "--workers", workers, "--out", tmp_path / workers,
        )[0] == 0  # fmt: skip
    one, two = (load_rows(tmp_path / workers) for workers in ("1", "2"))
    assert [row["run_id"] for row in one] == [row["run_id"] for row in two]
    assert [row["value"] for row in one] == [row["value"] for row in two]


def test_options_of_a_file_are_listed_and_in_the_help(command, capsys):
    code, out, _ = command("methods", "./random_features.py", "--format", "json")
    assert code == 0
    assert [json.loads(line)["option"] for line in out.splitlines()] == ["--candidates", "--reads"]
    with pytest.raises(SystemExit):
        command("run", "--method", "random_features.py", "--help")
    assert "units drawn, of which the best are kept" in capsys.readouterr().out
    code, _, [error] = command("run", "--task", "planted", "--nnz", "5", "--candidates", "9")
    assert code == 2
    assert error.startswith("sparsefit: unknown option --candidates")


def test_an_option_of_a_file_is_checked(command):
    code, _, [error] = command(
        "run", "--task", "planted", "--method", "random_features.py", "--nnz", "5", "--reads", "0"
    )
    assert (code, error) == (2, "sparsefit: --reads must be an integer >= 1, got 0")


def test_an_edited_file_gives_other_rows(command, tmp_path):
    words = ["run", "--task", "ripples.py", "--n-samples", "60", "--method", "random_features.py",
             *GRID, "--format", "json"]  # fmt: skip
    first = [json.loads(line)["run_id"] for line in command(*words)[1].splitlines()]
    again = [json.loads(line)["run_id"] for line in command(*words)[1].splitlines()]
    path = tmp_path / "random_features.py"
    path.write_text(path.read_text() + "\n# Another thought.\n")
    edited = [json.loads(line) for line in command(*words)[1].splitlines()]
    assert again == first
    assert not {row["run_id"] for row in edited} & set(first)
    assert {row["method_file"].partition("@")[0] for row in edited} == {"random_features.py"}
    assert len({row["method_file"] for row in load_rows("runs")}) == 2


def test_the_estimators_take_the_method_of_a_file():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = np.maximum(X[:, 0], 0) + np.maximum(X[:, 1], 0)
    model = sparsefit.SparseMLPRegressor(
        (20,), nnz=30, method="./random_features.py", skip=False, random_state=0
    ).fit(X, y)
    assert model.score(X, y) > 0.3


USER = """
import sparsefit
reveal_type(sparsefit.SparseMLPRegressor)
reveal_type(sparsefit.Setting().hidden)
sparsefit.SparseMLPClassifier(nnzz=3)
"""


def test_type_checkers_see_what_is_public_and_pass_the_examples(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    words = ["--strict", "--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, *EXAMPLES, "user.py"],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "MYPYPATH": str(Path(sparsefit.__file__).parent.parent)},
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, done.stdout
    assert 'user.py:5: error: Unexpected keyword argument "nnzz"' in errors[0]
    assert "sparsefit.estimators.regressor.SparseMLPRegressor" in done.stdout
    assert 'Revealed type is "int"' in done.stdout.replace("builtins.", "")


EMPTY = "VALUE = 3\n"
HEAD = """
from dataclasses import dataclass
from typing import ClassVar
from sparsefit.core.options import option
from sparsefit.methods import Method
"""
CLASS = """
@dataclass(frozen=True, kw_only=True)
class {name}(Method):
    name: ClassVar[str] = "{name}"

    def fit(self, problem, nnz, setting):
        return None
"""
LOWER = CLASS.format(name="one")
FAULTS = {
    "empty": (EMPTY, "mine.py defines no method, which is a subclass of Method with a name"),
    "two": (
        HEAD + LOWER + CLASS.format(name="two"),
        "mine.py defines 2 methods, 'one' and 'two', where one is wanted",
    ),
    "syntax": ("def f(:\n", "mine.py cannot be loaded: line 1: invalid syntax"),
    "import": (
        "import not_there\n",
        "mine.py cannot be loaded: ModuleNotFoundError: No module named 'not_there'",
    ),
    "exit": ("raise SystemExit(3)\n", "mine.py cannot be loaded: SystemExit: 3"),
    "abstract": (
        HEAD + LOWER.replace("def fit", "def fits"),
        "method 'one' of mine.py does not define fit",
    ),
    "plain class": (
        HEAD + LOWER.replace("@dataclass(frozen=True, kw_only=True)", ""),
        "method 'one' of mine.py is not decorated @dataclass(frozen=True, kw_only=True)",
    ),
    "taken": (
        HEAD + LOWER.replace('"one"', '"pruning"'),
        "method 'pruning' of mine.py takes 'pruning', a method of sparsefit itself",
    ),
    "spelling": (
        HEAD + LOWER.replace('"one"', '"One"'),
        "method 'One' of mine.py must have a name of small letters, digits and dashes",
    ),
    "switch": (
        HEAD + LOWER + '    fraction: bool = option(False, "whether")\n',
        "--fraction is a switch for some of rigl, set, one, and takes a value for others",
    ),
    "flag": (
        HEAD + LOWER + '    workers: int = option(3, "how many")\n',
        "'one' has an option --workers, which the command has itself",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_used_is_one_sentence(command, tmp_path, fault):
    text, sentence = FAULTS[fault]
    (tmp_path / "mine.py").write_text(text)
    words = ["--task", "planted", "--method", "mine.py", "--nnz", "5"]
    assert command("run", *words) == (2, "", [f"sparsefit: {sentence}"])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("flag", "kind"), [("--method", "method"), ("--task", "task")])
def test_a_missing_file_is_one_sentence(command, flag, kind):
    sentence = f"sparsefit: the {kind} gone.py cannot be read: No such file or directory"
    assert command("run", "--task", "planted", flag, "gone.py") == (2, "", [sentence])


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that installs a package with entry points in this process."""

    def forget():
        for catalogue in (METHODS, TASKS):
            for name in ("_entries", "_loaded"):
                vars(catalogue).pop(name, None)
        sys.modules.pop("their_methods", None)

    def install(module, entries, group="sparsefit.methods"):
        folder = tmp_path / "installed"
        info = folder / "theirs-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "their_methods.py").write_text(module)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
        monkeypatch.syspath_prepend(folder)
        forget()

    yield install
    forget()


def test_methods_of_a_package_are_found_and_loaded_when_asked_for(command, package, tmp_path):
    package((tmp_path / "random_features.py").read_text(),
            {"random-features": "their_methods:RandomFeatures"})  # fmt: skip
    assert find_method("aiht").name == "aiht"
    assert "random-features" in METHODS.names()
    assert "their_methods" not in sys.modules
    assert find_method("Random_Features").name == "random-features"
    assert "random-features" in command("methods")[1]
    code, out, _ = command(
        "run", "--task", "planted", "--n-samples", "60", "--method", "random-features",
        "--candidates", "40", *GRID, "--format", "json",
    )  # fmt: skip
    assert code == 0
    assert {json.loads(line)["status"] for line in out.splitlines()} == {"finished"}


def test_tasks_of_a_package_are_found(command, package, tmp_path):
    package((tmp_path / "ripples.py").read_text(), {"ripples": "their_methods:Ripples"},
            group="sparsefit.tasks")  # fmt: skip
    assert "ripples" in command("tasks")[1]


def test_a_broken_package_is_one_sentence_and_does_not_stand_in_the_way(command, package):
    package("import not_there\n", {"theirs": "their_methods:Theirs"})
    fault = (
        "method 'theirs' of package 'theirs' cannot be loaded: ModuleNotFoundError: "
        "No module named 'not_there'"
    )
    code, out, err = command("methods")
    assert (code, err[0]) == (0, f"note: {fault}")
    assert "aiht" in out
    assert find_method("aiht").name == "aiht"
    assert command("methods", "theirs") == (2, "", [f"sparsefit: {fault}"])


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("aiht", "one", "method 'aiht' of package 'theirs' has another name in its class: 'one'"),
        ("one", "VALUE", "method 'one' of package 'theirs' is no subclass of Method"),
        (
            "htp",
            "htp",
            "method 'htp' of package 'theirs' takes 'htp', a method of sparsefit itself",
        ),
    ],
)
def test_names_of_a_package_must_be_right_and_free(package, name, value, sentence):
    package(HEAD + EMPTY + LOWER + CLASS.format(name="htp"), {name: f"their_methods:{value}"})
    with pytest.raises(SparsefitError) as caught:
        find_method(name)
    assert str(caught.value) == sentence
    assert metadata.version("theirs") == "1.0"
    assert METHODS.faults() == [sentence]


def test_help_and_listings_of_files_import_no_torch(tmp_path):
    code = (
        "import sys; from sparsefit.cli import main; main(['methods', 'random_features.py']); "
        "print([name for name in ('torch', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
