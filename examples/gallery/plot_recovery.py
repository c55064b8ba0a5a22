"""
A hidden network, found weight by weight
========================================

A ReLU network of 20 weights makes 10000 rows. Two methods are asked for 20 weights back.
"""

import matplotlib.pyplot as plt

from sparsefit import Setting, find_method, find_task

setting = Setting(hidden=10, seed=0, dtype="float64")
problem = find_task("planted")().load(setting, nnz=20)
truth = problem.truth.layers[0].weight.toarray()

# %%
# ``path`` fits each budget and gives the network; outputs of one network are compared here, as
# its units come in any order.
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharex=True, sharey=True)
for ax, name in zip(axes, ("splice", "aiht")):
    [(_, fit)] = find_method(name)().path(problem, [20], setting)
    found = fit.network.predict(problem.X_test)[:, 0]
    ax.scatter(problem.y_test[:, 0], found - problem.y_test[:, 0], s=4)
    ax.set(title=f"{name}: {fit.network.nnz} weights", xlabel="output of the hidden network")
axes[0].set_ylabel("error of the network that was found")
figure.tight_layout()
plt.show()
