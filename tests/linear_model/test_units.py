"""Units of features decide nothing: invariance to powers of two, and exact rational answers."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import exact_ridge
from sklearn.exceptions import ConvergenceWarning

from fastridge import GramStatistics, Ridge, RidgeCV, effective_dof, ridge_path
from fastridge.solvers.direct.graded_svd import column_lengths, graded_svd, rounding

QUICK = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SHAPES = [(20, 3), (8, 6), (6, 8), (4, 9)]
SOLVERS = ["auto", "cholesky", "eigh", "qr", "svd"]
METHODS = ["loo", "kfold", "gcv", "em", "marginal_likelihood"]
FORMATS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}


def rows(n, p, seed=0, n_targets=None):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.standard_normal(p)
    shape = (p,) if n_targets is None else (p, n_targets)
    y = X @ rng.standard_normal(shape)
    return X, y + rng.standard_normal(y.shape)


def powers(p, most=200):
    return st.lists(st.integers(-most, most), min_size=p, max_size=p).map(
        lambda k: np.exp2(np.array(k, dtype=float))
    )


def fitted_errors(X, y, coef, intercept, alpha, fit_intercept=True):
    """Each coefficient's error times the length of its column, relative to the length of y."""
    exact, constant = exact_ridge(X, y, alpha, None, fit_intercept)
    about = X.mean(axis=0) if fit_intercept else 0.0
    lengths = np.sqrt(((X - about) ** 2).sum(axis=0) + alpha)
    size = np.linalg.norm(y - y.mean() if fit_intercept else y)
    errors = np.abs(coef - exact) * lengths / size
    assert abs(intercept - constant) <= 1e-9 * (np.abs(y).max() + np.abs(exact * about).sum())
    return errors, np.abs(coef - exact) / np.maximum(np.abs(exact), 1e-300)


def one_bit(X, y, alpha, fit_intercept=True):
    """Most that coefficients move, as `fitted_errors`, where each cell of X moves by one bit."""
    rng, most = np.random.default_rng(0), 0.0
    about = X.mean(axis=0) if fit_intercept else 0.0
    lengths = np.sqrt(((X - about) ** 2).sum(axis=0) + alpha)
    size = np.linalg.norm(y - y.mean() if fit_intercept else y)
    exact, _ = exact_ridge(X, y, alpha, None, fit_intercept)
    for _ in range(8):
        moved = X * (1.0 + np.finfo(float).eps * rng.choice([-1.0, 1.0], X.shape))
        coef, _ = exact_ridge(moved, y, alpha, None, fit_intercept)
        most = max(most, (np.abs(coef - exact) * lengths / size).max())
    return most


# --- singular values of columns of any length ----------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 4), (6, 6), (4, 9)])
@QUICK
@given(data=st.data())
def test_graded_svd_of_any_units_gives_every_coefficient_to_twelve_digits(shape, data):
    m, p = shape
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    A = rng.standard_normal(shape) * data.draw(powers(p))
    y = rng.standard_normal(m)
    alpha = 10.0 ** data.draw(st.integers(-100, 100))
    svd = graded_svd(A.copy(), column_lengths(A), rounding(9))
    r = len(svd.values)
    along = svd.left[:, :r].T @ y
    coef = (svd.right * (svd.values / (svd.values**2 + alpha))) @ along
    assert_allclose(svd.left.T @ svd.left, np.eye(m), atol=1e-13)
    assert_allclose(coef, exact_ridge(A, y, alpha, None, False)[0], rtol=1e-11)


def test_graded_svd_of_dependent_columns_has_their_rank():
    A = np.random.default_rng(0).standard_normal((8, 5)) * [1.0, 1e20, 1e-20, 1e150, 1e-150]
    A[:, 4] = 1e-200 * A[:, 3]
    A[:, 2] = 1e-30 * A[:, 1]
    svd = graded_svd(A.copy(), column_lengths(A), rounding(8))
    assert len(svd.values) == 3
    restored = svd.left[:, :3] * svd.values @ svd.right.T
    assert (np.abs(restored - A) <= 1e-13 * column_lengths(A)).all()


