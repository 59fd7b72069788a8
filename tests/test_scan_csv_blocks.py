"""Line breaks inside quotes of CSV files, wherever the blocks that are parsed at once end."""

import bz2
import gzip
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastridge import scan
from fastridge.cli import reading
from fastridge.sources.batches import ScanError
from fastridge.sources.line_breaks import WholeLineBreaks

BLOCK = 1 << 20


def text_with_breaks_at(place, newline):
    """Return a CSV text that has CR inside quotes as byte number `place`, and then some more."""
    fill, row = f"z,2.5{newline}", f'"a\r\nb",1.5{newline}'
    begin = place - 2
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
def test_scan_quoted_line_break_across_blocks_of_compressed_files(tmp_path, ending):
    text = text_with_breaks_at(BLOCK - 1, "\r\n")
    path = written(tmp_path / f"q.csv{ending}", text)
    assert scan(path, "y", categorical="auto").feature_names == ["c=z", "c=a\r\nb"]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_cli_quoted_line_break_across_blocks_is_one_value(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(reading, "_CSV_BLOCK", 256)
    for shift in (-1, 0, 1):
        path = written(tmp_path / f"q{ending}", text_with_breaks_at(5 * 256 - 1 + shift, "\n"))
        values = set()
        for batch in reading.open_source(str(path)).batches(["c"]):
            values |= set(batch.column(0).to_pylist())
        assert values == {"z", "a\r\nb"}


def test_scan_dataset_with_blocks_of_its_own_keeps_line_breaks(tmp_path):
    options = pyarrow.dataset.CsvFragmentScanOptions(
        read_options=pyarrow.csv.ReadOptions(block_size=128)
    )
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    kind = pyarrow.dataset.CsvFileFormat(parse, default_fragment_scan_options=options)
    for place in range(3 * 128 - 3, 3 * 128 + 3):
        path = written(tmp_path / "q.csv", text_with_breaks_at(place, "\n"))
        rows = scan(pyarrow.dataset.dataset(str(path), format=kind), "y", categorical="auto")
        assert rows.feature_names == ["c=z", "c=a\r\nb"]


def test_scan_filter_partitions_and_text_of_csv_go_together(tmp_path):
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


@settings(max_examples=60, deadline=None)
@given(st.text("\r\nab", max_size=60), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_whole_line_breaks_are_the_bytes_and_end_in_no_cr(text, sizes):
    data = text.encode()
    file = WholeLineBreaks(pa.BufferReader(data))
    parts = []
    for size in itertools.cycle(sizes):
        part = bytes(memoryview(file.read(size)))
        if not part:
            break
        assert len(part) <= max(size, 2)
        parts.append(part)
    assert b"".join(parts) == data
    for part, rest in itertools.pairwise(parts):
        assert not (part.endswith(b"\r") and rest.startswith(b"\n"))
    file.close()
    assert file.closed
