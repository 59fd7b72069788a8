"""Ridge against mathematics: normal equations, KKT, minimum norm, and against scikit-learn's."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model
from numpy.testing import assert_allclose
from reference import exact_ridge, relative_error, ridge_by_lstsq, ridge_gradient
from sklearn.exceptions import ConvergenceWarning

from fastridge import GramStatistics, Ridge

SHAPES = {
    "tall": (60, 7),
    "square": (12, 12),
    "wide": (9, 25),
    "column": (30, 1),
    "narrow dual": (2, 3),
}


def problem(n, p, t=None, seed=0, offset=2.0):
    """X with means away from zero, y with noise, and weights of which some are zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + offset * rng.standard_normal(p)
    coef = rng.standard_normal((p,) if t is None else (p, t))
    y = X @ coef + 3.0 + rng.standard_normal((n,) if t is None else (n, t))
    weight = rng.uniform(0.1, 3.0, n)
    if n > 2:
        weight[rng.integers(n)] = 0.0
    return X, y, weight


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return SHAPES[request.param]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [None, 1, 3])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
def test_matches_least_squares_on_penalised_rows(shape, t, weighted, fit_intercept, alpha):
    X, y, weight = problem(*shape, t)
    weight = weight if weighted else None
    model = Ridge(alpha=alpha, fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    coef, intercept = ridge_by_lstsq(X, y, alpha, weight, fit_intercept)
    assert relative_error(np.atleast_2d(model.coef_), coef) < 1e-9
    assert_allclose(
        np.broadcast_to(model.intercept_, len(intercept)), intercept, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [None, 1, 3])
def test_same_shapes_types_and_values_as_sklearn(shape, t, weighted, fit_intercept):
    X, y, weight = problem(*shape, t)
    weight = weight if weighted else None
    ours = Ridge(alpha=0.5, fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    rival = sklearn.linear_model.Ridge(alpha=0.5, fit_intercept=fit_intercept, solver="svd")
    rival.fit(X, y, sample_weight=weight)
    assert ours.coef_.shape == rival.coef_.shape
    assert ours.coef_.dtype == rival.coef_.dtype
    assert np.shape(ours.intercept_) == np.shape(rival.intercept_)
    assert isinstance(ours.intercept_, float | np.ndarray)
    assert isinstance(ours.intercept_, type(rival.intercept_)) or not fit_intercept
    assert relative_error(ours.coef_, rival.coef_) < 1e-9
    assert_allclose(ours.intercept_, rival.intercept_, rtol=1e-9, atol=1e-10)
    assert ours.predict(X).shape == rival.predict(X).shape
    assert_allclose(ours.predict(X), rival.predict(X), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_vanishes(shape, weighted, fit_intercept):
    X, y, weight = problem(*shape, 2)
    weight = weight if weighted else None
    model = Ridge(alpha=0.3, fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    coef_gradient, intercept_gradient = ridge_gradient(model, X, y, 0.3, weight)
    scale = (
        np.abs(X).T @ np.abs(y) if weight is None else np.abs(X).T @ (weight[:, None] * np.abs(y))
    )
    assert np.max(np.abs(coef_gradient)) < 1e-11 * scale.max()
    if fit_intercept:
        assert np.max(np.abs(intercept_gradient)) < 1e-11 * scale.max()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(40, 5), (6, 15)], ids=["primal", "dual"])
def test_one_alpha_for_each_target(shape, fit_intercept):
    X, Y, weight = problem(*shape, 4)
    alphas = np.array([1e-2, 1.0, 1.0, 50.0])
    model = Ridge(alpha=alphas, fit_intercept=fit_intercept).fit(X, Y, sample_weight=weight)
    for t, alpha in enumerate(alphas):
        single = Ridge(alpha=alpha, fit_intercept=fit_intercept).fit(
            X, Y[:, t], sample_weight=weight
        )
        assert relative_error(model.coef_[t], single.coef_) < 1e-10
        assert_allclose(
            np.broadcast_to(model.intercept_, 4)[t], single.intercept_, rtol=1e-9, atol=1e-10
        )


def test_one_alpha_for_each_target_may_hold_zeros():
    X, Y, _ = problem(40, 5, 3)
    model = Ridge(alpha=[0.0, 1.0, 0.0]).fit(X, Y)
    coef, intercept = ridge_by_lstsq(X, Y, [0.0, 1.0, 0.0])
    assert relative_error(model.coef_, coef) < 1e-10
    assert_allclose(model.intercept_, intercept, rtol=1e-10)


def test_number_of_alphas_must_be_that_of_targets():
    X, Y, _ = problem(20, 3, 4)
    with pytest.raises(ValueError, match="3 != 4"):
        Ridge(alpha=[1.0, 2.0, 3.0]).fit(X, Y)


@pytest.mark.parametrize("alpha_scale", ["sum", "mean"])
@pytest.mark.parametrize("shape", [(15, 4), (6, 12)], ids=["primal", "dual"])
def test_whole_weights_are_repetitions(shape, alpha_scale):
    X, y, _ = problem(*shape, 2)
    repeats = np.random.default_rng(1).integers(0, 4, shape[0])
    weighted = Ridge(alpha=0.7, alpha_scale=alpha_scale).fit(X, y, sample_weight=repeats)
    repeated = Ridge(alpha=0.7, alpha_scale=alpha_scale)
    repeated.fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats, axis=0))
    assert relative_error(weighted.coef_, repeated.coef_) < 1e-11
    assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("fill", [1e20, 1e36, 1e150])
