"""ridge_path equals Ridge at each alpha; errors of folds equal refitting without each fold."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from reference import relative_error, ridge_by_lstsq

from fastridge import GramStatistics, Ridge, ridge_path
from fastridge.model_selection.fold_penalty import SplitModel
from fastridge.model_selection.kfold import KFoldPath, statistics_errors
from fastridge.model_selection.one_standard_error import standard_error
from fastridge.penalties.l2 import L2Penalty
from fastridge.solvers.direct.path import default_alphas, statistics_path

ALPHAS = np.geomspace(1e-3, 1e3, 7)
OPTIONS = {
    "plain": {},
    "no intercept": {"fit_intercept": False},
    "mean": {"alpha_scale": "mean"},
    "standardize": {"standardize": True},
    "factors": {"penalty_factors": np.array([1.0, 2.0, 0.5, 1.0, 3.0])},
    "free feature": {"penalty_factors": np.array([1.0, 0.0, 0.5, 1.0, 0.0])},
    "all": {
        "alpha_scale": "mean",
        "standardize": True,
        "penalty_factors": np.array([1.0, 2.0, 0.5, 0.0, 3.0]),
    },
}


def problem(n=60, p=5, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((n, p)) + 1.0) * rng.uniform(0.5, 3.0, p)
    y = X @ rng.standard_normal((p,) if t is None else (p, t)) + 2.0
    return X, y + rng.standard_normal(y.shape), rng.uniform(0.2, 2.0, n)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("t", [None, 1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_path_equals_one_fit_for_each_alpha(options, t, weighted):
    X, y, weight = problem(t=t)
    weight = weight if weighted else None
    coefs, intercepts = ridge_path(
        X, y, ALPHAS, sample_weight=weight, return_intercept=True, **OPTIONS[options]
    )
    assert coefs.shape == (7, 5) if t is None else (7, t, 5)
    assert intercepts.shape == (7,) if t is None else (7, t)
    for k, alpha in enumerate(ALPHAS):
        model = Ridge(alpha=alpha, solver="svd", **OPTIONS[options]).fit(X, y, sample_weight=weight)
        assert relative_error(coefs[k], np.reshape(model.coef_, coefs[k].shape)) < 1e-9
        assert_allclose(
            intercepts[k],
            np.reshape(
                np.broadcast_to(model.intercept_, np.shape(intercepts[k])), np.shape(intercepts[k])
            ),
            rtol=1e-8,
            atol=1e-9,
        )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(6, 15), (10, 10), (1, 3), (30, 1)])
def test_path_of_any_shape(shape, fit_intercept):
    X, y, _ = problem(*shape, t=2)
    coefs = ridge_path(X, y, ALPHAS, fit_intercept=fit_intercept)
    for k, alpha in enumerate(ALPHAS):
        expected = ridge_by_lstsq(X, y, alpha, fit_intercept=fit_intercept)[0]
        assert_allclose(coefs[k], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "make", [scipy.sparse.csr_array, np.asfortranarray, lambda X: X.astype("f4")]
)
def test_path_of_other_layouts(make):
    X, y, _ = problem()
    X = np.round(X)
    coefs = ridge_path(make(X), y, ALPHAS)
    for k, alpha in enumerate(ALPHAS):
        assert relative_error(coefs[k], ridge_by_lstsq(X, y, alpha)[0][0]) < 1e-6


def test_alphas_keep_the_order_given_and_may_repeat():
    X, y, _ = problem()
    alphas = [10.0, 0.1, 10.0, 3.0]
    coefs = ridge_path(X, y, alphas)
    ordered = ridge_path(X, y, sorted(alphas))
    assert_allclose(coefs, ordered[[2, 0, 3, 1]], rtol=1e-12)
    assert_array_equal(coefs[0], coefs[2])


@pytest.mark.parametrize("kind", ["regular", "duplicated columns", "wide"])
def test_path_holds_alpha_zero(kind):
    X, y, _ = problem(t=2)
    X = {"regular": X, "duplicated columns": np.hstack([X, X]), "wide": X[:4]}[kind]
    y = y[: len(X)]
    coefs = ridge_path(X, y, [0.0, 1.0])
    expected = (np.linalg.pinv(X - X.mean(0), rcond=1e-10) @ (y - y.mean(0))).T
    assert_allclose(coefs[0], expected, rtol=1e-6, atol=1e-6)
    assert_allclose(coefs[1], ridge_by_lstsq(X, y, 1.0)[0], rtol=1e-9, atol=1e-10)


def test_norm_falls_and_error_rises_with_alpha():
    X, y, _ = problem(200, 5)
    coefs, intercepts = ridge_path(X, y, ALPHAS, return_intercept=True)
    norms = np.linalg.norm(coefs, axis=1)
    errors = [np.sum((y - X @ w - b) ** 2) for w, b in zip(coefs, intercepts, strict=True)]
    assert np.all(np.diff(norms) < 0)
    assert np.all(np.diff(errors) > 0)


def test_statistics_path_equals_ridge_path():
    X, y, weight = problem(t=2)
    stats = GramStatistics.from_data(X, y, sample_weight=weight)
    before = stats.copy()
    result = statistics_path(stats, ALPHAS, standardize=True)
    coefs, intercepts = ridge_path(
        X, y, ALPHAS, sample_weight=weight, standardize=True, return_intercept=True
    )
    assert result.coefs.shape == (7, 2, 5)
    assert_allclose(result.coefs, coefs, rtol=1e-9, atol=1e-12)
    assert_allclose(result.intercepts, intercepts, rtol=1e-9)
    assert_array_equal(stats.xx, before.xx)


@pytest.mark.parametrize("alphas", [[], [-1.0], [np.nan], [1.0, np.inf], [[1.0, 2.0]], ["a"], None])
def test_refused_alphas(alphas):
    X, y, _ = problem()
    with pytest.raises((ValueError, TypeError), match="alpha"):
        ridge_path(X, y, alphas)


@pytest.mark.parametrize(
    ("params", "word"),
    [({"alpha_scale": "median"}, "alpha_scale"), ({"penalty_factors": [1.0]}, "penalty_factors")],
)
def test_refused_options(params, word):
    X, y, _ = problem()
    with pytest.raises(ValueError, match=word):
        ridge_path(X, y, ALPHAS, **params)


# --- default alphas ------------------------------------------------------------------------------


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("alpha_scale", ["sum", "mean"])
@pytest.mark.parametrize("units", [1e-3, 1.0, 1e4])
def test_default_alphas_span_from_no_shrinkage_to_nearly_all(units, alpha_scale, standardize):
    X, y, _ = problem(300, 5)
    X = X * units
    options = {"alpha_scale": alpha_scale, "standardize": standardize}
    alphas = default_alphas(GramStatistics.from_data(X, y), 50, **options)
    assert alphas.shape == (50,)
    assert np.all(np.isfinite(alphas))
    assert np.all(alphas > 0)
    assert np.all(np.diff(alphas) > 0)
    coefs = ridge_path(X, y, alphas, **options)
    free = ridge_path(X, y, [0.0], **options)[0]
    assert relative_error(coefs[0], free) < 0.05
    assert np.linalg.norm(coefs[-1] * X.std(0)) < 0.1 * np.linalg.norm(free * X.std(0))


def test_default_alphas_of_constant_columns():
    alphas = default_alphas(GramStatistics.from_data(np.ones((20, 3)), np.arange(20.0)), 10)
    assert alphas.shape == (10,)
    assert np.all(np.isfinite(alphas))
    assert np.all(alphas > 0)


# --- k-fold --------------------------------------------------------------------------------------


def folds(n, k, seed=0):
    return np.array_split(np.random.default_rng(seed).permutation(n), k)


def kfold_path(stats, alphas, fit_intercept=True, penalty_factors=None, **options):
    """Mean squared errors of ridge in each fold, fitted to the others."""
    penalty = L2Penalty(factors=penalty_factors, **options)
    errors = statistics_errors(stats, np.asarray(alphas), SplitModel(penalty, fit_intercept))
    mse = errors.squared / errors.weight[:, None]
    per_fold = mse.mean(axis=2)
    mean = per_fold.mean(axis=1)
    return KFoldPath(alphas, mse, mean, standard_error(per_fold), int(mean.argmin()))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("t", [None, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 5])
def test_kfold_equals_refits(options, t, weighted, k):
    X, y, weight = problem(61, 5, t)
    weight = weight if weighted else None
    parts = folds(61, k)
    w = (lambda rows: weight[rows]) if weighted else (lambda rows: None)
    stats = [GramStatistics.from_data(X[rows], y[rows], sample_weight=w(rows)) for rows in parts]
    result = kfold_path(stats, ALPHAS, **OPTIONS[options])
    assert result.mse.shape == (7, k, 1 if t is None else t)
    assert_array_equal(result.alphas, ALPHAS)
    expected = np.empty_like(result.mse)
    for f, rows in enumerate(parts):
        others = np.setdiff1d(np.arange(61), rows)
        for a, alpha in enumerate(ALPHAS):
            model = Ridge(alpha=alpha, solver="svd", **OPTIONS[options])
            model.fit(X[others], y[others], sample_weight=w(others))
            squares = (y[rows] - model.predict(X[rows])) ** 2
            expected[a, f] = np.average(squares.reshape(len(rows), -1), axis=0, weights=w(rows))
    assert_allclose(result.mse, expected, rtol=1e-8)
    per_fold = expected.mean(axis=2)
    sizes = [len(rows) if weight is None else weight[rows].sum() for rows in parts]
    plain, pooled = per_fold.mean(axis=1), np.average(per_fold, axis=1, weights=sizes)
    assert np.allclose(result.mean, plain, rtol=1e-8) or np.allclose(result.mean, pooled, rtol=1e-8)
    assert result.best == np.argmin(result.mean)
    assert result.standard_error.shape == (7,)
    assert np.all(result.standard_error >= 0)


def test_kfold_with_means_far_from_zero():
    X, y, _ = problem(60, 4)
    X, y = X + 1e7, y - 1e7
    parts = folds(60, 5)
    result = kfold_path([GramStatistics.from_data(X[r], y[r]) for r in parts], [1.0])
    for f, rows in enumerate(parts):
        others = np.setdiff1d(np.arange(60), rows)
        coef, intercept = ridge_by_lstsq(X[others] - 1e7, y[others] + 1e7, 1.0)
        squares = (y[rows] + 1e7 - (X[rows] - 1e7) @ coef[0] - intercept[0]) ** 2
        assert_allclose(result.mse[0, f, 0], squares.mean(), rtol=1e-5)


def test_kfold_of_an_exact_relation_is_not_negative():
    X, _, _ = problem(60, 4)
    y = X @ [1.0, 2.0, -1.0, 0.5] + 3.0
    parts = folds(60, 5)
    result = kfold_path([GramStatistics.from_data(X[r], y[r]) for r in parts], [0.0, 1e-12, 1.0])
    assert np.all(result.mse >= 0)
    assert np.all(result.mse[:2] < 1e-12)


def test_kfold_with_a_fold_of_one_row():
    X, y, _ = problem(30, 3)
    parts = [np.arange(1), np.arange(1, 30)]
    result = kfold_path([GramStatistics.from_data(X[r], y[r]) for r in parts], [1.0])
    model = Ridge(alpha=1.0).fit(X[1:], y[1:])
    assert_allclose(result.mse[0, 0, 0], (y[0] - model.predict(X[:1])[0]) ** 2, rtol=1e-8)


def test_kfold_needs_two_folds_that_fit_together():
    X, y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, y)
    with pytest.raises(ValueError, match="(?i)fold"):
        kfold_path([stats], [1.0])
    with pytest.raises(ValueError, match="(?i)fold|feature|3.*2|2.*3"):
        kfold_path([stats, GramStatistics.from_data(X[:, :2], y)], [1.0])
    with pytest.raises(ValueError, match="(?i)fold|empty|no rows"):
        kfold_path([stats, GramStatistics()], [1.0])


@pytest.mark.parametrize(("n", "p"), [(30, 4), (12, 20)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("free", [True, False])
def test_criteria_against_the_hat_matrix(n, p, fit_intercept, weighted, free):
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((n, p)) + 2.0, rng.standard_normal((n, 2))
    weight = rng.uniform(0.5, 2.0, n) if weighted else np.ones(n)
    factors = np.linspace(0.5, 2.0, p)
    factors[0] = 0.0 if free else 1.0
    alphas = [0.01, 1.0, 50.0]
    coefs, dof, gcv, loo = ridge_path(
        X,
        Y,
        alphas,
        sample_weight=weight if weighted else None,
        fit_intercept=fit_intercept,
        penalty_factors=factors,
        return_dof=True,
        return_gcv=True,
        return_loo=True,
    )
    assert (coefs.shape, dof.shape, gcv.shape, loo.shape) == ((3, 2, p), (3,), (3, 2), (3, 2))
    # the intercept as a column without a penalty: S^(1/2) X (X'SX + alpha D)^-1 X' S^(1/2)
    columns = np.column_stack([X, np.ones(n)]) if fit_intercept else X
    penalty = np.append(factors, 0.0) if fit_intercept else factors
    root = np.sqrt(weight)[:, None]
    A, B = root * columns, root * Y
    for a, alpha in enumerate(alphas):
        hat = A @ np.linalg.solve(A.T @ A + alpha * np.diag(penalty), A.T)
        residual = B - hat @ B
        left_out = residual / (1.0 - hat.diagonal())[:, None]
        assert_allclose(dof[a], np.trace(hat), rtol=1e-9)
        expected = n * (residual**2).sum(axis=0) / (n - np.trace(hat)) ** 2
        assert_allclose(gcv[a], expected, rtol=1e-8)
        assert_allclose(loo[a], (left_out**2).mean(axis=0), rtol=1e-8)


@pytest.mark.parametrize("option", [{"standardize": True}, {"alpha_scale": "mean"}])
def test_leave_one_out_needs_a_penalty_that_stays(option):
    X = np.random.default_rng(0).standard_normal((10, 2))
    with pytest.raises(ValueError, match="return_loo"):
        ridge_path(X, X[:, 0], [1.0], return_loo=True, **option)
