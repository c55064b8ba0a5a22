"""The formats by name, and the way from a model to a file.

The module of a format has a ``SUFFIX``, says by ``IS_SINGLE`` whether rows are float32, and has
``build(net, name, **options) -> bytes``; its options are keywords with defaults.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

from sparsefit.core.errors import OptionError
from sparsefit.core.files import writing

if TYPE_CHECKING:
    from sparsefit.predictor import Predictor

# Each is the name of a module here.
Format = Literal["onnx", "c", "npz", "python"]
FORMATS: tuple[str, ...] = get_args(Format)


def export(model: Predictor, to: str, path: Path, **options: Any) -> None:
    """Write a model in another format; the file appears whole or not at all.

    Parameters
    ----------
    model : Predictor
    to : str
        One of `FORMATS`.
    path : Path
        What is written; C takes the names of its functions from it.
    **options
        Those of the format: of C ``number``, "float", "int16" or "int8".

    Raises
    ------
    OptionError
        If there is no such format, or it has no such option or value.
    SparsefitError
        If the format cannot hold the model, or needs a package that is not installed.

    Warns
    -----
    UserWarning
        For each column whose values lose what they differ by in the numbers of the format.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column, Predictor
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> model = Predictor(network=network, columns=(Column(name="age"),), targets=("y",))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.py"
    ...     export(model, "python", path)
    ...     names = {}
    ...     exec(path.read_text(), names)
    >>> names["predict"]({"age": 40.0})
    {'y': 80.0}
    """
    from sparsefit.predictor.lowering import imprecise_columns, lower

    module = _module(to)
    allowed = inspect.getfullargspec(module.build).kwonlyargs
    for name, value in options.items():
        if name not in allowed:
            raise OptionError(name, value, f"left out for {to}")
    lowered = lower(model)
    if module.IS_SINGLE:
        for name in imprecise_columns(lowered):
            warnings.warn(
                f"column {name!r} varies by less than the rounding of its values in float32, in "
                f"which {to} takes rows: subtract a constant from it before the fit, or export to "
                "python or npz",
                stacklevel=2,
            )
    data = module.build(lowered, path.stem, **options)
    with writing(path) as temporary:
        temporary.write_bytes(data)


def default_suffix(to: str) -> str:
    """Return the suffix of the files of a format.

    Examples
    --------
    >>> default_suffix("c")
    '.h'
    """
    return str(_module(to).SUFFIX)


def _module(to: str) -> ModuleType:
    if to not in FORMATS:
        raise OptionError("to", to, f"one of {', '.join(FORMATS)}")
    return importlib.import_module(f"sparsefit.export.{to}")
