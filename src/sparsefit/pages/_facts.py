"""What a page of a model may show beside the model: scores, a path, predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsefit.core.errors import DataError
from sparsefit.core.files import parse_json
from sparsefit.pages._page import short
from sparsefit.predictor.predictor import Predictor

_MOST_POINTS = 1500


def read_facts(path: Path) -> dict[str, Any]:
    """Read facts from a JSON file; none if there is no such file.

    Raises
    ------
    DataError
        If the file cannot be read or is not a JSON object.

    Examples
    --------
    >>> read_facts(Path("nowhere.json"))
    {}
    """
    try:
        facts = parse_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:
        raise DataError(f"{path} is not JSON") from None
    if not isinstance(facts, dict):
        raise DataError(f"{path} must hold a JSON object, got {type(facts).__name__}")
    return facts


def checked_facts(facts: Mapping[str, Any], model: Predictor) -> dict[str, Any]:
    """Return what the page shows of the facts; keys that it does not know are left out.

    Parameters
    ----------
    facts : mapping
        ``image_shape``, [height, width] or [height, width, channels] of the inputs; ``measures``,
        names of what scores have, by key; ``scores``, a list of {name, numbers} and these, or else
        of {name, score}; ``path``, of {nnz, score, se}, and ``path_measure``, what its score is;
        ``importances``, of {name, loss}; ``truth`` and ``prediction``, the
        same number of values each; ``confusion``, counts by true and by predicted class;
        ``command``, a text; ``title``, a text.
    model : Predictor

    Raises
    ------
    DataError
        If a fact is not of this form.
    """
    known: dict[str, Any] = {
        key: _text(facts, key)
        for key in ("title", "command", "path_measure")
        if facts.get(key) is not None
    }
    if facts.get("scores") is not None:
        measures = _measures(facts)
        wanted = dict.fromkeys(measures, False) | {"numbers": False}
        if "score" in measures:
            wanted["score"] = True
        known["scores"] = _table(facts, "scores", {"name": str}, wanted)
        known["measures"] = [list(item) for item in measures.items()]
    if facts.get("path") is not None:
        known["path"] = _table(facts, "path", {}, {"nnz": True, "score": True, "se": False})
        known["path"].sort(key=lambda point: point["nnz"])
        known["path_measure"] = facts.get("path_measure") or "score"
    if facts.get("importances") is not None:
        known["importances"] = _table(facts, "importances", {"name": str}, {"loss": True})
    if facts.get("image_shape") is not None:
        known["image_shape"] = _image_shape(facts["image_shape"], model)
    if facts.get("confusion") is not None:
        known["confusion"] = _confusion(facts["confusion"], model)
    elif facts.get("truth") is not None and facts.get("prediction") is not None:
        known |= _compared(facts["truth"], facts["prediction"], model)
    return known


def _text(facts: Mapping[str, Any], key: str) -> str:
    if not isinstance(facts[key], str):
        raise DataError(f"fact {key!r} must be a text, got {facts[key]!r}")
    return str(facts[key])


def _measures(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return what the scores have, each with its name."""
    found = facts.get("measures") or {"score": "score"}
    if not isinstance(found, Mapping) or not all(
        isinstance(text, str) for item in found.items() for text in item
    ):
        raise DataError(f"fact 'measures' must be an object of texts, got {found!r}")
    return dict(found)


def _is_number(value: Any) -> bool:
    good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return good and math.isfinite(value)


def _table(
    facts: Mapping[str, Any], key: str, texts: Mapping[str, type], numbers: Mapping[str, bool]
) -> list[dict[str, Any]]:
    """Return a list of entries with texts and numbers; the numbers may say that they may lack."""
    entries = facts[key]
    allowed = ", ".join([*texts, *numbers])
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise DataError(f"fact {key!r} must be a list of objects with {allowed}, got {entries!r}")
    for entry in entries:
        good = isinstance(entry, Mapping) and all(
            isinstance(entry.get(name), kind) for name, kind in texts.items()
        )
        if not good or not all(
            _is_number(entry.get(name)) or (not needed and entry.get(name) is None)
            for name, needed in numbers.items()
        ):
            raise DataError(f"fact {key!r} must be a list of objects with {allowed}, got {entry!r}")
    return [{name: short(entry.get(name)) for name in (*texts, *numbers)} for entry in entries]


def _image_shape(shape: Any, model: Predictor) -> list[int]:
    n = model.network.n_inputs
    if (
        not isinstance(shape, Sequence) or len(shape) not in (2, 3)
        or not all(isinstance(side, int) and side >= 1 for side in shape) or math.prod(shape) != n
    ):  # fmt: skip
        raise DataError(
            f"fact 'image_shape' must be [height, width] or [height, width, channels] of {n} "
            f"inputs in all, got {shape!r}"
        )
    return list(shape)


def _confusion(counts: Any, model: Predictor) -> dict[str, Any]:
    k = len(model.classes)
    try:
        array = np.asarray(counts, dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        array = np.zeros(0, dtype=np.int64)
    if k == 0 or array.shape != (k, k) or (array < 0).any():
        raise DataError(f"fact 'confusion' must be {k} lists of {k} counts, got {counts!r}")
    return {"labels": list(model.classes), "counts": array.tolist()}


def _compared(truth: Any, prediction: Any, model: Predictor) -> dict[str, Any]:
    """Return confusions of classes, or pairs of values of the first output."""
    try:
        pair = [np.asarray(values) for values in (truth, prediction)]
    except ValueError:
        raise DataError("facts 'truth' and 'prediction' must be lists of equal shape") from None
    if pair[0].shape != pair[1].shape or pair[0].ndim not in (1, 2):
        raise DataError(
            "facts 'truth' and 'prediction' must be lists of equal shape, got "
            f"{pair[0].shape} and {pair[1].shape}"
        )
    if model.classes:
        truth, prediction = (values.ravel().tolist() for values in pair)
        return {"confusion": _counted(truth, prediction, model)}
    try:
        values = np.stack([array.astype(np.float64) for array in pair], axis=-1)
    except (TypeError, ValueError):
        raise DataError("facts 'truth' and 'prediction' must be numbers") from None
    if not np.isfinite(values).all():
        raise DataError("facts 'truth' and 'prediction' must be finite numbers")
    pairs = values.reshape(len(values), -1, 2)[:, 0] if len(values) else values.reshape(0, 2)
    step = max(1, math.ceil(len(pairs) / _MOST_POINTS))
    points = [[short(x), short(y)] for x, y in pairs[::step].tolist()]
    return {"pairs": {"points": points, "of": len(pairs), "name": model.targets[0]}}


def _counted(truth: list[Any], prediction: list[Any], model: Predictor) -> dict[str, Any]:
    places = {label: place for place, label in enumerate(model.classes)}
    counts = np.zeros((len(places), len(places)), dtype=np.int64)
    for values in zip(truth, prediction, strict=True):
        for value in values:
            if str(value) not in places:
                raise DataError(
                    f"facts 'truth' and 'prediction' must be of {', '.join(places)}, got {value!r}"
                )
        counts[places[str(values[0])], places[str(values[1])]] += 1
    return {"labels": list(model.classes), "counts": counts.tolist()}
