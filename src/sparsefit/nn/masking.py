"""Give a model masks, and make them permanent."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn

from sparsefit.nn.masked import detach
from sparsefit.nn.masks import Magnitude, MaskRule, OneShot
from sparsefit.nn.pruner import Pruner, pruners
from sparsefit.nn.schedules import Constant, Schedule

M = TypeVar("M", bound=nn.Module)


def sparsify(
    model: M,
    *,
    mask: MaskRule | str | None = None,
    schedule: Schedule | str | None = None,
    **options: Any,
) -> M:
    """Give a model masks that look after themselves while it is trained.

    The weights stay the model's own parameters, and are zero where the mask is. Every ``step()`` of
    a torch optimiser that holds them counts as a step of the schedule; nothing is to be called in
    the training loop. Skipped steps of a gradient scaler and accumulated gradients are thus counted
    rightly. Of several optimisers with different weights, which take turns, each turn counts once.

    Parameters
    ----------
    model : Module
        Changed in place.
    mask : MaskRule or str, optional
        Default `Magnitude`, which lets pruned weights come back.
    schedule : Schedule or str, optional
        Default `Constant`.
    **options
        As of `Pruner`: sparsity, nnz, structure, allocation, layers, exclude, biases, kernel.

    Returns
    -------
    Module
        The same model.

    Examples
    --------
    >>> model = sparsify(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)), sparsity=0.9)
    >>> int((model[0].weight != 0).sum() + (model[2].weight != 0).sum())
    14
    """
    if mask is None and options.get("kernel", "dense") == "dense":
        mask = Magnitude()
    pruner = Pruner(model, mask=mask, schedule=schedule or Constant(), **options)
    pruner.follow()
    return model


def prune(model: M, *, sparsity: float | None = None, nnz: int | None = None, **options: Any) -> M:
    """Prune once: keep the largest weights, and hold the others at zero.

    Parameters
    ----------
    model : Module
        Changed in place. It can be trained on; `finalize` makes it a plain model again.
    sparsity, nnz, **options
        As of `Pruner`; the allocation is ``global`` by default.

    Examples
    --------
    >>> model = prune(nn.Linear(8, 4), nnz=10)
    >>> sum(int((p != 0).sum()) for p in (model.weight, model.bias))
    10
    """
    options = {
        "mask": OneShot(), "schedule": Constant(stop=0), "allocation": "global", **options
    }  # fmt: skip
    return sparsify(model, sparsity=sparsity, nnz=nnz, **options)


def finalize(model: M) -> M:
    """Make the masks permanent: the model is plain again, with zeros where the masks were.

    Masks within the budget stay; whatever the schedule had left to do is done first, so that the
    budget holds exactly. Optimisers of the model can go on.

    Parameters
    ----------
    model : Module
        Changed in place; layers of this package become torch's own.

    Examples
    --------
    >>> model = finalize(sparsify(nn.Linear(8, 4), sparsity=0.5))
    >>> type(model).__name__, int((model.weight != 0).sum())
    ('Linear', 16)
    """
    for pruner in pruners(model):
        pruner.finish()
    detach(model)
    for module in model.modules():
        module.__class__ = getattr(type(module), "plain_class", type(module))
    return model
