"""``sparsefit predict``: what models say of tables."""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sparsefit.cli._flags import Commands, ForceOptions, OptionFlags, add_table
from sparsefit.cli._say import ending, note
from sparsefit.core.errors import OptionError
from sparsefit.core.files import check_file, check_output, writing
from sparsefit.core.options import FILE, option
from sparsefit.core.progress import Report, show_progress
from sparsefit.reading.options import TextOptions

if TYPE_CHECKING:
    from sparsefit.tabular import Prediction, Predictions


@dataclass(frozen=True, kw_only=True)
class PredictOptions(TextOptions, ForceOptions):
    """What ``sparsefit predict`` is told."""

    out: Path | None = option(None, "a CSV file (default: stdout)", check=FILE)
    probabilities: bool = option(False, "print the probability of each class, too")
    id: tuple[str, ...] = option((), "columns of DATA to print before the predictions")
    all: bool = option(False, "print all columns of DATA before the predictions")
    strict: bool = option(
        False, "refuse cells without a value, and texts that the model has not seen"
    )


_FLAGS = OptionFlags([PredictOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "predict",
        help="predict the rows of a table",
        description="Print, as CSV, what a model of 'sparsefit fit' predicts for each row. Cells "
        "without a value, and texts that the model has not seen, are counted on stderr.",
        epilog="Example: sparsefit predict houses.safetensors new.csv --out prices.csv",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file of 'sparsefit fit'")
    add_table(parser, "a table with the columns of the model")
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=predict)


def predict(arguments: argparse.Namespace) -> int:
    """Predict, and print or write the answers."""
    from sparsefit.predictor import Predictor
    from sparsefit.reading import files_of
    from sparsefit.tabular import predict_table

    options = _FLAGS.make(PredictOptions, arguments)
    check_file(arguments.model)
    files = files_of(arguments.data)
    model = Predictor.load(arguments.model)
    if options.probabilities and not model.classes:
        raise OptionError("probabilities", True, "left out for a model of numbers")
    if options.out is not None:
        inputs = [arguments.model, *files]
        check_output(options.out, inputs, "MODEL or DATA", force=options.force)
    answers = predict_table(model, arguments.data, options)
    if options.strict:
        answers.check()
    if options.out is None:
        _write(sys.stdout, answers, options)
    else:
        with (
            writing(options.out) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
            show_progress() as report,
        ):
            _write(file, answers, options, report)
    if answers.unknown:
        note(f"note: {answers.unknown}")
    if options.out is not None:
        ending(f"{answers.n_rows} rows in {options.out}", ("report", arguments.model, "--open"))
    return 0


def _write(
    file: IO[str], answers: Predictions, options: PredictOptions, report: Report | None = None
) -> None:
    """Write answers as CSV."""
    carried = list(answers.source.columns) if options.all else list(options.id)
    beside = answers.texts(carried) if carried else itertools.repeat(())
    writer, model = csv.writer(file, lineterminator="\n"), answers.model
    names = [*model.targets, *(f"p({c})" for c in model.classes if options.probabilities)]
    # The names of a file come when it is known that it can be read.
    for number, answer in enumerate(answers):
        if number == 0:
            writer.writerow([*carried, *names])
        rows = _rows(answer, model.classes, options.probabilities)
        before = itertools.islice(beside, len(rows))
        writer.writerows([*a, *b] for a, b in zip(before, rows, strict=True))
        if report is not None:
            # How many rows there will be is not known before the file has ended.
            report(None, f"{answers.n_rows} rows")


def _rows(answer: Prediction, classes: tuple[str, ...], with_probabilities: bool) -> list[Any]:
    rows: list[Any] = answer.values.tolist()
    if answer.probabilities is None:
        return rows
    labels = [[classes[place]] for place in rows]
    if not with_probabilities:
        return labels
    return [[*a, *b] for a, b in zip(labels, answer.probabilities.tolist(), strict=True)]
