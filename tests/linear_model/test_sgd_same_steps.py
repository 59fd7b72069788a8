"""SGD on few rows takes scikit-learn's steps: the same random_state gives the same coefficients."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose, assert_array_equal
from versions import as_newest_sklearn

import fastridge as ours
from fastridge.solvers.sgd.order import RowOrder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def data(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = X @ rng.normal(size=p) + 0.1 * rng.normal(size=n)
    return X, y, (y > 0.0).astype(int) + (y > 1.0)


def assert_same_model(name, options, X, y):
    found, wanted = (
        getattr(package, name)(random_state=7, **options).fit(X, y) for package in (ours, theirs)
    )
    assert found.n_iter_ == wanted.n_iter_
    assert found.t_ == wanted.t_
    assert_allclose(found.coef_, wanted.coef_, rtol=1e-9, atol=1e-11)
    assert_allclose(found.intercept_, wanted.intercept_, rtol=1e-9, atol=1e-11)


@as_newest_sklearn
@pytest.mark.parametrize("shape", [(12, 2), (50, 5), (1000, 10), (4096, 3)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"penalty": "l1", "alpha": 0.01},
        {"average": True},
        {"early_stopping": True},
        {"loss": "huber", "learning_rate": "constant", "epsilon": 0.5},
        {"penalty": "elasticnet", "alpha": 0.01, "learning_rate": "adaptive"},
    ],
)
def test_sgd_regressor_with_the_same_random_state_has_the_same_coefficients(options, shape):
    X, y, _ = data(*shape)
    assert_same_model("SGDRegressor", options, X, y)


@as_newest_sklearn
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"average": 10},
        {"class_weight": "balanced"},
        {"loss": "modified_huber", "learning_rate": "invscaling", "eta0": 0.1},
        {"n_jobs": 2, "penalty": None, "learning_rate": "constant"},
    ],
)
def test_sgd_classifier_with_the_same_random_state_has_the_same_coefficients(options, n_classes):
    X, _, labels = data(1000, 10)
    assert_same_model("SGDClassifier", options, X, np.minimum(labels, n_classes - 1))


def test_sgd_of_sparse_rows_with_the_same_random_state_has_the_same_coefficients():
    X, y, labels = data(200, 6)
    X = sp.csr_array(np.where(np.abs(X) > 1.0, X, 0.0))
    options = {"max_iter": 5, "tol": None}
    assert_same_model("SGDRegressor", options, X, y)
    assert_same_model("SGDClassifier", options, X, labels)


@pytest.mark.parametrize("name", ["SGDRegressor", "SGDClassifier"])
def test_partial_fit_with_the_same_random_state_has_the_same_coefficients(name):
    X, y, labels = data(100, 3)
    models = [getattr(package, name)(random_state=7) for package in (ours, theirs)]
    for begin in range(0, 100, 20):
        rows = slice(begin, begin + 20)
        for model in models:
            if name == "SGDRegressor":
                model.partial_fit(X[rows], y[rows])
            else:
                model.partial_fit(X[rows], labels[rows], classes=[0, 1, 2])
    assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("chosen", [None, np.arange(0, 150, 3)])
@pytest.mark.parametrize("counted", [None, np.arange(0, 150)])
def test_order_of_one_pool_visits_every_chosen_row_whatever_the_slices(chosen, counted):
    orders = []
    for slice_rows in (1, 37, 5000):
        order = RowOrder(150, chosen, "block", 5, 16, slice_rows, counted)
        epochs = [np.concatenate([part.copy() for part in order.epoch()]) for _ in range(2)]
        for epoch in epochs:
            assert_array_equal(np.sort(epoch), np.arange(150) if chosen is None else chosen)
        assert (epochs[0] != epochs[1]).any()
        orders.append(np.concatenate(epochs))
    assert_array_equal(orders[0], orders[1])
    assert_array_equal(orders[0], orders[2])
