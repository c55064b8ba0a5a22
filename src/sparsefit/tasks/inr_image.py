"""Any image file as a function of its pixel coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from sparsefit.core.options import above, at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.data.digest import digest
from sparsefit.data.photo import read_bytes, read_photo
from sparsefit.tasks._base import Task
from sparsefit.tasks._fourier import EVEN, draw_frequencies, image_problem, pixel_coordinates


@dataclass(frozen=True, kw_only=True)
class InrImage(Task):
    """An image file as a function of Fourier features of row, column and colour, each in [0, 1].

    Examples
    --------
    >>> problem = InrImage(size=12).load(Setting(), 1)
    >>> problem.X.shape, problem.image_shape
    ((288, 256), (3, 8, 12))
    """

    name: ClassVar[str] = "inr-image"
    fits_image: ClassVar[bool] = True
    limits: ClassVar[tuple[float, float]] = (0.0, 50.0)
    quick: ClassVar[Mapping[str, Any]] = {"size": 12, "n_embedding": 20}

    file: str | None = option(
        None, "image file; default: a photo that scikit-learn ships", other="photo.png"
    )
    size: int = option(32, "pixels of the longer side; larger images are shrunk", check=at_least(1))
    grayscale: bool = option(False, "fit the brightness instead of the colours")
    n_embedding: int = option(256, "Fourier features", check=EVEN)
    sigma: float = option(3.0, "standard deviation of the frequencies in space", check=above(0))
    color_sigma: float = option(
        0.1, "standard deviation of the frequencies in colour", check=above(0)
    )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the image file; none for the photo that scikit-learn ships."""
        return "" if self.file is None else digest(read_bytes(self.file))

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Read the image and draw the frequencies."""
        pixels = read_photo(self.file, self.size, grayscale=self.grayscale)
        sigmas = (self.sigma, self.sigma, self.color_sigma)[: pixels.ndim]
        frequencies = draw_frequencies(self.n_embedding, sigmas, setting.seed)
        places = pixel_coordinates(pixels.shape)
        # An image that is one pixel high has nothing to divide by.
        places = places / places.max(axis=0).clip(1)
        return image_problem(pixels, places, frequencies)