# --- fixed penalty: exact rational arithmetic -----------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", SOLVERS)
@QUICK
@given(data=st.data())
def test_ridge_in_any_units_equals_exact_arithmetic(solver, shape, data):
    X, y = rows(*shape, seed=data.draw(st.integers(0, 100)))
    X = X * data.draw(powers(shape[1], data.draw(st.sampled_from([10, 40, 200]))))
    alpha = data.draw(st.sampled_from([1e-12, 1e-3, 1.0, 1e6]))
    fit_intercept = data.draw(st.booleans())
    model = Ridge(alpha, solver=solver, fit_intercept=fit_intercept).fit(X, y)
    errors, _ = fitted_errors(X, y, model.coef_, model.intercept_, alpha, fit_intercept)
    # few rows of columns of very different lengths may not determine nine digits
    assert errors.max() < 1e-9 or errors.max() < one_bit(X, y, alpha, fit_intercept)


@pytest.mark.parametrize("kind", ["csr", "csc"])
@pytest.mark.parametrize("shape", SHAPES)
@QUICK
@given(data=st.data())
def test_ridge_of_sparse_rows_in_any_units_equals_exact_arithmetic(shape, kind, data):
    X, y = rows(*shape, seed=data.draw(st.integers(0, 100)))
    X[np.random.default_rng(1).random(shape) < 0.3] = 0.0
    X = X * data.draw(powers(shape[1], 60))
    alpha = data.draw(st.sampled_from([1e-3, 1.0]))
    model = Ridge(alpha).fit(FORMATS[kind](X), y)
    errors, _ = fitted_errors(X, y, model.coef_, model.intercept_, alpha)
    assert errors.max() < 1e-9


@pytest.mark.parametrize("shape", SHAPES)
@QUICK
@given(data=st.data())
def test_ridge_path_in_any_units_equals_exact_arithmetic(shape, data):
    X, y = rows(*shape, seed=data.draw(st.integers(0, 100)))
    X = X * data.draw(powers(shape[1], data.draw(st.sampled_from([10, 40, 200]))))
    alphas = np.array([1e-9, 1e-3, 1.0, 1e6])
    coefs, intercepts = ridge_path(X, y, alphas, return_intercept=True)
    for alpha, coef, intercept in zip(alphas, coefs, intercepts, strict=True):
        assert fitted_errors(X, y, coef, intercept, alpha)[0].max() < 1e-9
    if shape[0] > shape[1]:
        stats = GramStatistics.from_data(X, y)
        model = Ridge(1e-3).fit_statistics(stats)
        assert fitted_errors(X, y, model.coef_, model.intercept_, 1e-3)[0].max() < 1e-9


def test_least_squares_of_columns_in_very_different_units_keeps_all():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20000, 2)) * [1.0, 1e6]
    y = X @ [1.0, 1e-6] + 0.1 * rng.normal(size=20000)
    found = Ridge(0.0).fit(X, y).inference(X, y)
    assert_allclose(found.dof, 3.0, rtol=1e-9)
    assert_allclose(found.r2, 0.995, atol=1e-3)
    assert_allclose(found.standard_errors, [7.03e-4, 7.05e-10], rtol=1e-2)
    assert_allclose(ridge_path(X, y, [1e-3])[0], [0.9996, 1e-6], rtol=1e-3)
    for method in METHODS:
        model = RidgeCV(np.logspace(-3, 6, 10), method=method).fit(X, y)
        assert model.alpha_ <= 0.1
        assert model.score(X, y) > 0.995


@pytest.mark.parametrize("gap", [1e3, 1e5, 1e7, 1e9, 1e30])
@pytest.mark.parametrize("shape", [(200, 3), (8, 20)])
def test_effective_dof_of_any_units_counts_every_direction(shape, gap):
    X, y = rows(*shape)
    X[:, 0] *= gap
    stats = GramStatistics.from_data(X, y)
    if shape[0] > shape[1]:
        assert_allclose(effective_dof(stats, [0.0, 1e-9]), shape[1] + 1, rtol=1e-6)
    dof = ridge_path(X, y, [1e-9], return_dof=True)[1]
    assert_allclose(dof, min(shape[1] + 1, shape[0]), rtol=1e-6)


