"""How Sphinx builds the documentation: ``make docs``."""

from __future__ import annotations

import os
from pathlib import Path

import sparsefit

# Examples of the gallery draw, and open no window.
os.environ.setdefault("MPLBACKEND", "Agg")

project = "sparsefit"
author = "the authors of sparsefit"
release = version = sparsefit.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["images/*"]
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
# Links to files of the repository that are no pages of the documentation.
suppress_warnings = ["myst.xref_missing", "config.cache"]
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
html_theme = "pydata_sphinx_theme"
html_title = f"sparsefit {release}"
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2}
sphinx_gallery_conf = {
    "examples_dirs": str(Path(__file__).parents[1] / "examples" / "gallery"),
    "gallery_dirs": "gallery",
    "filename_pattern": "plot_",
    "min_reported_time": 1e9,
    "show_memory": False,
    "write_computation_times": False,
    "download_all_examples": False,
}
