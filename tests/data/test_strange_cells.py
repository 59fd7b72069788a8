"""Cells and rows that are easily taken for something else; see `both_readers`.

Both readers take each for what it is, or name its line.
"""

import gzip
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("rich")

from both_readers import K, N, X, Y, both, lines, refused, train, with_cell

from fastridge import Ridge, scan
from fastridge.cli import main
from fastridge.data.batches import ScanError
from fastridge.data.splitting import Split


def plain(path, *messages, **options):
    """Check that `scan` without inference refuses a file in a line that holds these messages."""
    with pytest.raises(ScanError) as caught:
        list(scan(path, "y", **options))
    for message in messages:
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "options", "way"),
    [
        ("0,622", {"thousands": ","}, ("decimal=','", "--decimal ,")),
        ("-0,622", {"thousands": ","}, ("decimal=','", "--decimal ,")),
        ("1,23", {"thousands": ","}, ("decimal=','", "--decimal ,")),
        ("0.622", {"thousands": ".", "decimal": ","}, ("decimal='.'", "--decimal .")),
        ("$0,622", {"thousands": ",", "numeric": ["x"]}, ("decimal=','", "--decimal ,")),
    ],
)
@pytest.mark.parametrize("at", [0, 150])  # 150 is held out
def test_readers_a_group_that_is_not_one_of_thousands_is_named(
    tmp_path, capsys, cell, options, way, at
):
    path = tmp_path / "a.csv"
    text = lines(lambda k: f'"{cell}";{K[k]};{k}' if k == at else f"{k};{K[k]};{k}", "x;z;y")
    path.write_bytes(text)
    where = f"a.csv, line {at + 2}: column 'x' holds '{cell}'"
    refused(path, capsys, where, tuple(f"{one} in place of thousands" for one in way), **options)
    if "numeric" not in options:
        plain(path, where.replace(f"holds '{cell}'", "holds text"), way[0], **options)


def test_readers_groups_of_which_one_begins_with_zero_are_decimals(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{k % 9},{100 + k};{K[k]};{k}", "x;z;y"))
    refused(path, capsys, "column 'x' holds '", ("give decimal=','", "give --decimal ,"))
    assert both(path, decimal=",")[0][:, 0].max() < 9


@pytest.mark.parametrize("target", ["1,234", "0,622"])
def test_readers_a_target_of_groups_is_read_or_named(tmp_path, capsys, target):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f'{X[k]};{K[k]};"{target if k % 50 == 9 else k}"', "x;z;y"))
    if target == "1,234":
        assert both(path, thousands=",")[2].max() == 1234
    else:
        refused(path, capsys, "a.csv, line 11: ", "'0,622'", thousands=",")


@pytest.mark.parametrize("cell", ["NaN(1)", "nan(ind)", "-nan(snan)", "-NaN", "NAN"])
def test_readers_every_nan_is_a_missing_value(tmp_path, cell):
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell(cell))
    assert both(path)[1] == ["x", "x missing", "z"]
    plain(path, "a.csv, line 152: column 'x' has missing values: give nulls='drop'")
    assert sum(len(batch.y) for batch in scan(path, "y", nulls="drop")) == N - 1


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1E400", "-1e999"])
@pytest.mark.parametrize("role", ["feature", "target", "weights"])
def test_scan_infinite_numbers_are_named_by_line_without_inference(tmp_path, cell, role):
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell(cell))
    target = {"feature": "y", "target": "x", "weights": "y"}[role]
    rows = scan(path, target, weights="x" if role == "weights" else None)
    for read in (list, Ridge().fit):
        with pytest.raises(ScanError, match="a.csv, line 152: column 'x' holds an infinite number"):
            read(rows)


