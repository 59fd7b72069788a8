import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge._kernels import jacobi


def singular_values(A):
    n = len(A)
    values, right = np.empty(n), np.empty((n, n), order="F")
    work, iwork = np.empty(2 * n * n + 8 * n + 8), np.empty(4 * n, dtype=np.intc)
    info = jacobi.singular_values(np.array(A, order="F"), values, right, work, iwork)
    assert info == 0
    return values, right


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_singular_values_of_plain_columns_equals_numpy(n):
    A = np.random.default_rng(n).standard_normal((n, n))
    values, right = singular_values(A)
    assert_allclose(values, np.linalg.svd(A, compute_uv=False), rtol=1e-12)
    assert_allclose(right.T @ right, np.eye(n), atol=1e-13)
    assert_allclose(np.linalg.norm(A @ right, axis=0), values, rtol=1e-12)


@pytest.mark.parametrize("power", [30, 100, 400])
def test_singular_values_of_columns_of_any_length_keep_their_digits(power):
    # orthogonal columns: their lengths are the singular values
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    lengths = np.exp2(np.linspace(power, -power, 6).round())
    values, _ = singular_values(Q * lengths)
    assert_allclose(values, lengths, rtol=1e-14)
    values, _ = singular_values((Q * lengths)[:, ::-1])
    assert_allclose(values, lengths, rtol=1e-14)
