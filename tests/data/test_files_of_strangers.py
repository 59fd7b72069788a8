"""Text as strangers write it: `scan` and the command line read the same, or refuse alike.

Each case writes a file with a target y that its other columns explain. Both readers must make the
same features of it, bit for bit, or give one line that names the value, its line, and the remedy.
"""

import gzip
import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("rich")

from both_readers import K, N, X, Y, both, lines, refused, train, with_cell

from fastridge import scan
from fastridge.cli import main


@pytest.mark.parametrize(
    "mark",
    [
        "",
        " ",
        "      ",
        "NA",
        " NA",
        "NA  ",
        " NA ",
        "   NA ",
        "N/A",
        "n/a",
        "NaN",
        "nan",
        "null",
        "NULL",
    ]
    + ["None", "-", "--", ".", "?", " ?", "\\N", "<NA>", "#N/A", "NaT", "\tNA"],
)
def test_readers_a_missing_mark_in_a_column_of_numbers_is_missing(tmp_path, mark):
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell(mark))
    features, names, _, report = both(path)
    assert names == ["x", "x missing", "z"]
    assert features[:, 1].sum() == train(np.arange(N) == 150).sum()
    assert "x (1 became" in report["missing"]


@pytest.mark.parametrize("at", [0, 1, 150, N - 1])
def test_readers_a_stray_text_in_a_column_of_numbers_is_named(tmp_path, capsys, monkeypatch, at):
    monkeypatch.setattr("fastridge.data.csv_file.CSV_BLOCK", 512)
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell("abc", at).replace(b"\n", b"\r\n"))
    where = f"a.csv, line {at + 2}: column 'x' holds 'abc', not a number"
    ways = [("na_values=['abc']", "--na-values abc"), ("categorical=['x']", "--categorical x")]
    refused(path, capsys, where, "values are numbers", *ways)
    features, names, *_ = both(path, na_values=["abc"])
    assert_array_equal(features[:, names.index("z")], train(K))
    assert len(both(path, categorical=["x"])[1]) > 100


def test_readers_a_stray_text_is_named_by_its_line_after_quoted_and_blank_lines(tmp_path, capsys):
    path = tmp_path / "a.csv"
    text = lines(lambda k: f'"a\nb",{"oops" if k == 60 else X[k]},{Y[k]}\n', header="c,x,y")
    path.write_bytes(gzip.compress(text))
    refused(path, capsys, "a.csv, line 182: column 'x' holds 'oops'")


def test_readers_numbers_then_text_late_in_the_second_file_are_named(tmp_path, capsys):
    for name, cell in (("a", "1"), ("b", "oops")):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / f"{name}.csv").write_bytes(with_cell(cell, N - 1))
    refused(tmp_path / "d", capsys, f"b.csv, line {N + 1}: column 'x' holds 'oops'")


def test_readers_columns_of_text_with_some_numbers_stay_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{k % 4 or 'abc'},{X[k]},{Y[k]}"))
    assert set(both(path)[1]) == {"x=1", "x=2", "x=3", "x=abc", "z"}


