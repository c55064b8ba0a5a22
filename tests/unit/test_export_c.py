"""Exported C compiles without a warning and answers as the model does."""

import csv
import io
import re
import shutil
import subprocess

import numpy as np
import pytest

from sparsefit.core.errors import SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.export import export
from sparsefit.predictor import Column, Predictor
from tests.exported import COLUMNS, MODELS, N_INPUTS, ROWS, answers, as_dicts, assert_close


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]


def compiled(path, *flags, compiler="gcc", standard="c99", language="c"):
    """Compile a header as it is, and return the program."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    program = path.with_suffix(".exe")
    words = [compiler, f"-std={standard}", *WARNINGS, *flags, "-x", language, path, "-o", program]
    done = subprocess.run([*words, "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def as_text(columns, rows, header=True):
    """Return the rows as the program reads them."""
    file = io.StringIO()
    writer = csv.writer(file)
    if header:
        writer.writerow([column.name for column in columns])
    for row in as_dicts(columns, rows):
        writer.writerow(["" if value is None else value for value in row.values()])
    return file.getvalue()


def run_c(program, text):
    done = subprocess.run([program], input=text.encode(), capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("header", [True, False])
def test_c(model, tmp_path, header):
    export(model, "c", tmp_path / "m.h")
    out = run_c(compiled(tmp_path / "m.h", "-DSPARSEFIT_MAIN"), as_text(COLUMNS, ROWS, header))
    expected, labels = answers(model)
    if model.classes:
        assert out == "".join(f"{label}\n" for label in labels)
    else:
        assert_close([[float(v) for v in line.split(",")] for line in out.splitlines()], expected)


MAIN = """
#include <stdio.h>
#include "m.h"
int main(void)
{
    static float row[M_COLUMNS], out[M_OUTPUTS];
    while (fread(row, sizeof row, 1, stdin) == 1) {
        m_predict(row, out);
        fwrite(out, sizeof out, 1, stdout);
    }
    fprintf(stderr, "%d %d", M_TABLE_BYTES, (int)(TABLES));
    return 0;
}
"""


def run_included(model, tmp_path, **options):
    """Return what ``m_predict`` gives, and the bytes of the tables: as said and as they are."""
    export(model, "c", tmp_path / "m.h", **options)
    tables = re.findall(
        r"^static SPARSEFIT_FLASH \w+ (m_\w+)\[\]", (tmp_path / "m.h").read_text(), re.M
    )
    sizes = " + ".join(f"sizeof {name}" for name in tables)
    (tmp_path / "main.c").write_text(MAIN.replace("TABLES", sizes))
    program = compiled(tmp_path / "main.c")
    done = subprocess.run(
        [program], input=ROWS.astype(np.float32).tobytes(), capture_output=True, check=True
    )
    found = np.frombuffer(done.stdout, np.float32).reshape(len(ROWS), -1)
    return found, [int(word) for word in done.stderr.split()]


ERRORS = {"float": 1e-5, "int16": 3e-4, "int8": 0.06}


@pytest.mark.parametrize("number", ERRORS)
def test_c_included_elsewhere(model, tmp_path, number):
    found, (said, taken) = run_included(model, tmp_path, number=number)
    expected, _ = answers(model)
    if number == "float":
        assert_close(found, expected)
    else:
        assert np.abs(found - expected).max() < ERRORS[number] * max(1, np.abs(expected).max())
    assert said == taken


# Those of 16 bits come from the same text as those of 8.
@pytest.mark.parametrize("number", ["float", "int8"])
@pytest.mark.parametrize("flags", [[], ["-DSPARSEFIT_MAIN"]])
def test_c_is_cpp_too_and_has_no_warnings(model, tmp_path, number, flags):
    export(model, "c", tmp_path / "m.h", number=number)
    compiled(tmp_path / "m.h", "-O2", "-c", *flags)
    if flags:
        compiled(tmp_path / "m.h", "-c", *flags, compiler="g++", standard="c++11", language="c++")


@pytest.mark.parametrize("number", ERRORS)
def test_clang_has_no_warnings_either(number, tmp_path):
    for at, kind in enumerate(("a value, one hidden", "two classes, two hidden")):
        path = tmp_path / f"m{at}.h"
        export(MODELS[kind], "c", path, number=number)
        compiled(path, "-O2", "-Wdouble-promotion", "-DSPARSEFIT_MAIN", compiler="clang")


TRIAL = """
#include <stdio.h>
#include "m.h"
int main(void)
{
    const float row[M_COLUMNS] = M_TEST_ROW, expected[M_OUTPUTS] = M_TEST_OUT;
    float out[M_OUTPUTS];
    int i;
    FUNCTION(row, out);
    for (i = 0; i < M_OUTPUTS; i++)
        printf("%.9g %.9g\\n", (double)out[i], (double)expected[i]);
    return 0;
}
"""


@pytest.mark.parametrize("number", ERRORS)
def test_the_file_has_a_row_to_try_and_what_comes_out(model, number, tmp_path):
    export(model, "c", tmp_path / "m.h", number=number)
    function = "m_scores" if model.classes else "m_predict"
    (tmp_path / "main.c").write_text(TRIAL.replace("FUNCTION", function))
    out = run_c(compiled(tmp_path / "main.c"), "")
    found, expected = np.array([line.split() for line in out.splitlines()], dtype=float).T
    assert np.abs(found - expected).max() < ERRORS[number] * max(1, np.abs(expected).max())


def test_columns_levels_and_classes_are_constants(tmp_path):
    columns = (Column(name="house size"), Column(name="pet", levels=("cat", "a-dog", "a dog")))
    network = Network((Layer(np.ones((4, 1))),))
    model = Predictor(network=network, columns=columns, targets=("y",), classes=("no", "yes"))
    export(model, "c", tmp_path / "m.h")
    text = (tmp_path / "m.h").read_text()
    for name in ("M_COL_HOUSE_SIZE", "M_COL_PET", "M_PET_CAT", "M_PET_A_DOG", "M_PET_A_DOG_",
                 "M_CLASS_YES"):  # fmt: skip
        assert re.search(rf"\b{name}\b", text)
    assert " *     row[0]  house size: a number, 0 on average" in text
    assert " *     row[1]  pet: 0 to 2: cat, a-dog, a dog" in text


def test_sums_have_32_bits_where_no_row_can_make_them_larger(tmp_path):
    rng = np.random.default_rng(0)
    for n, kind in ((20, "int32_t"), (2000, "int64_t")):
        columns = tuple(Column(name=f"x{at}") for at in range(n))
        network = Network((Layer(1 + rng.random((n, 1))),))
        model = Predictor(network=network, columns=columns, targets=("y",))
        export(model, "c", tmp_path / "m.h", number="int8")
        text = (tmp_path / "m.h").read_text()
        assert f"static inline {kind} m_sum(const int16_t *v" in text
        assert ("int64_t" in text) == (kind == "int64_t")


def small():
    rng = np.random.default_rng(5)
    weight = rng.normal(size=(2, 1))
    columns = (Column(name="age"), Column(name="pet", levels=("cat",)))
    return Predictor(network=Network((Layer(weight),)), columns=columns, targets=("y",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age,pet\n1,cat\nold,cat\n", "line 3: not a number: old"),
        ("old,cat\n", "line 1: not a number: old"),
        ("1\n", "line 1: not 2 fields"),
        ("1,cat,2\n", "line 1: not 2 fields"),
    ],
)
def test_the_program_in_c_names_the_line_that_it_cannot_read(text, message, tmp_path):
    export(small(), "c", tmp_path / "m.h")
    program = compiled(tmp_path / "m.h", "-DSPARSEFIT_MAIN")
    done = subprocess.run([program], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, message + "\n")


def test_the_program_in_c_takes_what_spreadsheets_write(tmp_path):
    export(small(), "c", tmp_path / "m.h")
    text = '"age",pet\r\n"1.5","cat"\r\n 2 ,dog\r\nNaN,\r\n,"ca""t"'
    out = run_c(compiled(tmp_path / "m.h", "-DSPARSEFIT_MAIN"), text)
    expected = small().outputs(np.array([[1.5, 0], [2, -1], [np.nan, -1], [np.nan, -1]]))
    assert_close([float(line) for line in out.splitlines()], expected[:, 0])


@pytest.mark.parametrize(
    ("stem", "start"),
    [("my-model 2", "my_model_2"), ("2", "model_2"), ("größe", "gr_e"), ("é", "model")],
)
def test_names_in_c_come_from_the_file(stem, start, tmp_path):
    export(small(), "c", tmp_path / f"{stem}.h")
    assert f"void {start}_predict(" in (tmp_path / f"{stem}.h").read_text()


def test_a_name_that_c_need_not_take_is_refused(tmp_path):
    columns = (Column(name="x" * 1001), Column(name="pet", levels=("cat",)))
    model = Predictor(network=small().network, columns=columns, targets=("y",))
    with pytest.raises(SparsefitError, match="at most 1000 bytes, got 1001"):
        export(model, "c", tmp_path / "m.h")


@pytest.mark.parametrize(("number", "most"), [("float", 3700), ("int16", 2700)])
def test_tables_in_c_are_little_more_than_the_weights(number, most, tmp_path):
    """500 weights of a network for digits are 2500 or 1500 bytes, with a place each."""
    rng = np.random.default_rng(0)
    weights = [np.zeros(64 * 32), np.zeros(32 * 10)]
    for weight, nnz in zip(weights, (380, 120), strict=True):
        weight[rng.choice(len(weight), nnz, replace=False)] = rng.normal(size=nnz)
    layers = (Layer(weights[0].reshape(64, 32), np.ones(32)), Layer(weights[1].reshape(32, 10)))
    model = Predictor(
        network=Network(layers), columns=tuple(Column(name=f"p{at}") for at in range(64)),
        targets=("digit",), classes=tuple("0123456789"),
    )  # fmt: skip
    export(model, "c", tmp_path / "m.h", number=number)
    [size] = re.findall(r"#define M_TABLE_BYTES (\d+)", (tmp_path / "m.h").read_text())
    assert int(size) < most


def test_integers_in_c_hold_badly_scaled_layers(tmp_path):
    """Units of very different sizes, an offset, and inputs far out of what is typical."""
    rng = np.random.default_rng(3)
    scales = 10.0 ** rng.integers(-6, 7, 8)
    first, second = rng.normal(size=(N_INPUTS, 8)), rng.normal(size=(8, 2))
    network = Network((Layer(first * scales), Layer(second / scales[:, None])))
    model = Predictor(
        network=network, columns=COLUMNS, targets=("y", "z"), intercepts=(1000.0, 0.0)
    )
    found, _ = run_included(model, tmp_path, number="int16")
    assert np.abs(found - model.outputs(ROWS)).max() < 5e-3
    huge = ROWS.copy()
    huge[:, 0] = 1e30
    assert np.isfinite(run_checked(model, huge, tmp_path)).all()


def test_integers_in_c_hold_weights_that_are_nothing_beside_a_bias(tmp_path):
    hidden = Layer(np.array([[1e-30, 1e-30]]), np.array([1.0, -1.0]))
    network = Network((hidden, Layer(np.array([[1.0], [3.0]]), np.array([0.5]))))
    model = Predictor(network=network, columns=(Column(name="a"),), targets=("y",))
    assert_close(run_checked(model, np.array([[1.0], [-1e30]]), tmp_path), [[1.5], [1.5]], 1e-4)


def run_checked(model, rows, tmp_path):
    """Return what integers give, where undefined behaviour would be an error."""
    export(model, "c", tmp_path / "m.h", number="int16")
    flags = ["-fsanitize=undefined", "-fno-sanitize-recover"]
    program = compiled(tmp_path / "m.h", "-DSPARSEFIT_MAIN", *flags)
    out = run_c(program, as_text(model.columns, rows))
    return [[float(word) for word in line.split(",")] for line in out.splitlines()]
