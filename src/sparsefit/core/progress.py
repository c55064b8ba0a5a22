"""Progress on stderr: a bar on a terminal, a line now and then elsewhere if asked, or nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

# Gets the share that is done, or None where the end is not known, and a text.
Report = Callable[[float | None, str], None]

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)
# Seconds before which nothing is said of how long something will take.
_SOON = 1.0
# Seconds between lines where there is no bar.
PERIOD = 10.0


def is_quiet() -> bool:
    """Return whether nothing is to be shown but results and errors."""
    return _QUIET.get()


@contextlib.contextmanager
def quietly(wanted: bool) -> Iterator[None]:
    """Show no progress and no notes meanwhile, if that is wanted.

    Examples
    --------
    >>> with quietly(True):
    ...     is_quiet()
    True
    """
    token = _QUIET.set(wanted)
    try:
        yield
    finally:
        _QUIET.reset(token)


def in_words(seconds: float) -> str:
    """Return a time as people say it.

    Examples
    --------
    >>> in_words(7), in_words(130), in_words(9000), in_words(300000)
    ('7 s', '2 min', '2.5 h', '3.5 days')
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    hours = seconds / 3600
    return f"{hours:.2g} h" if hours < 48 else f"{hours / 24:.2g} days"


def forward(report: Callable[[float, str], None]) -> Callable[[float, str], None]:
    """Return a function that reports the largest share so far.

    A search may begin again, or turn out shorter than it seemed; what it has done stays done.

    Examples
    --------
    >>> report = forward(lambda share, text: print(share, text))
    >>> report(0.5, "first"), report(0.2, "again")
    0.5 first
    0.5 again
    (None, None)
    """
    most = 0.0

    def report_most(share: float, text: str) -> None:
        nonlocal most
        most = max(most, share)
        report(most, text)

    return report_most


@contextlib.contextmanager
def show_progress(
    count: int = 0, noun: str = "", *, bar: bool = True, lines: bool = False
) -> Iterator[Report]:
    """Give a function that shows on stderr how far something is.

    Parameters
    ----------
    count : int, optional
        Of how many parts the whole has; the share is then shown as a number of them, else in
        percent.
    noun : str, optional
        What the parts are called.
    bar : bool, optional
        Whether a bar may be drawn where stderr is a terminal.
    lines : bool, optional
        Where no bar is drawn, whether to print a line every `PERIOD` seconds.

    Yields
    ------
    callable
        To be called with the share that is done, from 0 to 1, or None where the end is not known,
        and a text.

    Examples
    --------
    >>> with show_progress(3, "rounds") as report:
    ...     report(1 / 3, "first")
    """

    def amount(fraction: float | None) -> str:
        if fraction is None:
            return ""
        return f"{fraction * count:.4g} of {count} {noun}" if count else f"{100 * fraction:3.0f} %"

    if is_quiet():
        yield lambda fraction, message: None
    elif bar and sys.stderr.isatty():
        with _bar(amount, _Left()) as report:
            yield report
    elif bar and _in_notebook():
        with _notebook_bar() as report:
            yield report
    else:
        yield _line_printer(amount, _Left()) if lines else lambda fraction, message: None


class _Left:
    """How long something will take, by the share that is done since it began."""

    def __init__(self) -> None:
        self._start, self._first = time.monotonic(), 0.0
        self._is_new = True

    def __call__(self, fraction: float) -> str:
        """Return it in words, once there is something to go by."""
        if self._is_new:
            self._is_new, self._first = False, fraction if fraction < 1 else 0.0
        passed, done = time.monotonic() - self._start, fraction - self._first
        if passed < _SOON or done <= 0:
            return ""
        return f"about {in_words(passed * (1 - fraction) / done)} left" if fraction < 1 else ""


@contextlib.contextmanager
def _bar(amount: Callable[[float | None], str], left: _Left) -> Iterator[Report]:
    """Draw a bar that is gone in the end; one that only moves where the end is not known."""
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(), progress.TextColumn("{task.fields[amount]}"),
        progress.TimeElapsedColumn(), progress.TextColumn("{task.fields[left]}"),
        progress.TextColumn("{task.description}", markup=False),
    )  # fmt: skip
    # What is printed on stdout meanwhile stays on stdout.
    with progress.Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
    ) as shown:
        task = shown.add_task("", total=None, amount="", left="")

        def report(fraction: float | None, message: str) -> None:
            if fraction is None:
                shown.update(task, description=message)
            else:
                shown.update(
                    task, total=1.0, completed=fraction, description=message,
                    amount=amount(fraction), left=left(fraction),
                )  # fmt: skip

        yield report


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which tqdm can draw a bar in."""
    return "ipykernel" in sys.modules


@contextlib.contextmanager
def _notebook_bar() -> Iterator[Report]:
    from tqdm.auto import tqdm

    with tqdm(total=100, leave=False, bar_format="{l_bar}{bar} {postfix}") as shown:

        def report(fraction: float | None, message: str) -> None:
            shown.set_postfix_str(message, refresh=False)
            if fraction is not None:
                shown.n = round(100 * fraction)
            shown.refresh()

        yield report


def _line_printer(amount: Callable[[float | None], str], left: _Left) -> Report:
    last = time.monotonic()

    def report(fraction: float | None, message: str) -> None:
        nonlocal last
        rest = "" if fraction is None else left(fraction)
        if time.monotonic() >= last + PERIOD:
            last = time.monotonic()
            done = ", ".join(filter(None, [amount(fraction), rest]))
            print(f"{done}: {message}" if done else message, file=sys.stderr, flush=True)

    return report
