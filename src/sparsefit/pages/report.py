"""One function from whatever there is to its page."""

from __future__ import annotations

import html
import tempfile
from pathlib import Path
from typing import Any

from sparsefit.core.errors import OptionError
from sparsefit.pages.model import write_model_report
from sparsefit.pages.sweep import write_sweep_report
from sparsefit.predictor import Predictor

_HEIGHT = 720


class Page:
    """A page that was written; a notebook shows it.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        """Return where it is."""
        return f"Page({str(self.path)!r})"

    def __fspath__(self) -> str:
        """Return where it is."""
        return str(self.path)

    def _repr_html_(self) -> str:
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        style = f"width: 100%; height: {_HEIGHT}px; border: 0"
        return f'<iframe title="sparsefit report" style="{style}" srcdoc="{page}"></iframe>'


def report(source: Any, out: str | Path | None = None) -> Page:
    """Write the HTML page of a model or of a results folder, which needs no network.

    Parameters
    ----------
    source : estimator, Predictor, str or Path
        A fitted estimator, a model, the file of one, or a results folder.
    out : str or Path, optional
        The file. Default: beside what it is of, or a temporary one for what is in memory.

    Returns
    -------
    Page
        Its ``path``; in a notebook it is shown.

    Raises
    ------
    OptionError
        If `source` is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit import SparseMLPRegressor
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> page = report(SparseMLPRegressor((2,), nnz=2, random_state=0).fit(X, X[:, 0]))
    >>> page.path.name
    'report.html'
    """
    model = getattr(source, "predictor_", source)
    if isinstance(model, Predictor):
        where = Path(out) if out else Path(tempfile.mkdtemp(prefix="sparsefit-")) / "report.html"
        return Page(write_model_report(model, out=where))
    if not isinstance(model, (str, Path)):
        raise OptionError("source", type(source).__name__,
                          "a fitted estimator, a model, its file or a results folder")  # fmt: skip
    path = Path(model)
    if path.is_dir():
        return Page(write_sweep_report(path, path / "report.html" if out is None else Path(out)))
    return Page(write_model_report(path, out=out))
