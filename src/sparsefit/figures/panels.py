"""Rows sorted into what one figure shows: a task, and a series per method."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sparsefit.core.errors import SparsefitError
from sparsefit.experiments.metrics import METRICS, MetricInfo
from sparsefit.experiments.store import Row
from sparsefit.methods._base import METHODS
from sparsefit.tasks import Task
from sparsefit.tasks._base import TASKS

# Where cells have no mean, what a heatmap says in its place.
_DATA = "data"
NO_RUN, SKIPPED, FAILED = "no run", "skipped", "failed"


@dataclass(frozen=True)
class Series:
    """The rows of one method with one set of options.

    Attributes
    ----------
    method : str
    label : str
        The method, with those options that tell it from other series of the method.
    rows : list of dict
    uses_budget : bool
        False for reference points such as the dense network.
    """

    method: str
    label: str
    rows: list[Row]
    uses_budget: bool

    @cached_property
    def by_budget(self) -> dict[int, list[Row]]:
        """The rows of each budget, over widths and seeds."""
        found: dict[int, list[Row]] = {}
        for row in self.rows:
            if row["nnz"] is not None:
                found.setdefault(row["nnz"], []).append(row)
        return found

    @property
    def exact_places(self) -> set[tuple[int, int]]:
        """The (hidden, nnz) where every network is the true one."""
        found: dict[tuple[int, int], bool] = {}
        for row in self.rows:
            if row["nnz"] is not None:
                place = row["hidden"], row["nnz"]
                found[place] = found.get(place, True) and bool(row.get("exact"))
        return {place for place, is_exact in found.items() if is_exact}

    def cells(self, score: str) -> dict[tuple[int, int], Summary]:
        """Return a summary for every (hidden, nnz) that has rows."""
        groups: dict[tuple[int, int], list[Row]] = {}
        for row in self.rows:
            if row["nnz"] is not None:
                groups.setdefault((row["hidden"], row["nnz"]), []).append(row)
        return {place: Summary.of(rows, score) for place, rows in groups.items()}


def exact_of(rows: Iterable[Row]) -> tuple[int, int] | None:
    """Return how many of the networks of planted tasks are the true one; None if there is none."""
    known = [row["exact"] for row in rows if row.get("exact") is not None]
    return (sum(known), len(known)) if known else None


@dataclass(frozen=True)
class Summary:
    """The scores of one cell over its seeds.

    Attributes
    ----------
    values : ndarray
        Of the seeds that have one.
    lacking : str
        "" if every seed has a value; else ``skipped`` or ``failed``.
    """

    values: np.ndarray
    lacking: str

    @classmethod
    def of(cls, rows: Sequence[Row], score: str) -> Summary:
        """Summarise the rows of one cell."""
        values = [row[score] for row in rows if row.get(score) is not None]
        others = [row for row in rows if row.get(score) is None]
        failed = any(row["status"] != SKIPPED for row in others)
        return cls(np.array(values), (FAILED if failed else SKIPPED) if others else "")


@dataclass(frozen=True)
class Panel:
    """All rows on one task with one set of its options, and one architecture.

    Attributes
    ----------
    title : str
        The task, with what tells it from other panels.
    task : type of Task
    metric : MetricInfo
    series : list of Series
    """

    title: str
    task: type[Task]
    metric: MetricInfo
    series: list[Series]

    @property
    def budgeted(self) -> list[Series]:
        """Series of methods that keep a budget."""
        return [series for series in self.series if series.uses_budget]

    def values_of(self, name: str) -> list[int]:
        """Return the values of ``hidden`` or ``nnz`` that the budgeted series have, increasing."""
        rows = [row for series in self.budgeted for row in series.rows]
        return sorted({row[name] for row in rows if row[name] is not None})


def make_panels(rows: Sequence[Row], *, across: str | None = None) -> list[Panel]:
    """Sort rows into panels.

    Parameters
    ----------
    rows : sequence of dict
    across : str, optional
        An option of tasks in which the rows of one panel may differ.

    Raises
    ------
    SparsefitError
        If none has a result.
    """
    groups = _group(rows, lambda row: _panel_key(row, across))
    panels = []
    for key, title in zip(groups, _labels(groups, "task"), strict=True):
        own = groups[key]
        # What another version measured is not known here.
        metrics = {row["metric"] for row in own} & METRICS.keys()
        if metrics:
            task = TASKS.find_stored(own[0]["task"])
            metric = METRICS[min(metrics)]
            panels.append(Panel(title, task, metric, _make_series(own)))
    if not panels:
        raise SparsefitError(f"none of the {len(rows)} cells has a result to draw")
    return panels


def _make_series(rows: Sequence[Row]) -> list[Series]:
    groups = _group(rows, _series_key)
    labels = _labels(groups, "method")
    return [
        Series(cls.name, label, own, cls.uses_budget)
        for label, own in zip(labels, groups.values(), strict=True)
        for cls in [METHODS.find_stored(own[0]["method"])]
    ]


def _panel_key(row: Row, across: str | None) -> dict[str, Any]:
    options = dict(row.get("task_options") or {})
    options.pop(across, None)
    architecture = {name: row.get(name) for name in ("layers", "bias")}
    # Rows of older versions do not say.
    architecture["skip"] = bool(row.get("skip"))
    architecture["activation"] = row.get("activation", "relu")
    file = {"file of the task": row["task_file"]} if row.get("task_file") else {}
    return {"task": row["task"]} | architecture | file | options | {_DATA: row.get(_DATA)}


def _series_key(row: Row) -> dict[str, Any]:
    options = row.get("method_options") or {}
    file = {"file": row["method_file"]} if row.get("method_file") else {}
    return {"method": row["method"], "dtype": row.get("dtype")} | file | options


def _group(rows: Iterable[Row], key: Any) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    texts: dict[str, str] = {}
    known: dict[str, list[Row]] = {}
    for row in rows:
        found = key(row)
        written = repr(found)  # many times as fast as JSON
        if written not in known:
            # Another version may have had the same options in another order.
            text = texts.setdefault(json.dumps(found, sort_keys=True), json.dumps(found))
            known[written] = groups.setdefault(text, [])
        known[written].append(row)
    return groups


def _labels(keys: Iterable[str], first: str) -> list[str]:
    """Return a label per key: its name, and the options in which it differs from its namesakes.

    Examples
    --------
    >>> keys = [{"method": "a", "lr": 1}, {"method": "a", "lr": 2}, {"method": "b", "k": 1}]
    >>> _labels(map(json.dumps, keys), "method")
    ['a (lr 1)', 'a (lr 2)', 'b']
    >>> keys = [{"task": "a", "file": f, "data": d} for f, d in (("x", 1), ("y", 2), ("y", 3))]
    >>> _labels(map(json.dumps, keys), "task")
    ['a (file x)', 'a (file y, data 2)', 'a (file y, data 3)']
    """
    options: list[Mapping[str, Any]] = [json.loads(key) for key in keys]
    labels = []
    for own in options:
        namesakes = [other for other in options if other[first] == own[first]]
        different = [
            f"{name.replace('_', ' ')} {'default' if value is None else value}"
            for name, value in own.items()
            if any(other.get(name) != value for other in namesakes if _counts(name, own, other))
        ]
        labels.append(own[first] + (f" ({', '.join(different)})" if different else ""))
    return labels


def _counts(name: str, own: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether to compare by this option: by the digest of the data only if all others agree."""
    return name != _DATA or all(other.get(key) == own[key] for key in own if key != _DATA)


def slug(text: str) -> str:
    """Return `text` as part of a file name.

    Examples
    --------
    >>> slug("imp (score pruned, epochs 15)")
    'imp-score-pruned-epochs-15'
    >>> slug("inr-image (file pictures/me.png, sigma 0.5)")
    'inr-image-file-pictures-me-png-sigma-0.5'
    """
    # A point stays in numbers, where it tells 0.5 from 5.
    return re.sub(r"[^A-Za-z0-9.]+|(?<!\d)\.|\.(?!\d)", "-", text).strip("-").lower()
