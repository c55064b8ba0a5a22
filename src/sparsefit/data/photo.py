"""Image files as arrays of numbers from 0 to 1."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparsefit.core.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

_WHITE = (255, 255, 255, 255)


def read_photo(file: str | None, size: int, *, grayscale: bool = False) -> np.ndarray:
    """Read an image file of any kind that Pillow knows; its first frame if there are several.

    Parameters
    ----------
    file : str or None
        None: a photo that scikit-learn ships.
    size : int
        Pixels of the longer side; larger images are shrunk to it, smaller ones are left.
    grayscale : bool, optional
        Weigh the colours to one brightness.

    Returns
    -------
    ndarray of float32
        Shape (height, width) if `grayscale`, else (3, height, width). Transparent parts are white.

    Raises
    ------
    DataError
        If the file cannot be read as an image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if file is None:
        from sklearn.datasets import load_sample_image

        return _shrink(_channels(Image.fromarray(load_sample_image("china.jpg")), grayscale), size)
    try:
        with warnings.catch_warnings():
            # Pillow warns of images that would fill the memory; here they are refused.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                upright = ImageOps.exif_transpose(image)
                return _shrink(_channels(upright, grayscale), size)
    except UnidentifiedImageError as error:
        raise DataError(f"{file} is not an image of a known kind") from error
    except (
        OSError, ValueError, SyntaxError,
        Image.DecompressionBombError, Image.DecompressionBombWarning,
    ) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read as an image: {reason}") from error


def read_bytes(file: str) -> bytes:
    """Return the content of a file; raise `DataError` if it cannot be read."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read as an image: {error.strerror}") from error


def _channels(image: Image.Image, grayscale: bool) -> list[np.ndarray]:
    """Return the brightness, or red, green and blue, each (height, width) from 0 to 1."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers without a known range")
    if image.mode.startswith("I"):
        # 16 bits a pixel, which Pillow would cut off at 255.
        brightness = np.asarray(image, dtype=np.float32) / 65535
        return [brightness] if grayscale else [brightness] * 3
    image = image.convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    bands = image.convert("L" if grayscale else "RGB").split()
    return [np.asarray(band, dtype=np.float32) / 255 for band in bands]


def _shrink(channels: list[np.ndarray], size: int) -> np.ndarray:
    from PIL import Image

    height, width = channels[0].shape
    factor = min(1.0, size / max(height, width))
    shape = max(1, round(width * factor)), max(1, round(height * factor))
    small = [
        np.asarray(Image.fromarray(channel).resize(shape, Image.Resampling.BOX))
        for channel in channels
    ]
    return small[0] if len(small) == 1 else np.stack(small)
