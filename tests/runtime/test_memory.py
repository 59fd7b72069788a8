"""Extra memory of a fit: a small fraction of X whatever its layout, dtype and weights.

`tracemalloc` sees every array NumPy allocates; the numbers do not depend on the machine.
"""

import numpy as np
import pytest
import scipy.sparse
from peak_memory import peak_of, size_of
from threadpoolctl import threadpool_limits

from fastridge import GramStatistics, Lasso, LassoCV, Ridge, enet_path, ridge_path

N, P = 100_000, 60
ALLOWED = 40 << 20  # bytes besides 0.05 of X; X is 48 MB in float64, so that a copy is over it


def layout(name):
    series = np.random.default_rng(0).standard_normal(N * P)
    X = series.reshape(N, P)
    if name == "F":
        return np.asfortranarray(X)
    if name == "strided":
        return np.repeat(X, 2, axis=0)[::2]
    if name in ("float32", "float16", "int64", "int8", ">f8"):
        return (X * 10).astype(name)
    if name == "csr":
        return scipy.sparse.csr_array(X * (np.abs(X) > 1.0))
    if name == "csc":
        return scipy.sparse.csc_array(X * (np.abs(X) > 1.0))
    return X


def target():
    y = np.ones(N)
    y[::3] = 2.0
    return y


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "name", ["C", "F", "strided", "float32", "float16", "int64", "int8", ">f8", "csr", "csc"]
)
def test_ridge_fit_makes_no_second_x(name, weighted):
    X, y = layout(name), target()
    weight = y if weighted else None
    peak = peak_of(lambda: Ridge(n_threads=2).fit(X, y, sample_weight=weight))
    assert peak < 0.05 * size_of(X) + ALLOWED


@pytest.mark.parametrize("solver", ["eigh", "qr", "svd", "lsqr", "sparse_cg", "gd"])
@pytest.mark.parametrize("name", ["C", "float32"])
def test_ridge_fit_with_each_solver_makes_no_second_x(name, solver):
    X, y = layout(name), target()
    model = Ridge(solver=solver, n_threads=2, max_iter=1000)
    with threadpool_limits(1):  # two BLAS threads on a busy machine take a hundred times as long
        assert peak_of(lambda: model.fit(X, y)) < 0.05 * size_of(X) + ALLOWED


@pytest.mark.parametrize("order", ["C", "F"])
def test_dual_makes_no_second_x(order):
    X = np.asarray(np.random.default_rng(0).standard_normal((100, 60_000)), order=order)
    peak = peak_of(lambda: Ridge(n_threads=2).fit(X, np.arange(100.0)))
    assert peak < 0.05 * X.nbytes + ALLOWED


def test_path_and_statistics_make_no_second_x():
    X, y = layout("C"), target()
    assert peak_of(lambda: GramStatistics.from_data(X, y)) < 0.05 * X.nbytes + ALLOWED
    assert peak_of(lambda: ridge_path(X, y, np.geomspace(1, 10, 50))) < 0.05 * X.nbytes + ALLOWED


@pytest.mark.parametrize("constant", ["columns", "target"])
def test_constant_columns_make_no_second_x(constant):
    X, y = layout("C"), target()
    if constant == "columns":
        X[:, 1:] = 1.0
    else:
        X, y = X.reshape(-1, 1), np.ones(X.size)
    assert peak_of(lambda: Ridge().fit(X, y)) < 0.05 * X.nbytes + ALLOWED


def lasso_target(X):
    y = target()
    return y + np.asarray(X[:, [3]].todense() if scipy.sparse.issparse(X) else X[:, 3]).ravel()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["C", "F", "strided", "float32", "int8", "csr", "csc"])
def test_lasso_makes_no_second_x(name, weighted):
    X = layout(name)
    y, weight = lasso_target(X), target() if weighted else None
    model = Lasso(0.01, n_threads=2)
    allowed = ALLOWED if name == "csc" else 8 << 20  # a few blocks of rows; CSC becomes CSR
    assert peak_of(lambda: model.fit(X, y, weight)) < 0.05 * size_of(X) + allowed
    assert model.coef_[3] > 0.0


@pytest.mark.parametrize("name", ["C", "F"])
def test_ridge_cv_makes_no_second_x(name):
    X = layout(name)
    y = lasso_target(X)
    for fit in (LassoCV(n_threads=2).fit, enet_path):
        assert peak_of(lambda fit=fit: fit(X, y)) < 0.05 * X.nbytes + ALLOWED


@pytest.mark.parametrize("name", ["C", "F"])
def test_lasso_of_wide_rows_copies_few_columns(name):
    X = np.asarray(np.random.default_rng(0).standard_normal((100, 60_000)), order=name)
    peak = peak_of(lambda: Lasso(0.3, n_threads=2).fit(X, X[:, 7] + np.arange(100.0) / 100.0))
    assert peak < 0.05 * X.nbytes + ALLOWED
