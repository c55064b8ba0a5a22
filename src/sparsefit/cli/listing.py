"""``sparsefit tasks``, ``methods`` and ``show``: what there is, and what came out."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsefit.cli._flags import filled, flag
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import option_infos
from sparsefit.methods import find_method, list_methods
from sparsefit.tasks import find_task, list_tasks

if TYPE_CHECKING:
    from sparsefit.core.network import Network

FINDERS: dict[str, Callable[[str], type[Any]]] = {"tasks": find_task, "methods": find_method}
LISTERS: dict[str, Callable[[], dict[str, Any]]] = {"tasks": list_tasks, "methods": list_methods}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the commands."""
    for kind in LISTERS:
        parser = subparsers.add_parser(kind, help=f"list the {kind}, or the options of one")
        parser.add_argument("name", nargs="?", metavar="NAME", help="show the options of this one")
        parser.add_argument("--format", choices=("table", "json"), default="table")
        parser.set_defaults(handler=list_kind)
    parser = subparsers.add_parser("show", help="show one result")
    parser.add_argument("run", metavar="RUN", help="run id, the start of one, or a row's file")
    parser.add_argument(
        "--out", type=filled("out", Path), default=Path("runs"), metavar="DIR",
        help="results folder (default runs)",
    )  # fmt: skip
    parser.set_defaults(handler=show)


def list_kind(arguments: argparse.Namespace) -> int:
    """Print the tasks or methods, or the options of one of them."""
    if arguments.name is None:
        entries = [_entry(cls) for cls in LISTERS[arguments.command]().values()]
        heading = ""
    else:
        cls = FINDERS[arguments.command](arguments.name)
        entries = [_option_entry(info) for info in option_infos(cls)]
        heading = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
    if arguments.format == "json":
        for entry in entries:
            print(json.dumps(entry))
        return 0
    if heading:
        print(heading)
    _print_entries(entries)
    return 0


def _entry(cls: Any) -> dict[str, Any]:
    summary = (cls.__doc__ or "").strip().partition("\n")[0]
    return {"name": cls.name, "aliases": list(cls.aliases), "summary": summary}


def _option_entry(info: Any) -> dict[str, Any]:
    return {
        "option": flag(info.name),
        "aliases": [flag(alias) for alias in info.aliases],
        "default": info.default,
        "allowed": info.allowed,
        "help": info.help,
    }


def _print_entries(entries: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not entries:
        return
    table = Table(*entries[0], box=box.SIMPLE_HEAD)
    for entry in entries:
        table.add_row(*(_text(value) for value in entry.values()))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(width=160, highlight=False, markup=False)
    console.print(table)


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def show(arguments: argparse.Namespace) -> int:
    """Print a row, field by field, and its network, layer by layer."""
    from sparsefit.core.network import Network
    from sparsefit.experiments.store import read_row

    path = _find_row(arguments.run, arguments.out)
    try:
        row = read_row(path)
    except ValueError as error:
        raise SparsefitError(f"{path} is damaged: {error}") from error
    width = max(map(len, row))
    for name, value in row.items():
        print(f"{name:{width}}  {json.dumps(value) if isinstance(value, dict) else _text(value)}")
    network_path = path.parent.parent / "networks" / f"{row['run_id']}.safetensors"
    if network_path.exists():
        print()
        _print_network(Network.load(network_path))
    return 0


def _find_row(run: str, out: Path) -> Path:
    if run.endswith(".json") and Path(run).is_file():
        return Path(run)
    paths = sorted((out / "rows").glob("*.json"))
    found = [path for path in paths if path.stem.startswith(run)]
    if len(found) == 1:
        return found[0]
    if found:
        raise SparsefitError(f"{len(found)} runs in {out} start with {run!r}: give more of the id")
    raise SparsefitError(f"there is no run {run!r} among the {len(paths)} in {out}")


def _print_network(network: Network) -> None:
    """Print shape, nonzeros and live units of every layer."""
    entries = []
    names = [f"hidden {number}" for number, _ in enumerate(network.hidden_layers, start=1)]
    names += [] if network.fused else ["output"]
    for name, layer in zip([*names, "skip"], network.all_layers, strict=False):
        live = (layer.weight != 0).sum(axis=0) > 0
        live = live if layer.bias is None else live | (layer.bias != 0)
        entries.append(
            {
                "layer": name,
                "inputs": layer.n_inputs,
                "units": layer.n_units,
                "live units": int(live.sum()),
                "nonzeros": layer.nnz,
            }
        )
    _print_entries(entries)