def test_ridge_of_many_targets_with_their_own_alphas_keeps_short_columns():
    X = np.random.default_rng(0).normal(size=(2000, 2)) * [1.0, 1e7]
    Y = X[:, :1] * np.arange(1.0, 13.0) + 1e-7 * X[:, 1:]
    model = Ridge(np.linspace(0.1, 1.2, 12)).fit(X, Y)
    assert_allclose(model.coef_[:, 0], np.arange(1.0, 13.0), rtol=1e-3)
    assert_allclose(model.coef_[:, 1], 1e-7, rtol=1e-3)
    assert 0.5 < model.rcond_ <= 1.0


def test_rcond_of_many_targets_tells_of_collinear_columns():
    X = np.random.default_rng(0).normal(size=(200, 3))
    X[:, 2] = X[:, 1] * (1.0 + 1e-6) + 1e-6 * X[:, 2]
    Y = X @ np.random.default_rng(1).normal(size=(3, 12))
    model = Ridge(np.geomspace(1e-12, 1e-11, 12), solver="eigh").fit(X, Y)
    assert model.rcond_ < 1e-11


@pytest.mark.parametrize("solver", [*SOLVERS, "statistics", "path"])
def test_a_constant_column_of_large_values_without_intercept_is_a_column(solver):
    X, y = rows(40, 3)
    X = np.column_stack([X, np.full(40, 1e8)])
    if solver == "path":
        coef = ridge_path(X, y, [1e-3], fit_intercept=False)[0]
    elif solver == "statistics":
        coef = Ridge(1e-3, fit_intercept=False).fit_statistics(GramStatistics.from_data(X, y)).coef_
    else:
        coef = Ridge(1e-3, solver=solver, fit_intercept=False).fit(X, y).coef_
    exact = exact_ridge(X, y, 1e-3, None, False)[0]
    # statistics hold the constant column's square alone, and the others about their means
    assert_allclose(coef, exact, rtol=1e-9)


@pytest.mark.parametrize("column", ["sentinel", "time"])
@pytest.mark.parametrize("shape", [(300, 4), (20, 30)])
@pytest.mark.parametrize("method", METHODS)
def test_ridge_cv_with_one_raw_column_scores_as_without_its_unit(method, shape, column):
    X, y = rows(*shape)
    if column == "sentinel":
        X[5, 1] = 99999999.0
    else:
        X[:, 1] = 1.6e9 + 1e7 * X[:, 1]
    lengths = np.sqrt(((X - X.mean(axis=0)) ** 2).sum(axis=0) / len(X))
    alphas = np.logspace(-2, 3, 6)
    if method == "em":
        alphas = [1.0]
    with warnings.catch_warnings():  # EM of few rows may end away from a mode
        warnings.simplefilter("ignore", ConvergenceWarning)
        raw = RidgeCV(alphas, method=method, penalty_factors=lengths**2).fit(X, y)
        unit = RidgeCV(alphas, method=method).fit((X - X.mean(axis=0)) / lengths, y)
    assert_allclose(raw.alpha_, unit.alpha_, rtol=1e-6)
    assert_allclose(raw.coef_ * lengths, unit.coef_, rtol=1e-6, atol=1e-9)


