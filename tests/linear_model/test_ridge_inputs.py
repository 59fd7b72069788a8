"""Layouts and dtypes that Ridge takes, dense and sparse, and inputs that it refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from layouts import LAYOUTS
from numpy.testing import assert_allclose, assert_array_equal
from reference import dense, relative_error, ridge_by_lstsq

from fastridge import (
    ElasticNet,
    GramStatistics,
    Lasso,
    LassoCV,
    Ridge,
    RidgeCV,
    SGDRegressor,
)

N, P = 45, 6
RNG = np.random.default_rng(0)
INTEGERS = RNG.integers(0, 9, (N, P))
"""Small whole numbers: the same matrix in every dtype."""
Y = INTEGERS @ np.array([1.0, -2.0, 0.5, 0.0, 3.0, 1.5]) + RNG.standard_normal(N)
WEIGHT = RNG.uniform(0.2, 2.0, N)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype, weighted, fit_intercept, tmp_path):
    X = LAYOUTS[layout](INTEGERS.astype(dtype), tmp_path)
    weight = WEIGHT if weighted else None
    model = Ridge(alpha=0.9, fit_intercept=fit_intercept).fit(X, Y, sample_weight=weight)
    coef, intercept = ridge_by_lstsq(INTEGERS, Y, 0.9, weight, fit_intercept)
    bound = 1e-11 if dtype == np.float64 else 1e-6
    assert relative_error(model.coef_, coef[0]) < bound
    assert_allclose(model.intercept_, intercept[0], rtol=bound, atol=bound)
    assert_allclose(model.predict(X), INTEGERS @ coef[0] + intercept[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("solver", ["auto", "cholesky", "svd", "qr", "lsqr", "sparse_cg", "gd"])
@pytest.mark.parametrize("shape", ["tall", "wide"])
def test_overlapping_rows_of_a_window(solver, shape):
    """A Hankel matrix without a copy: rows that share memory, a row stride of one element."""
    series = np.random.default_rng(1).standard_normal(60)
    X = np.lib.stride_tricks.sliding_window_view(series, 5 if shape == "tall" else 50)
    y = np.arange(len(X), dtype=float)
    model = Ridge(alpha=0.5, solver=solver, tol=1e-12, max_iter=20000).fit(X, y)
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 0.5)[0][0]) < 1e-7


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
    + ["float16", "float32", "float64", "longdouble", "object"],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_dtypes(dtype, order):
    X = (INTEGERS > 4 if dtype == "bool" else INTEGERS).astype(dtype, order=order)
    model = Ridge(alpha=0.9).fit(X, Y, sample_weight=WEIGHT)
    coef, intercept = ridge_by_lstsq(X.astype(np.float64), Y, 0.9, WEIGHT)
    assert model.coef_.dtype == (np.float32 if dtype == "float32" else np.float64)
    bound = 1e-6 if dtype == "float32" else 1e-11
    assert relative_error(model.coef_, coef[0]) < bound
    assert_allclose(model.intercept_, intercept[0], rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float32", "float16"])
def test_dtypes_of_y(dtype):
    y = (Y > 4).astype(dtype) if dtype == "bool" else Y.round().astype(dtype)
    model = Ridge(alpha=0.9).fit(INTEGERS, y)
    assert relative_error(model.coef_, ridge_by_lstsq(INTEGERS, y, 0.9)[0][0]) < 1e-11


def test_small_integers_do_not_wrap():
    X = np.full((300, 2), 200, dtype=np.uint8)
    X[::2, 0] = 100
    X[::3, 1] = 50
    y = np.full(300, 250, dtype=np.uint8)
    y[::2] = 3
    model = Ridge(alpha=1.0).fit(X, y)
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 1.0)[0][0]) < 1e-11


@pytest.mark.parametrize("kind", ["list", "dataframe", "mixed dataframe", "series y"])
def test_containers(kind):
    import pandas as pd

    X, y = INTEGERS.tolist(), Y
    if kind == "dataframe":
        X = pd.DataFrame(INTEGERS, columns=list("abcdef"))
    elif kind == "mixed dataframe":
        X = pd.DataFrame(INTEGERS.astype(np.float64), columns=list("abcdef"))
        X = X.astype({"a": "int32", "b": "float32", "c": "Int64"})
    elif kind == "series y":
        X, y = INTEGERS, pd.Series(Y, index=np.arange(N)[::-1])
    model = Ridge(alpha=0.9).fit(X, y)
    assert relative_error(model.coef_, ridge_by_lstsq(INTEGERS, Y, 0.9)[0][0]) < 1e-11


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("step", [1, -1, 2])
def test_layouts_of_y_and_weights(order, step):
    targets = np.random.default_rng(2).standard_normal((2 * N, 6))
    Y2 = np.asarray(targets, order=order)[::2, ::step]
    padded = np.repeat(WEIGHT, 2)[::-1][::-2]
    model = Ridge(alpha=0.9).fit(INTEGERS, Y2, sample_weight=padded)
    assert relative_error(model.coef_, ridge_by_lstsq(INTEGERS, Y2, 0.9, padded)[0]) < 1e-11


@pytest.mark.parametrize("copy_X", [True, False])
@pytest.mark.parametrize(
    "solver", ["auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"]
)
@pytest.mark.parametrize("layout", ["C", "F", "csr"])
@pytest.mark.parametrize("shape", [(N, P), (5, 9)], ids=["tall", "wide"])
def test_inputs_are_never_overwritten(layout, solver, copy_X, shape):
    if layout == "csr" and solver == "svd":
        pytest.skip("refused")
    rng = np.random.default_rng(3)
    X = rng.standard_normal(shape)
    X[X < 0.2] = 0.0
    X = scipy.sparse.csr_array(X) if layout == "csr" else np.asarray(X, order=layout)
    y, weight = rng.standard_normal((shape[0], 2)), rng.uniform(0.5, 2.0, shape[0])
    alphas = np.array([1.0, 2.0])
    parts = [X.data, X.indices, X.indptr] if layout == "csr" else [X]
    before = [part.copy() for part in [*parts, y, weight, alphas]]
    model = Ridge(alpha=alphas, solver=solver, copy_X=copy_X).fit(X, y, sample_weight=weight)
    model.predict(X)
    for part, copy in zip([*parts, y, weight, alphas], before, strict=True):
        assert_array_equal(part, copy)


# --- sparse --------------------------------------------------------------------------------------

SPARSE = {
    "csr_matrix": scipy.sparse.csr_matrix,
    "csc_matrix": scipy.sparse.csc_matrix,
    "csr_array": scipy.sparse.csr_array,
    "csc_array": scipy.sparse.csc_array,
    "coo_array": scipy.sparse.coo_array,
    "lil_matrix": scipy.sparse.lil_matrix,
    "dok_matrix": scipy.sparse.dok_matrix,
    "bsr_array": scipy.sparse.bsr_array,
}


def sparse_matrix(make=scipy.sparse.csr_array, shape=(N, P), dtype=np.float64):
    rng = np.random.default_rng(4)
    X = rng.integers(1, 9, shape) * (rng.random(shape) < 0.4)
    return make(X.astype(dtype))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(N, P), (5, 12)], ids=["tall", "wide"])
@pytest.mark.parametrize("make", SPARSE)
def test_sparse_containers(make, shape, weighted, fit_intercept):
    X = sparse_matrix(SPARSE[make], shape)
    y, weight = Y[: shape[0]], WEIGHT[: shape[0]] if weighted else None
    model = Ridge(alpha=0.9, fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    coef, intercept = ridge_by_lstsq(X, y, 0.9, weight, fit_intercept)
    assert relative_error(model.coef_, coef[0]) < 1e-5  # auto may iterate, to its tolerance
    assert_allclose(model.predict(X), dense(X) @ coef[0] + intercept[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "uint8", "bool"])
@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
@pytest.mark.parametrize("shape", [(N, P), (5, 12)], ids=["tall", "wide"])
def test_sparse_indices_and_dtypes(make, dtype, index, shape):
    X = sparse_matrix(SPARSE[make], shape, dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    y = Y[: shape[0]]
    model = Ridge(alpha=0.9, solver="cholesky").fit(X, y)
    assert X.indices.dtype == index
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 0.9)[0][0]) < (
        1e-6 if dtype == "float32" else 1e-11
    )


@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
@pytest.mark.parametrize("solver", ["auto", "cholesky", "lsqr"])
def test_sparse_unsorted_and_duplicate_entries(make, solver):
    X = sparse_matrix(SPARSE[make])
    rng = np.random.default_rng(5)
    data, indices, indptr = [], [], [0]
    for start, stop in zip(X.indptr, X.indptr[1:], strict=False):
        order = rng.permutation(np.repeat(np.arange(start, stop), 2))
        data.extend(X.data[order] / 2)
        indices.extend(X.indices[order])
        indptr.append(len(data))
    doubled = SPARSE[make]((data, indices, indptr), shape=X.shape)
    assert not doubled.has_canonical_format
    before = doubled.indices.copy()
    model = Ridge(alpha=0.9, solver=solver, tol=1e-12).fit(doubled, Y)
    assert relative_error(model.coef_, ridge_by_lstsq(X, Y, 0.9)[0][0]) < 1e-9
    assert_array_equal(doubled.indices, before)


@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
def test_sparse_explicit_zeros_and_empty_rows_and_columns(make):
    X = dense(sparse_matrix())
    X[3:6] = 0.0
    X[:, 2] = 0.0
    S = SPARSE[make](X)
    S.data[::5] = 0.0
    model = Ridge(alpha=0.9).fit(S, Y)
    assert relative_error(model.coef_, ridge_by_lstsq(S, Y, 0.9)[0][0]) < 1e-5
    assert model.coef_[2] == 0.0


@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
def test_sparse_matrix_of_zeros_only(make):
    model = Ridge(alpha=1.0).fit(SPARSE[make]((20, 4), dtype=np.float64), np.arange(20.0))
    assert_array_equal(model.coef_, 0.0)
    assert_allclose(model.intercept_, 9.5)


def damaged(make, kind, index):
    X = sparse_matrix(SPARSE[make])
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    minor = X.shape[1] if make.startswith("csr") else X.shape[0]
    if kind == "index one past the end":
        X.indices[7] = minor
    elif kind == "index beyond int32":
        X.indices[7] = 2**32
    elif kind == "negative index":
        X.indices[7] = -1
    elif kind == "pointer past the end":
        X.indptr[3:] += 1000
    elif kind == "pointer that decreases":
        X.indptr[3] = X.indptr[-1]
    elif kind == "first pointer not zero":
        X.indptr[0] = -4
    elif kind == "too few pointers":
        X.indptr = X.indptr[:-2]
    return X


MALFORMED = "(?i)ind(ex|ices|ptr)|pointer"
DAMAGE = [
    "index one past the end",
    "index beyond int32",
    "negative index",
    "pointer past the end",
    "pointer that decreases",
    "first pointer not zero",
    "too few pointers",
]


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
@pytest.mark.parametrize("what", ["auto", "cholesky", "lsqr", "sparse_cg", "statistics"])
def test_damaged_sparse_matrices_are_an_error(make, kind, index, what):
    if kind == "index beyond int32" and index == np.int32:
        pytest.skip("no such index")
    X = damaged(make, kind, index)
    with pytest.raises(ValueError, match=MALFORMED):
        if what == "statistics":
            GramStatistics.from_data(X, Y)
        else:
            Ridge(solver=what).fit(X, Y)


PREDICT_DAMAGED = """
import itertools, re, sys
sys.path[:0] = sys.argv[1:]
from test_ridge_inputs import *
model = Ridge().fit(INTEGERS, Y)
makes, types = ["csr_array", "csc_array"], [np.int32, np.int64]
for make, kind, index in itertools.product(makes, DAMAGE, types):
    if kind == "index beyond int32" and index == np.int32:
        continue
    print(make, kind, index.__name__, end=": ", flush=True)
    try:
        model.predict(damaged(make, kind, index))
    except ValueError as error:
        print("refused" if re.search(MALFORMED, str(error)) else error, flush=True)
    else:
        print("taken", flush=True)
