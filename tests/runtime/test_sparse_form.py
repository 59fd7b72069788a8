"""Sparse X in every form: malformed X is rejected, and the storage of entries changes nothing."""

import importlib
import subprocess
import sys
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from fastridge import Lasso, Ridge, SGDClassifier, SGDRegressor, _kernels

HANG = 300
"""Seconds after which the script counts as hung; no claim about speed."""


def test_sparse_x_malformed_raises_at_every_entry_point():
    script = Path(__file__).parents[1] / "malformed_sparse.py"
    result = subprocess.run(
        [sys.executable, "-P", str(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    wrong = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
    last = result.stdout.splitlines()[-1:]
    assert result.returncode == 0, (wrong[:20], last, result.stderr)


@pytest.mark.parametrize("simd", _kernels.available)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_stored_form_of_any_rows_matches_scipy(simd, dtype, index, data):
    kernel = importlib.import_module(f"fastridge._kernels.{simd}.sparse_form")
    rows = data.draw(st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=8))
    values = data.draw(
        st.lists(st.sampled_from([0.0, -0.0, 1.0, np.nan]), min_size=40, max_size=40)
    )
    indptr = np.cumsum([0, *map(len, rows)]).astype(index)
    indices = np.array(list(chain.from_iterable(rows)), dtype=index)
    found = kernel.stored_form(np.array(values, dtype=dtype), indices, indptr)
    unsorted = any(a >= b for row in rows for a, b in pairwise(row))
    zero = any(value == 0.0 for value in values[: indptr[-1]])
    assert found == (unsorted, zero)


def stored_otherwise(X, rng):
    """The same matrix with entries in any order, some of them in two parts, and with zeros."""
    X = sp.coo_array(X)
    part = np.where(rng.random(X.nnz) < 0.5, X.data, 2.0 * X.data)
    rest = X.data - part  # exact
    n_zeros = 1 + X.nnz // 3
    rows = [X.row, X.row, rng.integers(0, X.shape[0], n_zeros)]
    columns = [X.col, X.col, rng.integers(0, X.shape[1], n_zeros)]
    data = np.concatenate([part, rest, np.zeros(n_zeros, X.dtype)])
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    mixed = rng.permutation(len(data))
    mixed = mixed[np.argsort(rows[mixed], kind="stable")]
    indptr = np.cumsum([0, *np.bincount(rows, minlength=X.shape[0])], dtype=np.int32)
    return sp.csr_array((data[mixed], columns[mixed].astype(np.int32), indptr), shape=X.shape)


def column_major(X):
    """CSC of the very entries of CSR X, repeated ones included."""
    rows = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
    order = np.argsort(X.indices, kind="stable")
    indptr = np.cumsum([0, *np.bincount(X.indices, minlength=X.shape[1])], dtype=np.int32)
    return sp.csc_array((X.data[order], rows[order], indptr), shape=X.shape)


MODELS = {
    "plain": SGDRegressor(random_state=0, max_iter=4, tol=None),
    "l1": SGDRegressor(penalty="l1", random_state=0, max_iter=4, tol=None),
    "averaged": SGDRegressor(average=True, random_state=0, max_iter=4, tol=None),
    "auto": SGDRegressor(learning_rate="auto", random_state=0, max_iter=4, tol=None),
    "standardized": SGDRegressor(standardize=True, random_state=0, max_iter=4, tol=None),
    "held out": SGDRegressor(early_stopping=True, random_state=0, max_iter=4, tol=None),
    "batches": SGDRegressor(batch_size=7, penalty="l1", random_state=0, max_iter=4, tol=None),
    "adagrad": SGDRegressor(optimizer="adagrad", eta0=0.1, random_state=0, max_iter=4, tol=None),
    "ftrl": SGDRegressor(
        optimizer="ftrl", learning_rate="constant", eta0=0.1, random_state=0, max_iter=4, tol=None
    ),
    "classes": SGDClassifier(random_state=0, max_iter=4, tol=None),
    "pa1": SGDClassifier(learning_rate="pa1", random_state=0, max_iter=4, tol=None),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sgd_with_repeated_unsorted_or_zero_entries_is_bitwise_the_same(name, layout, dtype):
    rng = np.random.default_rng(5)
    X = sp.random_array((300, 30), density=0.1, format="csr", random_state=rng).astype(dtype)
    X.data[:] = np.round(8.0 * X.data) / 8.0 - 0.5
    X.eliminate_zeros()
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # as in `other`
    y = X @ rng.standard_normal(30) + 0.1 * rng.standard_normal(300)
    y = y if isinstance(MODELS[name], SGDRegressor) else np.digitize(y, [-0.2, 0.2])
    other = stored_otherwise(X, rng)
    other = {"csr": other, "csc": column_major(other), "coo": other.tocoo()}[layout]
    kept = other.copy()
    model, again = (MODELS[name].__class__(**MODELS[name].get_params()) for _ in range(2))
    model.fit(X, y)
    again.fit(other, y)
    assert_array_equal(again.coef_, model.coef_)
    assert_array_equal(again.intercept_, model.intercept_)
    if not model.early_stopping:
        model.partial_fit(X, y)
        again.partial_fit(other, y)
        assert_array_equal(again.coef_, model.coef_)
    assert_array_equal(other.data, kept.data)


@pytest.mark.parametrize("model", [Ridge(), Lasso(0.01)])
@pytest.mark.parametrize("layout", ["csr", "csc"])
def test_fit_with_repeated_unsorted_or_zero_entries_is_the_same(model, layout):
    rng = np.random.default_rng(6)
    X = sp.random_array((80, 10), density=0.3, format="csr", random_state=rng)
    y = X @ rng.standard_normal(10)
    other = stored_otherwise(X, rng)
    other = other if layout == "csr" else column_major(other)
    coef = model.fit(X.asformat(layout), y).coef_.copy()
    np.testing.assert_allclose(model.fit(other, y).coef_, coef, rtol=1e-12, atol=1e-14)


def test_fit_sparse_x_of_unusual_arrays_equals_its_dense_copy():
    rng = np.random.default_rng(7)
    X = sp.random_array((60, 5), density=0.5, format="csr", random_state=rng)
    y = X @ np.arange(5.0)
    expected = Ridge().fit(X.toarray(), y).coef_
    odd = X.copy()
    odd.indices = odd.indices.astype(">i4")
    odd.data = np.repeat(odd.data, 2)[::2]
    np.testing.assert_allclose(Ridge().fit(odd, y).coef_, expected, rtol=1e-12)
    odd = X.copy()
    odd.indices, odd.indptr = odd.indices.astype(np.uint16), odd.indptr.astype(np.uint64)
    np.testing.assert_allclose(Ridge().fit(odd, y).coef_, expected, rtol=1e-12)
