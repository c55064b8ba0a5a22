"""Who computes which cells, so that runs that share a folder do no work twice.

A claim is a file beside the results, which its holder renews and which expires: a run that was
killed leaves its cells to the others. It saves work and protects nothing; rows are written whole
whoever writes them, and two who compute one cell write the same.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import SoftFileLease, Timeout

from sparsefit.experiments.store import StoreError

if TYPE_CHECKING:
    from sparsefit.experiments.spec import Cell

# A claim that is not renewed for so many seconds has ended. Where its process can be seen to be
# gone, it ends at once.
_LEASE_SECONDS = 60.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Claims:
    """Claims on the cells of a folder of results.

    Examples
    --------
    >>> import tempfile
    >>> from sparsefit import Setting, find_method, find_task
    >>> from sparsefit.experiments.spec import Cell
    >>> cell = Cell(find_task("planted")(), find_method("aiht")(), Setting(), 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     claims = Claims(Path(folder))
    ...     with claims.holding([cell]) as mine, claims.holding([cell]) as others:
    ...         print(len(mine), len(others))
    1 0
    """

    folder: Path

    @contextlib.contextmanager
    def holding(self, cells: Iterable[Cell]) -> Iterator[list[Cell]]:
        """Claim cells, and give those that nobody else has."""
        with contextlib.ExitStack() as held:
            yield [cell for cell in cells if self._take(self._lease(cell.run_id), held)]

    def sweep_up(self, leftovers: Iterable[tuple[str, Path]]) -> None:
        """Remove files, each of the cell of a run id, that nobody is writing any more."""
        for run_id, path in leftovers:
            with contextlib.ExitStack() as held:
                if self._take(self._lease(run_id), held):
                    path.unlink(missing_ok=True)

    def until_one_is_free(self, cells: list[Cell]) -> Cell:
        """Wait for the first of some cells that nobody has, any more."""
        # A lease sees only by looking twice that nobody renews it.
        leases = [(cell, self._lease(cell.run_id)) for cell in cells]
        while True:
            for cell, lease in leases:
                with contextlib.ExitStack() as held:
                    if self._take(lease, held):
                        return cell
            time.sleep(_LOOK_SECONDS)

    def _lease(self, run_id: str) -> SoftFileLease:
        path = self.folder / "claims" / f"{run_id}.lock"
        return SoftFileLease(path, lease_duration=_LEASE_SECONDS, timeout=0)

    def _take(self, lease: SoftFileLease, held: contextlib.ExitStack) -> bool:
        path = Path(lease.lock_file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(lease)
        except Timeout:
            return False
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror}; finished cells are kept"
            ) from error
        return True
