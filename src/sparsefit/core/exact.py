"""When a fit is exact: one definition for searches, estimators, rows and pictures."""

from __future__ import annotations

import math

# Mean square of the residual, relative to the square of what is fitted: 100 dB. The rounding of
# float64 is at 320 dB and that of float32 at 150, so that an exact fit of either is far above it,
# while a wrong support, or noise, stays far below.
EXACT = 1e-10
EXACT_PSNR = -10 * math.log10(EXACT)
# The same as a ratio of amplitudes, for a recovered vector.
EXACT_RELATIVE_ERROR = math.sqrt(EXACT)


def is_exact(mean_square: float, scale: float) -> bool:
    """Whether a fit with this mean square of its residuals is exact.

    Parameters
    ----------
    mean_square : float
    scale : float
        Mean square of the targets.

    Examples
    --------
    >>> is_exact(1e-11, 1.0), is_exact(1e-11, 0.01)
    (True, False)
    """
    return mean_square <= EXACT * scale
