"""RidgeCV's errors against fitting again without the rows left out, by orthogonal factorisation."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import ridge_by_lstsq
from sklearn.base import clone
from sklearn.linear_model import RidgeCV as SklearnRidgeCV
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)

from fastridge import Ridge, RidgeCV, ridge_path

SHAPES = [(40, 4), (40, 30), (40, 33), (41, 40), (20, 40), (12, 12)]
ALPHAS = [[1e-6, 1e-3, 1.0], [1e-2, 1.0, 1e4]]


def rows(n, p, seed=0, n_targets=0):
    """Columns of very different scale, two of them equal, away from zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.logspace(0, 2, p) + 5.0
    if p > 4:
        X[:, 1] = X[:, 0]
    shape = (p, n_targets) if n_targets else p
    y = X @ rng.standard_normal(shape)
    return X, y + rng.standard_normal(y.shape)


def refitted(X, y, splits, alphas, weight=None, intercept=True, factors=None, standardize=False):
    """Predictions for each split's test rows, fitted on its training rows: (n_alphas, m, t)."""
    out = []
    for train, test in splits:
        w = None if weight is None else weight[train]
        scale = np.ones(X.shape[1]) if factors is None else np.asarray(factors, float)
        if standardize:
            q = np.ones(len(train)) if w is None else w
            mean = q @ X[train] / q.sum()
            variance = q @ (X[train] - mean) ** 2 / q.sum()
            scale = scale * np.where(variance > 1e-20, variance, 1.0)
        predicted = []
        for alpha in alphas:
            coef, bias = ridge_by_lstsq(X[train], y[train], alpha, w, intercept, scale)
            predicted.append(X[test] @ coef.T + bias)
        out.append(np.array(predicted))
    return out


def options(name, n, p):
    rng = np.random.default_rng(1)
    factors = np.ones(p)
    factors[[1, 2]] = 2.0, 0.0
    weight = rng.uniform(0.1, 2.0, n)
    holes = weight * (rng.random(n) > 0.2)
    return {
        "plain": {},
        "no intercept": {"intercept": False},
        "weights": {"weight": weight},
        "zero weights": {"weight": holes},
        "factors": {"factors": factors},
        "standardize": {"standardize": True},
        "standardize, no intercept": {"standardize": True, "intercept": False},
        "all": {"standardize": True, "factors": factors, "weight": weight},
    }[name]


OPTIONS = [
    "plain",
    "no intercept",
    "weights",
    "zero weights",
    "factors",
    "standardize",
    "standardize, no intercept",
    "all",
]


def estimator(alphas, given, **more):
    return RidgeCV(
        alphas,
        fit_intercept=given.get("intercept", True),
        penalty_factors=given.get("factors"),
        standardize=given.get("standardize", False),
        **more,
    )


