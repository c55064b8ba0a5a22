"""``sparsefit export``: a model as a file that needs no sparsefit."""

from __future__ import annotations

import argparse
import shlex
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sparsefit.cli._flags import Commands, ForceOptions, OptionFlags
from sparsefit.cli._say import ending, note
from sparsefit.core.files import check_file, check_output
from sparsefit.core.options import FILE, REQUIRED, option
from sparsefit.export.formats import Format, default_suffix, export

if TYPE_CHECKING:
    from sparsefit.predictor import Predictor


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ForceOptions):
    """What ``sparsefit export`` is told."""

    to: Format = option(REQUIRED, "the format")
    out: Path | None = option(
        None, "what to write (default: the name of MODEL with the suffix of the format); the names "
        "of functions in C come from it", check=FILE,
    )  # fmt: skip
    number: Literal["float", "int16", "int8"] | None = option(
        None,
        "what C computes with: float32, or weights of 16 or 8 bits and integer sums (default "
        "float)",
    )


# So many columns are named.
_MOST_NAMED = 8
_FLAGS = OptionFlags([ExportOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        help="write a model as ONNX, C, Python or arrays",
        description="Write the part of a model that matters as a file that needs no sparsefit: "
        "for onnxruntime, as a C99 header, as arrays for NumPy, or as a Python function to read.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file of 'sparsefit fit'")
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=export_model)


def export_model(arguments: argparse.Namespace) -> int:
    """Export, and print what was written."""
    from sparsefit.predictor import Predictor

    options = _FLAGS.make(ExportOptions, arguments)
    check_file(arguments.model)
    path = options.out or arguments.model.with_suffix(default_suffix(options.to))
    model = Predictor.load(arguments.model)
    check_output(path, [arguments.model], "MODEL", source=model.source, force=options.force)
    further = {} if options.number is None else {"number": options.number}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        export(model, options.to, path, **further)
    for warning in caught:
        note(f"note: {warning.message}")
    print(f"{path}: {options.to}, {path.stat().st_size} bytes")
    _end(path, options.to, model)
    return 0


def _end(path: Path, to: Format, model: Predictor) -> None:
    """Say how the file is used."""
    name = shlex.quote(path.stem)
    file = shlex.quote(str(path))
    used = {
        "c": f"cc -std=c99 -O2 -DSPARSEFIT_MAIN -x c {file} -o {name} -lm && ./{name} < rows.csv",
        "python": f"python -c 'import {path.stem}; help({path.stem}.predict)'",
        "onnx": f"python -c 'import onnxruntime; print(onnxruntime.InferenceSession(\"{path}\"))'",
        "npz": f"python -c 'import numpy; print(*numpy.load(\"{path}\"))'",
    }
    columns = ", ".join(model.live_sources[:_MOST_NAMED]) or "no column"
    more = "" if len(model.live_sources) <= _MOST_NAMED else ", ..."
    ending(f"it computes {', '.join(model.targets)} from {columns}{more}", used[to])
