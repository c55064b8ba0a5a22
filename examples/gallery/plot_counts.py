"""
Counts, and outliers
====================

``loss="poisson"`` fits the logarithm of a mean, ``loss="huber"`` is not led astray.
"""

import matplotlib.pyplot as plt
import numpy as np

from sparsefit import SparseMLPRegressor

rng = np.random.default_rng(0)
hour = rng.uniform(0, 24, 800)
visits = rng.poisson(np.exp(0.5 + 0.25 * np.clip(hour - 6, 0, 8) - 0.35 * np.clip(hour - 16, 0, 8)))
load = np.maximum(hour - 9, 0) + rng.normal(size=800)
load[:60] += 40
hours = np.linspace(0, 24, 200)[:, None]

figure, axes = plt.subplots(1, 2, figsize=(8, 3))
counts = SparseMLPRegressor((8,), nnz=10, loss="poisson", random_state=0)
counts.fit(hour[:, None], visits)
axes[0].scatter(hour, visits, s=4, color="0.7")
axes[0].plot(hours, counts.predict(hours))
axes[0].set(title="counts", xlabel="hour")
for loss in ("squared_error", "huber"):
    model = SparseMLPRegressor((8,), nnz=6, loss=loss, random_state=0).fit(hour[:, None], load)
    axes[1].plot(hours, model.predict(hours), label=loss)
axes[1].scatter(hour, load, s=4, color="0.7")
axes[1].set(title="outliers", xlabel="hour", ylim=(-4, 30))
axes[1].legend()
figure.tight_layout()
plt.show()
