"""Options of ElasticNet and Lasso by their definitions: weights, factors, bounds, offset, units."""

import warnings

import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model
from numpy.testing import assert_allclose, assert_array_equal
from reference import ElasticNetRows, elastic_net_by_descent, kkt_violation, ridge_by_lstsq
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from fastridge import ElasticNet, Lasso
from fastridge.solvers.coordinate_descent import gram_sources as sources
from fastridge.solvers.coordinate_descent import row_sources, working_set
from fastridge.solvers.coordinate_descent.working_set import WorkingSet

SHAPES = {"tall": (60, 8), "wide": (12, 30)}
TOL = 1e-13
tall_and_wide = pytest.mark.parametrize("shape", SHAPES)


def problem(shape, seed=0):
    n, p = SHAPES.get(shape, shape)
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((n, p)) + 0.5) * rng.uniform(0.5, 3.0, p)
    y = X[:, ::2] @ rng.standard_normal(len(range(0, p, 2))) + 2.0
    return X, y + 0.5 * rng.standard_normal(n), rng.uniform(0.2, 2.0, n)


def hard(seed=0):
    """Nearly collinear columns: many sweeps."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((120, 3)) @ rng.standard_normal((3, 60))
    X += 0.01 * rng.standard_normal(X.shape)
    return X, X @ rng.standard_normal(60) + 0.3 * rng.standard_normal(120)


def same(model, other, rtol=1e-6):
    """Equal coefficients and intercepts, to what the tolerance leaves open."""
    scale = np.abs(other.coef_).max()
    assert_allclose(model.coef_, other.coef_, rtol=rtol, atol=1e-7 * scale)
    assert_allclose(model.intercept_, other.intercept_, rtol=rtol, atol=1e-7)


def net(alpha=0.05, **params):
    return ElasticNet(alpha, **{"l1_ratio": 0.7, "tol": TOL, **params})


def above_the_minimum(model, X, y):
    """At most so far is a lasso's objective above its least: a dual value bounds that."""
    rows = ElasticNetRows(X, y, model.alpha, 1.0)
    best = Lasso(model.alpha, tol=1e-14).fit(X, y).coef_
    assert rows.objective(best) - rows.dual(best) <= 1e-10 * (rows.y @ rows.y)
    return rows.objective(model.coef_) - rows.dual(best)


# --- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("standardize", [False, True])
@tall_and_wide
def test_whole_weights_are_repeated_rows(shape, standardize, make):
    X, y, _ = problem(shape)
    times = np.random.default_rng(1).integers(0, 4, len(X))
    weighted = net(standardize=standardize).fit(make(X), y, sample_weight=times)
    repeated = net(standardize=standardize)
    repeated.fit(make(np.repeat(X, times, axis=0)), np.repeat(y, times))
    same(weighted, repeated)


@tall_and_wide
def test_only_ratios_of_weights_matter(shape):
    X, y, weight = problem(shape)
    base = net().fit(X, y, sample_weight=weight)
    for factor in (1e-9, 7.0, 1e9):
        same(net().fit(X, y, sample_weight=factor * weight), base)
    same(net().fit(X, y, sample_weight=3.0), net().fit(X, y))


@tall_and_wide
def test_rows_without_weight_are_left_out(shape):
    X, y, weight = problem(shape)
    weight[::3] = 0.0
    y[::3] = 1e6
    kept = weight > 0.0
    part = net().fit(X[kept], y[kept], sample_weight=weight[kept])
    same(net().fit(X, y, sample_weight=weight), part)


# --- penalty factors ------------------------------------------------------------------------------


@tall_and_wide
def test_lasso_factors_are_a_scaling_of_columns(shape):
    X, y, weight = problem(shape)
    factors = np.random.default_rng(1).uniform(0.3, 4.0, X.shape[1])
    model = net(l1_ratio=1.0, penalty_factors=factors).fit(X, y, sample_weight=weight)
    scaled = net(l1_ratio=1.0).fit(X / factors, y, sample_weight=weight)
    assert_allclose(model.coef_, scaled.coef_ / factors, rtol=1e-6, atol=1e-7)


@tall_and_wide
def test_factors_are_not_rescaled(shape):
    X, y, _ = problem(shape)
    p = X.shape[1]
    same(net(0.05, penalty_factors=np.full(p, 3.0)).fit(X, y), net(0.15).fit(X, y))


