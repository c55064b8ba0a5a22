"""A room imports only from the rooms to its left, and scanning imports nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sparsefit

ROOT = Path(sparsefit.__file__).parent
ORDER = [
    {"core"}, {"predictor"}, {"export"}, {"models"}, {"solvers"}, {"gauss_newton"},
    {"stacked"}, {"nn"}, {"compression"}, {"torch_export"}, {"dense"}, {"methods"},
    {"reading"}, {"estimators"}, {"data"}, {"tabular"}, {"tasks"},
    {"study"}, {"experiments"}, {"figures"}, {"pages"}, {"demo"}, {"cli"},
]  # fmt: skip
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
FILES = [path for room in RANK for path in sorted((ROOT / room).rglob("*.py*"))]
FILES = [path for path in FILES if path.suffix in {".py", ".pyi"}]


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "sparsefit" and len(parts) > 1 and parts[1] in RANK:
                yield parts[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path):
    own = RANK[path.relative_to(ROOT).parts[0]]
    wrong = {room for room in imported_rooms(path) if RANK[room] > own}
    assert not wrong


def test_listing_methods_and_tasks_imports_nothing_heavy():
    code = (
        "import sys; from sparsefit.methods import list_methods; "
        "from sparsefit.tasks import list_tasks; list_methods(); list_tasks(); "
        "print([m for m in ('torch', 'sklearn', 'matplotlib', 'pandas') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
