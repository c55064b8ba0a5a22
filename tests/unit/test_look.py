"""What columns are taken as: the kinds that people's files have, each with its right value."""

import numpy as np
import pandas as pd
import pytest

from sparsefit.core.errors import DataError
from sparsefit.reading import ReadOptions, open_source, open_table
from sparsefit.reading.describe import describe, lines
from sparsefit.reading.table import blocks_of
from sparsefit.tabular import split_rows
from sparsefit.tabular.options import FitOptions
from tests.unit.test_reading import levels_of, rows_of


def written(tmp_path, columns, sep=",", suffix=".csv"):
    """Write columns of texts, each as it is, as a text or as Parquet."""
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    path = tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep=sep)
    return path


FORMS = [
    (["0,25", "1,5", "2"], [0.25, 1.5, 2]),
    (["5,029", "950", "1,234,567"], [5029, 950, 1234567]),
    (["1.234.567", "12", "1.000"], [1234567, 12, 1000]),
    (["$1,234.50", "$80", "-$5"], [1234.5, 80, -5]),
    (["($1,200.00)", "$3.00", "$4.00"], [-1200, 3, 4]),
    (["1.234,50 €", "7 €", "8,5 €"], [1234.5, 7, 8.5]),
    (["EUR 12,5", "EUR 3,0", "EUR 4"], [12.5, 3, 4]),
    (["12 %", "3%", "0.5 %"], [12, 3, 0.5]),
    (["0.1 kg", "2 kg", "-3 kg"], [0.1, 2, -3]),
    (["30 km/h", "50 km/h", "7.5km/h"], [30, 50, 7.5]),
    (["50 m2", "70.5 m2", "1,200 m2"], [50, 70.5, 1200]),
    (["21 \N{DEGREE SIGN}C", "-3 \N{DEGREE SIGN}C", "0 \N{DEGREE SIGN}C"], [21, -3, 0]),
    (["1,234.50 USD", "80 USD", "5 USD"], [1234.5, 80, 5]),
    (["1 234.5", "12", "3"], [1234.5, 12, 3]),
    (["1\N{NARROW NO-BREAK SPACE}234,5", "12,0", "3"], [1234.5, 12, 3]),
    (["1'000", "2'500.5", "3"], [1000, 2500.5, 3]),
    (["1_000", "20", "3"], [1000, 20, 3]),
    (["\N{MINUS SIGN}3", "4", "5"], [-3, 4, 5]),
    (["1e3", "2.5E-1", "7"], [1000, 0.25, 7]),
]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize(("texts", "numbers"), FORMS)
def test_numbers_as_people_write_them(tmp_path, texts, numbers, suffix):
    table = open_table(written(tmp_path, {"x": [*texts, None]}, suffix=suffix))
    assert table.kinds["x"].word == "number"
    np.testing.assert_array_equal(rows_of(table)[:, 0], [*numbers, np.nan])


def test_a_comma_that_may_be_either_is_settled_by_the_file_or_by_an_option(tmp_path):
    # Within quotes among commas it is between thousands.
    path = written(tmp_path, {"x": ["5,029", "1,000"]})
    assert rows_of(open_table(path))[0, 0] == 5029
    path = written(tmp_path, {"x": ["5,029", "1,000"], "c": ["a", "b"]}, sep=";")
    with pytest.raises(DataError, match=r"'x' has the text '1,000', which may be 1 or 1000.*"):
        open_table(path)
    assert rows_of(open_table(path, ReadOptions(decimal=",")))[0, 0] == 5.029
    assert rows_of(open_table(path, ReadOptions(thousands=",")))[0, 0] == 5029
    # Another column tells, and turns the points of a third.
    path = written(
        tmp_path, {"x": ["5,029", "1,1"], "y": ["1,029", "2,000"], "z": ["2.000", "3.000"]}, sep=";"
    )
    np.testing.assert_array_equal(rows_of(open_table(path)), [[5.029, 1.029, 2000], [1.1, 2, 3000]])


