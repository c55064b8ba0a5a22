"""Masks learned along with the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sparsefit import dense, nn
from sparsefit.core.choices import Mask, MaskSchedule
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import Condition, Other, between, option
from sparsefit.methods._masked import MovingMask


def _is_structure(text: str) -> bool:
    try:
        nn.parse_structure(text)
    except SparsefitError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class LearnedMask(MovingMask):
    """Masks learned by gradient, with any rule, structure and schedule.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = LearnedMask(epochs=20).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz
    5
    """

    name: ClassVar[str] = "learned-mask"
    # 2: the random gates of hard-concrete are drawn from 16 bits.
    version: ClassVar[int] = 2

    mask: Mask = option(
        "hard-top-k", "how masks come from scores; frozen: drawn at random, and not learned"
    )
    structure: str = option(
        "unstructured",
        "what is pruned together: unstructured, rows, columns, blocks as 4x4, n:m as 2:4",
        check=Condition(_is_structure, "unstructured, rows, columns, blocks as 4x4, or n:m as 2:4"),
        other="rows",
    )
    mask_schedule: MaskSchedule = option("constant", "course of the sparsity")
    ramp: float = option(
        0.5, "share of the steps until the sparsity is final and masks are hard",
        check=between(0, 1), other=Other(0.2, beside={"mask_schedule": "cubic"}),
    )  # fmt: skip
    freeze: float = option(
        0.8, "share of the steps, at least ramp, after which masks do not move", check=between(0, 1)
    )

    def masking(self, n_steps: int) -> dense.Masking:
        """Return the rule, structure and schedule that the options name."""
        end, stop = round(self.ramp * n_steps), round(max(self.ramp, self.freeze) * n_steps)
        timing: dict[str, Any] = {"period": self.mask_period, "stop": stop}
        if self.mask_schedule != "constant":
            timing["end"] = end
        return dense.Masking(
            nn.named_rule(self.mask, max(1, end)),
            nn.SCHEDULES[self.mask_schedule](**timing),
            self.allocation,
            nn.parse_structure(self.structure),
        )
