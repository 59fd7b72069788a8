"""SGD in batches with every optimizer against plain NumPy, for every instruction set."""

import dataclasses
import importlib
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sgd_losses import loss_and_derivative

from fastridge import _kernels
from fastridge.losses.registry import LOSSES
from fastridge.solvers.sgd import row_views as rows
from fastridge.solvers.sgd import state as weights
from fastridge.solvers.sgd.epochs import one_epoch
from fastridge.solvers.sgd.settings import Plan
from fastridge.solvers.sgd.state import BatchWeights

N, P = 23, 5
EPSILON = 0.2
OPTIMIZERS = [
    ("sgd", False),
    ("momentum", False),
    ("momentum", True),
    ("adagrad", False),
    ("adagrad", True),
    ("adam", False),
    ("adamw", True),
    ("ftrl", False),
]
PLAN = Plan(
    loss="squared_error",
    penalty="elasticnet",
    alpha=0.05,
    l1_ratio=0.3,
    fit_intercept=True,
    max_iter=1,
    tol=-np.inf,
    shuffle="none",
    verbose=0,
    epsilon=EPSILON,
    learning_rate="constant",
    eta0=0.1,
    power_t=0.5,
    n_iter_no_change=5,
    average_from=0,
    on_divergence="raise",
)


@pytest.fixture(params=_kernels.available)
def kernel(request, monkeypatch):
    module = importlib.import_module(f"fastridge._kernels.{request.param}.sgd_batches")
    monkeypatch.setitem(rows._KERNELS, "batches", module)
    monkeypatch.setattr(weights, "sgd_batches", module)
    return module


def problem(n_classes=0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, P)) * (rng.random((N, P)) < 0.5)
    y = rng.integers(0, n_classes, N) if n_classes else np.sign(rng.standard_normal(N))
    return X, y.astype(float), rng.integers(0, 3, N) / 2.0


class Stepper:
    """One optimizer's steps of one array."""

    def __init__(self, plan, w, penalised):
        self.plan, self.t = plan, 0
        l1_ratio = {"l1": 1.0, "l2": 0.0, None: 0.0}.get(plan.penalty, plan.l1_ratio)
        alpha = plan.alpha if penalised and plan.penalty is not None else 0.0
        self.l1, self.l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
        self.m, self.v = np.zeros_like(w), np.zeros_like(w)
        if plan.optimizer == "ftrl":
            self.m = -w / plan.eta0

    def step(self, w, g, eta):
        plan, l1, l2 = self.plan, self.l1, self.l2
        self.t += 1
        if plan.optimizer == "ftrl":
            root = np.sqrt(self.v)
            self.v = self.v + g**2
            self.m = self.m + g - (np.sqrt(self.v) - root) / eta * w
            z, owed = self.m, self.t * l1
            new = -(z - np.sign(z) * owed) / ((1.0 + np.sqrt(self.v)) / eta + self.t * l2)
            return np.where(np.abs(z) <= owed, 0.0, new)
        if plan.decoupled or plan.optimizer == "sgd":
            w = max(0.0, 1.0 - eta * l2) * w
        else:
            g = g + l2 * w
        rate = np.full_like(w, eta)
        if plan.optimizer == "sgd":
            w = w - eta * g
        elif plan.optimizer == "momentum":
            self.m = plan.momentum * self.m + g
            w = w - eta * self.m
        elif plan.optimizer == "adagrad":
            self.v = self.v + g**2
            rate = eta / (np.sqrt(self.v) + 1e-10)
            w = w - rate * g
        else:
            self.m = 0.9 * self.m + 0.1 * g
            self.v = 0.999 * self.v + 0.001 * g**2
            rate = eta / (np.sqrt(self.v / (1.0 - 0.999**self.t)) + 1e-8)
            w = w - rate * self.m / (1.0 - 0.9**self.t)
        return np.sign(w) * np.maximum(0.0, np.abs(w) - rate * l1)


