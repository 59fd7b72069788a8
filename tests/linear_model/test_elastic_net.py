"""ElasticNet and Lasso: the minimum of their objective, for every layout, shape and source."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from reference import (
    ElasticNetRows,
    elastic_net_by_descent,
    elastic_net_gap,
    elastic_net_objective,
    kkt_violation,
    relative_error,
    ridge_by_lstsq,
)

from fastridge import ElasticNet, GramStatistics, Lasso, Ridge
from fastridge.solvers.coordinate_descent import gram_sources as sources
from fastridge.solvers.coordinate_descent import row_sources

SHAPES = {"tall": (60, 8), "square": (15, 15), "wide": (12, 30)}
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}
TOL = 1e-10


def problem(shape, seed=0, targets=None, sparse=True):
    """Rows with zeros, in unequal units and off the origin, and a few features that matter."""
    n, p = SHAPES.get(shape, shape)
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + 0.5
    if sparse:
        X[rng.random((n, p)) < 0.4] = 0.0
    X = X.astype(np.float32).astype(np.float64)  # the same in both precisions
    size = (p,) if targets is None else (p, targets)
    coef = rng.standard_normal(size) * (rng.random(size) < 0.5)
    y = X @ coef + 3.0
    return X, y + 0.5 * rng.standard_normal(y.shape)


def options_of(name, n, p):
    """Arguments of the reference."""
    rng = np.random.default_rng(n + p)
    weight = rng.uniform(0.2, 2.0, n)
    weight[::5] = 0.0
    factors = rng.uniform(0.5, 2.0, p)
    factors[[1, 4]] = 0.0
    lower, upper = -rng.integers(1, 6, p) / 16.0, rng.integers(1, 6, p) / 16.0
    upper[::3], lower[1::3] = np.inf, 0.0
    offset = rng.standard_normal(n)
    known = {
        "plain": {},
        "no intercept": {"fit_intercept": False},
        "weights": {"weight": weight},
        "factors": {"factors": factors},
        "bounds": {"bounds": (lower, upper)},
        "positive": {"bounds": (0.0, np.inf)},
        "offset": {"offset": offset},
        "standardize": {"standardize": True},
        "standardize, no intercept": {"standardize": True, "fit_intercept": False},
        "factors and bounds": {"factors": factors, "bounds": (lower, upper)},
        "all": {
            "weight": weight,
            "factors": factors,
            "bounds": (lower, upper),
            "offset": offset,
            "standardize": True,
        },
    }
    return known[name]


OPTIONS = [
    "plain",
    "no intercept",
    "weights",
    "factors",
    "bounds",
    "positive",
    "offset",
    "standardize",
    "standardize, no intercept",
    "factors and bounds",
    "all",
]


def fitted(X, y, alpha, l1_ratio, tol=TOL, n_threads=2, max_iter=1000, **options):
    """A model with the reference's options."""
    names = {"bounds": "bounds", "factors": "penalty_factors", "standardize": "standardize"}
    names["fit_intercept"] = "fit_intercept"
    params = {names[key]: value for key, value in options.items() if key in names}
    params |= {"n_threads": n_threads, "max_iter": max_iter}
    model = ElasticNet(alpha, l1_ratio=l1_ratio, tol=tol, **params)
    return model.fit(X, y, sample_weight=options.get("weight"), offset=options.get("offset"))


def check(model, X, y, alpha, l1_ratio, tol=TOL, **options):
    """Optimality, and the certificate against the reference."""
    rows = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    unit = rows.y @ rows.y
    coef, intercept = elastic_net_by_descent(X, y, alpha, l1_ratio, **options)
    least = elastic_net_objective(X, y, coef, alpha, l1_ratio, **options)
    assert elastic_net_gap(X, y, coef, alpha, l1_ratio, **options) <= 1e-13 * unit
    found = elastic_net_objective(X, y, model.coef_, alpha, l1_ratio, **options)
    rounding = (1e-14 if model.coef_.dtype == np.float64 else 1e-6) * unit
    assert model.status_ == "converged"
    assert model.dual_gap_ <= tol * unit
    assert -rounding <= found - least <= model.dual_gap_ + rounding
    gap = elastic_net_gap(X, y, model.coef_, alpha, l1_ratio, **options)
    assert gap <= 3.0 * tol * unit + 100.0 * rounding
    close = 1e-5 if model.coef_.dtype == np.float64 else 2e-5
    violation = kkt_violation(X, y, model.coef_, model.intercept_, alpha, l1_ratio, **options)
    assert violation < close
    return coef, intercept


