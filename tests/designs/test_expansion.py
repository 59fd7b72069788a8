"""Losses of the rows of a design with their derivatives, against slow sums."""

import numpy as np
import pytest
import scipy.sparse as sp
from layouts import LAYOUTS
from numpy.testing import assert_allclose, assert_array_equal

from fastridge.designs import design_of, expansion, sparse_rows
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows, Multinomial
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows


def rows(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 3.0
    y = rng.choice([-1.0, 1.0], n)
    weight = rng.random(n)
    weight[::5] = 0.0
    return X, y, weight, rng.standard_normal(p) / p, rng.standard_normal(n)


def check(design, X, loss, y, weight, offset, coef, tight=1e-12):
    """Compare an expansion with sums over rows in NumPy."""
    n = len(X)
    X = X.astype(np.float64)
    v = np.ones(n) if weight is None else weight
    eta = (X - design.pilot) @ coef + 0.4 + (0.0 if offset is None else offset)
    derivative, curvature = v * loss.derivative(y, eta), v * loss.curvature(y, eta)
    for second in (False, True):
        found = design.expand(LossOfRows(loss, y, offset), coef, 0.4, second=second)
        assert_allclose(found.eta, eta, rtol=tight, atol=tight)
        assert_allclose(found.value, v @ loss.value(y, eta), rtol=tight)
        size = np.abs(derivative).sum()
        assert abs(found.total - derivative.sum()) <= tight * size
        gradient = derivative @ (X - design.pilot)
        assert_allclose(found.gradient, gradient, atol=tight * size * np.abs(X).max())
        assert (found.products is None) != second
    mean = curvature @ X / curvature.sum()
    Z = (X - mean) * np.sqrt(curvature)[:, None]
    products = found.products
    assert_allclose(products.sum_weights, curvature.sum(), rtol=tight)
    assert_allclose(products.x_mean, mean, rtol=tight)
    assert_allclose(np.triu(products.upper), np.triu(Z.T @ Z), atol=10 * tight * (Z**2).sum())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_expand_of_dense_rows_in_any_layout_gives_the_sums(layout, dtype, tmp_path):
    X, y, weight, coef, offset = rows(70, 6)
    X = X.astype(dtype)
    design = design_of(LAYOUTS[layout](X, tmp_path), weight)
    check(design, X, Logistic(), y, weight, offset, coef)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.float16, bool])
def test_expand_of_dense_rows_of_other_types_gives_the_sums(dtype):
    X, y, _, coef, _ = rows(70, 4)
    X = (X > 3.0).astype(dtype) if dtype is bool else np.clip(X, 0, 7).astype(dtype)
    check(design_of(X), X, Logistic(), y, None, None, coef)


@pytest.mark.parametrize("layout", [sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_expand_of_sparse_rows_gives_the_sums(layout, dtype):
    X, y, weight, coef, offset = rows(70, 6)
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.6, 0.0, X).astype(dtype)
    design = design_of(layout(X), weight)
    check(design, X, Poisson(), np.abs(y), weight, offset, coef)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_sums_over_sparse_rows_by_slices_and_threads_are_those_of_dense_rows(
    n_threads, monkeypatch
):
    monkeypatch.setattr(sparse_rows, "_THREADED_VALUES", 1)
    monkeypatch.setattr(sparse_rows, "_SLICE_VALUES", 10)
    X, y, weight, coef, offset = rows(70, 6)
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.6, 0.0, X)
    X[7:30] = 0.0  # many rows without a value
    design = design_of(sp.csr_array(X), weight, n_threads=n_threads)
    check(design, X, Poisson(), np.abs(y), weight, offset, coef)
    products, total = design.weighted_products(weight, coef, 0.3)
    Z = X - weight @ X / weight.sum()
    factors = weight * (Z @ coef + 0.3)
    assert_allclose(products, factors @ Z, rtol=1e-11)
    assert total == pytest.approx(factors.sum(), rel=1e-12)
    for other in (design_of(X, weight), design_of(sp.csc_array(X), weight)):
        assert_allclose(other.weighted_products(weight, coef, 0.3)[0], products, rtol=1e-11)