# --- the penalty follows the units: nothing changes ----------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", SOLVERS)
@QUICK
@given(data=st.data())
def test_ridge_with_scaled_columns_and_penalties_scales_its_coefficients(
    solver, shape, dtype, data
):
    n, p = shape
    X, y = rows(n, p, seed=data.draw(st.integers(0, 100)))
    X, y = X.astype(dtype), y.astype(dtype)
    scale = data.draw(powers(p, 200 if dtype is np.float64 else 30)).astype(dtype)
    alpha = data.draw(st.sampled_from([0.0, 1e-9, 1e-3, 1.0]))
    standardize = data.draw(st.booleans())
    before = Ridge(alpha, solver=solver, standardize=standardize).fit(X, y)
    factors = None if standardize else scale.astype(float) ** 2
    after = Ridge(alpha, solver=solver, standardize=standardize, penalty_factors=factors)
    after.fit(X * scale, y)
    tolerance = 1e-9 if dtype is np.float64 else 1e-6
    size = np.abs(before.coef_).max()
    assert_allclose(after.coef_ * scale, before.coef_, rtol=tolerance, atol=tolerance * size)
    assert after.solver_ == before.solver_
    assert_array_equal(after.n_iter_, before.n_iter_)
    assert_allclose(after.rcond_, before.rcond_, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("kind", ["C", "csr"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
@QUICK
@given(data=st.data())
def test_ridge_cv_with_scaled_columns_and_penalties_chooses_the_same(method, shape, kind, data):
    X, y = rows(*shape, seed=data.draw(st.integers(0, 100)))
    scale = data.draw(powers(shape[1], 100))
    standardize = data.draw(st.booleans()) and kind == "C"
    alphas = data.draw(st.sampled_from(["auto", (1e-3, 1.0, 30.0)]))
    options = {"method": method, "standardize": standardize}
    if method == "kfold":
        options |= {"cv": 3, "scoring": "neg_mean_squared_error"}
    factors = None if standardize else scale**2
    with warnings.catch_warnings():  # the grid's boundary may be best
        warnings.simplefilter("ignore", UserWarning)
        before = RidgeCV(alphas, **options).fit(FORMATS[kind](X), y)
        after = RidgeCV(alphas, penalty_factors=factors, **options)
        after.fit(FORMATS[kind](X * scale), y)
    if method != "em":
        assert_allclose(after.alphas_, before.alphas_, rtol=1e-9)
    assert_allclose(after.alpha_, before.alpha_, rtol=1e-9)
    if before.mean_scores_ is not None:
        assert_allclose(after.mean_scores_, before.mean_scores_, rtol=1e-9, atol=1e-9)
    size = np.abs(before.coef_).max()
    assert_allclose(after.coef_ * scale, before.coef_, rtol=1e-9, atol=1e-9 * size)


@pytest.mark.parametrize("gap", [1.0, 1e3, 1e6, 1e12])
@pytest.mark.parametrize("shape", [(200, 4), (15, 30)])
def test_automatic_alphas_begin_below_the_shortest_column(shape, gap):
    X, y = rows(*shape)
    X[:, 0] *= gap
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = RidgeCV("auto").fit(X, y)
    squares = ((X - X.mean(axis=0)) ** 2).sum(axis=0)
    assert_allclose(model.alphas_[0], 1e-6 * squares.min(), rtol=1e-9)
    assert model.alphas_[-1] > 9.99 * squares.max()
    assert np.diff(np.log10(model.alphas_)).max() < 0.13


# --- the limit of ever smaller penalties ---------------------------------------------------------


@pytest.mark.parametrize("factors", [None, [1.0, 2.0, 5.0], [0.0, 2.0, 5.0], [4.0, 0.0, 1.0]])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("solver", [*SOLVERS, "statistics", "path"])
def test_without_penalty_collinear_columns_have_the_limit_of_small_penalties(
    solver, standardize, factors
):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2))
    X = np.column_stack([X, 3.0 * X[:, 0]])
    y = X[:, 0] + X[:, 1] + rng.normal(size=50)
    options = {"standardize": standardize, "penalty_factors": factors}
    limit = Ridge(1e-6, **options).fit(X, y).coef_
    if solver == "path":
        coef = ridge_path(X, y, [0.0], **options)[0]
    elif solver == "statistics":
        coef = Ridge(0.0, **options).fit_statistics(GramStatistics.from_data(X, y)).coef_
    else:
        coef = Ridge(0.0, solver=solver, **options).fit(X, y).coef_
    assert_allclose(coef, limit, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("solver", SOLVERS)
def test_features_without_penalty_that_explain_all_leave_nothing_to_the_others(solver):
    X, y = [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]], [1.0, 2.0]
    model = Ridge(0.0, penalty_factors=[1.0, 1.0, 0.0], solver=solver).fit(X, y)
    assert_allclose(model.coef_, [0.0, 0.0, -1.0], atol=1e-12)
    assert_allclose(model.intercept_, 4.0, rtol=1e-12)
    assert model.rcond_ < 1e-12


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_column_that_a_free_feature_explains_but_for_rounding_has_no_coefficient(solver):
    rng = np.random.default_rng(0)
    for _ in range(20):
        free = rng.normal(size=6)
        X, y = np.column_stack([free / 256.0, free]), rng.normal(size=6)
        model = Ridge(0.0, penalty_factors=[0.25, 0.0], solver=solver).fit(X, y)
        assert_allclose(model.coef_[0], 0.0, atol=1e-9)
        assert_allclose(model.coef_[1], Ridge(0.0).fit(X[:, 1:], y).coef_[0], rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_penalty_near_the_largest_float_gives_no_coefficients(solver):
    X, y = rows(50, 3)
    X[:, 1] *= 1e6
    model = Ridge(1e300, standardize=True, solver=solver).fit(X, y)
    assert_allclose(model.coef_, 0.0, atol=1e-290)
    assert_allclose(model.intercept_, y.mean(), rtol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("outlier", [1e8, 1e13, 1e30])
def test_one_outlying_cell_costs_other_columns_no_digits(solver, outlier):
    X, y = rows(50, 3)
    X[7, 1] = outlier
    model = Ridge(1.0, solver=solver).fit(X, y)
    coef, intercept = exact_ridge(X, y, 1.0)
    assert_allclose(X @ model.coef_ + model.intercept_, X @ coef + intercept, rtol=0, atol=1e-11)


# --- raw data: large cells, rare levels, free features --------------------------------------------


@pytest.mark.parametrize("kind", ["C", "csr"])
@pytest.mark.parametrize("sentinel", [1e8, 1e10, 1e13])
def test_leave_one_out_with_equal_sentinels_keeps_the_digits_of_the_other_rows(sentinel, kind):
    X, y = rows(30, 3)
    X[[5, 9], 2] = sentinel
    model = RidgeCV([1.0], store_cv_results=True, scoring="neg_mean_squared_error")
    model.fit(FORMATS[kind](X), y)
    for i in (0, 5, 17):
        others = np.arange(30) != i
        coef, intercept = exact_ridge(X[others], y[others], 1.0)
        assert_allclose(model.cv_results_[i, 0], X[i] @ coef + intercept, rtol=1e-10)


@pytest.mark.parametrize("cv", [None, 4])
@pytest.mark.parametrize("power", [20, 40, 60])
def test_standardized_scores_of_rare_levels_are_those_of_any_units(power, cv):
    rng = np.random.default_rng(0)
    level = rng.integers(0, 30, 20)
    X = np.hstack([rng.normal(size=(20, 1)), (level[:, None] == np.arange(30)) * 1.0])
    y = rng.normal(size=20)
    units = np.exp2(np.random.default_rng(1).integers(-power, power + 1, 31).astype(float))
    model = RidgeCV([1e-7], standardize=True, cv=cv, scoring="neg_mean_squared_error")
    before = model.fit(X, y).mean_scores_
    assert_allclose(model.fit(X * units, y).mean_scores_, before, rtol=1e-9)


@pytest.mark.parametrize("kind", ["C", "csr"])
@pytest.mark.parametrize("outlier", [1.0, 1e7])
@pytest.mark.parametrize("cv", [None, 5])
def test_scores_with_free_features_of_any_units_are_the_same(cv, outlier, kind):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 30)), rng.normal(size=20)
    X[0, 5] *= outlier
    factors = np.ones(30)
    factors[:3] = 0.0
    model = RidgeCV([1e-3], cv=cv, penalty_factors=factors, scoring="neg_mean_squared_error")
    before = model.fit(FORMATS[kind](X), y).mean_scores_
    units = np.ones(30)
    units[:2] = 2.0**40, 2.0**-40
    after = model.fit(FORMATS[kind](X * units), y).mean_scores_
    assert_allclose(after, before, rtol=1e-8)


def test_eigh_of_sparse_columns_with_large_means_keeps_all_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2))
    X[:, 1] = 1.6e9 + np.round(100.0 * X[:, 1])
    X = np.column_stack([X, X[:, 1] + 1000.0 * rng.normal(size=2000)])
    y = X[:, 0] + (X[:, 1] - 1.6e9) / 100.0
    model = Ridge(1e-3, solver="eigh").fit(scipy.sparse.csr_array(X), y)
    assert_allclose(model.coef_, [1.0, 0.01, 0.0], rtol=1e-5, atol=1e-8)


