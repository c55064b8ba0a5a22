"""
Pruned once, with a look at data
================================

A trained network of digits, pruned by magnitude, by Wanda's score and by the surgeon, who refits
what stays. Nothing is trained afterwards.
"""

import copy

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

import sparsefit

torch.manual_seed(0)
data = load_digits()
X, y = torch.tensor(data.data).float() / 16, torch.tensor(data.target)
model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
for _ in range(30):
    for rows in torch.randperm(1347).split(64):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(X[rows]), y[rows]).backward()
        optimizer.step()

sparsities = [0.5, 0.7, 0.8, 0.9, 0.95]
for method in ("magnitude", "wanda", "surgeon"):
    scores = []
    for sparsity in sparsities:
        given = {} if method == "magnitude" else {"data": X[:512]}
        pruned = sparsefit.prune(copy.deepcopy(model), sparsity=sparsity, method=method, **given)
        right = pruned(X[1347:]).argmax(1) == y[1347:]
        scores.append(float(right.float().mean()))
    plt.plot(sparsities, scores, marker="o", label=method)
plt.xlabel("sparsity")
plt.ylabel("accuracy, not trained again")
plt.legend()
plt.show()
