"""Numbers that settle how the search goes, each with its reason.

What says "docs/maths.md" was chosen by the experiments that are described there, on planted
networks; "not tuned" means that one value was tried and served.
"""

from __future__ import annotations

from dataclasses import dataclass

from sparsefit.core.setting import MEMORY_MB


@dataclass(frozen=True)
class DampingProfile:
    """Course of the damping of Levenberg-Marquardt.

    Attributes
    ----------
    first : float
        At the start, relative to a unit diagonal; a refit starts near a minimum. Not tuned.
    least, most : float
        Below the least, rounding is larger; above the most, steps are too short to be taken.
    fall, growth : float
        Factors after a step that lowers the loss, and after one that does not (Moré, 1978, uses
        the like). Not tuned.
    ridge : float
        Added to the unit diagonal in any case, so that equal features do no harm.
    """

    first: float = 1e-3
    least: float = 1e-10
    most: float = 1e6
    fall: float = 10.0
    growth: float = 8.0
    ridge: float = 1e-12


@dataclass(frozen=True)
class SurgeonProfile:
    """How the optimal brain surgeon drops weights.

    Attributes
    ----------
    ridge : float
        Added to the unit diagonal of K before it is inverted. Not tuned.
    slack, slack_rows : float
        By what part |r|^2 may rise in a step that simplifies: `slack_rows` rows' worth of
        residuals, but no more than `slack`. If the residuals are noise, the right step raises |r|^2
        by a few rows' worth for each weight, so more would let wrong steps pass (docs/maths.md).
    spare, spare_share : int
        Candidates that are looked at beyond those to drop, in number and as a multiple of these:
        the cost of a weight rises when its stand-in goes. Not tuned.
    """

    ridge: float = 1e-10
    slack: float = 0.1
    slack_rows: float = 100.0
    spare: int = 10
    spare_share: int = 2


@dataclass(frozen=True)
class SplitProfile:
    """Which splits of a unit are tried (docs/maths.md).

    Attributes
    ----------
    near : float
        Share of the rows, at least `least_near` of them, that counts as near a unit's boundary.
    least_near : int
    lengths : tuple of float
        Of the difference of the two parts, relative to the norm of the unit.
    shares : tuple of float
        Of the unit that one part gets: near-parallel units of a sum need not be alike.
    widths : tuple of int
        Inputs in which the two parts differ.
    least_gain : float
        Splits that promise less than this share of the best one are left out. Not tuned.
    """

    near: float = 0.05
    least_near: int = 20
    lengths: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
    shares: tuple[float, ...] = (0.5, 0.2, 0.8)
    widths: tuple[int, ...] = (1, 3)
    least_gain: float = 0.03


@dataclass(frozen=True)
class CycleProfile:
    """A cycle that grows a network and prunes it back (docs/maths.md).

    Attributes
    ----------
    least_growth, growth_range : float
        A cycle adds a share of the budget, drawn between `least_growth` and `growth_range` more: it
        must be another one each time, or cycles repeat each other.
    fewest : int
        Weights that a cycle adds at least.
    least_splits, splits, least_fresh, fresh, mirrored : int
        Units that are split (at least, and one of so many), fresh ones (likewise), and mirrored
        ones. Not tuned.
    noise : float
        Of a shaken cycle, relative to each weight.
    merge_every, merge_cosine : int, float
        Every so many cycles start with a merge at this cosine: two parallel units may share their
        weights wrongly, and what splits again is better.
    cosines : tuple of float
        Of ever less parallel units that are made one while the loss stays near what it was.
    progress : float
        A cycle has made progress if the loss is below this share of the best.
    astray : float
        A loss of so many times the best is far astray. Not tuned.
    retries : int
        Cycles without progress after which the best network is the start again. Not tuned.
    patience : int
        Cycles without progress before giving up.
    enough : float
        Refits stop at this share of the mean square that the search is for.
    steps, merged_steps : int
        Levenberg-Marquardt steps after a change, and after a merge.
    gain : float
        A refit stops when a step lowers the loss by less than this share. Not tuned.
    """

    least_growth: float = 0.25
    growth_range: float = 0.5
    fewest: int = 4
    least_splits: int = 5
    splits: int = 4
    least_fresh: int = 2
    fresh: int = 5
    mirrored: int = 3
    noise: float = 0.03
    merge_every: int = 4
    merge_cosine: float = 0.99
    cosines: tuple[float, ...] = (0.999, 0.99, 0.97, 0.95, 0.9)
    progress: float = 0.999
    astray: float = 30.0
    retries: int = 3
    patience: int = 4
    enough: float = 1e-3
    steps: int = 10
    merged_steps: int = 4
    gain: float = 1e-3


