"""Kill commands at random moments, run them again, and compare with what was never disturbed.

    python -m benchmarks.chaos [--kills 200] [--seed 0] [--only "sweep, Dask"] [--faults]
    python -m benchmarks.chaos --kills 20 --only sweep --victims parent --signals SIGHUP

The command itself, one of its workers, or the whole group gets a signal. A second later
nothing that it started may be alive (Slurm jobs go on, as they should); the same command then ends
with the same rows, networks and checkpoints, byte for byte. `--faults` tries full and read-only
disks, a clock that goes back, and two hosts on one folder, where this machine lets it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.jobs import JOBS, LEFTOVER, Job, prepare

TOY = ["--kills", "1", "--only", "export"]
SIGNALS = ("SIGKILL", "SIGTERM")
VICTIMS = ("parent", "worker", "group")
_MOST_SECONDS = 300


@dataclass
class Campaign:
    """Jobs with their undisturbed results, and what has come out.

    Parameters
    ----------
    folder : Path
    seed : int
    signals, victims : list of str
    """

    folder: Path
    seed: int
    signals: list[str]
    victims: list[str]
    references: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)
    good: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    leftovers: int = 0

    def __post_init__(self) -> None:
        """Prepare what all trials begin with."""
        self.random = random.Random(self.seed)
        (self.folder / "start").mkdir()
        prepare(self.folder / "start")

    def fresh(self, name: str) -> Path:
        """Return a folder as jobs find it."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.folder / "start", place)
        return place

    def reference(self, job: Job) -> tuple[float, dict[str, str]]:
        """Return how long a job takes, and its result."""
        if job.name not in self.references:
            place, start = self.fresh("reference"), time.monotonic()
            done = subprocess.run(job.command, cwd=place, env=job.environment, capture_output=True)
            assert done.returncode == 0, done.stderr.decode()
            self.references[job.name] = time.monotonic() - start, job.result(place)
        return self.references[job.name]

    def kill(self, job: Job) -> None:
        """Run a job, disturb it once, run it to its end, and compare."""
        seconds, expected = self.reference(job)
        place = self.fresh("trial")
        after = self.random.uniform(0.02, 1.0) * seconds
        victim, name = self.random.choice(self.victims), self.random.choice(self.signals)
        what = f"{job.name}: {victim} got {name} after {after:.2f} s"
        process = subprocess.Popen(
            job.command, cwd=place, env=job.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(after)
        children = descendants(process.pid)
        self._strike(process, children, victim, signal.Signals[name])
        if victim != "worker" or not children:
            self._check_gone(process, children, job, what)
        try:
            process.wait(_MOST_SECONDS)
            done = subprocess.run(
                job.command, cwd=place, env=job.environment, capture_output=True,
                timeout=_MOST_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            self.faults.append(f"{what}: it hung")
            return
        found = job.result(place)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode()[-300:]
            self.faults.append(f"{what}: exit code {done.returncode} afterwards, {said}")
        elif found != expected:
            different = sorted(k for k in found.keys() | expected.keys()
                               if found.get(k) != expected.get(k))  # fmt: skip
            self.faults.append(f"{what}: {len(different)} results differ, {different[:3]}")
        else:
            self.good[job.name] += 1
        self.leftovers += len(list(place.rglob(LEFTOVER)))

    def _strike(
        self, process: subprocess.Popen[bytes], children: list[int], victim: str, name: int
    ) -> None:
        own = {"worker": children and [self.random.choice(children)],
               "group": [process.pid, *children]}.get(victim) or [process.pid]  # fmt: skip
        for pid in own:
            _signal(pid, name)

    def _check_gone(
        self, process: subprocess.Popen[bytes], children: list[int], job: Job, what: str
    ) -> None:
        process.wait(_MOST_SECONDS)
        time.sleep(1.0)
        alive = [pid for pid in children if _is_alive(pid)]
        if alive and not job.outlives:
            self.faults.append(f"{what}: {len(alive)} processes are alive a second later")


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = list(parents.get(pid, []))
    for child in found:
        found += parents.get(child, [])
    return found


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _signal(pid: int, name: int) -> None:
    import os

    try:
        os.kill(pid, name)
    except ProcessLookupError:
        return


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    names = [job.name for job in JOBS]
    parser.add_argument("--only", nargs="*", default=[], choices=names, help="names of jobs")
    parser.add_argument("--faults", action="store_true", help="try faults of the machine as well")
    parser.add_argument("--signals", nargs="*", default=[*SIGNALS])
    parser.add_argument("--victims", nargs="*", default=[*VICTIMS], choices=VICTIMS)
    options = parser.parse_args(arguments)
    jobs = [job for job in JOBS if not options.only or job.name in options.only]
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder), options.seed, options.signals, options.victims)
        for number in range(options.kills):
            campaign.kill(jobs[number % len(jobs)])
            if number % 20 == 19:
                good = sum(campaign.good.values())
                print(f"{good} of {number + 1} so far", file=sys.stderr, flush=True)
        for fault in FAULTS if options.faults else ():
            print(f"{fault.__name__.replace('_', ' ')}: {fault(campaign.fresh('fault'))}")
    for name, count in campaign.good.items():
        print(f"{name:20} {count} well")
    for text in campaign.faults:
        print(text)
    print(f"{sum(campaign.good.values())} of {options.kills} kills, seed {options.seed}; "
          f"{campaign.leftovers} temporary files were left")  # fmt: skip
    if campaign.faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
