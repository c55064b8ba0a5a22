"""How far a sweep is: by the time that its cells take, also of those in other processes."""

from __future__ import annotations

import contextlib
import math
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sparsefit.experiments.effort import Efforts, Kind, kind_of
from sparsefit.experiments.spec import Cell

# Seconds between looks.
_PERIOD = 0.5
# Below this share what is left of a job is taken from what was expected of it.
_EARLY = 0.05

Job = Sequence[Cell]
# By number, how far jobs are, when they began, and what they say.
Running = dict[int, tuple[float, float, str]]


class Tracker:
    """Where the jobs of a sweep stand.

    Each running job writes into a file how far it is, so that it does not matter which process it
    runs in.

    Parameters
    ----------
    jobs : sequence of sequences of Cell
    n_found : int
        Cells whose rows were there before.
    on_progress : callable
        Gets the share of the time that has passed, and a text.

    Attributes
    ----------
    workers : int
        How many jobs run at a time.
    """

    def __init__(
        self, jobs: Sequence[Job], n_found: int, on_progress: Callable[[float, str], None]
    ):
        self.workers, self._tell = 1, on_progress
        self._efforts, self._lock = Efforts(), threading.Lock()
        self._kinds = [kind_of(job[0]) for job in jobs]
        self._by_table = [self._efforts.by_table(job) for job in jobs]
        # Of what has not ended, by kind: a look is not to take time for every cell.
        self._left: dict[Kind, float] = defaultdict(float)
        for kind, seconds in zip(self._kinds, self._by_table, strict=True):
            self._left[kind] += seconds
        self._n_cells = n_found + sum(map(len, jobs))
        self._n_done, self._ended = n_found, set[int]()
        self._waiting = [len(job) for job in jobs]
        self._start, self._most = time.monotonic(), 0.0
        self._folder = Path()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Tell how far the sweep is, again and again, meanwhile."""
        done = threading.Event()
        with tempfile.TemporaryDirectory(prefix="sparsefit-progress-") as folder:
            self._folder = Path(folder)
            thread = threading.Thread(target=self._watch, args=(done,), daemon=True)
            thread.start()
            try:
                yield
                self.tell()
            finally:
                done.set()
                thread.join()

    def signal(self, number: int) -> Signal:
        """Return what a job says how far it is with."""
        return Signal(self._folder / str(number))

    def expected(self, number: int) -> float:
        """Return the seconds of a job, about; infinity if none of its kind has ended."""
        with self._lock:
            if not self._efforts.knows(self._kinds[number]):
                return math.inf
            return self._efforts.factor(self._kinds[number]) * self._by_table[number]

    def count(self, number: int, cell: Cell, seconds: float | None) -> None:
        """Take note of a cell that has ended; of one without a result the time says nothing."""
        with self._lock:
            self._n_done += 1
            if seconds is not None:
                self._efforts.learn(cell, seconds)
            self._waiting[number] -= 1
            if not self._waiting[number]:
                self._ended.add(number)
                self._left[self._kinds[number]] -= self._by_table[number]
                (self._folder / str(number)).unlink(missing_ok=True)

    def _seconds_left(self, running: Running) -> float:
        """Return how many seconds are left, about."""
        now = time.time()
        if not self._n_cells - self._n_done:
            return 0.0
        with self._lock:
            left = sum(self._efforts.factor(kind) * rest for kind, rest in self._left.items())
            for number, (share, start, _) in running.items():
                expected = self._efforts.factor(self._kinds[number]) * self._by_table[number]
                passed = now - start
                by_share = passed * (1 - share) / share if share > _EARLY else expected
                by_time = max(expected - passed, 0.1 * passed)
                # What a job says counts for more the further it is.
                left += share * by_share + (1 - share) * by_time - expected
            n_left = len(self._waiting) - len(self._ended)
        return max(left, 0.0) / min(self.workers, max(1, n_left))

    def _watch(self, done: threading.Event) -> None:
        while not done.is_set():
            self.tell()
            done.wait(_PERIOD)

    def tell(self) -> None:
        """Tell how far the sweep is; never less than before."""
        running = self.running()
        left, passed = self._seconds_left(running), time.monotonic() - self._start
        self._most = max(self._most, passed / (passed + left) if passed + left else 1.0)
        texts = [text for _, _, text in running.values() if text]
        cells = f"{self._n_done} of {self._n_cells} cell{'' if self._n_cells == 1 else 's'}"
        self._tell(self._most, ", ".join([cells, *texts]))

    def running(self) -> Running:
        """Return, by number, how far running jobs are, when they began, and what they say."""
        found = {}
        for path in self._folder.glob("[0-9]*") if self._folder.name else ():
            with contextlib.suppress(OSError, ValueError):
                share, start, text = path.read_text(encoding="utf-8").split("\t", 2)
                number = int(path.name)
                if number not in self._ended:
                    found[number] = (float(share), float(start), text)
        return found


class Signal:
    """What one job, in whatever process, says of itself."""

    def __init__(self, path: Path):
        self._path, self._start, self._last = path, 0.0, 0.0

    def __call__(self, share: float, text: str) -> None:
        """Say how far the job is, unless that was said a moment ago."""
        now = time.time()
        self._start = self._start or now
        if now < self._last + _PERIOD:
            return
        self._last = now
        # The folder is gone where the sweep has ended without this job.
        with contextlib.suppress(OSError):
            half = self._path.with_suffix(".half")
            half.write_text(f"{share}\t{self._start}\t{text}", encoding="utf-8")
            half.replace(self._path)
