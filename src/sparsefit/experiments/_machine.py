"""What a cell uses, and may use, of the machine that it runs on."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path


def reset_peak_memory() -> None:
    """Start measuring the peak anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB of 10^6 bytes.

    On Linux since the last `reset_peak_memory`, elsewhere since the process started.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024 / 1e6
    except (OSError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


@contextlib.contextmanager
def limited_memory(most: int | None) -> Iterator[None]:
    """Refuse this process more memory than so many bytes, where the system can (Linux).

    What it has reserved and never touched does not count; to ask for more is a `MemoryError`, or
    the end of the process where a library does not look.
    """
    if most is None:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status").read_text()
    reserved, resident = (
        int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) * 1024 for name in ("VmData", "VmRSS")
    )
    resource.setrlimit(resource.RLIMIT_DATA, (reserved + max(0, most - resident), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