@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_minimum(shape, layout, options, l1_ratio):
    X, y = problem(shape)
    options = options_of(options, *X.shape)
    rows = ElasticNetRows(X, y, 1.0, l1_ratio, **options)
    correlation = np.abs(rows.X.T @ rows.y)
    largest = np.max(correlation[rows.l1 > 0.0] / rows.l1[rows.l1 > 0.0])
    for share in (0.3, 0.02):
        model = fitted(LAYOUTS[layout](X), y, share * largest, l1_ratio, **options)
        coef, intercept = check(model, X, y, share * largest, l1_ratio, **options)
        close = 1e-3 if layout == "float32" else 2e-4
        assert_allclose(model.coef_, coef, rtol=close, atol=close * np.abs(coef).max())
        assert_allclose(model.intercept_, intercept, rtol=close, atol=close * np.abs(y).max())
    assert np.count_nonzero(model.coef_) > 0
    n_counted = np.count_nonzero(options.get("weight", np.ones(len(X))))
    assert model.solver_ == ("gram" if n_counted >= X.shape[1] else "working set")


@pytest.fixture
def by_columns(monkeypatch):
    """Working sets of a Gram's columns also where there are few."""
    monkeypatch.setattr(sources, "_FEW_COLUMNS", 0)


@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("shape", ["tall", "square"])
def test_the_minimum_by_columns_of_a_gram(by_columns, shape, options, l1_ratio):
    X, y = problem(shape, 1)
    options = options_of(options, *X.shape)
    for alpha in (0.3, 0.03, 0.001):
        model = fitted(X, y, alpha, l1_ratio, **options)
        check(model, X, y, alpha, l1_ratio, **options)


@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_minimum_by_residuals(monkeypatch, layout, options, l1_ratio):
    """Sweeps without a Gram, as where a working set outgrows the rows."""
    monkeypatch.setattr(row_sources.RowSource, "outgrown", lambda *_: True)
    X, y = problem("wide", 16)
    options = options_of(options, *X.shape)
    for alpha in (0.3, 0.03):
        model = fitted(LAYOUTS[layout](X), y, alpha, l1_ratio, max_iter=200000, **options)
        check(model, X, y, alpha, l1_ratio, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_working_set_outgrows_the_rows(monkeypatch, layout):
    """The Gram is given up on the way."""
    monkeypatch.setattr(row_sources, "_SMALL_WORKING", 0)
    X, y = problem((15, 60), 17)
    for alpha in (0.3, 0.05):
        model = fitted(LAYOUTS[layout](X), y, alpha, 0.3, tol=1e-9, max_iter=200000)
        check(model, X, y, alpha, 0.3, tol=1e-9)
    assert np.count_nonzero(model.coef_) > 15


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_a_gram_of_many_columns(by_columns, share):
    """A working set that grows, and what it holds moves to larger buffers."""
    X, y = problem((260, 160), 2)
    alpha = share * np.abs((X - X.mean(axis=0)).T @ y).max() / len(X)
    model = fitted(X, y, alpha, 1.0)
    check(model, X, y, alpha, 1.0)
    assert 0 < np.count_nonzero(model.coef_) < 160


@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_more_columns_than_rows(layout, l1_ratio):
    X, y = problem((40, 400), 3)
    alpha = 0.2 * np.abs((X - X.mean(axis=0)).T @ y).max() / len(X) / l1_ratio
    model = fitted(LAYOUTS[layout](X), y, alpha, l1_ratio)
    check(model, X, y, alpha, l1_ratio)


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-6, 1e-8, 1e-12])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_gap_is_a_bound_at_every_tolerance(shape, tol):
    X, y = problem(shape, 4)
    for l1_ratio in (0.5, 1.0):
        model = fitted(X, y, 0.02, l1_ratio, tol=tol)
        rows = ElasticNetRows(X, y, 0.02, l1_ratio)
        unit = rows.y @ rows.y
        above = rows.objective(model.coef_) - rows.objective(rows.solve())
        assert above <= model.dual_gap_ + 1e-14 * unit
        assert model.dual_gap_ <= tol * unit
        assert rows.objective(model.coef_) - rows.dual(model.coef_) <= 10.0 * tol * unit


