"""`learning_rate="auto"`: no step size to choose, whatever the scales of the features."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from fastridge import Ridge, SGDClassifier, SGDRegressor

ALPHA = 1e-4


def problem(n=20000, p=12, seed=0, scales=(0.0, 0.0)):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) @ (np.eye(p) + 0.2)
    y = X @ rng.standard_normal(p)
    y = y / y.std() + 0.5 * rng.standard_normal(n)
    return X * 10.0 ** rng.uniform(*scales, p), y


def excess(model, X, y):
    """By what part the squared objective is above its minimum."""

    def objective(coef, intercept):
        return 0.5 * np.mean((y - X @ coef - intercept) ** 2) + 0.5 * ALPHA * coef @ coef

    exact = Ridge(alpha=ALPHA * len(y)).fit(X, y)
    reached = objective(model.coef_.astype(float), model.intercept_[0])
    return reached / objective(exact.coef_, exact.intercept_) - 1.0


@pytest.mark.parametrize("scales", [(0.0, 0.0), (-3.0, 3.0), (0.0, 6.0)])
@pytest.mark.parametrize("convert", [np.asarray, np.asfortranarray, sp.csr_matrix, np.float32])
def test_one_epoch_is_within_a_hundredth_of_the_minimum(scales, convert):
    X, y = problem(scales=scales)
    model = SGDRegressor(learning_rate="auto", max_iter=1, tol=None, random_state=0)
    assert 0.0 <= excess(model.fit(convert(X), y), X, y) < 0.01
    model.set_params(max_iter=1000, tol=1e-3).fit(convert(X), y)
    assert 0.0 <= excess(model, X, y) < 0.005


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("shift", [3.0, 1000.0])
def test_features_far_from_zero(loss, shift):
    X, y = problem(scales=(-3.0, 3.0))
    far = X + shift * X.std(axis=0) * np.where(np.arange(12) % 2, 1.0, -1.0)
    parameters = {"learning_rate": "auto", "random_state": 0}
    if loss == "squared_error":
        assert 0.0 <= excess(SGDRegressor(**parameters).fit(far, y), far, y) < 0.01
        return
    labels = np.where(y > 0.0, 1.0, -1.0)
    exact = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    exact.fit(X / X.std(axis=0), labels)

    def mean_loss(margin):
        return np.logaddexp(0.0, -labels * margin).mean()

    model = SGDClassifier("log_loss", penalty=None, **parameters).fit(far, labels)
    least = mean_loss(exact.decision_function(X / X.std(axis=0)))
    assert mean_loss(model.decision_function(far)) < 1.01 * least


@pytest.mark.parametrize("factors", [1e-60, 1e60])
def test_units_do_not_matter(factors):
    X, y = problem(500)
    parameters = {"learning_rate": "auto", "penalty": None, "random_state": 0}
    one = SGDRegressor(**parameters).fit(X, y)
    other = SGDRegressor(**parameters).fit(X * factors, y)
    assert_allclose(other.coef_ * factors, one.coef_, rtol=1e-6)
    assert_allclose(other.loss_curve_, one.loss_curve_, rtol=1e-6)


@pytest.mark.parametrize("loss", ["hinge", "log_loss", "modified_huber", "squared_hinge"])
def test_classes(loss):
    X, y = problem(4000, scales=(-3.0, 3.0))
    labels = np.digitize(y, [-0.5, 0.5])
    model = SGDClassifier(loss, learning_rate="auto", random_state=0).fit(X, labels == 1)
    assert model.score(X, labels == 1) >= max(np.mean(labels == 1), np.mean(labels != 1)) - 0.02
    assert (
        SGDClassifier(loss, learning_rate="auto", random_state=0).fit(X, y > 0.0).score(X, y > 0.0)
        > 0.8
    )
    assert (
        SGDClassifier(loss, learning_rate="auto", random_state=0).fit(X, labels).score(X, labels)
        > 0.55
    )


def test_passes_continue_and_keep_their_sums():
    X, y = problem(6000, scales=(-2.0, 2.0))
    parameters = {"learning_rate": "auto", "random_state": 0, "shuffle": False}
    model = SGDRegressor(**parameters)
    for begin in range(0, 6000, 32):
        model.partial_fit(X[begin : begin + 32], y[begin : begin + 32])
    whole = SGDRegressor(**parameters).partial_fit(X, y)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-9)
    assert model.t_ == whole.t_ == 6001.0
    assert excess(model, X, y) < 0.05
    kept = model.coef_.copy(), [one["rate"].copy() for one in model._carried[1]]
    bad = X[:40].copy()
    bad[35, 2] = np.nan
    with pytest.raises(ValueError, match="X contains NaN"):
        model.partial_fit(bad, y[:40])
    assert_array_equal(model.coef_, kept[0])
    assert_array_equal([one["rate"] for one in model._carried[1]], kept[1])
    assert model.fit(X, y).partial_fit(X[:5], y[:5]).t_ > 6001.0


def test_an_l1_penalty_leaves_zeros():
    X, y = problem(4000, scales=(-1.0, 1.0))
    y = X[:, 0] / X[:, 0].std() + 0.1 * y
    X = X / X.std(axis=0)
    model = SGDRegressor(penalty="l1", alpha=0.3, learning_rate="auto", random_state=0).fit(X, y)
    assert np.count_nonzero(np.abs(model.coef_) < 1e-3) >= 6
    assert model.score(X, y) > 0.5


def test_a_mean_of_a_mean_is_refused():
    with pytest.raises(ValueError, match="average must be False"):
        SGDRegressor(learning_rate="auto", average=True).fit([[0.0], [1.0]], [0.0, 1.0])


def test_squares_that_overflow_are_an_error():
    X, y = problem(500)
    X[:, 0] *= 1e300
    with pytest.raises(FloatingPointError, match="squares of values in X, or sums"):
        SGDRegressor(learning_rate="auto", random_state=0).fit(X, y)
