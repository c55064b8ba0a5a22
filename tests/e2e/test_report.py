"""Pages of reports in a real browser."""

from __future__ import annotations

import contextlib
import io
import json
import shutil

import numpy as np
import pytest

from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.experiments.store import load_rows
from sparsefit.pages import write_model_report, write_sweep_report
from sparsefit.predictor import Column, Predictor

CHROMIUM = shutil.which("chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the path")

NAME = "pet=</script><b>dog</b>"


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # As root, chromium runs without its sandbox only; the pages are our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from sparsefit.cli import main

    folder = tmp_path_factory.mktemp("sweep") / "made"
    words = (
        "run --task planted --n-samples 80 --n-test 50 --method aiht omp --hidden 2 4 --nnz 3 6 12 "
        "--seeds 0 1 --format json --out"
    )
    with contextlib.redirect_stdout(io.StringIO()):
        assert main([*words.split(), str(folder)]) == 0
    failed = {"run_id": "f", "task": "planted", "method": "aiht", "hidden": 9, "nnz": 3, "seed": 0}
    failed |= {"metric": None, "value": None, "status": "failed", "note": "<i>boom</i>"}
    (folder / "rows" / "f.json").write_text(json.dumps(failed))
    return folder


@pytest.fixture(scope="module")
def sweep_page(results, tmp_path_factory):
    return write_sweep_report(results, tmp_path_factory.mktemp("page") / "sweep.html")


@pytest.fixture(scope="module")
def model_page(tmp_path_factory):
    weight = np.array([[2.0, 0.0, 0.4], [0.0, -1.5, 0.0], [0.0, 0.25, 0.0], [0.0, 0.0, 0.0]])
    output = Layer(np.array([[3.0], [1.0], [-0.5]]), np.array([0.1]))
    model = Predictor(
        network=Network((Layer(weight, np.array([0.0, 0.5, 0.0])), output)),
        columns=(
            Column(name="age", mean=40.0, scale=10.0),
            Column(name="pet", levels=("cat", NAME.partition("=")[2])),
            Column(name="unused"),
        ),
        targets=("ill",),
        classes=("no", "yes"),
    )
    facts = {
        "image_shape": [2, 2],
        "scores": [{"name": "accuracy", "score": 0.875}],
        "path": [{"nnz": 2, "score": 0.5, "se": 0.1}, {"nnz": 9, "score": 0.875, "se": 0.02}],
        "confusion": [[30, 4], [6, 40]],
        "command": "sparsefit fit table.csv",
    }
    return write_model_report(model, facts, tmp_path_factory.mktemp("page") / "model.html")


@pytest.fixture
def visit(browser):
    """Return a function that opens a page, and fail if a page complains or asks for more."""
    troubles, contexts = [], []

    def open_page(path, **options):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: troubles.append(request.url)
                if not request.url.startswith(("file:", "data:")) else None)  # fmt: skip
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


def cells_of(page, column):
    """Return the texts of one column of the table of all rows."""
    heads = page.locator("#rows thead th").all_inner_texts()
    place = [head.strip() for head in heads].index(column) + 1
    return page.locator(f"#rows tbody td:nth-child({place})").all_inner_texts()


def test_hovering_over_a_cell_shows_every_seed(visit, sweep_page, results):
    page = visit(sweep_page)
    cell = page.get_by_role("grid", name="aiht, hidden units").get_by_role("gridcell").first
    assert page.get_by_role("tooltip").count() == 0
    cell.hover()
    shown = page.get_by_role("tooltip").inner_text()
    rows = [
        row
        for row in load_rows(results)
        if (row["method"], row["hidden"], row["nnz"]) == ("aiht", 2, 3)
    ]
    assert len(rows) == 2
    for row in rows:
        assert f"{row['value']:.4g}" in shown
        assert row["status"] in shown
    mean = sum(row["value"] for row in rows) / 2
    assert f"mean {mean:.4g}" in shown
    assert cell.inner_text() == f"{mean:.1f}"


