"""Tables in files: what columns are, and one sentence for what cannot be read."""

import gzip
import json
import zipfile

import duckdb
import numpy as np
import pandas as pd
import pytest

from sparsefit.core.errors import DataError
from sparsefit.predictor import MISSING, Column
from sparsefit.reading import ReadOptions, open_source, open_table, source
from sparsefit.reading.table import blocks_of, with_moments

ROWS = [[1, 0, 2], [3, 1, 4], [np.nan, np.nan, 5], [4.5, 0, 1000]]


def rows_of(table, names=None):
    return np.concatenate(list(table.blocks(table.inputs(names or table.names))))


def rows_as(path, **levels):
    """Return the rows of a file as a model of these columns takes them."""
    columns = [Column(name=name, levels=found) for name, found in levels.items()]
    return np.concatenate(list(blocks_of(open_source(path), columns)))


def levels_of(table):
    """Return the levels of each column, none of numbers."""
    return {column.name: column.levels for column in table.inputs(table.names)}


KINDS = {
    "csv": "t.csv", "semicolons": "t.csv", "bars": "t.txt", "tsv": "t.tsv", "tabs": "t.data",
    "gz": "t.csv.gz", "zst": "t.csv.zst", "utf-16": "t.csv", "parquet": "t.parquet",
    "jsonl": "t.jsonl", "npz": "t.npz",
}  # fmt: skip
SEPARATORS = {"semicolons": b";", "bars": b"|", "tsv": b"\t", "tabs": b"\t"}


def write(kind, path, frame):
    """Write a frame of numbers and texts as a file of some kind."""
    plain = frame.to_csv(index=False).encode()
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        rows = json.loads(frame.to_json(orient="records"))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "npz":
        texts = {name: frame[name].isna().any() for name in frame if frame[name].dtype == object}
        np.savez(path, **{
            name: frame[name].fillna("").to_numpy(str) if name in texts else frame[name].to_numpy()
            for name in frame
        })  # fmt: skip
    elif kind == "gz":
        path.write_bytes(gzip.compress(plain))
    elif kind == "zst":
        duckdb.from_df(frame).write_csv(str(path), compression="zstd")
    elif kind == "utf-16":
        path.write_bytes(plain.decode().encode("utf-16"))
    else:
        path.write_bytes(plain.replace(b",", SEPARATORS.get(kind, b",")))


FRAME = pd.DataFrame({
    "age": [1, 3, np.nan, 4.5], "pet": pd.Series(["cat", "dog", None, "cat"], dtype=object),
    "y": [2.0, 4, 5, 1000],
})  # fmt: skip


@pytest.fixture(params=KINDS)
def path(request, tmp_path):
    """Return one table in every kind of file."""
    found = tmp_path / KINDS[request.param]
    write(request.param, found, FRAME)
    return found


def test_numbers_categories_and_what_is_missing(path):
    table = open_table(path)
    assert levels_of(table) == {"age": (), "pet": ("cat", "dog"), "y": ()}
    np.testing.assert_array_equal(rows_of(table, ["age", "pet", "y"]), ROWS)
    assert table.n_rows == 4


def test_columns_are_read_in_any_order_and_moments_do_not_depend_on_blocks(path, monkeypatch):
    table = open_table(path)
    np.testing.assert_array_equal(rows_of(table, ["y", "age"]), np.array(ROWS)[:, [2, 0]])
    monkeypatch.setattr(source, "ROWS_PER_BLOCK", 1)
    column, other = with_moments(
        table, table.inputs(["age", "y"]), np.array([True, True, True, False])
    )
    assert (column.mean, column.scale) == (pytest.approx(2), pytest.approx(1))
    assert (other.mean, other.scale) == (pytest.approx(11 / 3), pytest.approx(np.std([2, 4, 5])))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"a,b\n", "has no rows"),
        ("a.csv", b"\n \n\n", "is empty"),
        ("a.csv", b"My table\n\na,b\n1,2\n", "line 1, 'My table', has the name of 1 column"),
        ("a.csv", b"a,b\n1,2\nx,3\n4,5\n", "column 'a' has the text 'x' where numbers are needed"),
        ("a.csv", b"a,b\n1,2\n3\n", "Line: 3, .*Expected Number of Columns: 2 Found: 1"),
        ("a.csv", b"a,b\n1,2,3\n", "Line: 2, .*Expected Number of Columns: 2 Found: 3"),
        ("a.csv", b'a,b\n"1,2\n3,4\n', "unterminated quote"),
        ("a.csv", b"a,b\ncaf\xe9,2\n", "is not a text in UTF-8"),
        ("a.bin", b"a\0b\n1\n", "is not a text in UTF-8"),
        ("a.csv.gz", b"nothing", "cannot be read"),
        ("a.parquet", b"nothing", "cannot be read: .*Parquet"),
        ("a.jsonl", b"nothing", "cannot be read: .*JSON"),
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
    path.write_text("name,b\n" + "".join(f"x{number},1\n" * 3 for number in range(1001)))
    with pytest.raises(DataError, match="column 'name' has more than 1000 different texts"):
        open_table(path)
    assert open_table(path, ReadOptions(drop=("name",))).n_rows == 3003


