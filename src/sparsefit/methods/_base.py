"""The interface of a method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from sparsefit.core.discovery import by_name, discover
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import Options

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Method(Options):
    """A way to fit a network with at most ``nnz`` nonzeros.

    Subclasses are frozen dataclasses whose fields are declared with
    `sparsefit.core.options.option`.

    Attributes
    ----------
    name : str
        What ``--method`` takes.
    aliases : tuple of str
        Other names.
    version : int
        Part of the run id; raise it when results change.
    default_dtype : str
        Precision used when the setting leaves it open.
    uses_budget : bool
        False for reference points that ignore the budget, such as a dense network.
    shares_path : bool
        True if one call of `path` serves several budgets with shared work.
    recovers_vectors : bool
        True if the method also recovers sparse vectors from measurements.
    takes_weights : bool
        True if rows may have weights.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    default_dtype: ClassVar[Literal["float32", "float64"]] = "float64"
    uses_budget: ClassVar[bool] = True
    shares_path: ClassVar[bool] = False
    recovers_vectors: ClassVar[bool] = False
    takes_weights: ClassVar[bool] = False

    def check(self, problem: AnyProblem) -> None:
        """Raise `SparsefitError` if the method cannot fit this kind of problem."""
        from sparsefit.core.problem import Problem

        if not isinstance(problem, Problem) and not self.recovers_vectors:
            able = [name for name, cls in list_methods().items() if cls.recovers_vectors]
            raise SparsefitError(
                f"method {self.name!r} fits networks; this task is a sparse vector, "
                f"which methods {', '.join(able)} recover"
            )
        if getattr(problem, "sample_weight", None) is not None and not self.takes_weights:
            able = [name for name, cls in list_methods().items() if cls.takes_weights]
            raise SparsefitError(
                f"method {self.name!r} takes no sample weights; methods {', '.join(able)} do"
            )

    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit one network per budget.

        Parameters
        ----------
        problem : Problem or SensingProblem
        budgets : sequence of int
            Values of nnz, each >= 1, in any order. The result for a budget must not depend on
            the other budgets.
        setting : Setting

        Yields
        ------
        budget : int
        fit : Fit
            In whatever order the method finds them.
        """
        raise TypeError(f"method {type(self).__name__} does not define path")


def list_methods() -> dict[str, type[Method]]:
    """Return every method by name, without importing torch."""
    return discover("sparsefit.methods", Method)


def find_method(name: str) -> type[Method]:
    """Return the method of that name or alias; raise `SparsefitError` with a near match."""
    return by_name("method", list_methods(), name)
