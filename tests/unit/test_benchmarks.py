"""Every benchmark runs from its first line to its last at toy size, so that none breaks unseen."""

import importlib
import re
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
NAMES += sorted(f"{path.parent.name}.__main__" for path in FOLDER.glob("*/__main__.py"))
OPTIONAL = {"onnx", "onnxruntime", "cc"}


@pytest.fixture
def _threads_as_before():
    """Benchmarks set the number of threads of the whole process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_threads_as_before")
@pytest.mark.parametrize("name", NAMES)
def test_runs_at_toy_size(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # some keep what they measured in the present folder
    try:
        benchmark = importlib.import_module(f"benchmarks.{name}")
        benchmark.main(benchmark.TOY)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else error.filename
        if missing not in OPTIONAL:
            raise
        pytest.skip(f"needs {missing}, which is not installed")
    printed = capsys.readouterr().out
    assert re.search(r"\d", printed)
    assert not re.search(r"\b(nan|inf)\b", printed), printed
