"""From scores to masks: which weights a layer keeps, and what gradient the others get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import Options, above, at_least, between, option
from sparsefit.nn.structure import Structure

_SCORE_RANGE = 0.01
# What Adam and its relatives call the running mean of squared gradients; RMSprop and Adadelta.
SECOND_MOMENTS = ("exp_avg_sq", "square_avg")


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
        The present mask, bool in the shape of the groups.
    structure : Structure
    step : int
        Optimiser steps taken.
    stop : int or None
        Step from which the mask does not move.
    memory : mapping or None
        What the optimiser remembers of the weight; None where it is not known: before the first
        step, and when training is over.
    """

    weight: Tensor
    gradient: Tensor | None
    scores: Tensor | None
    mask: Tensor
    structure: Structure
    step: int
    stop: int | None
    memory: Mapping[str, Any] | None = None

    def draw(self) -> Tensor:
        """Return random numbers between 0 and 1, in the shape of the groups."""
        return torch.rand(self.mask.shape, dtype=self.weight.dtype, device=self.weight.device)

    def gradient_for(self, who: str) -> Tensor:
        """Return the gradient; raise `SparsefitError` for `who` if there is none."""
        if self.gradient is None:
            raise SparsefitError(f"{who} needs gradients: call it between backward and zero_grad")
        return self.gradient

    @property
    def knows_second_moment(self) -> bool:
        """Whether the optimiser keeps mean squared gradients, or there is none to ask for them."""
        if self.memory is None:
            return self.step in (0, self.stop)
        return any(name in self.memory for name in SECOND_MOMENTS)

    def second_moment_for(self, who: str) -> Tensor | None:
        """Return the optimiser's running mean of squared gradients, or None where not known.

        Raises
        ------
        SparsefitError
            For `who`, if the optimiser keeps none of this weight.
        """
        if self.memory is None:
            if self.step in (0, self.stop):
                return None
            raise SparsefitError(f"{who} looks at the optimiser: call pruner.step(optimizer)")
        for name in SECOND_MOMENTS:
            if name in self.memory:
                remembered: Tensor = self.memory[name]
                return remembered
        raise SparsefitError(
            f"{who} needs the mean squared gradients of every masked weight, which optimisers "
            "such as Adam, AdamW and RMSprop keep"
        )