def test_marks_that_are_given_must_be_those_of_the_numbers(tmp_path):
    path = written(tmp_path, {"x": ["1,5", "2,25"], "y": ["1", "2"]})
    with pytest.raises(DataError, match=r"column 'x' has the text '1,5' where numbers are needed"):
        open_table(path, ReadOptions(decimal="."))


def test_what_is_no_number_stays_a_category(tmp_path):
    columns = {
        "plain": ["red", "blue"], "code": ["A4", "B5"], "units": ["5 kg", "300 g"],
        "span": ["10-20", "20-30"], "score": ["2:1", "10:0"], "place": ["1st", "2nd"],
        "code2": ["136", "136A"], "ip": ["1.2.3.4", "1.2.3.5"],
    }  # fmt: skip
    table = open_table(written(tmp_path, columns))
    assert {kind.word for kind in table.kinds.values()} == {"category"}


def test_codes_with_leading_zeros_are_categories_unless_asked_otherwise(tmp_path):
    path = written(tmp_path, {"zip": ["01001", "02139", "02139"], "y": ["0.5", "0", "-0.1"]})
    table = open_table(path)
    assert levels_of(table) == {"zip": ("01001", "02139"), "y": ()}
    assert "begins with 0, as codes do; --numbers" in table.kinds["zip"].remarks[0]
    assert rows_of(open_table(path, ReadOptions(numbers=("zip",))))[0, 0] == 1001


DAYS = ["2020-01-31", "2021-12-01", "2020-06-15"]
WRITTEN = {
    "ISO": DAYS, "ISO, slashes": ["2020/01/31", "2021/12/01", "2020/06/15"],
    "%d.%m.%Y": ["31.01.2020", "01.12.2021", "15.06.2020"],
    "%d/%m/%Y": ["31/01/2020", "01/12/2021", "15/06/2020"],
    "%m/%d/%Y": ["01/31/2020", "12/01/2021", "06/15/2020"],
    "%b %d, %Y": ["Jan 31, 2020", "Dec 1, 2021", "Jun 15, 2020"],
    "%d-%b-%y": ["31-Jan-20", "01-Dec-21", "15-Jun-20"],
    "with times": [f"{day}T00:00:00Z" for day in DAYS],
}  # fmt: skip


@pytest.mark.parametrize("texts", WRITTEN.values(), ids=WRITTEN)
def test_dates_become_trend_year_month_and_weekday(tmp_path, texts):
    table = open_table(written(tmp_path, {"on": [*texts, None]}))
    columns = table.inputs(["on"])
    assert [column.name for column in columns] == [
        "on.trend", "on.year", "on.month", "on.weekday", "on.hour",
    ]  # fmt: skip
    days = pd.to_datetime(pd.Series(DAYS))
    expected = np.column_stack([
        (days - pd.Timestamp(0)).dt.days, days.dt.year, days.dt.month - 1, days.dt.day_of_week,
        np.zeros(3),
    ])  # fmt: skip
    np.testing.assert_array_equal(rows_of(table), [*expected, np.full(5, np.nan)])


def test_dates_of_parquet_and_of_texts_agree(tmp_path):
    moments = pd.to_datetime(pd.Series(["2020-01-31 06:30", "2021-12-01 18:00", None]))
    path = tmp_path / "t.parquet"
    pd.DataFrame({"on": moments, "utc": moments.dt.tz_localize("UTC")}).to_parquet(path)
    found = rows_of(open_table(path))
    text = open_table(written(tmp_path, {"on": ["2020-01-31 06:30", "2021-12-01 18:00", ""]}))
    np.testing.assert_array_equal(found[:, :5], rows_of(text))
    np.testing.assert_array_equal(found[:, 5:], rows_of(text))
    assert found[0, 4] == 6.5


def test_times_of_day_are_hours_in_every_file(tmp_path):
    times = ["6:30", "18:00", None]
    text = open_table(written(tmp_path, {"at": times}))
    assert [column.name for column in text.inputs(["at"])] == ["at.hour"]
    np.testing.assert_array_equal(rows_of(text), [[6.5], [18], [np.nan]])
    path = tmp_path / "t.parquet"
    clock = pd.Series(pd.to_datetime(times, format="%H:%M").time, dtype=object)
    pd.DataFrame({"at": clock}).to_parquet(path)
    np.testing.assert_array_equal(rows_of(open_table(path)), rows_of(text))


