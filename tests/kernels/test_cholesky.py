"""The Cholesky kernel against NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge._kernels import available, cholesky, cpu


def factor(upper, penalty):
    p = len(penalty)
    factored = np.empty((p + 5, p))
    return cholesky.factor_penalised(upper, penalty, factored), factored


@pytest.mark.parametrize("p", [1, 2, 7, 40])
@pytest.mark.parametrize("t", [1, 3])
def test_solves_the_penalised_system(p, t):
    rng = np.random.default_rng(p)
    units = 10.0 ** rng.integers(-6, 7, p)
    X = rng.standard_normal((p + 20, p)) * units
    G, penalty = X.T @ X, rng.random(p) * units**2
    garbage_below = np.triu(G) + np.tril(rng.standard_normal((p, p)), -1)
    rcond, factored = factor(garbage_below, penalty)
    A = G + np.diag(penalty)
    D = np.diag(1.0 / np.sqrt(np.diagonal(A)))
    exact = 1.0 / np.linalg.cond(D @ A @ D, 1)
    assert exact * 0.99 <= rcond <= exact * 10.0
    right = rng.standard_normal((t, p)) * units
    coef = right.copy()
    assert cholesky.solve_factored(factored, coef) == 0
    assert_allclose(coef * units, np.linalg.solve(A, right.T).T * units, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("diagonal", [[1.0, 0.0], [1.0, -1.0], [1.0, np.nan]])
def test_factor_indefinite_matrix_has_no_condition(diagonal):
    assert factor(np.diag(diagonal), np.zeros(2))[0] <= 0.0
    assert factor(np.array([[1.0, 2.0], [2.0, 1.0]]), np.zeros(2))[0] <= 0.0


def test_simd_level_counts_what_is_available():
    assert cpu.simd_level() + 1 >= len(available) >= 1
