"""SGDRegressor and SGDClassifier against scikit-learn's, and what they add."""

import pickle
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from versions import as_newest_sklearn

import fastridge as ours
from fastridge import Ridge, SGDClassifier, SGDRegressor
from fastridge.losses.registry import LOSSES, REGRESSION_LOSSES
from fastridge.solvers.sgd.order import RowOrder
from fastridge.solvers.sgd.settings import PENALTIES


def problem(n=240, p=7, seed=0, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = X @ rng.standard_normal(p) + 0.3 * rng.standard_normal(n)
    if sparse:
        X[np.abs(X) < 0.8] = 0.0
        X = sp.csr_matrix(X)
    return X, y, rng.uniform(0.1, 2.0, n)


def both(name, X, y, weight=None, **parameters):
    """The same fit, by scikit-learn's class and by ours, which must not be told apart."""
    fitted = []
    for module in (theirs, ours):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = getattr(module, name)(shuffle=False, **parameters)
            fitted.append(model.fit(X, y, sample_weight=weight))
    return fitted


def assert_same(expected, model, rtol=1e-10):
    for name in ("coef_", "intercept_"):
        one, other = getattr(expected, name), getattr(model, name)
        assert one.shape == other.shape
        assert_allclose(other, one, rtol=rtol, atol=rtol)
    assert (model.n_iter_, model.t_) == (expected.n_iter_, expected.t_)


@as_newest_sklearn
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("schedule", ["constant", "optimal", "invscaling", "adaptive"])
def test_the_steps_and_the_stopping_are_theirs(loss, penalty, schedule):
    X, y, weight = problem()
    three = np.digitize(y, [-1.0, 1.0])
    for averaged, weighted in product((False, True, 100), (False, True)):
        if averaged and penalty in ("l1", "elasticnet"):
            continue  # see test_the_mean_with_an_l1_penalty_is_one
        parameters = {
            "loss": loss,
            "penalty": penalty,
            "learning_rate": schedule,
            "average": averaged,
            # at smaller alpha the first steps of "optimal" are chaotic, or diverge
            "alpha": 1.0 if schedule == "optimal" else 1e-3,
            "eta0": 0.01,
            "max_iter": 8,
        }
        weights = weight if weighted else None
        if loss in REGRESSION_LOSSES:
            assert_same(*both("SGDRegressor", X, y, weights, **parameters))
        if weighted:
            parameters["class_weight"] = "balanced"
        assert_same(*both("SGDClassifier", X, y > 0.0, weights, **parameters))
        if penalty == "l2":
            assert_same(*both("SGDClassifier", X, three, weights, **parameters))


@as_newest_sklearn
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_sparse_rows(loss, penalty):
    # their objective counts only the weights that the last row touched: tol=None
    X, y, weight = problem(sparse=True)
    parameters = {"loss": loss, "penalty": penalty, "tol": None, "max_iter": 6}
    parameters |= {"learning_rate": "constant", "average": penalty not in ("l1", "elasticnet")}
    if loss in REGRESSION_LOSSES:
        assert_same(*both("SGDRegressor", X, y, weight, **parameters))
    assert_same(*both("SGDClassifier", X, y > 0.0, weight, **parameters))


@as_newest_sklearn
@pytest.mark.parametrize("schedule", ["pa1", "pa2"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("sparse", [False, True])
def test_passive_aggressive(schedule, penalty, sparse):
    X, y, weight = problem(sparse=sparse)
    parameters = {"learning_rate": schedule, "penalty": penalty, "tol": None, "max_iter": 6}
    assert_same(*both("SGDRegressor", X, y, weight, loss="epsilon_insensitive", **parameters))
    assert_same(*both("SGDClassifier", X, y > 0.0, weight, loss="hinge", **parameters))


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shuffle", [False, "block", "full"])
def test_every_layout_gives_the_same(layout, dtype, shuffle):
    X, y, _ = problem(3000, 20)
    X = X.astype(dtype)
    given = {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(X, 3, axis=1)[:, ::3],
        "reversed": np.ascontiguousarray(X[::-1])[::-1],
    }[layout]
    parameters = {"shuffle": False, "max_iter": 3, "tol": None}
    expected = SGDRegressor(**parameters).fit(X, y)
    model = SGDRegressor(**parameters | {"shuffle": shuffle}, random_state=0).fit(given, y)
    close = {"rtol": 1e-11, "atol": 1e-12} if shuffle is False else {"atol": 0.1}
    if dtype == np.float32 and shuffle is False:
        close = {"rtol": 1e-4, "atol": 1e-5}
    assert_allclose(model.coef_, expected.coef_, **close)
    assert model.coef_.dtype == dtype


@pytest.mark.parametrize("sparse", [False, True])
def test_float32_is_near_float64(sparse):
    X, y, _ = problem(sparse=sparse)
    double = SGDRegressor(random_state=0).fit(X, y)
    single = SGDRegressor(random_state=0).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, double.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
@pytest.mark.parametrize("sparse", [False, True])
def test_the_mean_with_an_l1_penalty_is_one(penalty, sparse):
    """Theirs counts what the penalty took at a step as if it had been gone from the start."""
    X, y, _ = problem(sparse=sparse)
    parameters = {"penalty": penalty, "alpha": 0.05, "shuffle": False, "eta0": 0.05}
    parameters |= {"learning_rate": "constant"}
    steps = SGDRegressor(**parameters)
    paid, owed = np.zeros(X.shape[1]), 0.0
    l1 = 0.05 * (1.0 if penalty == "l1" else 0.15)
    w, b, mean = np.zeros(X.shape[1]), 0.0, np.zeros(X.shape[1])
    rows = X.toarray() if sparse else X
    for t, (x, target) in enumerate(zip(rows, y, strict=True), 1):
        derivative = x @ w + b - target
        w = (1.0 - 0.05 * (0.05 - l1)) * w - 0.05 * derivative * x
        b -= 0.05 * derivative * (0.01 if sparse else 1.0)
        mean += (w - mean) / t
        owed += 0.05 * l1
        before, touched = w.copy(), (x != 0.0) if sparse else np.full(len(x), True)
        up, down = np.maximum(0.0, w - owed - paid), np.minimum(0.0, w + owed - paid)
        w = np.where(touched, np.where(w > 0.0, up, np.where(w < 0.0, down, 0.0)), w)
        paid += w - before
    model = steps.set_params(average=True, max_iter=1, tol=None).fit(X, y)
    assert_allclose(model._standard_coef, w, rtol=1e-9, atol=1e-12)
    assert_allclose(model.coef_, mean, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["SGDRegressor", "SGDClassifier"])
@pytest.mark.parametrize("average", [False, 30])
def test_partial_fit_continues_where_theirs_does(name, average):
    X, y, weight = problem()
    parameters = {"shuffle": False, "average": average, "alpha": 1.0}
    if average and name == "SGDClassifier":
        parameters["fit_intercept"] = False  # theirs forgets the intercept that is no mean
    models = [getattr(module, name)(**parameters) for module in (theirs, ours)]
    for begin, end in ((0, 50), (50, 51), (51, 52), (52, 240)):
        for model in models:
            if name == "SGDRegressor":
                model.partial_fit(X[begin:end], y[begin:end], weight[begin:end])
            else:
                labels = y[begin:end] > 0.0
                model.partial_fit(X[begin:end], labels, [False, True], weight[begin:end])
        assert_same(*models)


def test_early_stopping_and_probabilities_and_sparsify():
    X, y, _ = problem()
    model = SGDClassifier("log_loss", early_stopping=True, random_state=0).fit(X, y > 0.0)
    assert model.n_iter_ < 1000
    assert model.score(X, y > 0.0) > 0.9
    probabilities = model.predict_proba(X)
    assert_allclose(probabilities.sum(axis=1), 1.0)
    assert_allclose(np.exp(model.predict_log_proba(X)), probabilities)
    assert_array_equal(probabilities[:, 1] > 0.5, model.predict(X))
    before = model.decision_function(X)
    assert_allclose(model.sparsify().decision_function(X), before)
    assert_allclose(model.densify().decision_function(X), before)
    assert not hasattr(SGDClassifier("hinge"), "predict_proba")
    huber = SGDClassifier("modified_huber", random_state=0).fit(X, np.digitize(y, [-1.0, 1.0]))
    assert_allclose(huber.predict_proba(X).sum(axis=1), 1.0)
    regressor = SGDRegressor(random_state=0).fit(X, y)
    predicted = regressor.predict(X)
    assert_allclose(regressor.sparsify().predict(X), predicted)
    regressor.partial_fit(X, y)
    assert not sp.issparse(regressor.coef_)


def test_rows_given_for_validation_decide():
    X, y, _ = problem(600)
    model = SGDRegressor(random_state=0, n_iter_no_change=2)
    model.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])
    alike = SGDRegressor(random_state=0, max_iter=model.n_iter_, tol=None).fit(X[:400], y[:400])
    assert_array_equal(model.coef_, alike.coef_)
    assert len(model.loss_curve_) == model.n_iter_
    with pytest.raises(ValueError, match="belong together"):
        model.fit(X, y, X_val=X)
    labels = np.where(y > 0.0, "up", "down")
    classifier = SGDClassifier(random_state=0)
    classifier.fit(X[:400], labels[:400], X_val=X[400:], y_val=labels[400:])
    assert classifier.score(X[400:], labels[400:]) > 0.9
    with pytest.raises(ValueError, match="y_val holds the label 'aside'"):
        classifier.fit(X, labels, X_val=X[:2], y_val=["up", "aside"])


def test_the_loss_curve_falls_to_the_minimum():
    X, y, _ = problem(2000, 5)
    n = len(y)
    model = SGDRegressor(alpha=0.01, random_state=0, tol=None, max_iter=30).fit(X, y)
    exact = Ridge(alpha=0.01 * n).fit(X, y)
    least = 0.5 * np.mean((y - exact.predict(X)) ** 2) + 0.005 * exact.coef_ @ exact.coef_
    assert len(model.loss_curve_) == 30
    assert least * 0.99 < model.loss_curve_[-1] < 1.05 * least < model.loss_curve_[0]


class TestShuffle:
    @pytest.mark.parametrize("shuffle", ["none", "full", "block"])
    @pytest.mark.parametrize("slice_rows", [1, 37, 5000])
    @pytest.mark.parametrize("chosen", [None, np.arange(0, 9000, 3)])
    def test_every_epoch_visits_every_row(self, shuffle, slice_rows, chosen):
        order = RowOrder(9000, chosen, shuffle, 5, 16, slice_rows)
        rows = np.arange(9000) if chosen is None else chosen
        epochs = [np.concatenate([part.copy() for part in order.epoch()]) for _ in range(2)]
        for epoch in epochs:
            assert_array_equal(np.sort(epoch), rows)
        assert (epochs[0] != epochs[1]).any() == (shuffle != "none")

    @pytest.mark.parametrize("shuffle", ["full", "block"])
    def test_the_order_does_not_depend_on_the_slices(self, shuffle):
        orders = [
            np.concatenate(
                [part.copy() for part in RowOrder(9000, None, shuffle, 5, 16, some).epoch()]
            )
            for some in (100, 3000, 65536)
        ]
        assert_array_equal(orders[0], orders[1])
        assert_array_equal(orders[0], orders[2])

    @pytest.mark.parametrize("name", ["SGDRegressor", "SGDClassifier"])
    def test_sorted_data_converge_as_with_a_full_shuffle(self, name):
        """Rows sorted by their target: the epochs to a loss, at most 5 % more of them."""
        X, y, _ = problem(20000, 10, seed=1)
        order = np.argsort(y)
        X, y = X[order], y[order]
        classifies = name == "SGDClassifier"
        target = (y > 0.0).astype(int) if classifies else y
        parameters = {"max_iter": 20, "tol": None, "alpha": 1e-3}
        if classifies:
            parameters |= {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.002}
        curves = {}
        for shuffle in ("full", "block"):
            runs = [
                getattr(ours, name)(shuffle=shuffle, random_state=seed, **parameters)
                .fit(X, target)
                .loss_curve_
                for seed in range(3)
            ]
            curves[shuffle] = np.mean(runs, axis=0)
        reached = curves["full"][9]
        epochs = np.interp(-reached, -curves["block"], np.arange(1, 21))
        assert epochs <= 1.05 * 10

    def test_a_seed_decides(self):
        X, y, _ = problem(2000)
        for shuffle in ("block", "full"):
            models = [
                SGDRegressor(shuffle=shuffle, random_state=seed, max_iter=2, tol=None).fit(X, y)
                for seed in (0, 0, 1)
            ]
            assert_array_equal(models[0].coef_, models[1].coef_)
            assert (models[0].coef_ != models[2].coef_).any()

    def test_true_is_block(self):
        X, y, _ = problem(2000)
        one, other = (
            SGDRegressor(shuffle=shuffle, random_state=0).fit(X, y) for shuffle in (True, "block")
        )
        assert_array_equal(one.coef_, other.coef_)


class TestDivergence:
    X = np.random.default_rng(0).standard_normal((500, 4)) * [1.0, 10.0, 300.0, 0.1]
    y = X @ [1.0, 0.2, 0.01, 3.0]

    def test_halving_warns_and_gives_a_model(self):
        with pytest.warns(ConvergenceWarning, match=r"its steps were made .* times shorter"):
            model = SGDRegressor(random_state=0, max_iter=200).fit(self.X, self.y)
        assert model.score(self.X, self.y) > 0.5
        assert max(model.loss_curve_) < 1e6 * np.mean(self.y**2)

    @pytest.mark.filterwarnings("ignore:Maximum number of iteration")
    @pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
    def test_raising_names_cause_and_remedy(self, schedule):
        model = SGDRegressor(learning_rate=schedule, on_divergence="raise", random_state=0)
        with pytest.raises(FloatingPointError, match=r"eta0=0.01 is too long .* smaller eta0"):
            model.fit(self.X, self.y)

    def test_a_pass_that_diverges_leaves_the_model(self):
        model = SGDRegressor(random_state=0, shuffle=False, learning_rate="constant")
        model.partial_fit(self.X[:1] / 1000.0, self.y[:1])
        before = model.coef_.copy(), model.intercept_.copy(), model.t_
        with pytest.raises(FloatingPointError):
            for _ in range(100):
                kept = model.coef_.copy()
                model.partial_fit(self.X * 1e150, self.y)
        assert_array_equal(model.coef_, kept)
        assert np.isfinite(model.coef_).all()
        assert before[2] <= model.t_


def test_classes_in_threads_are_those_in_turn():
    X, y, _ = problem(500)
    labels = np.digitize(y, [-2.0, -1.0, 0.0, 1.0])
    one, two = (SGDClassifier(random_state=0, n_jobs=jobs).fit(X, labels) for jobs in (1, 2))
    assert_array_equal(one.coef_, two.coef_)
    assert len(one.loss_curve_) == 5
    assert one.n_iter_ == max(map(len, one.loss_curve_))


def test_verbose_reports_each_epoch(capsys):
    X, y, _ = problem()
    model = SGDRegressor(verbose=1, random_state=0).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("-- Epoch 1") == 1
    assert sum(line.startswith("Norm: ") for line in lines) == model.n_iter_
    assert lines[-1].startswith(f"Convergence after {model.n_iter_} epochs")


def test_warm_start_continues():
    X, y, _ = problem()
    model = SGDRegressor(warm_start=True, random_state=0).fit(X, y)
    first = model.loss_curve_[0]
    coef = model.coef_
    kept = coef.copy()
    model.fit(X, y)
    assert model.loss_curve_[0] < first
    assert_array_equal(coef, kept)
    fresh = clone(model).set_params(warm_start=False)
    fresh.fit(X, y, coef_init=kept, intercept_init=[0.0])
    assert fresh.loss_curve_[0] < first


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("penalty", ["l2", None, "l1"])
@pytest.mark.parametrize("kind", [SGDRegressor, SGDClassifier])
def test_row_by_row_is_one_pass(kind, penalty, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)).astype(dtype)
    y = X @ [1.0, -1.0, 2.0, 0.0] + 1.0
    classes = {}
    if kind is SGDClassifier:
        y, classes = np.where(y > 0.0, "yes", "no"), {"classes": ["no", "yes"]}
    options = {"penalty": penalty, "alpha": 0.01, "shuffle": False, "learning_rate": "invscaling"}
    whole = kind(**options).partial_fit(X, y, sample_weight=np.full(60, 0.5), **classes)
    model = kind(**options)
    for k in range(60):
        model.partial_fit(X[k : k + 1], y[k : k + 1], sample_weight=[0.5], **classes)
        if k == 30:
            model = pickle.loads(pickle.dumps(model))
    if penalty != "l1":  # what is paid of it is counted within a pass
        near = 1e-12 if dtype == np.float64 else 1e-5
        np.testing.assert_allclose(model.coef_, whole.coef_, rtol=near, atol=near)
        np.testing.assert_allclose(model.intercept_, whole.intercept_, rtol=near)
    assert model.t_ == whole.t_ == 61.0


