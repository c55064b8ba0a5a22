"""``sparsefit tasks``, ``methods`` and ``show``: what there is, and what came out."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sparsefit.cli._flags import add_run, flag
from sparsefit.cli._table import entry_text, print_entries
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
    add_run(parser)
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
    print_entries(entries)
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


def show(arguments: argparse.Namespace) -> int:
    """Print a row, field by field, and its network, layer by layer."""
    from sparsefit.core.network import Network
    from sparsefit.experiments.stored import find_row, network_path

    path, row = find_row(arguments.run, arguments.out)
    width = max(map(len, row))
    for name, value in row.items():
        print(f"{name:{width}}  {entry_text(value)}")
    if network_path(path).exists():
        print()
        _print_network(Network.load(network_path(path)))
    return 0


def _print_network(network: Network) -> None:
    """Print shape, nonzeros and live units of every layer."""
    entries = []
    for name, layer in zip(network.layer_names, network.all_layers, strict=True):
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
    print_entries(entries)
