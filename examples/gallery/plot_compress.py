"""
Smaller and faster in fact
==========================

A network of 784-1024-1024-10, pruned and compressed: bytes and milliseconds of a batch of 256.
"""

import matplotlib.pyplot as plt
import torch

import sparsefit

torch.manual_seed(0)
torch.set_num_threads(1)
x = torch.randn(256, 784)
sparsities, sizes, times = [0.0, 0.8, 0.9, 0.95, 0.98, 0.99], [], []
for sparsity in sparsities:
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 1024), torch.nn.ReLU(),
        torch.nn.Linear(1024, 10),
    )  # fmt: skip
    if sparsity:
        sparsefit.prune(model, sparsity=sparsity)
    found = sparsefit.compress(model, x).compression
    sizes.append(found.bytes[1] / 1e6)
    times.append(found.milliseconds[1])

figure, axes = plt.subplots(1, 2, figsize=(8, 2.8))
names = [f"{sparsity:.0%}" for sparsity in sparsities]
axes[0].bar(names, sizes)
axes[0].set(ylabel="MB", xlabel="sparsity")
axes[1].bar(names, times, color="C1")
axes[1].set(ylabel="ms for 256 rows", xlabel="sparsity")
figure.tight_layout()
plt.show()
