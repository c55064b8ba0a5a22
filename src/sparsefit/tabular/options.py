"""How a model of a table is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sparsefit.core.activations import ActivationName
from sparsefit.core.errors import OptionError
from sparsefit.core.options import REQUIRED, Condition, above, at_least, like, option
from sparsefit.core.setting import Setting
from sparsefit.methods import find_method
from sparsefit.reading.options import ReadOptions


@dataclass(frozen=True, kw_only=True)
class FitOptions(ReadOptions):
    """Which column of a table is fitted, and how.

    Raises
    ------
    SparsefitError
        If a value is not allowed, or there is no such method.

    Examples
    --------
    >>> options = FitOptions(target="price", nnz=30)
    >>> options.hidden, options.method
    (20, 'auto')
    """

    target: str = option(REQUIRED, "the column to predict")
    nnz: int | Literal["auto"] = option(
        50, "the most nonzero weights, or 'auto' for the fewest that are as good as any",
        check=at_least(1),
    )  # fmt: skip
    hidden: int = like(Setting, "hidden", default=20, help="hidden units")
    activation: ActivationName = like(Setting, "activation")
    method: str = option("auto", "how to fit")
    loss: Literal["auto", "huber", "poisson"] = option(
        "auto", "what is minimised for a target of numbers: squares (auto), less of what is far "
        "off (huber), or the deviance of counts (poisson)",
    )  # fmt: skip
    classes: bool = option(False, "take the numbers of the target as labels")
    class_weight: Literal["balanced"] | None = option(
        None, "let all classes count alike, however few their rows (balanced)"
    )
    test_share: float = option(
        0.2, "share of the rows that are held out to score on",
        check=Condition(lambda share: 0 < share < 1, "> 0 and < 1"),
    )  # fmt: skip
    time_column: str | None = option(None, "hold out the last rows by this column, not any")
    group_column: str | None = option(
        None, "hold out whole groups of rows with one value in this column, which is left out"
    )
    time_limit: float | None = option(
        None, "seconds after which the fit makes do with the networks that it has",
        check=above(0),
    )  # fmt: skip
    image_shape: tuple[int, ...] = option(
        (), "height, width and perhaps channels, where the columns are the pixels of an image, by "
        "rows: 'sparsefit report' then draws weights as pictures (default: that of an NPZ array)",
        check=at_least(1),
    )  # fmt: skip
    seed: int = like(Setting, "seed", help="random seed")

    def __post_init__(self) -> None:
        """Look for the method, too."""
        super().__post_init__()
        find_method(self.method)
        if self.time_column and self.group_column:
            raise OptionError("group_column", self.group_column, "left out beside time_column")
        if self.target in (*self.drop, *self.id):
            name = "drop" if self.target in self.drop else "id"
            raise OptionError(name, self.target, "columns other than the target")

    def asked(self, names: list[str]) -> dict[str, str]:
        """Return what columns are to be taken as, the target among them."""
        found = super().asked(names)
        return found | ({self.target: "category"} if self.classes else {})
