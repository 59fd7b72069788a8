"""The sparse kernels against dense NumPy, for every instruction set, dtype and index type."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import _kernels


@pytest.fixture(params=_kernels.available)
def sparse_gram(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.sparse_gram")


def matrix(layout, dtype, index, shape=(40, 9), density=0.3):
    X = sp.random_array(
        shape, density=density, format=layout, random_state=np.random.default_rng(0)
    )
    X = X.astype(dtype)
    X.sort_indices()
    return X.data, X.indices.astype(index), X.indptr.astype(index), X.toarray()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("weighted", [False, True])
def test_accumulate_sparse_gram(sparse_gram, dtype, index, weighted):
    data, indices, indptr, dense = matrix("csr", dtype, index)
    rng = np.random.default_rng(1)
    Y = rng.standard_normal((40, 2))
    weight = rng.random(40) if weighted else np.ones(40)
    out, squares = np.zeros((10, 12)), np.zeros(2)
    for begin, end in ((0, 7), (7, 7), (7, 40)):
        some = slice(begin, end)
        w = weight[some] if weighted else np.empty(0)
        sparse_gram.accumulate_sparse_gram(
            data, indices, indptr[begin : end + 1], Y[some], w, out, squares
        )
    Z = np.hstack([dense.astype(np.float64), np.ones((40, 1)), Y])
    expected = (Z * weight[:, None]).T @ Z
    assert_allclose(np.triu(out[:10, :10]), np.triu(expected[:10, :10]), atol=1e-12)
    assert_allclose(out[:, 10:], expected[:10, 10:], atol=1e-12)
    assert_allclose(squares, np.diagonal(expected)[10:], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_csc_block_to_csr(sparse_gram, dtype, index):
    data, indices, indptr, dense = matrix("csc", dtype, index)
    cursor = indptr[:-1].copy()
    for begin, end in ((0, 1), (1, 17), (17, 40)):
        out = np.empty(end - begin + 1, dtype=index)
        before = cursor.copy()
        values, columns = np.empty(1, dtype=dtype), np.empty(1, dtype=index)
        count = sparse_gram.csc_block_to_csr(
            data, indices, indptr, cursor, begin, end, values, columns, out
        )
        if count > 1:  # too little room: nothing moved
            assert_array_equal(cursor, before)
            values, columns = np.empty(count, dtype=dtype), np.empty(count, dtype=index)
            again = sparse_gram.csc_block_to_csr(
                data, indices, indptr, cursor, begin, end, values, columns, out
            )
            assert again == count
        block = sp.csr_array((values[:count], columns[:count], out), shape=(end - begin, 9))
        assert_array_equal(block.toarray(), dense[begin:end])
        assert block.has_canonical_format
    assert_array_equal(cursor, indptr[1:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_scatter_rows(sparse_gram, dtype, index):
    data, indices, indptr, dense = matrix("csr", dtype, index)
    out = np.full((12, 9), np.nan)
    sparse_gram.scatter_rows(data, indices, indptr, 5, out)
    assert_array_equal(out, dense[5:17])
