"""``sparsefit run``: one cell or a grid of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sparsefit.cli._flags import OptionFlags, Parser, filled, integers
from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.core.options import Options
from sparsefit.core.setting import LARGEST_SEED, Setting
from sparsefit.methods import Method, find_method
from sparsefit.methods._base import METHODS
from sparsefit.tasks import Task, find_task
from sparsefit.tasks._base import TASKS

# Processes that an ordinary machine survives.
MOST_WORKERS = 1024
FORMATS = ("table", "json", "csv")
EXAMPLE = "Example: sparsefit run --task planted --method aiht --hidden 10 50 --nnz 20 --seeds 0 1"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help="fit one network or a grid of them",
        description="Fit a network per task, method, width, budget and seed; what is in the "
        "results folder already is not computed again.",
        epilog=EXAMPLE,
    )
    _add_grid(parser.add_argument_group("grid"))
    _add_results(parser.add_argument_group("results"))
    parser.complete = partial(_add_options, parser)


def _add_options(parser: Parser, words: Sequence[str]) -> None:
    """Add the flags of sparsefit's tasks and methods, and of those that the words name."""
    chooser = Parser(add_help=False)
    _add_choices(chooser)
    chooser.set_defaults(task=[], method=[])
    chosen = chooser.parse_known_args(words)[0]
    owners: list[type[Options]] = [Setting, *TASKS.own().values(), *METHODS.own().values()]
    owners += [find_task(name) for name in chosen.task]
    owners += [find_method(name) for name in chosen.method]
    flags = OptionFlags(list(dict.fromkeys(owners)), leave_out=("hidden", "seed"))
    machine = "architecture and machine"
    titles = {machine: Setting, "options of tasks": Task, "options of methods": Method}
    groups = flags.add_to(parser, titles)
    groups[machine].add_argument(
        "--gpu", type=integers("gpu", 0), metavar="N", help="same as --device cuda:N"
    )
    parser.set_defaults(handler=lambda arguments: run(arguments, flags))


def _add_choices(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--task", nargs="+", default=[], metavar="TASK",
        help=", ".join(TASKS.names()) + ", or a file that ends in .py",
    )  # fmt: skip
    group.add_argument(
        "--method", nargs="+", default=["aiht"], metavar="METHOD",
        help=", ".join(METHODS.names()) + ", or a file that ends in .py (default aiht)",
    )  # fmt: skip


def _add_grid(group: argparse._ArgumentGroup) -> None:
    _add_choices(group)
    group.add_argument(
        "--hidden", "--mlist", nargs="+", default=[100], type=integers("hidden", 1), metavar="M",
        help="hidden units of each layer; length of the vector in gaussian-sparse (default 100)",
    )  # fmt: skip
    group.add_argument(
        "--nnz", "--slist", nargs="+", default=[], type=integers("nnz", 1), metavar="S",
        help="budgets: the most nonzero weights that a network may have",
    )  # fmt: skip
    group.add_argument(
        "--seeds", "--seed", "--seedlist", nargs="+", default=[0], metavar="SEED",
        type=integers("seeds", 0, LARGEST_SEED), help="random seeds (default 0)",
    )  # fmt: skip


def _add_results(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--out", type=filled("out", Path), default=Path("runs"), metavar="DIR",
        help="results folder (default runs)",
    )  # fmt: skip
    group.add_argument(
        "--expname", type=filled("expname", _below), default=Path(), metavar="NAME",
        help="keep the results in DIR/NAME instead",
    )  # fmt: skip
    group.add_argument(
        "--save-results", action=argparse.BooleanOptionalAction, default=True,
        help="keep the results (the default)",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=integers("workers", 1, MOST_WORKERS), default=1, metavar="N",
        help="cells computed at a time, each with --threads threads (default 1)",
    )  # fmt: skip
    group.add_argument(
        "--format", choices=FORMATS,
        help="what to print: a table (default on a terminal), or a line per cell as it ends, "
        "of JSON (default elsewhere) or CSV",
    )  # fmt: skip


def _below(name: str) -> Path:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise OptionError("expname", name, "the name of a folder below that of --out")
    return path


def run(arguments: argparse.Namespace, flags: OptionFlags) -> int:
    """Run the grid; 1 if a cell failed, else 0."""
    from sparsefit.cli._sweep import exit_code, note, run_sweep
    from sparsefit.experiments.spec import grid

    if not arguments.task:
        raise SparsefitError(f"--task is missing: one or more of {', '.join(TASKS.names())}")
    tasks = [find_task(name) for name in arguments.task]
    methods = [find_method(name) for name in arguments.method]
    if arguments.gpu is not None:
        arguments.device = f"cuda:{arguments.gpu}"
    setting = flags.make(Setting, arguments)
    built_tasks = [flags.make(task, arguments) for task in tasks]
    built_methods = [flags.make(method, arguments) for method in methods]
    for unused in flags.unused([Setting, *tasks, *methods], arguments):
        note(f"note: {unused} has no effect on the chosen tasks and methods")
    cells = grid(
        built_tasks,
        built_methods,
        hidden=arguments.hidden,
        nnz=arguments.nnz,
        seeds=arguments.seeds,
        setting=setting,
    )
    rows = run_sweep(
        cells,
        out=arguments.out / arguments.expname if arguments.save_results else None,
        workers=arguments.workers,
        format=arguments.format,
    )
    return exit_code(rows)
