"""SGD of several targets, and in several threads."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from peak_memory import peak_of
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

from fastridge import SGDClassifier, SGDRegressor
from fastridge.solvers.sgd import row_views as sgd_rows


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5))
    return X, X @ rng.standard_normal((5, 3)) + 0.3 * rng.standard_normal((400, 3)) + 1.0


@pytest.fixture
def short_slices(monkeypatch):
    """Slices of a few rows, so that small data have many rounds."""
    monkeypatch.setattr(sgd_rows, "_SLICE_NS", 900.0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": "auto", "penalty": "elasticnet"},
        {"optimizer": "adam", "learning_rate": "constant", "batch_size": 16},
        {"average": True, "early_stopping": True},
        {"n_threads": 2},
    ],
)
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_matrix])
def test_each_target_is_as_if_alone(rows, make, options):
    X, Y = make(rows[0]), rows[1]
    model = SGDRegressor(random_state=3, **options).fit(X, Y)
    assert model.coef_.shape == (3, 5)
    assert model.intercept_.shape == (3,)
    assert model.predict(X).shape == Y.shape
    assert len(model.loss_curve_) == 3
    for k in range(3):
        alone = SGDRegressor(random_state=3, **options).fit(X, Y[:, k])
        assert_array_equal(model.coef_[k], alone.coef_)
        assert_array_equal(model.intercept_[k], alone.intercept_[0])
        assert model.loss_curve_[k] == alone.loss_curve_


def test_targets_arrive_in_parts(rows):
    X, Y = rows
    model = SGDRegressor(shuffle=False)
    alone = SGDRegressor(shuffle=False)
    for begin in range(0, 400, 100):
        model.partial_fit(X[begin : begin + 100], Y[begin : begin + 100])
        alone.partial_fit(X[begin : begin + 100], Y[begin : begin + 100, 1])
    assert_array_equal(model.coef_[1], alone.coef_)
    with pytest.raises(ValueError, match="y has 1 targets, but earlier calls had 3"):
        model.partial_fit(X, Y[:, 0])
    with pytest.warns(DataConversionWarning):
        assert SGDRegressor().fit(X, Y[:, :1]).coef_.shape == (5,)


def test_a_round_is_the_mean_of_what_threads_come_to(rows, short_slices):
    X, y = rows[0], rows[1][:, 0]
    options = {"shuffle": False, "learning_rate": "constant", "alpha": 0.1, "eta0": 0.02}
    model = SGDRegressor(n_threads=3, **options).partial_fit(X, y)
    size = sgd_rows.rows_of(X, model._plan()).slice_rows
    assert 5 < size < 20
    slices = max(1, min(8, 400 // (8 * 3 * size)))
    parts = [np.arange(k, min(k + size, 400)) for k in range(0, 400, size)]
    common = SGDRegressor(**options).partial_fit(X[:1], y[:1])
    common.coef_, common.intercept_, common.t_ = np.zeros(5), np.zeros(1), 1.0
    for begin in range(0, len(parts), 3 * slices):
        group = parts[begin : begin + 3 * slices]
        coefs, intercepts, sizes = [], [], []
        for k in range(min(3, len(group))):
            own = SGDRegressor(**options)
            own.__dict__.update(common.__dict__)
            own.coef_ = common.coef_.copy()
            some = np.concatenate(group[k::3])
            own.partial_fit(X[some], y[some])
            coefs.append(own.coef_)
            intercepts.append(own.intercept_)
            sizes.append(len(some))
        common.coef_ = np.average(coefs, axis=0, weights=sizes)
        common.intercept_ = np.average(intercepts, axis=0, weights=sizes)
        common.t_ += max(sizes)
    assert_allclose(model.coef_, common.coef_, rtol=1e-12)
    assert_allclose(model.intercept_, common.intercept_, rtol=1e-12)
    assert model.t_ == common.t_


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"penalty": "elasticnet", "average": 10},
        {"learning_rate": "auto"},
        {"optimizer": "momentum", "learning_rate": "constant", "eta0": 0.001},
        {"optimizer": "adagrad", "learning_rate": "constant", "eta0": 0.1, "penalty": "l1"},
        {"optimizer": "ftrl", "learning_rate": "constant", "eta0": 0.1, "batch_size": 3},
    ],
)
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_matrix])
def test_threads_give_the_same_bits_every_time(rows, short_slices, make, options):
    X, y = make(rows[0]), rows[1][:, 0] - 1.0  # sparse intercepts are slow
    model = SGDRegressor(n_threads=2, random_state=0, max_iter=30, tol=None, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        first = model.fit(X, y).coef_.copy()
        assert_array_equal(model.fit(X, y).coef_, first)
        assert model.score(X, y) > 0.9
        one = SGDRegressor(**{**model.get_params(), "n_threads": 1}).fit(X, y)
    assert_allclose(first, one.coef_, atol=0.15)
    assert_allclose(model.loss_curve_[-1], one.loss_curve_[-1], rtol=0.3)


def test_threads_of_classes_and_what_is_not_finite(rows, short_slices):
    X, y = rows[0], np.digitize(rows[1][:, 0], [-1.0, 1.0])
    for multi_class in ("ovr", "multinomial"):
        model = SGDClassifier(
            "log_loss",
            learning_rate="invscaling",
            eta0=0.1,
            n_threads=2,
            n_jobs=2,
            random_state=0,
            multi_class=multi_class,
        )
        first = model.fit(X, y).coef_.copy()
        assert_array_equal(model.fit(X, y).coef_, first)
        assert model.score(X, y) > 0.75
    bad = X.copy()
    bad[333, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit(bad, y)
    with pytest.warns(ConvergenceWarning, match="steps were made"):
        SGDRegressor(n_threads=2, learning_rate="constant", eta0=50.0).fit(X, rows[1][:, 0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"class_weight": "balanced"},
        {"early_stopping": True},
        {"shuffle": "full"},
        {"n_jobs": 2},
        {"learning_rate": "auto"},
    ],
)
def test_fit_many_classes_holds_no_matrix_of_rows_and_classes(options):
    n, n_classes = 8000, 200
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((n, 2)), np.arange(n) % n_classes
    model = SGDClassifier(max_iter=1, tol=None, random_state=0, **options)
    assert peak_of(lambda: model.fit(X, labels)) < 2 * n * n_classes  # it was 16 bytes of each


def test_partial_fit_many_classes_holds_no_matrix_of_rows_and_classes():
    n, n_classes = 8000, 200
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((n, 2)), np.arange(n) % n_classes
    model = SGDClassifier(class_weight={0: 2.0, 7: 3.0}, random_state=0)
    peak = peak_of(lambda: model.partial_fit(X, labels, np.arange(n_classes)))
    assert peak < 2 * n * n_classes