"""


def test_damaged_sparse_matrices_are_an_error_in_predict():
    """In an interpreter of its own: reading outside an array may end it."""
    folders = map(str, Path(__file__).parents[:2])
    command = [sys.executable, "-P", "-c", PREDICT_DAMAGED, *folders]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(result.stdout.splitlines()) == 26
    assert [line for line in result.stdout.splitlines() if not line.endswith(": refused")] == []


# --- not numbers, wrong shapes -------------------------------------------------------------------

NOT_FINITE = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("row", [0, 20, N - 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "csr"])
@pytest.mark.parametrize("solver", ["auto", "svd", "lsqr"])
def test_not_finite_in_x(value, row, dtype, layout, solver):
    if layout == "csr" and solver == "svd":
        pytest.skip("refused")
    X = INTEGERS.astype(dtype)
    X[row, P - 1] = value
    X = scipy.sparse.csr_array(X) if layout == "csr" else LAYOUTS[layout](X, None)
    for weight in [None, WEIGHT]:
        with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
            Ridge(solver=solver).fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("shape", [(N,), (N, 2)])
def test_not_finite_in_y(value, shape):
    y = np.ones(shape)
    y[-1] = value
    with pytest.raises(ValueError, match=r"y contains (NaN|infinity)"):
        Ridge().fit(INTEGERS, y)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_not_finite_in_weights(value):
    weight = np.ones(N)
    weight[5] = value
    with pytest.raises(ValueError, match=r"(?i)sample_weight.*(NaN|infinity)"):
        Ridge().fit(INTEGERS, Y, sample_weight=weight)


@pytest.mark.parametrize("layout", ["C", "F", "csr"])
def test_not_finite_in_a_row_without_weight_is_still_an_error(layout):
    X = INTEGERS.astype(np.float64)
    X[4, 0] = np.nan
    X = scipy.sparse.csr_array(X) if layout == "csr" else np.asarray(X, order=layout)
    weight = np.ones(N)
    weight[4] = 0.0
    with pytest.raises(ValueError, match="X contains NaN"):
        Ridge().fit(X, Y, sample_weight=weight)


def test_large_finite_values_are_not_taken_for_infinite():
    X = np.array([[1e308, 1.0], [1e308, 2.0], [1e308, 4.0]])
    try:
        model = Ridge(alpha=1.0).fit(X, [1.0, 2.0, 4.0])
    except ValueError as error:
        assert "contains infinity" not in str(error)
    else:
        assert_allclose(
            model.coef_[1], ridge_by_lstsq(X[:, 1:], [1.0, 2.0, 4.0], 1.0)[0][0], rtol=1e-6
        )


@pytest.mark.parametrize("weight", [-1.0, np.r_[-1e-9, np.ones(N - 1)]])
def test_negative_weights_are_an_error(weight):
    with pytest.raises(ValueError, match="(?i)sample.weight.*negative|negative.*sample.weight"):
        Ridge().fit(INTEGERS, Y, sample_weight=weight)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_that_are_all_zero_are_an_error(fit_intercept):
    with pytest.raises(ValueError, match="(?i)sample.weight.*zero|zero.*sample.weight"):
        Ridge(fit_intercept=fit_intercept).fit(INTEGERS, Y, sample_weight=np.zeros(N))


@pytest.mark.parametrize(
    ("X", "y", "weight", "words"),
    [
        (INTEGERS[0], Y, None, "2D"),
        (INTEGERS[None], Y, None, "dim 3|2D"),
        (INTEGERS, Y[:-1], None, "inconsistent numbers of samples"),
        (INTEGERS, np.ones((N, 2, 2)), None, "y"),
        (INTEGERS, np.ones((N, 0)), None, "y|target"),
        (INTEGERS[:0], Y[:0], None, "0 sample"),
        (INTEGERS[:, :0], Y, None, "0 feature"),
        (INTEGERS, Y, WEIGHT[:-1], "(?i)sample.weight"),
        (INTEGERS, Y, np.ones((N, 1)), "(?i)sample.weight"),
        (INTEGERS, None, None, "y"),
        (INTEGERS.astype(str), np.array(["a"] * N), None, "string|str"),
        (INTEGERS + 1j, Y, None, "(?i)complex"),
        (INTEGERS, Y + 1j, None, "(?i)complex"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_shapes_and_kinds(X, y, weight, words):
    with pytest.raises(ValueError, match=words):
        Ridge().fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("estimator", [Ridge, RidgeCV, Lasso, ElasticNet, LassoCV, SGDRegressor])
def test_fit_sparse_y_is_refused_as_by_scikit_learn(estimator):
    with pytest.raises(TypeError, match=r"Use '.toarray\(\)'"):
        estimator().fit(INTEGERS.astype(float), scipy.sparse.csr_matrix(Y[:, None]))


@pytest.mark.parametrize("kind", ["M8[s]", "m8[s]"])
@pytest.mark.parametrize("estimator", [Ridge, RidgeCV, Lasso, LassoCV, SGDRegressor])
def test_fit_times_are_their_numbers(estimator, kind):
    options = {"random_state": 0} if estimator is SGDRegressor else {}
    plain = estimator(**options).fit(INTEGERS.astype(float), Y).coef_
    times = INTEGERS.astype(np.int64).astype(kind)
    assert_array_equal(estimator(**options).fit(times, Y).coef_, plain)