@pytest.mark.parametrize("p", [1, 2, 3, 24, 25, 26, 49, 60, 130])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_expand_of_many_blocks_and_threads_gives_the_sums(p, n_threads, monkeypatch):
    monkeypatch.setattr(expansion, "_BLOCK_VALUES", 1)
    monkeypatch.setattr(expansion, "_THREADED_VALUES", 1)
    X, y, weight, coef, offset = rows(2000, p)
    for given in (X, np.asfortranarray(X)):
        check(design_of(given, weight, True, n_threads), X, Logistic(), y, weight, offset, coef)


def test_expand_of_wide_rows_with_a_shared_gram_gives_the_sums(monkeypatch):
    from fastridge.statistics import accumulate

    monkeypatch.setattr(accumulate, "_OWN_GRAM_BYTES", 0)
    monkeypatch.setattr(accumulate, "_THREADED_FLOPS", 0.0)
    monkeypatch.setattr(expansion, "_THREADED_VALUES", 1)
    X, y, weight, coef, _ = rows(1500, 60)
    check(design_of(X, weight, True, 2), X, Logistic(), y, weight, None, coef)


def test_expand_with_one_number_of_threads_gives_the_same_bits():
    X, y, weight, coef, _ = rows(40_000, 12)
    design = design_of(X, weight, True, 2)
    for second in (False, True):
        first, again = (
            design.expand(LossOfRows(Logistic(), y), coef, 0.1, second=second) for _ in range(2)
        )
        assert first.value == again.value
        assert_array_equal(first.gradient, again.gradient)
        if first.products is not None:
            assert_array_equal(np.triu(first.products.upper), np.triu(again.products.upper))


@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array])
def test_expand_ignores_values_of_rows_of_weight_zero(layout):
    X, y, weight, coef, _ = rows(60, 5)
    spoilt = X.copy()
    spoilt[weight == 0.0] = 1e300
    for second in (False, True):
        first, last = (
            design_of(layout(A), weight).expand(LossOfRows(Logistic(), y), coef, 0.1, second=second)
            for A in (X, spoilt)
        )
        assert_allclose(last.value, first.value, rtol=1e-14)
        assert_allclose(last.gradient, first.gradient, rtol=1e-11, atol=1e-11)
        if second:
            upper = np.triu(first.products.upper)
            assert_allclose(np.triu(last.products.upper), upper, rtol=1e-11, atol=1e-10)


def test_expand_of_columns_far_from_zero_keeps_the_digits():
    X, y, _, coef, _ = rows(200, 4)
    near, far = design_of(X), design_of(X + np.array([0.0, 2.0**20, -(2.0**30), 2.0**24]))
    first, last = (d.expand(LossOfRows(Logistic(), y), coef, 0.2, second=True) for d in (near, far))
    assert_allclose(last.gradient, first.gradient, rtol=1e-6, atol=1e-6)
    assert_allclose(np.triu(last.products.upper), np.triu(first.products.upper), atol=1e-5)


@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_expand_classes_gives_the_sums(layout, dtype, n_threads, monkeypatch):
    monkeypatch.setattr(expansion, "_THREADED_VALUES", 1)
    X, _, weight, _, _ = rows(700, 5)
    X = X.astype(dtype)
    rng = np.random.default_rng(1)
    y, coef, intercept = rng.integers(0, 4, 700), rng.standard_normal((4, 5)), np.arange(4.0)
    offset = rng.standard_normal((700, 4))
    design = design_of(layout(X), weight, True, n_threads)
    found = design.expand_classes(ClassesOfRows(y, 4, offset), coef, intercept)
    about = X.astype(np.float64) - design.pilot
    eta = about @ coef.T + intercept + offset
    derivative = weight[:, None] * Multinomial.derivative(y, eta)
    assert_allclose(found.eta.T, eta, rtol=1e-12, atol=1e-12)
    assert_allclose(found.value, weight @ Multinomial.value(y, eta), rtol=1e-12)
    assert_allclose(found.totals, derivative.sum(axis=0), rtol=1e-10, atol=1e-10)
    assert_allclose(found.gradient, derivative.T @ about, rtol=1e-10, atol=1e-10)
