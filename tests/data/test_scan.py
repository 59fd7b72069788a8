"""Sources: the same rows whatever they come from, and errors that say where."""

import pickle
import threading

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from row_sources import N, gathered, problem, sources, table

from fastridge import scan
from fastridge.data.batches import ScanError
from fastridge.runtime.buffers import Buffers
from fastridge.runtime.prefetch import prefetched


def test_scan_of_every_source_repeats_the_rows_in_order(tmp_path):
    X, y = problem()
    for name, rows in sources(tmp_path, X, y).items():
        for _ in range(2):
            X_read, y_read, weight, fold = gathered(rows)
            np.testing.assert_allclose(X_read, X, rtol=1e-15, err_msg=name)
            np.testing.assert_allclose(y_read, y, rtol=1e-15, err_msg=name)
            assert weight is None
            assert fold is None
        assert rows.n_rows in (None, N), name


def test_scan_skips_batches(tmp_path):
    X, y = problem()
    for name, rows in sources(tmp_path, X, y).items():
        whole = list(rows)
        rest = list(rows.batches(2))
        assert len(rest) == max(0, len(whole) - 2), name
        for one, other in zip(whole[2:], rest, strict=True):
            np.testing.assert_array_equal(one.y, other.y)


def test_scan_reads_weights_folds_and_targets_from_columns(tmp_path):
    X, y = problem()
    weight, fold = np.arange(N) + 1.0, np.arange(N) % 4
    t = table(X, y, w=weight, f=fold, z=-y)
    pq.write_table(t, tmp_path / "t.parquet")
    for source in (tmp_path / "t.parquet", t, t.to_pandas()):
        rows = scan(source, ["y", "z"], weights="w", fold="f", batch_rows=20)
        assert rows.feature_names == ["x0", "x1", "x2"]
        assert rows.target_names == ["y", "z"]
        X_read, y_read, weight_read, fold_read = gathered(rows)
        np.testing.assert_array_equal(X_read, X)
        np.testing.assert_array_equal(y_read, np.column_stack([y, -y]))
        np.testing.assert_array_equal(weight_read, weight)
        np.testing.assert_array_equal(fold_read, fold)
    rows = scan(X, y, weights=weight, fold=fold, features=[2, 0], batch_rows=20)
    X_read, _, weight_read, fold_read = gathered(rows)
    np.testing.assert_array_equal(X_read, X[:, [2, 0]])
    np.testing.assert_array_equal(weight_read, weight)
    np.testing.assert_array_equal(fold_read, fold)


def test_scan_reads_small_types_as_float32_and_large_ones_as_float64(tmp_path):
    narrow = pa.table({"a": np.arange(5, dtype=np.float32), "b": [True] * 5, "y": np.arange(5.0)})
    assert next(iter(scan(narrow, "y"))).X.dtype == np.float32
    wide = pa.table({"a": np.arange(5), "y": np.arange(5.0)})
    assert next(iter(scan(wide, "y"))).X.dtype == np.float64


def test_scan_of_arrays_copies_no_views():
    X, y = problem()
    for batch in scan(X, y, batch_rows=10):
        assert np.shares_memory(batch.X, X)


def test_scan_filters_rows_and_reads_partitions_as_columns(tmp_path):
    X, y = problem()
    t = table(X, y, part=np.arange(N) % 2)
    pa.dataset.write_dataset(
        t, tmp_path / "p", format="parquet", partitioning=["part"], partitioning_flavor="hive"
    )
    rows = scan(tmp_path / "p", "y", features=["x0", "part"], filter=pa.dataset.field("x0") > 0)
    X_read, _, _, _ = gathered(rows)
    assert rows.n_rows is None
    assert len(X_read) == (X[:, 0] > 0).sum()
    np.testing.assert_array_equal(np.sort(X_read[:, 0]), np.sort(X[X[:, 0] > 0, 0]))


def test_scan_of_a_folder_ignores_other_files(tmp_path, monkeypatch):
    X, y = problem()
    folder = tmp_path / "of=which" / "rows"
    for k, name in enumerate(("kind=a", "kind=b", ".trash", "_temporary")):
        (folder / name).mkdir(parents=True)
        pq.write_table(table(X, y + k), folder / name / "0.parquet")
    (folder / "README.md").write_text("no rows")
    (folder / "kind=a" / "_SUCCESS").write_text("")
    monkeypatch.chdir(tmp_path / "of=which")
    for given in (folder, "rows"):
        rows = scan(given, "y", categorical=["kind"])
        assert rows.feature_names[-2:] == ["kind=a", "kind=b"]
        assert rows.n_rows == 2 * N
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScanError, match=r"holds no files named \.parquet"):
        scan(tmp_path / "empty", "y")


