"""Fuzz every reader: no traceback, no hang, no memory taken, no file outside of the folder.

    python -m benchmarks.fuzz [--inputs 100000] [--seed 0] [--only table.csv model]
    python -m benchmarks.fuzz --coverage --inputs 100000      # led by coverage, with atheris

A failure is printed with its target and bytes, which `--repeat TARGET HEX` runs again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.fuzz.targets import targets

from sparsefit.core.errors import SparsefitError

TOY = ["--inputs", "2000"]
# An input that takes longer hangs; one that needs more than that in memory blows it up.
MOST_SECONDS = 10.0
MOST_BYTES = 2**30
_MOST_BYTES_OF_DAMAGE = 60


class Fuzzer:
    """Readers, and what has come out so far.

    Parameters
    ----------
    folder : Path
        Empty; inputs are in a folder within, so that what climbs out is seen.
    only : sequence of str, optional
        Names of targets; default all.
    """

    def __init__(self, folder: Path, only: Sequence[str] = ()):

        self._outer, self._inner = folder, folder / "in" / "put"
        self._inner.mkdir(parents=True)
        self._good = folder / "good"
        self._good.mkdir()
        found = targets(self._good)
        self.targets = {name: found[name] for name in only or found}
        self.counts: Counter[str] = Counter()
        self.seconds: dict[str, float] = defaultdict(float)
        self.failures: list[str] = []
        self._before = self._files()
        (self._inner / "rows").mkdir()
        os.chdir(self._inner)

    def _files(self) -> set[str]:
        outside = [*self._outer.iterdir(), *(self._outer / "in").iterdir()]
        return {str(path) for path in outside}

    def run(self, name: str, data: bytes) -> None:
        """Run one input; note it if it fails."""
        start, fault = time.monotonic(), ""
        try:
            self.targets[name].run(data, self._inner)
        except SparsefitError as error:
            if "\n" in str(error):
                fault = f"more than one line: {error}"
        except BaseException:
            fault = traceback.format_exc()
        seconds = time.monotonic() - start
        self.counts[name] += 1
        self.seconds[name] += seconds
        if seconds > MOST_SECONDS:
            fault = fault or f"took {seconds:.0f} s"
        if self._files() != self._before:
            fault = fault or f"wrote {self._files() - self._before}"
        if fault:
            self.failures.append(f"--repeat {name} {data.hex()}")
            print(f"{self.failures[-1]}\n{fault}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--coverage", action="store_true", help="let atheris choose the inputs")
    parser.add_argument("--repeat", nargs=2, metavar=("TARGET", "HEX"))
    options = parser.parse_args(arguments)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, _limited(), _watched(options.coverage):
        try:
            fuzzer = Fuzzer(Path(folder), options.only)
            if options.repeat:
                fuzzer.run(options.repeat[0], bytes.fromhex(options.repeat[1]))
            elif options.coverage:
                _led_by_coverage(fuzzer, options)
            else:
                _at_random(fuzzer, options)
        finally:
            os.chdir(before)
    for name, count in fuzzer.counts.items():
        print(f"{name:15} {count:7} inputs, {1000 * fuzzer.seconds[name] / count:6.1f} ms each")
    total = sum(fuzzer.counts.values())
    print(f"{total} inputs, {len(fuzzer.failures)} failures, seed {options.seed}")
    if fuzzer.failures:
        sys.exit(1)


def _at_random(fuzzer: Fuzzer, options: argparse.Namespace) -> None:
    rng = random.Random(options.seed)
    # A table takes many times as long as the others.
    names = [name for name in fuzzer.targets for _ in range(1 if name.startswith("table") else 3)]
    for number in range(options.inputs):
        # Most damage is small: a file that is nothing but damage is refused at its first byte.
        size = min(int(rng.expovariate(1 / 12)) + 2, _MOST_BYTES_OF_DAMAGE)
        fuzzer.run(names[number % len(names)], rng.randbytes(size))


def _led_by_coverage(fuzzer: Fuzzer, options: argparse.Namespace) -> None:
    import atheris

    names = list(fuzzer.targets)

    def one_input(data: bytes) -> None:
        if data:
            fuzzer.run(names[data[0] % len(names)], data[1:])

    words = [sys.argv[0], f"-runs={options.inputs}", f"-seed={options.seed + 1}", "-verbosity=0"]
    atheris.Setup(words, one_input)
    atheris.Fuzz()


@contextlib.contextmanager
def _watched(coverage: bool) -> Iterator[None]:
    """Have atheris see which lines run of the modules that are loaded meanwhile."""
    if not coverage:
        yield
        return
    import atheris

    with atheris.instrument_imports(include=["sparsefit"]):
        yield


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Limit the memory of this process, so that a blow-up is an error."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    used = int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


if __name__ == "__main__":
    main()
