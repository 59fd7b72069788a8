"""Leave-one-out where rows have leverage near one, against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from reference import exact_solve, scaled_integers
from soak_units import exact_fit

from fastridge import GramStatistics, RidgeCV, ridge_path
from fastridge.model_selection.leave_one_out import LeaveOneOut
from fastridge.model_selection.leave_one_out_stream import with_rows_apart
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import problem_of

ALPHAS = [1e-8, 1e-3, 10.0]


def fractions(values):
    integers, exponent = scaled_integers(values)
    return np.vectorize(lambda v: Fraction(int(v), 1 << exponent), otypes=[object])(integers)


def refitted(X, y, alphas, weight=None, fit_intercept=True, penalty_factors=None):
    """Errors (n, n_alphas, t) of fitting again without each row, rounded once at the end."""
    n, p = X.shape
    Z = np.hstack([X, np.ones((n, 1))]) if fit_intercept else np.asarray(X, float)
    Z, Y = fractions(Z), fractions(np.asarray(y, float).reshape(n, -1))
    w = fractions(np.ones(n) if weight is None else weight)
    factors = fractions(np.ones(p) if penalty_factors is None else penalty_factors)
    G, c = Z.T.dot(w[:, None] * Z), Z.T.dot(w[:, None] * Y)
    errors = np.empty((n, len(alphas), Y.shape[1]))
    for i in range(n):
        A, b = G - w[i] * np.outer(Z[i], Z[i]), c - w[i] * np.outer(Z[i], Y[i])
        for a, alpha in enumerate(alphas):
            penalised = A.copy()
            for j in range(p):
                penalised[j, j] += Fraction(alpha) * factors[j]
            errors[i, a] = Y[i] - Z[i].dot(exact_solve(penalised, b))
    return errors


def rows(kind, n=24):
    """Rows of which some have leverage near one at the least alpha."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, 3))
    if kind == "one row":
        X[4] *= 1e8
    elif kind == "one cell":
        X[4, 1] = 99999999.0
    elif kind == "rare level":
        X[:, 2] = 0.0
        X[6, 2] = 1.0
    elif kind == "graded":
        X[[2, 9, 17]] *= np.array([[1e3], [1e6], [1e9]])
    elif kind == "parallel":
        X[4], X[11] = [1e6, 2e6, -3e6], [0.9e6, 1.8e6, -2.7e6]
    elif kind == "cluster":
        X[8:13] *= 1e8
    return X, rng.standard_normal(n) + X[:, 0] * 1e-3


KINDS = ["one row", "one cell", "rare level", "graded", "parallel", "cluster"]
_RNG = np.random.default_rng(1)
WEIGHT = _RNG.uniform(0.3, 2.0, 24)
HOLES = WEIGHT * (np.arange(24) % 7 != 1)
OPTIONS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "weights": {"weight": WEIGHT},
    "zero weights": {"weight": HOLES},
    "factors": {"penalty_factors": [1.0, 3.0, 0.25]},
    "free column": {"penalty_factors": [0.0, 1.0, 2.0]},
}


def left_out(X, y, alphas, weight=None, **options):
    """Our errors (n, n_alphas, t)."""
    model = RidgeCV(alphas, scoring="neg_mean_squared_error", store_cv_results=True, **options)
    model.fit(X, y, sample_weight=weight)
    predicted = model.cv_results_.reshape(len(y), -1, len(alphas)).transpose(0, 2, 1)
    return np.asarray(y).reshape(len(y), 1, -1) - predicted


def assert_close(actual, expected, rtol=1e-8):
    size = np.maximum(np.abs(expected), 1e-6 * np.abs(expected).max(axis=0))
    assert (np.abs(actual - expected) <= rtol * size).all()


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_loo_with_leverage_near_one_equals_refitting(kind, option):
    X, y = rows(kind)
    assert_close(
        left_out(X, y, ALPHAS, **OPTIONS[option]), refitted(X, y, ALPHAS, **OPTIONS[option])
    )


