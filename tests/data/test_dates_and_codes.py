"""Dates that do not exist or come late, codes of many digits, marks that are numbers, long rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from both_readers import K, N, X, Y, both, lines, refused, train
from numpy.testing import assert_array_equal

from fastridge import load, scan
from fastridge.cli import main
from fastridge.data import csv_file
from fastridge.data.batches import ScanError
from fastridge.data.csv_options import DEFAULT_CSV
from fastridge.data.opening import open_file


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(csv_file, "CSV_BLOCK", 2048)


def column(cell, header="x,w,y"):
    return lines(lambda k: f"{X[k]},{cell(k)},{Y[k]}", header)


def day(k):
    return f"2020-01-{k % 28 + 1:02}"


def write(tmp_path, content, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("cell", ["2020-13-01", "2020-02-30"])
def test_date_that_does_not_exist_is_named(tmp_path, capsys, small_blocks, cell):
    path = write(tmp_path, column(lambda k: cell if k == 290 else day(k)))
    refused(path, capsys, "line 292", repr(cell), "that exists", "values are")


def test_time_with_zone_that_comes_late_is_named(tmp_path, capsys, small_blocks):
    zoned = column(lambda k: day(k) + "T00:00:00" + "Z" * (k == 290))
    path = write(tmp_path, zoned)
    refused(path, capsys, "line 292", "'2020-01-11T00:00:00Z'")


@pytest.mark.parametrize(
    ("cell", "format"),
    [("2020-{}-7", "%Y-%m-%d"), ("2020/{}/7 5:30", "'%Y/%m/%d %H:%M'"), ("2020.{}.7", "%Y.%m.%d")],
)
def test_date_without_zeros_names_its_format(tmp_path, capsys, cell, format):
    path = write(tmp_path, column(lambda k: cell.format(k % 9 + 1)))
    plain = format.strip("'")
    refused(path, capsys, (f"date_format={plain!r}", f"--date-format {format}"))
    features, *_ = both(path, date_format=plain)
    assert len(np.unique(features[:, 1])) == 9


_HALVES = [f"{(k + 11) % 12 + 1}:{k:02} {'AP'[k // 12]}M" for k in range(24)]


@pytest.mark.parametrize(
    ("cells", "format"),
    [
        (_HALVES, "'%I:%M %p'"),
        ([one.lower().replace(" ", "") for one in _HALVES], "'%I:%M %p'"),
        ([f"{k}:{k:02}:07" for k in range(24)], "%H:%M:%S"),
    ],
)
def test_times_of_day_of_other_notations_are_named_and_read(tmp_path, capsys, cells, format):
    path = write(tmp_path, column(lambda k: cells[k % 24]))
    refused(
        path, capsys, "a time of day that is not of ISO 8601", f"{format}", "drop", "categorical"
    )
    times, *_ = both(path, date_format=format.strip("'"))
    wanted = train([(k % 24) * 3660 + 7 * (format == "%H:%M:%S") for k in range(N)])
    assert_array_equal(times[:, 1] - np.min(times[:, 1]), wanted - np.min(wanted))


@pytest.mark.parametrize("format", ["%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%b-%y", "%B %Y"])
def test_months_are_named_and_read(tmp_path, capsys, format):
    months = np.datetime64("2001-01") + np.arange(N)
    path = write(tmp_path, column(lambda k: months[k].item().strftime(format)))
    way = format.replace("B", "b")
    refused(path, capsys, "'w' holds '", "a month without a day", way, "drop", "categorical")
    features, *_ = both(path, date_format=way)
    days = months.astype("M8[s]").astype(float)
    assert_array_equal(features[:, 1], train(days))


@pytest.mark.parametrize(
    ("stray", "wanted"), [("soon", "values are times of day"), ("61:99", "that exists")]
)
def test_stray_text_among_times_of_day_is_named(tmp_path, capsys, stray, wanted):
    path = write(tmp_path, column(lambda k: stray if k == 5 else f"{k % 24:02}:{k % 60:02}"))
    refused(path, capsys, "line 7: column 'w' holds", repr(stray), "not a time of day", wanted)


def test_dates_and_times_of_two_formats_are_read(tmp_path):
    rows = lines(lambda k: f"{k % 28 + 1}/05/2020,{k % 12 + 1} PM,{Y[k]}", "x,w,y")
    path = write(tmp_path, rows)
    features, names, *_ = both(path, date_format=["%d/%m/%Y", "%I %p"])
    assert names == ["x", "w"]
    assert len(np.unique(features[:, 0])) == 28
    assert np.ptp(features[:, 1]) == 11 * 3600


def test_durations_of_a_table_are_named_without_a_format(tmp_path, capsys):
    table = pa.table({"x": X, "w": [f"{k // 60}:{k % 60:02}:05.5" for k in range(N)], "y": Y})
    pq.write_table(table, tmp_path / "a.parquet")
    refused(tmp_path / "a.parquet", capsys, "row ", "a time of day that is not", "drop")


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        (lambda k: f"2020-01-{k % 28 + 1:02}", "a date"),
        (lambda k: f"2020-01-{k % 28 + 1:02} 10:00:00", "a date and time"),
        (lambda k: f"2020-01-{k % 28 + 1:02} 10:00:00Z", "a date and time"),
        (lambda k: f"{k % 24:02}:00", "a time of day"),
        (lambda k: ("true", "false")[k % 2], "true or false"),
        (lambda k: k, "a number"),
    ],
)
@pytest.mark.parametrize("at", [0, 77])
def test_stray_text_in_new_rows_is_named_by_its_line(tmp_path, capsys, cell, wanted, at):
    path, model = write(tmp_path, column(cell)), str(tmp_path / "m")
    assert main(["fit", str(path), "--target", "y", "--alpha", "1", "--save", model]) == 0
    rest = lambda k: "NA" if k == 5 else "soon" if k == at else cell(k)  # noqa: E731
    new = write(tmp_path, column(rest), "new.csv")
    capsys.readouterr()
    message = f"new.csv, line {at + 2}: column 'w' holds 'soon', not {wanted}: give "
    assert main(["predict", model, str(new)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message + "--na-values soon if it stands for a missing value" in err
    with pytest.raises(ScanError, match=message + r"na_values=\['soon'\]"):
        list(scan(new, "y", encoding=load(model).encoding_))
    folder = tmp_path / "both"
    folder.mkdir()
    path.rename(folder / "a.csv")
    new.rename(folder / "new.csv")
    with pytest.raises(ScanError, match=message):
        list(scan(folder, "y", encoding=load(model).encoding_))


@pytest.mark.parametrize("cell", ["2020-01-05", "2020-01-05 10:00:00", "10:00:00"])
def test_column_whose_first_values_come_late_has_their_type(tmp_path, small_blocks, cell):
    path = write(tmp_path, column(lambda k: cell if k > 280 else ""))
    features, names, *_ = both(path)
    assert names == ["x", "w", "w missing"]
    assert np.ptp(features[:, 1]) == 0.0
    model = str(tmp_path / "m")
    assert main(["fit", str(path), "--target", "y", "--alpha", "1", "--save", model]) == 0
    assert main(["predict", model, str(path), "--output", str(tmp_path / "o.csv")]) == 0


def test_predict_time_column_without_values_uses_the_mean(tmp_path, capsys):
    path = write(tmp_path, column(lambda k: day(k) + "T10:00:00"))
    empty = write(tmp_path, column(lambda k: ""), "b.csv")
    model = str(tmp_path / "m")
    assert main(["fit", str(path), "--target", "y", "--alpha", "1", "--save", model]) == 0
    assert main(["predict", model, str(empty), "--output", str(tmp_path / "o.csv")]) == 0
    assert "300 missing values" in capsys.readouterr().err


@pytest.mark.parametrize("late", [False, True])
def test_codes_beyond_float64_stay_apart(tmp_path, small_blocks, late):
    def code(k):
        return str((2**64 if not late or k > 280 else 2**53) + k % 3)

    path = write(tmp_path, column(code))
    _, names, *_ = both(path, categorical=["w"])
    assert sorted(names[1:]) == sorted(f"w={one}" for one in {code(k) for k in range(N)})


@pytest.mark.parametrize(("mark", "cell"), [("999", "999.0"), ("-999.00", "-999"), ("0.5", "0.50")])
def test_number_among_na_values_is_missing_in_all_its_digits(tmp_path, mark, cell):
    path = write(tmp_path, column(lambda k: cell if k % 7 == 3 else f"{k}.25"))
    features, names, *_ = both(path, na_values=[mark])
    assert names == ["x", "w", "w missing"]
    assert_array_equal(features[:, 2], train(np.arange(N) % 7 == 3))


def test_numeric_column_of_text_is_refused(tmp_path, capsys):
    path = write(tmp_path, column(lambda k: "abc"[K[k]]))
    refused(path, capsys, "line 2", "'a'", "not a number", numeric=["w"])


@pytest.mark.parametrize("at", [0, 150])
@pytest.mark.parametrize("quoted", [False, True])
def test_row_longer_than_a_block_is_read(tmp_path, small_blocks, at, quoted):
    long = '"' + "q,\n" * 4000 + '"' if quoted else "q" * 12_000
    path = write(tmp_path, column(lambda k: long if k == at else "ab"[k % 2]))
    features, names, y, _ = both(path, max_categories=2)
    assert names == ["x", "w=b", "w=a", "w=(other)"][: len(names)]
    assert_array_equal(features[:, 0], train(X))
    assert_array_equal(y, train(Y))


def test_header_longer_than_a_block_is_read(tmp_path, small_blocks):
    path = write(tmp_path, column(lambda k: K[k], "x," + "w" * 9000 + ",y"))
    features, names, *_ = both(path)
    assert names == ["x", "w" * 9000]
    assert_array_equal(features[:, 0], train(X))


def test_decimal_comma_of_a_file_with_points_names_the_point(tmp_path, capsys):
    path = write(tmp_path, column(lambda k: K[k]))
    refused(path, capsys, ("decimal='.'", "--decimal ."), decimal=",")


@pytest.mark.parametrize("delimiter", ["^", "~", ":", "/"])
def test_single_column_that_holds_the_target_names_the_delimiter(tmp_path, capsys, delimiter):
    path = write(tmp_path, column(lambda k: K[k]).replace(b",", delimiter.encode()))
    refused(path, capsys, "a single one", (f"delimiter={delimiter!r}", "--delimiter"))
    both(path, delimiter=delimiter)


@pytest.mark.parametrize("sep", [" ", ","])
def test_header_without_a_name_for_the_names_of_rows_is_refused(tmp_path, capsys, sep):
    content = lines(lambda k: sep.join(f'"{k + 1}",{X[k]},{Y[k]}'.split(",")), sep.join("xy"))
    path = write(tmp_path, content)
    refused(
        path, capsys, "has 2 names", "3 fields", ("skip_rows=1", "--skip-rows 1 and --no-header")
    )
    features, *_ = both(path, skip_rows=1, header=False, target="-1")
    assert_array_equal(features[:, 1], train(X))


def test_target_of_dates_is_named_in_words(tmp_path, capsys):
    path = write(tmp_path, column(day, "x,y,z"))
    refused(path, capsys, "the target 'y' holds dates")


def test_column_in_other_case_is_suggested(tmp_path, capsys):
    path = write(tmp_path, column(lambda k: K[k]))
    refused(path, capsys, "did you mean 'y'?", target="Y")


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("at", ["x", "y"])
def test_numbers_whose_squares_overflow_are_named(tmp_path, capsys, wide, at):
    n = 20 if wide else N
    names = ["x", *(f"c{j}" for j in range(40 if wide else 1)), "y"]

    def row(k):
        cells = [X[k], *((k + 3) * (j + 2) % 17 for j in range(len(names) - 2)), Y[k]]
        return ",".join(
            f"{v}e200" if name == at else str(v) for name, v in zip(names, cells, strict=True)
        )

    path = write(tmp_path, "\n".join([",".join(names), *map(row, range(n)), ""]).encode())
    refused(path, capsys, "line 2", f"column {at!r} holds numbers up to", "power of ten")


def test_huge_number_in_a_row_that_is_held_out_gives_no_warning(tmp_path, capfd):
    path = write(tmp_path, lines(lambda k: f"{X[k]}{'e200' if k == 150 else ''},{Y[k]}", "x,y"))
    test = write(tmp_path, lines(lambda k: f"{X[k]},{Y[k]}", "x,y"), "b.csv")
    for command in ("fit", "cv"):
        assert main([command, str(test), "--target", "y", "--test", str(path)]) == 0
    assert capfd.readouterr().err == ""


def test_error_of_a_file_that_was_cut_meanwhile_says_that_it_changed(tmp_path):
    path = write(tmp_path, column(lambda k: K[k]))
    file = open_file(path, {}, {}, DEFAULT_CSV)
    with pytest.raises(ScanError, match="changed since it was opened"), file.naming("(rows)"):
        path.write_bytes(path.read_bytes()[:-30])
        raise pa.ArrowInvalid("Expected 3 columns, got 1")
