"""``sparsefit fit`` and ``sparsefit predict``: models of tables."""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sparsefit.cli._flags import Commands, Format, OptionFlags, check_out
from sparsefit.core.errors import OptionError
from sparsefit.core.files import check_file, writing
from sparsefit.core.options import FILE, Options, option
from sparsefit.core.progress import Report, show_progress
from sparsefit.tabular.options import FitOptions

if TYPE_CHECKING:
    from sparsefit.tabular import Fitted, Prediction

_KINDS = "text with any separator, .gz or .zst of one, Parquet, JSON lines or NPZ"


@dataclass(frozen=True, kw_only=True)
class FitCommandOptions(FitOptions):
    """What ``sparsefit fit`` is told."""

    out: Path | None = option(
        None, "what to write (default: the name of DATA with the suffix .safetensors)", check=FILE,
    )  # fmt: skip
    format: Format = option("table", "print a table, or one JSON object")


@dataclass(frozen=True, kw_only=True)
class PredictOptions(Options):
    """What ``sparsefit predict`` is told."""

    out: Path | None = option(None, "a CSV file (default: stdout)", check=FILE)
    probabilities: bool = option(False, "print the probability of each class, too")


_FIT_FLAGS, _PREDICT_FLAGS = OptionFlags([FitCommandOptions]), OptionFlags([PredictOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the commands."""
    _add_fit(subparsers)
    _add_predict(subparsers)


def _add_fit(subparsers: Commands) -> None:
    parser = subparsers.add_parser(
        "fit",
        help="fit a sparse network to a table",
        description="Fit a network with at most --nnz nonzero weights to a column of a table, and "
        "print its score on rows that were held out, beside other models. Texts are categories; "
        "missing numbers count as the mean, missing categories as none; rows without a target are "
        "left out.",
        epilog="Example: sparsefit fit houses.csv --target price --nnz 30",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help=f"a table: {_KINDS}")
    _FIT_FLAGS.add_to(parser)
    parser.set_defaults(handler=fit)


def _add_predict(subparsers: Commands) -> None:
    parser = subparsers.add_parser(
        "predict",
        help="predict the rows of a table",
        description="Print, as CSV, what a model of 'sparsefit fit' predicts for each row.",
        epilog="Example: sparsefit predict houses.safetensors new.csv --out prices.csv",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file of 'sparsefit fit'")
    parser.add_argument(
        "data", type=Path, metavar="DATA", help=f"a table with the columns of the model: {_KINDS}"
    )
    _PREDICT_FLAGS.add_to(parser)
    parser.set_defaults(handler=predict)


def fit(arguments: argparse.Namespace) -> int:
    """Fit, write the model and what a report shows beside it, and print the scores."""
    from sparsefit.tabular import fit_table
    from sparsefit.tabular.table import open_table

    options = _FIT_FLAGS.make(FitCommandOptions, arguments)
    check_file(arguments.data)
    out = options.out or arguments.data.with_suffix(".safetensors")
    check_out(out, arguments.data, "DATA")
    if out.suffix == ".json":
        allowed = "a file that does not end in .json, where the scores are kept beside it"
        raise OptionError("out", str(out), allowed)
    with show_progress() as report:
        report(None, "reading")
        fitted = fit_table(open_table(arguments.data, options.drop), options, report)
    with writing(out) as temporary:
        fitted.model.save(temporary)
    command = shlex.join(["sparsefit", *sys.argv[1:]])
    with writing(out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({**fitted.facts, "command": command}))
    if options.format == "json":
        print(json.dumps({"model": str(out), "metric": fitted.metric, **fitted.facts}))
    else:
        _print(fitted)
    print(f"model in {out}", file=sys.stderr)
    return 0


def _print(fitted: Fitted) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("model")
    table.add_column(f"{fitted.metric} on {fitted.n_test} test rows", justify="right")
    table.add_column("numbers in it", justify="right")
    for score in fitted.scores:
        size = "" if score.size is None else str(score.size)
        table.add_row(score.name, f"{score.score:.3f}", size)
    Console(highlight=False).print(table)
    used = [fitted.model.columns[at].name for at in fitted.model.live_columns]
    print(f"{fitted.n_train} rows fitted; columns used: {', '.join(used) or 'none'}")
    if fitted.n_without_target:
        print(f"{fitted.n_without_target} rows without a target left out")


def predict(arguments: argparse.Namespace) -> int:
    """Predict, and print or write the answers."""
    from sparsefit.predictor import Predictor
    from sparsefit.tabular import predict_table

    options = _PREDICT_FLAGS.make(PredictOptions, arguments)
    for path in (arguments.model, arguments.data):
        check_file(path)
    model = Predictor.load(arguments.model)
    if options.probabilities and not model.classes:
        raise OptionError("probabilities", True, "left out for a model of numbers")
    answers = predict_table(model, arguments.data)
    names = [*model.targets]
    if options.probabilities:
        names += [f"p({label})" for label in model.classes]
    if options.out is None:
        _write(sys.stdout, names, answers, model.classes)
        return 0
    check_out(options.out, arguments.data, "DATA")
    with (
        writing(options.out) as temporary,
        temporary.open("w", newline="") as file,
        show_progress() as report,
    ):
        count = _write(file, names, _counted(answers, report), model.classes)
    print(f"{count} rows in {options.out}", file=sys.stderr)
    return 0


def _write(
    file: IO[str], names: Sequence[str], answers: Iterator[Prediction], classes: Sequence[str]
) -> int:
    """Write answers as CSV and return how many there are."""
    writer, count = csv.writer(file, lineterminator="\n"), 0
    for number, answer in enumerate(answers):
        if number == 0:
            writer.writerow(names)
        rows: Any = answer.values.tolist()
        if answer.probabilities is not None:
            rows = [[classes[place]] for place in rows]
            if len(names) > 1:
                rows = [[*a, *b] for a, b in zip(rows, answer.probabilities.tolist(), strict=True)]
        writer.writerows(rows)
        count += len(rows)
    return count


def _counted(answers: Iterator[Prediction], report: Report) -> Iterator[Prediction]:
    """Report rows as they come; how many there will be is not known before the file has ended."""
    count = 0
    for answer in answers:
        count += len(answer.values)
        report(None, f"{count} rows")
        yield answer
