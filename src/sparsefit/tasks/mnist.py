"""The handwritten digits of MNIST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit.data.datasets import MNIST, IdxSet
from sparsefit.tasks._images import LabelledImages


@dataclass(frozen=True, kw_only=True)
class Mnist(LabelledImages):
    """Ten classes of 28 x 28 handwritten digits: 50000 and 10000 rows, as in the paper."""

    name: ClassVar[str] = "mnist"
    images: ClassVar[IdxSet] = MNIST
