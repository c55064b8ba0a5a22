"""Prune a trained network once, by the optimal brain surgeon or by Wanda's score."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from sparsefit.core.errors import OptionError
from sparsefit.nn.asking import Wish, Wishes
from sparsefit.nn.budget import Candidate, choose_in
from sparsefit.nn.oneshot.layers import Batch, Moments, read_batches, watched
from sparsefit.nn.oneshot.rows import Map, Surgeon
from sparsefit.nn.oneshot.sharing import share_by_loss

Method = Literal["surgeon", "wanda"]
# Densities at which the loss of each layer is measured, to share the budget.
DENSITIES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05, 0.03, 0.02, 0.01)


@torch.no_grad()
def groups_from_data(
    model: nn.Module, wishes: Wishes, data: Any, method: Method
) -> list[list[Tensor]]:
    """Choose what to keep by looking at data; for the surgeon, weights are refitted in place.

    Parameters
    ----------
    model : Module
    wishes : Wishes
        Which weights, in what structure, and how many of them in all.
    data : Tensor or iterable
        Inputs, or batches of them.
    method : {"surgeon", "wanda"}

    Returns
    -------
    list of lists of bool Tensor
        For each budget of the wishes, what its weights keep, in the shape of their groups.
    """
    batches = read_batches(data)
    if not batches:
        raise OptionError("data", data, "one batch of inputs at least")
    was_training = model.training
    model.eval()
    try:
        pruning = _Pruning(model, wishes, batches)
        masks = pruning.by_wanda() if method == "wanda" else pruning.by_surgeon()
    finally:
        model.train(was_training)
    groups: dict[str, list[Tensor]] = {}
    for wish in wishes.weights:
        kept = wish.structure.pool(masks[wish.place.name].float()) > 0
        groups.setdefault(wish.group, []).append(kept)
    return list(groups.values())


class _Pruning:
    """A model, what is to be pruned of it, and what it does with data while it is dense."""

    def __init__(self, model: nn.Module, wishes: Wishes, batches: list[Batch]):
        self.model, self.batches = model, batches
        self.wishes = {wish.place.name: wish for wish in wishes.weights}
        self.dense = copy.deepcopy(model)
        self.outputs = [_as_one(self.dense(*batch)) for batch in batches]
        self.moments = self._moments(list(self.wishes))
        self.scale = sum(float(z.square().sum()) for z in self.outputs) or 1.0

    def _places(self, model: nn.Module, names: list[str]) -> list[tuple[str, nn.Module, str]]:
        return [
            (name, model.get_submodule(self.wishes[name].place.layer),
             self.wishes[name].place.tensor) for name in names
        ]  # fmt: skip

    def _moments(self, names: list[str]) -> dict[str, Moments]:
        """Return moments of what weights are given now, and in the dense network."""
        found: dict[str, Moments] = {}
        for batch in self.batches:
            dense: dict[str, list[Tensor]] = {}
            now: dict[str, list[Tensor]] = {}
            for model, taken in ((self.dense, dense), (self.model, now)):
                with watched(model, self._places(model, names), taken):
                    model(*batch)
            for name, rows in now.items():
                x, was = torch.cat(rows), torch.cat(dense[name])
                if name not in found:
                    zeros = x.new_zeros(x.shape[1], x.shape[1])
                    found[name] = Moments(zeros, zeros.clone())
                found[name].add(x, was)
        return found

    def by_wanda(self) -> dict[str, Tensor]:
        """Keep in every layer the largest |w| times the root mean square of its input.

        The budget is shared by measured losses, as the surgeon's is, and weights of all outputs
        are ranked together: on networks of a few layers that does better than in each output.

        References
        ----------
        M. Sun et al., A Simple and Effective Pruning Approach for Large Language Models, ICLR 2024,
        arXiv:2306.11695.
        """
        counts = self._counts(refit=False)
        return {name: self._wanda_mask(wish, counts[name]) for name, wish in self.wishes.items()}

    def _wanda_mask(self, wish: Wish, count: int) -> Tensor:
        weight = wish.place.parameter
        score = self._wanda_score(wish)
        candidate = Candidate(tuple(weight.shape), wish.structure, wish.structure.pool(score))
        return wish.structure.expand(choose_in(candidate, count), weight.shape)

    def _wanda_score(self, wish: Wish) -> Tensor:
        weight = wish.place.parameter.detach()
        moments = self.moments.get(wish.place.name)
        if moments is None:
            return weight.abs()
        norms = (moments.own.diagonal()[:-1] / moments.n).sqrt()
        return (weight.abs().flatten(1) * norms).view_as(weight)

    def by_surgeon(self) -> dict[str, Tensor]:
        """Share the budget by measured losses, then prune and refit layer by layer."""
        counts = self._counts(refit=True)
        masks: dict[str, Tensor] = {}
        for name, wish in self.wishes.items():
            if name not in self.moments:
                masks[name] = self._wanda_mask(wish, counts[name])
                wish.place.parameter.mul_(masks[name])
                continue
            # What the layer is given now that those before it are pruned.
            moments = self._moments([name])[name]
            found = _surgeon_for(wish, moments).cut_to(counts[name])
            masks[name] = found.mask.view_as(wish.place.parameter)
            _write(wish, wish.place.module, found)
        return masks

    def _counts(self, *, refit: bool) -> dict[str, int]:
        """Return how many weights each layer keeps: by measured losses, with or without refits."""
        groups: dict[str, list[str]] = {}
        for name, wish in self.wishes.items():
            groups.setdefault(wish.group, []).append(name)
        counts: dict[str, int] = {}
        for names in groups.values():
            wishes = [self.wishes[name] for name in names]
            shares = [wish.share for wish in wishes]
            if len(names) > 1 and all(wish.structure.density is None for wish in wishes):
                losses = np.array([self._losses(name, refit=refit) for name in names])
                sizes = [wish.place.parameter.numel() for wish in wishes]
                shares = share_by_loss(sizes, DENSITIES, losses, sum(shares))
            counts.update(zip(names, shares, strict=True))
        return counts

    def _losses(self, name: str, *, refit: bool) -> list[float]:
        """Measure the squared change of the outputs if one layer alone is pruned."""
        wish = self.wishes[name]
        module = wish.place.module
        state = copy.deepcopy(module.state_dict())
        surgeon = None
        if refit and name in self.moments:
            surgeon = _surgeon_for(wish, self.moments[name])
        losses = [0.0]
        for density in DENSITIES[1:]:
            count = max(1, int(density * wish.place.parameter.numel()))
            if surgeon is None:
                module.load_state_dict(state)
                wish.place.parameter.mul_(self._wanda_mask(wish, count))
            else:
                _write(wish, module, surgeon.cut_to(count))
            changed = (_as_one(self.model(*batch)) for batch in self.batches)
            pairs = zip(changed, self.outputs, strict=True)
            losses.append(sum(float((z - was).square().sum()) for z, was in pairs) / self.scale)
        module.load_state_dict(state)
        return losses


def _bias_of(wish: Wish) -> str:
    return wish.place.tensor.replace("weight", "bias")


def _surgeon_for(wish: Wish, moments: Moments) -> Surgeon:
    bias = wish.place.module._parameters.get(_bias_of(wish))
    return Surgeon(wish.place.parameter, bias, moments, wish.structure)


def _write(wish: Wish, module: nn.Module, found: Map) -> None:
    weight = wish.place.parameter
    weight.copy_(found.weight.view_as(weight))
    bias = module._parameters.get(_bias_of(wish))
    if bias is not None and found.bias is not None:
        bias.copy_(found.bias)


def _as_one(outputs: Any) -> Tensor:
    """Return all numbers of a model's outputs, rows first."""
    if isinstance(outputs, Tensor):
        return outputs.flatten(1) if outputs.ndim > 1 else outputs[:, None]
    values = outputs.values() if isinstance(outputs, Mapping) else outputs
    return torch.cat([_as_one(value) for value in values if isinstance(value, Tensor)], dim=1)