@pytest.mark.parametrize("solver", ["auto", "svd", "qr", "lsqr", "sparse_cg", "gd"])
def test_rows_of_no_weight_do_not_count_even_when_enormous(solver, fill):
    X, y, _ = problem(30, 4)
    weight = np.ones(30)
    weight[::3] = 0.0
    X[::3], y[::3] = fill, -fill
    model = Ridge(alpha=0.7, solver=solver, tol=1e-12, max_iter=20000).fit(
        X, y, sample_weight=weight
    )
    kept = weight > 0
    coef, intercept = ridge_by_lstsq(X[kept], y[kept], 0.7)
    assert relative_error(model.coef_, coef[0]) < 1e-7
    assert_allclose(model.intercept_, intercept[0], rtol=1e-7)


@pytest.mark.parametrize(
    "weight", [2.0, np.float32(2.0), np.full(20, 2), np.full(20, 2.0, np.float32)]
)
def test_weights_may_be_a_number_or_of_any_type(weight):
    X, y, _ = problem(20, 3)
    model = Ridge(alpha=1.0).fit(X, y, sample_weight=weight)
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 0.5)[0][0]) < 1e-12


@pytest.mark.parametrize("power", [-150, 0, 150])
def test_scale_of_the_weights_matters_only_against_alpha(power):
    X, y, weight = problem(25, 4)
    scale = 2.0**power
    model = Ridge(alpha=1.5 * scale).fit(X, y, sample_weight=weight * scale)
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 1.5, weight)[0][0]) < 1e-11


def test_shift_of_y_and_of_x_moves_only_the_intercept():
    X, y, weight = problem(40, 5)
    base = Ridge(alpha=2.0).fit(X, y, sample_weight=weight)
    moved = Ridge(alpha=2.0).fit(X + 5.0, y - 7.0, sample_weight=weight)
    assert relative_error(moved.coef_, base.coef_) < 1e-12
    assert_allclose(moved.intercept_, base.intercept_ - 7.0 - 5.0 * base.coef_.sum(), rtol=1e-11)


def test_permuting_columns_and_rows_permutes_the_coefficients():
    X, y, weight = problem(40, 6)
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(40), rng.permutation(6)
    base = Ridge().fit(X, y, sample_weight=weight)
    permuted = Ridge().fit(X[rows][:, columns], y[rows], sample_weight=weight[rows])
    assert relative_error(permuted.coef_, base.coef_[columns]) < 1e-12


# --- alpha = 0 -----------------------------------------------------------------------------------


