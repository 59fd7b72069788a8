"""Blocks of kernel matrices, for every instruction set, kernel and layout, against NumPy."""

import importlib

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import _kernels

GAMMA, COEF0, DEGREE = 0.3, 0.7, 3.0


@pytest.fixture(params=_kernels.available)
def simd(request):
    package = f"fastridge._kernels.{request.param}"
    return [importlib.import_module(f"{package}.{name}") for name in ("kernel_matrix", "gram")]


def reference(name, A, B):
    """k(a, b) for all pairs."""
    if name in ("linear", "polynomial", "sigmoid"):
        products = A @ B.T
        if name == "linear":
            return products
        inner = GAMMA * products + COEF0
        return inner**DEGREE if name == "polynomial" else np.tanh(inner)
    differences = A[:, None] - B[None]
    if name == "rbf":
        return np.exp(-GAMMA * (differences**2).sum(axis=2))
    if name == "laplacian":
        return np.exp(-GAMMA * np.abs(differences).sum(axis=2))
    distances = (differences**2 / (A[:, None] + B[None])).sum(axis=2)
    return np.exp(-GAMMA * distances) if name == "chi2" else -distances


def packed(simd, X, scale=None):
    kernel_matrix, gram = simd
    n, p = X.shape
    padded = gram.padded_columns(n)
    factors = np.zeros(padded if scale is not None else 0)
    if scale is not None:
        factors[:n] = scale
    rows = kernel_matrix.PackedRows(n, np.zeros((padded, p)), np.zeros(padded), factors)
    rows.pack(X, np.zeros(p), 0, n)
    return rows


@pytest.mark.parametrize("name", _kernels.kernel_matrix.NAMES)
@pytest.mark.parametrize(("n", "m", "p"), [(1, 1, 1), (44, 61, 3), (28, 5, 17)])
def test_kernel_matrix_block_and_products_as_numpy(simd, name, n, m, p):
    kernel_matrix, gram = simd
    rng = np.random.default_rng(n + p)
    A, B = rng.uniform(0.1, 1.0, (n, p)), np.asfortranarray(rng.uniform(0.1, 1.0, (m, p)))
    kernel = kernel_matrix.KernelFunction(
        kernel_matrix.NAMES.index(name), GAMMA, COEF0, DEGREE, int(DEGREE), False
    )
    left, right = packed(simd, A), packed(simd, B.astype(np.float32))
    expected = reference(name, A, B.astype(np.float32).astype(float))
    out = np.full((n + gram.panel_width(), gram.padded_columns(m)), np.nan)
    kernel_matrix.block(kernel, left, right, out, 0, n)
    assert_allclose(out[:n, :m], expected, rtol=2e-14, atol=1e-14)
    work, vectors = np.empty_like(out[: gram.panel_width()]), rng.standard_normal((2, m))
    products = np.empty((2, n))
    kernel_matrix.multiply(kernel, left, right, vectors, work, products, 0, n)
    assert_allclose(products, vectors @ expected.T, rtol=1e-12, atol=1e-12)
    twice, targets = np.zeros((2, m)), rng.standard_normal((2, n))
    weight = rng.uniform(size=n)
    kernel_matrix.multiply_twice(kernel, left, right, vectors, targets, weight, work, twice, 0, n)
    assert_allclose(twice, (targets - products) * weight @ expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["rbf", "laplacian", "polynomial"])
def test_kernel_matrix_upper_triangle_with_factors_and_parts_of_features(simd, name):
    kernel_matrix, gram = simd
    rng = np.random.default_rng(0)
    n, p, panel = 61, 7, gram.panel_width()
    X, scale = rng.standard_normal((n, p)), rng.uniform(0.5, 2.0, n)
    kernel = kernel_matrix.KernelFunction(
        kernel_matrix.NAMES.index(name), GAMMA, COEF0, DEGREE, int(DEGREE), False
    )
    expected = -np.outer(scale, scale) * reference(name, X, X) + np.diag(scale)
    padded = gram.padded_columns(n)
    upper, sums = np.empty((n + panel, padded)), np.zeros(n)
    squares, factors = np.zeros(padded), np.zeros((2, padded))
    factors[:, :n] = -scale, scale
    for begin, end in ((0, 4), (4, p)):
        tile = np.zeros((padded, end - begin))
        sides = [kernel_matrix.PackedRows(n, tile, squares, side) for side in factors]
        sides[0].pack(X[:, begin:end], np.zeros(end - begin), 0, n)
        for row in range(0, n, panel):
            stop = min(row + panel, n)
            kernel_matrix.fill_upper(
                kernel, *sides, begin == 0, end == p, scale, upper, sums, row, stop
            )
    assert_allclose(np.triu(upper[:n, :n]), np.triu(expected), rtol=1e-13, atol=1e-13)
    assert_allclose(sums, np.abs(expected).sum(axis=1), rtol=1e-13)
    products, vectors = np.zeros((2, n)), rng.standard_normal((2, n))
    work = np.empty((panel, padded))
    kernel_matrix.multiply_symmetric(kernel, packed(simd, X), vectors, work, products, 0, n)
    assert_allclose(products, vectors @ reference(name, X, X), rtol=1e-11, atol=1e-11)


def test_kernel_matrix_of_near_rows_far_from_zero_has_its_digits(simd):
    kernel_matrix, gram = simd
    rng = np.random.default_rng(0)
    X = np.repeat(rng.standard_normal((10, 3)) * 1e9, 4, axis=0)
    X += rng.integers(0, 3, X.shape) / 2
    kernel = kernel_matrix.KernelFunction(
        kernel_matrix.NAMES.index("rbf"), GAMMA, COEF0, DEGREE, 3, False
    )
    out = np.empty((40 + gram.panel_width(), 40))
    kernel_matrix.block(kernel, packed(simd, X), packed(simd, X), out, 0, 40)
    assert_allclose(out[:40], reference("rbf", X, X), rtol=1e-14, atol=1e-300)
