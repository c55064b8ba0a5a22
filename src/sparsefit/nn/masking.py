"""Give a model masks, and make them permanent."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args

from torch import nn

from sparsefit.core.errors import OptionError, near_match
from sparsefit.nn.asking import read_wishes
from sparsefit.nn.masked import detach
from sparsefit.nn.masks import Fisher, MaskRule, OneShot
from sparsefit.nn.oneshot.prune import groups_from_data
from sparsefit.nn.pruner import Pruner, pruners
from sparsefit.nn.schedules import Constant, Schedule

M = TypeVar("M", bound=nn.Module)
PruningMethod = Literal["magnitude", "wanda", "surgeon"]


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
        Default `Fisher`, by the mean squared gradients that Adam and its relatives keep, which lets
        pruned weights come back; under optimisers that keep none, as `Magnitude` does.
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
        mask = Fisher(fallback=True)
    pruner = Pruner(model, mask=mask, schedule=schedule or Constant(), **options)
    pruner.follow()
    return model


def prune(
    model: M,
    *,
    sparsity: float | Mapping[str, float] | None = None,
    nnz: int | None = None,
    data: Any = None,
    method: PruningMethod | None = None,
    **options: Any,
) -> M:
    """Prune once, and hold what is pruned at zero.

    Parameters
    ----------
    model : Module
        Changed in place. It can be trained on; `finalize` makes it a plain model again.
    sparsity, nnz, **options
        As of `Pruner`; the allocation is ``global`` by default.
    data : Tensor, or iterable of Tensor or of (inputs, ...), optional
        Inputs of the model, or batches of them: a few hundred rows of what it was trained on.
    method : {"magnitude", "wanda", "surgeon"}, optional
        What is kept: the largest weights (the default without data); those that are largest times
        their input (Wanda, https://arxiv.org/abs/2306.11695); or, the default with data, what the
        layer-wise optimal brain surgeon keeps, who also refits the weights that stay, and their
        biases. The last two share the budget by what pruning each layer changes in the outputs of
        the network. Linear layers, convolutions and attention are pruned so; of other layers the
        largest weights stay.

    Raises
    ------
    SparsefitError
        If a value is not allowed, or the method does not go with what else is given.

    Examples
    --------
    >>> model = prune(nn.Linear(8, 4), nnz=10)
    >>> sum(int((p != 0).sum()) for p in (model.weight, model.bias))
    10
    >>> import torch
    >>> model = prune(nn.Linear(8, 4), sparsity=0.75, data=torch.randn(100, 8))
    >>> int((model.weight != 0).sum())
    8
    """
    options = {"mask": OneShot(), "schedule": Constant(stop=0), **options}
    method = method or ("magnitude" if data is None else "surgeon")
    if method not in get_args(PruningMethod):
        words = f"one of {', '.join(get_args(PruningMethod))}"
        raise OptionError("method", method, words, near_match(str(method), get_args(PruningMethod)))
    if method == "magnitude":
        options = {"allocation": "global", **options}
        return sparsify(model, sparsity=sparsity, nnz=nnz, **options)
    if data is None:
        raise OptionError("data", data, f"inputs of the model with method {method!r}")
    if "allocation" in options or options.get("biases"):
        name = "allocation" if "allocation" in options else "biases"
        raise OptionError(name, options[name], f"left out with method {method!r}")
    wanted = {"structure": None, "layers": None, "exclude": (), "kernel": "dense", **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `sparsify` says it all again
        wishes = read_wishes(
            model, sparsity=sparsity, nnz=nnz, allocation="uniform", biases=False, **wanted
        )
    chosen = iter(groups_from_data(model, wishes, data, method))
    return sparsify(
        model, sparsity=sparsity, nnz=nnz, allocation=lambda candidates, keep: next(chosen),
        **options,
    )  # fmt: skip


def plain_copy(model: M) -> M:
    """Return what `finalize` would give now, for evaluation; the model can be trained on.

    Of a schedule that has not ended nothing is said: it is not meant to have.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return finalize(copy.deepcopy(model)).eval()


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