@pytest.mark.parametrize("shape", SHAPES)
def test_lasso_is_elastic_net_with_l1_ratio_1(shape):
    X, y = problem(shape)
    for alpha in (0.5, 0.01):
        lasso = Lasso(alpha, tol=TOL).fit(X, y)
        model = ElasticNet(alpha, l1_ratio=1.0, tol=TOL).fit(X, y)
        assert_array_equal(lasso.coef_, model.coef_)
        assert lasso.intercept_ == model.intercept_
        check(lasso, X, y, alpha, 1.0)


@pytest.mark.parametrize("options", ["plain", "weights", "standardize", "factors", "bounds"])
@pytest.mark.parametrize("shape", SHAPES)
def test_sparse_and_dense_agree(shape, options):
    X, y = problem(shape, 5)
    options = options_of(options, *X.shape)
    dense = fitted(X, y, 0.05, 0.7, tol=1e-13, **options)
    for make in (scipy.sparse.csr_matrix, scipy.sparse.csc_matrix, scipy.sparse.coo_array):
        sparse = fitted(make(X), y, 0.05, 0.7, tol=1e-13, **options)
        assert_allclose(sparse.coef_, dense.coef_, rtol=1e-5, atol=1e-7)
        assert_allclose(sparse.predict(make(X)), dense.predict(X), rtol=1e-5, atol=1e-6)


# --- several targets, threads, statistics ---------------------------------------------------------


@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("targets", [1, 3, 11])
@pytest.mark.parametrize("shape", SHAPES)
def test_targets_are_fitted_one_by_one(shape, targets, layout):
    X, Y = problem(shape, 6, targets)
    given = LAYOUTS[layout](X)
    model = ElasticNet(0.05, l1_ratio=0.8, tol=TOL).fit(given, Y)
    assert np.shape(model.intercept_) == (targets,)
    assert model.coef_.shape == ((X.shape[1],) if targets == 1 else (targets, X.shape[1]))
    assert np.shape(model.dual_gap_) == (() if targets == 1 else (targets,))
    assert np.shape(model.n_iter_) == (() if targets == 1 else (targets,))
    coefs = np.atleast_2d(model.coef_)
    for k in range(targets):
        single = ElasticNet(0.05, l1_ratio=0.8, tol=TOL).fit(given, Y[:, k])
        assert_allclose(coefs[k], single.coef_, rtol=1e-6, atol=1e-8)
        assert_allclose(model.intercept_[k], single.intercept_, rtol=1e-7)
        assert kkt_violation(X, Y[:, k], coefs[k], model.intercept_[k], 0.05, 0.8) < 1e-5
    assert model.predict(given).shape == ((len(X), targets) if targets > 1 else (len(X),))


@pytest.mark.parametrize("layout", ["C", "F", "float32", "csr", "csc"])
@pytest.mark.parametrize("shape", [(300, 40), (40, 300)], ids=["tall", "wide"])
def test_the_number_of_threads_changes_no_bit(shape, layout):
    X, Y = problem(shape, 7, 3)
    X = LAYOUTS[layout](X)
    one = ElasticNet(0.05, n_threads=1).fit(X, Y)
    for n_threads in (2, 3):
        more = ElasticNet(0.05, n_threads=n_threads).fit(X, Y)
        assert_array_equal(more.coef_, one.coef_)
        assert_array_equal(more.intercept_, one.intercept_)
        assert_array_equal(more.dual_gap_, one.dual_gap_)
        assert more.n_iter_ == one.n_iter_


def test_a_fit_is_repeatable():
    for shape in SHAPES:
        X, y = problem(shape)
        first, second = ElasticNet(0.02).fit(X, y), ElasticNet(0.02).fit(X, y)
        assert_array_equal(first.coef_, second.coef_)
        again = first.fit(X, y)
        assert_array_equal(again.coef_, second.coef_)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"fit_intercept": False}], ids=str)
