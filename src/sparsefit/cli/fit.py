"""``sparsefit fit`` and ``sparsefit predict``: models of tables."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sparsefit.core.errors import OptionError

if TYPE_CHECKING:
    from sparsefit.tabular import Fitted, Prediction

_FORMATS = "CSV, TSV, Parquet or NPZ"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the commands."""
    _add_fit(subparsers)
    _add_predict(subparsers)


def _add_fit(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "fit",
        help="fit a sparse network to a table",
        description="Fit a network with at most --nnz nonzero weights to a column of a table, and "
        "print its score on rows that were held out, beside other models. Texts are categories; "
        "missing numbers count as the mean, missing categories as none; rows without a target are "
        "left out.",
        epilog="Example: sparsefit fit houses.csv --target price --nnz 30",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help=f"a table: {_FORMATS}")
    parser.add_argument("--target", required=True, metavar="COL", help="the column to predict")
    parser.add_argument(
        "--nnz", type=_nnz, default=50, metavar="S",
        help="the most nonzero weights, or 'auto' for the fewest that are as good as any (50)",
    )  # fmt: skip
    parser.add_argument("--hidden", type=int, default=20, metavar="M", help="hidden units (20)")
    parser.add_argument("--method", default="auto", help="how to fit (auto)")
    parser.add_argument("--drop", nargs="+", default=[], metavar="COL", help="columns to leave out")
    parser.add_argument(
        "--classes", action="store_true", help="take the numbers of the target as labels"
    )
    parser.add_argument(
        "--test-share", type=float, default=0.2, metavar="P",
        help="share of the rows that are held out to score on (0.2)",
    )  # fmt: skip
    parser.add_argument(
        "--image-shape", type=int, nargs="+", default=[], metavar="N",
        help="height, width and perhaps channels, where the columns are the pixels of an image: "
        "'sparsefit report' then draws weights as pictures (default: that of an NPZ array)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument(
        "--out", type=Path, metavar="MODEL",
        help="what to write (default: the name of DATA with the suffix .safetensors)",
    )  # fmt: skip
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.set_defaults(handler=fit)


def _add_predict(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "predict",
        help="predict the rows of a table",
        description="Print, as CSV, what a model of 'sparsefit fit' predicts for each row.",
        epilog="Example: sparsefit predict houses.safetensors new.csv --out prices.csv",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="a file of 'sparsefit fit'")
    parser.add_argument(
        "data", type=Path, metavar="DATA", help=f"a table with the columns of the model: {_FORMATS}"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="a CSV file (default: stdout)")
    parser.add_argument(
        "--probabilities", action="store_true", help="print the probability of each class, too"
    )
    parser.set_defaults(handler=predict)


def _nnz(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdigit() or int(text) < 1:
        raise OptionError("nnz", text, "an integer >= 1 or 'auto'")
    return int(text)


def fit(arguments: argparse.Namespace) -> int:
    """Fit, write the model and what a report shows beside it, and print the scores."""
    from sparsefit.core.files import writing
    from sparsefit.tabular import fit_table
    from sparsefit.tabular.table import open_table

    if arguments.hidden < 1:
        raise OptionError("hidden", arguments.hidden, "an integer >= 1")
    out = arguments.out or arguments.data.with_suffix(".safetensors")
    _check_out(out, arguments.data)
    with _progress() as progress:
        table = open_table(arguments.data, arguments.drop)
        fitted = fit_table(
            table, arguments.target, drop=tuple(arguments.drop), as_classes=arguments.classes,
            test_share=arguments.test_share, image_shape=arguments.image_shape,
            seed=arguments.seed, progress=progress, hidden_layer_sizes=(arguments.hidden,),
            nnz=arguments.nnz, method=arguments.method,
        )  # fmt: skip
    with writing(out) as temporary:
        fitted.model.save(temporary)
    command = shlex.join(["sparsefit", *sys.argv[1:]])
    with writing(out.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({**fitted.facts, "command": command}))
    if arguments.format == "json":
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
    from sparsefit.core.files import writing
    from sparsefit.predictor import Predictor
    from sparsefit.tabular import predict_table

    model = Predictor.load(arguments.model)
    if arguments.probabilities and not model.classes:
        raise OptionError("probabilities", True, "left out for a model of numbers")
    answers = predict_table(model, arguments.data)
    names = [*model.targets]
    if arguments.probabilities:
        names += [f"p({label})" for label in model.classes]
    if arguments.out is None:
        _write(sys.stdout, names, answers, model.classes)
        return 0
    _check_out(arguments.out, arguments.data)
    with (
        writing(arguments.out) as temporary,
        temporary.open("w", newline="") as file,
        _progress() as progress,
    ):
        count = _write(file, names, _counted(answers, progress), model.classes)
    print(f"{count} rows in {arguments.out}", file=sys.stderr)
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


def _counted(
    answers: Iterator[Prediction], progress: Callable[[float | None, str], None]
) -> Iterator[Prediction]:
    """Report rows as they come; how many there will be is not known before the file has ended."""
    count = 0
    for answer in answers:
        count += len(answer.values)
        progress(None, f"{count} rows")
        yield answer


def _check_out(out: Path, data: Path) -> None:
    if out.is_dir() or not out.parent.is_dir() or out.resolve() == data.resolve():
        raise OptionError("out", str(out), "a file other than DATA in a folder that exists")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[float | None, str], None]]:
    """Show a bar on stderr if that is a terminal; one that only moves where the end is unknown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = BarColumn(), TextColumn("{task.fields[share]}"), TimeElapsedColumn()
    console, text = Console(stderr=True), TextColumn("{task.description}")
    off = not console.is_terminal
    with Progress(*columns, text, console=console, transient=True, disable=off) as progress:
        # Until a share is known the bar only moves.
        task = progress.add_task("reading", total=None, share="")

        def show(fraction: float | None, message: str) -> None:
            if fraction is None:
                progress.update(task, description=message)
            else:
                share = f"{100 * fraction:3.0f} %"
                progress.update(
                    task, total=1.0, completed=fraction, description=message, share=share
                )

        yield show
