"""Implicit neural representations: an image as a function of the Fourier features of its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sparsefit.core.errors import OptionError
from sparsefit.core.options import Condition
from sparsefit.core.problem import Problem

EVEN = Condition(lambda v: v >= 2 and v % 2 == 0, "that is even and >= 2")


def draw_frequencies(n_embedding: int, sigmas: Sequence[float], seed: int) -> np.ndarray:
    """Draw the frequencies of half as many sines and cosines as `n_embedding`.

    Parameters
    ----------
    n_embedding : int
        Number of features, even.
    sigmas : sequence of float
        Standard deviation per coordinate: (rows, columns) or (rows, columns, colours).
    seed : int

    Returns
    -------
    ndarray of shape (n_embedding / 2, len(sigmas))
    """
    random = np.random.RandomState(seed)
    # The paper draws the two places together, then the colours.
    frequencies: np.ndarray = random.normal(size=(n_embedding // 2, 2)) * np.array(sigmas[:2])
    if len(sigmas) == 2:
        return frequencies
    colours = random.normal(size=(n_embedding // 2, 1)) * sigmas[2]
    return np.hstack([frequencies, colours])


def fourier_features(coordinates: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return sines, then cosines, of 2 pi times coordinates times frequencies.

    Parameters
    ----------
    coordinates : ndarray of shape (n, c)
    frequencies : ndarray of shape (m, c)

    Returns
    -------
    ndarray of float32, shape (n, 2 m)

    Examples
    --------
    >>> fourier_features(np.array([[0.0], [0.25]]), np.array([[1.0]])).round(6).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    angles = 2 * np.pi * coordinates @ frequencies.T
    return np.hstack([np.sin(angles), np.cos(angles)]).astype(np.float32)


def pixel_coordinates(shape: tuple[int, ...]) -> np.ndarray:
    """Return (row, column) or (row, column, colour) of every pixel, in the order of storage.

    Parameters
    ----------
    shape : tuple of int
        (height, width) or (colours, height, width).

    Examples
    --------
    >>> pixel_coordinates((1, 2)).tolist()
    [[0, 0], [0, 1]]
    >>> pixel_coordinates((2, 1, 1)).tolist()
    [[0, 0, 0], [0, 0, 1]]
    """
    places = np.indices(shape).reshape(len(shape), -1).T
    # Colours are stored first and are the last coordinate.
    return np.roll(places, -1, axis=1) if len(shape) == 3 else places


def image_problem(pixels: np.ndarray, coordinates: np.ndarray, frequencies: np.ndarray) -> Problem:
    """Return the problem of fitting one image; there are no fresh rows.

    Parameters
    ----------
    pixels : ndarray of shape (height, width) or (colours, height, width)
        Values from 0 to 1.
    coordinates : ndarray of shape (pixels.size, c)
    frequencies : ndarray of shape (m, c)
    """
    y = pixels.reshape(-1, 1).astype(np.float32)
    return Problem(
        fourier_features(coordinates, frequencies), y, peak=1.0, image_shape=pixels.shape
    )


def pick(images: np.ndarray, number: int) -> np.ndarray:
    """Return one image; raise `OptionError` if there is none of that number."""
    if number >= len(images):
        raise OptionError("image", number, f"below {len(images)}, the number of test images")
    image: np.ndarray = images[number]
    return image