@pytest.mark.parametrize("alpha", [0.02, 1.0, 100.0])
@tall_and_wide
def test_a_factor_of_zero_leaves_the_feature_free(shape, alpha):
    X, y, weight = problem(shape)
    factors = np.ones(X.shape[1])
    factors[[1, 5]] = 0.0
    model = net(alpha, penalty_factors=factors).fit(X, y, sample_weight=weight)
    options = {"weight": weight, "factors": factors}
    coef, intercept = elastic_net_by_descent(X, y, alpha, 0.7, **options)
    assert_allclose(model.coef_, coef, rtol=1e-6, atol=1e-8)
    assert_allclose(model.intercept_, intercept, rtol=1e-6)
    if alpha == 100.0:
        free = ridge_by_lstsq(X[:, [1, 5]], y, 0.0, weight)[0][0]
        assert_allclose(model.coef_[[1, 5]], free, rtol=1e-6)
        assert np.count_nonzero(model.coef_) == 2


def test_all_factors_zero_is_least_squares():
    X, y, _ = problem("tall")
    model = net(1e6, penalty_factors=np.zeros(8)).fit(X, y)
    coef, intercept = ridge_by_lstsq(X, y)
    assert_allclose(model.coef_, coef[0], rtol=1e-7)
    assert_allclose(model.intercept_, intercept[0], rtol=1e-7)


@tall_and_wide
def test_a_large_factor_removes_the_feature(shape):
    X, y, _ = problem(shape)
    factors = np.ones(X.shape[1])
    factors[2] = 1e12
    model = net(penalty_factors=factors).fit(X, y)
    part = net().fit(np.delete(X, 2, axis=1), y)
    assert model.coef_[2] == 0.0
    assert_allclose(np.delete(model.coef_, 2), part.coef_, rtol=1e-6, atol=1e-7)


# --- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@tall_and_wide
def test_positive_is_bounds_from_zero(shape, l1_ratio):
    X, y, _ = problem(shape)
    model = net(l1_ratio=l1_ratio, positive=True).fit(X, y)
    bounded = net(l1_ratio=l1_ratio, bounds=(0.0, np.inf)).fit(X, y)
    assert_array_equal(model.coef_, bounded.coef_)
    assert model.coef_.min() == 0.0
    assert model.coef_.max() > 0.0
    both = net(l1_ratio=l1_ratio, positive=True, bounds=(-1.0, 0.3)).fit(X, y)
    same(both, net(l1_ratio=l1_ratio, bounds=(0.0, 0.3)).fit(X, y))
    assert both.coef_.max() == 0.3


@tall_and_wide
def test_negative_is_positive_of_minus_x(shape):
    X, y, _ = problem(shape)
    model = net(bounds=(-np.inf, 0.0)).fit(X, y)
    mirrored = net(positive=True).fit(-X, y)
    assert_allclose(model.coef_, -mirrored.coef_, rtol=1e-6, atol=1e-8)


@tall_and_wide
def test_bounds_that_are_not_reached_change_nothing(shape):
    X, y, _ = problem(shape)
    free = net().fit(X, y)
    most = 1.01 * np.abs(free.coef_)
    same(net(bounds=(-most - 1e-3, most + 1e-3)).fit(X, y), free, rtol=1e-5)
    same(net(bounds=(-1e9, 1e9)).fit(X, y), free, rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.02])
@tall_and_wide
def test_bounds_one_a_feature(shape, alpha):
    X, y, weight = problem(shape)
    lower, upper = np.full(X.shape[1], -0.25), np.full(X.shape[1], np.inf)
    lower[::2], upper[1::4] = -np.inf, 0.125
    lower[3] = upper[3] = 0.0
    model = net(alpha, bounds=(lower.tolist(), upper)).fit(X, y, sample_weight=weight)
    assert np.all((model.coef_ >= lower) & (model.coef_ <= upper))
    assert np.any(model.coef_ == lower)
    options = {"weight": weight, "bounds": (lower, upper)}
    assert kkt_violation(X, y, model.coef_, model.intercept_, alpha, 0.7, **options) < 1e-6
    again = net(alpha, bounds=np.array([lower, upper])).fit(X, y, sample_weight=weight)
    assert_array_equal(again.coef_, model.coef_)


