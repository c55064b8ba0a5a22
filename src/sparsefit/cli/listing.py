"""``sparsefit tasks``, ``methods`` and ``show``: what there is, and what came out."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsefit.cli._flags import Commands, FolderOptions, Format, OptionFlags, add_run, flag
from sparsefit.cli._say import ending, note
from sparsefit.cli._table import entry_text, print_entries
from sparsefit.core.discovery import Catalogue
from sparsefit.core.options import Options, option, option_infos
from sparsefit.methods._base import METHODS
from sparsefit.tasks._base import TASKS

if TYPE_CHECKING:
    from sparsefit.core.network import Network


@dataclass(frozen=True, kw_only=True)
class ListOptions(Options):
    """What ``sparsefit tasks`` and ``methods`` are told."""

    format: Format = option("table", "a table, or a JSON object to a line")


_LIST_FLAGS, _SHOW_FLAGS = OptionFlags([ListOptions]), OptionFlags([FolderOptions])
# A network of so many nonzeros is written down.
_MOST_DRAWN = 100
CATALOGUES: dict[str, Catalogue[Any]] = {"tasks": TASKS, "methods": METHODS}


def add_parser(subparsers: Commands) -> None:
    """Add the commands."""
    for kind in CATALOGUES:
        parser = subparsers.add_parser(kind, help=f"list the {kind}, or the options of one")
        parser.add_argument(
            "name",
            nargs="?",
            metavar="NAME",
            help="show the options of this one, or of the one in a file that ends in .py",
        )
        _LIST_FLAGS.add_to(parser)
        parser.set_defaults(handler=list_kind)
    parser = subparsers.add_parser("show", help="show one result")
    add_run(parser)
    _SHOW_FLAGS.add_to(parser)
    parser.set_defaults(handler=show)


def list_kind(arguments: argparse.Namespace) -> int:
    """Print the tasks or methods, or the options of one of them."""
    options = _LIST_FLAGS.make(ListOptions, arguments)
    if arguments.name is None:
        catalogue = CATALOGUES[arguments.command]
        entries = [_entry(cls) for cls in catalogue.all().values()]
        heading = ""
        for fault in catalogue.faults():
            note(f"note: {fault}")
    else:
        cls = CATALOGUES[arguments.command].find(arguments.name)
        entries = [_option_entry(info) for info in option_infos(cls)]
        heading = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
    if options.format == "json":
        for entry in entries:
            print(json.dumps(entry))
        return 0
    if heading:
        print(heading)
    print_entries(entries)
    kind, name = arguments.command, arguments.name
    run = ("run", "--task", "planted", "--method", "splice", "--hidden", "10", "--nnz", "20")
    if name is None:
        ending(f"{len(entries)} {kind}", (kind, entries[0]["name"]), run)
    else:
        ending(f"{len(entries)} options of {name}", ("run", f"--{kind[:-1]}", name, "--help"))
    return 0


def _entry(cls: Any) -> dict[str, Any]:
    summary = (cls.__doc__ or "").strip().partition("\n")[0]
    presets = [
        f"{name}, with " + " ".join(f"{flag(key)} {value}" for key, value in options.items())
        for name, options in cls.presets.items()
    ]
    return {"name": cls.name, "aliases": [*cls.aliases, *presets], "summary": summary}


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

    out = _SHOW_FLAGS.make(FolderOptions, arguments).out
    path, row = find_row(arguments.run, out)
    width = max(map(len, row))
    for name, value in row.items():
        print(f"{name:{width}}  {entry_text(value)}")
    if network_path(path).exists():
        print()
        _print_network(Network.load(network_path(path)))
    folder = ("--out", out) if str(out) != "runs" else ()
    ending(_told(row), ("diagnose", row["run_id"][:8], *folder), ("report", out, "--open"))
    return 0


def _told(row: Mapping[str, Any]) -> str:
    """Return the result of a row in a sentence."""
    where = f"{row['task']} by {row['method']}"
    if row["value"] is None:
        return f"{where} has no result: {row['note']}"
    exact = {None: "", True: ", the true network exactly", False: ", not the true network"}
    found = exact[row.get("exact")]
    return f"{where}: {row['metric']} {row['value']:.4g} with {row['nnz_found']} nonzeros{found}"


def _print_network(network: Network) -> None:
    """Print shape, nonzeros and live units of every layer, and a small network as a formula."""
    from sparsefit.predictor import Column, Predictor

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
    if network.nnz <= _MOST_DRAWN and network.gates is None:
        names = [f"y{at}" for at in range(network.n_outputs)]
        columns = tuple(Column(name=f"x{at}") for at in range(network.n_inputs))
        targets = tuple(names if len(names) > 1 else ["y"])
        print(Predictor(network=network, columns=columns, targets=targets).formula())
