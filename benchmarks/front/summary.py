"""Ranks, wins and losses, and times, from what was measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

# Those that the others are compared with.
OURS = ("sparsefit 50", "sparsefit auto")
SLOW = ("EBM", "LassoNetCV")
# Share of the cells of the most measured model that a model needs to be ranked.
COVERED = 0.8
OUT_OF_TIME = r"out of time \((\d+) s\)"


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """Return scores by table and fold, a column for each model; NaN where there is none."""
    return rows.pivot_table(index=["table", "fold"], columns="model", values="score")


def ranks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each model's mean rank over tables, 95 % interval, numbers, seconds, and failures.

    Models that were tried on few of the cells have no rank: `duels` compares them. On a table
    models are ranked by their mean score on the folds that all of them have there; one that failed
    on all has the last rank.
    """
    tried = rows.groupby("model").size()
    ranked = tried.index[tried >= COVERED * tried.max()]
    places = {}
    for name, part in scores(rows).reindex(columns=ranked).groupby(level="table"):
        shared = part.dropna(axis=1, how="all").dropna()
        if len(shared):
            places[name] = shared.mean().rank(ascending=False).reindex(ranked)
    place = pd.DataFrame(places).T.fillna(len(ranked))
    by_model = rows.groupby("model")
    counted = by_model["score"].count()
    return pd.DataFrame({
        "rank": place.mean(),
        "+-": 1.96 * place.std(ddof=1) / np.sqrt(len(place)),
        "numbers (median)": by_model["numbers"].median(),
        "seconds (median)": by_model["seconds"].median(),
        "cells": counted.astype(str),
        "failed": (by_model.size() - counted).astype(str),
    }).sort_values("rank")  # fmt: skip


def duels(rows: pd.DataFrame, ours: str) -> pd.DataFrame:
    """Return on how many tables `ours` wins, ties and loses against each other model.

    A tie is a mean difference, over the folds that both have, below its standard error; with one
    fold there is none, and the tables on which `ours` is higher and lower are all there is.
    """
    wide = scores(rows)
    found = {}
    for other in wide.columns.drop(ours):
        above = (wide[ours] - wide[other]).dropna().groupby(level="table")
        mean, error = above.mean(), above.std(ddof=1) / np.sqrt(above.size())
        lost = mean[mean < -error]
        found[other] = {
            "win": int((mean > error).sum()),
            "tie": int((mean.abs() <= error).sum()),
            "loss": len(lost),
            "higher": int((mean > 0).sum()),
            "lower": int((mean < 0).sum()),
            "lost most": ", ".join(f"{name} {gap:+.3f}" for name, gap in lost.nsmallest(4).items()),
        }
    return pd.DataFrame(found).T


def time_ratios(rows: pd.DataFrame) -> Iterator[str]:
    """Yield by how much `OURS` take less time than slow peers: medians over tables.

    A peer that ran out of time has taken at least the limit.
    """
    least = rows["failure"].str.extract(OUT_OF_TIME)[0].astype(float)
    timed = rows.assign(seconds=rows["seconds"].fillna(least), is_least=least.notna())
    wide = timed.pivot_table(index=["table", "fold"], columns="model", values="seconds")
    for other, ours in itertools.product(SLOW, OURS):
        if {other, ours} <= set(wide.columns):
            pair = wide[[ours, other]].dropna().groupby(level="table").sum()
            least_only = timed.loc[timed["model"] == other, "is_least"].sum()
            yield (
                f"{other} takes {(pair[other] / pair[ours]).median():.0f} times as long as {ours}: "
                f"median of {len(pair)} tables, where {least_only} fits ran out of time, at least."
            )


def markdown(frame: pd.DataFrame, digits: int = 2) -> str:
    """Return a frame as a table in Markdown."""
    head = ["model", *map(str, frame.columns)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, row in frame.iterrows():
        texts = (f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row)
        cells = ["" if text == "nan" else text for text in texts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(rows: pd.DataFrame) -> str:
    """Return all of it."""
    there = [ours for ours in OURS if ours in set(rows["model"])]
    against = [f"{ours} against:\n\n{markdown(duels(rows, ours))}" for ours in there]
    return "\n\n".join([markdown(ranks(rows)), *against, *time_ratios(rows)])
