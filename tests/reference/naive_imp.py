"""Iterative magnitude pruning as one reads it: no sharing, no fused optimiser, masks by sorting."""

import numpy as np
import torch

from sparsefit.dense import MLP


def train(net, masks, X, y, epochs, lr):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)
    for _ in range(epochs):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(X), y).backward()
        for parameter, mask in zip(net.parameters(), masks, strict=True):
            parameter.grad *= mask
        optimizer.step()


def prune(net, masks, keep):
    """Remove the smallest remaining weight until `keep` are left."""
    with torch.no_grad():
        while sum(int(mask.sum()) for mask in masks) > keep:
            candidates = [
                (abs(parameter.ravel()[i].item()), -number, -i)
                for number, (parameter, mask) in enumerate(
                    zip(net.parameters(), masks, strict=True)
                )
                for i in range(parameter.numel())
                if mask.ravel()[i]
            ]
            _, number, i = min(candidates)
            masks[-number].view(-1)[-i] = False
            list(net.parameters())[-number].view(-1)[-i] = 0


def rewind(net, initial, masks):
    with torch.no_grad():
        for parameter, start, mask in zip(net.parameters(), initial, masks, strict=True):
            parameter.copy_(start * mask)


def naive_imp(problem, nnz, setting, *, epochs, prune_iters, score, lr=1e-3):
    """Return the weight matrices, inputs by units, after full-batch training."""
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    widths = [X.shape[1], *[setting.hidden] * setting.layers, y.shape[1]]
    net = MLP(widths, bias=setting.bias, seed=setting.seed, skip=setting.skip)
    initial = [parameter.detach().clone() for parameter in net.parameters()]
    masks = [torch.ones_like(parameter, dtype=torch.bool) for parameter in initial]
    total = left = net.n_params
    rounds = 0
    train(net, masks, X, y, epochs, lr)
    while left > nnz:
        rounds += 1
        if prune_iters == 0:
            left = nnz
        elif prune_iters < 1:
            left = max(nnz, left - max(1, round(prune_iters * left)))
        else:
            left = round(total * (nnz / total) ** (rounds / prune_iters))
        prune(net, masks, left)
        if left == nnz and score == "pruned":
            break
        if prune_iters:
            rewind(net, initial, masks)
        train(net, masks, X, y, epochs, lr)
    linear = [module for module in (*net.layers, net.skip) if hasattr(module, "weight")]
    return [np.ascontiguousarray(module.weight.detach().numpy().T) for module in linear]
