"""How often seeds succeed, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sparsefit.experiments.metrics import MetricInfo

# Of the normal distribution, 95 % is within so many standard deviations.
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Rate:
    """Successes among trials.

    Attributes
    ----------
    successes, trials : int

    Examples
    --------
    >>> print(Rate(3, 3), Rate(1, 10))
    3/3 [0.44, 1] 1/10 [0.02, 0.4]
    """

    successes: int
    trials: int

    @classmethod
    def of(cls, values: np.ndarray, metric: MetricInfo, threshold: float) -> Rate:
        """Count the scores that are at least as good as `threshold`."""
        better = np.greater_equal if metric.higher_is_better else np.less_equal
        return cls(int(np.sum(better(values, threshold))), len(values))

    @property
    def share(self) -> float:
        """Successes per trial."""
        return self.successes / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the probability of success."""
        # In closed form: scipy.stats has it too, and takes half a second to load.
        n, share = self.trials, self.share
        middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        spread = _Z * math.sqrt(share * (1 - share) / n + (_Z / (2 * n)) ** 2) / (1 + _Z**2 / n)
        return max(middle - spread, 0.0), min(middle + spread, 1.0)

    def __str__(self) -> str:
        """Return the count and the interval."""
        low, high = (f"{round(end, 2):g}" for end in self.interval)
        return f"{self.successes}/{self.trials} [{low}, {high}]"


def goal_of(metric: MetricInfo, threshold: float) -> str:
    """Say what counts as a success.

    Examples
    --------
    >>> from sparsefit.experiments.metrics import METRICS
    >>> goal_of(METRICS["psnr"], 100.0)
    'PSNR (dB) ≥ 100'
    """
    return f"{metric.label} {'≥' if metric.higher_is_better else '≤'} {threshold:g}"