def test_a_lone_row_that_is_refused_changes_nothing():
    X = np.ones((1, 3))
    model = SGDRegressor(learning_rate="constant").partial_fit(X, [1.0]).partial_fit(X, [1.0])
    kept = model.coef_.copy(), model.intercept_.copy(), model.t_
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.array([[1.0, np.nan, 1.0]]), [1.0])
    with pytest.raises(FloatingPointError, match="diverges"):
        model.partial_fit(np.array([[1e200, 1e200, 1.0]]), [1e200])
    np.testing.assert_array_equal(model.coef_, kept[0])
    np.testing.assert_array_equal(model.intercept_, kept[1])
    assert model.t_ == kept[2]
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(np.ones((1, 4)), [1.0])
    model.coef_, model.intercept_ = np.zeros(3), np.zeros(1)  # as users do
    model.eta0 = 0.5
    np.testing.assert_allclose(model.partial_fit(X, [1.0]).coef_, 0.5, rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_like_the_one_before_take_the_same_steps(dtype):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 4)).astype(dtype), rng.standard_normal(40)
    options = {"learning_rate": "invscaling", "eta0": 0.02, "alpha": 0.1}
    quick, slow = SGDRegressor(**options), SGDRegressor(**options)

    def change(k, model):
        if k == 10:
            model.set_params(eta0=0.1)
        elif k == 15:
            model.penalty = None
        elif k == 20:
            model.coef_ = model.coef_ + dtype(1.0)
        elif k == 25:
            model.intercept_ = np.array([2.0])

    for k in range(40):
        change(k, quick)
        change(k, slow)
        row = X[k : k + 1] if k % 3 else np.array(X[k : k + 1], order="F")
        quick.partial_fit(row, y[k : k + 1])
        slow.partial_fit(row.tolist() if dtype == np.float64 else row, y[k : k + 1], [1.0])
        np.testing.assert_array_equal(quick.coef_, slow.coef_)
        np.testing.assert_array_equal(quick.intercept_, slow.intercept_)
        assert quick.t_ == slow.t_
    kept, t = quick.coef_.copy(), quick.t_
    for bad_X, bad_y, message in (
        (X[:1], np.array([np.nan]), "NaN"),
        (np.full((1, 4), np.inf, dtype), y[:1], "infinity"),
        (X[:1, :3], y[:1], "features"),
        (X[:1], y[:2], "inconsistent"),
    ):
        with pytest.raises(ValueError, match=message):
            quick.partial_fit(bad_X, bad_y)
        np.testing.assert_array_equal(quick.coef_, kept)
        assert quick.t_ == t
    quick.early_stopping = True
    with pytest.raises(ValueError, match="early_stopping"):
        quick.partial_fit(X[:1], y[:1])
    assert "_online" not in pickle.loads(pickle.dumps(quick)).__dict__


