"""The example commands of MLP-IHT run as they are, ``python runner.py`` being ``sparsefit run``.

Their grids are scaled down by appended flags, as later flags win.
"""

import itertools
import json
import struct

import numpy as np
import pytest

from sparsefit.cli import main
from sparsefit.tasks import list_tasks

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
    rng = np.random.default_rng(0)
    for part in ("train", "t10k"):
        images = rng.integers(0, 256, (40, 28, 28), dtype=np.uint8)
        header = struct.pack(">4I", 0x803, *images.shape)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = np.arange(40, dtype=np.uint8) % 10
        header = struct.pack(">2I", 0x801, len(labels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    batches = folder / "cifar-10-batches-bin"
    batches.mkdir()
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        records = rng.integers(0, 256, (10, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(10)
        (batches / f"{name}.bin").write_bytes(records.tobytes())
    return folder


@pytest.mark.parametrize(
    ("example", "method"), list(itertools.product(EXAMPLES, ["aiht", "pruning"])), ids=str
)
def test_an_example_command_runs(example, method, data_dir, tmp_path, monkeypatch, capsys):
    task, widths, budgets, flags = example
    names = {name for cls in list_tasks().values() for name in (cls.name, *cls.aliases)}
    if task.replace("_", "-") not in names:
        pytest.skip(f"there is no task {task} yet")
    monkeypatch.chdir(tmp_path)
    words = (
        f"run --task {task} --method {method} --mlist {widths} --slist {budgets} "
        f"--seedlist 0 1 2 {flags} --save_results {SMALLER}"
    ).split()
    if "planted" not in task:
        words += ["--data-dir", str(data_dir)]
    assert main(words) == 0
    [row] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row["status"] in ("finished", "converged")
    assert row["nnz_found"] <= row["nnz"] == 40
    assert len(list((tmp_path / "runs" / "rows").iterdir())) == 1
