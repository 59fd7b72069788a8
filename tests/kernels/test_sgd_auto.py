"""SGD with per-feature learning rates against plain NumPy, for every instruction set."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from sgd_losses import loss_and_derivative

from fastridge import _kernels
from fastridge._kernels.sgd_state import Settings, State

LOSSES = _kernels.losses.names()[:-1]
CURVATURE = {"log_loss": 0.25, "squared_hinge": 2.0, "modified_huber": 2.0}
CURVATURE |= {"squared_epsilon_insensitive": 2.0}


@pytest.fixture(params=_kernels.available)
def auto(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.sgd_auto")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("margin", [-9.0, -2.0, -0.99, 0.0, 0.3, 0.95, 1.5, 20.0])
def test_the_margin_moves_as_infinitely_short_steps_move_it(loss, margin):
    for y in (-1.0, 1.0):
        for time in (1e-9, 1e-3, 0.4, 3.0, 50.0):
            moved = _kernels.losses.displacement(LOSSES.index(loss), 0.2, y, margin, time)
            with np.errstate(over="ignore"):
                way = solve_ivp(
                    lambda _, p, y=y: -np.array([loss_and_derivative(loss, y, p[0], 0.2)[1]]),
                    (0.0, time),
                    [margin],
                    rtol=1e-9,
                    atol=1e-12,
                    max_step=max(time / 50.0, 0.02),
                )
            assert_allclose(margin + moved, way.y[0, -1], rtol=1e-4, atol=0.03)
            before = loss_and_derivative(loss, y, margin, 0.2)[0]
            assert loss_and_derivative(loss, y, margin + moved, 0.2)[0] <= before + 1e-12


def test_long_times_end_at_the_minimum():
    for loss in LOSSES:
        for margin in (-1e6, -3.0, 0.5, 1e6):
            moved = _kernels.losses.displacement(LOSSES.index(loss), 0.2, 1.0, margin, 1e12)
            assert np.isfinite(moved)
            least = 1e-9 if loss == "log_loss" else 1e-6
            with np.errstate(over="ignore"):
                assert loss_and_derivative(loss, 1.0, margin + moved, 0.2)[0] <= least


def reference(X, y, weight, loss, alpha, l1_ratio, move, centred):
    """Steps on the rows as they stand; 32 of them from one renewal of the rates to the next."""
    n, p = X.shape
    w, b, mean, mean_b = np.zeros(p), 0.0, np.zeros(p), 0.0
    l1, l2, curvature = alpha * l1_ratio, alpha * (1.0 - l1_ratio), CURVATURE.get(loss, 1.0)
    for block, begin in enumerate(range(0, n, 32), 1):
        rows = range(begin, min(begin + 32, n))
        seen_rows = X[: rows[-1] + 1]
        average, deviation = seen_rows.mean(axis=0), seen_rows.std(axis=0)
        away = centred & (np.abs(average) > deviation) & (deviation > 0.0)
        centre = np.where(away, average, 0.0)
        square = ((seen_rows - centre) ** 2).sum(axis=0)
        count = np.where(away, float(len(seen_rows)), (seen_rows != 0.0).sum(axis=0))
        seen = np.maximum(count, 1.0)
        steepness = np.where(count > 0, curvature * square / seen + l2, np.inf)
        rate = 2.0 / (steepness * seen**0.75)
        for row in rows:
            rate_b = 2.0 / (curvature * (row + 1.0) ** 0.75)
            step = rate * (X[row] - centre)
            norm = step @ (X[row] - centre) + rate_b
            moved = move(LOSSES.index(loss), 0.2, y[row], X[row] @ w + b, weight[row] * norm)
            w += moved / norm * step
            b += moved / norm * (rate_b - step @ centre)
        b += w @ centre
        w *= np.exp(-l2 * rate * len(rows))
        w = np.sign(w) * np.maximum(0.0, np.abs(w) - l1 * rate * len(rows))
        b -= w @ centre
        mean += (w - mean) / block
        mean_b += (b - mean_b) / block
    return w, b, mean, mean_b


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("layout", ["rows", "tile", "sparse"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_steps(auto, loss, l1_ratio, layout, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((75, 9)) * 10.0 ** rng.integers(-3, 4, 9)
    if layout == "sparse":
        X[rng.random(X.shape) < 0.3] = 0.0
        X[:, 0] = 0.0
    else:
        X[:, 4:6] *= [1.0, -0.01]
        X[:, 4:6] += [7.0 * X[:, 4].std(), 3.0 * X[:, 5].std()]
    X = X.astype(dtype)
    y = np.where(X[:, 1] > 0.0, 1.0, -1.0)
    weight = rng.uniform(0.3, 2.0, 75)
    expected = reference(
        X.astype(float),
        y,
        weight,
        loss,
        0.01,
        l1_ratio,
        _kernels.losses.displacement,
        layout != "sparse",
    )
    coef, settings, state = np.zeros(9, dtype), Settings(), State()
    arrays = {name: np.zeros(9) for name in auto.array_names(settings)}
    settings.loss, settings.epsilon = LOSSES.index(loss), 0.2
    settings.l1, settings.l2 = 0.01 * l1_ratio, 0.01 * (1.0 - l1_ratio)
    settings.intercept_factor = 1.0
    rest = (np.arange(75), y, weight, coef, arrays, settings, state)
    if layout == "sparse":
        S = sp.csr_matrix(X)
        assert auto.step_csr(S.data, S.indices, S.indptr, *rest) == 75
    else:
        assert auto.step_dense(X, layout == "tile", *rest) == 75
    scale = np.abs(X).max(axis=0).astype(float) + 1e-30
    bound = 1e-10 if dtype == np.float64 else 1e-4
    assert_allclose(coef * scale, expected[0] * scale, rtol=bound, atol=bound)
    assert_allclose(arrays["average"] * scale, expected[2] * scale, rtol=bound, atol=bound)
    assert_allclose(state.intercept, expected[1], rtol=bound, atol=bound)
    assert_allclose(state.average_intercept, expected[3], rtol=bound, atol=bound)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_row_that_is_not_finite_stops_the_steps(auto, sparse):
    X = np.ones((50, 3))
    X[41, 1] = np.nan
    settings = Settings()
    settings.loss, settings.intercept_factor = LOSSES.index("squared_error"), 1.0
    arrays = {name: np.zeros(3) for name in auto.array_names(settings)}
    rest = (np.arange(50), np.ones(50), np.empty(0), np.zeros(3), arrays, settings, State())
    S = sp.csr_matrix(X)
    if sparse:
        done = auto.step_csr(S.data, S.indices, S.indptr, *rest)
    else:
        done = auto.step_dense(X, False, *rest)
    assert 32 <= done <= 41
