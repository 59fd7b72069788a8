"""Line breaks inside quotes of CSV files, wherever the blocks that are parsed at once end."""

import bz2
import gzip
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastridge import scan
from fastridge.cli.rows import open_table
from fastridge.data import csv_file
from fastridge.data.batches import ScanError
from fastridge.data.csv_text import record_batches

BLOCK = 1 << 20


def text_with_breaks_at(position, newline):
    """Return a CSV text that has CR inside quotes as byte `position`, and then some more."""
    fill, row = f"z,2.5{newline}", f'"a\r\nb",1.5{newline}'
    begin = position - 2
    text = f"c,y{newline}"
    text += fill * ((begin - len(text)) // len(fill) - 2)
    text += "z,2." + "5" * (begin - len(text) - 4 - len(newline)) + newline
    assert len(text) == begin
    return text + 3 * row


def written(path, text):
    data = text.encode()
    packed = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)
    path.write_bytes(packed(data))
    return path


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("shift", [-2, -1, 0, 1])
def test_scan_quoted_line_break_across_blocks_is_one_category(tmp_path, newline, shift):
    path = written(tmp_path / "q.csv", text_with_breaks_at(BLOCK - 1 + shift, newline))
    rows = scan(path, "y", categorical="auto")
    assert rows.feature_names == ["c=z", "c=a\r\nb"]
    assert sum(batch.X[:, 1].sum() for batch in rows) == 3.0
    assert scan(path, "y", categorical="auto", encoding=None).encoding == rows.encoding


@pytest.mark.parametrize("ending", [".gz", ".bz2"])
def test_scan_quoted_line_break_across_blocks_of_compressed_files_is_kept(tmp_path, ending):
    text = text_with_breaks_at(BLOCK - 1, "\r\n")
    path = written(tmp_path / f"q.csv{ending}", text)
    assert scan(path, "y", categorical="auto").feature_names == ["c=z", "c=a\r\nb"]


def test_scan_reads_the_same_text_from_every_format(tmp_path):
    rows = "".join(f'"t{k % 3}\r\n",{k},{k / 2}\r\n' for k in range(120_000))
    found = []
    for name in ("a.csv", "a.csv.gz"):
        path = written(tmp_path / name, "c,x,y\r\n" + rows)
        given = scan(path, "y", categorical="auto", filter=pyarrow.dataset.field("x") >= 7)
        found.append([np.concatenate(parts) for parts in zip(*(b[:2] for b in given), strict=True)])
    assert len(found[0][1]) == 120_000 - 7
    assert given.feature_names == ["c=t1\r\n", "c=t2\r\n", "c=t0\r\n", "x"]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_cli_quoted_line_break_across_blocks_is_one_value(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(csv_file, "CSV_BLOCK", 256)
    for shift in (-1, 0, 1):
        path = written(tmp_path / f"q{ending}", text_with_breaks_at(5 * 256 - 1 + shift, "\n"))
        values = set()
        table = open_table(str(path))
        for batch, _ in table.tables(table.runs[0], ["c"], 1 << 16, 1):
            values |= set(batch.column(0).to_pylist())
        assert values == {"z", "a\r\nb"}


def test_scan_combines_filter_partitions_and_csv_text(tmp_path):
    for key in ("u", "v"):
        (tmp_path / f"k={key}").mkdir()
        lines = "".join(f"t{row % 3},{row},{row / 2}\n" for row in range(20))
        (tmp_path / f"k={key}" / "a.csv").write_text("c,x,y\n" + lines)
    field = pyarrow.dataset.field
    rows = scan(
        tmp_path, "y", features=["c", "k"], categorical="auto",
        filter=(field("x") >= 5) & (field("k") == "v"), batch_rows=4,
    )  # fmt: skip
    assert rows.feature_names == ["c=t0", "c=t1", "c=t2", "k=v"]
    batches = list(rows)
    assert max(len(batch.y) for batch in batches) == 4
    np.testing.assert_array_equal(
        np.concatenate([batch.y for batch in batches]), np.arange(5, 20) / 2
    )
    rows = scan(tmp_path, "y", features=["x"], categorical=["x"], max_categories=3)
    assert rows.feature_names == ["x=0", "x=1", "x=10", "x=(other)"]
    with pytest.raises(ScanError, match=r"a.csv cannot be read .* no kernel|no match|not found"):
        list(scan(tmp_path, "y", features=["x"], filter=field("c") > 3))


def rows_of(path, **options):
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    convert = pyarrow.csv.ConvertOptions(column_types={name: pa.string() for name in "abc"})
    batches = list(record_batches(str(path), list("abc"), parse, convert, **options))
    return [row for batch in batches for row in zip(*batch.to_pydict().values(), strict=True)]


VALUES = st.one_of(
    st.text('\r\n,"x', max_size=12).map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.text("xy'", min_size=1, max_size=9),
    st.sampled_from(['5" disk', 'x"y"z', '"a"b', '"a"b"c', '""', '"a""b', '" "" "']),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=25),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.integers(2, 60),
    st.integers(2, 60),
)
def test_record_batches_equal_those_of_one_block(tmp_path_factory, rows, newline, end, size, block):
    rows = [[v + '"' if v.count('"') == 3 and v[1] == "a" else v for v in row] for row in rows]
    text = newline.join(["a,b,c", *map(",".join, rows)]) + newline * end
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    path.write_bytes(text.encode())
    whole = rows_of(path, n_bytes=1 << 20, block=1 << 20)
    assert len(whole) == len(rows)
    assert rows_of(path, n_bytes=size, block=block) == whole


def test_record_batches_errors_count_rows_from_the_beginning(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n" + "1,2,3\n" * 30 + "1,2\n")
    with pytest.raises(pa.ArrowInvalid, match="Row #32: Expected 3 columns, got 2"):
        rows_of(path, n_bytes=20, block=20)
    path.write_text('a,b,c\n1,2,"' + "x\n" * 50 + '"\n4,5,6')
    assert rows_of(path, n_bytes=10, block=10) == [("1", "2", "x\n" * 50), ("4", "5", "6")]


@pytest.mark.parametrize("seed", [None, 1])
def test_process_exits_while_files_are_read(tmp_path, seed):
    lines = "".join(f"{k},t{k % 3}\n" for k in range(50_000))
    for k in range(6):
        written(tmp_path / f"{k}.csv.gz", "x,c\n" + lines)
    code = (
        "from fastridge import scan\n"
        f"rows = scan({str(tmp_path)!r}, 'x', categorical={{'c': ['t0']}}, batch_rows=5000)\n"
        f"batches = rows.batches(seed={seed})\n"
        "next(batches)\n"
    )
    # a thread of pyarrow's own may still end the process once in some hundred times
    good, runs = 0, 0
    while good < 2:
        end = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=False)
        good, runs = good + ((end.returncode, end.stderr) == (0, b"")), runs + 1
        assert runs - good < 2, end.stderr
