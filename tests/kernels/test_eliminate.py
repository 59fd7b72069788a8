"""The blocked Cholesky factor, for every instruction set, against NumPy."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import _kernels
from fastridge.solvers.direct import blocked_cholesky as _eliminate

ORDERS = [1, 5, 95, 96, 97, 121, 192, 200, 311]


@pytest.fixture(params=_kernels.available)
def kernels(request, monkeypatch):
    """Both kernel modules of one instruction set, in place of those picked at import."""
    name = f"fastridge._kernels.{request.param}"
    eliminate = importlib.import_module(f"{name}.eliminate")
    monkeypatch.setattr(_eliminate, "_kernel", eliminate)
    monkeypatch.setattr(_eliminate, "_gram", importlib.import_module(f"{name}.gram"))
    return eliminate


def system(p):
    """A Gram in wild units, its upper triangle with garbage below, and a penalty."""
    rng = np.random.default_rng(p)
    units = 10.0 ** rng.integers(-6, 7, p)
    X = rng.standard_normal((p + 20, p)) * units
    G, penalty = X.T @ X, rng.random(p) * units**2
    return G, np.triu(G) + np.tril(rng.standard_normal((p, p)), -1), penalty, units


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_factor_and_condition(kernels, monkeypatch, p, n_threads):
    monkeypatch.setattr(_eliminate, "_THREADED_FLOPS", 0.0)
    monkeypatch.setattr(_eliminate, "SLICE_FLOPS", 1e5)
    G, upper, penalty, _ = system(p)
    scale = np.empty(p)
    U, rcond = _eliminate.factor_scaled(upper, penalty, scale, n_threads)
    A = G + np.diag(penalty)
    scaled = A * scale * scale[:, None]
    assert_allclose(np.diagonal(scaled), 1.0, rtol=1e-14)
    assert_allclose(np.triu(U[:p, :p]), np.linalg.cholesky(scaled).T, rtol=0, atol=1e-11)
    exact = 1.0 / np.linalg.cond(scaled, 1)
    assert exact * 0.99 <= rcond <= exact * 10.0


@pytest.mark.parametrize("p", [1, 97, 200])
@pytest.mark.parametrize("t", [1, 3, 8, 9, 30])
def test_solve(kernels, p, t):
    G, upper, penalty, units = system(p)
    scale = np.empty(p)
    U, _ = _eliminate.factor_scaled(upper, penalty, scale, 2)
    right = np.random.default_rng(1).standard_normal((t, p)) * units
    coef = right.copy()
    kernels.solve_eliminated(U, scale, coef)
    exact = np.linalg.solve(G + np.diag(penalty), right.T).T
    assert_allclose(coef * units, exact * units, rtol=1e-8, atol=1e-12)


def test_strided_upper_triangle(kernels):
    _, upper, penalty, _ = system(130)
    wide = np.zeros((150, 140))
    wide[:130, :130] = upper
    scale = np.empty(130)
    expected, _ = _eliminate.factor_scaled(upper, penalty, scale, 1)
    for given in (wide[:130, :130], np.asfortranarray(upper), np.repeat(upper, 2, axis=1)[:, ::2]):
        found, _ = _eliminate.factor_scaled(given, penalty, scale, 1)
        assert_array_equal(np.triu(found[:130, :130]), np.triu(expected[:130, :130]))


@pytest.mark.parametrize("at", [0, 50, 96, 140, 199])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_factor_scaled_indefinite_matrix_has_no_condition(kernels, at, value):
    G = np.eye(200)
    G[at, at] = value
    assert _eliminate.factor_scaled(G, np.zeros(200), np.empty(200), 2)[1] <= 0.0
    G[at, at] = 1.0
    other = at - 1 if at else 1
    G[other, at] = G[at, other] = 2.0
    assert _eliminate.factor_scaled(G, np.zeros(200), np.empty(200), 2)[1] <= 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_factor_scaled_nonfinite_matrix_has_no_condition(kernels, value):
    G = np.eye(200)
    G[20, 150] = G[150, 20] = value
    rcond = _eliminate.factor_scaled(G, np.zeros(200), np.empty(200), 1)[1]
    assert not rcond > 0.0
