"""
How many weights do the rows support?
=====================================

Cross-validation compares networks of all sizes; the dashed line is the one that was taken.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

from sparsefit import SparseMLPRegressor

X, y = load_diabetes(return_X_y=True)
model = SparseMLPRegressor((20,), nnz="auto", random_state=0).fit(X, y)
model.plot_path()
plt.title(f"diabetes: {model.n_nonzero_} weights")
plt.show()