def reference(plan, X, y, weight, start, n_epochs, intercept_rate=1.0):
    """Weights, intercepts, and the means of both."""
    w, b = start[0].copy(), start[1].copy()
    outputs = len(b)
    steppers = Stepper(plan, w, True), Stepper(plan, b, False)
    means, count, t, loss_sum = (np.zeros_like(w), np.zeros_like(b)), 0, 1, 0.0
    for _ in range(n_epochs):
        for begin in range(0, N, plan.batch_size):
            gw, gb = np.zeros_like(w), np.zeros_like(b)
            some = range(begin, min(begin + plan.batch_size, N))
            for i in some:
                margin = w @ X[i] + b
                if plan.multinomial:
                    power = np.exp(margin - margin.max())
                    derivative = power / power.sum() - (np.arange(outputs) == y[i])
                    loss_sum += -np.log(power[int(y[i])] / power.sum())
                else:
                    loss, derivative = loss_and_derivative(plan.loss, y[i], margin[0], EPSILON)
                    loss_sum, derivative = loss_sum + loss, np.array([derivative])
                gw += weight[i] * np.outer(derivative, X[i]) / len(some)
                gb += weight[i] * derivative / len(some)
            eta = plan.eta0 / t**plan.power_t if plan.learning_rate == "invscaling" else plan.eta0
            w, b = steppers[0].step(w, gw, eta), steppers[1].step(b, intercept_rate * gb, eta)
            if plan.average_from and t >= plan.average_from:
                count += 1
                means = tuple(m + (a - m) / count for m, a in zip(means, (w, b), strict=True))
            t += 1
    return w, b, means, loss_sum, t


def descended(plan, X, y, weight, start, n_epochs, part=1000):
    """The same by the kernel, a few rows per call."""
    given = rows.rows_of(X, plan, len(start[1]))
    average = np.zeros_like(start[0], dtype=X.dtype) if plan.average_from else None
    own = BatchWeights(
        plan,
        start[0].astype(X.dtype),
        start[1],
        1.0,
        given.sparse,
        average,
        None if average is None else np.zeros(len(start[1])),
    )
    for _ in range(n_epochs):
        order = (np.arange(k, min(k + part, N)) for k in range(0, N, part))
        for _ in one_epoch(plan, given, y, weight, own, order):
            pass
    return own


