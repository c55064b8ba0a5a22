"""The interface of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from sparsefit.core.discovery import Catalogue, NamedOptions

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Task(NamedOptions, ABC):
    """Data to fit, their split and their metric.

    Attributes
    ----------
    name : str
        What ``--task`` takes.
    aliases : tuple of str
        Other names.
    presets : mapping
        Further names, each for the task with some options.
    version : int
        Part of the run id; raise it when the data change.
    quick : mapping
        Options that make the data few: contract tests use them.
    draws_seed : bool
        False if the data are the same for every seed.
    draws_truth : bool
        True if the data depend on the width, budget and layers of the cell, as for planted
        problems.
    fits_image : bool
        True if the outputs are one image, of ``Problem.image_shape``.
    width_name : str
        What ``--hidden`` is here, for axes.
    limits : tuple of float
        Limits of the colour scale of heatmaps (those of the paper where it has the task).

    Examples
    --------
    >>> from sparsefit import Setting, find_task
    >>> find_task("planted")(n_samples=100, n_features=5).load(Setting(hidden=2), 3).X.shape
    (100, 5)
    """

    draws_seed: ClassVar[bool] = True
    draws_truth: ClassVar[bool] = False
    fits_image: ClassVar[bool] = False
    width_name: ClassVar[str] = "hidden units"
    limits: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the content of the files that the task reads, part of the run id.

        Empty where the options say all. A subclass that reads files overrides it, as a
        `cached_property` too: every cell of the task asks for it.

        Raises
        ------
        DataError
            If files are missing or damaged.
        """
        return ""

    @abstractmethod
    def load(self, setting: Setting, nnz: int) -> AnyProblem:
        """Return the data of one cell.

        Parameters
        ----------
        setting : Setting
            ``seed`` selects the draw; ``hidden`` and ``layers`` matter if `draws_truth`.
        nnz : int
            The cell's budget; matters only if `draws_truth`.

        Raises
        ------
        DataError
            If files are missing or damaged.
        SkipCell
            If this cell has no sensible data, such as a planted network without weights.
        """


class SkipCell(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by `Task.load`: the cell is recorded as skipped, with this reason."""


TASKS = Catalogue("task", "sparsefit.tasks", Task)  # type: ignore[type-abstract]


def list_tasks() -> dict[str, type[Task]]:
    """Return every task by name.

    Those of other packages, announced in the entry-point group ``sparsefit.tasks``, are there too.

    Examples
    --------
    >>> "planted" in list_tasks()
    True
    """
    return TASKS.all()


def find_task(name: str) -> type[Task]:
    """Return the task of a name, or the one in a file.

    Parameters
    ----------
    name : str
        Name, alias or preset of a task, or the path of a file that ends in ``.py``.

    Raises
    ------
    SparsefitError
        If there is none, with the nearest name, or it cannot be used.

    Examples
    --------
    >>> find_task("mlp_planted").name
    'planted'
    """
    return TASKS.find(name)