@pytest.mark.parametrize(
    ("written", "options", "ways"),
    [
        (
            lambda x: f'"{x:.4f}"'.replace(".", ","),
            {"decimal": ","},
            [("decimal=','", "--decimal ,")],
        ),
        (
            lambda x: f'"{1e4 * x:,.2f}"',
            {"thousands": ","},
            [("thousands=','", "--thousands ,")],
        ),
        (
            lambda x: f'"{1e4 * x:,.2f}"'.translate(str.maketrans(",.", ".,")),
            {"thousands": ".", "decimal": ","},
            [("decimal=',' and thousands='.'", "--decimal , and --thousands .")],
        ),
        (
            lambda x: f'"{1e4 * x:,.2f}"'.replace(",", "\u00a0"),
            {"thousands": " "},
            [("thousands=' '", "--thousands ' '")],
        ),
        (
            lambda x: f'"${1e4 * x:,.2f}"'.replace("$-", "-$"),
            {"thousands": ",", "numeric": ["x"]},
            [("numeric=['x']", "--numeric x")],
        ),
        (lambda x: f"{100 * x:.2f}%", {"numeric": ["x"]}, [("numeric=['x']", "--numeric x")]),
        (
            lambda x: f"({-x:.4f})" if x < 0 else f"{x:.4f}",
            {"numeric": ["x"]},
            [("numeric=['x']", "--numeric x")],
        ),
        (
            lambda x: f"{x:.4f}".replace("-", "\u2212"),
            {"numeric": ["x"]},
            [("numeric=['x']", "--numeric x")],
        ),
        (lambda x: f"{int(1e6 * x):_d}", {"numeric": ["x"]}, [("numeric=['x']", "--numeric x")]),
    ],
    ids=["comma", "thousands", "German", "spaces", "dollars", "percent", "brackets", "minus", "_"],
)
def test_readers_numbers_of_other_notations_are_named_and_read(
    tmp_path, capsys, written, options, ways
):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{written(X[k])},{K[k]},1e{K[k]}"))
    refused(path, capsys, "a.csv, line ", "column 'x' holds '", *ways)
    features, names, *_ = both(path, **options)
    assert names == ["x", "z"]
    found = features[:, 0] / (features[:, 0] @ train(X) / (train(X) @ train(X)))
    np.testing.assert_allclose(found, train(X), atol=2e-4)


def test_readers_a_comma_that_separates_no_thousands_is_no_number(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(with_cell('"1,2,3"'))
    refused(path, capsys, "column 'x' holds '1,2,3', not a number", thousands=",")


@pytest.mark.parametrize(
    ("format", "ways"),
    [
        ("%d/%m/%Y", [("date_format='%d/%m/%Y'", "--date-format %d/%m/%Y")]),
        ("%m/%d/%Y", [("date_format='%m/%d/%Y'", "--date-format %m/%d/%Y")]),
        ("%d.%m.%Y %H:%M", [("date_format='%d.%m.%Y %H:%M'", "--date-format '%d.%m.%Y %H:%M'")]),
        ("%d-%b-%Y", [("date_format='%d-%b-%Y'", "--date-format %d-%b-%Y")]),
        ("%d-%b-%Y %H:%M", ["%d-%b-%Y %H:%M'"]),
        ("%b %d, %Y %I:%M %p", ["'%b %d, %Y %I:%M %p'"]),
        ("%Y-%m-%d %I:%M:%S %p", ["'%Y-%m-%d %I:%M:%S %p'"]),
        ("%a, %d %b %Y %H:%M:%S GMT", ["'%a, %d %b %Y %H:%M:%S GMT'"]),
        ("%a %b %d %H:%M:%S %Y", ["'%a %b %d %H:%M:%S %Y'"]),
        ("%Y/%m/%d %H:%M:%S +0000", ["'%Y/%m/%d %H:%M:%S %z'"]),
        ("%d/%m/%YT%H:%MZ", ["%d/%m/%YT%H:%MZ"]),
        ("%Y%m%dT%H%M%S", ["%Y%m%dT%H%M%S"]),
    ],
)
def test_readers_dates_of_other_formats_are_named_and_read(tmp_path, capsys, format, ways):
    days = np.datetime64("2020-01-01T00:00:00") + np.arange(N).astype("m8[D]")
    texts = [day.item().strftime(format) for day in days]
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f'"{texts[k]}",{K[k]},{Y[k]}'))
    refused(path, capsys, "column 'x' holds '", "a date that is not of ISO 8601", *ways)
    features, *_ = both(path, date_format=format.replace("+0000", "%z"))
    assert_array_equal(features[:, 0], train(days.astype("m8[s]").astype(float)))


def test_readers_times_with_and_without_a_zone_are_named(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"2020-01-0{k % 9 + 1}T10:00:00{'Z' * (k % 2)},1,{Y[k]}"))
    refused(path, capsys, "a date of another form than others", ("drop=['x']", "--drop x"))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("abc", "a.csv, line 152: the target 'y' holds text, not numbers: 'abc'"),
        ('"1,5"', "a.csv, line 152: the target 'y' holds text, not numbers: '1,5'"),
    ],
)
def test_readers_text_in_the_target_is_named(tmp_path, capsys, cell, message):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{K[k]},{cell if k == 150 else Y[k]}"))
    refused(path, capsys, message)
    if cell == "abc":
        assert main(["fit", str(path), "--target", "y"]) == 2
        assert "--family multinomial if its values are classes" in capsys.readouterr().err


