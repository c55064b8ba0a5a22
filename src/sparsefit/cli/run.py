"""``sparsefit run``: one cell or a grid of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sparsefit.cli._flags import KEPT, Commands, FolderOptions, OptionFlags, Parser, SweepFormat
from sparsefit.cli._say import note
from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.core.options import Condition, Options, at_least, like, option
from sparsefit.core.setting import Setting
from sparsefit.experiments.engines import EngineOptions, WorkerOptions
from sparsefit.methods import Method, find_method
from sparsefit.methods._base import METHODS
from sparsefit.tasks import Task, find_task
from sparsefit.tasks._base import TASKS

EXAMPLE = "Example: sparsefit run --task planted --method aiht --hidden 10 50 --nnz 20 --seeds 0 1"
_FILE = "or a file that ends in .py"


@dataclass(frozen=True, kw_only=True)
class ChosenOptions(Options):
    """What is fitted, and how."""

    task: tuple[str, ...] = option((), f"a task, {_FILE}; one or more")
    method: tuple[str, ...] = option(("aiht",), f"a method, {_FILE}; one or more")


@dataclass(frozen=True, kw_only=True)
class GridOptions(ChosenOptions):
    """Axes of the grid."""

    hidden: tuple[int, ...] = like(
        Setting, "hidden", default=(100,), aliases=("mlist",),
        help="hidden units of each layer; length of the vector in gaussian-sparse",
    )  # fmt: skip
    nnz: tuple[int, ...] = option(
        (), "budgets: the most nonzero weights that a network may have", aliases=("slist",),
        check=at_least(1),
    )  # fmt: skip
    seeds: tuple[int, ...] = like(
        Setting, "seed", default=(0,), aliases=("seed", "seedlist"),
        help="random seeds",
    )  # fmt: skip


def _is_shard(part: str) -> bool:
    number, _, count = part.partition("/")
    return number.isdecimal() and count.isdecimal() and int(number) < int(count)


def _is_below(path: Path) -> bool:
    return not path.is_absolute() and ".." not in path.parts


@dataclass(frozen=True, kw_only=True)
class ResultOptions(FolderOptions):
    """Where results go, and what is printed."""

    expname: Path | None = option(
        None, "keep the results in this folder below that of --out instead",
        check=Condition(_is_below, "of a folder below that of --out"),
    )  # fmt: skip
    save_results: bool = option(True, "keep the results")
    shard: str | None = option(
        None, "run only the I-th of N parts of the grid, from 0 on, by run id: for machines that "
        "share a folder, or an array of jobs",
        check=Condition(_is_shard, "that is I/N with 0 <= I < N", "I/N"),
    )  # fmt: skip
    dry_run: bool = option(False, "say how many cells there are and about how long they take")
    format: SweepFormat | None = option(
        None, "what to print: a table (default on a terminal), or a line per cell as it ends, of "
        "JSON (default elsewhere) or CSV",
    )  # fmt: skip

    @property
    def folder(self) -> Path | None:
        """Where results are kept; None for nowhere."""
        return self.out / (self.expname or "") if self.save_results else None


@dataclass(frozen=True, kw_only=True)
class GpuOptions(Options):
    """The short way to name a device."""

    gpu: int | None = option(None, "number N of a GPU: same as --device cuda:N", check=at_least(0))


_FLAGS = OptionFlags([GridOptions, ResultOptions])
_ENGINES = OptionFlags([WorkerOptions, EngineOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help="fit one network or a grid of them",
        description="Fit a network per task, method, width, budget and seed; what is in the "
        "results folder already is not computed again.",
        epilog=EXAMPLE,
    )
    groups = _FLAGS.add_to(parser, {"grid": GridOptions, "results": ResultOptions})
    tasks, methods = ", ".join(TASKS.names()), ", ".join(METHODS.names())
    groups["grid"].description = (
        f"Tasks: {tasks}. Methods: {methods}. Named before --help, they have their options there; "
        "so has --engine."
    )
    parser.add_argument(
        "--help-all", action="help", help="show the options of all tasks and methods, too"
    )
    parser.complete = partial(_add_options, parser)


def _add_options(parser: Parser, words: Sequence[str]) -> None:
    """Add the flags of sparsefit's tasks and methods, and of those that the words name."""
    chooser, choices = Parser(add_help=False), OptionFlags([ChosenOptions])
    choices.add_to(chooser)
    chosen = choices.given(ChosenOptions, chooser.parse_known_args(words)[0])
    named: list[type[Options]] = [find_task(name) for name in chosen.get("task", ())]
    named += [find_method(name) for name in chosen.get("method", ())]
    owners: list[type[Options]] = [Setting, *TASKS.own().values(), *METHODS.own().values()]
    owners += [*named, GpuOptions]
    flags = OptionFlags([*dict.fromkeys(owners)], leave_out=("hidden", "seed"), axes=Task)
    # All options of all tasks and methods are a wall: the help has those of the named ones.
    shown: set[type[Options]] = {Setting, GpuOptions, *named}
    wants_all = "--help-all" in words
    engines = None if wants_all or "--engine" in words else {WorkerOptions}
    _ENGINES.add_to(parser, {"where it runs": WorkerOptions}, engines)
    machine = "architecture and machine"
    titles: dict[str, type | tuple[type, ...]] = {machine: (Setting, GpuOptions)}
    titles |= {"options of tasks": Task, "options of methods": Method}
    flags.add_to(parser, titles, None if wants_all else shown)
    parser.set_defaults(handler=lambda arguments: run(arguments, flags), kept=KEPT)


def run(arguments: argparse.Namespace, flags: OptionFlags) -> int:
    """Run the grid; 1 if a cell failed, else 0."""
    from sparsefit.cli._sweep import exit_code, plan, run_sweep
    from sparsefit.experiments.spec import grid, shard

    chosen = _FLAGS.make(GridOptions, arguments)
    results = _FLAGS.make(ResultOptions, arguments)
    engine = _ENGINES.make(EngineOptions, arguments)
    if not chosen.task:
        raise SparsefitError(f"--task is missing: one or more of {', '.join(TASKS.names())}")
    tasks = [find_task(name) for name in chosen.task]
    methods = [find_method(name) for name in chosen.method]
    setting = _setting(arguments, flags)
    built_tasks = [built for task in tasks for built in flags.make_all(task, arguments)]
    built_methods = [flags.make(method, arguments) for method in methods]
    for unused in flags.unused([Setting, GpuOptions, *tasks, *methods], arguments):
        note(f"note: {unused} has no effect on the chosen tasks and methods")
    cells = grid(
        built_tasks,
        built_methods,
        hidden=chosen.hidden,
        nnz=chosen.nnz,
        seeds=chosen.seeds,
        setting=setting,
    )
    cells = shard(cells, results.shard)
    if not cells:
        note(f"no cell of the grid is in part {results.shard}")
        return 0
    if results.dry_run:
        print(plan(cells, results.folder, engine.workers))
        return 0
    if not results.save_results and engine.engine != "processes":
        raise OptionError("engine", engine.engine, "processes with --no-save-results")
    rows = run_sweep(cells, out=results.folder, engine=engine, format=results.format)
    return exit_code(rows)


def _setting(arguments: argparse.Namespace, flags: OptionFlags) -> Setting:
    setting, gpu = flags.make(Setting, arguments), flags.make(GpuOptions, arguments).gpu
    return setting if gpu is None else replace(setting, device=f"cuda:{gpu}")
