"""``sparsefit diagnose``: why a run came out as it did, and whether to trust its support."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import Any

from sparsefit.cli._flags import (
    Commands,
    FolderOptions,
    OptionFlags,
    PrintOptions,
    add_run,
    format_or_default,
)
from sparsefit.cli._say import ending
from sparsefit.core.options import above, at_least, like, option
from sparsefit.core.progress import show_progress
from sparsefit.figures.options import FigureOptions

# Weights of a network that the table lists, the ones found again least often first.
MOST_LINES = 30
# Exchanges that it lists, the best first.
_MOST_EXCHANGES = 10
Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DiagnoseOptions(PrintOptions, FolderOptions):
    """What ``sparsefit diagnose`` is told."""

    drift: bool = option(
        False, "fit again, and report how much the activity of units changes between iterates"
    )
    stability: int | None = option(
        None, "fit so many bootstrap resamples of the rows, and report how often each weight is "
        "found again",
        check=at_least(1),
    )  # fmt: skip
    near: float | None = option(
        None, "look for supports that differ in one weight and whose residual's sum of squares is "
        "larger by at most this share, and report which weights all of them have",
        check=above(0),
    )  # fmt: skip
    data_dir: str | None = like(
        FigureOptions, "data_dir", help="folder with the files of the task, if it was given one"
    )


_FLAGS = OptionFlags([DiagnoseOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "diagnose",
        help="look at one result closely: patterns, conditioning, best exchange, stability",
        description="Load a run, its data and its network, and measure on which rows its units "
        "are active, how far their patterns are apart, how well conditioned its support is, which "
        "assumptions of the recovery theorems hold, and which exchange of weights would help most.",
        epilog="See 'Diagnosis' in docs/maths.md.",
    )
    add_run(parser)
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=diagnose_run)


def diagnose_run(arguments: argparse.Namespace) -> int:
    """Diagnose and print."""
    from sparsefit.experiments.diagnosis import diagnose
    from sparsefit.experiments.stored import StoredRun

    options = _FLAGS.make(DiagnoseOptions, arguments)
    run = StoredRun.load(arguments.run, options.out, options.data_dir)
    resamples = options.stability or 0
    n_fits = resamples + options.drift
    with show_progress(n_fits, "fits", bar=n_fits > 0, lines=True) as report:
        found = diagnose(
            run, drift=options.drift, resamples=resamples, slack=options.near,
            progress=lambda done, message: report(done / n_fits, message),
        )  # fmt: skip
    format = format_or_default(options.format)
    if format == "json":
        print(json.dumps(found, allow_nan=False))
    else:
        _print(found)
    folder = ("--out", options.out) if str(options.out) != "runs" else ()
    ending("diagnosed; docs/maths.md says what each line means",
           ("show", run.row["run_id"][:8], *folder), format=format)  # fmt: skip
    return 0


def _print(found: Facts) -> None:
    """Print what was found as tables, and the notes below."""
    from sparsefit.cli._table import print_entries

    lines = {
        "run": " ".join(_text(found[name]) for name in ("run_id", "task", "method", "status")),
        **_patterns(found),
        **_conditioning(found),
        **_certificate(found["certificate"]),
        **_recovery(found["recovery"]),
        **_stability(found["stability"]),
        **_near(found["near"]),
    }
    print_entries([{"measured": name, "value": text} for name, text in lines.items()])
    checks = [
        {
            "assumption": check["name"],
            "value": _text(check["value"]),
            "limit": check["limit"],
            "holds": _text(check["holds"]),
        }
        for check in found["checks"] or []
    ]
    print_entries(checks)
    if checks:
        print("Of the support that was found: necessary for the theorems, not sufficient.")
    print_entries(_least_stable(found["stability"]))
    for note in found["notes"]:
        print(f"note: {note}")


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _listed(values: Facts | None) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in (values or {}).items()) or "-"


def _patterns(found: Facts) -> dict[str, str]:
    units, near, drift = found["units"], found["closest"], found["drift"]
    lines = {}
    if units:
        counts = {name.replace("_", " "): units[name] for name in ("total", "with_weights", "dead")}
        lines["units"] = f"{_listed(counts)}, on all rows {units['always_active']}"
        lines["rows on which a live unit is active"] = _listed(units["share"])
    if near:
        pair = " and ".join(map(str, near["units"]))
        lines["nearest patterns"] = f"units {pair} differ on {_text(near['share'])} of the rows"
    if drift:
        lines["gate drift"] = f"{_listed(drift['share'])} over {drift['iterates']} iterates"
    return lines


def _conditioning(found: Facts) -> dict[str, str]:
    extremes, inputs = found["spectrum"], found["inputs"]
    lines = {}
    if extremes:
        shown = {name: extremes[name] for name in ("alpha", "beta", "ratio", "columns")}
        lines["A_S^T A_S / n"] = _listed(shown)
    if inputs:
        ends = {"least": inputs["least"], "largest": inputs["largest"], "mean": inputs["mean"]}
        lines["X^T X / n"] = _listed(ends)
        lines["inputs in use"] = f"{inputs['used']}, of several units {inputs['shared']}"
    return lines


def _certificate(certificate: Facts | None) -> dict[str, str]:
    if certificate is None:
        return {}
    drop, enter, fresh = (certificate[name] for name in ("swap_drop", "swap_enter", "fresh_unit"))
    away = f"drop {_place(drop)} (value {_text(drop['value'])})"
    lines = {
        "change by a refit": _text(certificate["refit_change"]),
        "change by the best swap": _text(certificate["swap_change"]),
        "change by a fresh unit": _text(certificate["fresh_change"]),
    }
    if enter:
        lines["change by the best swap"] += f": {away}, add {_place(enter)}"
    if fresh:
        source = ("-" if fresh["sign"] < 0 else "") + _input(fresh)
        new = f"new unit of {source} in {fresh['layer']}, feeding {fresh['feeds']}"
        lines["change by a fresh unit"] += f": {away}, {new}"
    return lines


def _place(place: Facts) -> str:
    return f"{place['layer']} unit {place['unit']} {_input(place)}"


def _input(place: Facts) -> str:
    return "bias" if place["input"] is None else f"input {place['input']}"


def _recovery(recovery: Facts | None) -> dict[str, str]:
    return {} if recovery is None else {"planted support": _listed(recovery)}


def _stability(stability: Facts | None) -> dict[str, str]:
    if stability is None:
        return {}
    n_found = len(stability["weights"])
    lines = {
        "weights found again": f"{stability['always']} of {n_found} in all "
        f"{stability['resamples']} resamples; share {_listed(stability['found'])}"
    }
    for name in ("recall", "precision", "jaccard"):
        part = {key: stability[name][key] for key in ("mean", "std")}
        lines[f"support agreement, {name}"] = _listed(part)
    return lines


def _near(near: Facts | None) -> dict[str, str]:
    if near is None:
        return {}
    said = f"{near['supports']} differ in one weight; {near['always']} of {near['weights']} weights"
    lines = {f"supports within {_text(near['slack'])}": f"{said} are in all"}
    for number, one in enumerate(near["exchanges"][:_MOST_EXCHANGES], start=1):
        entered = "nothing" if one["entered"] is None else _place(one["entered"])
        dropped = f"{_place(one['dropped'])} (value {_text(one['dropped']['value'])})"
        lines[f"exchange {number}"] = f"{dropped} for {entered}: {_text(one['change'])}"
    return lines


def _least_stable(stability: Facts | None) -> list[Facts]:
    weights = sorted((stability or {}).get("weights", []), key=lambda weight: weight["found"])
    return [
        {
            "layer": weight["layer"],
            "unit": weight["unit"],
            "input": "bias" if weight["input"] is None else weight["input"],
            "found again": _text(weight["found"]),
        }
        for weight in weights[:MOST_LINES]
    ]
