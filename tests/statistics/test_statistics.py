"""GramStatistics of one pass, against exact arithmetic: tiles, layouts, dtypes, means far off."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from reference import assert_exact, assert_identical, assert_same, relative_error

from fastridge import GramStatistics


def problem(n=80, p=5, t=2, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + offset
    Y = rng.standard_normal((n, t)) - offset
    return X, Y, rng.uniform(0.2, 2.0, n)


@pytest.mark.parametrize("n", [1, 2, 3, 63, 64, 65, 127, 300])
@pytest.mark.parametrize("p", [1, 3, 4, 5, 12, 13])
@pytest.mark.parametrize("weighted", [False, True])
def test_from_data_is_exact_at_every_boundary_of_a_tile(n, p, weighted):
    X, Y, weight = problem(n, p, 1)
    weight = weight if weighted else None
    assert_exact(GramStatistics.from_data(X, Y, sample_weight=weight), X, Y, weight)


@pytest.mark.parametrize("p", [40, 131, 260])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [1, 7])
def test_from_data_with_many_columns_is_exact(p, order, weighted, t):
    X, Y, weight = problem(700, p, t, offset=3.0)
    weight = weight if weighted else np.ones(700)
    stats = GramStatistics.from_data(np.asarray(X, order=order), Y, sample_weight=weight)
    X, Y = X.astype(np.longdouble), Y.astype(np.longdouble)
    Xc, Yc = X - weight @ X / weight.sum(), Y - weight @ Y / weight.sum()
    assert relative_error(stats.xx, Xc.T @ (weight[:, None] * Xc)) < 1e-13
    assert relative_error(stats.xy, Xc.T @ (weight[:, None] * Yc)) < 1e-13
    assert relative_error(stats.yy, weight @ Yc**2) < 1e-13


@pytest.mark.parametrize("offset", [1e4, 1e8, -1e8])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "read-only"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ["random", "sorted", "reversed", "one far row first"])
def test_from_data_with_means_far_from_zero_is_exact(offset, layout, weighted, order):
    X, Y, weight = problem(200, 3, 1, offset=offset)
    if order in ("sorted", "reversed"):
        X = np.sort(X, axis=0)[:: 1 if order == "sorted" else -1]
    if order == "one far row first":
        X[0] += 1e6
    weight = weight if weighted else None
    given = {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
        "read-only": np.frombuffer(X.tobytes()).reshape(X.shape),
    }[layout]
    stats = GramStatistics.from_data(given, Y, sample_weight=weight)
    assert_exact(stats, X, Y, weight, rtol=1e-9 if order == "one far row first" else 1e-11)


@pytest.mark.parametrize("weighted", [False, True])
def test_from_data_of_drifting_rows_is_exact(weighted):
    """Sorted data: the mean of the first rows says nothing about the last ones."""
    rng = np.random.default_rng(0)
    X = 1e7 + np.linspace(0, 1e6, 3000)[:, None] + rng.standard_normal((3000, 3))
    Y = X[:, :1] + rng.standard_normal((3000, 1))
    weight = np.geomspace(1e-3, 1e3, 3000) if weighted else None
    assert_exact(GramStatistics.from_data(X, Y, sample_weight=weight), X, Y, weight, rtol=1e-12)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32"],
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_from_data_of_any_dtype_sums_in_float64(dtype, order, weighted):
    rng = np.random.default_rng(1)
    X = rng.integers(0, 2 if dtype == "bool" else 100, (150, 4)).astype(dtype, order=order)
    Y = rng.integers(0, 100, 150).astype("float32")
    weight = rng.uniform(0.2, 2.0, 150) if weighted else None
    assert_exact(GramStatistics.from_data(X, Y, sample_weight=weight), X, Y, weight)


def test_from_data_of_large_integers_rounds_as_float64():
    X = np.array([[2**62 + 1, 0], [2**62 + 4096, 1], [2**62 + 8192, 5]], dtype=np.int64)
    stats = GramStatistics.from_data(X, [1.0, 2.0, 3.0])
    assert_exact(stats, X.astype(np.float64), [1.0, 2.0, 3.0], rtol=1e-12)


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_array])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [1, 3])
def test_from_data_of_sparse_rows_equals_dense(make, index, dtype, weighted, t):
    rng = np.random.default_rng(2)
    X = (rng.random((300, 7)) * (rng.random((300, 7)) < 0.3)).astype(dtype)
    X[:, 4] = 0.0
    X[10:90] = 0.0
    Y, weight = rng.standard_normal((300, t)) + 5, rng.uniform(0.2, 2.0, 300) if weighted else None
    S = make(X)
    S.indices, S.indptr = S.indices.astype(index), S.indptr.astype(index)
    assert_exact(GramStatistics.from_data(S, Y, sample_weight=weight), X, Y, weight)


def test_update_with_sparse_and_dense_batches_equals_one_pass():
    X, Y, weight = problem(60, 4)
    X[np.abs(X) < 0.7] = 0.0
    stats = GramStatistics()
    stats.update(scipy.sparse.csr_array(X[:20]), Y[:20], sample_weight=weight[:20])
    stats.update(X[20:40].astype(np.float64), Y[20:40], sample_weight=weight[20:40])
    stats.update(scipy.sparse.csc_array(X[40:]), Y[40:], sample_weight=weight[40:])
    assert_exact(stats, X, Y, weight)


def test_from_data_with_zero_weights_ignores_the_rows():
    X, Y, weight = problem(40, 3)
    weight[::4] = 0.0
    stats = GramStatistics.from_data(X, Y, sample_weight=weight)
    kept = GramStatistics.from_data(X[weight > 0], Y[weight > 0], sample_weight=weight[weight > 0])
    assert_allclose(stats.xx, kept.xx, rtol=1e-13, atol=1e-13)
    assert_allclose(stats.x_mean, kept.x_mean, rtol=1e-13)
    assert stats.sum_weights == pytest.approx(kept.sum_weights, rel=1e-14)


def test_from_data_with_huge_rows_of_zero_weight_ignores_them():
    X, Y, weight = problem(40, 3)
    weight[::4] = 0.0
    expected = GramStatistics.from_data(
        X[weight > 0], Y[weight > 0], sample_weight=weight[weight > 0]
    )
    X[::4], Y[::4] = 1e200, -1e200
    stats = GramStatistics.from_data(X, Y, sample_weight=weight)
    assert_allclose(stats.xx, expected.xx, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("far", [1e6, 1e12, 1e18])
@pytest.mark.parametrize("mass", [1e-20, 1e-40])
def test_from_data_with_far_rows_of_tiny_weight_is_exact(far, mass):
    """They may lie in the pilot; only a second pass finds the mean that matters."""
    X, Y, _ = problem(200, 3)
    weight = np.ones(200)
    X[::5], weight[::5] = far, mass
    assert_exact(GramStatistics.from_data(X, Y, sample_weight=weight), X, Y, weight, rtol=1e-12)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_from_data_with_any_number_of_threads_agrees_to_rounding(n_threads):
    X, Y, weight = problem(20000, 9, 2, offset=100.0)
    one = GramStatistics.from_data(X, Y, weight, 1)
    many = GramStatistics.from_data(X, Y, weight, n_threads)
    assert_same(many, one, rtol=1e-11)
    assert_identical(GramStatistics.from_data(X, Y, weight, n_threads), many)
