"""Tables in files: what columns are, and one sentence for what cannot be read."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from sparsefit.core.errors import DataError
from sparsefit.tabular import table as table_module
from sparsefit.tabular.table import columns_of, open_table

TEXT = b"age,pet,y\r\n1,cat,2\n3,dog,4\r\n,NA,5\n4.5,cat,1e3\n"
ROWS = [[1, 0, 2], [3, 1, 4], [np.nan, np.nan, 5], [4.5, 0, 1000]]


def rows_of(table, names=None):
    return np.concatenate(list(table.blocks(names or table.names)))


@pytest.fixture(params=["csv", "semicolons", "tsv", "parquet", "npz"])
def path(request, tmp_path):
    """Return one table in every kind of file."""
    kind = request.param
    found = tmp_path / f"t.{'csv' if kind == 'semicolons' else kind}"
    frame = pd.DataFrame({
        "age": [1, 3, np.nan, 4.5], "pet": ["cat", "dog", None, "cat"], "y": [2.0, 4, 5, 1000]
    })  # fmt: skip
    if kind == "parquet":
        frame.to_parquet(found)
    elif kind == "npz":
        arrays = {name: frame[name].to_numpy() for name in ("age", "y")}
        np.savez(found, **arrays, pet=np.array(["cat", "dog", "", "cat"]))
    else:
        found.write_bytes(TEXT.replace(b",", {"semicolons": b";", "tsv": b"\t"}.get(kind, b",")))
    return found


def test_numbers_categories_and_what_is_missing(path):
    table = open_table(path)
    levels = table.levels["pet"]
    assert levels[-2:] == ("cat", "dog")
    rows = rows_of(table, ["age", "pet", "y"])
    rows[:, 1] -= len(levels) - 2
    rows[2, 1] = np.nan  # an NPZ array of texts has no missing ones, but empty ones
    np.testing.assert_array_equal(rows, ROWS)
    assert table.n_rows == 4


def test_columns_are_read_in_any_order_and_moments_do_not_depend_on_blocks(path, monkeypatch):
    table = open_table(path)
    np.testing.assert_array_equal(rows_of(table, ["y", "age"]), np.array(ROWS)[:, [2, 0]])
    monkeypatch.setattr(table_module, "_ROWS_PER_BATCH", 1)
    column, other = columns_of(table, ["age", "y"], np.array([True, True, True, False]))
    assert (column.mean, column.scale) == (pytest.approx(2), pytest.approx(1))
    assert (other.mean, other.scale) == (pytest.approx(11 / 3), pytest.approx(np.std([2, 4, 5])))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"a,b\n", "has no rows"),
        ("a.csv", b"a,a\n1,2\n", "two columns have the name 'a'"),
        ("a.csv", b"a,\n1,2\n", "column 2 has no name"),
        ("a.csv", b"a,b\n1,2\nx,3\n4,5\n", "column 'a' has the text 'x' where numbers are needed"),
        ("a.csv", b"a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("a.csv", b"\xff\xfea,b\n1,2\n", "is not a text in UTF-8"),
        ("a.txt", b"a\n1\n", "must end in one of .csv, .tsv, .parquet, .npz"),
        ("a.parquet", b"nothing", "cannot be read as Parquet"),
        ("a.npz", b"nothing", "is not an NPZ file of plain arrays"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_table(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_zip_archive_infinity_and_too_many_texts_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b", "c")
    with pytest.raises(DataError, match="is a ZIP archive, not CSV"):
        open_table(path)
    path.write_text("a\n1\ninf\n")
    with pytest.raises(DataError, match="column 'a' holds infinity"):
        rows_of(open_table(path))
    path.write_text("name,b\n" + "".join(f"x{number},1\n" for number in range(1001)))
    with pytest.raises(DataError, match="column 'name' has more than 1000 different texts"):
        open_table(path)
    assert open_table(path, ["name"]).n_rows == 1001


def test_a_text_far_down_a_column_of_numbers_is_an_error_and_not_a_category(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 1_500_000 + "oops,2\n")
    with pytest.raises(DataError, match="column 'a' has the text 'oops'"):
        open_table(path)
