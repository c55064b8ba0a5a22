"""The files that speak of the project to other programs agree with it."""

import re
from pathlib import Path

import pytest
import yaml

from sparsefit import __version__

ROOT = Path(__file__).parents[2]
MAKERS = [".github/workflows/ci.yml", ".pre-commit-config.yaml"]


def requirements(text):
    """Return the lower or exact version of each package that is named with one."""
    return dict(re.findall(r"^ *\"?([A-Za-z][\w-]*)(?:>=|==)([\w.]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", MAKERS)
def test_make_targets_that_are_called_exist(name):
    text = (ROOT / name).read_text()
    assert yaml.safe_load(text)
    called = set(re.findall(r"(?:run|entry): make ([\w-]+)", text))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert called
    assert called <= targets


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{__version__}] - {citation['date-released']}" in changelog


def test_lowest_constraints_are_the_lower_bounds():
    project = (ROOT / "pyproject.toml").read_text().partition("[project]")[2]
    bounds = requirements(project.partition("[project.scripts]")[0])
    exact = requirements((ROOT / "constraints-lowest.txt").read_text())
    assert exact
    assert exact == bounds