def test_the_keyboard_reaches_cells_and_their_numbers(visit, sweep_page):
    page = visit(sweep_page)
    grid = page.get_by_role("grid", name="aiht, hidden units")
    grid.locator("td[tabindex='0']").focus()
    assert "budget 3" in page.get_by_role("tooltip").inner_text()
    page.keyboard.press("ArrowRight")
    assert "budget 6" in page.get_by_role("tooltip").inner_text()
    page.keyboard.press("ArrowDown")
    assert "4 hidden units, budget 6" in page.get_by_role("tooltip").inner_text()
    page.keyboard.press("Escape")
    assert page.get_by_role("tooltip").count() == 0


def test_methods_metrics_and_differences_can_be_picked(visit, sweep_page):
    page = visit(sweep_page)
    assert page.locator("#scores figure").count() == 2
    page.get_by_role("combobox", name="Method", exact=True).select_option("omp")
    assert page.locator("#scores h3").all_inner_texts() == ["omp"]
    page.get_by_role("combobox", name="Metric").select_option("nonzeros found")
    assert "nonzeros found" in page.locator("#scores .soft").inner_text()
    page.get_by_role("combobox", name="First method").select_option("omp")
    page.get_by_role("combobox", name="Second method").select_option("omp")
    page.get_by_role("combobox", name="Metric").select_option("PSNR (dB), fresh rows")
    assert set(page.locator("#differences [role=gridcell]").all_inner_texts()) == {"0.0"}


def test_a_sweep_opens_on_its_finding_and_picks_apply_to_all_parts(visit, sweep_page, results):
    page = visit(sweep_page)
    finding = page.locator(".headline .result").inner_text()
    rows = [row for row in load_rows(results) if row["value"] is not None]
    exact = [row for row in rows if row["exact"]]
    assert finding.startswith("planted")
    for method in ("aiht", "omp"):
        own = [row for row in exact if row["method"] == method]
        assert f"{method} {len(own)} of 12" in finding
    page.get_by_role("combobox", name="Method", exact=True).select_option("omp")
    assert set(cells_of(page, "method")) == {"omp"}
    page.get_by_role("combobox", name="Networks").select_option("not exact")
    assert set(cells_of(page, "exact")) == {"no"}
    page.get_by_role("combobox", name="Networks").select_option("exact")
    assert len(cells_of(page, "method")) == len([row for row in exact if row["method"] == "omp"])


def test_methods_can_be_taken_out_of_the_curves(visit, sweep_page):
    page = visit(sweep_page)
    before = page.locator("#curves polyline").count()
    page.get_by_role("button", name="omp").click()
    assert page.locator("#curves polyline").count() == before - 2
    assert page.get_by_role("button", name="omp").get_attribute("aria-pressed") == "false"


def test_the_table_filters_and_sorts(visit, sweep_page, results):
    page = visit(sweep_page)
    box = page.get_by_label("Filter rows")
    box.fill("omp hidden=4 nnz>=6")
    assert cells_of(page, "nnz") == ["6", "6", "12", "12"]
    assert set(cells_of(page, "method")) == {"omp"}
    assert page.locator("#rows [role=status]").inner_text() == "4 of 25 rows"
    box.fill("")
    values = sorted(row["value"] for row in load_rows(results) if row["value"] is not None)
    for order, sign in (("ascending", 1), ("descending", -1)):
        page.locator("#rows").get_by_role("button", name="score", exact=True).click()
        shown = cells_of(page, "score")
        assert shown[-1] == "–"
        assert [float(text) for text in shown[:-1]] == [
            float(f"{value:.4g}") for value in values[::sign]
        ]
        assert page.locator(f"#rows th[aria-sort={order}]").count() == 1


def test_failures_and_commands_are_listed_as_text(visit, sweep_page):
    page = visit(sweep_page)
    assert page.locator("#failures tbody td").last.inner_text() == "<i>boom</i>"
    assert "sparsefit run --task planted --method aiht omp" in page.locator("#command").inner_text()


def test_weights_show_on_hover_and_focus(visit, model_page):
    page = visit(model_page)
    page.locator("#network .hit").first.dispatch_event("pointerenter")
    shown = page.get_by_role("tooltip").inner_text()
    assert "→" in shown
    assert "weight" in shown
    page.locator("#network .node[aria-label^='age']").focus()
    assert "age → h0" in page.get_by_role("tooltip").inner_text()


