"""The clothes of Fashion-MNIST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from sparsefit.core.options import at_least, option
from sparsefit.data.datasets import FASHION_MNIST, IdxSet
from sparsefit.tasks._images import LabelledImages


@dataclass(frozen=True, kw_only=True)
class FashionMnist(LabelledImages):
    """Ten classes of 28 x 28 pictures of clothes: the standard split of 60000 and 10000 rows."""

    name: ClassVar[str] = "fashion-mnist"
    images: ClassVar[IdxSet] = FASHION_MNIST

    train_per_class: int = option(6000, "training images of each class", check=at_least(1))
    scale: Literal["raw", "unit"] = option("unit", "pixels from 0 to 255 (raw) or to 1 (unit)")
