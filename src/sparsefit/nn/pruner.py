"""Drive the masks of a model along a schedule."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparsefit.nn.asking import Wishes, read_wishes
from sparsefit.nn.budget import Allocation, Candidate, Choice, choose, proportions, shares, within
from sparsefit.nn.following import follow_optimizers, unfollow
from sparsefit.nn.masked import Masked, attach, count_after_loading
from sparsefit.nn.masks import MaskRule
from sparsefit.nn.schedules import Schedule
from sparsefit.nn.stored import Stored, store
from sparsefit.nn.structure import Structure
from sparsefit.nn.targets import forget, masked_weights
from sparsefit.nn.watching import Watch


class Pruner:
    """Masks the weights of a model and makes the masks anew along a schedule.

    Parameters
    ----------
    model : Module
        Changed in place: every weight of two or more dimensions gets a mask, be it of a linear
        layer, a convolution, a recurrent layer, attention, an embedding or a layer of your own;
        those of norms, and vectors, stay dense. Weights that several layers share count once.
    sparsity : float or mapping, optional
        Final share of masked weights that are zero, in [0, 1); default 0.9, or what an `NM`
        structure fixes. As a mapping from layers, in the form of `layers`, each has a budget of its
        own; of several that name a weight the last counts, and others get no mask.
    nnz : int, optional
        In place of `sparsity`: how many nonzero parameters the whole model may have in the end,
        those without a mask (biases, norms) included.
    mask : MaskRule or str, optional
        Default `Magnitude` that does not revive what is pruned; or a name such as ``"rigl"``.
    structure : Structure, str, or mapping, optional
        What is pruned together, everywhere or by layer, such as ``Rows()`` or ``"2:4"``; default
        `Unstructured`. Biases are always unstructured.
    schedule : Schedule or str, optional
        Default `Cubic`: to the final sparsity in 1000 steps.
    allocation : {"erk", "uniform", "global"} or callable, optional
        How layers share the budget: denser where layers are small (the default), one density, or
        one ranking of all weights; or a function that is called as `choose` is, but for its last
        argument, and says which weights to keep.
    layers : sequence of str, optional
        What to mask: names of layers or weights, of modules that contain them, or patterns such as
        ``"encoder.*.linear1"``; default: everything.
    exclude : sequence of str, optional
        What of it not to mask.
    biases : bool, optional
        Mask the biases of these layers as well.
    kernel : {"dense", "auto", "sparse"}, optional
        ``sparse``: linear layers store, multiply and train only their nonzeros, so that time and
        memory, the optimiser's included, go with these; for rules `RigL` (then the default), `SET`
        and `OneShot`. ``auto``: where that is faster, in large layers with a fifth of nonzeros or
        less. Default: weights with zeros in them.

    Raises
    ------
    SparsefitError
        If a value is not allowed, or the model has no such layers.

    Warns
    -----
    UserWarning
        Of weights that cannot be masked, and, while training, of masks that cannot move.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> pruner = Pruner(model, sparsity=0.75, schedule="cubic")
    >>> for _ in range(1000):
    ...     optimizer.zero_grad()
    ...     model(torch.randn(4, 8)).square().mean().backward()
    ...     optimizer.step()
    ...     pruner.step(optimizer)
    >>> int((model[0].weight != 0).sum() + (model[2].weight != 0).sum())
    36
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        sparsity: float | Mapping[str, float] | None = None,
        nnz: int | None = None,
        mask: MaskRule | str | None = None,
        structure: Structure | str | Mapping[str, Structure | str] | None = None,
        schedule: Schedule | str | None = None,
        allocation: Allocation | Choice = "erk",
        layers: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        biases: bool = False,
        kernel: str = "dense",
    ):
        wishes = read_wishes(
            model, sparsity=sparsity, nnz=nnz, mask=mask, structure=structure, schedule=schedule,
            allocation=allocation, layers=layers, exclude=exclude, biases=biases,
            kernel=kernel,
        )  # fmt: skip
        self.rule, self.schedule = wishes.rule, wishes.schedule
        self._allocation = allocation
        self.n_steps, self.is_stale = 0, False
        self._is_finished, self._is_automatic = False, False
        self._members: list[weakref.ref[Masked | Stored]] = []
        self._final: dict[str, Tensor] = {}
        # What optimisers have stepped since the last step that was counted.
        self._turn: set[tuple[nn.Module, str]] = set()
        self._optimizers: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._mask(model, wishes)
        self._watch = Watch()
        follow_optimizers(self)

    def _mask(self, model: nn.Module, wishes: Wishes) -> None:
        """Give the weights their masks; if one cannot be made, the model stays as it was."""
        made = [
            Masked(
                wish.place.module, wish.place.tensor, name=wish.place.name, group=wish.group,
                rule=self.rule, structure=wish.structure, driver=self,
            )
            for wish in wishes.weights
        ]  # fmt: skip
        for masked, wish in zip(made, wishes.weights, strict=True):
            masked.share = wish.share
            self.join(masked)
        self.refresh()
        self._members = []
        for masked, wish in zip(made, wishes.weights, strict=True):
            if wish.is_stored:
                self._store(masked, wish.place.module)
            else:
                self.join(masked)
                attach(masked, wish.place.owners, model)
        count_after_loading(model)
        self.go_to(0)

    def _store(self, masked: Masked, module: nn.Module) -> None:
        """Keep only the nonzeros of a weight that has been masked."""
        stored = Stored(
            masked.weight, masked.mask, name=masked.name, group=masked.group, rule=self.rule,
            driver=self, share=masked.share,
        )  # fmt: skip
        self.join(stored)
        store(module, stored)

    def join(self, masked: Masked | Stored) -> None:
        """Drive a mask, too."""
        self._members.append(weakref.ref(masked))

    @property
    def members(self) -> list[Masked | Stored]:
        """The masks."""
        return [masked for member in self._members if (masked := member()) is not None]

    @property
    def n_maskable(self) -> int:
        """How many weights may be masked."""
        return sum(masked.shape.numel() for masked in self.members)

    @property
    def keep(self) -> int:
        """How many of them are kept in the end."""
        return sum(masked.share for masked in self.members)

    @property
    def sparsity(self) -> float:
        """The present share of masked weights that are zero."""
        masks = self.masks().values()
        kept = sum(int(mask.count_nonzero()) for mask in masks)
        return 1 - kept / sum(mask.numel() for mask in masks)

    def masks(self) -> dict[str, Tensor]:
        """Return the present masks by name of the weight, as bool in its shape."""
        if self.is_stale:
            self.recount()
        return self._final or {masked.name: masked.expanded() for masked in self.members}

    def step(self, optimizer: Optimizer | None = None) -> None:
        """Count an optimiser step, and make the masks anew if the schedule says so.

        Call it after ``optimizer.step()`` and before ``zero_grad()``.

        Parameters
        ----------
        optimizer : Optimizer, optional
            Where pruned weights do not learn, what the optimiser remembers of them is set to zero,
            so that no momentum revives them.
        """
        self.n_steps += 1
        if self._is_finished:
            return
        if self.is_stale:
            self.recount()
        if not self._is_automatic:
            # An optimiser that is not torch's has told nobody of its step.
            for masked in self.members:
                masked.hold()
        if self._is_due(self.n_steps):
            self.refresh(optimizer)
        self._prepare()

    def _is_due(self, step: int) -> bool:
        return self.schedule.is_due(step) or step == self.rule.anneal

    def _prepare(self) -> None:
        leak = self.rule.pruned_gradient(due=self._is_due(self.n_steps + 1))
        for masked in self.members:
            masked.prepare(leak, is_soft=self.n_steps < self.rule.anneal)

    def go_to(self, step: int) -> None:
        """Go on from a step of a checkpoint, with the masks that it holds."""
        self.n_steps, self._turn = step, set()
        self._prepare()

    def refresh(self, optimizer: Optimizer | None = None) -> None:
        """Make the masks anew for the present step."""
        if optimizer is not None:
            self._optimizers.add(optimizer)
        for members in self._groups():
            self._renew(members, self._count(members), self.schedule.stop, optimizer)

    def _renew(
        self,
        members: Sequence[Masked | Stored],
        keep: int,
        stop: int | None,
        optimizer: Optimizer | None = None,
    ) -> None:
        """Let the rule choose what a group keeps."""

        def importance(masked: Masked) -> Tensor:
            memory = _memory(masked, optimizer)
            return masked.rule.importance(masked.evidence(self.n_steps, stop, memory))

        self._assign(members, importance, keep, (self.n_steps, stop), optimizer)

    @torch.no_grad()
    def _assign(
        self,
        members: Sequence[Masked | Stored],
        importance: Callable[[Masked], Tensor],
        keep: int,
        time: tuple[int, int | None],
        optimizer: Optimizer | None = None,
    ) -> None:
        """Make the masks of a group from what their weights are ranked by.

        What is stored by its nonzeros exchanges them as its rule does at a step and a stop.
        """
        masked = [one for one in members if isinstance(one, Masked)]
        ranked = [importance(one) for one in masked]
        if len(masked) == len(members):
            self._set_masks(masked, ranked, keep, optimizer)
            return
        step, stop = time
        counts = dict(zip(members, self._counts(members, keep, step, stop), strict=True))
        for one in members:
            if isinstance(one, Stored):
                one.exchange(counts[one], step=step, stop=stop, optimizers=[*self._optimizers])
        for one, scores in zip(masked, ranked, strict=True):
            self._set_masks([one], [scores], counts[one], optimizer)

    def _counts(
        self, members: Sequence[Masked | Stored], keep: int, step: int, stop: int | None
    ) -> list[int]:
        """Share out what a group keeps where not all weights can be ranked together."""
        allocation: Allocation = "uniform" if self._allocation == "uniform" else "erk"
        counts = shares([tuple(one.shape) for one in members], keep, allocation)
        most = [
            one.most(step, stop) if isinstance(one, Stored) else one.shape.numel()
            for one in members
        ]
        return within(counts, most)

    def _groups(self) -> Iterator[list[Masked | Stored]]:
        """List the masks that share a budget."""
        groups: dict[str, list[Masked | Stored]] = {}
        for masked in self.members:
            groups.setdefault(masked.group, []).append(masked)
        yield from groups.values()

    def _count(self, members: Sequence[Masked | Stored]) -> int:
        """Return how many weights of a group are kept since masks were last made."""
        final = sum(masked.share for masked in members)
        size = sum(masked.shape.numel() for masked in members)
        return self.schedule.count(self.schedule.last_due(self.n_steps), final, size)

    def _set_masks(
        self,
        members: Sequence[Masked],
        importance: Sequence[Tensor],
        keep: int,
        optimizer: Optimizer | None = None,
    ) -> None:
        candidates = [
            Candidate(tuple(masked.shape), masked.structure, scores)
            for masked, scores in zip(members, importance, strict=True)
        ]
        final = sum(masked.share for masked in members)
        for masked, kept in zip(members, self._choose(candidates, keep), strict=True):
            stayed = masked.mask & kept
            masked.set_mask(kept, self.n_steps)
            forget(masked, stayed, _memory(masked, optimizer))
        # What a copy of some of the layers takes along, should one be made.
        parts = proportions([masked.n_kept for masked in members], final)
        for masked, part in zip(members, parts, strict=True):
            masked.share = part

    def _choose(self, candidates: list[Candidate], keep: int) -> list[Tensor]:
        if callable(self._allocation):
            return self._allocation(candidates, keep)
        return choose(candidates, keep, self._allocation)

    @torch.no_grad()
    def recount(self) -> None:
        """Count the masks that a checkpoint has brought, and make them anew where it must be."""
        self.is_stale = False
        for members in self._groups():
            for masked in members:
                masked.take_over()
            allowed, kept = self._count(members), sum(masked.n_kept for masked in members)
            is_over, sources = kept > allowed, {masked.source for masked in members}
            if is_over and sources == {"mask"}:
                warnings.warn(
                    f"the masks that were loaded keep {kept} weights where {allowed} are allowed: "
                    f"the most important {allowed} of them are kept", stacklevel=2,
                )  # fmt: skip
            if is_over or "weights" in sources:
                # At its end, where nothing is grown.
                self._assign(members, _worth, allowed, (1, 1))
            for masked in members:
                masked.source = ""
        self._prepare()

    def finish(self) -> None:
        """Bring the masks to the final sparsity, hard, whatever the schedule says; they stay so.

        Masks that are within the budget stay as they are.
        """
        if self.is_stale:
            self.recount()
        self._watch.before_end(self)
        for masked in self.members:
            masked.settle()
            masked.hold()
        for members in self._groups():
            keep = sum(masked.share for masked in members)
            if sum(masked.n_kept for masked in members) > keep:
                # The mask stops here: rules that drop and grow exchange nothing more.
                self._renew(members, keep, self.n_steps)
        for masked in self.members:
            masked.prepare(0.0, is_soft=False)
        self._is_finished, self._final = True, self.masks()
        unfollow(self)

    def follow(self) -> None:
        """Step from now on whenever an optimiser steps the model's weights."""
        self._is_automatic = True

    def before_step(self, parameters: set[int]) -> None:
        """Let an optimiser see the values of pruned weights."""
        for masked in self.members:
            if masked.is_in(parameters):
                self._watch.has_begun = True
                masked.release()

    def after_step(self, optimizer: Optimizer, parameters: set[int], *, counts: bool) -> None:
        """Apply the masks to what an optimiser has changed, and count its step.

        Of several optimisers that take turns, each with parameters of its own, the first counts.
        """
        own: set[tuple[nn.Module, str]] = set()
        for masked in self.members:
            if masked.is_in(parameters):
                own.add((masked, "weight"))
                masked.hold()
            if masked.scores is not None and id(masked.scores) in parameters:
                own.add((masked, "scores"))
        if not own or not counts:
            return
        self._optimizers.add(optimizer)
        is_next_turn = not self._turn or bool(own & self._turn)
        self._turn = own if is_next_turn else self._turn | own
        self._watch.after_step(self, own)
        if is_next_turn and self._is_automatic:
            self.step(optimizer)

    def on_forward(self, masked: Masked | Stored) -> None:
        """Take notice that a layer runs."""
        if self.is_stale:
            self.recount()
        self._watch.on_forward(self, masked)

    @property
    def is_automatic(self) -> bool:
        """Whether steps of optimisers are counted without a call of `step`."""
        return self._is_automatic

    def __getstate__(self) -> dict[str, Any]:
        """Leave the masks out: those of a copy join by themselves, and may be fewer."""
        return {**self.__dict__, "_members": [], "_turn": set(), "_optimizers": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Follow the optimisers of a copied model as the original does."""
        self.__dict__.update(state)
        self._optimizers = weakref.WeakSet()
        if not self._is_finished:
            follow_optimizers(self)


def pruners(model: nn.Module) -> list[Pruner]:
    """Return what drives the masks of a model, a copied one included: as a rule, one pruner.

    Examples
    --------
    >>> import copy
    >>> model = nn.Linear(8, 4)
    >>> pruner = Pruner(model, sparsity=0.5, schedule="constant")
    >>> twin = copy.deepcopy(model)
    >>> [found is pruner for found in pruners(model)], pruners(twin)[0].sparsity
    ([True], 0.5)
    """
    drivers = (target.masked.driver for target in masked_weights(model))
    return list({id(driver): driver for driver in drivers}.values())


def _memory(masked: Masked, optimizer: Optimizer | None) -> dict[str, Any] | None:
    """Return what an optimiser remembers of the weight; None without an optimiser."""
    return None if optimizer is None else optimizer.state.get(masked.weight, {})


def _worth(masked: Masked) -> Tensor:
    """Return what the groups of a loaded weight are ranked by: scores, or magnitudes."""
    evidence = masked.evidence(0, 0)
    if masked.rule.trains_scores:
        return masked.rule.importance(evidence)
    magnitude = masked.structure.pool(evidence.weight.abs())
    return magnitude if masked.source == "weights" else magnitude * masked.mask
