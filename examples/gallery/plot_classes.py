"""
A curved boundary from few weights
==================================

Two moons, told apart by networks of 8, 16 and 40 weights.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from sparsefit import SparseMLPClassifier

X, y = make_moons(600, noise=0.2, random_state=0)
grid = np.stack(np.meshgrid(np.linspace(-1.6, 2.6, 120), np.linspace(-1.1, 1.6, 100)), axis=-1)
models = SparseMLPClassifier((12,), random_state=0).path(X, y, [8, 16, 40])

figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True)
for ax, model in zip(axes, models):
    p = model.predict_proba(grid.reshape(-1, 2))[:, 1].reshape(100, 120)
    ax.contourf(grid[..., 0], grid[..., 1], p, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.7)
    ax.scatter(*X.T, c=y, s=3, cmap="RdBu", edgecolors="0.3", linewidths=0.2)
    ax.set_title(f"{model.n_nonzero_} weights, {model.score(X, y):.2f}")
figure.tight_layout()
plt.show()
