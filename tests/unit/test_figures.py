"""What figures show: panels and series of rows, grids of numbers and marks, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from PIL import Image

from sparsefit.core.errors import SparsefitError
from sparsefit.core.problem import Problem
from sparsefit.figures import FORMATS
from sparsefit.figures._style import EXACT, SETTINGS
from sparsefit.figures.curves import curves
from sparsefit.figures.draw import draw_all
from sparsefit.figures.heatmaps import comparison, heatmap, make_grid, success_rate
from sparsefit.figures.images import fitted_images
from sparsefit.figures.options import FigureOptions
from sparsefit.figures.panels import make_panels
from sparsefit.figures.summary import summary


def make_row(**changes: Any) -> dict[str, Any]:
    row = {
        "task": "planted", "method": "aiht", "hidden": 2, "layers": 1, "bias": False, "nnz": 5,
        "seed": 0, "metric": "psnr", "value": 20.0, "train_value": 21.0, "constant_value": 10.0,
        "constant_train_value": 10.0, "status": "finished", "task_options": {},
        "method_options": {},
    }  # fmt: skip
    row |= changes
    if row["status"] in ("skipped", "failed"):
        row |= {"value": None, "train_value": None, "metric": None}
    key = [row[name] for name in ("task", "method", "hidden", "nnz", "seed")]
    return {"run_id": "-".join(map(str, key)) + str(sorted(row["method_options"].items())), **row}


def put_rows(folder, rows):
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(rows):
        row = row | {"run_id": f"r{number}"}
        (folder / "rows" / f"r{number}.json").write_text(json.dumps(row))
    return folder


def texts_of(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_cell_is_the_mean_over_its_seeds():
    rows = [make_row(seed=0, value=20.0), make_row(seed=1, value=23.0), make_row(nnz=10, value=1.0)]
    [panel] = make_panels(rows)
    grid = make_grid(panel, panel.series[0], "value", np.mean)
    assert (grid.hidden, grid.nnz) == ([2], [5, 10])
    assert grid.values.tolist() == [[21.5, 1.0]]


def test_widths_and_budgets_go_up_whatever_the_order_of_rows():
    rows = [make_row(hidden=m, nnz=s, value=m * s) for m in (10, 2) for s in (100, 20, 3)]
    [panel] = make_panels(rows)
    grid = make_grid(panel, panel.series[0], "value", np.mean)
    assert grid.values.tolist() == [[6, 40, 200], [30, 200, 1000]]


def test_skipped_failed_and_missing_cells_have_marks_of_their_own_and_no_number():
    rows = [
        make_row(nnz=1, status="skipped"),
        make_row(nnz=2, status="failed"),
        make_row(nnz=3, method="imp"),
        make_row(nnz=4),
        make_row(nnz=4, seed=1, status="failed"),
    ]
    [panel] = make_panels(rows)
    figure = heatmap(panel, panel.series[0], "value")
    assert texts_of(figure.axes[0]) == ["–", "×", "·", "20.0*"]
    assert figure.get_supxlabel() == "· no run    – skipped    × failed    * mean of fewer seeds"


def test_success_is_the_share_of_seeds_at_least_as_good():
    values = [29.9, 30.0, 31.0, 40.0]
    [panel] = make_panels([make_row(seed=i, value=v) for i, v in enumerate(values)])
    [text] = texts_of(success_rate(panel, panel.series[0], "value", 30.0).axes[0])
    assert text == "3/4\n[0.3, 0.95]"


def test_success_of_an_error_is_at_most_the_threshold():
    rows = [
        make_row(task="gaussian-sparse", metric="relative-error", seed=i, value=v)
        for i, v in enumerate([1e-9, 1e-6, 1e-3, 1.0])
    ]
    [panel] = make_panels(rows)
    [text] = texts_of(success_rate(panel, panel.series[0], "value", 1e-6).axes[0])
    assert text == "2/4\n[0.15, 0.85]"


def test_a_comparison_shows_the_first_minus_the_second():
    [panel] = make_panels([make_row(value=20.0), make_row(method="imp", value=30.0)])
    aiht, imp = panel.series
    difference = comparison(panel, aiht, imp, "value").axes[2]
    assert texts_of(difference) == ["-10.0"]


def test_options_that_differ_name_the_series_and_the_panels():
    rows = [
        make_row(method="imp", method_options={"score": "pruned", "lr": 0.1}),
        make_row(method="imp", method_options={"score": "retrained", "lr": 0.1}),
        make_row(task_options={"n_outputs": 10}),
        make_row(task_options={"n_outputs": 10}, layers=2),
    ]
    panels = make_panels(rows)
    assert [series.label for series in panels[0].series] == [
        "imp (score pruned)",
        "imp (score retrained)",
    ]
    assert [panel.title for panel in panels[1:]] == [
        "planted (layers 1, n outputs 10)",
        "planted (layers 2, n outputs 10)",
    ]


def test_curves_show_the_best_constant_and_networks_without_a_budget():
    rows = [make_row(task="mnist"), make_row(task="mnist", method="dense", nnz=400, value=50.0)]
    [panel] = make_panels(rows)
    [axes] = curves(panel, "value").axes
    assert [line.get_label() for line in axes.lines] == ["aiht", "best constant", "dense"]
    assert [float(line.get_ydata()[0]) for line in axes.lines] == [20.0, 10.0, 50.0]


def test_the_train_score_is_drawn_when_asked():
    [panel] = make_panels([make_row()])
    assert texts_of(heatmap(panel, panel.series[0], "train_value").axes[0]) == ["21.0"]


def test_rows_without_any_result_are_refused():
    with pytest.raises(SparsefitError, match="none of the 1 cells has a result to draw"):
        make_panels([make_row(status="skipped")])


@pytest.mark.parametrize("format", FORMATS)
def test_same_rows_give_the_same_bytes(tmp_path, format):
    folder = put_rows(tmp_path, [make_row(), make_row(method="imp", nnz=7)])
    first = draw_all(folder, tmp_path / "a", FigureOptions(format=(format,)))
    second = draw_all(folder, tmp_path / "b", FigureOptions(format=(format,)))
    assert [path.suffix for path in first] == [f".{format}"] * len(first)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_kind_of_figure_is_drawn_and_each_has_a_name_of_its_own(tmp_path):
    rows = [make_row(nnz=nnz, method=m) for nnz in (5, 10) for m in ("aiht", "imp", "dense")]
    folder = put_rows(tmp_path, rows)
    paths = draw_all(folder)
    assert paths[0].name == "summary.png"
    assert sorted(path.name for path in paths) == [
        "comparison-planted-aiht-minus-imp.png",
        "curves-planted.png",
        "heatmap-planted-aiht.png",
        "heatmap-planted-imp.png",
        "success-planted-aiht.png",
        "success-planted-imp.png",
        "summary.png",
    ]
    assert sorted((folder / "figures").glob("*.png")) == sorted(paths)


def test_a_single_cell_is_no_picture(tmp_path):
    assert draw_all(put_rows(tmp_path / "one", [make_row()])) == []
    rows = [make_row(), make_row(method="imp")]
    assert [path.name for path in draw_all(put_rows(tmp_path / "two", rows))] == ["summary.png"]


def test_pictures_of_other_options_go_and_those_of_others_stay(tmp_path):
    folder = put_rows(tmp_path, [make_row(nnz=nnz) for nnz in (5, 10)])
    draw_all(folder, options=FigureOptions(format=("png", "svg")))
    own = folder / "figures" / "mine.svg"
    own.write_text("<svg/>")
    draw_all(folder)
    assert list((folder / "figures").glob("*.svg")) == [own]


def test_cells_whose_networks_are_all_exact_have_one_colour(tmp_path):
    rows = [make_row(nnz=nnz, seed=seed, exact=nnz == 5 or seed == 0, value=100.0)
            for nnz in (5, 10) for seed in (0, 1)]  # fmt: skip
    [panel] = make_panels(rows)
    green = to_rgba(EXACT)
    for figure in (summary([panel], "value"), heatmap(panel, panel.series[0], "value")):
        faces = [patch.get_facecolor() for patch in figure.axes[0].patches]
        assert faces.count(green) == 1
    texts = [text.get_text() for text in summary([panel], "value").axes[0].texts]
    assert texts == ["100.0 ±0.0\n2/2 exact", "100.0 ±0.0\n1/2 exact"]


def test_an_unknown_method_to_compare_is_named_before_anything_is_written(tmp_path):
    folder = put_rows(tmp_path, [make_row(), make_row(method="imp")])
    with pytest.raises(SparsefitError, match=r"no results of 'aith' \(did you mean 'aiht'\?\)"):
        draw_all(folder, options=FigureOptions(compare=("aith", "imp")))
    assert not (folder / "figures").exists()


def test_image_tasks_without_their_data_get_a_note_and_the_other_figures(tmp_path):
    rows = [
        make_row(task="inr-image", nnz=nnz, task_options={"file": str(tmp_path / "gone.png")})
        for nnz in (5, 10)
    ]
    notes: list[str] = []
    paths = draw_all(put_rows(tmp_path, rows), on_note=notes.append)
    assert len(paths) == 4
    assert len(notes) == 1
    assert "gone.png" in notes[0]


def test_networks_without_a_budget_are_a_line_where_each_budget_has_its_own_problem():
    dense = [
        make_row(method="dense", nnz=nnz, seed=seed, value=float(10 * nnz + seed))
        for nnz in (10, 5)
        for seed in (0, 2)
    ]
    [panel] = make_panels([make_row(), *dense])
    [axes] = curves(panel, "value").axes
    line = axes.lines[-1]
    assert line.get_label() == "dense"
    assert line.get_xydata().tolist() == [[5.0, 51.0], [10.0, 101.0]]


def test_rows_of_other_data_are_another_panel():
    rows = [make_row(task="mnist", data=name) for name in ("abc", "xyz")]
    assert [panel.title for panel in make_panels(rows)] == ["mnist (data abc)", "mnist (data xyz)"]


def test_an_image_file_that_changed_is_noted_in_place_of_a_wrong_original(tmp_path):
    path = tmp_path / "me.png"
    Image.new("L", (4, 4)).save(path)
    rows = [make_row(task="inr-image", task_options={"file": str(path)}, data="0123456789abcdef")]
    notes: list[str] = []
    draw_all(put_rows(tmp_path, rows), on_note=notes.append)
    assert len(notes) == 1
    assert "is not what it was when the networks were fitted" in notes[0]


@pytest.mark.parametrize(
    ("values", "ends"),
    [([0, 50], "neither"), ([-30, 0], "min"), ([0, 60], "max"), ([-30, 60], "both")],
)
def test_the_colour_bar_says_where_values_lie_beyond_it(values, ends):
    [panel] = make_panels([make_row(nnz=number, value=v) for number, v in enumerate(values, 1)])
    figure = heatmap(panel, panel.series[0], "value")
    assert figure.axes[0].images[0].colorbar.extend == ends


@pytest.mark.parametrize("n_budgets", [1, 12])
def test_no_title_is_cut_off(n_budgets):
    long = {"file": "a/rather/long/path/to/a/picture.jpg", "sigma": 0.5}
    imp = {"score": "pruned", "schedule": "constant"}
    rows = [
        make_row(task="inr-image", method=method, nnz=nnz, task_options=options, method_options=m)
        for nnz in range(1, n_budgets + 1)
        for options in (long, {"file": None, "sigma": 1.0})
        for method, m in (("aiht", {}), ("imp", imp), ("imp", {"score": "x", "schedule": "y"}))
    ]
    panel = make_panels(rows)[0]
    problem = Problem(np.zeros((16, 2)), np.zeros((16, 1)), image_shape=(4, 4))
    with mpl.rc_context(SETTINGS):
        for figure in (
            heatmap(panel, panel.series[1], "value"),
            success_rate(panel, panel.series[1], "value", 30.0),
            comparison(panel, *panel.series[1:], "value"),
            curves(panel, "value"),
            fitted_images(panel, 2, 0, "value", problem, Path("nowhere")),
        ):
            FigureCanvasAgg(figure).draw()
            page = figure.bbox
            titles = [figure._suptitle, *(axes.title for axes in figure.axes)]
            titles += [axes.yaxis.label for axes in figure.axes if axes.get_visible()]
            for title in (*titles, *figure.legends):
                box = title.get_window_extent()
                assert box.x0 >= page.x0 - 1, title
                assert box.x1 <= page.x1 + 1, title
                assert box.y1 <= page.y1 + 1, title
