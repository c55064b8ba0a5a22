"""A weight of which only the nonzeros are stored, trained, and remembered by the optimiser."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.core.hard_threshold import largest
from sparsefit.nn.driven import Driven
from sparsefit.nn.exchanging import DropAndGrow, RigL
from sparsefit.nn.kernels import Pattern, csr, make_pattern, pattern_of, sparse_linear
from sparsefit.nn.masks import MaskRule, OneShot
from sparsefit.nn.structure import Structure, Unstructured

# Entries of a dense gradient that are made at a time.
BLOCK = 2**20
# From which size and up to which density a training step on the nonzeros alone is faster.
LEAST_SIZE, MOST_DENSITY = 2**16, 0.2

KERNELS = ("dense", "auto", "sparse")
# Rules that keep nothing of pruned weights.
STORABLE = (DropAndGrow, OneShot)


class Stored(Driven):
    """The nonzeros of a linear layer's weight, as a submodule of the layer.

    Parameters
    ----------
    weight : Tensor, shape (outputs, inputs)
    mask : Tensor of bool
        What of it to keep.
    rule : DropAndGrow or OneShot
    name, group, driver, share
        As of `Driven`.

    Attributes
    ----------
    values : Parameter, shape (nonzeros,)
        By rows.
    starts, columns : Tensor of int32
        Where rows start, and the column of each nonzero.
    """

    tensor: ClassVar[str] = "weight"
    plain_class: type[nn.Module] = nn.Linear
    structure: ClassVar[Structure] = Unstructured()
    scores: ClassVar[None] = None
    starts: Tensor
    columns: Tensor

    def __init__(
        self, weight: Tensor, mask: Tensor, *, name: str, group: str, rule: MaskRule, driver: Any,
        share: int,
    ):  # fmt: skip
        super().__init__(
            weight.shape, name=name, group=group, rule=rule, driver=driver, share=share
        )
        self.pattern = pattern_of(tuple(weight.shape), mask.flatten().nonzero()[:, 0])
        self.values = nn.Parameter(weight.detach()[mask], requires_grad=weight.requires_grad)
        self.register_buffer("starts", self.pattern.starts)
        self.register_buffer("columns", self.pattern.columns)
        self._looks = False
        self._seen: list[tuple[Tensor, Tensor]] = []

    @property
    def weight(self) -> nn.Parameter:
        """What the optimiser trains: the nonzeros."""
        return self.values

    def is_in(self, parameters: Container[int]) -> bool:
        """Return whether the nonzeros are among parameters given by ``id``."""
        return id(self.values) in parameters

    @property
    def n_kept(self) -> int:
        """How many weights are kept."""
        return len(self.values)

    @torch.no_grad()
    def dense(self) -> Tensor:
        """Return the weight with its zeros."""
        values = self.values.detach()
        return csr(tuple(self.shape), self.starts, self.columns, values).to_dense()

    def expanded(self) -> Tensor:
        """Return where nonzeros are stored, as bool in the shape of the weight."""
        ones = torch.ones_like(self.values, dtype=torch.float32)
        return csr(tuple(self.shape), self.starts, self.columns, ones).to_dense().bool()

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Return x W^T + b."""
        self.driver.on_forward(self)
        looks = self._looks and torch.is_grad_enabled()
        return sparse_linear(x, self.values, bias, self._pattern(), self._look if looks else None)

    def _pattern(self) -> Pattern:
        # Made anew where the buffers have been replaced: by a checkpoint, or on another device.
        if self.pattern.columns is not self.columns:
            self.pattern = make_pattern(tuple(self.shape), self.starts, self.columns)
            self.starts, self.columns = self.pattern.starts, self.pattern.columns
        return self.pattern

    def _look(self, x: Tensor, gradient: Tensor) -> None:
        self._seen.append((x.detach(), gradient.detach()))

    def prepare(self, leak: float, *, is_soft: bool) -> None:
        """Keep what the dense gradient is made from, in a step after which weights are grown."""
        self._looks = leak == 1
        self._seen.clear()

    def release(self) -> None:
        """Do nothing: no values of pruned weights are kept."""

    hold = settle = take_over = release

    @torch.no_grad()
    def exchange(
        self, keep: int, *, step: int, stop: int | None, optimizers: Sequence[Optimizer] = ()
    ) -> None:
        """Drop the smallest nonzeros, and grow others where the rule does, to `keep` in all.

        Parameters
        ----------
        keep : int
        step, stop : int
            Steps taken, and after how many nothing is exchanged any more.
        optimizers : sequence of Optimizer
            What they remember goes with the nonzeros; of grown ones they remember nothing.
        """
        share = self._dropped_share(step, stop)
        n_stay = min(self.n_kept - int(share * self.n_kept), keep)
        n_grown = min(keep - n_stay, self.shape.numel() - self.n_kept) if share > 0 else 0
        stay = largest(self.values.detach().abs(), min(keep - n_grown, self.n_kept))
        places = self._pattern().places()
        grown = self._grow(n_grown, places) if n_grown else places[:0]
        order = torch.cat([places[stay], grown]).argsort()
        self._replace(torch.cat([places[stay], grown])[order], stay, order, optimizers)

    def most(self, step: int, stop: int | None) -> int:
        """Return how many nonzeros there can be after a step: more than now only if some grow."""
        return self.shape.numel() if self._dropped_share(step, stop) > 0 else self.n_kept

    def _dropped_share(self, step: int, stop: int | None) -> float:
        return self.rule.dropped_share(step, stop) if isinstance(self.rule, DropAndGrow) else 0.0

    def _replace(
        self, places: Tensor, stay: Tensor, order: Tensor, optimizers: Sequence[Optimizer]
    ) -> None:
        n_grown = len(order) - int(stay.count_nonzero())

        def moved(old: Tensor) -> Tensor:
            return torch.cat([old[stay], old.new_zeros(n_grown)])[order]

        for optimizer in optimizers:
            for name, value in optimizer.state.get(self.values, {}).items():
                if isinstance(value, Tensor) and value.shape == self.values.shape:
                    optimizer.state[self.values][name] = moved(value)
        values = moved(self.values.detach())
        if values.shape == self.values.shape:
            self.values.copy_(values)
        else:
            self.values.data, self.values.grad = values, None
        self.pattern = pattern_of(tuple(self.shape), places)
        self.starts, self.columns = self.pattern.starts, self.pattern.columns
        self._seen.clear()

    def _grow(self, count: int, taken: Tensor) -> Tensor:
        find = self._steepest if isinstance(self.rule, RigL) else self._drawn
        grown = find(count, taken)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            # Every process must grow the same.
            torch.distributed.broadcast(grown, 0)
        return grown

    def _drawn(self, count: int, taken: Tensor) -> Tensor:
        """Draw places that are free, without replacement."""
        found, size = taken[:0], self.shape.numel()
        while len(found) < count:
            drawn = torch.randint(size, (2 * (count - len(found)) + 8,), device=taken.device)
            fresh = drawn[~torch.isin(drawn, taken) & ~torch.isin(drawn, found)]
            # In the order drawn, without what was drawn twice.
            ranked, order = fresh.sort(stable=True)
            is_first = torch.ones_like(ranked, dtype=torch.bool)
            is_first[1:] = ranked[1:] != ranked[:-1]
            fresh = fresh[order[is_first].sort().values]
            found = torch.cat([found, fresh[: count - len(found)]])
        return found

    def _steepest(self, count: int, taken: Tensor) -> Tensor:
        """Return the free places with the largest gradients, made in blocks of rows."""
        if not self._seen:
            raise SparsefitError(
                "rule 'rigl' needs gradients: call it between backward and zero_grad"
            )
        n_inputs = self.shape[1]
        height = max(1, BLOCK // n_inputs)
        best, where = self.values.new_empty(0), taken[:0]
        for start in range(0, self.shape[0], height):
            rows = slice(start, min(start + height, self.shape[0]))
            block = sum(gradient[:, rows].t() @ x for x, gradient in self._seen)
            assert isinstance(block, Tensor)
            scores = block.abs_().flatten()
            first, last = torch.searchsorted(
                taken, torch.tensor([rows.start, rows.stop], device=taken.device) * n_inputs
            ).tolist()
            scores[taken[first:last] - start * n_inputs] = -1
            top = scores.topk(min(count, len(scores)))
            best = torch.cat([best, top.values])
            where = torch.cat([where, top.indices + start * n_inputs])
            kept = best.topk(min(count, len(best))).indices
            best, where = best[kept], where[kept]
        return where

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Read nonzeros, however many."""
        loaded = state_dict.get(f"{prefix}values")
        if loaded is not None and loaded.shape != self.values.shape:
            self.values.data = self.values.new_zeros(loaded.shape)
            self.columns = self.columns.new_zeros(loaded.shape)
        self.starts, self.columns = self.starts.clone(), self.columns.clone()
        super()._load_from_state_dict(state_dict, prefix, *others)
        self.source, self.driver.is_stale = "mask", True

    def states_of(self, dense: Tensor) -> dict[str, Tensor]:
        """Return what a checkpoint of the largest entries of a dense weight would hold."""
        mask = largest(dense.abs().flatten(), self.n_kept).view_as(dense)
        pattern = pattern_of(tuple(self.shape), mask.flatten().nonzero()[:, 0])
        return {
            "values": dense[mask], "starts": pattern.starts, "columns": pattern.columns,
            "_extra_state": self.get_extra_state(),
        }  # fmt: skip


class StoredLinear(nn.Linear):
    """A linear layer whose weight is stored by its nonzeros, in ``weight_store``.

    ``weight`` is made from them where it is read, and cannot be written.
    """

    weight_store: Stored

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The weight with its zeros."""
        return self.weight_store.dense()

    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        return self.weight_store(x, self.bias)  # type: ignore[no-any-return]

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Take the largest of the weights of a dense checkpoint."""
        dense = state_dict.pop(f"{prefix}weight", None)
        if dense is not None:
            for name, value in self.weight_store.states_of(dense).items():
                state_dict[f"{prefix}weight_store.{name}"] = value
        super()._load_from_state_dict(state_dict, prefix, *others)


# By the class of a layer: what it is while its weight is stored so. Subclasses of others stay.
STORED_CLASSES: dict[type[nn.Module], type[StoredLinear]] = {nn.Linear: StoredLinear}


def check_kernel(kernel: object, rule: MaskRule, allocation: object) -> str:
    """Raise `OptionError` for what is no kernel, or does not go with a rule or allocation."""
    if kernel not in KERNELS:
        raise OptionError("kernel", kernel, f"one of {', '.join(KERNELS)}")
    if kernel == "sparse" and not isinstance(rule, STORABLE):
        raise OptionError(
            "mask", rule.name, "rigl, set or one-shot with kernel 'sparse': others keep the values "
            "of pruned weights",
        )  # fmt: skip
    if kernel == "sparse" and allocation not in ("erk", "uniform"):
        raise OptionError("allocation", allocation, "erk or uniform with kernel 'sparse'")
    return str(kernel)


def is_stored(
    kernel: str, module: nn.Module, rule: MaskRule, structure: Structure, share: int
) -> bool:
    """Return whether a weight is to be stored by its nonzeros.

    With kernel ``auto``, where that is faster: of large weights with a fifth of nonzeros or less.
    """
    if kernel == "dense" or type(module) not in STORED_CLASSES:
        return False
    if structure.within or structure.density is not None:
        return False
    if not isinstance(rule, STORABLE):
        return False
    size = module.weight.numel()  # type: ignore[operator]
    return kernel == "sparse" or (size >= LEAST_SIZE and share <= MOST_DENSITY * size)


def store(module: nn.Module, stored: Stored) -> None:
    """Let a linear layer have only the nonzeros of its weight."""
    stored.plain_class = getattr(type(module), "plain_class", type(module))
    del module._parameters["weight"]
    module.__class__ = STORED_CLASSES[type(module)]
    module.add_module("weight_store", stored)
    stored.train(module.training)


def restore(module: StoredLinear) -> None:
    """Give a linear layer its weight back, with zeros."""
    stored = module._modules.pop("weight_store")
    assert isinstance(stored, Stored)
    weight = nn.Parameter(stored.dense(), requires_grad=stored.values.requires_grad)
    module.__class__ = stored.plain_class  # type: ignore[assignment]
    bias = module._parameters.pop("bias")
    module.register_parameter("weight", weight)
    # Behind the weight, as it was: optimisers and vectors of parameters go by the order.
    module._parameters["bias"] = bias