def test_a_date_as_programs_write_it_is_read_beside_any_other_form(tmp_path):
    table = open_table(written(tmp_path, {"on": ["31.01.2020", "15.02.2020"]}))
    other = written(tmp_path, {"on": ["2020-01-31", "2020-02-15"]})
    found = np.concatenate(list(blocks_of(open_source(other), table.inputs(["on"]))))
    np.testing.assert_array_equal(found, rows_of(open_table(other)))


def test_dates_that_may_be_read_in_two_ways_stop_with_the_option(tmp_path):
    path = written(tmp_path, {"on": ["03/04/2020", "05/06/2020"]})
    with pytest.raises(DataError, match=r"'on' has dates.*--dates 'on=%d/%m/%Y'"):
        open_table(path)
    months = levels_of(open_table(path, ReadOptions(dates=("on=%m/%d/%Y",))))["on.month"]
    found = rows_of(open_table(path, ReadOptions(dates=("on=%m/%d/%Y",))))
    assert months[int(found[0, 2])] == "3"
    path = written(tmp_path, {"on": ["20200131", "20200201"], "y": ["1", "2"]})
    assert open_table(path).kinds["on"].word == "number"
    assert open_table(path, ReadOptions(dates=("on=%Y%m%d",))).kinds["on"].word == "date"
    with pytest.raises(DataError, match="'y' has dates such as '1', which are not of the form ISO"):
        open_table(path, ReadOptions(dates=("y",)))