def test_scan_values_of_tables_are_named_by_row(tmp_path):
    x = np.where(np.arange(N) == 150, np.nan, X)
    table = pa.table({"x": x, "w": np.where(x != x, np.inf, 1), "y": Y})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=40)
    dataset = pyarrow.dataset.dataset(tmp_path / "a.parquet")
    for source, name in (
        (tmp_path / "a.parquet", "a.parquet"),
        (dataset, "a.parquet"),
        (table, "the table"),
        (table.to_pandas(), "the table"),
    ):
        with pytest.raises(ScanError, match=f"{name}, row 150: column 'x' has missing values"):
            list(scan(source, "y"))
        with pytest.raises(ScanError, match=f"{name}, row 150: column 'w' holds an infinite"):
            list(scan(source, "y", features=["w"]))
    late = pyarrow.dataset.field("y") != Y[0]
    with pytest.raises(ScanError, match="row 149 of those that the filter takes: column 'x'"):
        list(scan(tmp_path / "a.parquet", "y", filter=late))


@pytest.mark.parametrize("cell", ["-1", "1.5"])
def test_scan_folds_that_are_none_are_named_by_line(tmp_path, cell):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{cell if k == 150 else K[k]},{Y[k]}"))
    plain(path, "a.csv, line 152: column 'z' must hold folds", fold="z")


def test_scan_negative_weights_are_named_by_line(tmp_path):
    path = tmp_path / "a.csv"
    weights = {9: "-0.0", 12: "", 150: "-1e-3"}
    path.write_bytes(lines(lambda k: f"{X[k]},{weights.get(k, 1)},{Y[k]}"))
    plain(path, "a.csv, line 152: column 'z' must hold weights", weights="z", nulls="drop")


@pytest.mark.parametrize("role", ["x", "y"])
def test_readers_long_cells_are_shortened(tmp_path, capsys, role):
    path = tmp_path / "a.csv"
    header = "x,z,y" if role == "x" else "y,z,x"
    for cell in ("abc" * 3000, "1_0" * 3000):
        path.write_bytes(with_cell(cell).replace(b"x,z,y", header.encode()))
        refused(path, capsys, f"line 152: {'column' if role == 'x' else 'the target'}")
        assert main(["fit", str(path), "--target=y"]) == 2
        err = capsys.readouterr().err
        assert cell[:40] in err
        assert "(9,000 characters)" in err
        assert len(err) < 600


