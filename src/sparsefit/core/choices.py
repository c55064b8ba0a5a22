"""The names that options of several classes take, each set written once.

Importing them loads no torch. A test holds them against what is registered under these names.
"""

from typing import Literal

# How masks come from scores: the keys of `sparsefit.nn.MASKS`; frozen: drawn, and not learned.
Mask = Literal["magnitude", "fisher", "hard-top-k", "sigmoid", "hard-concrete", "frozen"]
# Course of the sparsity: the keys of `sparsefit.nn.SCHEDULES`.
MaskSchedule = Literal["constant", "linear", "cubic", "cosine", "stepwise"]
# How layers share a budget, see `sparsefit.nn.budget.choose`.
Allocation = Literal["global", "uniform", "erk"]
# Course of the learning rate, see `sparsefit.dense.Protocol`.
RateSchedule = Literal["constant", "cosine"]
# Functions to be learned: the keys of `sparsefit.tasks._targets.TARGETS`.
TargetName = Literal["sum", "friedman", "sine", "product", "radial"]
# The score on fresh rows, or the one on the training rows: fields of a stored row.
Score = Literal["value", "train_value"]
