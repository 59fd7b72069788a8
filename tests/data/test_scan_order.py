"""Blocks of rows in random order: every row once, of several blocks at a time, skipped alike."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from row_sources import N, gathered, problem, sources, table

from fastridge import SGDClassifier, scan
from fastridge.data.batching import Chunk, in_batches, mixed
from fastridge.data.column_roles import Columns
from fastridge.data.splitting import Split

IN_ORDER = {"svmlight", "list of batches", "function"}
ONE_BATCH = {"npy pair", "pair", "pattern", "list", "dataset"}


def test_scan_of_every_source_gives_every_row_once_in_any_order(tmp_path):
    X, y = problem()
    for name, rows in sources(tmp_path, X, y).items():
        orders = []
        for seed in (1, 1, 2, 3, 4):
            batches = list(rows.batches(seed=seed, row_major=True))
            X_read, y_read, _, _ = gathered(batches)
            order = np.argsort(y_read)
            np.testing.assert_allclose(y_read[order], np.sort(y), rtol=1e-15, err_msg=name)
            np.testing.assert_allclose(X_read[order], X[np.argsort(y)], rtol=1e-15, err_msg=name)
            orders.append(y_read)
            assert max(batch.X.shape[0] for batch in batches) <= max(50, rows._batch_rows or N)
            if hasattr(batches[0].X, "flags") and name not in {"F order", *IN_ORDER}:
                assert all(batch.X.flags.c_contiguous for batch in batches), name
            for k in (1, 3):
                rest = list(rows.batches(k, seed=seed, row_major=True))
                assert len(rest) == max(0, len(batches) - k), name
                for one, other in zip(batches[k:], rest, strict=True):
                    np.testing.assert_array_equal(one.y, other.y)
                    difference = one.X != other.X
                    assert not (difference.nnz if sp.issparse(difference) else difference.any())
        np.testing.assert_array_equal(orders[0], orders[1])
        if name not in IN_ORDER | ONE_BATCH | {"feather", "csv", "column of npy"}:
            assert (orders[0] != y).any(), name
            assert len(np.unique(orders, axis=0)) > 1, name


def grouped(path, n_groups=20, size=64, value=lambda group: group):
    """A file whose row groups hold one value each."""
    groups = np.repeat(np.arange(n_groups), size)
    t = pa.table({"x": groups + 0.0, "y": value(groups)})
    pq.write_table(t, path, row_group_size=size)
    return path


def test_scan_shuffled_batch_has_rows_of_four_row_groups_of_all_files(tmp_path):
    for k in range(3):
        grouped(tmp_path / f"{k}.parquet", value=lambda group, k=k: group + 100 * k)
    rows = scan(tmp_path, "y", batch_rows=64)
    seen = [np.unique(batch.y, return_counts=True) for batch in rows.batches(seed=5)]
    assert len(seen) == 60
    for values, counts in seen:
        assert counts.tolist() == [16] * 4
        assert len(values) == 4
    files_of_batches = [set((values // 100).tolist()) for values, _ in seen]
    assert sum(len(files) > 1 for files in files_of_batches) > 40


def test_scan_of_small_row_groups_gives_full_batches(tmp_path):
    path = grouped(tmp_path / "a.parquet", n_groups=30, size=7)
    for options in ({}, {"seed": 3}):
        sizes = [len(batch.y) for batch in scan(path, "y", batch_rows=50).batches(**options)]
        assert max(sizes) <= 50
        assert len(sizes) == 5


def test_scan_with_dropped_rows_gives_full_batches(tmp_path):
    X, y = problem()
    y[::2] = np.nan
    pq.write_table(pa.table({"x": X[:, 0], "y": pa.array(y, from_pandas=True)}), tmp_path / "a.pq")
    rows = scan(tmp_path / "a.pq", "y", nulls="drop", batch_rows=20)
    assert [len(batch.y) for batch in rows] == [20, 20, 11]
    np.testing.assert_array_equal(np.concatenate([batch.y for batch in rows]), y[1::2])
    assert [len(batch.y) for batch in rows.batches(2)] == [11]


def test_scan_skipping_reads_no_row_group_in_vain(tmp_path, monkeypatch):
    path = grouped(tmp_path / "a.parquet")
    read = []
    chunk = Columns.chunk
    monkeypatch.setattr(
        Columns, "chunk", lambda self, t, where: read.append(where) or chunk(self, t, where)
    )
    rest = list(scan(path, "y", batch_rows=48).batches(24))
    assert [batch.y[0] for batch in rest] == [18, 18, 19]
    assert [batch.y.size for batch in rest] == [48, 48, 32]
    assert len(read) <= 4
    assert read[0].endswith("a.parquet, from row 1152 on")


def test_scan_errors_in_mixed_blocks_name_file_and_row(tmp_path):
    X, y = problem()
    pq.write_table(table(X, y), tmp_path / "a.parquet", row_group_size=20)
    y = pa.array([*y[:-1], None])
    pq.write_table(table(X, y), tmp_path / "b.parquet", row_group_size=20)
    rows = scan(tmp_path, "y", batch_rows=10).batches(seed=0)
    with pytest.raises(ValueError, match=r"b\.parquet, row 102: column 'y' has missing"):
        list(rows)


def test_scan_of_columns_with_different_types_reads_them(tmp_path):
    t = pa.table({"a": np.arange(6, dtype=np.int8), "b": np.arange(6.0), "y": [True, False] * 3})
    pq.write_table(t, tmp_path / "a.parquet")
    (batch,) = scan(tmp_path / "a.parquet", "y").batches(seed=0, row_major=True)
    np.testing.assert_array_equal(batch.X, np.column_stack([np.arange(6.0)] * 2))
    np.testing.assert_array_equal(batch.y, [1.0, 0.0] * 3)


def test_sgd_learns_from_rows_sorted_by_class(tmp_path):
    rng = np.random.default_rng(0)
    c = np.sort(rng.integers(0, 2, 6400))
    X = rng.standard_normal((6400, 3)) + np.outer(c, [2.0, -2.0, 1.0])
    names = {f"x{j}": X[:, j] for j in range(3)}
    pq.write_table(pa.table({**names, "c": c}), tmp_path / "a.parquet", row_group_size=200)
    rows = scan(tmp_path / "a.parquet", "c", batch_rows=100)
    scores = {}
    for shuffle in (True, False):
        model = SGDClassifier(
            "log_loss", learning_rate="constant", eta0=0.1, max_iter=1, tol=None,
            shuffle=shuffle, random_state=0,
        )  # fmt: skip
        predicted = X @ model.fit(rows).coef_[0] + model.intercept_ > 0.0
        scores[shuffle] = np.mean(predicted == c)
    assert scores[True] > 0.9 > 0.8 > scores[False]


chunks = st.lists(st.lists(st.integers(0, 20), max_size=5), max_size=8)


def read_chunks(sizes):
    """Yield chunks of these sizes for each block; y holds block and row."""
    for k, block in enumerate(sizes):
        begin = 0
        for size in block:
            yield Chunk(size, [], 1000.0 * k + np.arange(begin, begin + size))
            begin += size


def values(spans):
    return np.concatenate([chunk.y[begin:end] for chunk, begin, end in spans])


@given(chunks, st.integers(1, 30), st.integers(0, 70))
def test_batches_do_not_depend_on_chunks(sizes, n_rows, drop):
    everything = np.concatenate([np.empty(0), *(p.y for p in read_chunks(sizes))])[drop:]
    batches = [values(spans) for spans in in_batches(read_chunks(sizes), n_rows, drop)]
    assert all(len(batch) == n_rows for batch in batches[:-1])
    assert all(0 < len(batch) <= n_rows for batch in batches)
    np.testing.assert_array_equal(np.concatenate([np.empty(0), *batches]), everything)


@given(chunks, st.integers(1, 30), st.integers(0, 2**31 - 1), st.integers(0, 5), st.booleans())
def test_mixed_blocks_have_every_row_once(sizes, n_rows, seed, skip, prefetch):
    blocks = [list(read_chunks([[]] * k + [block])) for k, block in enumerate(sizes)]
    whole = [values(b) for b in mixed(blocks, seed, lambda b: b, n_rows, prefetch=prefetch)]
    assert all(0 < len(batch) <= n_rows for batch in whole)
    everything = np.concatenate([np.empty(0), *(p.y for p in read_chunks(sizes))])
    np.testing.assert_array_equal(np.sort(np.concatenate([np.empty(0), *whole])), everything)
    rest = [values(b) for b in mixed(blocks, seed, lambda b: b, n_rows, skip)]
    assert len(rest) == max(0, len(whole) - skip)
    for one, other in zip(whole[skip:], rest, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("encoded", [False, True])
def test_scan_batches_by_fold_are_the_same_rows_in_order_of_their_folds(tmp_path, encoded):
    X, y = problem()
    pq.write_table(table(X, y), tmp_path / "d.parquet", row_group_size=17)
    options = {"nulls": "mean"} if encoded else {}
    rows = scan(tmp_path / "d.parquet", "y", fold=Split(0, 0.2, 3), batch_rows=40, **options)
    for one, other in zip(rows.batches(), rows.batches(by_fold=True), strict=True):
        order = np.argsort(one.fold, kind="stable")
        np.testing.assert_array_equal(one.X[order], other.X)
        np.testing.assert_array_equal(one.y[order], other.y)
        np.testing.assert_array_equal(one.fold[order], other.fold)
