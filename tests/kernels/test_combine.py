"""Weighted sums of rows, for every instruction set, dtype and layout, against slow NumPy."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import _kernels
from fastridge.statistics.accumulate import combined_rows

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "row-strided": lambda A: np.repeat(A, 2, axis=0)[::2],
    "column-strided": lambda A: np.repeat(A, 3, axis=1)[:, ::3],
    "reversed": lambda A: np.ascontiguousarray(A[::-1, ::-1])[::-1, ::-1],
}


@pytest.fixture(params=_kernels.available)
def combine(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.combine")


def reference(X, shift, left):
    """left' (X - shift), a row at a time."""
    total = np.zeros((left.shape[1], X.shape[1]))
    for row, factors in zip(X.astype(np.float64), left, strict=True):
        total += np.outer(factors, row - shift)
    return total


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [1, 3, 4, 10])
@pytest.mark.parametrize("n_sums", [1, 3, 4, 9])
def test_combine_rows(combine, dtype, layout, n, n_sums):
    rng = np.random.default_rng(n)
    for p in (1, 9, 2100):
        X = LAYOUTS[layout](rng.standard_normal((n, p)).astype(dtype))
        shift, left = rng.standard_normal(p), rng.standard_normal((n, n_sums))
        sums = np.ones((n_sums, p))
        combine.combine_rows(X, shift, left, sums)
        assert_allclose(sums, 1.0 + reference(X, shift, left), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("n", [1, 3, 4, 10])
@pytest.mark.parametrize("n_vectors", [1, 3, 9])
def test_combine_columns_each(combine, dtype, step, n, n_vectors):
    rng = np.random.default_rng(n)
    for p in (1, 9, 300):
        X = rng.standard_normal((n * step, p)).astype(dtype)[::step]
        shift, coef = rng.standard_normal(p), rng.standard_normal((n_vectors, p))
        intercept, sums = rng.standard_normal(n_vectors), np.empty((n_vectors, n))
        combine.combine_columns_each(X, shift, coef, intercept, np.empty(4 * p), sums)
        expected = reference((X.astype(np.float64) - shift).T, np.zeros(n), coef.T)
        assert_allclose(sums, expected + intercept[:, None], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("p", [1, 7, 300])
def test_predict_rows(combine, dtype, layout, p):
    rng = np.random.default_rng(p)
    X = LAYOUTS[layout](rng.standard_normal((5, p)).astype(dtype))
    coef, found = rng.standard_normal(p).astype(dtype), np.empty(5, dtype)
    assert combine.predict_rows(X, coef, 0.5, found)
    expected = [sum(float(x) * float(w) for x, w in zip(row, coef, strict=True)) for row in X]
    assert_allclose(
        found, np.array(expected) + 0.5, rtol=0, atol=1e-5 if dtype is np.float32 else 1e-12
    )
    for bad in (np.nan, np.inf, -np.inf):
        X[3, p - 1] = bad
        assert not combine.predict_rows(X, coef, 0.5, found)
        X[3, p - 1] = 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, ">f8"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_threads_share_the_columns(monkeypatch, dtype, layout, n_threads):
    monkeypatch.setattr("fastridge.statistics.accumulate._THREADED_SUMS", 1)
    monkeypatch.setattr("fastridge.statistics.accumulate._SLICE_SUMS", 50)
    rng = np.random.default_rng(0)
    X = LAYOUTS[layout](rng.integers(-9, 9, (23, 19)).astype(dtype))
    shift, left = rng.standard_normal(19), rng.standard_normal((23, 2))
    found = combined_rows(X, shift, left, n_threads)
    assert_allclose(found, reference(X, shift, left), rtol=0, atol=1e-12)