@pytest.mark.parametrize(
    "make", [scipy.sparse.csr_array, scipy.sparse.csc_array, np.asfortranarray]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loo_with_leverage_near_one_of_every_layout_equals_refitting(make, dtype):
    X, y = rows("graded")
    X = np.where(np.abs(X) < 0.3, 0.0, X).astype(dtype)
    problem = make(X)
    expected = refitted(X.astype(float), y, ALPHAS)
    loo = ridge_path(problem, y, ALPHAS, return_loo=True)[1]
    assert_allclose(loo, (expected[:, :, 0] ** 2).mean(axis=0), rtol=1e-8)


def test_loo_with_leverage_near_one_of_several_targets_equals_refitting():
    X, y = rows("one row")
    Y = np.column_stack([y, X[:, 1] + y**2, y[::-1]])
    expected = refitted(X, Y, ALPHAS, WEIGHT)
    assert_close(left_out(X, Y, ALPHAS, WEIGHT), expected)
    model = RidgeCV(ALPHAS).fit(X, Y, sample_weight=WEIGHT)
    squares = WEIGHT[:, None] * (expected**2).mean(axis=2)
    assert_allclose(model.mean_scores_, -squares.mean(axis=0), rtol=1e-8)
    assert_allclose(model.standard_errors_, squares.std(axis=0, ddof=1) / np.sqrt(24), rtol=1e-8)
    scored = RidgeCV(ALPHAS, scoring="neg_median_absolute_error").fit(X, y)
    median = np.median(np.abs(refitted(X, y, ALPHAS)[:, :, 0]), axis=0)
    assert_allclose(scored.mean_scores_, -median, rtol=1e-8)


@pytest.mark.parametrize("factors", [None, [1.0, 1.0, 0.0]])
@pytest.mark.parametrize("n", [24, 8, 5])
def test_loo_of_a_row_alone_in_a_column_is_the_minimum_norm_limit(n, factors):
    X, y = rows("rare level")
    X, y = X[24 - n :], y[24 - n :]
    alone = 3
    X[:, 2] = 0.0
    X[alone, 2] = 2.0
    alphas = [0.0] if factors is None else [0.0, 0.1]
    # without the row the column is zero, and so is its coefficient
    errors = np.empty((n, len(alphas)))
    errors[alone] = refitted(X[:, :2], y, alphas)[alone, :, 0]
    others = np.arange(n) != alone
    errors[others] = refitted(X[others][:, :2], y[others], alphas)[:, :, 0]
    _, loo = ridge_path(X, y, alphas, penalty_factors=factors, return_loo=True)
    assert_allclose(loo, (errors**2).mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("make", [np.ascontiguousarray, np.asfortranarray, scipy.sparse.csr_array])
def test_loo_of_a_row_alone_in_one_of_many_columns_equals_refitting(make, free):
    rng = np.random.default_rng(0)
    factors = np.ones(12)
    factors[0] = float(not free)
    for _ in range(8):  # rounding of a zero eigenvalue may be above and below
        X = np.where(rng.random((60, 12)) < 0.3, rng.standard_normal((60, 12)), 0.0)
        X[:, 5], X[7, 5] = 0.0, 4.0
        y = rng.standard_normal(60) + X.sum(axis=1)
        _, loo = ridge_path(make(X), y, [0.1], penalty_factors=factors, return_loo=True)
        errors = []
        for i in range(60):
            rest = np.arange(60) != i
            A = np.hstack([X[rest], np.ones((59, 1))])
            penalty = np.hstack([np.diag(np.sqrt(0.1 * factors)), np.zeros((12, 1))])
            target = np.append(y[rest], np.zeros(12))
            coef = np.linalg.lstsq(np.vstack([A, penalty]), target, rcond=None)[0]
            errors.append(y[i] - X[i] @ coef[:12] - coef[12])
        assert_allclose(loo, [np.mean(np.square(errors))], rtol=1e-9)


def test_loo_standardised_with_an_outlier_equals_refitting():
    X, y = rows("one row")
    errors = np.empty((24, 2))
    for i in range(24):
        rest = np.arange(24) != i
        variance = X[rest].var(axis=0)
        Z = X / np.sqrt(variance)
        for a, alpha in enumerate([1e-3, 1.0]):
            A = np.vstack([np.hstack([Z[rest], np.ones((23, 1))]), np.eye(3, 4) * np.sqrt(alpha)])
            coef = np.linalg.lstsq(A, np.append(y[rest], np.zeros(3)), rcond=None)[0]
            errors[i, a] = y[i] - Z[i] @ coef[:3] - coef[3]
    assert_close(left_out(X, y, [1e-3, 1.0], standardize=True)[:, :, 0], errors)


@pytest.mark.parametrize("shape", [(24, 3), (24, 40)])
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error", "r2"])
def test_loo_rows_of_weight_zero_change_nothing(shape, scoring):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(24)
    model = RidgeCV(ALPHAS, scoring=scoring).fit(X, y, sample_weight=HOLES)
    kept = HOLES > 0.0
    fewer = RidgeCV(ALPHAS, scoring=scoring).fit(X[kept], y[kept], sample_weight=HOLES[kept])
    assert_allclose(model.mean_scores_, fewer.mean_scores_, rtol=1e-9)
    assert_allclose(model.standard_errors_, fewer.standard_errors_, rtol=1e-9)
    path = ridge_path(X, y, ALPHAS, sample_weight=HOLES, return_loo=True)[1]
    shorter = ridge_path(X[kept], y[kept], ALPHAS, sample_weight=HOLES[kept], return_loo=True)[1]
    assert_allclose(path, shorter, rtol=1e-9)


def test_loo_needs_two_rows_with_weight():
    with pytest.raises(ValueError, match="at least 2 rows, got n_samples=1"):
        RidgeCV(ALPHAS).fit(np.eye(3), np.arange(3.0), sample_weight=[0.0, 1.0, 0.0])


def test_loo_without_any_penalty_factor_is_least_squares():
    X, y = rows("one row")
    expected = refitted(X, y, [0.0])[:, 0, 0]
    _, loo = ridge_path(X, y, [1.0], penalty_factors=[0.0, 0.0, 0.0], return_loo=True)
    assert_allclose(loo, (expected**2).mean(), rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS[:4])
def test_streamed_loo_with_leverage_near_one_equals_refitting(kind):
    X, y = rows(kind)
    alphas = np.array(ALPHAS)
    stats = GramStatistics.from_data(X, y)
    spectrum = spectrum_of(problem_of(stats._held()), ALPHAS[0])
    first = LeaveOneOut(spectrum, alphas)
    first.errors(X, y[:, None], None)
    assert first.least_left < 1e-2

    def batches():
        for begin in range(0, 24, 10):
            yield X[begin : begin + 10], y[begin : begin + 10, None]

    loo = with_rows_apart(spectrum, alphas, batches)
    expected = refitted(X, y, ALPHAS)[:, :, 0] ** 2
    assert loo.n_samples == 24
    assert_allclose(loo.total[:, 0], expected.sum(axis=0), rtol=1e-8)
    assert_allclose(loo.row_squares, (expected**2).sum(axis=0), rtol=1e-8)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(-200, 200), min_size=3, max_size=3),
    st.sampled_from(["none", "one row", "rare level"]),
    st.booleans(),
)
def test_loo_of_columns_in_other_units_is_the_same(seed, powers, kind, standardize):
    rng = np.random.default_rng(seed)
    X, y = rows(kind)
    X += 0.1 * rng.standard_normal(X.shape) * (X != 0.0)
    units = 2.0 ** np.array(powers)
    options = {"standardize": True} if standardize else {}
    scaled = options or {"penalty_factors": units**2}
    assert_allclose(
        left_out(X * units, y, ALPHAS, **scaled), left_out(X, y, ALPHAS, **options), rtol=1e-9
    )