def deficient(kind):
    rng = np.random.default_rng(5)
    if kind == "wide":
        return rng.standard_normal((8, 20)) + 3.0
    X = rng.standard_normal((40, 5)) + 3.0
    if kind == "duplicated columns":
        return np.hstack([X, X])
    if kind == "rank deficient":
        return X @ rng.standard_normal((5, 9))
    if kind == "constant column":
        return np.insert(X, 2, 4.0, axis=1)
    if kind == "zero column":
        return np.insert(X, 2, 0.0, axis=1)
    if kind == "one row":
        return X[:1]
    if kind == "dummies of every level":
        return np.eye(4)[rng.integers(0, 4, 50)]
    raise AssertionError(kind)


DEFICIENT = [
    "wide",
    "duplicated columns",
    "rank deficient",
    "constant column",
    "zero column",
    "one row",
    "dummies of every level",
]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", DEFICIENT)
@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "svd", "qr"])
@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")
def test_alpha_zero_gives_the_minimum_norm_solution(kind, solver, fit_intercept):
    X = deficient(kind)
    Y = np.random.default_rng(6).standard_normal((len(X), 2)) + 1.0
    model = Ridge(alpha=0.0, solver=solver, fit_intercept=fit_intercept).fit(X, Y)
    x_mean, y_mean = (X.mean(0), Y.mean(0)) if fit_intercept else (0.0, 0.0)
    expected = (np.linalg.pinv(X - x_mean, rcond=1e-12) @ (Y - y_mean)).T
    assert_allclose(model.coef_, expected, rtol=1e-7, atol=1e-7 * max(1.0, np.abs(expected).max()))
    assert_allclose(model.predict(X), (X - x_mean) @ expected.T + y_mean, rtol=1e-7, atol=1e-7)


def test_one_row_predicts_itself():
    model = Ridge(alpha=1.0).fit([[1.0, 2.0, 3.0]], [5.0])
    assert_allclose(model.coef_, 0.0)
    assert_allclose(model.intercept_, 5.0)


def test_constant_column_gets_no_coefficient_and_does_no_harm():
    X, y, weight = problem(50, 4)
    constant = np.insert(X, 1, 1e6 + 0.1, axis=1)
    for alpha in [0.0, 1e-8, 1.0]:
        model = Ridge(alpha=alpha).fit(constant, y, sample_weight=weight)
        assert abs(model.coef_[1]) < 1e-6
        expected = ridge_by_lstsq(X, y, alpha, weight)[0][0]
        assert relative_error(np.delete(model.coef_, 1), expected) < 1e-8


def test_constant_target_gives_zero_coefficients():
    X, _, _ = problem(30, 4)
    model = Ridge(alpha=0.0).fit(X, np.full(30, 1e8 + 1.0))
    assert_allclose(model.coef_, 0.0, atol=1e-6)
    assert_allclose(model.predict(X), 1e8 + 1.0)


# --- accuracy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ["random", "sorted"])
def test_means_of_1e8_deviations_lose_nothing(order, weighted, alpha):
    rng = np.random.default_rng(0)
    X = 1e8 + rng.standard_normal((300, 4))
    if order == "sorted":
        X = np.sort(X, axis=0) + rng.standard_normal((300, 4)) * 1e-3
    y = (X - 1e8) @ [1.0, -2.0, 0.5, 3.0] + 10.0 + 0.1 * rng.standard_normal(300)
    weight = rng.uniform(0.5, 2.0, 300) if weighted else None
    coef, intercept = exact_ridge(X, y, alpha, weight)
    model = Ridge(alpha=alpha).fit(X, y, sample_weight=weight)
    assert relative_error(model.coef_, coef) < 1e-8
    assert_allclose(model.intercept_, intercept, rtol=1e-7)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_float32_with_means_of_1e4_has_float64_accuracy(layout):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((5000, 8)) + 1e4).astype(np.float32, order=layout)
    y = (X.astype(np.float64) @ rng.standard_normal(8)).astype(np.float32)
    y += rng.standard_normal(5000).astype(np.float32)
    single = Ridge(alpha=1.0).fit(X, y)
    double = Ridge(alpha=1.0).fit(X.astype(np.float64), y.astype(np.float64))
    assert single.coef_.dtype == np.float32
    assert relative_error(single.coef_, double.coef_) < 1e-6
    assert single.score(X, y) > double.score(X.astype(np.float64), y) - 1e-3


