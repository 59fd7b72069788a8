"""Dates that do not exist or come late, codes of many digits, marks that are numbers, long rows."""

import numpy as np
import pyarrow as pa
import pytest
from both_readers import K, N, X, Y, both, lines, refused, train
from numpy.testing import assert_array_equal

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