@tall_and_wide
def test_bounds_of_zero_leave_a_feature_out(shape):
    X, y, _ = problem(shape)
    upper = np.full(X.shape[1], np.inf)
    upper[0] = 0.0
    model = net(bounds=(-upper, upper)).fit(X, y)
    part = net().fit(X[:, 1:], y)
    assert model.coef_[0] == 0.0
    assert_allclose(model.coef_[1:], part.coef_, rtol=1e-5, atol=1e-7)


def test_bounds_are_in_the_units_of_x():
    X, y, _ = problem("tall")
    model = net(1e-4, bounds=(-0.25, 0.25), standardize=True).fit(X * 3.0, y)
    assert np.count_nonzero(np.abs(model.coef_) == 0.25) >= 1


# --- offset ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [np.asarray, scipy.sparse.csc_array])
@tall_and_wide
def test_offset_is_taken_from_y(shape, layout):
    X, y, weight = problem(shape)
    offset = np.random.default_rng(2).standard_normal(len(X)) * 3.0
    before = offset.copy()
    model = net().fit(layout(X), y, sample_weight=weight, offset=offset)
    same(model, net().fit(layout(X), y - offset, sample_weight=weight))
    assert_array_equal(offset, before)
    Y = np.column_stack([y, 2.0 * y])
    shared = net().fit(layout(X), Y, offset=offset)
    own = net().fit(layout(X), Y, offset=np.column_stack([offset, offset]))
    assert_array_equal(shared.coef_, own.coef_)
    same(shared, net().fit(layout(X), Y - offset[:, None]))


def test_a_constant_offset_only_moves_the_intercept():
    X, y, _ = problem("tall")
    model, plain = net().fit(X, y, offset=np.full(len(y), 5.0)), net().fit(X, y)
    assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
    assert_allclose(model.intercept_, plain.intercept_ - 5.0, rtol=1e-9)


def test_a_float32_y_minus_its_offset_is_not_rounded():
    X, y, _ = problem("tall")
    offset = np.full(len(y), 1e6)
    given = (y.astype(np.float32) + np.float32(0.0)).astype(np.float32)
    model = net().fit(X, given, offset=offset)
    same(model, net().fit(X, given.astype(np.float64) - offset), rtol=1e-9)


# --- standardize ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
@tall_and_wide
def test_standardize_is_a_fit_on_scaled_columns(shape, make, weighted, fit_intercept):
    X, y, weight = problem(shape)
    weight = weight if weighted else None
    scale = StandardScaler(with_mean=False).fit(X, sample_weight=weight).scale_
    params = {"fit_intercept": fit_intercept}
    model = net(standardize=True, **params).fit(make(X), y, sample_weight=weight)
    scaled = net(**params).fit(make(X / scale), y, sample_weight=weight)
    assert_allclose(model.coef_, scaled.coef_ / scale, rtol=1e-6, atol=1e-7)
    assert_allclose(model.intercept_, scaled.intercept_, rtol=1e-6)


@tall_and_wide
def test_standardize_makes_the_units_of_x_irrelevant(shape):
    X, y, _ = problem(shape)
    units = 10.0 ** np.random.default_rng(3).integers(-6, 7, X.shape[1])
    base = net(standardize=True).fit(X, y)
    model = net(standardize=True).fit(X * units, y)
    assert_allclose(model.coef_ * units, base.coef_, rtol=1e-6, atol=1e-7)
    assert_allclose(model.predict(X * units), base.predict(X), rtol=1e-6)


# --- other ways to say it -------------------------------------------------------------------------


@pytest.mark.parametrize(("l1", "l2"), [(0.2, 0.3), (0.1, 0.0), (0.0, 0.4), (0.0, 0.0)])
def test_from_lambdas(l1, l2):
    X, y, _ = problem("tall")
    model = ElasticNet.from_lambdas(l1, l2, tol=TOL).fit(X, y)
    # ||y - Xw - b||^2 / n + l1 |w|_1 + l2 ||w||^2 is twice the objective of these rows
    rows = ElasticNetRows(X, y, 1.0, 1.0)
    rows.l1[:], rows.l2[:] = l1 / 2.0, l2
    assert rows.violation(model.coef_) < 1e-6
    residual = y - X @ model.coef_ - model.intercept_
    penalty = l1 * np.abs(model.coef_).sum() + l2 * (model.coef_**2).sum()
    least = 2.0 * rows.objective(rows.solve())
    assert_allclose(residual @ residual / len(y) + penalty, least, rtol=1e-9)


