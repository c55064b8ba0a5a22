"""What computes: a torch device, and a number of threads."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from sparsefit.core.errors import OptionError

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

# What a device may be, as it follows "must be".
DEVICES = "cpu, cuda, cuda:N or mps"


def check_device(device: str) -> None:
    """Raise `OptionError` unless torch can compute on `device`; torch is loaded only if asked.

    Examples
    --------
    >>> check_device("cpu")
    """
    if device == "cpu":
        return
    kind, _, number = device.partition(":")
    if not re.fullmatch(r"cuda(:\d+)?|mps", device):
        raise OptionError("device", device, DEVICES)
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

    before = torch.get_num_threads()
    with _controller(len(sys.modules)).limit(limits=threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _controller(n_modules: int) -> ThreadpoolController:
    """Return what limits the libraries that are loaded, which come with modules.

    To look for them takes 2 ms, as long as all else around a small cell.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
