"""The machine that a cell runs on: its device, its threads, and what it used of it."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from sparsefit.core.errors import OptionError


def check_device(device: str) -> None:
    """Raise `OptionError` unless torch can compute on `device`; torch is loaded only if asked."""
    if device == "cpu":
        return
    kind, _, number = device.partition(":")
    if not re.fullmatch(r"cuda(:\d+)?|mps", device):
        raise OptionError("device", device, "cpu, cuda, cuda:N or mps")
    import torch

    if kind == "mps" and not torch.backends.mps.is_available():
        raise OptionError("device", device, "cpu, as this machine has no Apple GPU for torch")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if kind == "cuda" and count == 0:
        raise OptionError("device", device, "cpu, as torch finds no CUDA device here")
    if number and int(number) >= count:
        raise OptionError("device", device, f"cuda:0 to cuda:{count - 1} on this machine")


@contextlib.contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Compute with that many threads, in torch, BLAS and OpenMP, and put it back after."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


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
