"""The clock of a cell starts after imports and warm-up, so that the first is not the slowest."""

import subprocess
import sys

import pytest

# Modules that a fit loads, and that its time must not contain.
HEAVY = {
    "aiht": ["sparsefit.solvers.layerwise"],
    "splice": ["sparsefit.gauss_newton.recovery", "scipy.optimize"],
    # Either of splice and a method that torch trains.
    "auto": ["sparsefit.gauss_newton.recovery", "sparsefit.dense.trainer", "torch._dynamo"],
}


@pytest.mark.parametrize("name", HEAVY)
def test_what_a_fit_loads_is_there_before_it(name):
    code = (
        "import sys, torch\n"
        "from sparsefit import Setting, find_method, find_task\n"
        f"find_method({name!r})().warm_up()\n"
        f"print([m for m in {HEAVY[name]!r} if m not in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_cell_is_warmed_up_before_its_clock_starts(monkeypatch, tmp_path):
    from sparsefit.experiments import jobs, run
    from sparsefit.experiments.spec import grid
    from sparsefit.experiments.store import Store
    from tests import toys

    toys.install(monkeypatch.setattr)
    order = []
    monkeypatch.setattr(toys.Ones, "warm_up", lambda self: order.append("warm"))
    timed = jobs._timed
    monkeypatch.setattr(jobs, "_timed", lambda items: order.append("clock") or timed(items))
    cells = grid([toys.Ramp()], [toys.Ones()], hidden=[2], nnz=[1])
    run.run_cells(cells, Store(tmp_path))
    assert order == ["warm", "clock"]
