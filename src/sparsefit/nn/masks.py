"""From scores to masks: which weights a layer keeps, and what gradient the others get."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from sparsefit.core.errors import SparsefitError
from sparsefit.core.hard_threshold import largest
from sparsefit.core.options import Options, above, at_least, between, option
from sparsefit.nn.structure import Structure

_SCORE_RANGE = 0.01


@dataclass(frozen=True)
class Evidence:
    """What a rule may look at when a mask is made.

    Attributes
    ----------
    weight : Tensor
        All weights, those of pruned connections included.
    gradient : Tensor or None
        Of the loss, from the last backward pass.
    scores : Tensor or None
        In the shape of the groups.
    mask : Tensor
        The present mask, 0 or 1 in the shape of the groups.
    structure : Structure
    step : int
        Optimiser steps taken.
    stop : int or None
        Step from which the mask does not move.
    """

    weight: Tensor
    gradient: Tensor | None
    scores: Tensor | None
    mask: Tensor
    structure: Structure
    step: int
    stop: int | None


@dataclass(frozen=True, kw_only=True)
class MaskRule(Options):
    """How masks are found.

    Attributes
    ----------
    trains_scores : bool
        True if the layer has a parameter ``scores``, one per group.
    keeps_pruned : bool
        True if pruned weights keep their value, to come back with it; else they are set to zero.
    anneal : int
        Steps for which the mask is soft.
    """

    name: ClassVar[str]
    trains_scores: ClassVar[bool] = False
    keeps_pruned: ClassVar[bool] = True

    @property
    def anneal(self) -> int:
        """Steps for which the mask is soft."""
        return 0

    def pruned_gradient(self, *, due: bool) -> float:
        """Return the share of the gradient of the masked weight that pruned weights get.

        Parameters
        ----------
        due : bool
            Whether a mask will be made after the coming step.
        """
        return 0.0

    def initial_scores(self, evidence: Evidence) -> Tensor | None:
        """Return scores in the shape of the groups, or None for a rule without."""
        return None

    def importance(self, evidence: Evidence) -> Tensor:
        """Return what groups are ranked by, in their shape."""
        raise TypeError(f"{type(self).__name__} does not define importance")


@dataclass(frozen=True, kw_only=True)
class Magnitude(MaskRule):
    """The largest magnitudes: a weight's score is |w|.

    With gradient ``straight-through`` pruned weights go on learning, at a small part of the rate,
    from the gradient of the masked weight, and come back when they have grown (Wortsman et al.,
    Discovering Neural Wirings, 2019, arXiv:1906.00586). With ``masked`` they stay as they are.

    Examples
    --------
    >>> Magnitude().pruned_gradient(due=False)
    0.02
    """

    name: ClassVar[str] = "magnitude"

    gradient: Literal["straight-through", "masked"] = option(
        "straight-through", "what pruned weights learn from"
    )
    leak: float = option(
        0.02, "rate at which they learn, relative to kept weights", check=between(0, 1)
    )

    def pruned_gradient(self, *, due: bool) -> float:
        """Return `leak`, or 0 if masked."""
        return self.leak if self.gradient == "straight-through" else 0.0

    def importance(self, evidence: Evidence) -> Tensor:
        """Return the mean |w| of every group."""
        return evidence.structure.pool(evidence.weight.abs())


@dataclass(frozen=True, kw_only=True)
class HardTopK(MaskRule):
    """The largest of learned scores, through a hard threshold (the Sparse Neural Network demo).

    The threshold has no gradient. ``straight-through`` passes that of the mask to the scores as if
    there were none, dL/dS = w dL/d(masked w), and a small part of that of the masked weight to
    pruned weights. ``none``, as the demo is published, leaves the scores, and so the mask, as they
    were drawn.

    Examples
    --------
    >>> HardTopK().trained, HardTopK(gradient="none").trained
    (True, False)
    """

    name: ClassVar[str] = "hard-top-k"
    trains_scores: ClassVar[bool] = True

    gradient: Literal["straight-through", "none"] = option(
        "straight-through", "what scores learn from"
    )
    leak: float = option(
        0.1, "rate at which pruned weights learn, relative to kept ones", check=between(0, 1)
    )

    @property
    def trained(self) -> bool:
        """Whether scores have a gradient."""
        return self.gradient == "straight-through"

    def pruned_gradient(self, *, due: bool) -> float:
        """Return `leak`, or 0 if the mask does not move."""
        return self.leak if self.trained else 0.0

    def initial_scores(self, evidence: Evidence) -> Tensor:
        """Draw scores, small enough to be overtaken."""
        return _SCORE_RANGE * torch.rand_like(evidence.mask)

    def importance(self, evidence: Evidence) -> Tensor:
        """Return the scores."""
        assert evidence.scores is not None
        return evidence.scores


@dataclass(frozen=True, kw_only=True)
class SoftRule(HardTopK):
    """Base of masks that are soft at first: gates of (score - threshold) / temperature.

    The threshold is such that as many scores lie above as weights are to be kept. The temperature
    falls geometrically from `temperature` to a hundredth of it in `steps`; then the mask is hard.
    """

    gradient: Literal["straight-through"] = option(
        "straight-through", "what scores learn from once the mask is hard"
    )
    temperature: float = option(0.1, "temperature at the start", check=above(0))
    steps: int = option(1000, "steps until the mask is hard", check=at_least(1))

    @property
    def anneal(self) -> int:
        """Steps for which the mask is soft."""
        return self.steps

    def temperature_at(self, step: int) -> float:
        """Return the temperature after a step."""
        return self.temperature * 0.01 ** min(1.0, step / self.steps)

    def gates(self, logits: Tensor) -> Tensor:
        """Return factors between 0 and 1."""
        raise TypeError(f"{type(self).__name__} does not define gates")


@dataclass(frozen=True, kw_only=True)
class Sigmoid(SoftRule):
    """A sigmoid of the scores, annealed to a step.

    References
    ----------
    P. Savarese, H. Silva and M. Maire, Winning the Lottery with Continuous Sparsification, NeurIPS
    2020, arXiv:1912.04427.
    """

    name: ClassVar[str] = "sigmoid"

    def gates(self, logits: Tensor) -> Tensor:
        """Return 1 / (1 + exp(-logits))."""
        return torch.sigmoid(logits)


@dataclass(frozen=True, kw_only=True)
class HardConcrete(SoftRule):
    """Random gates that are exactly 0 or 1 with some probability (Louizos et al., 2018).

    Their L0 penalty is replaced by the threshold, which holds the number of weights. Gates are
    drawn from torch's global generator, as dropout is.

    References
    ----------
    C. Louizos, M. Welling and D. Kingma, Learning Sparse Neural Networks through L0
    Regularization, ICLR 2018, arXiv:1712.01312, eq. 10 and 11.
    """

    name: ClassVar[str] = "hard-concrete"

    beta: float = option(2 / 3, "spread of the gates", check=above(0))
    stretch: float = option(
        0.1, "how far gates reach beyond 0 and 1 before they are cut", check=above(0)
    )

    def gates(self, logits: Tensor) -> Tensor:
        """Return a draw of stretched and cut concrete variables."""
        uniform = torch.rand_like(logits).clamp(1e-6, 1 - 1e-6)
        concrete = torch.sigmoid((uniform.log() - (-uniform).log1p() + logits) / self.beta)
        return (concrete * (1 + 2 * self.stretch) - self.stretch).clamp(0, 1)


@dataclass(frozen=True, kw_only=True)
class OneShot(MaskRule):
    """Decided once, before training: the largest |w|, or the largest |w dL/dw| (SNIP).

    References
    ----------
    N. Lee, T. Ajanthan and P. Torr, SNIP: Single-Shot Network Pruning based on Connection
    Sensitivity, ICLR 2019, arXiv:1810.02340, eq. 4.
    """

    name: ClassVar[str] = "one-shot"
    keeps_pruned: ClassVar[bool] = False

    by: Literal["magnitude", "sensitivity"] = option("magnitude", "what weights are ranked by")

    def initial_scores(self, evidence: Evidence) -> Tensor:
        """Return the mean |w| or |w dL/dw| of every group."""
        score = evidence.weight.abs()
        if self.by == "sensitivity":
            score = score * _gradient(evidence, "by='sensitivity'").abs()
        return evidence.structure.pool(score)

    def importance(self, evidence: Evidence) -> Tensor:
        """Return the scores of the start."""
        assert evidence.scores is not None
        return evidence.scores


@dataclass(frozen=True, kw_only=True)
class DropAndGrow(MaskRule):
    """Base of rules that drop the smallest weights and grow as many elsewhere.

    The first mask is random. The share that is exchanged falls along a cosine until the mask stops.
    New weights start at zero.
    """

    keeps_pruned: ClassVar[bool] = False

    fraction: float = option(
        0.3, "share of the kept weights that is exchanged at first", check=between(0, 1)
    )

    def importance(self, evidence: Evidence) -> Tensor:
        """Rank survivors by |w|, above candidates for growth, above what is dropped."""
        if evidence.step == 0:
            return torch.rand_like(evidence.mask)
        active = evidence.mask > 0
        magnitude = evidence.structure.pool(evidence.weight.abs())
        n_dropped = int(self._share(evidence) * int(active.sum()))
        survives = _largest_among(magnitude, active, int(active.sum()) - n_dropped)
        growth = self.growth(evidence) if n_dropped else torch.zeros_like(magnitude)
        ranked = torch.where(active, 0.0, 1 + _below_one(growth))
        return torch.where(survives, 2 + _below_one(magnitude), ranked)

    def growth(self, evidence: Evidence) -> Tensor:
        """Return what candidates are ranked by, in the shape of the groups."""
        raise TypeError(f"{type(self).__name__} does not define growth")

    def _share(self, evidence: Evidence) -> float:
        if not evidence.stop:
            return self.fraction
        done = min(1.0, evidence.step / evidence.stop)
        return self.fraction * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True, kw_only=True)
class SET(DropAndGrow):
    """Sparse evolutionary training: grow at random.

    References
    ----------
    D. C. Mocanu et al., Scalable training of artificial neural networks with adaptive sparse
    connectivity, Nature Communications, 2018.
    """

    name: ClassVar[str] = "set"

    def growth(self, evidence: Evidence) -> Tensor:
        """Return random numbers."""
        return torch.rand_like(evidence.mask)


@dataclass(frozen=True, kw_only=True)
class RigL(DropAndGrow):
    """Rigging the lottery: grow where the gradient is largest.

    References
    ----------
    U. Evci et al., Rigging the Lottery: Making All Tickets Winners, ICML 2020, arXiv:1911.11134.
    """

    name: ClassVar[str] = "rigl"

    def pruned_gradient(self, *, due: bool) -> float:
        """Return 1 where the gradient is about to be looked at, else 0."""
        return float(due)

    def growth(self, evidence: Evidence) -> Tensor:
        """Return the mean |dL/dw| of every group."""
        return evidence.structure.pool(_gradient(evidence, "rule 'rigl'").abs())


def _gradient(evidence: Evidence, who: str) -> Tensor:
    if evidence.gradient is None:
        raise SparsefitError(f"{who} needs gradients: call it between backward and zero_grad")
    return evidence.gradient


def _largest_among(values: Tensor, among: Tensor, count: int) -> Tensor:
    return largest(torch.where(among, values, -1.0).reshape(-1), count).view_as(values)


def _below_one(values: Tensor) -> Tensor:
    values = values.float()
    return values / (values.max() * 1.001 + 1e-30)


MASKS: dict[str, type[MaskRule]] = {
    cls.name: cls for cls in (HardTopK, Sigmoid, HardConcrete, Magnitude)
}

FROZEN = "frozen"


def named_rule(name: str, steps: int) -> MaskRule:
    """Return a rule with its default options.

    Parameters
    ----------
    name : str
        A key of `MASKS`, or ``frozen``: drawn at random, and not learned.
    steps : int
        After how many optimiser steps a soft mask is hard; others have no use for it.

    Examples
    --------
    >>> named_rule("sigmoid", 500).anneal, named_rule("frozen", 500).trained
    (500, False)
    """
    if name == FROZEN:
        return HardTopK(gradient="none")
    rule = MASKS[name]()
    return replace(rule, steps=steps) if isinstance(rule, SoftRule) else rule