def test_inference_of_rows_far_from_the_others_knows_its_own_model():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(15, 4))
        X[:3] *= 1e8
        y = X @ (np.ones(4) * 1e-8) + 1e-6 * rng.normal(size=15) + 300.0
        found = Ridge(0.0).fit(X, y).inference(X, y)
        assert np.isfinite(found.standard_errors).all()


@pytest.mark.parametrize("unit", [2.0**-30, 1.0, 2.0**30])
def test_standardized_constant_column_without_intercept_is_one_in_any_unit(unit):
    X, y = rows(30, 2)
    expected = Ridge(1.0, standardize=True, fit_intercept=False).fit(np.c_[X, np.ones(30)], y)
    model = Ridge(1.0, standardize=True, fit_intercept=False)
    model.fit(np.c_[X, np.full(30, unit)], y)
    assert_allclose(model.coef_ * [1.0, 1.0, unit], expected.coef_, rtol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_penalised_copy_of_a_free_column_is_zero(solver):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((8, 3)) * [1.0, 1e17, 1.0]
        X[:, 2] = X[:, 1] * 2.0 ** rng.integers(-6, 6)
        model = Ridge(1e3, penalty_factors=[1.0, 0.0, 1.0], solver=solver)
        model.fit(X, rng.standard_normal(8))
        assert abs(model.coef_[2]) * np.linalg.norm(X[:, 2]) < 1e-9


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "qr"])
def test_solvers_wide_rows_of_very_different_length_are_exact(kind, solver):
    X = np.array([
        [-12.4983097, 1.74579799, 384.259941, 13.5692518],
        [-12.9353538, 2.13340278, 392.955123, 13.9130171],
        [5000000.00, 2.34743878, 383.870501, 13.8500238],
    ])  # fmt: skip
    y = np.array([-1.77244561, 10.81962229, 19.4072973])
    model = Ridge(0.25, fit_intercept=False, solver=solver).fit(FORMATS[kind](X), y)
    errors, _ = fitted_errors(X, y, model.coef_, 0.0, 0.25, fit_intercept=False)
    assert errors.max() < 1e-9


