"""Progress: a bar on a terminal, lines where they are asked for, and else nothing."""

import sys

import numpy as np
import pytest

from sparsefit import SparseMLPRegressor
from sparsefit.core import progress
from sparsefit.core.progress import show_progress


@pytest.fixture
def make_terminal(capsys, monkeypatch):
    """Return a function that makes stderr a terminal, from within the test that it captures."""

    def make():
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)

    return make


@pytest.mark.parametrize(("count", "amount"), [(4, "1 of 4 fits"), (0, " 25 %")])
def test_a_bar_shows_the_share_and_the_text(make_terminal, capsys, count, amount):
    make_terminal()
    with show_progress(count, "fits", lines=True) as report:
        report(None, "reading [1]")
        report(0.25, "first [2]")
    text = capsys.readouterr().err
    assert amount in text
    assert "first [2]" in text


def test_what_is_printed_meanwhile_stays_on_stdout(make_terminal, capsys):
    make_terminal()
    with show_progress() as report:
        report(0.5, "half")
        print("a row")
    assert capsys.readouterr().out == "a row\n"


def test_no_bar_where_none_is_wanted(make_terminal, capsys):
    make_terminal()
    with show_progress(bar=False) as report:
        report(0.5, "half")
    assert capsys.readouterr() == ("", "")


def test_lines_come_now_and_then(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with show_progress(2, "fits", lines=True) as report:
        report(0.0, "too early")
        now = 11.0
        report(0.25, "first")
        now = 12.0
        report(0.5, "too early again")
        now = 22.0
        report(None, "no end in sight")
    lines = ["0.5 of 2 fits, about 33 s left: first", "no end in sight", ""]
    assert capsys.readouterr() == ("", "\n".join(lines))


def test_what_was_done_before_says_nothing_of_the_time_left(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with show_progress(lines=True) as report:
        report(0.5, "gone on from there")
        now = 100.0
        report(0.75, "half of the rest")
    assert "about 2 min left" in capsys.readouterr().err


def test_a_notebook_gets_a_bar_of_its_own(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    with show_progress() as report:
        report(0.5, "half")
    assert "50%" in capsys.readouterr().err


def test_nothing_is_shown_quietly(make_terminal, capsys):
    make_terminal()
    with progress.quietly(True), show_progress(lines=True) as report:
        report(0.5, "half")
    assert capsys.readouterr() == ("", "")


def test_silent_elsewhere(capsys):
    with show_progress(2, "fits") as report:
        report(0.5, "half")
    assert capsys.readouterr() == ("", "")


def test_verbose_estimators_use_it(make_terminal, capsys):
    make_terminal()
    X, noise = np.split(np.random.default_rng(0).normal(size=(60, 4)), [3], axis=1)
    y = np.maximum(X[:, 0], 0) + noise[:, 0]
    model = SparseMLPRegressor((2,), nnz=4, method="htp", skip=False, folds=0, verbose=True)
    model.set_params(random_state=0, fit_intercept=False).fit(X, y)
    assert " %" in capsys.readouterr().err