def test_readers_a_file_without_a_header_is_noticed_and_read(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{K[k]},c{k % 2},{Y[k]}", header=None))
    refused(path, capsys, "seems to have no header", ("header=False", "--no-header"), target="-1")
    for target in ("3", "-1"):
        features, names, y, _ = both(path, header=False, target=target)
        assert names == ["0", "1", "2=c0", "2=c1"] or names == ["0", "1", "2=c1", "2=c0"]
        assert_array_equal(features[:, 0], train(X))
        assert_array_equal(y, train(Y))
    assert sum(len(batch.X) for batch in scan(path, -1, features=[0, 1], header=False)) == N


def test_readers_a_header_of_numbers_is_one_if_told(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]},{K[k]},{Y[k]}", header="2019,2020,2021"))
    refused(path, capsys, "seems to have no header", target="2021")
    assert both(path, header=True, target="2021")[1] == ["2019", "2020"]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "rownames", "row.names", "__index_level_0__"])
def test_readers_row_names_are_left_out_unless_kept(tmp_path, name):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{k + 1},{X[k]},{Y[k]}", header=f"{name},x,y"))
    name = name or "Unnamed: 0"
    _, names, _, report = both(path)
    assert names == ["x"]
    assert report["left out"] == f"{name}: a row index"
    assert both(path, keep=[name])[1] == [name, "x"]
    assert scan(path, "y").feature_names == ["x"]
    assert scan(path, "y", keep=[name]).feature_names == [name, "x"]


def test_readers_identifiers_are_left_out_unless_kept(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"id{k},{X[k]},{Y[k]}"))
    _, names, _, report = both(path)
    assert names == ["z"]
    assert "x: an identifier, " in report["left out"]
    assert len(both(path, keep=["x"])[1]) == 102
    assert both(path, drop=["x"])[3].get("left out") is None


def test_readers_text_that_is_not_utf_8_is_named_and_read(tmp_path, capsys):
    text = lines(lambda k: f"{'Nîmes' if k % 3 == 1 else 'Orleans'},{X[k]},{Y[k]}")
    path = tmp_path / "a.csv"
    for charset in ("latin-1", "cp1252"):
        path.write_bytes(text.decode().encode(charset))
        refused(path, capsys, "a.csv, line 3: column 'x' holds b'N\\xeemes'", "is not UTF-8")
        assert both(path, charset=charset)[1] == ["x=Orleans", "x=Nîmes", "z"]
    path.write_bytes(text.decode().encode("utf-16"))
    assert both(path)[1] == ["x=Orleans", "x=Nîmes", "z"]
    path.write_bytes(text.decode().encode("utf-16-le"))
    refused(path, capsys, ("charset='utf-16-le'", "--encoding utf-16-le"))
    assert both(path, charset="utf-16-le")[1] == ["x=Orleans", "x=Nîmes", "z"]


def test_readers_text_that_is_not_utf_8_late_in_the_file_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("fastridge.data.csv_file.CSV_BLOCK", 512)
    path = tmp_path / "a.csv"
    text = lines(lambda k: f"{'Nîmes' if k == 200 else 'ab'[k % 2]},{X[k]},{Y[k]}")
    path.write_bytes(text.decode().encode("latin-1"))
    refused(path, capsys, "a.csv, line 202: column 'x' holds b'N\\xeemes'")
    assert "x=Nîmes" in both(path, charset="latin-1")[1]


