"""Intervals of success rates, success against the number of rows, scores against seconds."""

from __future__ import annotations

import json

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from sparsefit.experiments.metrics import METRICS
from sparsefit.figures._style import SETTINGS
from sparsefit.figures.axis import find_axes, scores_along
from sparsefit.figures.draw import draw_all
from sparsefit.figures.heatmaps import success_rate
from sparsefit.figures.options import FigureOptions
from sparsefit.figures.panels import make_panels
from sparsefit.figures.phase import phase_diagram, phase_panels
from sparsefit.figures.rates import Rate
from sparsefit.figures.timing import has_times, score_against_time
from tests.unit.test_figures import make_row, put_rows


def sampled(n_samples, **changes):
    return make_row(task_options={"n_samples": n_samples, "n_outputs": 1}, **changes)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Wilson's formula with z = 1.96: (k + z²/2 ± z sqrt(k(n - k)/n + z²/4)) / (n + z²).
    [(3, 3, 0.4385, 1.0), (0, 3, 0.0, 0.5615), (1, 2, 0.0945, 0.9055), (17, 18, 0.7424, 0.9901)],
)
def test_intervals_are_wilsons(successes, trials, low, high):
    assert Rate(successes, trials).interval == pytest.approx((low, high), abs=1e-4)


def test_what_is_at_the_threshold_counts_as_good_whichever_way_is_up():
    assert Rate.of(np.array([29.0, 30.0, 31.0]), METRICS["psnr"], 30.0) == Rate(2, 3)
    assert Rate.of(np.array([1e-7, 1e-6, 1e-5]), METRICS["relative-error"], 1e-6) == Rate(2, 3)


def test_cells_of_success_have_the_mark_for_fewer_seeds():
    rows = [make_row(), make_row(seed=1, status="failed")]
    [panel] = make_panels(rows)
    figure = success_rate(panel, panel.series[0], "value", 30.0)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0/1\n[0, 0.79]*"]


def test_phases_need_a_cell_with_several_numbers_of_rows():
    assert phase_panels([sampled(100), sampled(200, nnz=10), make_row(nnz=20)]) == []
    [panel] = phase_panels([sampled(100), sampled(200), sampled(200, nnz=10)])
    assert panel.title == "planted"


def test_scores_are_drawn_along_every_option_that_differs():
    rows = [sampled(n, seed=seed, value=n / 10 + seed) for n in (50, 100, 400) for seed in (0, 2)]
    rows += [sampled(n, method="imp", value=7.0) for n in (50, 100)]
    [axis] = find_axes(rows)
    assert (axis.name, axis.values, axis.is_wide) == ("n_samples", [50, 100, 400], True)
    figure = scores_along(axis, "value")
    [axes] = figure.axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert lines == {"aiht": [[50, 6], [100, 11], [400, 41]], "imp": [[50, 7], [100, 7]]}
    assert axes.get_xscale() == "log"
    noisy = [make_row(task_options={"noise_db": db}) for db in (None, 20.0, 40.0)]
    [axis] = find_axes(noisy)
    assert axis.values == [20.0, 40.0]
    assert find_axes(noisy[:2]) == find_axes([sampled(50)]) == []


def test_phases_have_the_lines_of_counting_and_of_compressed_sensing():
    options = {"n_features": 100, "n_outputs": 1}
    rows = [make_row(hidden=10, nnz=20, task_options=options | {"n_samples": n}) for n in (40, 80)]
    [panel] = phase_panels(rows)
    [axes] = phase_diagram(panel, "value", 30.0).axes
    upright = [
        line.get_xdata()[0] for line in axes.lines if line.get_xdata()[0] == line.get_xdata()[-1]
    ]
    assert sorted(upright) == pytest.approx([1, 2, 2 * np.log(50)])


def test_other_options_and_depths_have_phases_of_their_own():
    rows = [sampled(n, layers=layers) for n in (50, 100) for layers in (1, 2)]
    titles = [panel.title for panel in phase_panels(rows)]
    assert titles == ["planted (layers 1)", "planted (layers 2)"]


