"""Processes that have parts of the rows each, and sums over all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

# torch is loaded where it is needed: a sweep that is only planned does without.
if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Team:
    """Processes that do the same, each for its part of the rows.

    Whatever is summed over rows is summed over the processes in the order of their ranks, so that
    all of them have the same bits and take the same decisions.

    Attributes
    ----------
    rank : int
        Number of this process.
    size : int

    Examples
    --------
    >>> [Team(rank, 2).part_of(5) for rank in (0, 1)]
    [slice(0, 2, None), slice(2, 5, None)]
    """

    rank: int = 0
    size: int = 1

    def total(self, part: Tensor) -> Tensor:
        """Return the sum over all processes.

        Each process sums a piece, over the others in order, and all get all pieces: what one
        receives is twice the size of `part`, however many processes there are.
        """
        if self.size == 1:
            return part
        import torch
        from torch import distributed

        count = -(-part.numel() // self.size)
        flat = part.new_zeros(count * self.size)
        flat[: part.numel()] = part.reshape(-1)
        received = torch.empty_like(flat)
        distributed.all_to_all_single(received, flat)
        own, *others = received.view(self.size, count)
        piece = own.clone()
        for other in others:
            piece += other
        distributed.all_gather_into_tensor(flat, piece)
        return flat[: part.numel()].view(part.shape)

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes, in the order of their ranks."""
        if self.size == 1:
            return rows
        import torch
        from torch import distributed

        counts = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        distributed.all_gather(counts, torch.tensor([len(rows)]))
        most = max(int(count) for count in counts)
        padded = rows.new_zeros(most, *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(parts, padded)
        return torch.cat([part[: int(count)] for part, count in zip(parts, counts, strict=True)])

    def told(self, content: bytes) -> bytes:
        """Return what the first process says, whatever others do."""
        if self.size == 1:
            return content
        import torch
        from torch import distributed

        own = torch.tensor(list(content), dtype=torch.uint8)
        size = torch.tensor([len(own)])
        distributed.broadcast(size, 0)
        own = own if self.rank == 0 else torch.empty(int(size), dtype=torch.uint8)
        distributed.broadcast(own, 0)
        return bytes(own.tolist())

    def agreed(self, texts: Sequence[str]) -> list[str]:
        """Return the texts that the first process has."""
        whole = self.told("\n".join(texts).encode()).decode()
        return whole.split("\n") if whole else []

    def part_of(self, n: int) -> slice:
        """Return which of `n` rows this process has."""
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)


ALONE = Team()


@dataclass(frozen=True)
class Share:
    """Which rows of a whole some rows are.

    Attributes
    ----------
    team : Team
        Whose processes have the others.
    first : int
        Number of the first of these rows among all.
    n : int
        Rows in all.
    """

    team: Team
    first: int
    n: int

    @classmethod
    def of(cls, team: Team, count: int) -> Share:
        """Return the share of a process that has `count` rows, after those of lower ranks."""
        import torch

        counts = team.gather(torch.tensor([count])).tolist()
        return cls(team, sum(counts[: team.rank]), sum(counts))

    def mean(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean over the rows of all processes of something of each row here."""
        mean: np.ndarray = self.gathered(rows.sum(axis=0)[None]).sum(axis=0) / self.n
        return mean

    def gathered(self, rows: np.ndarray) -> np.ndarray:
        """Return something of each of these rows for all rows."""
        import torch

        found: np.ndarray = self.team.gather(torch.from_numpy(np.ascontiguousarray(rows))).numpy()
        return found

    def own(self, index: np.ndarray, count: int) -> np.ndarray:
        """Return which rows are among `count` that are here, from numbers among all."""
        is_here = (index >= self.first) & (index < self.first + count)
        own: np.ndarray = index[is_here] - self.first
        return own


@contextmanager
def present_team() -> Iterator[Team]:
    """Give the team that torchrun started this process in; or this process alone."""
    if not _is_started_by_torchrun():
        yield ALONE
        return
    import torch
    from torch import distributed

    distributed.init_process_group("cuda:nccl,cpu:gloo" if torch.cuda.is_available() else "gloo")
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def is_follower() -> bool:
    """Whether this process is one of torchrun's but the first, which has the results."""
    return _is_started_by_torchrun() and int(os.environ["RANK"]) > 0


def _is_started_by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1