def test_statistics_give_the_fit_on_rows(options, weighted):
    X, y = problem("tall", 8)
    weight = np.random.default_rng(8).uniform(0.5, 2.0, len(X)) if weighted else None
    stats = GramStatistics.from_data(X, y, sample_weight=weight)
    model = ElasticNet(0.05, tol=1e-13, **options).fit(X, y, sample_weight=weight)
    from_stats = ElasticNet(0.05, tol=1e-13, **options).fit_statistics(stats)
    assert_allclose(from_stats.coef_, model.coef_, rtol=1e-9)
    assert_allclose(from_stats.intercept_, model.intercept_, rtol=1e-9)
    assert from_stats.n_features_in_ == 8
    assert from_stats.statistics_ is stats
    reference = {"weight": weight, **options}
    check(from_stats, X, y, 0.05, 0.5, **reference)
    batched = ElasticNet(0.05, tol=1e-13, **options)
    for rows in np.array_split(np.arange(len(X)), 4):
        part = None if weight is None else weight[rows]
        batched.partial_fit(X[rows], y[rows], sample_weight=part)
    assert_allclose(batched.coef_, model.coef_, rtol=1e-9)
    assert_allclose(batched.intercept_, model.intercept_, rtol=1e-9)
    assert batched.statistics_.n_samples == len(X)


def test_statistics_of_several_targets_and_options():
    X, Y = problem("tall", 9, 3)
    options = options_of("factors and bounds", *X.shape)
    params = {"penalty_factors": options["factors"], "bounds": options["bounds"], "tol": TOL}
    model = ElasticNet(0.05, **params).fit_statistics(GramStatistics.from_data(X, Y))
    for k in range(3):
        violation = kkt_violation(
            X, Y[:, k], model.coef_[k], model.intercept_[k], 0.05, 0.5, **options
        )
        assert violation < 1e-5


@pytest.mark.parametrize("alpha", [0.0, 0.02])
def test_statistics_of_fewer_rows_than_columns(alpha):
    X, y = problem("wide", 9)
    model = ElasticNet(alpha, tol=TOL).fit_statistics(GramStatistics.from_data(X, y))
    if alpha:
        check(model, X, y, alpha, 0.5)
    else:
        assert_allclose(model.predict(X), y, rtol=1e-5)


def test_partial_fit_continues_from_given_statistics_and_fit_forgets_them():
    X, y = problem("tall", 10)
    model = ElasticNet(0.05, tol=1e-13)
    model.fit_statistics(GramStatistics.from_data(X[:30], y[:30])).partial_fit(X[30:], y[30:])
    whole = ElasticNet(0.05, tol=1e-13).fit(X, y)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-9)
    model.fit(X[:20], y[:20])
    assert not hasattr(model, "statistics_")
    model.partial_fit(X[20:], y[20:])
    part = ElasticNet(0.05, tol=1e-13).fit(X[20:], y[20:])
    assert_allclose(model.coef_, part.coef_, rtol=1e-9)


# --- penalties at their ends ----------------------------------------------------------------------


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("shape", SHAPES)
def test_alpha_0_is_least_squares(shape, layout, l1_ratio):
    X, y = problem(shape, 11)
    model = ElasticNet(0.0, l1_ratio=l1_ratio).fit(LAYOUTS[layout](X), y)
    coef, intercept = ridge_by_lstsq(X, y)
    assert relative_error(model.coef_, coef[0]) < 1e-6
    assert_allclose(model.intercept_, intercept[0], rtol=1e-6)
    assert model.solver_.startswith("ridge ")
    assert -1e-13 <= model.dual_gap_ <= 1e-4 * y.var()


@pytest.mark.parametrize("alpha", [1e-3, 0.5])
@pytest.mark.parametrize("options", ["plain", "no intercept", "weights", "factors", "standardize"])
@pytest.mark.parametrize("shape", SHAPES)
def test_l1_ratio_0_is_ridge(shape, options, alpha):
    X, y = problem(shape, 12)
    options = options_of(options, *X.shape)
    model = fitted(X, y, alpha, 0.0, **options)
    weight = options.get("weight")
    total = len(X) if weight is None else weight.sum()
    params = {key: options[key] for key in ("standardize", "fit_intercept") if key in options}
    ridge = Ridge(alpha * total, penalty_factors=options.get("factors"), **params)
    ridge.fit(X, y, sample_weight=weight)
    assert relative_error(model.coef_, ridge.coef_) < 1e-8
    assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-8, atol=1e-8)
    assert kkt_violation(X, y, model.coef_, model.intercept_, alpha, 0.0, **options) < 1e-7
    rows = ElasticNetRows(X, y, alpha, 0.0, **options)
    assert -1e-13 <= model.dual_gap_ <= 1e-7 * (rows.y @ rows.y)