def test_a_phase_diagram_has_the_share_of_seeds_at_rows_per_nonzero():
    rows = [
        sampled(n, seed=seed, value=value)
        for n, values in ((50, (20.0, 20.0)), (500, (20.0, 160.0)), (5000, (160.0, 160.0)))
        for seed, value in enumerate(values)
    ]
    [panel] = phase_panels([*rows[::-1], sampled(50, method="imp", nnz=10)])
    figure = phase_diagram(panel, "value", 100.0)
    assert [axes.get_title() for axes in figure.axes] == ["aiht", "imp"]
    line = figure.axes[0].containers[0].lines[0]
    assert line.get_xydata().tolist() == [[10.0, 0.0], [100.0, 0.5], [1000.0, 1.0]]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["m 2, s 5", "m 2, s 10"]


def test_rows_without_a_score_or_a_budget_are_left_out_of_phases():
    rows = [sampled(50), sampled(100), sampled(200, status="failed"), sampled(400, nnz=None)]
    [panel] = phase_panels(rows)
    line = phase_diagram(panel, "value", 30.0).axes[0].containers[0].lines[0]
    assert line.get_xdata().tolist() == [10.0, 20.0]


def test_every_scored_cell_is_a_point_over_its_seconds():
    rows = [
        make_row(seconds=0.5),
        make_row(seconds=2.0, seed=1, value=30.0),
        make_row(seconds=None, seed=2, status="failed"),
        make_row(method="dense", seconds=4.0, value=50.0),
    ]
    [panel] = make_panels(rows)
    [axes] = score_against_time(panel, "value").axes
    assert axes.get_xscale() == "log"
    points = {each.get_label(): each.get_offsets().tolist() for each in axes.collections}
    assert points == {"aiht": [[0.5, 20.0], [2.0, 30.0]], "dense": [[4.0, 50.0]]}


def test_rows_that_do_not_tell_their_seconds_have_no_figure_of_time():
    [panel] = make_panels([make_row()])
    assert not has_times(panel, "value")


def test_both_are_drawn_when_the_rows_allow(tmp_path):
    rows = [sampled(n, nnz=nnz, seconds=0.1) for n in (50, 100) for nnz in (5, 10)]
    exact = FigureOptions(threshold=100.0)
    names = {path.name for path in draw_all(put_rows(tmp_path, rows), options=exact)}
    assert {"phase-planted.png", "time-planted-n-samples-50.png"} <= names
    for path in (tmp_path / "rows").iterdir():
        row = json.loads(path.read_text())
        path.write_text(json.dumps(row | {"task_options": {"n_samples": 50}}))
    names = {path.name for path in draw_all(tmp_path, tmp_path / "again")}
    assert not {name for name in names if name.startswith("phase")}


@pytest.mark.parametrize("n_methods", [1, 3])
def test_nothing_is_cut_off(n_methods):
    long = {"score": "pruned", "schedule": "constant"}
    rows = [
        sampled(n, method="imp", nnz=s, method_options=long | {"lr": lr}, seconds=n, layers=layers)
        for n in (10, 100)
        for s in (5, 10, 20, 50, 100, 200, 500)
        for lr in range(n_methods)
        for layers in (1, 2)
    ]
    panel = phase_panels(rows)[0]
    with mpl.rc_context(SETTINGS):
        for figure in (phase_diagram(panel, "value", 30.0), score_against_time(panel, "value")):
            FigureCanvasAgg(figure).draw()
            titles = [figure._suptitle, *figure.legends]
            titles += [text for axes in figure.axes for text in (axes.title, axes.xaxis.label)]
            for box in (title.get_window_extent() for title in titles):
                assert box.x0 >= figure.bbox.x0 - 1
                assert box.x1 <= figure.bbox.x1 + 1
                assert box.y0 >= figure.bbox.y0 - 1
                assert box.y1 <= figure.bbox.y1 + 1
