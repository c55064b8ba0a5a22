"""The interface of a method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from sparsefit.core.discovery import Catalogue, NamedOptions
from sparsefit.core.errors import SparsefitError

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Method(NamedOptions, ABC):
    """A way to fit a network with at most ``nnz`` nonzeros.

    Subclasses are frozen dataclasses whose fields are declared with
    `sparsefit.core.options.option`. They define `fit`; if budgets share work, they are a
    `PathMethod` and define `path`.

    Attributes
    ----------
    name : str
        What ``--method`` takes.
    aliases : tuple of str
        Other names.
    presets : mapping
        Further names, each for the method with some options.
    version : int
        Part of the run id; raise it when results change.
    quick : mapping
        Options that make a fit a matter of a second: contract tests use them.
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
    takes_skip : bool
        True if the network may have a skip connection, `Network.skip`, which ``--skip`` asks for.
    takes_activation : bool
        True if units may have another activation than ReLU, which ``--activation`` asks for.

    Examples
    --------
    >>> from sparsefit import find_method
    >>> find_method("imp")(epochs=5).name
    'imp'
    """

    default_dtype: ClassVar[Literal["float32", "float64"]] = "float64"
    uses_budget: ClassVar[bool] = True
    shares_path: ClassVar[bool] = False
    recovers_vectors: ClassVar[bool] = False
    takes_weights: ClassVar[bool] = False
    takes_skip: ClassVar[bool] = False
    takes_activation: ClassVar[bool] = False

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

    def prepare(self, problem: AnyProblem, setting: Setting) -> Setting:
        """Check what is asked for; return the setting with its precision filled in.

        Raises
        ------
        SparsefitError
            If the method cannot fit this kind of problem, or not with this setting.
        """
        self.check(problem)
        if setting.skip and not self.takes_skip:
            raise SparsefitError(
                f"method {self.name!r} fits networks without a skip connection; leave out --skip, "
                "or say skip=False to an estimator"
            )
        if setting.activation != "relu" and not self.takes_activation:
            able = [name for name, cls in list_methods().items() if cls.takes_activation]
            raise SparsefitError(
                f"method {self.name!r} is for ReLU networks, not for --activation "
                f"{setting.activation}; methods {', '.join(able)} fit others"
            )
        return replace(setting, dtype=setting.dtype or self.default_dtype)

    def warm_up(self) -> None:
        """Load what a fit needs, so that the time of a first fit is its own; nothing by default."""

    @abstractmethod
    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one network.

        `path` has called `prepare` before.

        Parameters
        ----------
        problem : Problem or SensingProblem
        nnz : int
            The most nonzeros that the network may have, >= 1.
        setting : Setting
            ``dtype`` is set.

        Returns
        -------
        Fit
            Depends on the arguments and the options alone.
        """

    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit one network per budget.

        Parameters
        ----------
        problem : Problem or SensingProblem
        budgets : sequence of int
            Values of nnz, each >= 1, in any order. The result for a budget does not depend on the
            other budgets.
        setting : Setting

        Yields
        ------
        budget : int
        fit : Fit
            In whatever order the method finds them.

        Raises
        ------
        SparsefitError
            If the method cannot fit this kind of problem, or not with this setting.
        """
        setting = self.prepare(problem, setting)
        for nnz in budgets:
            yield nnz, self.fit(problem, nnz, setting)


@dataclass(frozen=True, kw_only=True)
class PathMethod(Method):
    """A method that serves all budgets with shared work: it defines `path`, not `fit`."""

    shares_path: ClassVar[bool] = True

    @abstractmethod
    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit one network per budget, after `prepare`; see `Method.path`."""

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one network: a path of one budget."""
        [(_, fit)] = self.path(problem, [nnz], setting)
        return fit


METHODS = Catalogue("method", "sparsefit.methods", Method)  # type: ignore[type-abstract]


def list_methods() -> dict[str, type[Method]]:
    """Return every method by name, without importing torch.

    Those of other packages, announced in the entry-point group ``sparsefit.methods``, are there
    too.

    Examples
    --------
    >>> "aiht" in list_methods()
    True
    """
    return METHODS.all()


def find_method(name: str) -> type[Method]:
    """Return the method of a name, or the one in a file.

    Parameters
    ----------
    name : str
        Name, alias or preset of a method, or the path of a file that ends in ``.py``.

    Raises
    ------
    SparsefitError
        If there is none, with the nearest name, or it cannot be used.

    Examples
    --------
    >>> find_method("iht").name
    'aiht'
    """
    return METHODS.find(name)
