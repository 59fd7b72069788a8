"""Slow references that the tests compare with: exact rational arithmetic, and plain NumPy.

The ridge objective is ``sum_i s_i (y_i - x_i'w - b)^2 + sum_j d_j w_j^2``; the intercept b is free.
"""

from fractions import Fraction

import numpy as np
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal


def dense(X):
    """X as a float64 array, whatever it was."""
    if scipy.sparse.issparse(X):
        X = X.toarray()
    return np.asarray(X, dtype=np.float64)


def scaled_integers(a):
    """Python integers m and an exponent e with ``a == m * 2**-e`` exactly."""
    a = np.asarray(a, dtype=np.float64)
    if a.size == 0:
        return np.zeros(a.shape, dtype=object), 0
    ratios = [float(v).as_integer_ratio() for v in a.ravel()]
    exponent = max(denominator.bit_length() - 1 for _, denominator in ratios)
    integers = np.empty(len(ratios), dtype=object)
    for k, (numerator, denominator) in enumerate(ratios):
        integers[k] = numerator << (exponent - denominator.bit_length() + 1)
    return integers.reshape(a.shape), exponent


def exact_centred_product(A, B, sample_weight=None, centre=True):
    """``(A - mean)' S (B - mean)`` as Fractions, with no rounding at all."""
    a, ea = scaled_integers(A)
    b, eb = scaled_integers(B)
    weight = np.ones(len(a)) if sample_weight is None else sample_weight
    s, es = scaled_integers(weight)
    sa = s[:, None] * a
    scale = 1 << (ea + eb + es)
    product = sa.T.dot(b)
    if not centre:
        return np.vectorize(lambda v: Fraction(int(v), scale), otypes=[object])(product)
    total = int(s.sum())
    sum_a, sum_b = sa.sum(axis=0), (s[:, None] * b).sum(axis=0)
    centred = product * total - np.multiply.outer(sum_a, sum_b)
    return np.vectorize(lambda v: Fraction(int(v), scale * total), otypes=[object])(centred)


def exact_mean(A, sample_weight=None):
    """Weighted column means as Fractions."""
    a, ea = scaled_integers(A)
    weight = np.ones(len(a)) if sample_weight is None else sample_weight
    s, _ = scaled_integers(weight)
    total = int(s.sum())
    return np.array([Fraction(int(v), total << ea) for v in s.dot(a)], dtype=object)


def exact_solve(A, B):
    """Solve ``A Z = B`` by Gauss elimination over Fractions; A must be regular."""
    A, B = A.copy(), B.copy()
    p = len(A)
    for k in range(p):
        pivot = next(i for i in range(k, p) if A[i, k] != 0)
        A[[k, pivot]], B[[k, pivot]] = A[[pivot, k]], B[[pivot, k]]
        for i in range(p):
            if i != k and A[i, k] != 0:
                factor = A[i, k] / A[k, k]
                A[i, k:] = A[i, k:] - factor * A[k, k:]
                B[i] = B[i] - factor * B[k]
    return B / np.diag(A)[:, None]


def exact_ridge(X, y, alpha=0.0, sample_weight=None, fit_intercept=True):
    """Coefficients (p,) and intercept of one target, rounded once, at the end, to float64."""
    X, y = dense(X), np.asarray(y, dtype=np.float64)[:, None]
    A = exact_centred_product(X, X, sample_weight, fit_intercept)
    b = exact_centred_product(X, y, sample_weight, fit_intercept)
    for j in range(len(A)):
        A[j, j] += Fraction(alpha)
    coef = exact_solve(A, b)[:, 0]
    intercept = Fraction(0)
    if fit_intercept:
        intercept = exact_mean(y, sample_weight)[0] - coef.dot(exact_mean(X, sample_weight))
    return coef.astype(np.float64), float(intercept)


def ridge_by_lstsq(X, y, alpha=0.0, sample_weight=None, fit_intercept=True, penalty_factors=None):
    """Coefficients (t, p) and intercepts (t,) by least squares on ``[S^(1/2) X; D^(1/2)]``.

    Orthogonal factorisation of the penalised rows: no Gram matrix, no code shared with the package.
    alpha is a number or one for each target; with a singular problem the answer has minimum norm.
    """
    X = dense(X)
    Y = np.asarray(y, dtype=np.float64)
    Y = Y[:, None] if Y.ndim == 1 else Y
    n, p = X.shape
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    factors = (
        np.ones(p) if penalty_factors is None else np.asarray(penalty_factors, dtype=np.float64)
    )
    x_mean, y_mean = np.zeros(p), np.zeros(Y.shape[1])
    if fit_intercept:
        x_mean, y_mean = weight @ X / weight.sum(), weight @ Y / weight.sum()
    root = np.sqrt(weight)[:, None]
    Xc, Yc = root * (X - x_mean), root * (Y - y_mean)
    alphas = np.broadcast_to(np.asarray(alpha, dtype=np.float64), (Y.shape[1],))
    coef = np.empty((Y.shape[1], p))
    for t, a in enumerate(alphas):
        rows = np.vstack([Xc, np.diag(np.sqrt(a * factors))])
        coef[t] = np.linalg.lstsq(rows, np.append(Yc[:, t], np.zeros(p)), rcond=None)[0]
    return coef, y_mean - coef @ x_mean