def test_lasso_from_lambdas():
    model = Lasso.from_lambdas(0.4, 0.0, max_iter=7)
    assert (model.alpha, model.max_iter, type(model)) == (0.2, 7, Lasso)
    assert Lasso.from_lambdas(0.0, 0.0).alpha == 0.0
    with pytest.raises(ValueError, match="l2 must be 0 for Lasso"):
        Lasso.from_lambdas(0.4, 0.1)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, True])
@pytest.mark.parametrize("name", ["l1", "l2"])
def test_from_lambdas_refuses(name, value):
    lambdas = {"l1": 0.1, "l2": 0.1, name: value}
    with pytest.raises(ValueError, match=f"{name} must be finite and at least 0"):
        ElasticNet.from_lambdas(**lambdas)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@tall_and_wide
def test_the_model_of_scikit_learn(shape, l1_ratio, fit_intercept, positive):
    X, y, weight = problem(shape)
    params = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "positive": positive}
    theirs = sklearn.linear_model.ElasticNet(0.1, tol=1e-14, max_iter=100000, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y, sample_weight=weight)
    model = ElasticNet(0.1, tol=TOL, **params).fit(X, y, sample_weight=weight)
    assert_allclose(model.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
    assert_allclose(model.intercept_, theirs.intercept_, rtol=1e-5, atol=1e-6)
    assert_allclose(model.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-5)
    assert_allclose(model.score(X, y), theirs.score(X, y), rtol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {"precompute": True},
        {"precompute": "X'X"},
        {"copy_X": False},
        {"selection": "random", "random_state": 3},
        {"n_threads": 1},
        {"max_iter": None},
        {"alpha": 1},
        {"l1_ratio": np.float32(0.5)},
        {"tol": 0},
    ],
    ids=lambda params: next(iter(params)),
)
def test_ignored_parameters_leave_the_solution_unchanged(params):
    X, y, _ = problem("tall")
    if isinstance(params.get("precompute"), str):
        centred = X - X.mean(axis=0)
        params = {"precompute": centred.T @ centred}
    base = ElasticNet(alpha=1.0, l1_ratio=0.5, tol=1e-14).fit(X, y)
    model = ElasticNet(**{"alpha": 1.0, "l1_ratio": 0.5, "tol": 1e-14, **params}).fit(X, y)
    assert_allclose(model.coef_, base.coef_, rtol=1e-7)
    assert model.status_ == "converged"


def test_parameters_and_clone():
    params = {"alpha": 0.2, "bounds": (0.0, 1.0), "standardize": True, "n_threads": 1}
    for cls in (ElasticNet, Lasso):
        model = clone(cls(**params))
        assert {key: model.get_params()[key] for key in params} == params
        assert clone(model).set_params(alpha=0.5).alpha == 0.5
    assert "l1_ratio" not in Lasso().get_params()


def test_sparse_coef():
    X, y, _ = problem("wide")
    model = net(0.3).fit(X, y)
    assert model.sparse_coef_.shape == (1, 30)
    assert model.sparse_coef_.nnz == np.count_nonzero(model.coef_)
    assert_array_equal(model.sparse_coef_.toarray()[0], model.coef_)
    assert net(0.3).fit(X, np.column_stack([y, y])).sparse_coef_.shape == (2, 30)


# --- where the descent begins, and where it ends --------------------------------------------------


@tall_and_wide
def test_warm_start(shape):
    X, y, _ = problem(shape)
    model = ElasticNet(0.02, tol=1e-12, warm_start=True).fit(X, y)
    cold = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ <= 1
    assert_allclose(model.coef_, cold, rtol=1e-6, atol=1e-9)
    model.set_params(alpha=0.3).fit(X, y)
    same(model, ElasticNet(0.3, tol=1e-12).fit(X, y), rtol=1e-5)
    model.set_params(bounds=(-0.1, 0.1)).fit(X, y)
    same(model, ElasticNet(0.3, tol=1e-12, bounds=(-0.1, 0.1)).fit(X, y), rtol=1e-5)


