"""Products of CSR rows and vectors, for every dtype and index type, against slow NumPy."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from fastridge._kernels import sparse_products


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_sparse_products_of_some_rows_are_those_of_dense_rows(density, index, dtype):
    rng = np.random.default_rng(0)
    X = sp.random(12, 5, density, "csr", random_state=0).astype(dtype)
    indices, indptr = X.indices.astype(index), X.indptr.astype(index)
    coef, factors = rng.standard_normal(5), rng.standard_normal(6)
    rows, dense = indptr[3:10], X.toarray()[3:9].astype(float)
    predicted, sums = np.empty(6), np.ones(5)
    sparse_products.predict_rows(X.data, indices, rows, coef, 0.5, predicted)
    sparse_products.add_rows(X.data, indices, rows, factors, sums)
    assert_allclose(predicted, [0.5 + sum(row * coef) for row in dense], rtol=0, atol=1e-12)
    assert_allclose(sums, 1.0 + sum(f * row for f, row in zip(factors, dense, strict=True)))


def test_sparse_rows_with_a_factor_of_zero_may_hold_anything():
    X = sp.csr_array(np.array([[np.nan, np.inf], [1.0, 2.0]]))
    sums = np.zeros(2)
    sparse_products.add_rows(X.data, X.indices, X.indptr, np.array([0.0, 3.0]), sums)
    assert_allclose(sums, [3.0, 6.0])
