"""scan of tables with missing values: null, NaN, and empty cells and marks of CSV files."""

import numpy as np
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from fastridge import Ridge, scan
from fastridge.data.batches import ScanError
from fastridge.data.columns import missing_values
from fastridge.data.csv_options import NULL_MARKS
from fastridge.data.feature_encoding import Encoding

NAN = float("nan")
TYPES = {"half": pa.float16(), "float": pa.float32(), "double": pa.float64()}
OPTIONS = [
    {"categorical": "auto"},
    {"categorical": ["c"]},
    {"categorical": {"c": ["a", "b"]}},
    {"hashed": ["c"]},
]
MARKS = 'x,c,y\n1,a,1\n2,,2\n3,NA,3\n4,"",4\n5,b,5\n'


def table(dtype=None):
    x = pa.array([1.0, NAN, 3.0]).cast(dtype or pa.float64())
    return pa.table({"x": x, "c": ["a", "b", "a"], "y": [1.0, 2.0, 3.0]})


def sources(path):
    for name, dtype in TYPES.items():
        made = table(dtype)
        pq.write_table(made, path / f"{name}.parquet")
        yield made
        yield path / f"{name}.parquet"
    yield polars.from_arrow(table())


def read(rows):
    X = [batch.X.toarray() if hasattr(batch.X, "toarray") else batch.X for batch in rows]
    return np.concatenate(X)