def ridge_gradient(model, X, y, alpha=0.0, sample_weight=None, penalty_factors=None):
    """Half the gradient of the objective at a fitted model: (t, p), and (t,) for the intercept."""
    X = dense(X)
    Y = np.asarray(y, dtype=np.float64)
    Y = Y[:, None] if Y.ndim == 1 else Y
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    factors = 1.0 if penalty_factors is None else np.asarray(penalty_factors, dtype=np.float64)
    residual = X @ coef.T + model.intercept_ - Y
    if sample_weight is not None:
        residual = residual * np.asarray(sample_weight, dtype=np.float64)[:, None]
    alphas = np.broadcast_to(np.asarray(alpha, dtype=np.float64), (len(coef),))
    return (X.T @ residual).T + alphas[:, None] * factors * coef, residual.sum(axis=0)


def relative_error(actual, expected):
    """Largest difference over the largest expected value."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    if expected.size == 0:
        return 0.0
    return float(np.max(np.abs(actual - expected)) / max(np.max(np.abs(expected)), 1e-300))


STATISTICS = ["n_samples", "sum_weights", "x_mean", "y_mean", "xx", "xy", "yy"]


def assert_exact(stats, X, Y, weight=None, rtol=1e-13):
    """Every field against exact arithmetic; products relative to their diagonals."""
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    Y = Y[:, None] if Y.ndim == 1 else Y
    assert stats.n_samples == len(X)
    assert stats.n_features == X.shape[1]
    assert stats.n_targets == Y.shape[1]
    assert_allclose(stats.sum_weights, len(X) if weight is None else np.sum(weight), rtol=1e-14)
    spread = 1e-14 * max(1.0, X.std(), Y.std())
    assert_allclose(stats.x_mean, exact_mean(X, weight).astype(float), rtol=1e-14, atol=spread)
    assert_allclose(stats.y_mean, exact_mean(Y, weight).astype(float), rtol=1e-14, atol=spread)
    xx, xy = exact_centred_product(X, X, weight), exact_centred_product(X, Y, weight)
    yy = np.diag(exact_centred_product(Y, Y, weight)).astype(float)
    sx, sy = np.sqrt(np.diag(xx).astype(float)), np.sqrt(yy)
    assert stats.xx.shape == xx.shape
    assert stats.xy.shape == xy.shape
    assert stats.yy.shape == yy.shape
    assert np.all(np.abs(stats.xx - xx.astype(float)) <= rtol * np.outer(sx, sx) + 1e-300)
    assert np.all(np.abs(stats.xy - xy.astype(float)) <= rtol * np.outer(sx, sy) + 1e-300)
    assert np.all(np.abs(stats.yy - yy) <= rtol * yy + 1e-300)
    assert_array_equal(stats.xx, stats.xx.T)


def assert_same(a, b, rtol=1e-13):
    """Equal to rounding: products relative to their diagonals."""
    assert a.n_samples == b.n_samples
    assert_allclose(a.sum_weights, b.sum_weights, rtol=1e-13)
    sx, sy = np.sqrt(np.diag(b.xx)), np.sqrt(b.yy)
    assert_allclose(a.x_mean, b.x_mean, rtol=rtol, atol=rtol)
    assert_allclose(a.y_mean, b.y_mean, rtol=rtol, atol=rtol)
    assert np.all(np.abs(a.xx - b.xx) <= rtol * np.outer(sx, sx))
    assert np.all(np.abs(a.xy - b.xy) <= rtol * np.outer(sx, sy))
    assert np.all(np.abs(a.yy - b.yy) <= rtol * b.yy)


def assert_identical(a, b):
    for field in STATISTICS:
        assert_array_equal(getattr(a, field), getattr(b, field))
        assert np.asarray(getattr(a, field)).dtype == np.asarray(getattr(b, field)).dtype
    assert a.feature_names == b.feature_names
    assert a.target_names == b.target_names
    assert a.y_ndim == b.y_ndim
