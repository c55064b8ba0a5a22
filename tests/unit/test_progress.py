"""Progress: a bar on a terminal, lines where they are asked for, and else nothing."""

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
    times = iter([0.0, 4.0, 11.0, 11.0, 12.0, 22.0, 22.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    with show_progress(2, "fits", lines=True) as report:
        report(0.1, "too early")
        report(0.25, "first")
        report(0.5, "too early again")
        report(None, "no end in sight")
    assert capsys.readouterr() == ("", "0.5 of 2 fits: first\nno end in sight\n")


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
