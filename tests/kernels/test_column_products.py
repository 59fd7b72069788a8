"""Products of columns with each other and with vectors, for every instruction set."""

import importlib
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import _kernels


@pytest.fixture(params=_kernels.available)
def column_products(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.column_products")


@pytest.fixture(params=_kernels.available)
def sparse_gram(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.sparse_gram")


@pytest.mark.parametrize("n", [1, 7, 511, 512, 513, 1100])
@pytest.mark.parametrize("first", [0, 1, 5, 12])
@pytest.mark.parametrize("more", [1, 3, 4, 6])
def test_extend_gram(column_products, n, first, more):
    rng = np.random.default_rng(n + first)
    end = first + more
    columns = rng.standard_normal((end + 2, n))
    columns[end:] = np.nan  # not yet in use
    exact = columns[:end] @ columns[:end].T
    for borders in ([0, end], [0, end // 3, end // 2, end]):
        gram = np.full((end + 3, end + 3), 7.0)
        for begin, stop in itertools.pairwise(borders):
            column_products.extend_gram(columns, first, end, begin, stop, gram)
        assert_allclose(gram[first:end, :end], exact[first:], rtol=0, atol=1e-13 * n)
        assert_array_equal(gram[:first, first:end], gram[first:end, :first].T)
        assert_allclose(gram[first:end, first:end], gram[first:end, first:end].T, atol=1e-13 * n)
        assert_array_equal(gram[:first, :first], 7.0)
        assert_array_equal(gram[end:], 7.0)
        assert_array_equal(gram[:, end:], 7.0)


@pytest.mark.parametrize("p", [1, 7, 8, 33, 100])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 30])
def test_subtract_columns(column_products, p, count):
    rng = np.random.default_rng(p + count)
    A = rng.standard_normal((p, p))
    gram = A @ A.T
    columns = rng.permutation(p)[:count].astype(np.int32)
    coef, gradient = rng.standard_normal(len(columns)), rng.standard_normal(p)
    expected = gradient - gram[columns].T @ coef
    column_products.subtract_columns(gram, columns, coef, gradient)
    assert_allclose(gradient, expected, rtol=0, atol=1e-13 * max(1.0, np.abs(gram).sum()))


@pytest.mark.parametrize("p", [1, 8, 21])
def test_quadratic_forms(column_products, p):
    rng = np.random.default_rng(p)
    A = rng.standard_normal((p, p))
    gram = A @ A.T
    coefs = rng.standard_normal((5, p)) * (rng.random((5, p)) < 0.6)
    coefs[0] = 0.0
    coefs[1] = 1.0
    work, values = np.full((2, p), 7.0), np.full(5, 7.0)
    upper = np.triu(gram) + np.tril(np.full((p, p), np.nan), -1)
    column_products.quadratic_forms(upper, coefs, work, values)
    assert_allclose(values, np.diagonal(coefs @ gram @ coefs.T), rtol=1e-12, atol=1e-13)
    assert values[0] == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("n_vectors", [1, 3, 8])
def test_correlate_columns(sparse_gram, dtype, index, n_vectors):
    rng = np.random.default_rng(n_vectors)
    X = rng.standard_normal((30, 11)) * (rng.random((30, 11)) < 0.4)
    X[:, [0, 6]] = 0.0  # a column may be empty
    S = sp.csc_array(X.astype(dtype))
    left = rng.standard_normal((30, n_vectors))
    out = np.full((n_vectors, 11), 7.0)
    arrays = (S.data, S.indices.astype(index), S.indptr.astype(index))
    sparse_gram.correlate_columns(*arrays, left, out, 2, 9)
    exact = left.T @ S.toarray().astype(np.float64)
    assert_allclose(out[:, 2:9], exact[:, 2:9], rtol=0, atol=1e-14 * 30)
    assert_array_equal(out[:, [0, 1, 9, 10]], 7.0)
    sparse_gram.correlate_columns(*arrays, left, out, 0, 11)
    assert_allclose(out, exact, rtol=0, atol=1e-14 * 30)
    assert_array_equal(out[:, [0, 6]], 0.0)