@pytest.mark.parametrize("option", ["plain", "no intercept", "zero weights", "free column"])
def test_loo_of_the_dual_with_rows_and_columns_of_very_different_size_equals_refitting(option):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((9, 8)) * np.logspace(-4, 4, 8)
    X[3] *= 1e6
    X[5, 0] = 1e9
    y = rng.standard_normal(9)
    options = {key: value for key, value in OPTIONS[option].items() if key == "fit_intercept"}
    if option == "zero weights":
        options["weight"] = HOLES[:9]
    if option == "free column":
        options["penalty_factors"] = [1.0] * 7 + [0.0]
    alphas = [1e-6, 1e-1]
    actual, expected = left_out(X, y, alphas, **options), refitted(X, y, alphas, **options)
    counted = options.get("weight", np.ones(9)) > 0.0
    assert_close(actual[counted], expected[counted])
    assert_close(actual, expected, 1e-6)


def refitted_standardised(X, y, alpha, weight, fit_intercept=True, penalty_factors=None):
    """Errors of fitting again without each row, whose columns are then scaled again."""
    factors = np.ones(X.shape[1]) if penalty_factors is None else np.asarray(penalty_factors)
    errors = np.empty(len(y))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        coef, intercept, _ = exact_fit(
            X[rest], y[rest], weight[rest], alpha, factors, True, fit_intercept
        )
        errors[i] = y[i] - X[i] @ coef - intercept
    return errors


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_loo_of_a_row_far_along_what_a_free_feature_explains_equals_refitting(make):
    # without the third row the free feature fits the others, two of which are alike
    X = np.array(
        [
            [9.108359401584572, -1.444799271767275, -0.3668466215578907, -1.0689848094896486],
            [2.961005286127279, -0.016793886002852497, 0.46373590782726426, 1.1606812089784069],
            [-2.2342797636858855, -0.7393406170898145, 5e11, 0.04463060886884147],
            [2.961005286127279, -0.016793886002852497, 0.46373590782726426, 1.1606812089784069],
        ]
    )
    y, weight = np.array([-666.72, 1443.0, 570.06, -158.72]), np.array([1.0, 3.0, 2.0, 1.0])
    options = {"penalty_factors": [4.0, 0.25, 4.0, 0.0]}
    expected = refitted(X, y, [1e-3], weight, **options)
    assert_close(left_out(make(X), y, [1e-3], weight, **options), expected)


