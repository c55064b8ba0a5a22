"""
Masks that follow the training
==============================

Sparsity rises along a cubic schedule while the optimiser runs; nothing is called in the loop.
"""

import matplotlib.pyplot as plt
import torch

import sparsefit
from sparsefit.nn import Cubic

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
sparsefit.sparsify(model, sparsity=0.95, schedule=Cubic(end=200))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
density, losses = [], []
for _ in range(300):
    x = torch.randn(128, 20)
    loss = (model(x) - (x[:, :1] - x[:, 1:2]).relu()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    density.append(float((model[0].weight != 0).float().mean()))
    losses.append(float(loss.detach()))

# %%
# Of 1280 weights of the first layer, those of two inputs stay.
figure, axes = plt.subplots(1, 2, figsize=(8, 3))
axes[0].plot(density, label="density of the first layer")
axes[0].plot(losses, label="loss")
axes[0].set(yscale="log", xlabel="step")
axes[0].legend()
axes[1].imshow(model[0].weight.detach().T != 0, cmap="Greys", aspect="auto")
axes[1].set(xlabel="unit", ylabel="input", title="the mask in the end")
figure.tight_layout()
plt.show()