def test_a_text_far_down_a_column_of_numbers_is_an_error_and_not_a_category(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 1_500_000 + "oops,2\n")
    with pytest.raises(DataError, match="column 'a' has the text 'oops'"):
        open_table(path)


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("\n\na,b\n1,2\n", ["a", "b"], [[1, 2]]),
        (",x,y\n5,1,2\n5,3,4\n", ["column1", "x", "y"], [[5, 1, 2], [5, 3, 4]]),
        ("a,b,\n1,2,\n", ["a", "b", "column3"], [[1, 2]]),
        ("a,a,a_2\n1,2,3\n", ["a", "a_2", "a_2_2"], [[1, 2, 3]]),
        ("a,A\n1,2\n", ["a", "A"], [[1, 2]]),
        ("column2,\n1,2\n", ["column2", "column2_2"], [[1, 2]]),
        ("a\n1\n\n3\n", ["a"], [[1], [np.nan], [3]]),
        ("a,b\r\n1,2\n3,4\r\n", ["a", "b"], [[1, 2], [3, 4]]),
        ("a,b\r1,2\r", ["a", "b"], [[1, 2]]),
        ("sep=|\na,x|b\n1|2\n", ["a,x", "b"], [[1, 2]]),
        ('"a, first";b\n1;2\n', ["a, first", "b"], [[1, 2]]),
        ('a,b\r\n"x\ny",2\r\nz,2\r\n', ["a", "b"], [[0, 2], [1, 2]]),
        (' a , b \n 1 , 2\n', ["a", "b"], [[1, 2]]),
    ],
)  # fmt: skip
def test_names_and_lines_as_people_write_them(tmp_path, content, names, rows):
    path = tmp_path / "it's [1]*?.csv"
    path.write_bytes(content.encode())
    table = open_table(path)
    assert table.names == names
    np.testing.assert_array_equal(rows_of(table), rows)


@pytest.mark.parametrize("marker", MISSING)
def test_every_marker_of_what_is_missing_is_missing(tmp_path, marker):
    path = tmp_path / "a.csv"
    path.write_text(f"x,c,y\n1,red,0\n{marker}, {marker},0\n3,blue,0\n")
    table = open_table(path)
    assert levels_of(table)["c"] == ("blue", "red")
    np.testing.assert_array_equal(rows_of(table, ["x", "c"]), [[1, 1], [np.nan, np.nan], [3, 0]])


def test_a_column_of_as_many_texts_as_numbers_is_a_category(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("code\n1\na\n")
    assert levels_of(open_table(path)) == {"code": ("1", "a")}


def test_a_text_for_predictions_is_named_as_it_stands(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("size\n1\nit's unicode\n")
    with pytest.raises(DataError, match="column 'size' has the text 'it's unicode' where numbers"):
        rows_as(path, size=())


def test_one_value_has_one_form_in_all_files(tmp_path):
    text, frame = tmp_path / "a.csv", tmp_path / "a.parquet"
    text.write_text("flag,code,c\nTrue,1,red\nFALSE,a, red\ntrue,b,blue \n")
    columns = {
        "flag": pd.Series([True, False, True]),
        "code": pd.Series(["1", "a", "b"]),
        "c": pd.Series(["red", "red", "blue"], dtype="category"),
    }
    pd.DataFrame(columns).to_parquet(frame)
    expected = {"flag": ("false", "true"), "code": ("1", "a", "b"), "c": ("blue", "red")}
    for path in (text, frame):
        table = open_table(path)
        assert levels_of(table) == expected
        np.testing.assert_array_equal(rows_of(table), [[1, 0, 1], [0, 1, 1], [1, 2, 0]])
    # Whole numbers for what was learned as texts.
    pd.DataFrame({"code": [1.0, 2.0]}).to_parquet(frame)
    np.testing.assert_array_equal(rows_as(frame, code=("1", "a")), [[0], [np.nan]])
    # What is no number has no level.
    duckdb.sql("SELECT unnest([1.0, 'nan'::DOUBLE, 2.0]) AS code").write_parquet(str(frame))
    table = open_table(frame, ReadOptions(categories=("code",)))
    assert levels_of(table) == {"code": ("1", "2")}
    # Levels of a model that took texts as they were.
    np.testing.assert_array_equal(rows_as(text, flag=("False", "True")), [[1], [0], [1]])


def test_types_of_parquet_are_read_or_named_with_their_column(tmp_path):
    path = tmp_path / "a.parquet"
    duckdb.sql(
        "SELECT 1.5::DECIMAL(10, 2) a, 3::UTINYINT b, 2::HUGEINT c, "
        "DATE '2020-01-31' AS on_day, TIMESTAMP '2020-01-31 12:00' AS moment, [1, 2] AS many, "
        "{'k': 1} AS pair"
    ).write_parquet(str(path))
    odd = {"many": r"INTEGER\[\]", "pair": "STRUCT"}
    for name, kind in odd.items():
        left_out = tuple(other for other in odd if other != name)
        with pytest.raises(DataError, match=f"column '{name}' holds {kind}.*--drop"):
            open_table(path, ReadOptions(drop=left_out))
    table = open_table(path, ReadOptions(drop=("many", "pair")))
    np.testing.assert_array_equal(rows_of(table, ["a", "b", "c"]), [[1.5, 3, 2]])
    assert [table.kinds[name].word for name in ("on_day", "moment")] == ["date", "date"]


def test_arrays_of_any_byte_order_are_read_and_others_named(tmp_path):
    path = tmp_path / "a.npz"
    X = np.arange(6.0).reshape(3, 2).astype(">f4")
    np.savez(path, X=X, s=np.array([b"x", b"", b"y"]), h=3 + np.arange(3, dtype=np.float16))
    table = open_table(path)
    assert table.names == ["X0", "X1", "s", "h"]
    np.testing.assert_array_equal(rows_of(table), [[0, 1, 0, 3], [2, 3, np.nan, 4], [4, 5, 1, 5]])
    np.savez(path, z=np.zeros(3, dtype=complex))
    with pytest.raises(DataError, match="array 'z' has complex128"):
        open_table(path)
