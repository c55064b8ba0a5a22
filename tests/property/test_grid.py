"""Grids list every combination once, in the order asked for."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sparsefit.experiments import grid
from sparsefit.experiments.jobs import group
from tests.toys import Full, Ones, Ramp, Together

axis = st.lists(st.integers(1, 30), min_size=1, max_size=3)
methods = st.lists(st.sampled_from([Ones(), Together(), Full()]), min_size=1, max_size=4)
tasks = st.lists(st.sampled_from([Ramp(), Ramp(n=7)]), min_size=1, max_size=3)
grids = st.builds(
    lambda tasks, methods, hidden, nnz, seeds: (tasks, methods, hidden, nnz, seeds),
    tasks, methods, axis, axis, axis,
)  # fmt: skip


def make(axes):
    tasks, methods, hidden, nnz, seeds = axes
    return grid(tasks, methods, hidden=hidden, nnz=nnz, seeds=seeds)


def unique(items):
    return list(dict.fromkeys(items))


@settings(max_examples=30, deadline=None)
@given(grids)
def test_every_combination_is_there_once(axes):
    tasks, methods, hidden, nnz, seeds = axes
    cells = make(axes)
    budgets = {m: [None] if not m.uses_budget else unique(nnz) for m in methods}
    expected = [
        (task, seed, method, width, budget)
        for task in unique(tasks)
        for seed in unique(seeds)
        for method in unique(methods)
        for width in unique(hidden)
        for budget in budgets[method]
    ]
    keys = [(c.task, c.setting.seed, c.method, c.setting.hidden, c.nnz) for c in cells]
    assert keys == expected
    assert len({cell.run_id for cell in cells}) == len(cells)


@settings(max_examples=30, deadline=None)
@given(grids)
def test_jobs_hold_every_cell_once_and_share_all_but_the_budget(axes):
    cells = make(axes)
    jobs = list(group(cells))
    assert sorted(cell.run_id for job in jobs for cell in job) == sorted(c.run_id for c in cells)
    for job in jobs:
        assert len({(cell.task, cell.method, cell.setting) for cell in job}) == 1
        assert len(job) == 1 or job[0].method.shares_path


@settings(max_examples=30, deadline=None)
@given(grids)
def test_a_larger_grid_holds_the_smaller_ones_runs(axes):
    tasks, methods, hidden, nnz, seeds = axes
    larger = make((tasks, methods, [*hidden, 31], [*nnz, 32], [*seeds, 33]))
    assert {cell.run_id for cell in make(axes)} <= {cell.run_id for cell in larger}
