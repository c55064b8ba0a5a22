"""Faults of the machine under a sweep; each says how it went, or why it could not be tried."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.chaos.jobs import JOBS, sweep_result

_SWEEP = JOBS[0]
# What runs in place of `python -m sparsefit` with a clock that jumps back by an hour, again and
# again.
_CLOCK_GOING_BACK = """
import sys, time
true, count = time.time, [0]
def jumping():
    count[0] += 1
    return true() - 3600 * (count[0] % 7 == 0)
time.time = jumping
from sparsefit.__main__ import main
sys.exit(main())
"""


def full_disk(folder: Path) -> str:
    """Run on a disk that is too small, and again when there is room."""
    with _disk(folder / "disk", "size=40k") as is_there:
        if not is_there:
            return "not tried: no file systems can be mounted here"
        first = _run(folder / "disk")
        assert first.returncode == 1, first.stderr
        assert "No space left" in first.stderr, first.stderr
        assert "Traceback" not in first.stderr
        _whole(folder / "disk")
        subprocess.run(["mount", "-o", "remount,size=50m", folder / "disk"], check=True)
        assert _run(folder / "disk").returncode == 0
        n_rows = _whole(folder / "disk")
    return f"one sentence, then {n_rows} rows when there was room"


def read_only_disk(folder: Path) -> str:
    """Run on a disk that may not be written."""
    with _disk(folder / "disk", "size=1m,ro") as is_there:
        if not is_there:
            return "not tried: no file systems can be mounted here"
        done = _run(folder / "disk")
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
    return "one sentence, exit code 2"


def clock_that_goes_back(folder: Path) -> str:
    """Run with a clock that jumps, and compare with one that does not."""
    place = folder / "straight"
    place.mkdir()
    assert _run(place).returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", _CLOCK_GOING_BACK, *_SWEEP.words], cwd=folder,
        env=_SWEEP.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sweep_result(folder) == sweep_result(place)
    return f"{len(sweep_result(folder)) // 2} rows, as with a straight one"


def two_hosts_on_one_folder(folder: Path) -> str:
    """Run the same sweep at once in two namespaces, which have their own names and process ids."""
    hosts = [
        subprocess.Popen(
            ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "sh", "-c",
             f'hostname host{number} && exec "$@"', "sh", *_SWEEP.command],
            cwd=folder, env=_SWEEP.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]  # fmt: skip
    outputs = [host.communicate() for host in hosts]
    if any("unshare" in err for _, err in outputs):
        return "not tried: no namespaces can be made here"
    assert all(host.returncode == 0 for host in hosts), outputs
    rows = [{json.loads(line)["run_id"]: json.loads(line) for line in out.splitlines()}
            for out, _ in outputs]  # fmt: skip
    # Of a cell that is computed twice, the seconds differ.
    assert rows[0] == rows[1]
    return f"{_whole(folder)} rows, each computed by one of them"


FAULTS = (full_disk, read_only_disk, clock_that_goes_back, two_hosts_on_one_folder)


def _run(place: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _SWEEP.command, cwd=place, env=_SWEEP.environment, capture_output=True, text=True
    )


def _whole(place: Path) -> int:
    """Return how many rows there are, all whole and with a network."""
    rows = [json.loads(path.read_bytes()) for path in (place / "runs" / "rows").glob("*.json")]
    for row in rows:
        assert (place / "runs" / "networks" / f"{row['run_id']}.safetensors").stat().st_size > 0
    return len(rows)


@contextlib.contextmanager
def _disk(place: Path, options: str) -> Iterator[bool]:
    """Mount a disk in memory, if that may be done."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", place], check=True)