@dataclass(frozen=True, kw_only=True)
class MaskRule(Options):
    """How masks are found.

    Attributes
    ----------
    trains_scores : bool
        True if the layer has a parameter ``scores``, one per group.
    keeps_pruned : bool
        True if pruned weights keep their value, to come back with it; else they are set to zero.
    remembers : tuple of str
        What the optimiser goes on remembering of pruned weights, though they do not learn.
    anneal : int
        Steps for which the mask is soft.

    Examples
    --------
    >>> from sparsefit.nn import Magnitude
    >>> isinstance(Magnitude(), MaskRule)
    True
    """

    name: ClassVar[str]
    trains_scores: ClassVar[bool] = False
    keeps_pruned: ClassVar[bool] = True
    remembers: ClassVar[tuple[str, ...]] = ()

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
    """The largest magnitudes: a weight's score is ``|w|``.

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
        """Return the mean ``|w|`` of every group."""
        return evidence.structure.pool(evidence.weight.abs())


@dataclass(frozen=True, kw_only=True)
class Fisher(Magnitude):
    """The largest of ``|w| v^exponent``, v the mean squared gradient that Adam keeps.

    v estimates the diagonal of the Fisher information, so that with exponent 1/2 the score is the
    root of what deleting w costs by optimal brain damage, w^2 v; with 0 it is the magnitude. In
    between, where noisy estimates count for less, it ranks best, and weights of different layers
    can be ranked together: use it with allocation ``global``.

    The first mask, made before any step, is that of the magnitudes. The optimiser must be one that
    keeps v, Adam and its relatives, RMSprop or Adadelta, unless `fallback` is set.

    References
    ----------
    Y. LeCun, J. Denker and S. Solla, Optimal Brain Damage, NeurIPS 1989; L. Theis et al., Faster
    gaze prediction with dense networks and Fisher pruning, 2018, arXiv:1801.05787.

    Examples
    --------
    >>> Fisher().exponent
    0.25
    """

    name: ClassVar[str] = "fisher"
    remembers: ClassVar[tuple[str, ...]] = SECOND_MOMENTS

    exponent: float = option(
        0.25, "power of the mean squared gradient in the score", check=between(0, 1)
    )
    fallback: bool = option(
        False, "rank by magnitude where the optimiser keeps no mean squared gradients"
    )

    def importance(self, evidence: Evidence) -> Tensor:
        """Return the mean ``|w| v^exponent`` of every group."""
        if self.exponent == 0 or (self.fallback and not evidence.knows_second_moment):
            return super().importance(evidence)
        moment = evidence.second_moment_for(f"mask {self.name!r}")
        if moment is None:
            # What is pruned stays so: when training is over it can no longer be compared.
            return super().importance(evidence) * evidence.mask
        return evidence.structure.pool(evidence.weight.abs() * moment.pow(self.exponent))


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
        return _SCORE_RANGE * evidence.draw()

    def importance(self, evidence: Evidence) -> Tensor:
        """Return the scores."""
        assert evidence.scores is not None
        return evidence.scores


@dataclass(frozen=True, kw_only=True)
class SoftRule(HardTopK):
    """Base of masks that are soft at first: gates of (score - threshold) / temperature.

    The threshold is such that as many scores lie above as weights are to be kept. The temperature
    falls geometrically from `temperature` to a hundredth of it in `steps`; then the mask is hard.

    Examples
    --------
    >>> issubclass(Sigmoid, SoftRule), issubclass(HardTopK, SoftRule)
    (True, False)
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
        temperature: float = self.temperature * 0.01 ** min(1.0, step / self.steps)
        return temperature

    def gates(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return factors between 0 and 1, and their derivatives by the logits."""
        raise TypeError(f"{type(self).__name__} does not define gates")


@dataclass(frozen=True, kw_only=True)
class Sigmoid(SoftRule):
    """A sigmoid of the scores, annealed to a step.

    References
    ----------
    P. Savarese, H. Silva and M. Maire, Winning the Lottery with Continuous Sparsification, NeurIPS
    2020, arXiv:1912.04427.

    Examples
    --------
    >>> from sparsefit.nn import sparsify, summary
    >>> model = sparsify(torch.nn.Linear(8, 4), sparsity=0.75, mask=Sigmoid())
    >>> summary(model).weights.nonzeros
    8
    """

    name: ClassVar[str] = "sigmoid"

    def gates(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 / (1 + exp(-logits))."""
        gates = torch.sigmoid(logits)
        return gates, torch.addcmul(gates, gates, gates, value=-1)


@dataclass(frozen=True, kw_only=True)
class HardConcrete(SoftRule):
    """Random gates that are exactly 0 or 1 with some probability (Louizos et al., 2018).

    Their L0 penalty is replaced by the threshold, which holds the number of weights. Gates are
    drawn from torch's global generator, as dropout is.

    References
    ----------
    C. Louizos, M. Welling and D. Kingma, Learning Sparse Neural Networks through L0
    Regularization, ICLR 2018, arXiv:1712.01312, eq. 10 and 11.

    Examples
    --------
    >>> from sparsefit.nn import sparsify, summary
    >>> model = sparsify(torch.nn.Linear(8, 4), sparsity=0.75, mask=HardConcrete())
    >>> summary(model).weights.nonzeros
    8
    """

    name: ClassVar[str] = "hard-concrete"

    beta: float = option(2 / 3, "spread of the gates", check=above(0))
    stretch: float = option(
        0.1, "how far gates reach beyond 0 and 1 before they are cut", check=above(0)
    )

    def gates(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return a draw of stretched and cut concrete variables."""
        noise = _draw_uniform(logits).logit_()
        concrete = noise.add_(logits).div_(self.beta).sigmoid_()
        length = 1 + 2 * self.stretch
        stretched = concrete * length - self.stretch
        gates = stretched.clamp(0, 1)
        slopes = torch.addcmul(concrete, concrete, concrete, value=-1).mul_(length / self.beta)
        return gates, slopes.mul_(gates.eq(stretched).view(torch.uint8))


def _draw_uniform(like: Tensor) -> Tensor:
    """Draw numbers of 16 bits strictly between 0 and 1: a quarter of the time of all 64."""
    n_words = -(-like.numel() // 4)
    words = torch.randint(-(2**63), 2**63 - 1, (n_words,), device=like.device)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    return bits.to(like.dtype).add_(2**15 + 0.5).mul_(2**-16)


@dataclass(frozen=True, kw_only=True)
class OneShot(MaskRule):
    """Decided once, before training: the largest ``|w|``, or the largest ``|w dL/dw|`` (SNIP).

    References
    ----------
    N. Lee, T. Ajanthan and P. Torr, SNIP: Single-Shot Network Pruning based on Connection
    Sensitivity, ICLR 2019, arXiv:1810.02340, eq. 4.

    Examples
    --------
    >>> from sparsefit.nn import sparsify, summary
    >>> model = sparsify(torch.nn.Linear(8, 4), sparsity=0.75, mask=OneShot())
    >>> summary(model).weights.nonzeros
    8
    """

    name: ClassVar[str] = "one-shot"
    keeps_pruned: ClassVar[bool] = False

    by: Literal["magnitude", "sensitivity"] = option("magnitude", "what weights are ranked by")

    def initial_scores(self, evidence: Evidence) -> Tensor:
        """Return the mean ``|w|`` or ``|w dL/dw|`` of every group."""
        score = evidence.weight.abs()
        if self.by == "sensitivity":
            score = score * evidence.gradient_for("by='sensitivity'").abs()
        return evidence.structure.pool(score)

    def importance(self, evidence: Evidence) -> Tensor:
        """Return the scores of the start."""
        assert evidence.scores is not None
        return evidence.scores


MASKS: dict[str, type[MaskRule]] = {
    cls.name: cls for cls in (HardTopK, Sigmoid, HardConcrete, Magnitude, Fisher)
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
