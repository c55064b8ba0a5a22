"""What the estimators are told, and what each of it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions, make_constraint

from sparsefit.core.activations import ACTIVATION
from sparsefit.core.device import DEVICES, check_device
from sparsefit.core.errors import ParameterError, SparsefitError
from sparsefit.core.problem import Loss
from sparsefit.core.setting import LARGEST_SEED, Setting
from sparsefit.methods import Method, find_method

# Sizes of arrays are 32-bit numbers in some of the libraries that these go through.
_MOST_UNITS = 2**31 - 1


@dataclass(frozen=True)
class Rule:
    """What a parameter may be.

    Attributes
    ----------
    constraints : list
        Of scikit-learn; a value satisfies one of them. In addition, True and False are taken only
        where "boolean" is among them: elsewhere they would pass for 1 and 0.
    allowed : str
        The same in words, as they follow "must be".
    """

    constraints: list[Any]
    allowed: str

    def check(self, name: str, value: Any) -> None:
        """Raise `ParameterError` if the parameter `name` may not be `value`."""
        is_misplaced = isinstance(value, bool) and "boolean" not in self.constraints
        constraints = map(make_constraint, self.constraints)
        if is_misplaced or not any(one.is_satisfied_by(value) for one in constraints):
            raise self.error(name, value)

    def error(self, name: str, value: Any) -> ParameterError:
        """Return the error that says what is allowed."""
        return ParameterError(f"{name} must be {self.allowed}, got {value!r}")


def one_of(names: Iterable[str]) -> Rule:
    """Return the rule of a parameter that is one of some names."""
    names = list(names)
    return Rule([StrOptions(set(names))], " or ".join(map(repr, names)))


_AUTO = StrOptions({"auto"})
_POSITIVE = Interval(Integral, 1, None, closed="left")
_FRACTION = Interval(Real, 0, 1, closed="right")
_SWITCH = Rule(["boolean"], "True or False")
_BUDGET = Rule([_POSITIVE, _FRACTION], "integers >= 1 or fractions in (0, 1]")
# Of all parameters but `loss`, which differs from one estimator to the other.
_RULES = {
    "hidden_layer_sizes": Rule(
        [_POSITIVE, "array-like"], f"sizes >= 1 and <= {_MOST_UNITS}, all the same"
    ),
    "nnz": Rule([_POSITIVE, _FRACTION, _AUTO], "an integer >= 1, a fraction in (0, 1] or 'auto'"),
    "method": Rule([str, Method], "the name or an instance of a method"),
    "alpha": Rule([_AUTO, Interval(Real, 0, None, closed="left")], "'auto' or a number >= 0"),
    "skip": _SWITCH,
    "activation": Rule([str], ACTIVATION.allowed),
    "fit_intercept": _SWITCH,
    "standardize": _SWITCH,
    "folds": Rule(
        [_AUTO, Options(Integral, {0}), Interval(Integral, 2, None, closed="left")],
        "'auto', 0 or an integer >= 2",
    ),
    "time_limit": Rule(
        [None, Interval(Real, 0, None, closed="neither")], "None or a number of seconds > 0"
    ),
    "random_state": Rule(
        ["random_state"], "None, a RandomState or an integer between 0 and 2**32 - 1"
    ),
    "device": Rule([str], DEVICES),
    "verbose": Rule(["boolean", callable], "True, False or a function of a share and a text"),
}


class Parameters(BaseEstimator):
    """The parameters of the estimators; what they mean is described there."""

    # What `loss` may be, and what it is called in a `Problem`.
    _losses: ClassVar[dict[str, Loss]]

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        *,
        nnz: int | float | Literal["auto"] = 100,
        method: str | Method = "auto",
        loss: str = "auto",
        alpha: float | Literal["auto"] = "auto",
        skip: bool = True,
        activation: str = "relu",
        fit_intercept: bool = True,
        standardize: bool = True,
        folds: int | Literal["auto"] = "auto",
        time_limit: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        verbose: bool | Callable[[float, str], None] = False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.nnz = nnz
        self.method = method
        self.loss = loss
        self.alpha = alpha
        self.skip = skip
        self.activation = activation
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.folds = folds
        self.time_limit = time_limit
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @property
    def _rules(self) -> dict[str, Rule]:
        return {**_RULES, "loss": one_of(self._losses)}

    @property
    def _parameter_constraints(self) -> dict[str, list[Any]]:
        """The rules as scikit-learn and the packages around it read them."""
        return {name: rule.constraints for name, rule in self._rules.items()}

    def _validate_params(self) -> None:
        """Raise `ParameterError` for the first parameter whose value is not allowed."""
        values = self.get_params(deep=False)
        for name, rule in self._rules.items():
            rule.check(name, values[name])
        layer_sizes(self.hidden_layer_sizes)
        Setting(activation=self.activation)
        check_device(self.device)
        if isinstance(self.method, str):
            try:
                find_method(self.method)
            except SparsefitError as error:
                raise ParameterError(str(error)) from None

    @property
    def _problem_loss(self) -> Loss:
        return self._losses[self.loss]

    def _setting(self) -> Setting:
        """Return the architecture and machine of one fit, and a seed, which is drawn here."""
        sizes = layer_sizes(self.hidden_layer_sizes)
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        return Setting(
            hidden=sizes[0], layers=len(sizes), bias=bool(self.fit_intercept),
            skip=bool(self.skip), activation=self.activation, device=self.device, seed=seed,
        )  # fmt: skip


def layer_sizes(value: Any) -> list[int]:
    """Return the units of each hidden layer, all the same; a number stands for one layer.

    Examples
    --------
    >>> layer_sizes((8, 8)), layer_sizes(8)
    ([8, 8], [8])
    """
    sizes = [value] if isinstance(value, Integral) else list(value)
    for size in sizes or [0]:
        is_integer = isinstance(size, Integral) and not isinstance(size, bool)
        if not (is_integer and 1 <= int(size) <= _MOST_UNITS and size == sizes[0]):
            raise _RULES["hidden_layer_sizes"].error("hidden_layer_sizes", value)
    return [int(size) for size in sizes]


def check_budgets(budgets: Any) -> Sequence[int | float]:
    """Return the budgets of a path, or raise `ParameterError` if one is not allowed.

    Examples
    --------
    >>> check_budgets(range(1, 3))
    [1, 2]
    """
    is_text = isinstance(budgets, str)
    if is_text or not make_constraint("array-like").is_satisfied_by(budgets) or not len(budgets):
        raise _BUDGET.error("budgets", budgets)
    for nnz in budgets:
        _BUDGET.check("budgets", nnz)
    return list(budgets)
