"""Who computes which cell: one at a time, and whoever is left where the others are gone."""

import subprocess
import sys
import threading

import pytest

from sparsefit import Setting
from sparsefit.experiments import Store
from sparsefit.experiments.claims import Claims
from sparsefit.experiments.engines import EngineOptions
from sparsefit.experiments.run import run_cells
from sparsefit.experiments.spec import Cell, grid
from tests.toys import Ones, Ramp


@pytest.fixture
def cells():
    return [Cell(Ramp(), Ones(), Setting(hidden=3), nnz) for nnz in (1, 2, 3)]


def test_a_claimed_cell_is_nobody_elses(tmp_path, cells):
    claims = Claims(tmp_path)
    with claims.holding(cells[:2]) as mine, claims.holding(cells) as others:
        assert (mine, others) == (cells[:2], cells[2:])
    with claims.holding(cells) as again:
        assert again == cells
    assert not list((tmp_path / "claims").iterdir())


def test_the_claim_of_a_process_that_was_killed_ends_at_once(tmp_path, cells):
    path = tmp_path / "claims" / f"{cells[0].run_id}.lock"
    path.parent.mkdir()
    script = (
        "import os, signal, sys; from filelock import SoftFileLease\n"
        "lease = SoftFileLease(sys.argv[1], lease_duration=60); lease.acquire()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], timeout=60)
    assert path.exists()
    assert Claims(tmp_path).until_one_is_free(cells[:1]) == cells[0]


def test_a_cell_of_another_run_is_waited_for(tmp_path):
    cells = grid([Ramp()], [Ones()], hidden=[3], nnz=[1, 2, 3])
    claims, began, rows = Claims(tmp_path), threading.Event(), []

    def other():
        rows.extend(run_cells(cells, Store(tmp_path), on_row=lambda row: began.set()))

    with claims.holding(cells[1:2]):
        thread = threading.Thread(target=other)
        thread.start()
        assert began.wait(30)
        assert thread.is_alive()
    thread.join(30)
    assert [row["nnz"] for row in rows] == [1, 2, 3]
    assert {row["status"] for row in rows} == {"finished"}


def test_what_a_killed_run_had_begun_to_write_is_removed(tmp_path):
    cells = grid([Ramp()], [Ones()], hidden=[3], nnz=[1, 2])
    (tmp_path / "rows").mkdir()
    begun = [tmp_path / "rows" / f".{cell.run_id}.json.0123456789ab.tmp" for cell in cells]
    for path in begun:
        path.write_text("{")
    with Claims(tmp_path).holding(cells[:1]):  # by a run that is alive
        thread = threading.Thread(target=run_cells, args=(cells, Store(tmp_path)))
        thread.start()
        for _ in range(300):
            if not begun[1].exists():
                break
            threading.Event().wait(0.1)
        assert (begun[0].exists(), begun[1].exists()) == (True, False)
    thread.join(30)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"engine": "dask"}, "address"), ({"address": "local"}, "address"),
     ({"engine": "slurm", "address": "tcp://a:1"}, "address"), ({"max_memory": "a lot"},
     "max_memory"), ({"workers": 0}, "workers"), ({"minutes": 0}, "minutes")],
)  # fmt: skip
def test_engines_are_asked_for_sensibly(options, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        EngineOptions(**options)
