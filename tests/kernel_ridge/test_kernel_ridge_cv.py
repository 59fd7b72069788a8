"""KernelRidgeCV against refits without each row, and against RidgeCV where the kernel is linear."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import KernelRidge, KernelRidgeCV, RidgeCV, load, save

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
Y = np.sin(X[:, :2]) + 0.1 * RNG.standard_normal((40, 2))
WEIGHT = RNG.integers(0, 3, 40).astype(float)
ALPHAS = np.logspace(-4, 2, 4)
GAMMAS = [0.1, 0.5]


def errors_of_refits(alpha, gamma, weight):
    errors = np.empty(Y.shape)
    for i in range(len(X)):
        kept = np.arange(len(X)) != i
        some = None if weight is None else weight[kept]
        model = KernelRidge(alpha, kernel="rbf", gamma=gamma).fit(X[kept], Y[kept], some)
        errors[i] = Y[i] - model.predict(X[i : i + 1])[0]
    return errors


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_kernel_ridge_cv_leave_one_out_as_refits(weight):
    model = KernelRidgeCV(ALPHAS, kernel="rbf", gamma=GAMMAS).fit(X, Y, weight)
    factor = np.ones(40) if weight is None else weight
    n = np.count_nonzero(factor)
    expected = [
        [-np.mean(factor @ errors_of_refits(alpha, gamma, weight) ** 2) / n for alpha in ALPHAS]
        for gamma in GAMMAS
    ]
    assert_allclose(model.mean_scores_, expected, rtol=1e-9)
    assert model.best_score_ == model.mean_scores_.max()
    refit = KernelRidge(model.alpha_, kernel="rbf", gamma=model.gamma_).fit(X, Y, weight)
    assert_allclose(model.dual_coef_, refit.dual_coef_, rtol=1e-9, atol=1e-11)
    assert_array_equal(model.predict(X).shape, Y.shape)


@pytest.mark.parametrize("per_target", [False, True])
@pytest.mark.parametrize(
    ("method", "scoring"),
    [
        ("loo", None),
        ("loo", "r2"),
        ("loo", "neg_mean_squared_error"),
        ("loo", "neg_root_mean_squared_error"),
        ("loo", "neg_mean_absolute_error"),
        ("gcv", None),
        ("marginal_likelihood", None),
        ("kfold", None),
        ("kfold", "neg_root_mean_squared_error"),
        ("kfold", "neg_mean_absolute_error"),
    ],
)
def test_kernel_ridge_cv_linear_kernel_as_ridge_cv(method, scoring, per_target):
    options = {"method": method, "scoring": scoring, "alpha_per_target": per_target}
    if method == "kfold":
        options |= {"method": "loo", "cv": 4}
    ours = KernelRidgeCV(ALPHAS, **options).fit(X, Y, WEIGHT)
    theirs = RidgeCV(ALPHAS, fit_intercept=False, **options).fit(X, Y, WEIGHT)
    assert_allclose(ours.mean_scores_, theirs.mean_scores_, rtol=1e-9)
    assert_allclose(ours.standard_errors_, theirs.standard_errors_, rtol=1e-9)
    assert_array_equal(ours.alpha_, theirs.alpha_)
    assert_array_equal(ours.alpha_1se_, theirs.alpha_1se_)
    assert ours.scoring_ == theirs.scoring_
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-9)


@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "polynomial", "chi2"])
def test_kernel_ridge_cv_gammas_share_distances_as_one_fit_each(kernel):
    wide = np.abs(RNG.standard_normal((30, 120)))
    gammas = [1e-3, 1e-2]
    several = KernelRidgeCV(ALPHAS, kernel=kernel, gamma=gammas).fit(wide, Y[:30])
    for k, gamma in enumerate(gammas):
        one = KernelRidgeCV(ALPHAS, kernel=kernel, gamma=gamma).fit(wide, Y[:30])
        assert_allclose(several.mean_scores_[k], one.mean_scores_, rtol=1e-8)
    if kernel == "rbf":
        sparse = KernelRidgeCV(ALPHAS, kernel=kernel, gamma=gammas).fit(sp.csr_array(wide), Y[:30])
        assert_allclose(sparse.mean_scores_, several.mean_scores_, rtol=1e-8)


def test_kernel_ridge_cv_one_standard_error_takes_the_larger_alpha():
    model = KernelRidgeCV(kernel="rbf", selection="1se").fit(X, Y[:, 0])
    assert model.alpha_ == model.alpha_1se_ > model.alpha_min_
    assert model.mean_scores_.shape == model.alphas_.shape


def test_kernel_ridge_cv_noise_warns_of_the_grid_boundary():
    y = RNG.standard_normal(40)
    with pytest.warns(UserWarning, match="the largest that alphas='auto' tried"):
        KernelRidgeCV(kernel="rbf", gamma=30.0).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gamma": [[0.1]]}, "gamma must be a number or a list"),
        ({"gamma": [-1.0]}, "gamma must be finite and at least 0"),
        ({"method": "gcv", "scoring": "r2"}, "has a criterion of its own"),
        ({"selection": "1se", "scoring": "neg_mean_absolute_error"}, "needs a standard error"),
        ({"alphas": [0.0]}, "alphas"),
    ],
)
def test_kernel_ridge_cv_bad_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        KernelRidgeCV(kernel="rbf", **parameters).fit(X, Y)


def test_kernel_ridge_cv_indefinite_kernel_leaves_out_alphas():
    K = X @ X.T - np.eye(40)
    model = KernelRidgeCV([0.1, 10.0], kernel="precomputed").fit(K, Y)
    assert np.isnan(model.mean_scores_[0])
    assert model.alpha_ == 10.0
    with pytest.raises(ValueError, match="no alpha has a score"):
        KernelRidgeCV([0.1], kernel="precomputed").fit(K, Y)


def test_kernel_ridge_cv_folds_of_a_precomputed_kernel_as_of_rows():
    K = np.exp(-0.3 * ((X[:, None] - X) ** 2).sum(axis=2))
    options = {"alphas": ALPHAS, "cv": 3, "selection": "1se"}
    given = KernelRidgeCV(kernel="precomputed", **options).fit(K, Y, WEIGHT)
    made = KernelRidgeCV(kernel="rbf", gamma=0.3, **options).fit(X, Y, WEIGHT)
    assert_allclose(given.fold_scores_, made.fold_scores_, rtol=1e-9)
    assert_allclose(given.dual_coef_, made.dual_coef_, rtol=1e-9, atol=1e-11)


def test_kernel_ridge_cv_saved_and_loaded_predicts_the_same(tmp_path):
    model = KernelRidgeCV(ALPHAS, kernel="rbf", gamma=GAMMAS).fit(X, Y)
    save(model, tmp_path / "model")
    assert_array_equal(load(tmp_path / "model").predict(X), model.predict(X))
