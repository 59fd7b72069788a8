"""CSV files of many columns: marks with blanks around them are looked for first."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastridge import scan
from fastridge.data import csv_file

WIDE = 80


def table_of(tmp_path, cells, delimiter=",", end="\n"):
    """A file of many columns, the first of which holds these cells."""
    rest = [str(k) for k in range(1, WIDE)]
    rows = [[f"x{k}" for k in range(WIDE)], *([cell, *rest] for cell in cells)]
    path = tmp_path / "wide.csv"
    path.write_bytes((end.join(delimiter.join(row) for row in rows) + end).encode())
    return path


@pytest.mark.parametrize("mark", ["NA", " NA", "NA ", "\t-", "   ", "  ?  ", '" NA"', '"NA "'])
@pytest.mark.parametrize("delimiter", [",", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_scan_wide_csv_marks_with_blanks_are_missing(tmp_path, mark, delimiter, end):
    cells = ["1", "2", mark, "4"] * 20
    rows = scan(table_of(tmp_path, cells, delimiter, end), nulls="drop")
    X = np.concatenate([batch.X for batch in rows])
    assert_array_equal(X[:, 0], [1, 2, 4] * 20)


def test_scan_wide_csv_mark_in_the_last_cell_of_a_late_block_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "CSV_BLOCK", 1 << 12)
    path = table_of(tmp_path, ["1"] * 500)
    text = path.read_bytes().removesuffix(f"{WIDE - 1}\n".encode())
    path.write_bytes(text + b"NA ")
    (batch,) = scan(path, nulls="drop", batch_rows=1000)
    assert len(batch.X) == 499


def test_scan_wide_csv_without_blanks_is_read_without_marks_with_blanks(tmp_path):
    plain = csv_file.CsvFile(str(table_of(tmp_path, ["1", "NA"])), {}, None, csv_file.CsvOptions())
    assert len(plain._convert_options["null_values"]) < 100
    blank = csv_file.CsvFile(str(table_of(tmp_path, ["1", " 2"])), {}, None, csv_file.CsvOptions())
    assert len(blank._convert_options["null_values"]) > 1000


def test_scan_wide_csv_text_with_blanks_inside_is_unchanged(tmp_path):
    path = table_of(tmp_path, ["a b", "NA", "c d"] * 20)
    rows = scan(path, infer=True)
    assert rows.feature_names[:3] == ["x0=a b", "x0=c d", "x0=(missing)"]
