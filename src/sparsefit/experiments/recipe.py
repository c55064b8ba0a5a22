"""Recipes: the sweeps behind a set of figures, from a TOML file of the package."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, TypeVar, get_args

from sparsefit.core.choices import Score
from sparsefit.core.errors import SparsefitError, near_match
from sparsefit.core.options import Options, every_combination, option_infos
from sparsefit.core.setting import Setting
from sparsefit.experiments.spec import Cell, grid
from sparsefit.methods import find_method
from sparsefit.tasks import find_task

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Scale = Literal["tiny", "small", "paper"]
SCALES: tuple[str, ...] = get_args(Scale)
O = TypeVar("O", bound=Options)  # noqa: E741


@dataclass(frozen=True)
class Recipe:
    """A set of sweeps at several scales.

    A file ``recipes/<name>.toml`` has a ``title``, the ``score`` that its figures show, maybe the
    ``threshold`` of success in them, and for each scale a list of sweeps. A sweep has a ``task``
    and ``methods``, tables of a ``name`` and options, or lists of their values, for all
    combinations; ``hidden``, ``nnz`` and ``seeds``; and maybe a ``setting``, a table of options.

    Attributes
    ----------
    name, title : str
    score : {"value", "train_value"}
    sweeps : dict
        Scale to the tables of its sweeps.
    threshold : float or None
        A seed that scores at least as well is a success; None: the metric's own.
    """

    name: str
    title: str
    score: Score
    sweeps: Mapping[str, list[dict[str, Any]]]
    threshold: float | None = None

    def cells(
        self, scale: str, *, data_dir: str | None = None, setting: Mapping[str, Any] | None = None,
        seeds: Sequence[int] = (), methods: Sequence[str] = (),
    ) -> list[Cell]:  # fmt: skip
        """List the cells of all sweeps of one scale.

        Parameters
        ----------
        scale : str
            One of the keys of `sweeps`.
        data_dir : str, optional
            For the tasks that read files.
        setting : mapping, optional
            Options that go before those of the recipe, such as the device.
        seeds : sequence of int, optional
            In place of those of the recipe.
        methods : sequence of str, optional
            Only these of the recipe's methods.

        Raises
        ------
        SparsefitError
            If the recipe does not have this scale, or one of the methods.
        """
        if scale not in self.sweeps:
            known = ", ".join(self.sweeps)
            raise SparsefitError(f"--scale must be one of {known} for {self.name}, got {scale!r}")
        cells: list[Cell] = []
        there = {table["name"] for sweep in self.sweeps[scale] for table in sweep["methods"]}
        if strange := [name for name in methods if name not in there]:
            known = ", ".join(sorted(there))
            raise SparsefitError(f"--method must be of {known} for {self.name}, got {strange[0]!r}")
        for sweep in self.sweeps[scale]:
            tasks = _make(find_task(sweep["task"]["name"]), sweep["task"], data_dir)
            chosen = [
                method
                for table in sweep["methods"] if not methods or table["name"] in methods
                for method in _make(find_method(table["name"]), table, data_dir)
            ]  # fmt: skip
            options = {**sweep.get("setting", {}), **(setting or {})}
            axes = {name: sweep[name] for name in ("hidden", "nnz", "seeds")}
            axes["seeds"] = list(seeds) or axes["seeds"]
            if chosen:
                cells += grid(tasks, chosen, setting=Setting(**options), **axes)
        return cells


def _make(cls: type[O], table: Mapping[str, Any], data_dir: str | None) -> list[O]:
    """Return an instance for every combination of the options that have lists of values."""
    options = {name: value for name, value in table.items() if name != "name"}
    if data_dir is not None and any(info.name == "data_dir" for info in option_infos(cls)):
        options["data_dir"] = data_dir
    choices = {name: v if isinstance(v, list) else [v] for name, v in options.items()}
    return every_combination(cls, choices)


def _files() -> dict[str, Any]:
    folder = resources.files("sparsefit") / "recipes"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".toml"): file for file in files if file.name.endswith(".toml")}


def list_recipes() -> tuple[str, ...]:
    """Return the names of all recipes."""
    return tuple(_files())


def find_recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises
    ------
    SparsefitError
        If there is none.

    Examples
    --------
    >>> recipe = find_recipe("figure1")
    >>> len(recipe.cells("paper"))
    978
    """
    files = _files()
    if name not in files:
        hint = near_match(name, files)
        raise SparsefitError(f"unknown recipe {name!r}{hint}; there are {', '.join(files)}")
    table = tomllib.loads(files[name].read_text(encoding="utf-8"))
    sweeps = {scale: table[scale] for scale in SCALES if scale in table}
    return Recipe(name, table["title"], table["score"], sweeps, table.get("threshold"))