@pytest.mark.parametrize("counted", [True, False])
def test_loo_of_a_far_row_where_a_feature_repeats_a_free_one_equals_refitting(counted):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 4)) * 1e-3 + [1.0, 2.0, 3.0, -1.0]
    X[3, 1] *= 0.7  # a row of high leverage
    X *= [1e5, 1e12, 1e9, 1.0]
    X[:, 3] = X[:, 0] * 2.0**80
    y, weight = rng.standard_normal(8), np.ones(8)
    weight[5] = float(counted)
    options = {"penalty_factors": [0.0, 1.0, 0.25, 4.0], "fit_intercept": False}
    expected = refitted(X, y, [1.0], weight, **options)
    assert_close(left_out(X, y, [1.0], weight, **options), expected)


@pytest.mark.parametrize(
    ("X", "weight", "fit_intercept"),
    [
        ([[0, -1], [-3, -2], [1000, 2], [-2, -2]], [3, 1, 1, 2], False),
        ([[10, 7], [-30, 17], [-30, 7], [-30, 47], [-22, -13]], [3, 1, 1, 1, 3], True),
        ([[2, -3, 2], [1, 3, 2], [1, -2, 0], [-1, 2, -3], [3, -2, -3], [-1, 2, -3]], None, True),
    ],
)
def test_loo_without_any_penalised_feature_and_with_rows_of_high_leverage_equals_refitting(
    X, weight, fit_intercept
):
    X = np.array(X, dtype=float)
    y = np.array([0.7, -1.4, -0.5, 1.7, -0.3, 0.6])[: len(X)]
    weight = None if weight is None else np.array(weight, dtype=float)
    options = {"penalty_factors": [0.0] * X.shape[1], "fit_intercept": fit_intercept}
    expected = refitted(X, y, [1e-10], weight, **options)
    assert_close(left_out(X, y, [1e-10], weight, **options), expected, 1e-12)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csc_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("columns", "alpha"), [(1, 1e3), (3, 1.0), (5, 1.0)])