@pytest.mark.parametrize("alphas", ALPHAS, ids=["small", "large"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_leave_one_out(n, p, option, alphas):
    X, y = rows(n, p)
    given = options(option, n, p)
    model = estimator(alphas, given, store_cv_results=True)
    weight = given.get("weight")
    model.fit(X, y, sample_weight=weight)
    predicted = refitted(X, y, list(LeaveOneOut().split(X)), alphas, **given)
    error = y[:, None] - np.array([one[:, 0, 0] for one in predicted])
    scale = 1.0 if weight is None else np.sqrt(weight)[:, None]
    actual, expected = np.sqrt(model.cv_results_), np.abs(error) * scale
    assert np.all(np.abs(actual - expected) <= 1e-8 * expected.max(axis=0))
    if weight is not None:  # rows without weight are not there
        expected = expected[weight > 0.0]
    mean = -(expected**2).mean(axis=0)
    assert_allclose(model.mean_scores_, mean, rtol=1e-8)
    standard_errors = (expected**2).std(axis=0, ddof=1) / np.sqrt(len(expected))
    assert_allclose(model.standard_errors_, standard_errors, rtol=1e-6)
    assert model.alpha_ == alphas[np.argmax(mean)]
    assert model.best_score_ == model.mean_scores_.max()


SPLITTERS = [
    KFold(5),
    KFold(4, shuffle=True, random_state=0),
    ShuffleSplit(7, random_state=0),
    TimeSeriesSplit(3),
    RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
]


@pytest.mark.parametrize("alphas", ALPHAS, ids=["small", "large"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize(("n", "p"), [(40, 4), (40, 33), (20, 40)])
def test_folds(n, p, cv, option, alphas):
    X, y = rows(n, p)
    given = options(option, n, p)
    weight = given.get("weight")
    splits = list(cv.split(X))
    model = estimator(alphas, given, cv=cv, scoring="neg_mean_squared_error")
    model.fit(X, y, sample_weight=weight)
    expected = np.empty((len(alphas), len(splits)))
    for k, predicted in enumerate(refitted(X, y, splits, alphas, **given)):
        test = splits[k][1]
        w = np.ones(len(test)) if weight is None else weight[test]
        expected[:, k] = -((y[test] - predicted[:, :, 0]) ** 2 @ w) / w.sum()
    assert_allclose(model.fold_scores_, expected, rtol=1e-8)
    assert_allclose(model.mean_scores_, expected.mean(axis=1), rtol=1e-8)
    standard_errors = expected.std(axis=1, ddof=1) / np.sqrt(len(splits))
    assert_allclose(model.standard_errors_, standard_errors, rtol=1e-6)
    alpha = alphas[np.argmax(expected.mean(axis=1))]
    assert model.alpha_ == alpha
    final = Ridge(
        alpha,
        fit_intercept=model.fit_intercept,
        standardize=model.standardize,
        penalty_factors=model.penalty_factors,
    ).fit(X, y, sample_weight=weight)
    assert_allclose(model.predict(X), final.predict(X), rtol=1e-7)


@st.composite
def problems(draw):
    n = draw(st.integers(4, 24))
    p = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-2, 2, p) + rng.choice([0.0, 10.0])
    if p > 2 and draw(st.booleans()):
        X[:, p - 1] = X[:, 0]
    if p > 3 and draw(st.booleans()):
        X[:, 1] = 3.0
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    alphas = sorted(10.0 ** rng.uniform(-3, 5, 3) * (X.std(axis=0) ** 2).mean())
    weight = rng.uniform(0.5, 2.0, n) if draw(st.booleans()) else None
    return X, y, alphas, weight, draw(st.booleans())


@given(problems(), st.integers(2, 4))
def test_leave_one_out_and_folds_by_property(problem, k):
    X, y, alphas, weight, intercept = problem
    model = RidgeCV(alphas, fit_intercept=intercept, store_cv_results=True)
    model.fit(X, y, sample_weight=weight)
    splits = list(LeaveOneOut().split(X))
    predicted = refitted(X, y, splits, alphas, weight, intercept)
    error = np.abs(y[:, None] - np.array([one[:, 0, 0] for one in predicted]))
    error *= 1.0 if weight is None else np.sqrt(weight)[:, None]
    assert_allclose(np.sqrt(model.cv_results_), error, rtol=1e-8, atol=1e-8 * error.max())
    folds = RidgeCV(alphas, cv=k, fit_intercept=intercept, scoring="neg_mean_squared_error")
    folds.fit(X, y, sample_weight=weight)
    splits = list(KFold(k).split(X))
    for j, one in enumerate(refitted(X, y, splits, alphas, weight, intercept)):
        test = splits[j][1]
        w = np.ones(len(test)) if weight is None else weight[test]
        score = -((y[test] - one[:, :, 0]) ** 2 @ w) / w.sum()
        # nearly interpolated rows: the error counts relative to y
        assert_allclose(folds.fold_scores_[:, j], score, rtol=1e-8, atol=1e-9 * (y @ y) / len(y))


@pytest.mark.parametrize("scoring", [None, "r2", "neg_mean_squared_error", "explained_variance"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("per_target", [False, True])
@pytest.mark.parametrize("n_targets", [0, 3])
@pytest.mark.parametrize(("n", "p"), [(60, 5), (20, 18), (30, 50)])
def test_as_sklearn(n, p, n_targets, per_target, weighted, scoring):
    X, y = rows(n, p, n_targets=n_targets)
    y += np.random.default_rng(3).standard_normal(y.shape) * y.std() / 2
    weight = np.random.default_rng(2).uniform(0.2, 1.0, n) if weighted else None
    settings = {"alphas": np.logspace(0, 6, 10), "scoring": scoring}
    settings["alpha_per_target"] = per_target and n_targets > 1  # theirs fails with one
    ours = RidgeCV(**settings).fit(X, y, sample_weight=weight)
    theirs = SklearnRidgeCV(**settings).fit(X, y, sample_weight=weight)
    assert_array_equal(ours.alpha_, theirs.alpha_)
    assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-7)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)


def test_r2_and_root_of_folds():
    X, y = rows(40, 4)
    cv = KFold(4)
    for scoring in ["r2", "neg_root_mean_squared_error"]:
        quick = RidgeCV(cv=cv, scoring=scoring).fit(X, y)

        def slow(estimator, X, y, scoring=scoring):
            from sklearn.metrics import get_scorer

            return get_scorer(scoring)(estimator, X, y)

        by_scorer = RidgeCV(cv=cv, scoring=slow).fit(X, y)
        assert_allclose(quick.fold_scores_, by_scorer.fold_scores_, rtol=1e-10)


def test_alpha_per_target_with_folds():
    X, y = rows(40, 5, n_targets=3)
    y[:, 1] += 300.0 * np.random.default_rng(0).standard_normal(40)
    alphas = np.logspace(-2, 6, 20)
    model = RidgeCV(alphas, cv=4, alpha_per_target=True).fit(X, y)
    assert model.mean_scores_.shape == (20, 3)
    assert model.fold_scores_.shape == (20, 4, 3)
    for k in range(3):
        single = RidgeCV(alphas, cv=4).fit(X, y[:, k])
        assert model.alpha_[k] == single.alpha_
        assert_allclose(model.coef_[k], single.coef_, rtol=1e-8)
        assert_allclose(model.best_score_[k], single.best_score_, rtol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(60, 7), (15, 30)])
@pytest.mark.parametrize("cv", [None, 3])
def test_many_targets_in_chunks(n, p, cv, monkeypatch):
    import fastridge.solvers.direct.spectrum as module

    X, y = rows(n, p, n_targets=7)
    whole = RidgeCV(cv=cv, alpha_per_target=True).fit(X, y)
    together = RidgeCV(cv=cv, scoring="neg_mean_squared_error").fit(X, y)
    monkeypatch.setattr(module, "_CHUNK_VALUES", 2 * 3 * min(n, p))
    parts = RidgeCV(cv=cv, alpha_per_target=True).fit(X, y)
    assert_allclose(parts.mean_scores_, whole.mean_scores_, rtol=1e-10)
    assert_allclose(parts.standard_errors_, whole.standard_errors_, rtol=1e-8)
    again = RidgeCV(cv=cv, scoring="neg_mean_squared_error").fit(X, y)
    assert_allclose(again.standard_errors_, together.standard_errors_, rtol=1e-8)


def test_splits_with_groups_and_given_folds():
    X, y = rows(30, 4)
    groups = np.random.default_rng(0).integers(0, 6, 30)
    by_group = RidgeCV(cv=GroupKFold(3)).fit(X, y, groups=groups)
    splits = list(GroupKFold(3).split(X, y, groups))
    assert_allclose(RidgeCV(cv=splits).fit(X, y).fold_scores_, by_group.fold_scores_)
    assert_allclose(RidgeCV(cv=iter(splits)).fit(X, y).fold_scores_, by_group.fold_scores_)
    fold = np.empty(30, dtype=int)
    for k, (_, test) in enumerate(splits):
        fold[test] = k
    given = RidgeCV(cv=PredefinedSplit(fold)).fit(X, y)
    assert_allclose(given.fold_scores_, by_group.fold_scores_, rtol=1e-10)


def test_rows_given_twice_count_twice():
    X, y = rows(30, 4)
    train, test = np.r_[0:20, 0:10], np.r_[20:30, 25:30]
    model = RidgeCV(cv=[(train, test)], scoring="neg_mean_squared_error").fit(X, y)
    predicted = refitted(X, y, [(train, test)], model.alphas_)[0]
    expected = -((y[test] - predicted[:, :, 0]) ** 2).mean(axis=1)
    assert_allclose(model.fold_scores_[:, 0], expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ["csr_array", "csc_array"])
@pytest.mark.parametrize("cv", [None, 4, KFold(3, shuffle=True, random_state=0)])
@pytest.mark.parametrize(("n", "p"), [(50, 6), (20, 40)])
def test_sparse_as_dense(n, p, cv, kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.4)
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    model = RidgeCV(np.logspace(-1, 3, 8), cv=cv)
    dense = clone(model).fit(X, y)
    sparse = model.fit(getattr(scipy.sparse, kind)(X), y)
    assert sparse.alpha_ == dense.alpha_
    assert_allclose(sparse.mean_scores_, dense.mean_scores_, rtol=1e-9)
    assert_allclose(sparse.coef_, dense.coef_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("mode", ["auto", "eigen", "svd"])
def test_gcv_modes_agree(mode):
    for n, p in SHAPES:
        X, y = rows(n, p)
        model = RidgeCV(np.logspace(0, 4, 5), gcv_mode=mode).fit(X, y)
        usual = RidgeCV(np.logspace(0, 4, 5)).fit(X, y)
        assert_allclose(model.mean_scores_, usual.mean_scores_, rtol=1e-8)


def test_path_with_leave_one_out_gcv_and_dof():
    for n, p in [(40, 4), (20, 40)]:
        X, y = rows(n, p)
        alphas = np.array([0.1, 10.0, 1e4])
        coefs, intercepts, dof, gcv, loo = ridge_path(
            X, y, alphas, return_intercept=True, return_dof=True, return_gcv=True, return_loo=True
        )
        assert coefs.shape == (3, p)
        Xc = X - X.mean(axis=0)
        for a, alpha in enumerate(alphas):
            hat = np.full((n, n), 1.0 / n)
            hat += Xc @ np.linalg.solve(Xc.T @ Xc + alpha * np.eye(p), Xc.T)
            residual = y - X @ coefs[a] - intercepts[a]
            assert_allclose(dof[a], np.trace(hat), rtol=1e-7)
            assert_allclose(gcv[a], n * residual @ residual / (n - dof[a]) ** 2, rtol=1e-6)
            left_out = residual / (1.0 - hat.diagonal())
            assert_allclose(loo[a], (left_out**2).mean(), rtol=1e-6)


@pytest.mark.parametrize("method", ["kfold", "loo"])
@pytest.mark.parametrize("shape", [(300, 3), (40, 30)])
def test_errors_of_rows_very_far_from_zero_are_those_of_near_ones(method, shape):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 20, shape).astype(float)
    y = X @ rng.normal(size=shape[1]) + rng.normal(size=shape[0])
    far = 1e15 + X
    near, other = (RidgeCV([1.0], method=method).fit(each, y) for each in (X, far))
    assert_allclose(other.mean_scores_, near.mean_scores_, rtol=1e-9)