@dataclass(frozen=True)
class StartProfile:
    """How the dense start of an attempt is trained (docs/maths.md).

    Attributes
    ----------
    steps, steps_of_many, many : int
        Adam steps, and those for more than `many` live units.
    penalty : float
        First weight of the L1 norm for the plain sum of one hidden layer.
    penalties : tuple of float
        For other networks, in turn over the attempts: their best differs from problem to problem.
    lr, slow_lr : float
        Rates of Adam; other networks take the slow one in every other attempt.
    least_batch, rows_a_unit, most_batch : int
        A minibatch has `rows_a_unit` rows for each live unit, within these limits.
    spare_units : float
        Times the units that the budget can fill, and `more_units` more.
    more_units : int
    worse : float
        Where there may be more units than the budget can fill, a start tries one width after the
        other, each twice the last, until one leaves so many times what the best leaves.
    few_rows : int
        With fewer rows than so many times the inputs, a skip connection alone fits too much, and
        every other attempt has few units with many inputs each.
    least_units, weights_a_unit : int
        Then a unit for so many weights of the budget, and at least so many units.
    betas : tuple of float
        Of Adam: a short memory, as rate and penalty fall all the time. Not tuned.
    room : int
        Weights of a layer, with gradients and both moments in float32, that fill the default memory
        budget. It is not the budget of the setting, as the result depends on it.
    held : int
        A weight of a network on its support takes so many times as much.
    """

    steps: int = 3000
    steps_of_many: int = 5000
    many: int = 100
    penalty: float = 0.03
    penalties: tuple[float, ...] = (0.001, 0.0003, 0.003)
    lr: float = 0.02
    slow_lr: float = 0.005
    least_batch: int = 256
    rows_a_unit: int = 5
    most_batch: int = 1024
    spare_units: float = 1.3
    more_units: int = 2
    worse: float = 2.0
    few_rows: int = 4
    least_units: int = 10
    weights_a_unit: int = 20
    betas: tuple[float, float] = (0.9, 0.99)
    room: int = MEMORY_MB * 2**20 // 16
    held: int = 2


@dataclass(frozen=True)
class RecoveryProfile:
    """When a search has found what there is to find.

    Attributes
    ----------
    goal : float
        Mean square, relative to that of the targets, at which the search ends: 130 dB, three orders
        beyond what is called exact (`sparsefit.core.exact`), and above the rounding of float64.
    rounding : float
        Share of the goal that weights which do nothing may add to the mean square. Not tuned.
    restarts, restarts_of_deep : int
        Attempts after the first, and those with several hidden layers.
    restarts_of_few_rows, few_rows_a_weight, in_reach : int, int, float
        Attempts after the first where there are fewer targets than so many for each weight, as long
        as the best leaves less than a share of their mean square: few rows have many local minima,
        and cost little (docs/maths.md).
    alike : float
        Attempts whose losses differ by less than this share have ended alike, as under noise.
    most_alike : int
        After so many that end as the best does, the search ends.
    selected : float
        Weights of the dense start that are kept, as a multiple of the budget.
    least_selected : int
        At least so many with a skip connection that counts: too many of its weights are dropped
        only where there are many inputs. Not tuned.
    rows_a_weight, least_rows : int
        An attempt begins on a draw of so many rows for each weight of the budget and of one
        output's skip connection, and at least so many (docs/maths.md).
    drawn : float
        Not if that is more than this share of the rows. Not tuned.
    """

    goal: float = 1e-13
    rounding: float = 1e-6
    restarts: int = 4
    restarts_of_deep: int = 12
    restarts_of_few_rows: int = 30
    few_rows_a_weight: int = 8
    in_reach: float = 0.03
    alike: float = 1e-3
    most_alike: int = 2
    selected: float = 1.8
    least_selected: int = 500
    rows_a_weight: int = 10
    least_rows: int = 2000
    drawn: float = 0.6


@dataclass(frozen=True)
class CrossoverProfile:
    """How attempts go on from others that failed (docs/maths.md).

    Attributes
    ----------
    pool : int
        Networks that are kept.
    inputs, most_inputs : float
        On few rows a start has so many times the inputs that a network of the pool uses, but all
        if that is more than a share of them.
    temperature, floor : float
        How much chance there is in which inputs these are: of the logarithms of their votes, and
        of what inputs without votes get, as a share. Not tuned.
    """

    pool: int = 4
    inputs: float = 1.5
    most_inputs: float = 0.8
    temperature: float = 0.5
    floor: float = 1e-4


DAMPING = DampingProfile()
SURGEON = SurgeonProfile()
SPLITS = SplitProfile()
CYCLE = CycleProfile()
START = StartProfile()
RECOVERY = RecoveryProfile()
CROSSOVER = CrossoverProfile()