@pytest.mark.parametrize("layout", [scipy.sparse.csr_array, scipy.sparse.csc_array])
@pytest.mark.parametrize("scale", [2.0**-100, 0.1, 2.0**150])
def test_ridge_constant_column_of_sparse_wide_rows_has_no_effect(layout, scale):
    rng = np.random.default_rng(0)
    for value in rng.standard_normal(20):
        X = rng.standard_normal((3, 8))
        y, weight = rng.standard_normal(3), np.array([1.0, 2.0, 0.0])
        X[:, 3] = value * scale  # its mean, rounded, need not be its value
        rest = np.delete(np.arange(8), 3)
        without = Ridge(1e-10).fit(X[:, rest], y, sample_weight=weight)
        for coef in (
            Ridge(1e-10).fit(layout(X), y, sample_weight=weight).coef_,
            ridge_path(layout(X), y, [1e-10], sample_weight=weight)[0],
        ):
            assert_allclose(coef[rest], without.coef_, rtol=1e-9)
            assert coef[3] == 0.0


@pytest.mark.parametrize("layout", [scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_ridge_sparse_columns_stored_in_rows_of_weight_zero_have_the_right_mean(layout):
    rng = np.random.default_rng(0)
    for _ in range(20):
        X = rng.integers(0, 3, (6, 5)).astype(float)
        y, weight = rng.standard_normal(6), rng.integers(0, 3, 6).astype(float)
        weight[:2] = 1.0
        for alpha in (1e-3, 1.0):
            dense, sparse = (Ridge(alpha).fit(A, y, sample_weight=weight) for A in (X, layout(X)))
            assert_allclose(sparse.coef_, dense.coef_, rtol=1e-9, atol=1e-12)
            assert_allclose(sparse.intercept_, dense.intercept_, rtol=1e-9, atol=1e-12)


def test_eigh_of_statistics_with_a_large_cell_keeps_the_digits_of_the_gram():
    X = np.array(
        [[-0.125, 8.0, -0.1875, -6.0], [-0.25, 16.0, 0.1875, -6.0], [0.125, 8e7, -0.1875, 0.0]]
    )
    y = np.array([-9.54715715, -4.55451121, 25.90936135])
    exact, _ = exact_ridge(X, y, 0.001, None, True)
    model = Ridge(0.001, solver="eigh").fit_statistics(GramStatistics.from_data(X, y))
    assert model.solver_ == "eigh"
    assert_allclose(model.coef_ * X.std(axis=0), exact * X.std(axis=0), rtol=1e-9, atol=1e-9)