@pytest.mark.parametrize("scale", [1e-200, 1e-160, 1e-100, 1e100, 1e160, 1e200, 1e300])
@pytest.mark.parametrize("solver", ["auto", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"])
@pytest.mark.parametrize("shape", [(50, 3), (4, 9)], ids=["tall", "wide"])
@pytest.mark.parametrize("where", ["X", "y", "both"])
def test_huge_and_tiny_values_give_the_answer_or_an_error(scale, solver, shape, where):
    """Products of such values overflow or vanish; what comes back must never be quietly wrong."""
    X, y, _ = problem(*shape)
    alpha = 0.0 if where == "X" else 1e-3
    x_scale, y_scale = (scale if where != "y" else 1.0), (scale if where != "X" else 1.0)
    model = Ridge(alpha=alpha, solver=solver, tol=1e-12, max_iter=3000)
    try:
        with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            model.fit(X * x_scale, y * y_scale)
    except ValueError:
        assert not 1e-150 < scale < 1e150
        return
    assert np.all(np.isfinite(model.coef_))
    if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        return
    if where == "both" and scale < 1:  # alpha is all there is, against 1e-200 squared
        assert np.max(np.abs(model.coef_)) < 1e-90
    else:
        expected = ridge_by_lstsq(X, y, alpha if where == "y" else 0.0)[0][0]
        assert relative_error(model.coef_ / y_scale * x_scale, expected) < 1e-5


# --- positive ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [None, 3])
@pytest.mark.parametrize("shape", [(60, 7), (9, 25)], ids=["tall", "wide"])
def test_positive_satisfies_kkt(shape, t, weighted, fit_intercept):
    X, y, weight = problem(*shape, t)
    weight = weight if weighted else None
    model = Ridge(alpha=0.5, positive=True, fit_intercept=fit_intercept).fit(
        X, y, sample_weight=weight
    )
    assert np.all(model.coef_ >= 0)
    assert np.any(model.coef_ > 0)
    assert np.any(model.coef_ == 0)
    gradient, intercept_gradient = ridge_gradient(model, X, y, 0.5, weight)
    scale = np.max(np.abs(X.T @ np.abs(np.atleast_2d(y.T).T)))
    active = np.atleast_2d(model.coef_) > 0
    assert np.max(np.abs(gradient[active])) < 1e-7 * scale
    assert np.min(gradient) > -1e-7 * scale
    if fit_intercept:
        assert np.max(np.abs(intercept_gradient)) < 1e-7 * scale


def test_positive_equals_unconstrained_when_that_is_positive():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    y = X @ rng.uniform(1.0, 2.0, 5) + 4.0
    free = Ridge(alpha=1.0).fit(X, y)
    bound = Ridge(alpha=1.0, positive=True).fit(X, y)
    assert np.all(free.coef_ > 0)
    assert relative_error(bound.coef_, free.coef_) < 1e-8


@pytest.mark.parametrize("kind", DEFICIENT)
@pytest.mark.parametrize("alpha", [0.0, 1e-14, 1.0])
@pytest.mark.parametrize("how", ["fit", "fit_statistics"])
def test_positive_where_least_squares_is_not_unique(kind, alpha, how):
    X = deficient(kind)
    y = np.random.default_rng(6).standard_normal(len(X)) + 1.0
    model = Ridge(alpha=alpha, positive=True)
    model = (
        model.fit(X, y) if how == "fit" else model.fit_statistics(GramStatistics.from_data(X, y))
    )
    gradient, _ = ridge_gradient(model, X, y, alpha)
    scale = np.max(np.abs(X).T @ np.abs(y))
    assert np.all(model.coef_ >= 0)
    assert np.min(gradient) > -1e-6 * scale
    assert np.max(np.abs(gradient[0, model.coef_ > 0]), initial=0.0) < 1e-6 * scale


def test_positive_agrees_with_sklearn():
    X, y, weight = problem(80, 10)
    ours = Ridge(alpha=1.0, positive=True).fit(X, y, sample_weight=weight)
    rival = sklearn.linear_model.Ridge(alpha=1.0, positive=True, tol=1e-12, max_iter=100000)
    rival.fit(X, y, sample_weight=weight)
    assert_allclose(ours.coef_, rival.coef_, atol=1e-5)
