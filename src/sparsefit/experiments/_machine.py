"""What a cell used of the machine that it ran on."""

from __future__ import annotations

import contextlib
import re
import sys
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