@pytest.mark.parametrize("options", OPTIONS)
def test_scan_nan_with_an_encoding_is_missing(tmp_path, options):
    for source in sources(tmp_path):
        with pytest.raises(ScanError, match=r", (row 1|line 3): column 'x' has missing values"):
            list(scan(source, "y", **options))
        assert_array_equal(read(scan(source, "y", nulls="drop", **options))[:, 0], [1.0, 3.0])
        rows = scan(source, "y", nulls="mean", **options)
        assert_array_equal(read(rows)[:, :2], [[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
        assert (
            "x (1 became the mean 2, marked by a column)" in dict(rows.encoding.report)["missing"]
        )


@pytest.mark.parametrize("nulls", ["error", "drop"])
def test_scan_nan_of_other_rows_of_an_encoding_is_missing(tmp_path, nulls):
    encoding = scan(table().slice(0, 1), "y", categorical=["c"]).encoding
    for source in sources(tmp_path):
        rows = scan(source, "y", encoding=encoding, nulls=nulls)
        if nulls == "drop":
            assert_array_equal(read(rows), [[1.0, 1.0], [3.0, 1.0]])
        else:
            with pytest.raises(ScanError, match="column 'x' has missing"):
                list(rows)


def test_scan_nan_among_numbers_is_dropped_or_rejected(tmp_path):
    for source in sources(tmp_path):
        rows = scan(source, "y", features=["x"], nulls="drop")
        assert_array_equal(read(rows)[:, 0], [1.0, 3.0])
        with pytest.raises(ValueError, match=", (row 1|line 3): column 'x' has missing"):
            Ridge().fit(scan(source, "y", features=["x"]))
    target = pa.table({"x": [1.0, 2.0, 4.0], "w": [1.0, NAN, 1.0], "y": [NAN, 2.0, 3.0]})
    for nulls in ("drop", "mean"):
        rows = scan(target, "y", features=["x"], weights="w", nulls=nulls)
        assert_array_equal(read(rows), [[4.0]])


@pytest.mark.parametrize("codes", [["x"], {"x": [1, 3.0]}])
def test_scan_nan_among_codes_is_missing(codes):
    dictionary = table().set_column(0, "x", table()["x"].dictionary_encode())
    for source in (table(), dictionary):
        with pytest.raises(ScanError, match="column 'x' has missing"):
            list(scan(source, "y", features=["x"], categorical=codes))
        rows = scan(source, "y", features=["x"], categorical=codes, nulls="drop")
        assert_array_equal(read(rows), np.eye(2))
        rows = scan(source, "y", features=["x"], categorical=codes, nulls="mean")
        assert rows.feature_names == ["x=1", "x=3", "x=(missing)"]
        assert_array_equal(read(rows), np.eye(3)[[0, 2, 1]])
        assert dict(rows.encoding.report)["missing"] == "x (1 are a category)"


def test_missing_values_nulls_of_a_dictionary_are_missing():
    of_nulls = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array([None, "a"]))
    assert_array_equal(missing_values(of_nulls), [True, False, True])
    assert missing_values(pa.array(["a", ""]).dictionary_encode()) is None
    assert_array_equal(missing_values(pa.nulls(2)), [True, True])


@pytest.mark.parametrize("kind", ["file", "gz", "dataset"])
def test_scan_csv_empty_text_is_missing(tmp_path, kind):
    path = tmp_path / ("a.csv.gz" if kind == "gz" else "a.csv")
    with pa.output_stream(path) as file:  # compressed as its name says
        file.write(MARKS.encode())
    source = pyarrow.dataset.dataset(str(path), format="csv") if kind == "dataset" else path
    for options in OPTIONS:
        with pytest.raises(ScanError, match=r"a.csv.*, (line 3|row 1): column 'c' has missing"):
            list(scan(source, "y", **options))
        assert_array_equal(read(scan(source, "y", nulls="drop", **options))[:, 0], [1.0, 5.0])
        if "hashed" not in options:
            rows = scan(source, "y", nulls="mean", **options)
            assert rows.feature_names == ["x", "c=a", "c=b", "c=(missing)"]
            assert_array_equal(read(rows).sum(axis=0), [15.0, 1.0, 1.0, 3.0])
    for mark in ("", "NA"):
        with pytest.raises(ValueError, match=f"'{mark}' cannot be a value of column 'c'"):
            scan(source, "y", categorical={"c": ["a", mark]})


def test_scan_csv_dataset_with_chosen_marks_keeps_them(tmp_path):
    (tmp_path / "a.csv").write_text(MARKS)
    convert = pa.csv.ConvertOptions(null_values=["a"], strings_can_be_null=True)
    kind = pyarrow.dataset.CsvFileFormat(convert_options=convert)
    source = pyarrow.dataset.dataset(str(tmp_path / "a.csv"), format=kind)
    rows = scan(source, "y", categorical={"c": ["", "NA", "b"]}, nulls="drop")
    assert_array_equal(read(rows)[:, 1:], np.eye(3)[[0, 1, 0, 2]])


def test_scan_csv_empty_text_of_an_older_encoding_stays_its_category(tmp_path):
    (tmp_path / "a.csv").write_text(MARKS)
    column = {"name": "c", "kind": "text", "levels": ["", "a"], "other": False, "missing": False}
    values = {"columns": [column], "hashed": [], "n_hashed": 0, "fills": False}
    rows = scan(tmp_path / "a.csv", "y", encoding=Encoding.from_json(values))
    assert_array_equal(read(rows), [[0, 1], [1, 0], [0, 0], [1, 0], [0, 0]])


def test_csv_marks_are_missing_in_scan_and_in_the_command_line(tmp_path):
    command = pytest.importorskip("fastridge.cli.rows")
    lines = ["x,c,y", "1,a,1", *(f"{mark},{mark},2" for mark in NULL_MARKS), "3,b,3"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    rows = scan(tmp_path / "a.csv", "y", categorical="auto", nulls="drop")
    assert_array_equal(read(rows), [[1.0, 1.0, 0.0], [3.0, 0.0, 1.0]])
    for name in ("x", "c"):
        table = command.open_table(str(tmp_path / "a.csv"))
        batches = table.tables(table.runs[0], [name], 1 << 16, 1)
        missing = np.concatenate([missing_values(batch.column(0)) for batch, _ in batches])
        assert_array_equal(missing, [False, *[True] * len(NULL_MARKS), False])