def test_warm_start_with_other_shapes_starts_from_scratch():
    X, y, _ = problem("tall")
    model = net(warm_start=True).fit(X, y)
    same(model.fit(X[:, :5], y), net().fit(X[:, :5], y))
    same(model.fit(X, np.column_stack([y, -y])), net().fit(X, np.column_stack([y, -y])))


def test_warm_starts_add_up():
    X, y = hard()
    model = Lasso(1e-4, tol=1e-10, max_iter=1, warm_start=True)
    gaps = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(400):
            gaps.append(model.fit(X, y).dual_gap_)
            if model.status_ == "converged":
                break
    assert model.status_ == "converged"
    assert len(gaps) > 1
    same(model, Lasso(1e-4, tol=1e-10).fit(X, y), rtol=1e-2)


@pytest.mark.parametrize("layout", ["gram", "working set", "residuals"])
def test_elastic_net_max_iter_bounds_iterations_at_all_alphas(monkeypatch, layout):
    if layout != "gram":
        monkeypatch.setattr(sources, "_FEW_COLUMNS", 0)
    if layout == "residuals":
        monkeypatch.setattr(row_sources, "_SMALL_WORKING", 0)
    X, y = hard()
    if layout != "gram":
        X, y = X[:50], y[:50]
    counts = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for max_iter in [1, 2, 3, 7, 20, 50, 200]:
            model = Lasso(1e-3, tol=1e-9, max_iter=max_iter).fit(X, y)
            counts.append(model.n_iter_)
            assert 1 <= model.n_iter_ <= max_iter
            assert (model.status_ == "converged") == (model.dual_gap_ <= 1e-9 * y.var())
    assert counts[0] == 1


@tall_and_wide
def test_elastic_net_warm_start_within_the_tolerance_takes_no_iteration(shape):
    X, y, _ = problem(shape)
    model = ElasticNet(1e-3, tol=1e-6, warm_start=True).fit(X, y)
    assert model.n_iter_ > 2
    assert model.fit(X, y).n_iter_ == 0
    assert 0 < model.set_params(alpha=1e-2).fit(X, y).n_iter_ < 1000


@pytest.mark.parametrize("by_columns", [False, True])
def test_a_warning_says_what_did_not_converge(monkeypatch, by_columns):
    if by_columns:
        monkeypatch.setattr(sources, "_FEW_COLUMNS", 0)
    X, y = hard()
    model = Lasso(1e-4, tol=1e-10, max_iter=1)
    message = (
        r"(?s)did not converge.*alpha=0\.0001 the duality gap is .*e-.*tolerance .*e-.* after 1"
    )
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.status_ == "not converged"
    assert model.n_iter_ == 1
    rows = ElasticNetRows(X, y, 1e-4, 1.0)
    assert model.dual_gap_ > 1e-10 * (rows.y @ rows.y)
    assert above_the_minimum(model, X, y) <= model.dual_gap_


@pytest.mark.parametrize("shape", ["tall", "by columns", "wide"])
@pytest.mark.parametrize(("when", "budget"), [(1, 4e7), (2, 300.0), (4, 300.0), (5, 3000.0)])
def test_fit_interrupted_keeps_what_it_reached(monkeypatch, shape, when, budget):
    X, y = hard() if shape != "wide" else problem((30, 80))[:2]
    if shape == "by columns":
        monkeypatch.setattr(sources, "_FEW_COLUMNS", 0)
    calls = []

    def interrupted(method):
        def call(*args):
            calls.append(1)
            if len(calls) == when:
                raise KeyboardInterrupt
            return method(*args)

        return call

    for name in ("descend", "follow"):
        monkeypatch.setattr(WorkingSet, name, interrupted(getattr(WorkingSet, name)))
    monkeypatch.setattr(working_set, "_BUDGET", budget)
    model = Lasso(1e-4, tol=1e-12)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    monkeypatch.undo()
    assert model.status_ == "interrupted"
    assert model.coef_.shape == X.shape[1:]
    assert np.isfinite(model.predict(X)).all()
    assert above_the_minimum(model, X, y) <= model.dual_gap_ + 1e-9 * y.var()
