"""From a torch model to a file."""

from __future__ import annotations

import importlib
from pathlib import Path

from torch import Tensor, nn

from sparsefit.core.errors import OptionError
from sparsefit.core.files import writing
from sparsefit.torch_export.steps import steps_of

# Modules here by the suffix of their files.
FORMATS = {".onnx": "onnx", ".h": "c"}


def export_torch(model: nn.Module, example: Tensor, path: str | Path) -> None:
    """Write a torch model whose layers follow one another as ONNX or as one C99 header.

    Linear layers, convolutions, batch norms, ReLU and leaky ReLU, pooling and flattening are known.
    Masks are made permanent, batch norms are folded into layers, what is dead is removed, and
    layers are stored by their nonzeros where that is shorter. The file appears whole or not at all.

    Parameters
    ----------
    model : Module
        Stays as it is.
    example : Tensor, shape (rows, ...)
        Inputs, of which only the shape matters; the exported model takes any number of rows (ONNX),
        or one row as consecutive floats (C).
    path : str or Path
        Ends in ``.onnx`` or ``.h``; the functions in C have the name of the file before them.

    Raises
    ------
    OptionError
        If `path` has another suffix, or `example` is no tensor.
    SparsefitError
        If a layer has no export; the sentence names it.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> from sparsefit.nn import prune
    >>> model = prune(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2)), sparsity=0.9)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "gesture.h"
    ...     export_torch(model, torch.zeros(1, 64), path)
    ...     print([line for line in path.read_text().splitlines() if "TPUTS " in line][1:])
    ['#define GESTURE_OUTPUTS 2']
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise OptionError("path", str(path), f"a file that ends in one of {', '.join(FORMATS)}")
    if not isinstance(example, Tensor) or example.ndim < 2 or not len(example):
        kind = f"shape {list(example.shape)}" if isinstance(example, Tensor) else type(example)
        raise OptionError("example", kind, "a tensor of rows that the model takes")
    module = importlib.import_module(f"sparsefit.torch_export.{FORMATS[path.suffix]}")
    data = module.build(steps_of(model, example), path.stem)
    with writing(path) as temporary:
        temporary.write_bytes(data)
