"""Stochastic gradient descent step by step against plain NumPy, for every instruction set."""

import importlib
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sgd_losses import loss_and_derivative

from fastridge import _kernels
from fastridge._kernels.sgd_state import Settings, State

LOSSES, PENALTIES = _kernels.losses.names()[:-1], (None, "l1", "l2", "elasticnet")
SCHEDULES = _kernels.sgd.schedules()
ROUNDING = {np.float64: 1e-11, np.float32: 2e-4}


@pytest.fixture(params=_kernels.available)
def sgd(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.sgd")


class Reference:
    """Plain SGD: w itself, its mean, and every norm computed from scratch."""

    def __init__(self, n_features, options, names):
        self.w, self.b = np.zeros(n_features), 0.0
        self.mean, self.mean_b = np.zeros(n_features), 0.0
        self.paid, self.owed = np.zeros(n_features), 0.0
        self.loss_sum = self.penalty_sum = 0.0
        self.f, self.t = options, options["t"]
        self.loss, self.penalty, self.schedule = names

    def eta(self):
        f = self.f
        if self.schedule == "optimal":
            return 1.0 / (f["alpha"] * (f["optimal_t0"] + self.t - 1.0))
        return f["eta0"] / self.t ** f["power_t"] if self.schedule == "invscaling" else f["eta0"]

    def step(self, x, touched, y, weight, averaged):
        f, w = self.f, self.w
        l1, l2 = f["alpha"] * f["l1_ratio"], f["alpha"] * (1.0 - f["l1_ratio"])
        p = x @ w + self.b
        loss, derivative = loss_and_derivative(self.loss, y, p, f["epsilon"])
        self.loss_sum += loss
        if self.schedule not in ("pa1", "pa2") and self.penalty is not None:
            self.penalty_sum += 0.5 * l2 * (w @ w) + l1 * np.abs(w).sum()
        eta, square = self.eta(), x @ x
        if self.schedule == "pa1":
            if square == 0.0:
                return
            update = min(f["eta0"], loss / square) * -np.sign(derivative)
        elif self.schedule == "pa2":
            update = loss / (square + 0.5 / f["eta0"]) * -np.sign(derivative)
        else:
            update = -eta * derivative
        if self.penalty in ("l2", "elasticnet"):
            w *= max(0.0, 1.0 - eta * l2)
        w += weight * update * x
        self.b += weight * update * f["intercept_factor"]
        if averaged and self.t >= f["average_from"]:
            count = self.t - f["average_from"] + 1.0
            self.mean += (w - self.mean) / count
            self.mean_b += (self.b - self.mean_b) / count
        if self.penalty in ("l1", "elasticnet"):
            self.owed += eta * l1
            before = w.copy()
            pays = np.where(
                w > 0.0,
                np.maximum(0.0, w - (self.owed + self.paid)),
                np.minimum(0.0, w + (self.owed - self.paid)),
            )
            w[touched] = np.where(w == 0.0, 0.0, pays)[touched]
            self.paid += w - before
        self.t += 1.0


def problem(n=32, p=11, seed=0, dtype=np.float64, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if sparse:
        X[np.abs(X) < 0.7] = 0.0
        X[3] = 0.0
    X = X.astype(dtype)
    y = X @ rng.standard_normal(p) + 0.5 * rng.standard_normal(n)
    return X, y, rng


def options_of(penalty, schedule, **changes):
    l1_ratio = {"l1": 1.0, "elasticnet": 0.4}.get(penalty, 0.0)
    values = {"alpha": 0.02, "l1_ratio": l1_ratio, "eta0": 0.02, "power_t": 0.3, "epsilon": 0.2}
    values |= {"optimal_t0": 2000.0, "intercept_factor": 1.0, "t": 1.0, "average_from": 0.0}
    return values | changes


def settings_of(loss, penalty, schedule, values):
    settings, alpha, l1_ratio = Settings(), values["alpha"], values["l1_ratio"]
    settings.loss, settings.schedule = LOSSES.index(loss), SCHEDULES.index(schedule)
    settings.has_l1 = penalty in ("l1", "elasticnet")
    settings.has_l2 = penalty in ("l2", "elasticnet")
    settings.l1, settings.l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    for name in ("alpha", "epsilon", "eta0", "power_t", "optimal_t0", "intercept_factor"):
        setattr(settings, name, values[name])
    settings.average_from, settings.sums_losses = values["average_from"], True
    settings.sums_penalties = penalty is not None and schedule not in ("pa1", "pa2")
    return settings


def state_of(values):
    state = State()
    state.t, state.learning_rate = values["t"], values["eta0"]
    return state


def run(sgd, X, order, y, weight, settings, values, gathered=False, slices=2):
    """Coefficients, average and state after the kernel's steps, in `slices` calls."""
    coef, state = np.zeros(X.shape[1], X.dtype), state_of(values)
    arrays = {name: np.zeros_like(coef) for name in sgd.array_names(settings)}
    for part in np.array_split(order, slices):
        rest = (part, y, weight, coef, arrays, settings, state)
        if sp.issparse(X):
            done = sgd.step_csr(X.data, X.indices, X.indptr, *rest)
        else:
            done = sgd.step_dense(X[part] if gathered else X, gathered, *rest)
        assert done == len(part)
    sgd.finish(coef, arrays, settings, state)
    return coef, arrays.get("average"), state


def cases():
    for loss, penalty, schedule in product(LOSSES, PENALTIES, SCHEDULES):
        passive = schedule in ("pa1", "pa2")
        if not passive or loss in ("hinge", "epsilon_insensitive"):
            yield pytest.param(loss, penalty, schedule, id=f"{loss}-{penalty}-{schedule}")


@lru_cache(maxsize=8)
def stepped(loss, penalty, schedule, sparse, dtype, averaged, weighted):
    """A problem, options, and the reference after its steps, for every kernel and layout."""
    X, y, rng = problem(dtype=dtype, sparse=sparse)
    if LOSSES.index(loss) < LOSSES.index("squared_error"):
        y = np.where(y > 0.0, 1.0, -1.0)
    order = rng.permutation(len(y)).astype(np.intp)
    values = options_of(penalty, schedule, average_from=5.0 * averaged)
    weight = rng.uniform(0.2, 2.0, len(y)) if weighted else np.empty(0)
    expected = Reference(X.shape[1], values, (loss, penalty, schedule))
    for row in order:
        x = X[row].astype(np.float64)
        touched = x != 0.0 if sparse else np.full(len(x), True)
        expected.step(x, touched, y[row], weight[row] if weighted else 1.0, averaged)
    return X, y, order, weight, values, expected


# the uppermost varies fastest: the reference of one case is made once for all that share it
@pytest.mark.parametrize("sgd", _kernels.available, indirect=True)
@pytest.mark.parametrize("layout", ["rows", "tile", "sparse"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("loss", "penalty", "schedule"), cases())
def test_steps(sgd, loss, penalty, schedule, layout, dtype):
    sparse = layout == "sparse"
    for averaged, weighted in product((0, 1), (0, 1)):
        case = loss, penalty, schedule, sparse, dtype, averaged, weighted
        X, y, order, weight, values, expected = stepped(*case)
        given = sp.csr_matrix(X) if sparse else X
        settings = settings_of(loss, penalty, schedule, values)
        coef, mean, state = run(
            sgd, given, order, y, weight, settings, values, gathered=layout == "tile"
        )
        close = {"rtol": ROUNDING[dtype], "atol": ROUNDING[dtype]}
        assert_allclose(coef, expected.w, **close)
        assert_allclose(state.intercept, expected.b, **close)
        assert state.t == expected.t
        assert_allclose(state.loss_sum, expected.loss_sum, rtol=10 * ROUNDING[dtype])
        if penalty in ("l2", None) or sparse:
            assert_allclose(state.penalty_sum, expected.penalty_sum, rtol=10 * ROUNDING[dtype])
        if averaged:
            assert_allclose(mean, expected.mean, **close)
            assert_allclose(state.average_intercept, expected.mean_b, **close)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("averaged", [0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_wide_indices(sgd, penalty, averaged, dtype):
    X, y, rng = problem(dtype=dtype, sparse=True)
    values = options_of(penalty, "invscaling", average_from=3.0 * averaged)
    settings = settings_of("huber", penalty, "invscaling", values)
    order = rng.permutation(len(y)).astype(np.intp)
    narrow, wide = sp.csr_matrix(X), sp.csr_matrix(X)
    wide.indices, wide.indptr = (part.astype(np.longlong) for part in (wide.indices, wide.indptr))
    rest = (order, y, np.empty(0), settings, values)
    for one, other in zip(run(sgd, narrow, *rest)[:2], run(sgd, wide, *rest)[:2], strict=True):
        if one is not None:
            assert_allclose(one, other, rtol=ROUNDING[dtype], atol=ROUNDING[dtype])


@pytest.mark.parametrize("penalty", PENALTIES[1:])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_decay_that_would_change_the_sign_leaves_zero(sgd, penalty, dtype, sparse):
    X, y, _ = problem(dtype=dtype, sparse=sparse)
    values = options_of(penalty, "constant", alpha=1e4, eta0=0.5)
    settings = settings_of("hinge", penalty, "constant", values)
    order, y = np.arange(len(y)), np.where(y > 0.0, 1.0, -1.0)
    given = sp.csr_matrix(X) if sparse else X
    coef, _, state = run(sgd, given, order, y, np.empty(0), settings, values)
    expected = Reference(X.shape[1], values, ("hinge", penalty, "constant"))
    for row in order:
        x = X[row].astype(np.float64)
        touched = x != 0.0 if sparse else np.full(len(x), True)
        expected.step(x, touched, y[row], 1.0, 0)
    assert_allclose(coef, expected.w, rtol=1e-6, atol=1e-7)
    assert state.scale == 1.0


@pytest.mark.parametrize("p", [1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 127, 128, 129, 200, 1001])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_width(sgd, p, dtype):
    X, y, _ = problem(40, p, dtype=dtype)
    values = options_of("l2", "constant", eta0=0.5 / p)
    settings = settings_of("squared_error", "l2", "constant", values)
    expected = Reference(p, values, ("squared_error", "l2", "constant"))
    for row in range(40):
        expected.step(X[row].astype(float), slice(None), y[row], 1.0, 0)
    strided = np.zeros((80, p + 3), dtype)
    strided[::2, 1 : p + 1] = X
    for given in (X, strided[::2, 1 : p + 1]):
        coef, _, state = run(sgd, given, np.arange(40), y, np.empty(0), settings, values)
        close = {"rtol": 10 * ROUNDING[dtype], "atol": ROUNDING[dtype]}
        assert_allclose(coef, expected.w, **close)
        assert_allclose(state.penalty_sum, expected.penalty_sum, rtol=1e-3)
        assert_allclose(state.loss_sum, expected.loss_sum, rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_small_scales_are_refolded(sgd, dtype):
    X, y, _ = problem(200, 5, dtype=dtype)
    values = options_of("l2", "constant", alpha=10.0, eta0=0.04)
    settings = settings_of("squared_error", "l2", "constant", values)
    expected = Reference(5, values, ("squared_error", "l2", "constant"))
    for row in range(200):
        expected.step(X[row].astype(float), slice(None), y[row], 1.0, 0)
    coef, _, _ = run(sgd, X, np.arange(200), y, np.empty(0), settings, values, slices=1)
    assert_allclose(coef, expected.w, rtol=ROUNDING[dtype], atol=ROUNDING[dtype])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("averaged", [0, 1])
def test_a_row_that_is_not_finite_stops_the_steps(sgd, bad, sparse, averaged):
    X, y, _ = problem()
    X[17, 4] = bad
    values = options_of("l2", "constant", average_from=averaged)
    settings = settings_of("squared_error", "l2", "constant", values)
    coef, arrays = np.zeros(X.shape[1]), {"average": np.zeros(X.shape[1])}
    last = coef, arrays, settings, state_of(values)
    rest = (np.arange(32), y, np.empty(0), *last)
    if sparse:
        S = sp.csr_matrix(X)
        done = sgd.step_csr(S.data, S.indices, S.indptr, *rest)
    else:
        done = sgd.step_dense(X, False, *rest)
    assert done == 17
    assert np.isfinite(sgd.finish(*last))


def test_finish_tells_of_weights_that_are_not_finite(sgd):
    values = options_of("l2", "constant")
    settings = settings_of("squared_error", "l2", "constant", values)
    for value, finite in ((1.0, True), (np.inf, False), (np.nan, False)):
        coef = np.array([0.0, value, 2.0])
        assert np.isfinite(sgd.finish(coef, {}, settings, state_of(values))) == finite


def test_no_rows(sgd):
    X, y, _ = problem()
    values = options_of("l2", "constant")
    settings = settings_of("squared_error", "l2", "constant", values)
    rest = (np.empty(0), np.zeros(11), {}, settings, state_of(values))
    assert sgd.step_dense(X, False, np.empty(0, dtype=np.intp), y, *rest) == 0


def pooled(n, size, pool, rows=None, seed=3):
    chosen = np.empty(0, dtype=np.intp) if rows is None else rows
    n = n if rows is None else len(rows)
    blocks = np.arange(-(-n // size))[::-1].copy()
    out = np.empty(len(blocks) * size, dtype=np.intp)
    state = np.array([seed], dtype=np.uint64)
    count = _kernels.sgd_order.pool_rows(blocks, size, pool, chosen, n, out, state)
    return out[:count]


@pytest.mark.parametrize("size", [1, 3, 64])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 1000])
def test_pools_hold_every_row_once(n, size):
    order = pooled(n, size, 4)
    assert_array_equal(np.sort(order), np.arange(n))
    chosen = np.arange(0, 3 * n, 3)
    assert_array_equal(np.sort(pooled(n, size, 4, chosen)), chosen)
    assert_array_equal(order, pooled(n, size, 4))
    if n == 1000 and size > 1:
        assert (order != pooled(n, size, 4, seed=4)).any()
        pool = order[: 3 * size]  # of the last blocks, one of which may be short
        assert pool.min() >= n - 4 * size


def test_permutations_are_uniform():
    """Each of 24 orders of four rows comes up as often as any other, within five deviations."""
    state = np.array([1], dtype=np.uint64)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(12000):
        order = np.arange(4, dtype=np.intp)
        _kernels.sgd_order.permute(order, state, 0, 2)
        _kernels.sgd_order.permute(order, state, 2, 4)
        counts[tuple(order.tolist())] = counts.get(tuple(order.tolist()), 0) + 1
    assert len(counts) == 24
    assert max(abs(count - 500) for count in counts.values()) < 5 * 500**0.5


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [1, 7, 8, 9, 30])
def test_gathered_rows(p, dtype):
    X = np.arange(50.0 * p).reshape(50, p).astype(dtype)
    rows = np.array([3, 49, 0, 3], dtype=np.intp)
    for given in (X, np.asfortranarray(X), X[::-1], np.repeat(X, 2, axis=1)[:, ::2]):
        tile = np.empty((4, p), dtype)
        _kernels.sgd_order.gather_rows(given, rows, tile)
        assert_array_equal(tile, given[rows])
