"""Sweeps over residuals, for every instruction set, against NumPy and the reference's minimum."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from reference import ElasticNetRows

from fastridge import _kernels

FIELDS = _kernels.coordinate_descent.FIELDS
Visit = _kernels.residual_sweeps.Visit


@pytest.fixture(params=_kernels.available)
def kernel(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.residual_sweeps")


class Problem:
    """Columns as both kernels take them, with the state and the residual at some coefficients."""

    def __init__(self, kernel, kind, bounds=None, l2=0.0, start=None, dtype=np.int32, n=30, p=40):
        rng = np.random.default_rng(n + p)
        X = (rng.standard_normal((n, p)) + 0.5) * (rng.random((n, p)) < 0.5)
        X[:, 3] = 0.0
        y = X[:, :5].sum(axis=1) + rng.standard_normal(n)
        weight = rng.uniform(0.5, 2.0, n)
        rows = ElasticNetRows(X, y, 1.0, 1.0, weight=weight, bounds=bounds)
        rows.l1 = 0.02 * rng.uniform(0.5, 2.0, p)
        rows.l2 = np.full(p, l2)
        self.rows, self.kernel, self.n_features = rows, kernel, p
        coef = np.zeros(p) if start is None else np.clip(start, rows.lower, rows.upper)
        self.fields = np.zeros((12, p + 2))
        self.fields[:8, :p] = [
            coef,
            np.full(p, 77.0),
            rows.X.T @ rows.y,
            rows.l1,
            rows.l2,
            rows.lower,
            rows.upper,
            rows.square,
        ]
        share = weight / weight.sum()
        if kind == "dense":
            self.arrays = (np.ascontiguousarray(rows.X.T),)
            self.residual, self.shift = rows.y - rows.X @ coef, None
        else:
            block = sp.csc_array(X * np.sqrt(share)[:, None])
            indices, indptr = block.indices.astype(dtype), block.indptr.astype(dtype)
            self.arrays = (block.data, indices, indptr, rows.x_mean)
            self.residual = rows.y - block @ coef
            self.shift = float(rows.x_mean @ coef)

    @property
    def coef(self):
        return self.field("coef")

    def field(self, name):
        return self.fields[FIELDS.index(name), : self.n_features]

    def sweep(self, begin, end, visit):
        state = (self.fields, self.residual)
        if self.shift is None:
            self.kernel.sweep_dense(*self.arrays, *state, begin, end, visit)
        else:
            shift = self.shift
            self.shift = self.kernel.sweep_sparse(*self.arrays, *state, shift, begin, end, visit)


def one_sweep(rows, coef, features):
    """The same updates in NumPy."""
    coef = coef.copy()
    for j in features:
        z = rows.X[:, j] @ (rows.y - rows.X @ coef) + rows.square[j] * coef[j]
        if rows.square[j] + rows.l2[j] > 0.0:
            new = np.sign(z) * max(abs(z) - rows.l1[j], 0.0) / (rows.square[j] + rows.l2[j])
            coef[j] = min(max(new, rows.lower[j]), rows.upper[j])
    return coef


KINDS = ["dense", "sparse"]
BOUNDS = [None, (0.0, np.inf), (-0.05, 0.1)]


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_one_sweep(kernel, kind, l2, bounds, dtype):
    start = np.random.default_rng(1).standard_normal(40) * (np.arange(40) % 3 == 0)
    problem = Problem(kernel, kind, bounds, l2, start, dtype)
    rows, before = problem.rows, problem.coef.copy()
    expected = one_sweep(rows, before, range(5, 38))
    problem.sweep(5, 38, Visit.ALL)
    assert_allclose(problem.coef, expected, rtol=0, atol=1e-12)
    assert_array_equal(problem.coef[[0, 1, 2, 3, 4, 38, 39]], before[[0, 1, 2, 3, 4, 38, 39]])
    if kind == "dense":
        assert_allclose(problem.residual, rows.y - rows.X @ expected, rtol=0, atol=1e-13)
    else:
        assert_allclose(problem.shift, rows.x_mean @ expected, rtol=1e-12)
    problem.sweep(0, 40, Visit.GRADIENTS)
    assert_allclose(problem.coef, expected, rtol=0, atol=1e-12)
    gradient = rows.X.T @ (rows.y - rows.X @ expected)
    assert_allclose(problem.field("gradient"), gradient, rtol=0, atol=1e-13)
    assert_array_equal(problem.fields[:, 40:], 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_over_the_support(kernel, kind):
    start = np.random.default_rng(1).standard_normal(40) * (np.arange(40) % 3 == 0)
    problem = Problem(kernel, kind, start=start)
    features = np.flatnonzero(problem.coef)
    expected = one_sweep(problem.rows, problem.coef, features)
    problem.sweep(0, 40, Visit.SUPPORT)
    assert_allclose(problem.coef, expected, rtol=0, atol=1e-12)
    assert set(np.flatnonzero(problem.coef)) <= set(features)
    assert_array_equal(problem.field("gradient")[start == 0.0], 77.0)


@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_many_sweeps_reach_the_minimum(kernel, kind, l2, bounds):
    problem = Problem(kernel, kind, bounds, l2)
    rows = problem.rows
    objectives = [rows.objective(problem.coef)]
    for _ in range(3000):
        problem.sweep(0, 20, Visit.ALL)
        problem.sweep(20, 40, Visit.ALL)
        objectives.append(rows.objective(problem.coef))
    assert np.all(np.diff(objectives) <= 1e-15)
    assert rows.violation(problem.coef) < 1e-9
    assert_allclose(objectives[-1], rows.objective(rows.solve()), rtol=1e-12)
    assert problem.coef[3] == 0.0
