"""Figures of a results folder; `sparsefit.figures.draw.draw_all` draws them all."""

FORMATS = ("png", "svg", "pdf")
SCORES = ("value", "train_value")
