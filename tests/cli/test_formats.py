"""Files and types of columns: what means the same gives the same model."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_tables import csv_text, load, write_as
from numpy.testing import assert_allclose

from fastridge.cli.rows import open_table
from fastridge.data import table_files
from fastridge.data.splitting import HELD_OUT, Split
from fastridge.io.model_file import read_model

EXAMPLES = Path(__file__).parents[2] / "examples"


FORMATS = ["parquet", "feather", "arrow stream", "csv", "csv.gz", "csv.zst"]
FORMATS += ["csv semicolon", "csv bom", "csv crlf"]


@pytest.mark.parametrize("kind", FORMATS)
def test_formats_give_the_same_model(data, table, tmp_path, run, kind):
    path = tmp_path / "data"  # no ending: the contents tell
    write_as(table, path, kind)
    for name, source in (("wanted", data), ("found", path)):
        run("fit", source, "--target", "y", "--alpha", 1, "--save", tmp_path / name)
    wanted, found = read_model(tmp_path / "wanted"), read_model(tmp_path / "found")
    for one, two in zip(found[1]["columns"], wanted[1]["columns"], strict=True):
        assert_allclose(one.pop("fill", 0.0), two.pop("fill", 0.0), rtol=1e-12)
        assert one == two
    assert_allclose(found[0].coef_, wanted[0].coef_, rtol=1e-9)
    # and the same predictions by either model of either file
    one = run("predict", tmp_path / "wanted", path)
    two = run("predict", tmp_path / "found", data)
    assert_allclose(np.loadtxt(one.split()[1:]), np.loadtxt(two.split()[1:]), rtol=1e-9)


@pytest.mark.parametrize("how", ["dictionary", "large_string", "float32", "decimal", "int8"])
def test_types_that_mean_the_same(data, table, tmp_path, run, how):
    if how == "dictionary":
        table = table.set_column(2, "city", table["city"].dictionary_encode())
    elif how == "large_string":
        table = table.set_column(2, "city", table["city"].cast(pa.large_string()))
    elif how == "int8":
        table = table.set_column(5, "code", table["code"].cast(pa.int8()))
    elif how == "decimal":
        table = table.set_column(5, "code", table["code"].cast(pa.decimal128(20, 0)))
    else:
        table = table.set_column(5, "code", table["code"].cast(pa.float32()))
    pq.write_table(table, tmp_path / "other.parquet")
    for name, source in (("wanted", data), ("found", tmp_path / "other.parquet")):
        run("fit", source, "--target", "y", "--alpha", 1, "--save", tmp_path / name)
    assert_allclose(load(tmp_path / "found").coef_, load(tmp_path / "wanted").coef_, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "factor"),
    [
        (pa.timestamp("s"), 1.0),
        (pa.timestamp("ms", "UTC"), 1e-3),
        (pa.timestamp("ns"), 1e-9),
        (pa.time32("ms"), 1e-3),
        (pa.time64("us"), 1e-6),
        (pa.duration("us"), 1e-6),
        (pa.date64(), 1 / 86_400_000),
    ],
    ids=str,
)
def test_times_are_seconds_and_dates_days(tmp_path, run, dtype, factor):
    rng = np.random.default_rng(0)
    ticks = rng.integers(0, 80_000_000, size=200)
    if dtype == pa.date64():
        ticks = ticks // 1000 * 86_400_000
    integer = pa.int32() if dtype == pa.time32("ms") else pa.int64()
    when = pa.array(ticks).cast(integer).cast(dtype)
    y = ticks * factor + rng.normal(size=200)
    pq.write_table(pa.table({"when": when, "y": y}), tmp_path / "d.parquet")
    run("fit", tmp_path / "d.parquet", "--target", "y", "--alpha", 0, "--save", tmp_path / "m")
    seconds = ticks * factor
    train = Split(0, 0.2, 5).start().draw(200) != HELD_OUT
    expected = np.polyfit(seconds[train], y[train], 1)[0]
    assert_allclose(load(tmp_path / "m").coef_[0], expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_files_are_not_kept_in_memory(tmp_path, kind):
    table = pa.table({f"x{j}": np.random.default_rng(j).random(200_000) for j in range(20)})
    path = tmp_path / "data"
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=20_000)
    else:
        write_as(table, path, kind)
    del table
    before, most, n_rows = pa.total_allocated_bytes(), 0, 0
    table = open_table(str(path))
    names = ["x0", *(f"x{j}" for j in range(1, 20))]
    for batch, _ in table.tables(table.runs[0], names, 16384, 1):
        n_rows += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert n_rows == 200_000
    assert most < 0.8 * path.stat().st_size


def test_timestamps_in_csv(tmp_path, run):
    lines = ["when,y"]
    for k in range(100):
        lines.append(f"2011-01-{k % 28 + 1:02d} {k % 24:02d}:30:00,{k * k}")
    path = tmp_path / "d.csv"
    path.write_text("\n".join(lines))
    assert "when (seconds since 1970)" in run(
        "fit", path, "--target", "y", "--save", tmp_path / "m"
    )
    assert len(run("predict", tmp_path / "m", path).split()) == 101


def test_csv_types_widen_when_later_rows_need_it(tmp_path, run, monkeypatch):
    monkeypatch.setattr(table_files, "CSV_BLOCK", 256)
    rows = [f"{k},{k % 3},{k % 7}" for k in range(200)]
    rows += [f"{k}.5,A{k % 3},{k % 7}.25" for k in range(200)]
    path = tmp_path / "d.csv"
    path.write_text(csv_text(rows))
    out = run(
        "fit", path, "--target", "y", "--alpha", 1, "--test-size", 0, "--save", tmp_path / "m"
    )
    assert "c (6)" in out
    assert "400 for training" in out
    names = set(load(tmp_path / "m").feature_names_in_)
    assert names == {"x", "c=0", "c=1", "c=2", "c=A0", "c=A1", "c=A2"}
    assert len(run("predict", tmp_path / "m", path).split()) == 401


def test_csv_columns_that_begin_empty(tmp_path, run, monkeypatch):
    monkeypatch.setattr(table_files, "CSV_BLOCK", 256)
    rows = [f"{k},,{k % 7}" for k in range(200)] + [f"{k},{k % 5},{k % 7}" for k in range(200)]
    path = tmp_path / "d.csv"
    path.write_text(csv_text(rows))
    assert "c (200 became" in run("fit", path, "--target", "y", "--alpha", 1, "--test-size", 0)


def test_csv_missing_values(tmp_path, run):
    marks = ["NA", "", "?", "NaN", "null"]
    rows = [f"{marks[k % 5] if k % 4 == 0 else k},{'NA' if k % 9 == 0 else 'v'},{k % 7}"
            for k in range(100)]  # fmt: skip
    path = tmp_path / "d.csv"
    path.write_text(csv_text(rows))
    out = run("fit", path, "--target", "y", "--alpha", 1, "--test-size", 0)
    assert "x (25 became" in out
    assert "c (12 are a category)" in " ".join(out.replace("│", " ").split())


def test_csv_lines_inside_quotes(tmp_path, run):
    rows = [f'{k},"two\nlines, {k % 2}",{k % 7}' for k in range(100)]
    path = tmp_path / "d.csv"
    path.write_text(csv_text(rows))
    assert "100 for training" in run("fit", path, "--target", "y", "--test-size", 0)
