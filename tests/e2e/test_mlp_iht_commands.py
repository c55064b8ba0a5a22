"""The example commands of MLP-IHT run as they are, ``python runner.py`` being ``sparsefit run``.

Their grids are scaled down by appended flags, as later flags win.
"""

import itertools
import json

import numpy as np
import pytest

from sparsefit.cli import main
from tests.image_files import write_cifar, write_idx_set

WIDE = "1 2 5 10 20 50 100 200 500 1000"
NARROW = "2 5 10 20 50 100 200 500 1000"
IMAGE = "2 5 10 20 50 100 200"
TENS = "10 20 50 100 200 500 1000"
SMALL = "1 2 5 10 20 50 100 200"
COLOUR = "5 10 20 50 100 200 500 1000 2000"

# Task, widths, budgets, further flags.
EXAMPLES = [
    ("mlp_planted", WIDE, WIDE, "--num_epochs 15"),
    ("mlp_planted", NARROW, TENS, "--num_epochs 15 --num_layers 2"),
    ("mlp_planted", WIDE, WIDE, "--num_epochs 100 --batch_size 5000 --output_dim 10"),
    (
        "mlp_planted", NARROW, TENS,
        "--num_epochs 100 --batch_size 5000 --num_layers 2 --output_dim 10",
    ),
    ("binary_mnist", WIDE, SMALL, "--num_epochs 15 --batch_size 1000"),
    ("mnist", TENS, "100 200 500 1000 2000", "--num_epochs 50 --batch_size 5000"),
    ("inr_mnist", IMAGE, NARROW, "--num_epochs 100"),
    ("inr_mnist", IMAGE, NARROW, "--num_epochs 100 --num_layers 2"),
    ("inr_cifar10", SMALL, COLOUR, "--num_epochs 100"),
    ("inr_cifar10", SMALL, COLOUR, "--num_epochs 100 --num_layers 2"),
]  # fmt: skip
SMALLER = "--mlist 3 --slist 40 --seedlist 0 --num_epochs 1 --nmeasurements 60"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Return a folder with files of MNIST and CIFAR-10 in their formats, with few images."""
    folder = tmp_path_factory.mktemp("data")
    labels = np.arange(40) % 10
    write_idx_set(folder, labels, labels)
    write_cifar(folder / "cifar-10-batches-bin")
    return folder


@pytest.mark.parametrize(
    ("example", "method"), list(itertools.product(EXAMPLES, ["aiht", "pruning"])), ids=str
)
def test_an_example_command_runs(example, method, data_dir, tmp_path, monkeypatch, capsys):
    task, widths, budgets, flags = example
    monkeypatch.chdir(tmp_path)
    words = (
        f"run --task {task} --method {method} --mlist {widths} --slist {budgets} "
        f"--seedlist 0 1 2 {flags} --save_results {SMALLER}"
    ).split()
    if "planted" not in task:
        words += f"--data-dir {data_dir} --train-per-class 5 --test-per-class 3 --image 1".split()
    assert main(words) == 0
    [row] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row["status"] in ("finished", "converged")
    # Their ``pruning`` is imp as the paper trains it.
    assert row["method"] == method.replace("pruning", "imp")
    again = [word.replace("pruning", "imp") for word in words]
    if method == "pruning":
        assert main([*again, "--protocol", "paper"]) == 0
        assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [row]
    assert row["nnz_found"] <= row["nnz"] == 40
    assert len(list((tmp_path / "runs" / "rows").iterdir())) == 1
