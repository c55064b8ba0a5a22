"""
A table as a formula, and the effect of a column
================================================

The columns keep their units, and constants have the digits that the rows support.
"""

import matplotlib.pyplot as plt
import numpy as np

from sparsefit import SparseMLPRegressor

rng = np.random.default_rng(0)
age, income = rng.uniform(18, 80, 600), rng.lognormal(10, 0.4, 600)
premium = 300 + 12 * np.maximum(age - 55, 0) + 0.004 * income + 20 * rng.normal(size=600)
model = SparseMLPRegressor((10,), nnz="auto", random_state=0)
model.fit(np.column_stack([age, income]), premium)
print(model.formula())

# %%
# What the model says as age changes and income stays as it usually is.
ages = np.linspace(18, 80, 200)
usual = np.column_stack([ages, np.full(200, np.median(income))])
plt.scatter(age, premium, s=5, color="0.8")
plt.plot(ages, model.predict(usual), linewidth=2)
plt.xlabel("age")
plt.ylabel("premium")
plt.show()
