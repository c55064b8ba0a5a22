"""The commands and the Python of the README are understood as they stand there."""

import re
from pathlib import Path

import pytest

import sparsefit
from sparsefit.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
# Indented examples, and commands within sentences and tables that name no placeholder.
NAMES = ("run",)  # a command's name alone asks for nothing
COMMANDS = [
    *re.findall(r"^ {4}sparsefit (.+)$", README, re.MULTILINE),
    *(
        words
        for words in re.findall(r"`sparsefit ([^`]+)`", README)
        if words not in NAMES and not re.search("[A-Z]", words)
    ),
]
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_is_understood(words, monkeypatch, tmp_path, capsys):
    asked = []
    monkeypatch.setattr(
        "sparsefit.cli._sweep.run_sweep", lambda cells, **_: asked.extend(cells) or []
    )
    monkeypatch.setattr(
        "sparsefit.figures.draw.draw_all", lambda folder, *_, **__: [folder / "a.png"]
    )
    monkeypatch.setattr("sparsefit.pages.write_sweep_report", lambda folder, **_: folder)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    short = ["--epochs", "1", "--steps-per-epoch", "2", "--ramp-steps", "1"]
    command = words.split()[0]
    if command == "evaluate":
        assert main(["train", "--out", words.split()[1], *short]) == 0
    words = words.split() + (short if command == "train" else [])
    assert main(words) == 0, capsys.readouterr().err
    assert asked or command not in ("run", "reproduce")


def test_the_commands_are_found():
    assert len(COMMANDS) >= 8
    assert len(PYTHON) == 6


@pytest.mark.parametrize("code", PYTHON)
def test_python_runs(code, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    words = "run --task planted --n-samples 50 --n-features 5 --n-test 0 --hidden 2 --nnz 3"
    assert main(words.split()) == 0
    capsys.readouterr()
    names = {}
    exec(code, names)
    if "table" in names:
        assert list(names["table"]["nnz_found"]) == [3]
    elif "SparseMLPRegressor" in names:
        assert names["model"].n_nonzero_ <= 30
        assert names["model"].score(names["X"], names["y"]) > 0.4
        assert (tmp_path / "diabetes.safetensors").is_file()
    elif "small" in names:
        before, after = names["small"].compression.bytes
        assert after < before / 20
        assert names["small"].compression.error < 1e-4
        assert (tmp_path / "small.pt").stat().st_size < 500_000
        assert "digits_predict(const float *x, float *out)" in (tmp_path / "digits.h").read_text()
    elif "model" in names:
        layers = sparsefit.summary(names["model"]).layers
        kept = sum(int((names["model"].get_submodule(at.name).weight != 0).sum()) for at in layers)
        assert kept == {3: 54 + 160, 2: 67}[len(layers)]
    else:
        assert capsys.readouterr().out.split() == ["10", "finished", "10", "20", "finished", "20"]
