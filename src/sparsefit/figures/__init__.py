"""Figures of a results folder; `sparsefit.figures.draw.draw_all` draws them all."""

from typing import Literal, get_args

Format = Literal["png", "svg", "pdf"]
FORMATS: tuple[str, ...] = get_args(Format)
