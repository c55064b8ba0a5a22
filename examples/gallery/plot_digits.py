"""
What units of a sparse classifier look at
=========================================

Ten digits by 150 weights: blue pixels add to a unit, red ones subtract.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sparsefit import SparseMLPClassifier

X, y = load_digits(return_X_y=True)
model = SparseMLPClassifier((12,), nnz=150, skip=False, random_state=0).fit(X[:1300], y[:1300])
weights = model.coefs_[0].toarray()
order = np.argsort(-np.count_nonzero(weights, axis=0))[:8]

figure, axes = plt.subplots(1, 8, figsize=(9, 1.7))
for ax, unit in zip(axes, order):
    largest = abs(weights[:, unit]).max()
    ax.imshow(weights[:, unit].reshape(8, 8), cmap="RdBu", vmin=-largest, vmax=largest)
    ax.axis("off")
score = model.score(X[1300:], y[1300:])
figure.suptitle(f"{model.n_nonzero_} weights, accuracy {score:.3f} on held-out digits")
plt.show()
