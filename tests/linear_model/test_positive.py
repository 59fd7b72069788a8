"""Ridge(positive=True): the minimum, certified, whatever the units and the condition."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from peak_memory import peak_of
from sklearn.exceptions import ConvergenceWarning

from fastridge import GramStatistics, Ridge
from fastridge.solvers.nonnegative import systems


def centred(X, y, weight, fit_intercept):
    if fit_intercept:
        X, y = X - weight @ X / weight.sum(), y - weight @ y / weight.sum()
    root = np.sqrt(weight)
    return X * root[:, None], y * root


def least_objective(X, y, penalty):
    """The minimum over all active sets."""
    best = y @ y
    for k in range(1, X.shape[1] + 1):
        for some in map(list, itertools.combinations(range(X.shape[1]), k)):
            A = np.vstack([X[:, some], np.diag(np.sqrt(penalty[some]))])
            b = np.append(y, np.zeros(k))
            coef = np.linalg.lstsq(A, b)[0]
            if np.min(coef) >= -1e-13 * np.max(np.abs(coef)):
                best = min(best, np.sum((A @ np.maximum(coef, 0.0) - b) ** 2))
    return best


def excess(X, y, coef, penalty):
    return np.sum((y - X @ coef) ** 2) + penalty @ coef**2 - least_objective(X, y, penalty)


def violation(X, y, coef, penalty):
    """The violation of the conditions of the minimum, for unit columns and relative to y."""
    length = np.sqrt(np.sum(X**2, axis=0) + penalty)
    length[length == 0.0] = 1.0
    gradient = (X.T @ (y - X @ coef) - penalty * coef) / length
    broken = np.where(coef > 0.0, np.abs(gradient), gradient)
    return np.max(broken) / (np.linalg.norm(y) + np.sum(coef * length))


def tiny_problem(seed):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(1, 7), rng.integers(1, 6)
    X = rng.integers(-3, 4, (n, p)).astype(float)
    y = rng.integers(-4, 5, n).astype(float)
    kind = rng.integers(0, 8)
    if kind == 0:
        y = -np.abs(y)
    elif kind == 1:
        X[:, 0] = 0.0
    elif kind == 2:
        X[:, -1] = X[:, 0]
    elif kind == 3:
        X[:, -1] = X[:, : p - 1].sum(axis=1)
    elif kind == 4 and p > 1:
        X[:, 1] = -X[:, 0]
    weight = rng.choice([0.0, 1.0, 2.0], n) if rng.random() < 0.3 else np.ones(n)
    weight[0] = 1.0
    factors = rng.choice([0.0, 1.0, 2.5], p) if rng.random() < 0.3 else np.ones(p)
    alpha = rng.choice([0.0, 1e-14, 1e-10, 1e-8, 1e-4, 0.1, 1.0, 100.0])
    return X, y, weight, factors, alpha, bool(rng.integers(0, 2))


FITS = {
    "rows": lambda model, X, y, w: model.fit(X, y, w),
    "csr": lambda model, X, y, w: model.fit(sp.csr_array(X), y, w),
    "statistics": lambda model, X, y, w: model.fit_statistics(GramStatistics.from_data(X, y, w)),
}


@pytest.mark.parametrize("how", FITS)
def test_positive_tiny_integer_problems_minimum_of_all_active_sets(how):
    for seed in range(100):
        X, y, weight, factors, alpha, fit_intercept = tiny_problem(seed)
        model = Ridge(alpha, positive=True, fit_intercept=fit_intercept, penalty_factors=factors)
        coef = FITS[how](model, X, y, weight).coef_
        assert np.all(coef >= 0.0)
        parts = *centred(X, y, weight, fit_intercept), coef, alpha * factors
        assert excess(*parts) <= 1e-10 * max(1.0, y @ y), seed


@pytest.mark.parametrize("alpha", [0.0, 1e-12, 1e-10, 1e-8, 1e-6])
def test_positive_where_zero_is_best_zero(alpha):
    X = np.array([[-1.0, -2, -1, 0], [3, 0, 3, 0], [2, -2, 0, -2], [-3, -1, 2, 2]])
    y = np.array([-1.0, -3, 4, 4])
    model = Ridge(alpha, positive=True, fit_intercept=False).fit(X, y)
    assert_array_equal(model.coef_, 0.0)


def smooth_columns(kind, n):
    t = np.linspace(0.0, 1.0, n)[:, None]
    if kind == "powers":
        return t ** np.arange(1, 13)
    if kind == "exponentials":
        return np.exp(-t * np.linspace(0.1, 10.0, 40))
    return np.exp(-((t - np.linspace(0.0, 1.0, 60)) ** 2) / 0.005)


@pytest.mark.parametrize("how", FITS)
@pytest.mark.parametrize("n", [200, 30], ids=["tall", "wide"])
@pytest.mark.parametrize("alpha", [0.0, 1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("kind", ["powers", "exponentials", "peaks"])
def test_positive_collinear_columns_conditions_hold(kind, alpha, n, how):
    rng = np.random.default_rng(0)
    X = smooth_columns(kind, n)
    y = X @ np.maximum(rng.standard_normal(X.shape[1]), 0.0) + 0.01 * rng.standard_normal(n)
    model = FITS[how](Ridge(alpha, positive=True), X, y, np.ones(n))
    penalty = np.full(X.shape[1], alpha)
    parts = centred(X, y, np.ones(n), True)
    assert violation(*parts, model.coef_, penalty) < (1e-11 if how == "statistics" else 1e-13)
    assert 0.0 <= model.rcond_ <= 1.0


@pytest.mark.parametrize("alpha", [0.0, 1e-8, 1.0])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_positive_many_more_columns_than_rows_conditions_hold_in_little_memory(make, alpha):
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal((40, 1500)), axis=1) / 30.0
    y = X[:, ::100].sum(axis=1) + rng.standard_normal(40)
    given = make(X)
    model = Ridge(alpha, positive=True)
    assert peak_of(lambda: model.fit(given, y)) < 1500**2 * 8 / 2
    penalty = np.full(1500, alpha)
    assert violation(*centred(X, y, np.ones(40), True), model.coef_, penalty) < 1e-13


def test_positive_large_sparse_rows_conditions_hold_by_iterations(monkeypatch):
    monkeypatch.setattr(systems, "_CG_ORDER", 20)
    rng = np.random.default_rng(0)
    X = sp.random(60, 200, 0.1, format="csr", random_state=rng)
    y = rng.standard_normal(60) + 3.0
    model = Ridge(0.1, positive=True).fit(X, y)
    parts = centred(X.toarray(), y, np.ones(60), True)
    assert violation(*parts, model.coef_, np.full(200, 0.1)) < 1e-12


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)], ids=["tall", "wide"])
@pytest.mark.parametrize("by", ["standardize", "factors"])
@pytest.mark.parametrize("how", FITS)
def test_positive_columns_times_powers_of_two_same_fit(how, by, shape):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    weight = np.ones(shape[0])
    power = rng.integers(-200, 201, shape[1])
    options = [{"standardize": True}] * 2
    if by == "factors":
        options = [{"penalty_factors": f} for f in (np.ones(shape[1]), np.ldexp(1.0, 2 * power))]
    plain, scaled = (Ridge(0.7, positive=True, **option) for option in options)
    FITS[how](plain, X, y, weight)
    FITS[how](scaled, np.ldexp(X, power), y, weight)
    assert_allclose(np.ldexp(scaled.coef_, power), plain.coef_, rtol=1e-9, atol=1e-12)
    assert_allclose(scaled.intercept_, plain.intercept_, rtol=1e-9)
    assert_allclose(scaled.rcond_, plain.rcond_, rtol=1e-6)


@pytest.mark.parametrize("shape", [(40, 6), (8, 20)], ids=["tall", "wide"])
def test_positive_rows_without_weight_change_nothing(shape):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    more = np.vstack([X, 1e3 * rng.standard_normal((30, shape[1]))])
    weight = np.append(np.ones(shape[0]), np.zeros(30))
    plain = Ridge(0.3, positive=True).fit(X, y)
    longer = Ridge(0.3, positive=True).fit(more, np.append(y, np.full(30, 1e3)), weight)
    assert_allclose(longer.coef_, plain.coef_, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("shape", [(40, 6), (8, 20)], ids=["tall", "wide"])
def test_positive_several_targets_as_one_by_one(shape):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 4)) * [1.0, 1e9, 1e-9, 0.0]
    alphas = np.array([1.0, 0.1, 1.0, 2.0])
    together = Ridge(alphas, positive=True).fit(X, Y)
    for k, alpha in enumerate(alphas):
        alone = Ridge(alpha, positive=True).fit(X, Y[:, k])
        assert_allclose(together.coef_[k], alone.coef_, rtol=1e-11)
    assert together.n_iter_.shape == (4,)


def test_positive_float32_is_float64_rounded():
    rng = np.random.default_rng(0)
    X, y = (rng.standard_normal((50, 6)) + 1e3).astype(np.float32), rng.standard_normal(50)
    single = Ridge(0.5, positive=True).fit(X, y.astype(np.float32)).coef_
    double = Ridge(0.5, positive=True).fit(X.astype(float), y.astype(np.float32).astype(float))
    assert single.dtype == np.float32
    assert_allclose(single, double.coef_, rtol=1e-6)


@pytest.mark.parametrize("shape", [(60, 20), (15, 40)], ids=["tall", "wide"])
def test_positive_too_few_iterations_warns_with_the_remedy(shape):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    with pytest.warns(ConvergenceWarning, match="positive=True.*max_iter=1"):
        model = Ridge(1e-3, positive=True, max_iter=1).fit(X, y)
    assert np.all(model.coef_ >= 0.0)