def test_scan_rejects_or_drops_rows_with_nulls(tmp_path):
    t = pa.table({"a": [1.0, None, 3.0, 4.0], "b": [1, 2, None, 4], "y": [1.0, 2.0, 3.0, None]})
    pq.write_table(t, tmp_path / "n.parquet")
    with pytest.raises(ScanError, match=r"n.parquet, row 1: column 'a' has missing values"):
        list(scan(tmp_path / "n.parquet", "y"))
    X_read, y_read, _, _ = gathered(scan(tmp_path / "n.parquet", "y", nulls="drop"))
    np.testing.assert_array_equal(X_read, [[1.0, 1.0]])
    np.testing.assert_array_equal(y_read, [1.0])


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def test_scan_with_invalid_arguments_says_what_is_wrong(tmp_path):
    X, y = problem()
    good = write(tmp_path / "a.parquet", x=[1.0, 2.0], y=[1.0, 2.0])
    written = tmp_path / "b.csv"
    written.write_text("x,y\n1,2\n")
    cases = [
        (lambda: scan(good, "z"), "no column 'z'; there are 'x', 'y'"),
        (lambda: scan(good, "y", features="x"), "list of column names"),
        (lambda: scan(good, "y", features=["x", "y"]), "'y' is a feature and something else"),
        (lambda: scan(good, "y", nulls="fill"), "nulls must be one of error, drop, mean"),
        (lambda: scan(tmp_path / "none.parquet", "y"), "does not exist"),
        (lambda: scan(str(tmp_path / "b*.parquet"), "y"), "no file matches"),
        (lambda: scan([good, written], "y"), "of one format"),
        (lambda: scan(X, y[:5]), "target has 5 rows, but X has 103"),
        (lambda: scan(X, 7), "no column of X"),
        (lambda: scan(X, y, batch_rows=0), "batch_rows must be"),
        (lambda: scan(X, y, filter=1), "filter is not supported for arrays"),
        (lambda: scan(X, y, n_features=3), "svmlight files only"),
        (lambda: scan([(X, y)], "y"), "target is not supported for an iterator"),
        (lambda: scan(3), "got int"),
        (lambda: scan(scan(X, y)), "Scan already"),
        (lambda: list(scan([(X, y[:3])])), "batch 0 of the iterator: y has 3 rows"),
        (lambda: list(scan([X[0]])), "2 dimensions"),
        (lambda: list(scan(X, y, fold=np.full(N, -1))), "whole numbers from 0 up"),
        (lambda: scan(pa.table({"a": ["b"], "y": [1.0]}), "y"), "'a' holds text, not numbers"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


def test_scan_of_an_iterator_is_read_once():
    X, y = problem()
    rows = scan(iter([(X, y)]))
    assert len(list(rows)) == 1
    with pytest.raises(ScanError, match="only once"):
        rows.batches()


def test_scan_names_files_that_differ_or_end_early(tmp_path):
    write(tmp_path / "0.parquet", x=[1.0, 2.0], y=[1.0, 2.0])
    write(tmp_path / "1.parquet", z=[1.0, 2.0], y=[1.0, 2.0])
    with pytest.raises(ScanError, match=r"0.parquet has no column 'z', which .*1.parquet has"):
        list(scan(tmp_path, "y"))
    write(tmp_path / "1.parquet", x=["a", "b"], y=[1.0, 2.0])
    with pytest.raises(ScanError, match=r"1.parquet: column 'x' holds string, where"):
        list(scan(tmp_path, "y"))
    rng = np.random.default_rng(0)
    path = write(tmp_path / "1.parquet", x=rng.random(10000), y=rng.random(10000))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ScanError, match=r"1.parquet cannot be read"):
        list(scan(tmp_path, "y"))
    path.write_bytes(whole[:4] + b"\xff" * 40 + whole[44:])
    rows = scan(tmp_path, "y").batches()
    assert next(rows).X.shape == (2, 1)
    with pytest.raises(ScanError, match=r"1.parquet cannot be read \(from row 0 on\)"):
        next(rows)


def test_prefetch_keeps_order_raises_errors_and_ends_its_thread():
    def items():
        yield from range(5)
        raise OSError("no more")

    seen = []
    with pytest.raises(OSError, match="no more"):
        seen.extend(prefetched(items()))
    assert seen == [0, 1, 2, 3, 4]
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    before = threading.active_count()
    items = prefetched(endless())
    assert next(items) == 1
    items.close()
    assert closed
    assert threading.active_count() == before


def test_buffers_reuse_memory_of_deleted_batches(tmp_path):
    X, _ = problem()
    path = write(tmp_path / "a.parquet", a=X[:, 0], b=X[:, 1])
    rows = scan(path, batch_rows=5)
    held = [batch.X for batch in rows]
    np.testing.assert_array_equal(np.concatenate(held), X[:, :2])
    some = [batch.X[1:3] for batch in rows]  # views hold it too
    np.testing.assert_array_equal(np.concatenate(some[:3]), X[[1, 2, 6, 7, 11, 12], :2])
    del held, some
    addresses = {batch.X.__array_interface__["data"][0] for batch in rows}
    assert len(addresses) <= 8 < N // 5
    copied = pickle.loads(pickle.dumps(Buffers()))
    assert copied.array((2, 3), np.float32).shape == (2, 3)