def test_readers_lines_before_the_header_are_named_and_skipped(tmp_path, capsys):
    path = tmp_path / "a.csv"
    text = lines(lambda k: f"{X[k]},{K[k]},{Y[k]}")
    for before, first, n in (
        ("A report\n", 1, 1),
        ("# one\n# two\n", 1, 2),
        ("Title\n\n", 1, 2),
        ("Title\n\nof May\n", 1, 3),
        ("\n\nTitle\n", 3, 3),
    ):
        path.write_bytes(before.encode() + text)
        way = (f"skip_rows={n}", f"--skip-rows {n}")
        refused(path, capsys, f"does not begin with a header: line {first} holds", way)
        assert both(path, skip_rows=n)[1] == ["x", "z"]
    path.write_bytes(b"sep=;\n" + text.replace(b",", b";"))
    assert both(path)[1] == ["x", "z"]
    path.write_bytes(b"sep=;\r\n" + text.replace(b",", b";").replace(b"\n", b"\r\n"))
    assert both(path)[1] == ["x", "z"]


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (b'[{"x": 1, "y": 2},\n {"x": 2, "y": 3}]\n', ["holds JSON"]),
        (b'{"x": 1, "y": 2}\n{"x": 2, "y": 3}\n', ["holds JSON"]),
        (b'{"x": [1, 2]}', ["holds JSON"]),
        (b"<!DOCTYPE html>\n<html></html>\n", ["holds HTML"]),
        (b"@relation a\n@attribute x numeric\n", ["ARFF"]),
        (b"PARE" + bytes(100), ["an encrypted Parquet file"]),
        (b"PK\x03\x04" + bytes(100), ["a ZIP archive or an Excel workbook"]),
        (b"\x89HDF\r\n" + bytes(100), ["HDF5"]),
        (b"\xfd7zXZ\x00" + bytes(100), ["compressed by xz"]),
        (b"x,y\n1,2\n\n3,4,5\n", ["a.csv, line 4: Expected 2 columns, got 3"]),
        (b'x,y\n"1\n",2\n3\n', ["a.csv, line 4: Expected 2 columns, got 1"]),
    ],
)
def test_readers_other_formats_are_recognised(tmp_path, capsys, content, messages):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    refused(path, capsys, *messages)


def test_readers_a_header_that_is_not_utf_8_is_named(tmp_path, capsys):
    path = tmp_path / "a.csv"
    text = lines(lambda k: f"{X[k]},{K[k]},{Y[k]}", header="prénom,z,y")
    path.write_bytes(text.decode().encode("latin-1"))
    refused(path, capsys, "a.csv, line 1: the header holds b'pr\\xe9nom", "is not UTF-8")
    assert both(path, charset="latin-1")[1] == ["prénom", "z"]


def test_readers_a_comma_that_may_be_a_point_has_both_remedies(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f'"{k % 8 + 1},{100 + k}",{K[k]},{k}'))
    ways = [("thousands=','", "--thousands ,"), ("decimal=','", "--decimal ,")]
    refused(path, capsys, *ways)
    assert both(path, thousands=",")[0][:, 0].max() > 8000
    assert both(path, decimal=",")[0][:, 0].max() < 9
    refused(path, capsys, "has no column 'w'", numeric=["w"])


def test_readers_a_target_whose_comma_may_be_a_point_has_both_remedies(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{k % 7};{K[k]};0,{100 + k}", header="x;z;y"))
    refused(path, capsys, "the target 'y' holds text", ("decimal=','", "--decimal ,"))
    assert both(path, decimal=",")[2].max() < 1.0


def test_readers_blanks_around_the_names_of_columns_need_not_be_given(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(lambda k: f"{X[k]}, {K[k]}, {Y[k]}", header="x, z, y"))
    features, names, y, _ = both(path)
    assert names == ["x", " z"]
    assert_array_equal(features[:, 1], train(K))
    assert_array_equal(y, train(Y))
    assert both(path, drop=[" z"])[1] == ["x"]


@pytest.mark.parametrize(
    ("before", "newline"),
    [
        *itertools.product(["", "\n\n", "\ufeff"], ["\n", "\r\n", "\r"]),
        *itertools.product(["sep=,\n", "\ufeffsep=,\n"], ["\n", "\r\n"]),
    ],
)
def test_readers_lines_end_in_any_way_and_are_counted(tmp_path, capsys, newline, before):
    path = tmp_path / "a.csv"
    text = before + lines(lambda k: f"{X[k]},{K[k]},{Y[k]}").decode()
    path.write_bytes(text.replace("\n", newline).encode())
    features, names, *_ = both(path)
    assert names == ["x", "z"]
    assert_array_equal(features[:, 0], train(X))
    text = before + with_cell("abc").decode()
    path.write_bytes(text.replace("\n", newline).encode())
    refused(path, capsys, f"a.csv, line {152 + before.count(chr(10))}: column 'x' holds 'abc'")
