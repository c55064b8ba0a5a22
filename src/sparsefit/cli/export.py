"""``sparsefit export``: a model as a file that needs no sparsefit."""

from __future__ import annotations

import argparse
from pathlib import Path

from sparsefit.core.errors import OptionError
from sparsefit.export.formats import FORMATS, default_suffix, export


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        help="write a model as ONNX, C, Python or arrays",
        description="Write the part of a model that matters as a file that needs no sparsefit: "
        "for onnxruntime, as a C99 header, as arrays for NumPy, or as a Python function to read.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file of 'sparsefit fit'")
    parser.add_argument(
        "--to", required=True, metavar="{" + ",".join(FORMATS) + "}", help="the format"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="what to write (default: the name of MODEL with the suffix of the format); the names "
        "of functions in C come from it",
    )  # fmt: skip
    parser.add_argument(
        "--number", metavar="{float,int16}",
        help="what C computes with: float32, or 16 bit weights and integer sums (default float)",
    )  # fmt: skip
    parser.set_defaults(handler=export_model)


def export_model(arguments: argparse.Namespace) -> int:
    """Export, and print what was written."""
    from sparsefit.predictor import Predictor

    path = arguments.out or arguments.model.with_suffix(default_suffix(arguments.to))
    if path.is_dir() or not path.parent.is_dir() or path.resolve() == arguments.model.resolve():
        raise OptionError("out", str(path), "a file other than MODEL in a folder that exists")
    options = {} if arguments.number is None else {"number": arguments.number}
    export(Predictor.load(arguments.model), arguments.to, path, **options)
    print(f"{path}: {arguments.to}, {path.stat().st_size} bytes")
    return 0