@pytest.mark.parametrize("bounds", [(0.0, np.inf), (-0.1, 0.2)], ids=str)
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_without_a_penalty(shape, alpha, l1_ratio, bounds):
    X, y = problem(shape, 13)
    model = fitted(X, y, alpha, l1_ratio, bounds=bounds)
    rows = ElasticNetRows(X, y, alpha, l1_ratio, bounds=bounds)
    unit = rows.y @ rows.y
    assert model.status_ == "converged"
    assert rows.violation(model.coef_) < 1e-5
    above = rows.objective(model.coef_) - rows.objective(rows.solve())
    assert above <= model.dual_gap_ + 1e-14 * unit
    assert model.dual_gap_ <= TOL * unit


@pytest.mark.parametrize("options", ["plain", "weights", "standardize", "offset", "positive"])
@pytest.mark.parametrize("l1_ratio", [0.2, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_alpha_gives_zeros_and_one_below_does_not(shape, l1_ratio, options):
    X, y = problem(shape, 14)
    options = options_of(options, *X.shape)
    rows = ElasticNetRows(X, y, 1.0, l1_ratio, **options)
    correlation = rows.X.T @ rows.y
    correlation = (
        correlation if "bounds" in options and rows.lower[0] == 0.0 else np.abs(correlation)
    )
    largest = np.max(correlation / rows.l1)
    for factor in (1.0 + 1e-9, 10.0):
        model = fitted(X, y, factor * largest, l1_ratio, **options)
        assert_array_equal(model.coef_, 0.0)
        assert_allclose(model.intercept_, rows.y_mean, rtol=1e-12)
        assert abs(model.dual_gap_) <= 1e-8 * (rows.y @ rows.y)
    model = fitted(X, y, 0.999 * largest, l1_ratio, **options)
    assert np.count_nonzero(model.coef_) == 1


@pytest.mark.parametrize("share", [1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("shape", [(30, 80), (80, 30), (40, 40)], ids=str)
def test_small_alphas(shape, l1_ratio, share):
    X, y = problem(shape, 15, sparse=False)
    rows = ElasticNetRows(X, y, 1.0, l1_ratio)
    alpha = share * float(np.abs(rows.X.T @ rows.y).max()) / l1_ratio
    model = fitted(X, y, alpha, l1_ratio)
    rows = ElasticNetRows(X, y, alpha, l1_ratio)
    unit = rows.y @ rows.y
    assert model.status_ == "converged"
    assert model.dual_gap_ <= TOL * unit
    assert rows.violation(model.coef_) < 1e-5
    assert rows.objective(model.coef_) - rows.dual(model.coef_) <= 10.0 * TOL * unit
    if l1_ratio == 1.0:
        assert np.count_nonzero(model.coef_) <= min(shape)


# --- one row, one column --------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("layout", ["C", "csr"])
def test_one_row(layout, alpha):
    X, y = LAYOUTS[layout](np.array([[1.0, 2.0, 0.0]])), np.array([3.0])
    model = ElasticNet(alpha).fit(X, y)
    assert_array_equal(model.coef_, 0.0)
    assert model.intercept_ == 3.0
    assert abs(model.dual_gap_) <= 1e-14
    without = ElasticNet(alpha, fit_intercept=False, tol=1e-12).fit(X, y)
    assert kkt_violation(X, y, without.coef_, 0.0, alpha, 0.5, fit_intercept=False) < 1e-7


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_one_column_in_closed_form(n, l1_ratio):
    x = np.random.default_rng(n).standard_normal((n, 1))
    y = 2.0 * x[:, 0] + 1.0
    xc, yc = x[:, 0] - x.mean(), y - y.mean()
    z = xc @ yc / n
    coef = max(z - 0.1 * l1_ratio, 0.0) / (xc @ xc / n + 0.1 * (1.0 - l1_ratio)) if n > 1 else 0.0
    model = ElasticNet(0.1, l1_ratio=l1_ratio, tol=1e-13).fit(x, y)
    assert_allclose(model.coef_, [coef], rtol=1e-9)
    assert_allclose(model.intercept_, y.mean() - coef * x.mean(), rtol=1e-9)
