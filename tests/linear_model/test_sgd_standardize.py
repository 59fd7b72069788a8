"""SGD of standardised features: StandardScaler before it, without a copy of X."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from fastridge import SGDClassifier, SGDRegressor

OPTIONS = [
    {},
    {"penalty": "elasticnet", "average": True},
    {"optimizer": "adam", "learning_rate": "constant", "batch_size": 8},
    {"learning_rate": "auto"},
    {"early_stopping": True},
    {"n_threads": 2},
]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5)) * [1e-3, 1.0, 50.0, 1e4, 1.0] + [0.0, 5.0, -900.0, 0.0, 0.0]
    X[:, 4] = 7.0  # constant
    y = X / np.maximum(X.std(axis=0), 1e-9) @ [1.0, -2.0, 0.5, 1.0, 0.0] + rng.standard_normal(300)
    return X, y, rng.uniform(0.2, 2.0, 300)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_matrix])
def test_standardize_equals_a_scaler_and_sgd(rows, make, options):
    X, y, weight = rows
    if make is sp.csr_matrix:
        X = np.where(np.random.default_rng(1).random(X.shape) < 0.5, X, 0.0)
    X = make(X)
    before = X.copy()
    scaler = StandardScaler(with_mean=not sp.issparse(X)).fit(X, sample_weight=weight)
    scaled = scaler.transform(X)
    if make is np.asfortranarray or make is np.asarray:
        scaled[:, 4] = 0.0  # where it leaves what rounding the mean gives
        scaled = np.asfortranarray(scaled)  # tiles, as standardised rows are
    options = {"random_state": 0, "alpha": 0.01, "shuffle": "full", **options}
    model = SGDRegressor(standardize=True, **options).fit(X, y, sample_weight=weight)
    expected = SGDRegressor(**options).fit(scaled, y, sample_weight=weight)
    assert_allclose(model.coef_ * scaler.scale_, expected.coef_, rtol=1e-7, atol=1e-7)
    assert_allclose(model.predict(X), expected.predict(scaled), rtol=1e-7, atol=1e-6)
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-8)  # adam grows rounding
    assert (abs(X - before)).max() == 0.0


def test_passes_keep_running_means(rows):
    X, y, _ = rows
    model = SGDRegressor(standardize=True, shuffle=False, alpha=0.0)
    for k, begin in enumerate(range(0, 300, 50)):
        part = slice(begin, begin + 50)
        model.partial_fit(X[part], y[part])
        scaler = StandardScaler().fit(X[: begin + 50])
        assert_allclose(model._moments[0], scaler.mean_, rtol=1e-9)
        assert_allclose(model._moments[1], scaler.var_, rtol=1e-7, atol=1e-12)
        if k == 0:
            first = SGDRegressor(shuffle=False, alpha=0.0).partial_fit(
                scaler.transform(X[part]), y[part]
            )
            assert_allclose(model.predict(X), first.predict(scaler.transform(X)), rtol=1e-6)
    for _ in range(30):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.75
    kept = model.coef_.copy(), model.intercept_.copy(), model._moments[0].copy()
    bad = X.copy()
    bad[100, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        model.partial_fit(bad, y)
    assert_array_equal(model.coef_, kept[0])
    assert_array_equal(model.intercept_, kept[1])
    assert_array_equal(model._moments[0], kept[2])


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_classes_and_warm_starts(rows, multi_class, dtype):
    X, y, _ = rows
    X = X.astype(dtype)
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    model = SGDClassifier(
        "log_loss",
        standardize=True,
        multi_class=multi_class,
        learning_rate="constant",
        warm_start=True,
        early_stopping=True,
        random_state=0,
    )
    assert model.fit(X, labels).score(X, labels) > 0.65
    before = model.score(X, labels)
    assert model.fit(X, labels).score(X, labels) > before - 0.1
    assert model.coef_.dtype == dtype