def layouts(X):
    yield X
    yield np.asfortranarray(X)
    narrow = sp.csr_matrix(X)
    yield narrow
    wide = sp.csr_matrix(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    yield wide
    yield X.astype(np.float32)
    yield narrow.astype(np.float32)


def check(plan, X, y, weight, start, n_epochs=2):
    for sparse in (False, True):
        slow = sparse and plan.optimizer in ("sgd", "momentum")
        w, b, means, _, t = reference(plan, X, y, weight, start, n_epochs, 0.01 if slow else 1.0)
        for given in layouts(X):
            if sp.issparse(given) != sparse:
                continue
            own = descended(plan, given, y, weight, start, n_epochs)
            exact = given.dtype == np.float64
            near = {"rtol": 1e-9, "atol": 1e-12} if exact else {"rtol": 2e-3, "atol": 2e-4}
            assert_allclose(own.coef, w, **near)
            assert_allclose(own.intercepts, b, **near)
            assert own.state.t == t
            if plan.average_from:
                assert_allclose(own.average, means[0], **near)
                assert_allclose(own.average_intercepts, means[1], **near)


@pytest.mark.parametrize("penalty", [None, "l1", "l2", "elasticnet"])
@pytest.mark.parametrize(("optimizer", "decoupled"), OPTIMIZERS)
def test_every_loss_and_batch(kernel, optimizer, decoupled, penalty):
    X, y, weight = problem()
    start = np.full((1, P), 0.3), np.array([-0.2])
    every = kernel.__name__.split(".")[-2] == _kernels.simd
    for loss in LOSSES if every else ["log_loss"]:
        for size in (1, 7, N):
            plan = dataclasses.replace(
                PLAN,
                loss=loss,
                penalty=penalty,
                optimizer=optimizer,
                decoupled=decoupled,
                batch_size=size,
            )
            if plan.kernel == "batches":
                check(plan, X, y, weight, start)


@pytest.mark.parametrize(("optimizer", "decoupled"), OPTIMIZERS)
def test_softmax_of_several_outputs(kernel, optimizer, decoupled):
    X, y, weight = problem(n_classes=4)
    start = np.random.default_rng(1).standard_normal((4, P)), np.arange(4.0)
    for size, penalty in itertools.product((1, 7), ("l2", "elasticnet")):
        plan = dataclasses.replace(
            PLAN,
            loss="log_loss",
            penalty=penalty,
            optimizer=optimizer,
            decoupled=decoupled,
            batch_size=size,
            multinomial=True,
        )
        check(plan, X, y, weight, start)


@pytest.mark.parametrize(
    "options",
    [
        {"average_from": 1, "batch_size": 4},
        {"average_from": 5, "batch_size": 4, "optimizer": "adam"},
        {"learning_rate": "invscaling", "batch_size": 3},
        {"learning_rate": "invscaling", "optimizer": "momentum", "momentum": 0.5},
        {"alpha": 30.0, "batch_size": 3},  # eta alpha above 1: decay stops at zero
        {"alpha": 30.0, "optimizer": "adagrad", "decoupled": True},
        {"alpha": 9.99, "penalty": "l2", "batch_size": 2},  # decay by 1e-3 a step
    ],
)
def test_schedules_means_and_strong_decay(kernel, options):
    X, y, weight = problem()
    start = np.full((1, P), 0.3), np.array([-0.2])
    check(dataclasses.replace(PLAN, **options), X, y, weight, start, n_epochs=6)


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_matrix])
@pytest.mark.parametrize(("optimizer", "decoupled"), OPTIMIZERS)
def test_calls_cut_a_batch_where_they_like(kernel, optimizer, decoupled, make):
    X, y, weight = problem()
    plan = dataclasses.replace(PLAN, optimizer=optimizer, decoupled=decoupled, batch_size=6)
    start = np.full((1, P), 0.3), np.array([-0.2])
    whole, cut = (descended(plan, make(X), y, weight, start, 2, part) for part in (1000, 4))
    assert_array_equal(whole.coef, cut.coef)
    assert [getattr(whole.state, n) for n in weights.STATE_FIELDS] == [
        getattr(cut.state, n) for n in weights.STATE_FIELDS
    ]
    for name, array in whole.arrays.items():
        assert_array_equal(array, cut.arrays[name])


def test_rows_that_are_not_finite_stop_it(kernel):
    X, y, weight = problem()
    X[11, 2] = np.inf
    plan = dataclasses.replace(PLAN, batch_size=4)
    for given in (X, sp.csr_matrix(X)):
        taken = rows.rows_of(given, plan)
        own = BatchWeights(plan, np.full((1, P), 0.3), np.zeros(1), 1.0, taken.sparse)
        done = taken.step(
            np.arange(N),
            y,
            weight,
            own.coef,
            own.arrays,
            plan.settings(taken.sparse),
            own.state,
        )
        assert done == 11


def test_the_loss_is_summed(kernel):
    X, y, weight = problem(n_classes=3)
    for plan in (
        dataclasses.replace(PLAN, loss="log_loss", multinomial=True, batch_size=5),
        dataclasses.replace(PLAN, loss="squared_hinge", batch_size=5),
    ):
        outputs = 3 if plan.multinomial else 1
        start = np.full((outputs, P), 0.3), np.zeros(outputs)
        taken = rows.rows_of(X, plan, outputs)
        own = BatchWeights(plan, start[0].copy(), start[1], 1.0, False)
        settings = plan.settings(taken.sparse)
        taken.step(np.arange(N), y, weight, own.coef, own.arrays, settings, own.state)
        assert own.state.loss_sum == pytest.approx(reference(plan, X, y, weight, start, 1)[3])