def test_formulas_are_in_words_and_may_be_of_standardised_columns(visit, model_page):
    page = visit(model_page)
    lines = page.locator(".formulas li")
    assert lines.all_inner_texts() == [
        "h0 = relu(0.2 * age - 8)",
        f"h1 = relu(-1.5 * pet=cat + 0.25 * {NAME} + 0.5)",
        "h2 = relu(0.04 * age - 1.6)",
        "log odds of yes = 3 * h0 + h1 - 0.5 * h2 + 0.1",
    ]
    pick = page.get_by_role("combobox", name="Number columns")
    pick.select_option("less their mean, over their scale")
    assert lines.first.inner_text() == "h0 = relu(2 * age)"


def test_facts_of_a_model_are_drawn(visit, model_page):
    page = visit(model_page)
    assert page.locator("#scores td").all_inner_texts() == ["accuracy", "0.875"]
    # Two sizes, and the one that was chosen.
    assert page.locator("#path path.mark").count() == 3
    assert page.locator("#confusion [role=gridcell]").all_inner_texts() == ["30", "4", "6", "40"]
    assert page.locator("#pictures canvas").count() == 4
    assert "1 column not used" in page.locator("#columns").inner_text()


def test_a_page_answers_values_as_the_model_does(visit, tmp_path):
    columns = (Column(name="age", mean=40.0, scale=10.0), Column(name="pet", levels=("cat", "dog")))
    first = Layer(np.array([[1.0], [0.0], [0.5]]), np.array([0.2]))
    network = Network((first, Layer(np.array([[3.0]]))))
    model = Predictor(network=network, columns=columns, targets=("risk",), ranges=((-1, 2), (0, 1)))
    page = visit(write_model_report(model, out=tmp_path / "m.html"))
    assert page.locator(".headline").inner_text().splitlines()[-1] == str(model.formula())
    page.get_by_role("spinbutton", name="age").fill("55")
    page.locator("#try select").select_option("dog")
    expected = model.outputs(np.array([[55.0, 1.0]]))[0, 0]
    assert page.locator(".answer").inner_text() == f"risk {expected:g}"
    parts = page.locator("#try tbody tr").all_inner_texts()
    assert [part.split()[0] for part in parts] == ["age", "pet"]
    assert float(parts[0].split()[1]) == pytest.approx(3 * 1.5)
    assert page.locator("#effects figure").count() == 2
    assert "50" in page.locator("#effects").text_content()


def test_names_are_never_markup(visit, model_page):
    page = visit(model_page)
    assert page.locator("b", has_text="dog").all_inner_texts() == [NAME]


@pytest.mark.parametrize("kind", ["sweep", "model"])
def test_colours_follow_the_system_and_the_button(visit, kind, sweep_page, model_page):
    path = {"sweep": sweep_page, "model": model_page}[kind]
    light, dark = (visit(path, color_scheme=scheme) for scheme in ("light", "dark"))

    def brightness(page):
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color[4:-1].split(","))

    assert brightness(light) > 700 > 100 > brightness(dark)
    button = dark.get_by_role("button", name="Colours: auto")
    button.click()
    assert brightness(dark) > 700
    dark.get_by_role("button", name="Colours: light").click()
    assert brightness(dark) < 100
    dark.emulate_media(media="print")
    assert brightness(dark) > 700
    assert not dark.locator("header button").is_visible()


@pytest.mark.parametrize("kind", ["sweep", "model"])
@pytest.mark.parametrize("width", [400, 1200])
def test_every_control_has_a_name_and_nothing_sticks_out(
    visit, kind, width, sweep_page, model_page
):
    path = {"sweep": sweep_page, "model": model_page}[kind]
    page = visit(path, viewport={"width": width, "height": 900})
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    controls = [
        node
        for node in tree["nodes"]
        if any(p["name"] == "focusable" and p["value"]["value"] for p in node.get("properties", []))
        and node["role"]["value"] != "RootWebArea"
    ]
    assert len(controls) > 20
    unnamed = [node["role"]["value"] for node in controls if not node["name"]["value"].strip()]
    assert unnamed == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("kind", ["sweep", "model"])
def test_all_sections_are_printed(visit, kind, sweep_page, model_page):
    page = visit({"sweep": sweep_page, "model": model_page}[kind])
    page.emulate_media(media="print")
    assert all(section.is_visible() for section in page.locator("section").all())
    assert not any(control.is_visible() for control in page.locator("select, input").all())
