"""Units, rows of weight zero and excluded features change nothing else about an elastic net."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from fastridge import (
    ElasticNet,
    ElasticNetCV,
    GramStatistics,
    Lasso,
    LassoCV,
    enet_path,
    lasso_path,
)

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}
MARGIN = 1e-9
layouts = st.sampled_from(list(LAYOUTS))


@st.composite
def problems(draw, least_rows=4):
    """X, y and options: from unrelated to nearly collinear columns, on both sides of n = p."""
    n = draw(st.integers(least_rows, 40))
    p = draw(st.sampled_from([1, 2, 5, 12, 30, 60]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, p)) + rng.standard_normal(p)
    if draw(st.booleans()):
        X = rng.standard_normal((n, 2)) @ rng.standard_normal((2, p))
        X += 0.1 * rng.standard_normal((n, p))
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.4)) + rng.standard_normal(n)
    options = {"fit_intercept": draw(st.booleans()), "tol": draw(st.sampled_from([1e-4, 1e-10]))}
    if draw(st.booleans()):
        ends = np.array([0.0, 0.25, 1.0, np.inf])
        options["bounds"] = -rng.choice(ends, p), rng.choice(ends, p)
    options["positive"] = draw(st.booleans()) and draw(st.booleans())
    factors = rng.choice([0.5, 1.0, 2.0, np.inf], p, p=[0.3, 0.4, 0.2, 0.1])
    return X, y, factors, options, rng


@st.composite
def scaled_problems(draw, **sizes):
    """Also the same with columns times powers of two."""
    X, y, factors, options, rng = draw(problems(**sizes))
    single = draw(st.booleans()) and draw(st.booleans())
    most = 40 if single else 200
    units = np.ldexp(1.0, rng.integers(-most, most + 1, X.shape[1]))
    if single:
        X, y = X.astype(np.float32), y.astype(np.float32)
    l1_ratio = draw(st.sampled_from([1.0, 0.5]))
    options["standardize"] = l1_ratio < 1.0 or draw(st.booleans())
    options["penalty_factors"] = factors
    other = dict(options)
    if not options["standardize"]:
        other["penalty_factors"] = factors * units
    if "bounds" in options:
        other["bounds"] = tuple(end / units for end in options["bounds"])
    layout = LAYOUTS[draw(layouts)]
    Z = (X * units).astype(X.dtype)
    return (layout(X), options), (layout(Z), other), y, l1_ratio, units


def assert_same(found, expected, atol=0.0):
    expected = np.asarray(expected, dtype=float)
    size = np.abs(expected).max(initial=0.0)
    assert_allclose(found, expected, rtol=MARGIN, atol=MARGIN * size + atol)


def assert_same_fits(model, base, units, unit):
    """Coefficients but for the units, and everything else."""
    assert_same(np.asarray(model.coef_, dtype=float) * units, base.coef_)
    assert_same(model.intercept_, base.intercept_, atol=MARGIN * unit**0.5)
    assert (model.n_iter_, model.status_) == (base.n_iter_, base.status_)
    assert_allclose(model.dual_gap_, base.dual_gap_, rtol=1e-6, atol=1e-12 * unit)


@given(scaled_problems(), st.sampled_from([0.5, 0.1, 1e-3]), st.booleans())
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_elastic_net_columns_times_powers_of_two_divides_coefficients(problem, share, by_stats):
    (X, options), (Z, other), y, l1_ratio, units = problem
    alpha = float(share * np.abs(X.T @ y).max() / len(y))
    base = ElasticNet(alpha, l1_ratio=l1_ratio, **options)
    model = ElasticNet(alpha, l1_ratio=l1_ratio, **other)
    if by_stats:
        base.fit_statistics(GramStatistics.from_data(X, y))
        model.fit_statistics(GramStatistics.from_data(Z, y))
    else:
        base.fit(X, y)
        model.fit(Z, y)
    assert_same_fits(model, base, units, float(y @ y))


@given(scaled_problems())
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_enet_path_columns_times_powers_of_two_keeps_grid_and_gaps(problem):
    (X, options), (Z, other), y, l1_ratio, units = problem
    how = {"l1_ratio": l1_ratio, "alphas": 12, "return_n_iter": True}
    alphas, coefs, gaps, n_iters = enet_path(X, y, **how, **options)
    found = enet_path(Z, y, **how, **other)
    assert_same(found[0], alphas)
    assert_same(found[1].astype(float) * units[:, None], coefs)
    assert_allclose(found[2], gaps, rtol=1e-6, atol=1e-12 * float(y @ y))
    assert found[3] == n_iters


@given(scaled_problems(least_rows=9), st.booleans())
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_elastic_net_cv_columns_times_powers_of_two_keeps_scores_and_choice(problem, by_stats):
    (X, options), (Z, other), y, l1_ratio, units = problem
    base = ElasticNetCV(l1_ratio=l1_ratio, alphas=8, cv=3, **options)
    model = ElasticNetCV(l1_ratio=l1_ratio, alphas=8, cv=3, **other)
    if by_stats and getattr(X, "format", "") != "csc":
        base.fit_statistics([GramStatistics.from_data(X[k::3], y[k::3]) for k in range(3)])
        model.fit_statistics([GramStatistics.from_data(Z[k::3], y[k::3]) for k in range(3)])
    else:
        base.fit(X, y)
        model.fit(Z, y)
    assert_same(model.alphas_, base.alphas_)
    assert_same(model.mse_path_, base.mse_path_)
    assert_same(model.alpha_, base.alpha_)
    assert_same_fits(model, base, units, float(y @ y))


@given(problems(), st.integers(-420, 490), layouts)
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_lasso_y_times_a_power_of_two_scales_coefficients_and_gap(problem, power, layout):
    X, y, factors, options, _ = problem
    unit = 2.0**power  # 1e-126 to 1e147
    options["penalty_factors"] = factors
    other = dict(options)
    if "bounds" in options:
        other["bounds"] = tuple(end * unit for end in options["bounds"])
    alpha = 0.1 * float(np.abs(X.T @ y).max()) / len(y)
    base = Lasso(alpha, **options).fit(LAYOUTS[layout](X), y)
    model = Lasso(alpha * unit, **other).fit(LAYOUTS[layout](X), y * unit)
    assert_allclose(model.coef_ / unit, base.coef_, rtol=1e-12, atol=0.0)
    room = 1e-14 * float(y @ y)
    assert_allclose(model.dual_gap_ / unit / unit, base.dual_gap_, rtol=1e-12, atol=room)
    assert (model.n_iter_, model.status_) == (base.n_iter_, base.status_)
    grid = lasso_path(X, y, alphas=4, **options)[0]
    if grid[0] > grid[-1]:  # else all are what stands in for an alpha of zero
        assert_allclose(lasso_path(X, y * unit, alphas=4, **other)[0] / unit, grid, rtol=1e-12)


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("shape", [(30, 5), (10, 20)], ids=["tall", "wide"])
def test_lasso_squares_that_underflow_are_an_error(shape, layout):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    with pytest.raises(ValueError, match="of y varies by"):
        Lasso(1e-172).fit(LAYOUTS[layout](X), 1e-170 * y)
    X[:, 1] *= 1e-170
    factors = np.where(np.arange(shape[1]) == 1, 1e-170, 1.0)
    with pytest.raises(ValueError, match="column 1 of X varies by"):
        Lasso(1e-3, penalty_factors=factors).fit(LAYOUTS[layout](X), y)


@given(
    problems(),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from([1.0, 1e10, 1e100]),
    st.sampled_from(["C", "F", "csr"]),
)
@settings(max_examples=80, deadline=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_elastic_net_rows_of_weight_zero_change_nothing(problem, l1_ratio, size, layout):
    X, y, factors, options, rng = problem
    n, p = X.shape
    options = {**options, "penalty_factors": factors, "tol": 1e-10}
    weight = rng.integers(1, 4, n).astype(float)
    at = np.sort(rng.integers(1 if layout == "csr" else 0, n + 1, rng.integers(1, 2 * n)))
    more = size * rng.standard_normal((len(at), p)), size * rng.standard_normal(len(at))
    Z, z = np.insert(X, at, more[0], axis=0), np.insert(y, at, more[1])
    w = np.insert(weight, at, 0.0)
    X, Z = LAYOUTS[layout](X), LAYOUTS[layout](Z)
    alpha = 0.1 * float(np.abs(X.T @ y).max()) / n
    base = ElasticNet(alpha, l1_ratio=l1_ratio, **options).fit(X, y, weight)
    model = ElasticNet(alpha, l1_ratio=l1_ratio, **options).fit(Z, z, w)
    assert model.solver_ == base.solver_
    assert_allclose(model.coef_, base.coef_, rtol=1e-6, atol=1e-6 * np.abs(base.coef_).max())
    grid = enet_path(X, y, sample_weight=weight, l1_ratio=l1_ratio, alphas=5, **options)[0]
    other = enet_path(Z, z, sample_weight=w, l1_ratio=l1_ratio, alphas=5, **options)[0]
    assert_allclose(other, grid, rtol=1e-9)


@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("shape", [(40, 4), (12, 20)], ids=["tall", "wide"])
def test_lasso_cv_rows_of_weight_zero_leave_scores_and_choice(shape, layout):
    rng = np.random.default_rng(3)
    n, p = shape
    X = rng.standard_normal(shape)
    y = X[:, 0] + 0.5 * rng.standard_normal(n)
    fold, weight = np.arange(n) % 3, rng.integers(1, 3, n).astype(float)
    at = np.array([4, 4, 7, n])
    size = 1e200 if layout == "C" else 1e100
    Z = np.insert(X, at, size * rng.standard_normal((4, p)), axis=0)
    z, w = np.insert(y, at, size), np.insert(weight, at, 0.0)
    folds = np.insert(fold, at, [0, 1, 2, 0])

    def splits(of):
        return [(np.flatnonzero(of != k), np.flatnonzero(of == k)) for k in range(3)]

    base = LassoCV(alphas=10, cv=splits(fold)).fit(LAYOUTS[layout](X), y, weight)
    model = LassoCV(alphas=10, cv=splits(folds)).fit(LAYOUTS[layout](Z), z, w)
    assert_allclose(model.alphas_, base.alphas_, rtol=1e-12)
    assert_allclose(model.mse_path_, base.mse_path_, rtol=1e-9)
    assert_allclose(model.coef_, base.coef_, rtol=1e-9, atol=1e-12)


@given(
    problems(),
    st.sampled_from([(0.1, 1.0), (0.1, 0.5), (0.1, 0.0), (0.0, 0.5)]),
    layouts,
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_elastic_net_infinite_penalty_factor_leaves_the_feature_out(
    problem, penalty, layout, standardize
):
    X, y, factors, options, _ = problem
    alpha, l1_ratio = penalty
    options = {**options, "tol": 1e-12, "l1_ratio": l1_ratio, "standardize": standardize}
    options.pop("bounds" if alpha == 0.0 else "", None)
    options["positive"] &= alpha > 0.0
    factors[-1] = np.inf
    kept = np.isfinite(factors)
    model = ElasticNet(alpha, penalty_factors=factors, **options).fit(LAYOUTS[layout](X), y)
    assert_array_equal(model.coef_[~kept], 0.0)
    if not kept.any():
        assert model.status_ == "converged"
        return
    if "bounds" in options:
        options["bounds"] = tuple(end[kept] for end in options["bounds"])
    fewer = LAYOUTS[layout](X[:, kept])
    base = ElasticNet(alpha, penalty_factors=factors[kept], **options).fit(fewer, y)
    assert model.status_ == base.status_
    assert_allclose(model.predict(X), base.predict(fewer), atol=1e-5 * np.abs(y).max())


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("shape", [(40, 6), (12, 30)], ids=["tall", "wide"])
def test_cv_infinite_penalty_factor_keeps_grid_scores_and_targets(shape, layout):
    rng = np.random.default_rng(1)
    X = rng.standard_normal(shape)
    X[:, -1] = y = X[:, 0] + rng.standard_normal(shape[0])
    factors = np.ones(shape[1])
    factors[[2, -1]] = np.inf
    kept = np.isfinite(factors)
    X, fewer = LAYOUTS[layout](X), LAYOUTS[layout](X[:, kept])
    options = {"l1_ratio": [0.5, 1.0], "alphas": 10, "cv": 3, "tol": 1e-10}
    model = ElasticNetCV(penalty_factors=factors, **options).fit(X, y)
    base = ElasticNetCV(**options).fit(fewer, y)
    assert_allclose(model.alphas_, base.alphas_, rtol=1e-12)
    assert_allclose(model.mse_path_, base.mse_path_, rtol=1e-9)
    assert_allclose(model.coef_[kept], base.coef_, rtol=1e-9, atol=1e-12)
    Y = np.column_stack([y, -2.0 * y])
    both = ElasticNet(0.1, penalty_factors=factors, tol=1e-10).fit(X, Y)
    assert_allclose(both.coef_[:, kept], ElasticNet(0.1, tol=1e-10).fit(fewer, Y).coef_, atol=1e-9)


def test_enet_path_infinite_penalty_factors_everywhere_gives_zeros():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    _, coefs, gaps = enet_path(X, y, penalty_factors=np.full(3, np.inf), alphas=[1.0, 0.1, 0])
    assert_array_equal(coefs, 0.0)
    assert_array_equal(gaps, 0.0)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("p", [1, 5])
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_elastic_net_few_rows_and_constant_y_give_finite_models(layout, p, l1_ratio, standardize):
    rng = np.random.default_rng(0)
    for n, constant in ((1, True), (2, False), (2, True), (20, True)):
        X = rng.standard_normal((n, p))
        X[:, -1] = 0.0
        y = np.full(n, 0.1) if constant else rng.standard_normal(n)
        model = ElasticNet(0.01, l1_ratio=l1_ratio, standardize=standardize)
        model.fit(LAYOUTS[layout](X), y)
        assert model.status_ == "converged"
        assert np.isfinite(model.coef_).all()
        assert model.coef_[-1] == 0.0
        if constant:
            assert_array_equal(model.coef_, 0.0)
            assert_allclose(model.predict(X), y, rtol=1e-15)


def test_elastic_net_zero_column_starts_from_zero():
    """A coefficient of an earlier fit does not stay on a column that is zero now."""
    X = np.random.default_rng(0).standard_normal((20, 3))
    y = X.sum(axis=1)
    model = Lasso(0.01, fit_intercept=False, warm_start=True).fit(X, y)
    X[:, 1] = 0.0
    assert model.fit(X, y).coef_[1] == 0.0


def test_lasso_cv_training_sets_of_one_row_work():
    from sklearn.model_selection import TimeSeriesSplit

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((10, 3)), rng.standard_normal(10)
    model = LassoCV(cv=TimeSeriesSplit(9), alphas=5).fit(X, y)
    assert np.isfinite(model.mse_path_).all()
    # of one row, the mean is all there is
    assert_allclose(model.mse_path_[:, 0], (y[1] - y[0]) ** 2)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_features_without_penalty_that_explain_all_leave_nothing_to_the_others(l1_ratio):
    X, y = [[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]], [1.0, 2.0]
    model = ElasticNet(0.0, l1_ratio=l1_ratio, penalty_factors=[1.0, 1.0, 0.0]).fit(X, y)
    assert_allclose(model.coef_, [0.0, 0.0, -1.0], atol=1e-12)
    assert model.status_ == "converged"
    assert 0.0 <= model.dual_gap_ < 1e-12


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e308])
@pytest.mark.parametrize("shape", [(40, 6), (12, 30)], ids=["tall", "wide"])
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_lasso_excluded_column_of_any_size_changes_nothing(layout, shape, size):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    factors = np.ones(shape[1])
    factors[2] = np.inf
    base, X[:, 2] = np.delete(X, 2, axis=1), size * rng.uniform(-1.0, 1.0, shape[0])
    options = {"penalty_factors": factors, "tol": 1e-10}
    right = Lasso(0.1, tol=1e-10).fit(base, y).coef_
    model = Lasso(0.1, **options).fit(LAYOUTS[layout](X), y)
    assert_allclose(np.delete(model.coef_, 2), right, rtol=1e-6, atol=1e-9)
    assert model.coef_[2] == 0.0
    model = LassoCV(alphas=3, cv=3, **options).fit(LAYOUTS[layout](X), y)
    assert_allclose(model.mse_path_, LassoCV(alphas=3, cv=3, tol=1e-10).fit(base, y).mse_path_)
    _, coefs, _ = enet_path(LAYOUTS[layout](X), y, alphas=[0.1], fit_intercept=True, **options)
    assert coefs[2, 0] == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_lasso_excluded_column_that_is_not_finite_is_an_error(value):
    X = np.random.default_rng(1).standard_normal((20, 3))
    X[3, 1] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        Lasso(0.1, penalty_factors=[1.0, np.inf, 1.0]).fit(X, X[:, 0])


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("shape", [(30, 4), (8, 12)], ids=["tall", "wide"])
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_elastic_net_standardized_constant_column_without_intercept_has_no_unit(
    layout, shape, l1_ratio
):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = X[:, 0] + 3.0 + 0.1 * rng.standard_normal(shape[0])
    options = {"l1_ratio": l1_ratio, "standardize": True, "fit_intercept": False, "tol": 1e-12}
    coefs = []
    for unit in (1.0, 2.0**20, 2.0**-20):
        X[:, -1] = unit
        model = ElasticNet(0.1, **options).fit(LAYOUTS[layout](X), y)
        coefs.append(model.coef_ * np.append(np.ones(shape[1] - 1), unit))
    assert coefs[0][-1] > 1.0
    assert_allclose(coefs[1:], coefs[:1] * 2, rtol=1e-9, atol=1e-12)
    scaled = X.copy()
    scaled[:, :-1] /= X[:, :-1].std(axis=0)
    scaled[:, -1] = 1.0
    options["standardize"] = False
    right = ElasticNet(0.1, **options).fit(scaled, y).coef_
    right[:-1] /= X[:, :-1].std(axis=0)
    assert_allclose(coefs[0], right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(40, 5), (4, 5)], ids=["tall", "wide"])
@pytest.mark.parametrize("unit", [2.0**40, 2.0**53, 2.0**60, 2.0**300])
def test_elastic_net_l1_within_rounding_of_a_large_y_converges(unit, shape, positive):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = X @ rng.standard_normal(shape[1]) + 0.1 * rng.standard_normal(shape[0])
    model = ElasticNet(0.01, positive=positive).fit(X, y * unit)
    assert model.status_ == "converged"
    assert model.n_iter_ <= 30  # some for each of 23 alphas on the way
    assert 0.0 <= model.dual_gap_ <= 1e-4 * (y @ y) * unit * unit
    l2 = ElasticNet(0.005, l1_ratio=0.0, positive=positive).fit(X, y)
    assert_allclose(model.coef_ / unit, l2.coef_, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_elastic_net_constant_column_of_tiny_penalty_stays_zero(kind):
    X = np.array([[-7.23952795, -2.88540828, 3.17851874], [-7.23952795, 1e6, 1.17851874]])
    model = ElasticNet(1e-3, l1_ratio=1.0, penalty_factors=[2e-16, 2e6, 4.0])
    model.fit(LAYOUTS[kind](X), [0.0, 2.0], sample_weight=[2.0, 1.0])
    assert model.coef_[0] == 0.0
    assert model.coef_[1] > 0.0


@pytest.mark.parametrize("kind", ["csr", "csc"])
@pytest.mark.parametrize("far", [1, 40])
@pytest.mark.parametrize("mean", [1e4, 1e8])
@pytest.mark.parametrize(
    "model", [Lasso(0.05), ElasticNet(0.05), LassoCV(cv=4, alphas=[0.05, 0.1])]
)
def test_elastic_net_sparse_columns_far_from_zero_equal_dense(kind, far, mean, model):
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((20, 40), density=0.2, random_state=rng).toarray()
    deviation = rng.standard_normal((20, far))
    X[:, :far] = mean + np.round(deviation * 2.0**20) / 2.0**20
    y = X[:, 0] - mean + rng.standard_normal(20)
    expected = model.fit(X, y).coef_.copy()
    assert expected[0] > 0.01
    assert_allclose(model.fit(LAYOUTS[kind](X), y).coef_, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_elastic_net_sparse_column_far_from_zero_but_for_a_light_row_equals_dense(kind):
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((20, 40), density=0.2, random_state=rng).toarray()
    X[:, 0] = 1e8 + np.round(rng.standard_normal(20) * 2.0**20) / 2.0**20
    y = X[:, 0] - 1e8 + rng.standard_normal(20)
    weight = np.ones(20)
    X[3, 0], weight[3] = 0.0, 1e-18
    expected = Lasso(0.05).fit(X, y, sample_weight=weight).coef_
    assert expected[0] > 0.05
    found = Lasso(0.05).fit(LAYOUTS[kind](X), y, sample_weight=weight).coef_
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_lasso_few_iterations_with_more_members_than_rows_has_a_true_gap():
    rng = np.random.default_rng(163)
    X = np.cumsum(rng.standard_normal((5, 10)), 1)
    y = X[:, :3].sum(1) + rng.standard_normal(5)

    def objective(model):
        residual = y - model.predict(X)
        return residual @ residual / 10.0 + 0.01 * np.abs(model.coef_).sum()

    least = objective(Lasso(0.01, tol=1e-12).fit(X, y))
    for max_iter in range(1, 6):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = Lasso(0.01, tol=1e-12, max_iter=max_iter).fit(X, y)
        assert objective(model) - least <= model.dual_gap_ + 1e-10
        assert (model.status_ == "converged") == (model.dual_gap_ <= 1e-10)