def forms_of_a_row(row):
    wide = np.zeros((1, 2 * len(row)), row.dtype)
    wide[0, ::2] = row
    yield row[np.newaxis]
    yield [row.tolist()]
    yield (tuple(row.tolist()),)
    yield [row]
    yield wide[:, ::2]
    yield row[np.newaxis].astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("kind", [SGDRegressor, SGDClassifier])
def test_partial_fit_lone_row_of_any_form_takes_the_quick_step(kind, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.integers(-8, 9, (12, 4)) / 4.0, rng.integers(0, 2, 12)
    classes = {} if kind is SGDRegressor else {"classes": [0, 1]}
    targets = (y, y.astype(float), y.astype(np.int8))
    model, expected = kind(random_state=0), kind(random_state=0)
    for one in (model, expected):
        one.partial_fit(X, y, **classes).partial_fit(X[:1], y[:1])
    slow, checked = [], kind._check_rows
    monkeypatch.setattr(kind, "_check_rows", lambda *a, **k: slow.append(1) or checked(*a, **k))
    for k, given in enumerate(targets):
        label = given[k : k + 1]
        for target in (label, label.tolist(), tuple(label.tolist()), [label[0]]):
            for form in forms_of_a_row(X[k]):
                model.partial_fit(form, target)
                assert not slow
                expected.partial_fit(X[k : k + 1], y[k : k + 1], sample_weight=[1.0])
                slow.clear()
                np.testing.assert_array_equal(model.coef_, expected.coef_)
                np.testing.assert_array_equal(model.intercept_, expected.intercept_)
                assert model.t_ == expected.t_
    if classes:
        model.partial_fit(X[:1], [1], classes=[0, 1])
        model.partial_fit(X[:1], [1], classes=np.array([0, 1]))
        assert not slow
        with pytest.raises(ValueError, match="classes"):
            model.partial_fit(X[:1], [1], classes=[0, 1, 2])
        with pytest.raises(ValueError, match="label 7"):
            model.partial_fit(X[:1], [7])


@pytest.mark.parametrize(
    "X", [[1.0, 2.0], 1.0, [[1.0]], [[1.0, "a"]], [[1.0, 2.0], [1.0]], [[1.0, np.nan]]]
)
@pytest.mark.parametrize("kind", [SGDRegressor, SGDClassifier])
def test_partial_fit_lone_row_that_is_malformed_is_refused(kind, X):
    classes = {} if kind is SGDRegressor else {"classes": [0, 1]}
    model = kind().partial_fit([[1.0, 2.0]], [1], **classes).partial_fit([[1.0, 2.0]], [1])
    kept = model.coef_.copy()
    with pytest.raises(ValueError, match="array|features|float|NaN"):
        model.partial_fit(X, [1])
    for y in ([np.inf], 1, [[1, 0]], [1, 0], ["a"], [None]):
        with pytest.raises((ValueError, TypeError)):
            model.partial_fit([[1.0, 2.0]], y)
    np.testing.assert_array_equal(model.coef_, kept)


def test_a_lone_row_without_names_warns_each_time():
    frame = pd.DataFrame(np.ones((3, 2)), columns=["a", "b"])
    model = SGDRegressor().fit(frame, [1.0, 2.0, 3.0])
    for _ in range(3):
        with pytest.warns(UserWarning, match="valid feature names"):
            model.partial_fit(np.ones((1, 2)), np.ones(1))
