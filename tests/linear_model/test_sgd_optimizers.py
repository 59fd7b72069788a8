"""Optimizers, batches and the softmax of SGDRegressor and SGDClassifier."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from fastridge import Ridge, SGDClassifier, SGDRegressor

OPTIMIZERS = ["sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6))
    return X, X @ rng.standard_normal(6) + 0.5 * rng.standard_normal(300) + 1.0


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def fitted(model, *arguments, **others):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*arguments, **others)


@pytest.mark.parametrize(
    ("optimizer", "weight_decay"),
    [("sgd", 0.0), ("sgd", 0.1), ("momentum", 0.1), ("adam", 0.1), ("adamw", 0.1)],
)
@pytest.mark.parametrize("loss", ["squared_error", "log_loss", "softmax"])
def test_steps_are_those_of_pytorch(rows, iris, loss, optimizer, weight_decay):
    torch = pytest.importorskip("torch")
    X, y = iris if loss == "softmax" else rows
    if loss == "log_loss":
        y = np.where(y > 0.0, 1, 0)
    options = {
        "optimizer": optimizer,
        "alpha": weight_decay,
        "learning_rate": "constant",
        "eta0": 0.05,
        "batch_size": 32,
        "shuffle": False,
        "max_iter": 3,
        "tol": None,
    }
    if loss == "squared_error":
        model = SGDRegressor(**options)
    else:
        multi_class = "multinomial" if loss == "softmax" else "ovr"
        model = SGDClassifier("log_loss", multi_class=multi_class, **options)
    fitted(model, X, y)
    outputs = 3 if loss == "softmax" else 1
    w = torch.zeros(outputs, X.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
    groups = [{"params": [w], "weight_decay": weight_decay}, {"params": [b], "weight_decay": 0.0}]
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}.get(optimizer, torch.optim.SGD)
    momentum = {"momentum": 0.9} if optimizer == "momentum" else {}
    steps = kind(groups, lr=0.05, **momentum)
    inputs, targets = torch.tensor(X), torch.tensor(y)
    functional = torch.nn.functional
    for _ in range(3):
        for begin in range(0, len(X), 32):
            margin = inputs[begin : begin + 32] @ w.T + b
            target = targets[begin : begin + 32]
            if loss == "squared_error":
                value = 0.5 * ((margin[:, 0] - target) ** 2).mean()
            elif loss == "log_loss":
                value = functional.binary_cross_entropy_with_logits(margin[:, 0], target.double())
            else:
                value = functional.cross_entropy(margin, target)
            steps.zero_grad()
            value.backward()
            steps.step()
    assert_allclose(model.coef_.reshape(outputs, -1), w.detach().numpy(), rtol=1e-7, atol=1e-10)
    assert_allclose(model.intercept_, b.detach().numpy(), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("optimizer", [o for o in OPTIMIZERS if o != "adamw"])
def test_short_steps_reach_the_minimum_of_the_objective(rows, optimizer):
    X, y = rows
    schedule = "constant" if optimizer == "ftrl" else "invscaling"
    model = SGDRegressor(
        alpha=0.1,
        optimizer=optimizer,
        learning_rate=schedule,
        eta0=1.0 if optimizer in ("adagrad", "ftrl") else 0.1,
        power_t=0.5,
        batch_size=30,
        max_iter=1500,
        tol=None,
        random_state=0,
    )
    exact = Ridge(alpha=0.1, alpha_scale="mean").fit(X, y)
    fitted(model, X, y)
    assert_allclose(model.coef_, exact.coef_, atol=0.02)
    assert_allclose(model.intercept_, exact.intercept_, atol=0.02)


def test_decoupled_decay_is_another_model(rows):
    X, y = rows
    options = {"optimizer": "adam", "learning_rate": "constant", "alpha": 0.5, "random_state": 0}
    options |= {"max_iter": 50, "tol": None, "batch_size": 50}
    coupled = fitted(SGDRegressor(**options), X, y)
    decoupled = fitted(SGDRegressor(decay="decoupled", **options), X, y)
    adamw = fitted(SGDRegressor(**{**options, "optimizer": "adamw"}), X, y)
    assert_array_equal(decoupled.coef_, adamw.coef_)
    assert np.abs(coupled.coef_ - decoupled.coef_).max() > 0.01


def test_softmax_is_multinomial_logistic_regression(iris):
    X, y = iris
    labels = np.array(["x", "y", "z"])[y]
    model = SGDClassifier(
        "log_loss",
        multi_class="multinomial",
        alpha=0.01,
        learning_rate="invscaling",
        optimizer="adam",
        eta0=0.1,
        batch_size=50,
        max_iter=2000,
        tol=None,
        random_state=0,
    )
    exact = LogisticRegression(C=1.0 / (0.01 * len(X)), tol=1e-10, max_iter=1000).fit(X, labels)
    for given in (X, sp.csr_matrix(X)):
        fitted(model, given, labels)
        assert model.coef_.shape == (3, 4)
        assert model.intercept_.shape == (3,)
        assert_allclose(model.predict_proba(given), exact.predict_proba(X), atol=0.01)
        assert_array_equal(model.predict(given), exact.predict(X))
        assert len(model.loss_curve_) == 2000
    assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))


def test_class_weights_and_sample_weights_are_those_of_repeated_rows(iris):
    X, y = iris
    options = {"multi_class": "multinomial", "learning_rate": "constant", "batch_size": 150}
    options |= {"max_iter": 20, "tol": None, "shuffle": False, "alpha": 0.01}
    weight = np.where(y == 1, 3.0, 1.0)
    by_class = fitted(SGDClassifier("log_loss", class_weight={1: 3.0}, **options), X, y)
    by_row = fitted(SGDClassifier("log_loss", **options), X, y, sample_weight=weight)
    assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-12)
    assert np.abs(by_row.coef_ - fitted(SGDClassifier("log_loss", **options), X, y).coef_).max() > 0


def test_softmax_of_two_classes_is_one_output(rows):
    X, y = rows
    options = {"loss": "log_loss", "learning_rate": "constant", "random_state": 0}
    two = SGDClassifier(multi_class="multinomial", **options).fit(X, y > 0)
    assert_array_equal(two.coef_, SGDClassifier(**options).fit(X, y > 0).coef_)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("sparse", [False, True])
def test_partial_fit_continues_where_fit_would(rows, optimizer, sparse):
    X, y = rows
    X = sp.csr_matrix(np.where(X > 0.0, X, 0.0)) if sparse else X
    model = SGDRegressor(
        optimizer=optimizer,
        learning_rate="constant",
        batch_size=50,
        shuffle=False,
        max_iter=4,
        tol=None,
        penalty="elasticnet",
        alpha=0.01,
    )
    whole = fitted(SGDRegressor(**model.get_params()), X, y)
    for _ in range(4):
        model.partial_fit(X, y)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-12, atol=1e-14)
    assert_allclose(model.intercept_, whole.intercept_, rtol=1e-12)
    assert model.t_ == whole.t_ == 25.0


def test_partial_fit_of_the_softmax(iris):
    X, y = iris
    model = SGDClassifier(
        "log_loss",
        multi_class="multinomial",
        optimizer="adagrad",
        learning_rate="constant",
        eta0=0.5,
        batch_size=10,
        random_state=0,
    )
    for begin in range(0, 150, 25):  # of one class at a time
        model.partial_fit(X[begin::6], y[begin::6], classes=[0, 1, 2])
    for _ in range(20):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_held_out_rows_end_it(iris, multi_class):
    X, y = iris
    options = {"multi_class": multi_class, "learning_rate": "constant", "random_state": 0}
    options |= {"optimizer": "adam", "batch_size": 10, "eta0": 0.05}
    early = SGDClassifier("log_loss", early_stopping=True, **options).fit(X, y)
    assert early.n_iter_ < 300
    assert early.score(X, y) > 0.8
    given = SGDClassifier("log_loss", **options).fit(X, y, X_val=X[::3], y_val=y[::3])
    assert given.score(X, y) > 0.9


def test_same_seed_same_bits_and_f_order_too(rows):
    X, y = rows
    model = SGDRegressor(optimizer="adam", learning_rate="constant", batch_size=7, random_state=3)
    first = model.fit(X, y).coef_.copy()
    assert_array_equal(model.fit(X, y).coef_, first)
    full = SGDRegressor(**{**model.get_params(), "shuffle": "full"})
    assert_array_equal(full.fit(X, y).coef_, full.fit(np.asfortranarray(X), y).coef_)


def test_divergence_goes_back(rows):
    X, y = rows
    wild = SGDRegressor(learning_rate="constant", eta0=100.0, batch_size=20, random_state=0)
    with pytest.warns(ConvergenceWarning, match="steps were made"):
        wild.fit(X, y)
    assert np.isfinite(wild.coef_).all()
    with pytest.raises(FloatingPointError, match="diverges"):
        SGDRegressor(**{**wild.get_params(), "on_divergence": "raise"}).fit(X, y)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            SGDRegressor(optimizer="lion"),
            "'optimizer' parameter of SGDRegressor must be",
        ),
        (
            SGDRegressor(decay="none"),
            "'decay' parameter .* must be .* or None",
        ),
        (SGDRegressor(batch_size=0), "'batch_size' parameter of SGDRegressor must be an int"),
        (SGDRegressor(momentum=1.0), "'momentum' parameter of SGDRegressor must be a float"),
        (SGDRegressor(learning_rate="auto", batch_size=8), "not supported with batch_size=8"),
        (SGDRegressor(optimizer="ftrl"), r"not supported with optimizer='ftrl'.*\['constant'\]"),
        (
            SGDClassifier(optimizer="adam"),
            "learning_rate='optimal' is not supported with",
        ),
        (SGDRegressor(optimizer="adamw", decay="coupled"), "set optimizer='adam'"),
        (
            SGDRegressor(optimizer="ftrl", decay="decoupled", learning_rate="constant"),
            "decay='decoupled' is not supported",
        ),
        (
            SGDClassifier(multi_class="crammer_singer"),
            "'multi_class' parameter of SGDClass",
        ),
        (
            SGDClassifier(multi_class="multinomial"),
            "only for loss='log_loss', got 'hinge'",
        ),
    ],
)
def test_options_that_are_not_supported_are_refused(rows, model, message):
    X, y = rows
    with pytest.raises(ValueError, match=message):
        model.fit(X, y > 0 if isinstance(model, SGDClassifier) else y)
