"""scan of svmlight files: every row once, wherever the blocks that are read end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_svmlight_file

from fastridge import scan
from fastridge.data import svmlight
from fastridge.data.batches import ScanError


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(svmlight, "_BATCH_BYTES", 64)


def read(path):
    rows = scan(path, n_features=40)
    return rows, [batch.y for batch in rows]


def line(row, n_values):
    return " ".join([str(row), *(f"{j}:{row + 1}" for j in range(n_values))])


@pytest.mark.parametrize("long_row", range(5))
@pytest.mark.parametrize("end", ["\n", ""])
def test_scan_svmlight_line_longer_than_a_block_comes_once(tmp_path, long_row, end):
    lines = [line(row, 38 if row == long_row else 2) for row in range(5)]
    path = tmp_path / "a.svm"
    path.write_text("\n".join(lines) + end)
    rows, y = read(path)
    np.testing.assert_array_equal(np.concatenate(y), np.arange(5.0))
    X = np.concatenate([batch.X.toarray() for batch in rows])
    assert X.sum() == sum((row + 1.0) * (38 if row == long_row else 2) for row in range(5))
    rest = [batch.y.tolist() for batch in rows.batches(1)]
    assert rest == [batch.tolist() for batch in y[1:]]


def test_scan_svmlight_comments_longer_than_a_block_are_skipped(tmp_path):
    path = tmp_path / "a.svm"
    path.write_text("0 1:1\n" + "# nothing here\n" * 20 + "\n" * 70 + "1 2:3 # why\r\n2 3:1\n")
    np.testing.assert_array_equal(np.concatenate(read(path)[1]), [0.0, 1.0, 2.0])


@given(st.lists(st.integers(0, 38), min_size=1, max_size=12), st.booleans())
def test_scan_svmlight_every_row_comes_once_in_order(tmp_path_factory, sizes, ends):
    path = tmp_path_factory.mktemp("rows") / "a.svm"
    text = "\n".join(line(row, n_values) for row, n_values in enumerate(sizes))
    path.write_text(text + "\n" * ends)
    np.testing.assert_array_equal(np.concatenate(read(path)[1]), np.arange(float(len(sizes))))


@pytest.mark.parametrize("n_bytes", [1, 16, 100])
def test_scan_svmlight_rows_are_the_same_whatever_is_parsed_at_once(tmp_path, monkeypatch, n_bytes):
    path = tmp_path / "a.svm"
    path.write_text("# first\n" + "\n".join(line(row, row % 5) for row in range(30)))
    monkeypatch.setattr(svmlight, "_BATCH_BYTES", 200)
    wanted = as_read(path)
    monkeypatch.setattr(svmlight, "_PARSED_BYTES", n_bytes)
    np.testing.assert_array_equal(as_read(path), wanted)


def test_scan_svmlight_damaged_line_is_named_by_its_number(tmp_path):
    path = tmp_path / "a.svm"
    path.write_text("".join(line(row, 2) + "\n" for row in range(20)) + "x y\n")
    with pytest.raises(ScanError, match=r"a.svm, line \d+, "):
        read(path)


def as_read(path, **options):
    rows = scan(path, **options)
    return np.concatenate([batch.X.toarray() for batch in rows])


@pytest.mark.parametrize("first", ["1 1:1 3:2\n" * 30, "# nothing here\n" * 20])
def test_scan_svmlight_zero_index_late_in_the_file_makes_it_zero_based(tmp_path, first):
    path = tmp_path / "a.svm"
    path.write_text(first + "2 0:5 2:7\n")
    wanted, _ = load_svmlight_file(str(path))
    np.testing.assert_array_equal(as_read(path), wanted.toarray())
    np.testing.assert_array_equal(
        as_read(path, n_features=4)[:, : wanted.shape[1]], wanted.toarray()
    )
    np.testing.assert_array_equal(as_read(path, zero_based=True), wanted.toarray())
    with pytest.raises(ScanError, match="Give zero_based=True or 'auto'"):
        as_read(path, zero_based=False)


def test_scan_svmlight_without_zero_index_keeps_its_columns(tmp_path):
    path = tmp_path / "a.svm"
    path.write_text("# nothing here\n" * 20 + "1 1:1 3:2\n" * 30)
    for zero_based in ("auto", False, True):
        wanted, _ = load_svmlight_file(str(path), zero_based=zero_based)
        np.testing.assert_array_equal(as_read(path, zero_based=zero_based), wanted.toarray())
        found = as_read(path, zero_based=zero_based, n_features=6)
        np.testing.assert_array_equal(found[:, : wanted.shape[1]], wanted.toarray())


def test_scan_zero_based_without_meaning_raises(tmp_path):
    (tmp_path / "a.svm").write_text("1 1:1\n")
    with pytest.raises(ValueError, match="zero_based must be True, False or 'auto', got 1"):
        scan(tmp_path / "a.svm", zero_based=1)
    with pytest.raises(ValueError, match="zero_based belongs to svmlight files"):
        scan(np.ones((2, 1)), np.ones(2), zero_based=True)