def test_what_only_names_rows_is_left_out_and_can_be_asked_for(tmp_path):
    n = 40
    columns = {
        "Unnamed": [str(i) for i in range(n)], "name": [f"n{i}" for i in range(n)],
        "customer_id": [str(7000 + 3 * (i * 7 % n)) for i in range(n)],
        "year": [str(1 + i) for i in range(n)], "rank": [str(1 + i * 7 % n) for i in range(n)],
        "size": [str(100 + i) for i in range(n)], "kind": ["a", "b"] * (n // 2),
        "index": [f"{100 + 2.5 * i}" for i in range(n)],
    }  # fmt: skip
    path = written(tmp_path, columns)
    table = open_table(path)
    left_out = [name for name, kind in table.kinds.items() if kind.left_out]
    assert left_out == ["Unnamed", "name", "customer_id"]
    asked = open_table(path, ReadOptions(categories=("name",), numbers=("customer_id",)))
    assert [name for name, kind in asked.kinds.items() if kind.left_out] == ["Unnamed"]
    # What is to be fitted is never left out.
    assert not open_table(path, target="customer_id").kinds["customer_id"].left_out
    assert open_table(path, ReadOptions(id=("kind",))).kinds["kind"].left_out == "--id"


def test_constants_copies_and_empty_columns_are_said(tmp_path):
    columns = {
        "t": ["x"] * 3, "c": ["5"] * 3, "none": [None] * 3, "copy": ["1", "2", "4"],
        "y": ["1", "2", "4"],
    }  # fmt: skip
    table = open_table(written(tmp_path, columns), target="y")
    assert table.kinds["t"].left_out == "one value in all rows"
    assert table.kinds["c"].remarks == ("one value in all rows, which cannot matter",)
    assert table.kinds["none"].left_out == "empty"
    assert table.kinds["copy"].left_out == "a copy of the target"
    assert [column.name for column in table.inputs(table.names)] == ["c", "y"]


def test_columns_without_a_value_are_empty_whatever_their_type(tmp_path):
    path = tmp_path / "t.parquet"
    nothing = {name: pd.Series([text] * 3, dtype=object) for name, text in
               {"null": None, "blank": "", "marker": "NA"}.items()}  # fmt: skip
    pd.DataFrame({**nothing, "float": [np.nan] * 3, "y": [1.0, 2, 3]}).to_parquet(path)
    table = open_table(path, target="y")
    found = {name: (kind.left_out, kind.n_missing, kind.remarks)
             for name, kind in table.kinds.items()}  # fmt: skip
    assert found.pop("y") == ("", 0, ())
    assert set(found.values()) == {("empty", 3, ())}
    with pytest.raises(DataError, match="target 'null' is missing in every row"):
        split_rows(open_table(path, target="null"), FitOptions(target="null"), lambda *_: None)


def test_long_numbers_are_pointed_at_and_can_be_told_apart(tmp_path):
    long = [10**17 + i % 3 for i in range(6)]
    pd.DataFrame({"key": long}).to_parquet(tmp_path / "t.parquet")
    for path in (tmp_path / "t.parquet", written(tmp_path, {"key": list(map(str, long))})):
        [remark] = open_table(path).kinds["key"].remarks
        assert remark.startswith("beyond 2^53, where numbers are rounded")
        levels = levels_of(open_table(path, ReadOptions(categories=("key",))))["key"]
        assert levels == tuple(str(value) for value in long[:3])


def test_markers_of_what_is_missing_can_be_levels(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("alley,x\nNA,1\nGrvl,-999\n,3\n")
    assert levels_of(open_table(path))["alley"] == ("Grvl",)
    table = open_table(path, ReadOptions(missing=("-999",)))
    assert levels_of(table)["alley"] == ("Grvl", "NA")
    np.testing.assert_array_equal(rows_of(table), [[1, 1], [0, np.nan], [np.nan, 3]])


def test_other_encodings_and_separators_are_read_as_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("Größe:y\ngroß:1\nklein:2\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not a text in UTF-8; name its encoding with --enc"):
        open_table(path)
    table = open_table(path, ReadOptions(encoding="latin-1", sep=":"))
    assert levels_of(table) == {"Größe": ("groß", "klein"), "y": ()}
    path.write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n")
    with pytest.raises(DataError, match=r"the first line has '5\.1' where the names"):
        open_table(path)


def test_a_folder_or_a_pattern_is_one_table(tmp_path):
    for number in range(3):
        (tmp_path / f"part-{number}.csv").write_text(f"a,b\n{number},x{number}\n")
    for path in (tmp_path, tmp_path / "part-*.csv"):
        table = open_table(path)
        np.testing.assert_array_equal(rows_of(table), [[0, 0], [1, 1], [2, 2]])
    (tmp_path / "part-3.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match=r"part-3\.csv has other columns than .*part-0\.csv"):
        open_table(tmp_path)


def test_lines_say_what_was_read(tmp_path):
    columns = {
        "p0": ["1", "2", "2"], "p1": ["1", "3", "3"], "p2": ["4", "2", "4"],
        "price": ["$1", "$2,000", None], "kind": ["a", "b", "a"],
    }  # fmt: skip
    table = open_table(written(tmp_path, columns))
    assert [(e["column"], e["count"], e["taken"]) for e in describe(table)] == [
        ("p0 to p2", 3, "number"), ("price", 1, "number"), ("kind", 1, "category of 2 levels"),
    ]  # fmt: skip
    said = lines(table)
    assert said[0].endswith("t.csv: 3 rows, 5 columns")
    assert said[2] == "  price     number; 1 cell missing; '$2,000' is 2000"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ("prize",)}, "--drop 'prize'.*did you mean 'price'"),
        ({"dates": ("prize",)}, "--dates 'prize'.*did you mean 'price'"),
        ({"numbers": ("kind",)}, "column 'kind' has the text 'a' where numbers are needed"),
        ({"categories": ("x y",)}, "--categories 'x y'"),
        ({"numbers": ("price",), "id": ("price",)}, "--id 'price': it is among --numbers, too"),
    ],
)
def test_columns_that_are_asked_for_must_be_there_and_fit(tmp_path, options, message):
    path = written(tmp_path, {"price": ["1", "2"], "kind": ["a", "b"]})
    with pytest.raises(DataError, match=message):
        open_table(path, ReadOptions(**options))