def test_loo_standardised_with_a_dominant_row_equals_refitting(columns, alpha, fit_intercept, make):
    # a large penalty on a long column leaves no high leverage, but its sum of squares cancels
    rng = np.random.default_rng(5)
    X = rng.standard_normal((6, columns))
    X[2, 0] = 1e9
    y, weight = rng.standard_normal(6), np.array([1.0, 1.0, 1.0, 3.0, 2.0, 1.0])
    options = {"fit_intercept": fit_intercept}
    expected = refitted_standardised(X, y, alpha, weight, **options)
    actual = left_out(make(X), y, [alpha], weight, standardize=True, **options)
    assert_close(actual[:, :, 0], expected[:, None])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("penalised", [1, 2, 4])
def test_loo_standardised_where_free_features_explain_the_other_rows_equals_refitting(
    penalised, seed
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((4, 2 + penalised))
    X[3] = X[1]
    X[:, 0] = [0.3, 0.1, 0.7, 0.1]  # constant but for one row, where two are left out
    X[:, 1] += 1e4
    y, weight = rng.standard_normal(4), np.array([1.0, 2.0, 0.0, 1.0])
    factors = [0.0, 0.0, *[1.0] * penalised]
    expected = refitted_standardised(X, y, 1e-3, weight, penalty_factors=factors)
    actual = left_out(X, y, [1e-3], weight, standardize=True, penalty_factors=factors)
    assert_close(actual[:, 0, 0], expected)


@pytest.mark.parametrize("size", [2, 4])
def test_streamed_loo_of_batches_whose_rows_are_all_set_apart_equals_refitting(size):
    # with four columns so few other rows are left that all are held
    rng = np.random.default_rng(7)
    X = rng.standard_normal((7, size)) * np.logspace(-2, 2, size)
    X[[2, 6]] *= [[1e7], [1e9]]
    y = rng.standard_normal(7)
    alphas = np.array([1e-6, 1e-1])
    spectrum = spectrum_of(problem_of(GramStatistics.from_data(X, y)._held()), alphas[0])
    loo = with_rows_apart(
        spectrum, alphas, lambda: ((X[b : b + 2], y[b : b + 2, None]) for b in range(0, 7, 2))
    )
    expected = refitted(X, y, list(alphas))[:, :, 0] ** 2
    assert loo.n_samples == 7
    assert_allclose(loo.total[:, 0], expected.sum(axis=0), rtol=1e-8)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_loo_where_free_features_span_a_penalised_one_equals_refitting(make):
    X = np.array(
        [
            [1.0, 0.25, -0.5, -1.0],
            [0.0, 0.5, -0.25, -1.0],
            [-2.0, -0.25, 0.75, 0.0],
            [-2.0, 0.5, 0.0, 1.0],
            [0.0, 0.5, -0.25, -1.0],
        ]
    )
    y = np.array([28.5, -41.9, -105.7, -123.8, 14.6])
    factors = np.array([0.0, 0.0625, 0.0, 0.0])
    expected = np.empty((5, 1, 1))
    for i in range(5):
        others = np.arange(5) != i
        fit = exact_fit(X[others], y[others], np.ones(4), 1e-10, factors, False, True)
        expected[i] = y[i] - X[i] @ fit[0] - fit[1]
    assert_close(left_out(make(X), y, [1e-10], penalty_factors=factors), expected)
