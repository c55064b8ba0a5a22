"""What a user asks of a pruner, checked and spelled out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from sparsefit.core.errors import OptionError, near_match
from sparsefit.nn.budget import ALLOCATIONS, proportions
from sparsefit.nn.exchanging import SET, RigL
from sparsefit.nn.masks import FROZEN, MASKS, HardTopK, Magnitude, MaskRule, OneShot
from sparsefit.nn.schedules import SCHEDULES, Cubic, Schedule
from sparsefit.nn.stored import check_kernel, is_stored
from sparsefit.nn.structure import Structure, Transposed, Unstructured, parse_structure
from sparsefit.nn.targets import TRANSPOSED, Place, find_weights, masked_weights, matches

DEFAULT_SPARSITY = 0.9
RULES: dict[str, type[MaskRule]] = {**MASKS, **{cls.name: cls for cls in (RigL, SET, OneShot)}}


class Wish(NamedTuple):
    """What is asked of one weight.

    Attributes
    ----------
    place : Place
    structure : Structure
    group : str
        Weights of one group share a budget.
    share : int
        Part of that.
    is_stored : bool
        Whether only its nonzeros are to be stored.
    """

    place: Place
    structure: Structure
    group: str
    share: int
    is_stored: bool


@dataclass(frozen=True)
class Wishes:
    """What is asked of a model.

    Attributes
    ----------
    rule : MaskRule
    schedule : Schedule
    weights : list of Wish
    """

    rule: MaskRule
    schedule: Schedule
    weights: list[Wish]


def read_wishes(
    model: nn.Module,
    *,
    sparsity: float | Mapping[str, float] | None,
    nnz: int | None,
    mask: MaskRule | str | None,
    structure: Structure | str | Mapping[str, Structure | str] | None,
    schedule: Schedule | str | None,
    allocation: object,
    layers: Sequence[str] | None,
    exclude: Sequence[str],
    biases: bool,
    kernel: str,
) -> Wishes:
    """Check the options of `Pruner`, and say what they mean for every weight."""
    if not callable(allocation) and allocation not in ALLOCATIONS:
        words = f"one of {', '.join(ALLOCATIONS)}, or a function"
        raise OptionError("allocation", allocation, words)
    if not isinstance(model, nn.Module):
        raise OptionError("model", model, "a torch module")
    rule = RigL() if mask is None and kernel != "dense" else _read_rule(mask)
    kernel = check_kernel(kernel, rule, allocation)
    when = _read_schedule(schedule)
    places = find_weights(model, layers, exclude, biases=biases)
    groups = [""] * len(places)
    if isinstance(sparsity, Mapping):
        named = matches("sparsity", sparsity, {place.name: place.layer for place in places})
        places = [place for place in places if place.name in named]
        groups = [named[place.name] for place in places]
    structures = _read_structures(structure, places)
    shares = [0] * len(places)
    for group in dict.fromkeys(groups):
        inside = [i for i, name in enumerate(groups) if name == group]
        wanted = sparsity[group] if isinstance(sparsity, Mapping) else sparsity
        sizes = [places[i].parameter.numel() for i in inside]
        keep = _final_count(
            model, [places[i] for i in inside], [structures[i] for i in inside], wanted, nnz
        )
        if not callable(allocation):
            _check_groups([places[i] for i in inside], [structures[i] for i in inside], keep)
        for i, share in zip(inside, proportions(sizes, keep), strict=True):
            shares[i] = share
    stored = [False] * len(places)
    if allocation in ("erk", "uniform"):
        stored = [
            is_stored(kernel, place.module, rule, structure, share)
            for place, structure, share in zip(places, structures, shares, strict=True)
        ]
    return Wishes(rule, when, list(map(Wish, places, structures, groups, shares, stored)))


def _read_rule(mask: object) -> MaskRule:
    if mask is None:
        return Magnitude(gradient="masked")
    if isinstance(mask, str):
        if mask == FROZEN:
            return HardTopK(gradient="none")
        named: MaskRule = _look_up("mask", mask, RULES)()
        return named
    if not isinstance(mask, MaskRule):
        raise OptionError("mask", mask, "a mask rule such as HardTopK(), or its name")
    return mask


def _read_schedule(schedule: object) -> Schedule:
    if schedule is None:
        return Cubic()
    if isinstance(schedule, str):
        named: Schedule = _look_up("schedule", schedule, SCHEDULES)()
        return named
    if not isinstance(schedule, Schedule):
        raise OptionError("schedule", schedule, "a schedule such as Cubic(), or its name")
    return schedule


def _look_up(option: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise OptionError(option, name, f"one of {', '.join(known)}", near_match(name, known))
    return known[name]


def _read_structures(structure: Any, places: Sequence[Place]) -> list[Structure]:
    """Return what goes together in every weight; vectors are always unstructured."""
    if isinstance(structure, Mapping):
        known = {place.name: place.layer for place in places}
        named = matches("structure", structure, known)
        given = [structure.get(named.get(place.name)) for place in places]
    else:
        given = [structure] * len(places)
    found: list[Structure] = []
    for place, wanted in zip(places, given, strict=True):
        one = parse_structure(wanted) if isinstance(wanted, str) else wanted or Unstructured()
        if not isinstance(one, Structure):
            raise OptionError("structure", one, "a structure such as Rows(), or its name")
        if place.is_bias:
            one = Unstructured()
        elif one.within and isinstance(place.module, TRANSPOSED):
            one = Transposed(inner=one)
        one.check(tuple(place.parameter.shape), place.layer or "model")
        found.append(one)
    return found


def _final_count(
    model: nn.Module,
    places: Sequence[Place],
    structures: Sequence[Structure],
    sparsity: Any,
    nnz: Any,
) -> int:
    """Return how many of the weights of a group are kept in the end."""
    size = sum(place.parameter.numel() for place in places)
    densities = {s.density for p, s in zip(places, structures, strict=True) if not p.is_bias}
    fixed = densities.pop() if len(densities) == 1 else None
    # Rounded up for biases, which m need not divide, so that weights get their n places.
    most = None if fixed is None else -int(-fixed * size // 1)
    if nnz is not None:
        if sparsity is not None:
            raise OptionError("nnz", nnz, f"left out if sparsity is given, here {sparsity}")
        keep = _count_for(model, places, nnz)
        return keep if most is None else min(keep, most)
    if sparsity is None:
        sparsity = DEFAULT_SPARSITY if fixed is None else 1 - fixed
    is_number = isinstance(sparsity, (int, float)) and not isinstance(sparsity, bool)
    if not is_number or not 0 <= sparsity < 1:
        raise OptionError("sparsity", sparsity, "a number >= 0 and < 1")
    if fixed is not None and abs(sparsity - (1 - fixed)) > 1e-9:
        raise OptionError("sparsity", sparsity, f"{1 - fixed:g} with this n:m structure")
    return max(1, round((1 - sparsity) * size)) if most is None else most


def _count_for(model: nn.Module, places: Sequence[Place], nnz: Any) -> int:
    """Return how many weights may stay if the whole model is to have `nnz` nonzero parameters."""
    size = sum(place.parameter.numel() for place in places)
    others = {id(p): p.numel() for p in model.parameters()}
    for place in places:
        del others[id(place.parameter)]
    masked = list(masked_weights(model))
    for target in masked:
        others[id(target.weight)] = target.masked.share
        others.pop(id(target.masked.scores), None)
    dense = sum(others.values())
    if isinstance(nnz, bool) or not isinstance(nnz, int) or not dense < nnz <= dense + size:
        words = f"an integer from {dense + 1} to {dense + size}"
        if masked:
            words += f" ({dense} parameters are kept outside of these layers)"
        elif dense:
            words += f" ({dense} parameters have no mask)"
        raise OptionError("nnz", nnz, words)
    return nnz - dense


def _check_groups(places: Sequence[Place], structures: Sequence[Structure], keep: int) -> None:
    """Ask that every weight keeps a group; a few single weights may be too few for all."""
    if any(structure.density is not None for structure in structures):
        return
    sizes = [
        structure.group_size(tuple(place.parameter.shape))
        for place, structure in zip(places, structures, strict=True)
        if not place.is_bias
    ]
    least = sum(sizes)
    if least <= keep:
        return
    if max(sizes) > 1:
        name = next(structure.name for structure in structures if structure.within)
        raise OptionError(
            "structure", name,
            f"one that leaves every layer something: of {keep} weights to keep, one group in each "
            f"takes {least}",
        )  # fmt: skip
    warnings.warn(
        f"{keep} weights are kept in {len(sizes)} layers, so that some have none", stacklevel=5
    )