@pytest.mark.parametrize(
    "content",
    [b" ", b"\n\n\n", b"   \n \n", b"\t\t\n\t\t\n", b"\xef\xbb\xbf\r\n", b"\r\r", b"sep=;\n\n"],
)
def test_readers_files_of_blanks_are_said_to_hold_no_rows(tmp_path, capsys, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    refused(path, capsys, "a.csv holds no rows: nothing but blanks and ends of lines")
    path.write_bytes(gzip.compress(content))
    refused(path, capsys, "a.csv holds no rows: nothing but blanks and ends of lines")


@pytest.mark.parametrize("header", [True, False])
def test_readers_a_single_line_without_an_end_is_named(tmp_path, capsys, header):
    path = tmp_path / "a.csv"
    path.write_bytes(b"1,2,3")
    message = "a.csv holds nothing but one line, which has no end: add a line break"
    refused(path, capsys, message, header=header, target="-1")
    path.write_bytes(b"x,y\n")
    assert list(scan(path, "y")) == []
    refused(path, capsys, "a.csv has no rows")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("\u00a0", "--na-values $'\\U000000a0'"),
        ('"1\n"', "--na-values $'1\\x0a'"),
        ("１２", "--na-values '１２'"),
        ("1\u0660", "--na-values '1\u0660'"),
    ],
)
def test_readers_digits_and_blanks_that_are_not_read_are_named(tmp_path, capsys, cell, written):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{cell if k == 150 else X[k]},{K[k]},{Y[k]}"))
    value = cell.strip('"')
    refused(
        path, capsys, f"a.csv, line 152: column 'x' holds {value!r}, not", (repr(value), written)
    )
    plain(path, f"a.csv, line 152: column 'x' holds text, not numbers: {value!r}")
    assert both(path, na_values=[value])[1] == ["x", "x missing", "z"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_readers_columns_of_later_files_only_are_named(tmp_path, capsys, ending):
    folder = tmp_path / "d"
    folder.mkdir()
    frame = pd.DataFrame({"x": X, "y": Y, "w": K})
    for number, names in enumerate((["x", "y"], ["x", "w", "y"], ["x", "y", "w"])):
        path, part = folder / f"{number}.{ending}", frame[names]
        if ending == "csv":
            part.to_csv(path, index=number == 2)  # a row index is left out without a word
        elif ending == "parquet":
            part.to_parquet(path)
        else:
            part.to_feather(path)
    way = ("give drop=['w']", "give --drop w")
    refused(folder, capsys, "0." + ending, " has no column 'w', which ", f"1.{ending} has", way)
    assert both(folder, drop=["w"])[1] == ["x"]
    assert scan(folder, "y", drop=["w"]).feature_names == ["x"]
    assert scan(folder, "y", features=["x"]).feature_names == ["x"]
    encoding = scan(folder / f"0.{ending}", "y", infer=True).encoding
    assert scan(folder, "y", encoding=encoding).feature_names == ["x"]
    model = str(tmp_path / "m")
    assert main(["fit", f"{folder}/0.{ending}", "--target=y", "--save", model]) == 0
    assert main(["predict", model, str(folder)]) == 0
    capsys.readouterr()
    refused(folder, capsys, "has no column 'w', which ", target="w")


def test_predict_a_target_of_some_files_only_is_left_out(tmp_path, capsys):
    folder, model = tmp_path / "d", str(tmp_path / "m")
    folder.mkdir()
    frame = pd.DataFrame({"x": X, "y": Y})
    frame.to_csv(folder / "b.csv", index=False)
    assert main(["fit", str(folder), "--target=y", "--save", model]) == 0
    frame[["x"]].to_csv(folder / "a.csv", index=False)
    capsys.readouterr()
    assert main(["predict", model, str(folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * N + 1


def svmlight(first=""):
    return first + "".join(f"{Y[k]} {1 + K[k]}:1 9:{X[k]}\n" for k in range(N))


@pytest.mark.parametrize("first", ["", "1\n", "# rows\n0 # none\n\n" + "0\n" * 40])
def test_readers_rows_of_zeros_come_first_in_svmlight_files(tmp_path, first):
    path = tmp_path / "a9"
    path.write_text(svmlight(first))
    n_zeros = len(first.split("\n0")) - 1 + first.startswith("1")
    rows = list(scan(path))
    assert sum(len(batch.y) for batch in rows) == N + n_zeros
    rows = scan(path, "target", infer=True)
    assert rows.feature_names == ["1", "2", "3", "9"]
    features, names, *_ = both(path, target="target")
    assert names == ["1", "2", "3", "9"]
    if not first:
        assert_array_equal(features[:, 3], train(X))


@pytest.mark.parametrize("row", ["oops", "1 2:x", "1 2", "1 :3", "x 1:2", "1 3:1 2:1", "1 -3:1"])
def test_readers_mistakes_in_the_first_lines_of_svmlight_files_are_named(tmp_path, capsys, row):
    path = tmp_path / "a9"
    path.write_text("1 1:1\n\n" + row + "\n" + svmlight())
    where = f"a9, line 3, {row!r}: not a row of a svmlight file: "
    refused(path, capsys, where, target="target")
    with pytest.raises(ScanError, match=f"a9, line 3, {row!r}: not a row"):
        scan(path)


def test_readers_damaged_tables_are_said_to_be_damaged(tmp_path, capsys):
    for ending, write in (("parquet", pq.write_table), ("arrow", pa.feather.write_feather)):
        path = tmp_path / f"a.{ending}"
        write(pa.table({"x": X, "y": Y}), path)
        path.write_bytes(path.read_bytes()[:-20])
        refused(path, capsys, f"a.{ending} cannot be read as ", ", it seems to be damaged: ")


def test_readers_svmlight_columns_are_the_indices_that_rows_have(tmp_path, capsys):
    path, other, model = tmp_path / "a.svm", tmp_path / "b.svm", str(tmp_path / "m")
    path.write_text(svmlight("0.5 2147483646:2\n" * 9))
    features, names, *_ = both(path, target="target")
    assert names == ["1", "2", "3", "9", "2147483646"]
    held_in = Split(3, 0.2, 5).start().draw(N + 9) >= 0
    assert_array_equal(features[:, 4], np.repeat([2.0, 0.0], [9, N])[held_in])
    assert main(["fit", str(path), "--save", model]) == 0
    other.write_text("1 3:1 7:5\n1 2147483646:1\n1\n")
    encoding = scan(path, "target", infer=True).encoding
    found = next(iter(scan(other, "target", encoding=encoding))).X
    assert_array_equal(found, [[0, 0, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    capsys.readouterr()
    assert main(["predict", model, str(other)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    path.write_text("".join(f"1 {k}:1\n" for k in range(20_001)))
    refused(path, capsys, "20,001 different indices, more than the 20,000", target="target")
    path.write_text(svmlight("0.5 2147483648:2\n"))
    refused(path, capsys, "line 1, '0.5 2147483648:2'", target="target")


@pytest.mark.parametrize("cell", ["inf", "nan", "1e999"])
@pytest.mark.parametrize("role", ["feature", "label"])
def test_scan_sparse_numbers_that_are_not_finite_are_named_by_line(tmp_path, cell, role):
    path = tmp_path / "a9"
    row = f"1 3:{cell}\n" if role == "feature" else f"{cell} 3:1\n"
    path.write_text(f"{svmlight()}{row}{svmlight()}")
    options = {"n_features": 10, "zero_based": False}  # no first pass
    name = path.rename(path.with_suffix(".svm"))
    with pytest.raises(ScanError, match=rf"line {N + 1}, .*{cell}.*: NaN and infinity are not"):
        list(scan(name, **options))
    with pytest.raises(ScanError, match=rf"line {N + 1}, "):
        scan(name)


def test_scan_columns_by_index_are_those_of_their_names(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{k},{X[k]},{K[k]},c{K[k]},{Y[k]}", ",x,z,c,y"))
    assert both(path, keep=[0])[1] == both(path, keep=["Unnamed: 0"])[1]
    assert "Unnamed: 0" in both(path, keep=[-5])[1]
    for given, index in itertools.product((["x"], [1], [-4]), (2, -3)):
        assert set(both(path, drop=[*given, index])[1]) == {"c=c0", "c=c1", "c=c2"}
    assert set(both(path, categorical=[2], drop=[-2, 1])[1]) == {"z=0", "z=1", "z=2"}
    refused(path, capsys, "has no column '9'", drop=[9])
    refused(path, capsys, "has no column '-6'", keep=[-6])
    table = pd.read_csv(path)
    for source in (path, table, pa.Table.from_pandas(table)):
        assert scan(source, "y", drop=[0, -2]).feature_names == ["x", "z"]
        assert scan(source, "y", drop=[3], keep=[0]).feature_names == ["Unnamed: 0", "x", "z"]
        hashed = scan(source, -1, features=["c", "x"], hashed=[-2], n_hashed=8)
        assert next(iter(hashed)).X.shape == (N, 9)
        given = scan(source, -1, features=[3], categorical={-2: ["c1", "c0"]})
        assert given.feature_names == ["c=c1", "c=c0"]
    with pytest.raises(ValueError, match="keep and drop both name 'x'"):
        scan(path, "y", keep=["x"], drop=[1])
