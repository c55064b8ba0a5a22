"""What theorems look at, measured on a sweep."""

import csv
from pathlib import Path

import numpy as np
import pytest

from sparsefit import Setting, load_rows
from sparsefit.cli import main
from sparsefit.core.errors import SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.experiments.theory import theory_of, with_theory
from sparsefit.tasks.planted import Planted

SWEEP = [
    "run", "--task", "planted", "--method", "splice", "dense", "--hidden", "3", "--nnz", "6",
    "--n-samples", "40", "200", "--n-features", "8", "--n-test", "20", "--epochs", "1",
    "--restarts", "0", "--quiet",
]  # fmt: skip


def test_eigenvalues_and_patterns_are_those_of_the_gated_columns():
    truth = Network((Layer(np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])),), fused=True)
    X = np.random.default_rng(0).normal(size=(50, 3))
    found = theory_of(Problem(X, truth.predict(X), truth=truth))
    A = np.stack([X[:, 0] * (X[:, 0] > 0), X[:, 1] * (X[:, 1] > 0)], axis=1)
    values = np.linalg.eigvalsh(A.T @ A / 50)
    assert (found.alpha, found.beta) == pytest.approx((values[0], values[-1]))
    active = X[:, :2] > 0
    assert found.least_share == pytest.approx(active.mean(axis=0).min())
    assert found.nearest == pytest.approx((active[:, 0] != active[:, 1]).mean())
    assert (found.n, found.ratio) == (50, pytest.approx(values[-1] / values[0]))


def test_there_is_nothing_to_measure_without_a_true_relu_network():
    problem = Planted(n_samples=30, n_features=4).load(Setting(hidden=2, activation="tanh"), 6)
    assert theory_of(problem) is None
    assert theory_of(Problem(problem.X, problem.y)) is None


def test_the_command_writes_a_table_and_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*SWEEP, "--out", "grid"]) == 0
    capsys.readouterr()
    assert main(["theory", "grid", "--format", "svg"]) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == ["grid/theory.csv", "grid/figures/theory.svg"]
    assert "4 results with a true network" in printed.err
    with Path("grid/theory.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["n"] for row in rows) == ["200", "200", "40", "40"]
    by_n = {row["n"]: row for row in rows}
    problem = Planted(n_samples=40, n_features=8).load(Setting(hidden=3), 6)
    assert float(by_n["40"]["alpha"]) == theory_of(problem).alpha
    assert "PSNR" in (tmp_path / "grid/figures/theory.svg").read_text()


def test_methods_share_a_problem_that_is_made_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main([*SWEEP, "--out", "grid"])
    made = []
    monkeypatch.setattr(
        "sparsefit.experiments.theory.load_problem",
        lambda cell: made.append(cell) or cell.task.load(cell.setting, cell.nnz),
    )
    rows = with_theory(load_rows("grid"))
    assert (len(rows), len(made)) == (4, 2)


def test_a_folder_without_true_networks_is_refused_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["run", "--task", "digits", "--method", "dense", "--epochs", "1", "--quiet"]
    main([*words, "--out", "grid"])
    with pytest.raises(SparsefitError, match="true ReLU network"):
        with_theory(load_rows("grid"))
    assert main(["theory", "grid"]) == 2
    assert not list((tmp_path / "grid").glob("theory*"))
