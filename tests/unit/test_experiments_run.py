"""Sweeps go on, resume, and share work."""

import math
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from sparsefit.core import memory
from sparsefit.core.device import check_device
from sparsefit.core.errors import DataError, OptionError
from sparsefit.core.network import Network
from sparsefit.core.setting import Setting
from sparsefit.experiments import Store, grid, load_rows
from sparsefit.experiments.engines import EngineOptions
from sparsefit.experiments.engines import processes as engines_module
from sparsefit.experiments.run import run_cells
from sparsefit.methods.dense import DenseTraining
from sparsefit.methods.imp import IterativeMagnitudePruning
from sparsefit.tasks.inr_image import InrImage
from tests.toys import Absent, Drawn, Full, Ones, Ramp, Together

MEASURED = ("seconds", "peak_mb")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def sweep(store, *methods, task=None, nnz=(1, 4, 2), hidden=(3,), seeds=(0,), **options):
    cells = grid([task or Ramp()], methods, hidden=hidden, nnz=nnz, seeds=seeds)
    return run_cells(cells, store, **options)


def results(rows):
    return [{name: row[name] for name in row if name not in MEASURED} for row in rows]


def test_a_row_says_what_was_asked_and_what_came_out(store):
    # Two units with one weight each on the right input: the right support, the wrong function.
    [row] = sweep(store, Ones(), nnz=[2])
    expected = {
        "task": "ramp", "method": "ones", "hidden": 3, "layers": 1, "bias": False, "skip": False,
        "nnz": 2, "seed": 0, "metric": "psnr", "nnz_found": 2, "n_params": 12, "dense": False,
        "status": "finished", "support_recall": 1.0, "support_precision": 1.0, "exact": False,
        "n_iter": 1, "note": "", "dtype": "float64", "device": "cpu", "threads": 1,
        "draw": "toy",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["task_options"] == {"n": 30}
    assert row["method_options"]["scale"] == 1.0
    assert row["seconds"] > 0
    assert 10 < row["peak_mb"] < 10_000
    problem = Ramp().load(Setting(), 1)
    network = Network.load(store.network_path(row["run_id"]))
    mse = np.mean((network.predict(problem.X_test) - problem.y_test) ** 2)
    assert row["value"] == pytest.approx(-10 * math.log10(mse))


def test_exact_recovery_is_recognised(store):
    exact, inexact = sweep(store, Ones(), nnz=[1, 2])
    assert (exact["exact"], inexact["exact"]) == (True, False)
    assert exact["value"] > 100


def test_rows_come_in_the_order_of_the_grid_and_are_on_disk_when_reported(store):
    seen = []

    def check(row):
        assert row in load_rows(store.folder)
        seen.append(row["nnz"])

    rows = sweep(store, Together(), nnz=[1, 4, 2], on_row=check)
    assert [row["nnz"] for row in rows] == [1, 4, 2]
    assert seen == [4, 2, 1]


def test_a_rerun_computes_only_what_is_missing(store, monkeypatch):
    before = sweep(store, Ones(), nnz=[1, 2])
    calls = []
    path = Ones.path
    monkeypatch.setattr(
        Ones, "path", lambda self, p, budgets, s: calls.append(budgets) or path(self, p, budgets, s)
    )
    after = sweep(store, Ones(), nnz=[1, 3, 2])
    assert calls == [[3]]
    assert [after[0], after[2]] == before


def test_one_path_serves_all_budgets_unless_the_data_depend_on_them(store):
    assert [row["n_iter"] for row in sweep(store, Together())] == [3, 3, 3]
    assert [row["n_iter"] for row in sweep(store, Together(), task=Drawn())] == [1, 1, 1]


def test_data_are_loaded_once_for_consecutive_cells(store, monkeypatch):
    seeds = []
    load = Ramp.load
    monkeypatch.setattr(
        Ramp,
        "load",
        lambda self, setting, nnz: seeds.append(setting.seed) or load(self, setting, 1),
    )
    sweep(store, Ones(), Together(), task=Ramp(n=31), hidden=[1, 2], seeds=[5, 6])
    assert seeds == [5, 6]


def test_workers_give_the_same_rows(store, tmp_path):
    here = sweep(store, Ones(), Together(), Full(), seeds=[0, 1])
    reported = []
    apart = sweep(
        Store(tmp_path / "apart"), Ones(), Together(), Full(), seeds=[0, 1],
        engine=EngineOptions(workers=2), on_row=reported.append,
    )  # fmt: skip
    assert results(apart) == results(here)
    assert len(reported) == len(apart) == 14
    names = sorted(path.name for path in (store.folder / "networks").iterdir())
    for name in names:
        other = tmp_path / "apart" / "networks" / name
        assert other.read_bytes() == (store.folder / "networks" / name).read_bytes()


def test_no_more_workers_start_than_there_is_work_for(store, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)
    started = []
    processes = engines_module.Processes
    monkeypatch.setattr(
        engines_module, "Processes", lambda n, threads: started.append(n) or processes(n, threads)
    )
    for nnz in ([1], [1], [2, 3]):
        sweep(store, Ones(), nnz=nnz, engine=EngineOptions(workers=100))
    assert started == [2]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_failing_cell_is_a_row_and_the_sweep_goes_on(store):
    rows = sweep(store, Ones(trouble="raise", at=4))
    assert [row["status"] for row in rows] == ["finished", "failed", "finished"]
    failed = rows[1]
    assert failed["note"] == "ZeroDivisionError: toy trouble"
    assert failed["value"] is failed["nnz_found"] is failed["seconds"] is None
    log = store.folder / "logs" / f"{failed['run_id']}.txt"
    assert "Traceback" in log.read_text()


def test_a_shared_path_that_breaks_keeps_what_it_gave_before(store):
    rows = sweep(store, Together(trouble="raise", at=2))
    assert {row["nnz"]: row["status"] for row in rows} == {4: "finished", 2: "failed", 1: "failed"}


def test_failed_cells_are_tried_again(store, monkeypatch):
    sweep(store, Ones(trouble="raise", at=4))
    monkeypatch.setattr(Ones, "_make_trouble", lambda self: 0)
    rows = sweep(store, Ones(trouble="raise", at=4))
    assert [row["status"] for row in rows] == ["finished"] * 3


@pytest.mark.parametrize(
    ("trouble", "note"),
    [
        ("over", "method 'ones' gave 5 nonzeros for a budget of 4"),
        ("hide", "the method gave no network for this budget"),
    ],
)
def test_a_method_that_breaks_its_promise_fails(store, trouble, note):
    row = sweep(store, Ones(trouble=trouble, at=4))[1]
    assert (row["status"], row["note"]) == ("failed", note)


def test_a_method_that_does_not_fit_the_task_is_skipped_with_its_reason(store):
    rows = sweep(store, Ones(trouble="refuse"))
    assert {(row["status"], row["note"]) for row in rows} == {
        ("skipped", "method 'ones' does not fit this")
    }
    assert all(row["value"] is None for row in rows)


def test_a_cell_without_sensible_data_is_skipped(store):
    rows = sweep(store, Ones(), task=Drawn(), nnz=[12, 13])
    assert [row["status"] for row in rows] == ["finished", "skipped"]
    assert rows[1]["note"] == "no luck with 13"


def test_missing_files_stop_everything_before_anything_is_written(store):
    cells = grid([Ramp(), Absent()], [Ones()], hidden=[2], nnz=[1])
    with pytest.raises(DataError, match=r"absent\.bin"):
        run_cells(cells, store)
    assert not store.folder.exists()


def test_a_fault_in_a_task_is_a_row(store, monkeypatch):
    monkeypatch.setattr(Ramp, "load", lambda *_: 1 / 0)
    [row] = sweep(store, Ones(), task=Ramp(n=32), nnz=[1])
    assert (row["status"], row["note"]) == ("failed", "ZeroDivisionError: division by zero")


def test_a_budget_beyond_the_parameters_is_dense_and_says_so(store):
    below, at, above = sweep(store, Ones(), nnz=[11, 12, 500])
    assert [row["dense"] for row in (below, at, above)] == [False, True, True]
    assert "the network is dense" in above["note"]
    assert (above["nnz"], above["nnz_found"]) == (500, 12)


def test_a_method_without_a_budget_reports_what_it_used(store):
    [row] = sweep(store, Full(), nnz=[])
    assert (row["nnz"], row["nnz_found"], row["dense"], row["dtype"]) == (12, 12, True, "float32")


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_ends_at_the_whole_and_never_goes_back(store, workers):
    seen = []
    sweep(
        store,
        Ones(),
        engine=EngineOptions(workers=workers),
        on_progress=lambda share, text: seen.append((share, text)),
    )
    shares = [share for share, _ in seen]
    assert seen[-1] == (1.0, "3 of 3 cells")
    assert shares == sorted(shares)
    assert seen[0][1].startswith("0 of 3 cells")


def test_threads_are_put_back(store):
    before = torch.get_num_threads()
    cells = grid([Ramp()], [Ones()], hidden=[2], nnz=[1], setting=Setting(threads=2))
    run_cells(cells, store)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda0", ""])
def test_unknown_devices(device):
    with pytest.raises(OptionError, match="device must be cpu, cuda, cuda:N or mps"):
        check_device(device)


def test_devices_that_are_not_there(monkeypatch, store):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    cells = grid([Ramp()], [Ones()], hidden=[2], nnz=[1], setting=Setting(device="cuda"))
    with pytest.raises(OptionError, match="torch finds no CUDA device"):
        run_cells(cells, store)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device("cuda:1")
    with pytest.raises(OptionError, match="cuda:0 to cuda:1 on this machine"):
        check_device("cuda:2")


# Data in files.


def draw_picture(path, shade):
    Image.new("L", (4, 4), shade).save(path)


def test_another_picture_under_the_same_name_is_another_run(store, tmp_path):
    path = tmp_path / "me.png"
    rows = []
    for shade in (50, 200, 200, 50):
        draw_picture(path, shade)
        task = InrImage(file=str(path), n_embedding=4)
        rows += sweep(store, Ones(), task=task, nnz=[1])
    first, second, again, back = rows
    assert first["data"] != second["data"]
    assert first["value"] != second["value"]
    assert (again, back) == (second, first)
    assert len(load_rows(store.folder)) == 2


def test_files_that_are_missing_are_named_before_anything_is_written(store, tmp_path):
    with pytest.raises(DataError, match=r"gone\.png"):
        sweep(store, Ones(), task=InrImage(file=str(tmp_path / "gone.png")))
    assert not store.folder.exists()


# What machines can do.


def test_dense_networks_beyond_the_memory_are_skipped_with_the_reason(store, monkeypatch):
    monkeypatch.setattr(memory, "total_bytes", lambda device: 5 * 4 * (4 * 3 + 3))
    methods = DenseTraining(epochs=1), IterativeMagnitudePruning(epochs=1)
    fits = sweep(store, *methods, nnz=[2], hidden=[3])
    assert {row["status"] for row in fits} == {"finished"}
    for row in sweep(store, *methods, nnz=[2], hidden=[4]):
        assert row["status"] == "skipped"
        assert f"method {row['method']!r} trains a dense network, whose 20 weights" in row["note"]


def test_the_memory_of_this_machine():
    assert 2**28 < memory.total_bytes("cpu") < 2**50


# Networks.


def test_a_row_without_its_network_is_computed_again(store):
    before = sweep(store, Ones(), nnz=[1, 2])
    path = store.network_path(before[1]["run_id"])
    content = path.read_bytes()
    path.unlink()
    notes = []
    after = sweep(store, Ones(), nnz=[1, 2], on_note=notes.append)
    assert path.read_bytes() == content
    assert results(after) == results(before)
    assert notes == [f"{path} is missing; computed again"]


def test_a_skipped_cell_needs_no_network(store):
    [before] = sweep(store, Ones(trouble="refuse"), nnz=[1])
    notes = []
    assert sweep(store, Ones(trouble="refuse"), nnz=[1], on_note=notes.append) == [before]
    assert notes == []


def test_a_method_without_a_budget_keeps_the_budget_of_its_problem(store):
    rows = sweep(store, Full(), task=Drawn(), nnz=[3, 5])
    assert [(row["nnz"], row["nnz_found"]) for row in rows] == [(3, 12), (5, 12)]
