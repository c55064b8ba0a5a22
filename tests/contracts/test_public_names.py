"""What is public is listed, found by completion and type checkers, and never changes unasked."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sparsefit

# A name that goes from here breaks somebody's code: see docs/public_interface.md first.
PUBLIC = {
    "Column", "DataError", "Fit", "Layer", "Method", "Network", "OptionError", "ParameterError",
    "Predictor", "Problem", "Pruner", "Setting", "SparseMLPClassifier", "SparseMLPRegressor",
    "SparsefitError", "Status", "TableEncoder", "Task", "compress", "export", "export_torch",
    "finalize", "find_method", "find_task", "list_methods", "list_tasks", "load_rows", "nn",
    "prune", "report", "sparsify", "summary",
}  # fmt: skip


def test_the_public_names_are_these_and_each_of_them_is_there():
    assert set(dir(sparsefit)) == PUBLIC
    assert set(sparsefit.__all__) == PUBLIC | {"__version__"}
    for name in PUBLIC:
        assert getattr(sparsefit, name) is not None


REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "index.rst").read_text().split()
PACKAGES = (sparsefit, sparsefit.nn, sparsefit.export)


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in PACKAGES for name in dir(package)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_public_name_has_a_page_and_an_example(package, name):
    value = getattr(package, name)
    if inspect.ismodule(value):
        return
    assert name in REFERENCE
    if inspect.isclass(value) or inspect.isfunction(value):
        assert ">>>" in (inspect.getdoc(value) or "")


@pytest.mark.parametrize(
    ("package", "name", "nearest"),
    [
        (sparsefit, "SparseMLPRegresor", "SparseMLPRegressor"),
        (sparsefit, "find_methods", "find_method"),
        (sparsefit.nn, "HardTopk", "HardTopK"),
    ],
)
def test_a_misspelt_name_gets_a_near_match(package, name, nearest):
    with pytest.raises(AttributeError, match=f"no '{name}' .did you mean '{nearest}'"):
        getattr(package, name)
    with pytest.raises(AttributeError, match=r"has no 'zzz'$"):
        package.zzz  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, sparsefit; dir(sparsefit); sparsefit.Setting, sparsefit.SparsefitError; "
        "print([m for m in ('torch', 'numpy', 'scipy', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
