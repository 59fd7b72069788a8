"""Folders, patterns and checkpoints of the command line."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from cli_tables import load
from numpy.testing import assert_allclose, assert_array_equal

from fastridge.cli import sgd
from fastridge.runtime.memory import memory_size

FIT = ("--target", "y", "--seed", 3)


@pytest.fixture
def folder(tmp_path, table):
    """The rows of `data` in files of a folder, which also holds files without data."""
    folder = tmp_path / "many"
    (folder / "more").mkdir(parents=True)
    ends = [0, 100, 130, table.num_rows]
    for k, name in enumerate(("a.parquet", "b.parquet", "more/c.parquet")):
        pq.write_table(table.slice(ends[k], ends[k + 1] - ends[k]), folder / name)
    (folder / "README").write_text("no data")
    (folder / "_SUCCESS").write_text("")
    return folder


@pytest.mark.parametrize("options", [(), ("--l1-ratio", 1)])
def test_a_folder_is_the_file_of_all_its_rows(data, folder, tmp_path, run, options):
    for name, source in (("one", data), ("all", folder), ("some", f"{folder}/**/*.parquet")):
        out = run("fit", source, *FIT, *options, "--save", tmp_path / name)
        assert ("3, one after the other" in out) == (name != "one")
    wanted = load(tmp_path / "one").coef_
    for name in ("all", "some"):
        assert_allclose(load(tmp_path / name).coef_, wanted, rtol=1e-9)
    assert run("predict", tmp_path / "one", folder) == run("predict", tmp_path / "one", data)


def test_types_of_csv_widen_over_files(tmp_path, run):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2))
    for k, values in enumerate((np.arange(30), x[:30, 0])):
        part = {"y": x[k * 30 : k * 30 + 30].sum(axis=1), "z": values, "w": ["a", "b", "c"] * 10}
        pa.csv.write_csv(pa.table(part), tmp_path / f"{k}.csv")
    out = run("fit", f"{tmp_path}/?.csv", *FIT, "--alpha", 1, "--save", tmp_path / "m")
    assert "z" in out
    assert len(run("predict", tmp_path / "m", f"{tmp_path}/?.csv").split()) == 61


def test_folders_named_after_values_are_columns(tmp_path, run, refused):
    rng = np.random.default_rng(1)
    for key in (1, 2, 10):
        (tmp_path / "d" / f"k={key}").mkdir(parents=True)
        x = rng.standard_normal(80)
        pq.write_table(pa.table({"x": x, "y": 2.0 * x + key}), tmp_path / f"d/k={key}/p.parquet")
    run("fit", tmp_path / "d", *FIT, "--alpha", 0, "--save", tmp_path / "m")
    model = load(tmp_path / "m")
    assert_allclose(model.coef_, [2.0, 1.0], rtol=1e-10)
    assert run("predict", tmp_path / "m", tmp_path / "d/k=1/p.parquet").count("\n") == 81


def test_files_that_do_not_fit_are_named(tmp_path, refused):
    (tmp_path / "d").mkdir()
    table = pa.table({"x": [1.0, 2.0], "y": [1.0, 3.0]})
    pq.write_table(table, tmp_path / "d/a.parquet")
    for other, what in (
        (pa.table({"x": ["a", "b"], "y": [1.0, 3.0]}), "b.parquet: column 'x' holds string"),
        (table.select(["y"]), "b.parquet has no column 'x'"),
    ):
        pq.write_table(other, tmp_path / "d/b.parquet")
        assert what in refused("fit", tmp_path / "d", *FIT)
    (tmp_path / "d/b.parquet").write_bytes(b"PAR1 and no more")
    assert "b.parquet cannot be read as Parquet" in refused("fit", tmp_path / "d", *FIT)
    assert "no file matches" in refused("fit", tmp_path / "*.csv", *FIT)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_fit_a_column_without_values_in_one_file_is_missing_there(tmp_path, run, position, kind):
    x = np.arange(40.0)
    for k in range(2):
        for name, values in (("x", x), ("c", pa.array(["a", "b"] * 20))):
            empty = k == position
            table = pa.table({"z": x % 7, "y": x**2, name: pa.nulls(40) if empty else values})
            (tmp_path / name).mkdir(exist_ok=True)
            path = tmp_path / name / f"{k}.{kind}"
            (pq.write_table if kind == "parquet" else pa.csv.write_csv)(table, path)
    assert "x (40 became the mean" in run("fit", tmp_path / "x", *FIT, "--test-size", 0)
    out = " ".join(run("fit", tmp_path / "c", *FIT, "--test-size", 0).replace("│", " ").split())
    assert "c (2)" in out
    assert "c (40 are a category)" in out


def test_predict_codes_are_read_as_they_were_or_refused(tmp_path, run, refused):
    rng = np.random.default_rng(0)
    codes = np.array(["00501", "A1", "00502"])[rng.integers(0, 3, 60)]
    y = (codes == "00501") * 3.0 + (codes == "A1")
    pa.csv.write_csv(pa.table({"c": codes, "y": y}), tmp_path / "train.csv")
    run("fit", tmp_path / "train.csv", *FIT, "--alpha", 1e-9, "--save", tmp_path / "m")
    pa.csv.write_csv(pa.table({"c": ["00501", "00502"]}), tmp_path / "p.csv")
    values = [
        float(line) for line in run("predict", tmp_path / "m", tmp_path / "p.csv").split()[1:]
    ]
    assert_allclose(values, [3.0, 0.0], atol=1e-6)
    pq.write_table(pa.table({"c": [501, 502]}), tmp_path / "p.parquet")
    assert "'c' holds int64 where text" in refused(
        "predict", tmp_path / "m", tmp_path / "p.parquet"
    )
    for where, keys in (("kt", ("A1", "00501")), ("kp", ("00501",))):
        for key in keys:
            (tmp_path / where / f"c={key}").mkdir(parents=True)
            rows = pa.table({"x": np.arange(30.0), "y": np.arange(30.0) + 9.0 * (key == "A1")})
            pa.csv.write_csv(rows, tmp_path / where / f"c={key}" / "a.csv")
    run("fit", tmp_path / "kt", *FIT, "--alpha", 1e-9, "--save", tmp_path / "m2")
    values = [float(line) for line in run("predict", tmp_path / "m2", tmp_path / "kp").split()[1:]]
    assert_allclose(values, np.arange(30.0), atol=1e-5)


def test_predict_long_codes_are_told_apart(tmp_path, run):
    codes = 2**60 + np.arange(4)
    table = pa.table({"c": np.tile(codes, 30), "y": np.tile(np.arange(4.0), 30)})
    pa.csv.write_csv(table, tmp_path / "a.csv")
    run("fit", tmp_path / "a.csv", *FIT, "--categorical", "c", "--alpha", 1e-9, "--save",
        tmp_path / "m")  # fmt: skip
    values = run("predict", tmp_path / "m", tmp_path / "a.csv").split()[1:5]
    assert_allclose([float(value) for value in values], np.arange(4.0), atol=1e-5)


OPTIONS = {
    "ridge": ("--no-check",),
    "elastic net": ("--l1-ratio", "0.5", "--no-check"),
    "sgd": ("--method", "sgd", "--epochs", "4", "--tol", "0"),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_killed_command_resumes_to_the_same_bits(tmp_path, folder, run, kind):
    words = ["fit", str(folder), *map(str, FIT), *OPTIONS[kind]]
    kept = ["--checkpoint", str(tmp_path / "kept"), "--checkpoint-every", "40"]
    run(*words, *kept, "--save", tmp_path / "whole")
    for name in ("kept", "kept.columns"):
        (tmp_path / name).unlink()
    slow = (
        "import sys, time, fastridge.data.one_hot as e\n"
        "encode = e.Encoder.encode\n"
        "def slowly(self, batch):\n    time.sleep(0.3)\n    return encode(self, batch)\n"
        "e.Encoder.encode = slowly\n"
        "from fastridge.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", slow, *words, *kept],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while child.poll() is None and not (tmp_path / "kept").exists():
        time.sleep(0.01)
    assert child.poll() is None, child.stderr.read()
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    run(*words, *kept, "--save", tmp_path / "resumed")
    whole, resumed = load(tmp_path / "whole"), load(tmp_path / "resumed")
    assert_array_equal(resumed.coef_, whole.coef_)
    assert_array_equal(resumed.intercept_, whole.intercept_)


def test_checkpoints_of_other_data_are_refused(data, tmp_path, run, refused):
    kept = ("--checkpoint", tmp_path / "kept")
    run("fit", data, *FIT, *kept)
    out = run("fit", data, *FIT, *kept, "--alpha", 3)  # nothing is read for the statistics
    assert "alpha" in out
    assert "other data or columns" in refused("fit", data, "--target", "y", "--seed", 4, *kept)
    (tmp_path / "kept").write_bytes((tmp_path / "kept").read_bytes()[:-9])
    assert "kept" in refused("fit", data, *FIT, *kept)
    assert "give --checkpoint" in refused("fit", data, *FIT, "--checkpoint-every", 5)


def test_rows_larger_than_a_fraction_of_memory_are_read_again(data, tmp_path, run, monkeypatch):
    words = ("fit", data, *FIT, "--method", "sgd", "--epochs", 200, "--tol", 0)
    out = run(*words, "--save", tmp_path / "kept")
    assert "read again" not in out
    monkeypatch.setattr(sgd, "memory_size", lambda: 1000)
    out = run(*words, "--save", tmp_path / "streamed")
    assert "rows are read again every epoch" in out
    one, two = load(tmp_path / "kept"), load(tmp_path / "streamed")
    assert_allclose(two.coef_, one.coef_, rtol=0.2, atol=0.05 * np.abs(one.coef_).max())


def test_the_size_of_memory_is_known():
    assert memory_size() > 1 << 27
