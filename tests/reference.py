"""Slow references that the tests compare with: exact rational arithmetic, and plain NumPy.

The ridge objective is ``sum_i s_i (y_i - x_i'w - b)^2 + sum_j d_j w_j^2``; the intercept b is free.
"""

import math
from fractions import Fraction

import numpy as np
import scipy.linalg
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
    atol = 1e-14 * max(1.0, X.std(), Y.std())
    assert_allclose(stats.x_mean, exact_mean(X, weight).astype(float), rtol=1e-14, atol=atol)
    assert_allclose(stats.y_mean, exact_mean(Y, weight).astype(float), rtol=1e-14, atol=atol)
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


# --- the elastic net ------------------------------------------------------------------------------
#
# sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i) + sum_j l1_j |w_j| + l2_j w_j^2 / 2 in bounds


class ElasticNetRows:
    """Centred and weighted rows, penalties and bounds of an elastic net, by their definitions."""

    def __init__(
        self,
        X,
        y,
        alpha,
        l1_ratio,
        weight=None,
        factors=None,
        bounds=None,
        standardize=False,
        offset=None,
        fit_intercept=True,
    ):
        X, y = dense(X), np.asarray(y, dtype=np.float64)
        y = y if offset is None else y - np.asarray(offset, dtype=np.float64)
        n, p = X.shape
        share = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
        share = share / share.sum()
        mean = share @ X
        variance = share @ (X - mean) ** 2
        deviation = np.sqrt(variance)
        constant = deviation <= 1e-14 * np.abs(mean)
        deviation[constant] = 1.0 if fit_intercept else np.abs(mean[constant])
        deviation[deviation == 0.0] = 1.0
        scale = deviation if standardize else np.ones(p)
        factors = np.ones(p) if factors is None else np.asarray(factors, dtype=np.float64)
        self.l1 = alpha * l1_ratio * factors * scale
        self.l2 = alpha * (1.0 - l1_ratio) * factors * scale**2
        lower, upper = (-np.inf, np.inf) if bounds is None else bounds
        self.lower, self.upper = np.full(p, lower, float), np.full(p, upper, float)
        self.x_mean = mean if fit_intercept else np.zeros(p)
        self.y_mean = share @ y if fit_intercept else 0.0
        root = np.sqrt(share)
        self.X = root[:, None] * (X - self.x_mean)
        self.X[:, np.linalg.norm(self.X, axis=0) <= 1e-14 * np.abs(self.x_mean)] = 0.0
        self.y = root * (y - self.y_mean)
        self.square = (self.X**2).sum(axis=0)

    def objective(self, coef):
        """The objective, infinite outside the bounds."""
        if np.any(coef < self.lower) or np.any(coef > self.upper):
            return np.inf
        residual = self.y - self.X @ coef
        penalty = self.l1 @ np.abs(coef) + 0.5 * self.l2 @ coef**2
        return float(0.5 * residual @ residual + penalty)

    def downhill(self, coef):
        """Compute how fast the objective falls along each coordinate; 0 at a minimum."""
        correlation = self.X.T @ (self.y - self.X @ coef) - self.l2 * coef
        up = correlation - np.where(coef >= 0.0, self.l1, -self.l1)
        down = -correlation - np.where(coef <= 0.0, self.l1, -self.l1)
        up[coef >= self.upper] = 0.0
        down[coef <= self.lower] = 0.0
        return np.maximum(0.0, np.maximum(up, down))

    def violation(self, coef):
        """The steepest fall relative to ``|x_j| |y|``, or how far a bound is overstepped."""
        unit = np.sqrt(self.square) * np.linalg.norm(self.y)
        fall = self.downhill(coef)
        steepest = np.max(np.divide(fall, unit, out=fall.copy(), where=unit > 0.0), initial=0.0)
        outside = np.maximum(self.lower - coef, coef - self.upper)
        return float(max(steepest, np.max(outside, initial=0.0)))

    def conjugates(self, z):
        """Compute sup_w z w - l1 |w| - l2 w^2 / 2 within the bounds, one per feature."""
        excess = np.maximum(np.abs(z) - self.l1, 0.0)
        end = np.where(z > 0.0, self.upper, -self.lower)
        best = np.divide(excess, self.l2, out=np.full(len(z), np.inf), where=self.l2 > 0.0)
        end = np.where(excess > 0.0, np.minimum(end, best), 0.0)
        return excess * end - 0.5 * self.l2 * np.where(self.l2 > 0.0, end, 0.0) ** 2

    def dual(self, coef):
        """The best dual value on the ray of the residual off the columns that are free."""
        free = (self.l1 == 0.0) & (self.l2 == 0.0) & (self.square > 0.0)
        free &= np.isinf(self.lower) | np.isinf(self.upper)
        free &= (coef > self.lower) & (coef < self.upper)
        theta = self.y - self.X @ coef
        if free.any():
            Q, R, _ = scipy.linalg.qr(self.X[:, free], mode="economic", pivoting=True)
            pivots = np.abs(np.diag(R))
            Q = Q[:, pivots > 1e-12 * pivots[0]]
            theta -= Q @ (Q.T @ theta)
        z = self.X.T @ theta
        z[free] = 0.0
        most = 2.0
        for j in np.flatnonzero(self.l2 == 0.0):
            end = self.upper[j] if z[j] > 0.0 else -self.lower[j]
            if end == np.inf and abs(z[j]) * most > self.l1[j]:
                most = self.l1[j] / abs(z[j]) * (1.0 - 1e-15)

        product, square = theta @ self.y, theta @ theta

        def value(s):
            return s * product - 0.5 * s * s * square - self.conjugates(s * z).sum()

        low, high = 0.0, most  # concave in s: the golden section
        share = (math.sqrt(5.0) - 1.0) / 2.0
        a, b = high - share * (high - low), low + share * (high - low)
        at_a, at_b = value(a), value(b)
        for _ in range(80):
            if at_a < at_b:
                low, a, at_a = a, b, at_b
                b = low + share * (high - low)
                at_b = value(b)
            else:
                high, b, at_b = b, a, at_a
                a = high - share * (high - low)
                at_a = value(a)
        return float(max(value(low), value(high), value(min(1.0, most)), value(most)))

    def solve(self, start=None, max_sweeps=20000):
        """Coordinate descent; now and then the equations of the signs and bounds reached."""
        coef = np.zeros(len(self.l1)) if start is None else start.copy()
        coef = np.clip(coef, self.lower, self.upper)
        columns = np.ascontiguousarray(self.X.T)
        each = [part.tolist() for part in (self.square, self.l1, self.l2, self.lower, self.upper)]
        features = [row for row in enumerate(zip(*each, strict=True)) if row[1][0] + row[1][2] > 0]
        for sweep in range(max_sweeps):
            residual = self.y - self.X @ coef
            moved = 0.0
            for j, (square, l1, l2, lower, upper) in features:
                old = float(coef[j])
                z = float(columns[j] @ residual) + square * old
                new = math.copysign(max(abs(z) - l1, 0.0), z) / (square + l2)
                new = min(max(new, lower), upper)
                if new != old:
                    residual += (old - new) * columns[j]
                    moved = max(moved, abs(new - old) * math.sqrt(square + l2))
                    coef[j] = new
            if sweep % 25 == 24 or moved == 0.0:
                coef = self._polished(coef)
                if self.violation(coef) <= 1e-14 or moved == 0.0:
                    break
        return coef

    def _polished(self, coef):
        """Solve for the coefficients between zero and bounds, if that keeps them there."""
        free = ((coef != 0.0) | (self.l1 == 0.0)) & (self.square > 0.0)
        free &= (coef > self.lower) & (coef < self.upper)
        if not free.any():
            return coef
        new = coef.copy()
        new[free] = 0.0
        unit = np.sqrt(self.square[free] + self.l2[free])
        rows = np.vstack([self.X[:, free], np.diag(np.sqrt(self.l2[free]))]) / unit
        right = rows.T @ np.append(self.y - self.X @ new, np.zeros(free.sum()))
        right -= self.l1[free] * np.sign(coef[free]) / unit
        _, s, Vt = np.linalg.svd(rows, full_matrices=False)
        kept = s > 1e-13 * s[0]
        new[free] = Vt[kept].T @ (Vt[kept] @ right / s[kept] ** 2) / unit
        same = (np.sign(new) == np.sign(coef)) | (self.l1 == 0.0)
        if same.all() and self.objective(new) <= self.objective(coef) + 1e-15:
            return new
        return coef


def elastic_net_by_descent(X, y, alpha, l1_ratio, **options):
    """Coefficients (p,) and intercept by plain coordinate descent; options of ElasticNetRows."""
    rows = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    coef = rows.solve()
    return coef, float(rows.y_mean - coef @ rows.x_mean)


def elastic_net_objective(X, y, coef, alpha, l1_ratio, **options):
    """The objective with the best intercept."""
    return ElasticNetRows(X, y, alpha, l1_ratio, **options).objective(np.asarray(coef, float))


def elastic_net_gap(X, y, coef, alpha, l1_ratio, **options):
    """Objective minus a dual value, computed from rows: a bound on how far the minimum is."""
    rows = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    coef = np.asarray(coef, dtype=np.float64)
    return rows.objective(coef) - rows.dual(coef)


def kkt_violation(X, y, coef, intercept, alpha, l1_ratio, **options):
    """Largest violation of the optimality conditions, of the intercept's relative to ``|y|``."""
    rows = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    coef = np.asarray(coef, dtype=np.float64)
    away = abs(float(intercept) - (rows.y_mean - coef @ rows.x_mean))
    size = np.linalg.norm(rows.y) + abs(rows.y_mean)
    return max(rows.violation(coef), away / size if size > 0.0 else away)
