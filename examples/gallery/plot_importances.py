"""
Which columns matter
====================

How much the outputs change when the values of a column are shuffled between rows.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from sparsefit import SparseMLPClassifier

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
model = SparseMLPClassifier((10,), nnz=15, random_state=0).fit(X, y)
model.plot_importances()
plt.title(f"{model.n_nonzero_} weights, accuracy {model.score(X, y):.3f}")
plt.tight_layout()
plt.show()
