"""Ridge(positive=True) keeps digits where columns are nearly collinear and penalties are tiny.

What is right comes from fractions, over all sets of free coefficients.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from fastridge import GramStatistics, Ridge

MAKE = {"dense": np.asarray, "csr": sp.csr_array}


def solve_exactly(A, b):
    """By Gauss and Jordan; None where A is singular."""
    n = len(b)
    rows = [[*row, right] for row, right in zip(A, b, strict=True)]
    for i in range(n):
        pivot = next((r for r in range(i, n) if rows[r][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(n):
            if r != i and rows[r][i] != 0:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[n] / row[i] for i, row in enumerate(rows)]


class ExactProblem:
    """The quadratic form c'Ac - 2 b'c + yy, in fractions."""

    def __init__(self, X, y, weight, penalty, fit_intercept):
        weight = [Fraction(float(w)) for w in weight]
        columns = [[Fraction(float(x)) for x in column] for column in [*X.T, y]]
        if fit_intercept:
            total = sum(weight)
            means = [sum(w * x for w, x in zip(weight, c, strict=True)) / total for c in columns]
            columns = [[x - m for x in c] for c, m in zip(columns, means, strict=True)]

        def product(left, right):
            return sum(w * a * b for w, a, b in zip(weight, left, right, strict=True))

        *columns, y = columns
        self.A = [[product(left, right) for right in columns] for left in columns]
        for j, value in enumerate(penalty):
            self.A[j][j] += Fraction(float(value))
        self.b = [product(column, y) for column in columns]
        self.yy = product(y, y)

    def objective(self, coef):
        coef = [Fraction(c) for c in coef]
        free = [j for j, c in enumerate(coef) if c]
        squares = sum(coef[j] * self.A[j][k] * coef[k] for j in free for k in free)
        return self.yy - 2 * sum(self.b[j] * coef[j] for j in free) + squares

    def minimum(self):
        """Coefficients where the objective is least, and what it is there."""
        least, best = self.yy, [0] * len(self.b)
        for k in range(1, len(self.b) + 1):
            for some in itertools.combinations(range(len(self.b)), k):
                A = [[self.A[i][j] for j in some] for i in some]
                coef = solve_exactly(A, [self.b[i] for i in some])
                if coef is None or min(coef) < 0:
                    continue
                found = self.yy - sum(self.b[i] * c for i, c in zip(some, coef, strict=True))
                if found < least:
                    least, best = found, [0] * len(self.b)
                    for i, c in zip(some, coef, strict=True):
                        best[i] = c
        return np.array([float(c) for c in best]), least


def nearly_opposite(k, n=30, p=3, seed=0):
    """Columns 0 and 1 are opposite but for 2^-k of what y holds."""
    rng = np.random.default_rng(seed)
    X, z = rng.normal(size=(n, p)), rng.normal(size=n)
    X[:, 1] = -X[:, 0] + 2.0**-k * z
    return X, z + 0.3 * rng.normal(size=n) + X[:, 2]


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("alpha", [0.0, 1e-300, 1e-50, 1e-20])
@pytest.mark.parametrize("k", range(8, 36, 3))
def test_positive_nearly_opposite_columns_coefficients_keep_digits(k, alpha, make):
    X, y = nearly_opposite(k)
    model = Ridge(alpha, positive=True, fit_intercept=False).fit(MAKE[make](X), y)
    right, _ = ExactProblem(X, y, np.ones(30), np.full(3, alpha), False).minimum()
    assert right.min() > 0.0
    assert_allclose(model.coef_, right, rtol=1e-9 if make == "dense" else 1e-10 + 2.0 ** (k - 50))


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("shape", [(500, 10), (500, 50), (40, 60)])
@pytest.mark.parametrize("k", [12, 17, 23])
def test_positive_nearly_opposite_columns_free_coefficients_as_without_bound(k, shape, make):
    X, y = nearly_opposite(k, *shape)
    model = Ridge(1e-6, positive=True).fit(MAKE[make](X), y)
    free = model.coef_ > 0.0
    assert free[:2].all()
    assert not free.all()
    plain = Ridge(1e-6).fit(X[:, free], y)
    assert_allclose(model.coef_[free], plain.coef_, rtol=1e-9 if make == "dense" else 1e-5)
    gradient = (X - X.mean(axis=0)).T @ (y - model.predict(X)) - 1e-6 * model.coef_
    assert np.max(gradient) < 1e-6


@pytest.mark.parametrize("make", MAKE)
def test_positive_powers_coefficients_keep_digits(make):
    t = np.linspace(0.0, 1.0, 100)
    X, coef = np.vander(t, 8), np.arange(8.0)
    model = Ridge(0.0, positive=True, fit_intercept=False).fit(MAKE[make](X), X @ coef)
    assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-8)


def opposite_with_means(seed):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(3, 8), rng.integers(2, 6)
    mean = rng.choice([0.0, 1.0, 100.0, 1e4])
    u = rng.normal(size=n)
    X = mean + np.column_stack([u, -u, rng.normal(size=(n, p - 2))])
    X[:, 1] += 2.0 ** -rng.integers(5, 36) * rng.normal(size=n)
    X = X[:, rng.permutation(p)]
    y = rng.choice([1.0, 1e-6, 1e6]) * rng.normal(size=n)
    weight = rng.choice([0.0, 1.0, 3.0], n) if rng.random() < 0.7 else np.ones(n)
    weight[rng.permutation(n)[:2]] = 1.0
    factors = rng.choice([0.0, 1.0, 2.5], p) if rng.random() < 0.3 else np.ones(p)
    alpha = rng.choice([0.0, 1e-300, 1e-200, 1e-100, 1e-50, 1e-30, 1e-20, 1e-10, 1e-3, 1.0])
    return X, y, weight, factors, alpha, bool(rng.random() < 0.8)


@pytest.mark.parametrize("make", MAKE)
def test_positive_tiny_penalties_minimum_of_all_active_sets(make):
    for seed in range(150):
        X, y, weight, factors, alpha, fit_intercept = opposite_with_means(seed)
        model = Ridge(alpha, positive=True, fit_intercept=fit_intercept, penalty_factors=factors)
        coef = model.fit(MAKE[make](X), y, weight).coef_
        assert np.all(coef >= 0.0)
        problem = ExactProblem(X, y, weight, alpha * factors, fit_intercept)
        excess = problem.objective(coef) - problem.minimum()[1]
        assert excess <= 1e-7 * problem.yy, seed


@pytest.mark.parametrize("how", ["dense", "csr", "statistics"])
def test_positive_any_condition_never_worse_than_zero(how):
    for seed in range(145, 345):
        rng = np.random.default_rng(seed)
        u = rng.normal(size=6)
        X = 100.0 + np.column_stack([u, -u, rng.normal(size=6), rng.normal(size=6)])
        X[:, 1] += 2.0 ** -rng.integers(20, 53) * rng.normal(size=6)
        y, weight = 1e-6 * rng.normal(size=6), np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
        alpha = rng.choice([0.0, 1e-300, 1e-100, 1e-50, 1e-30, 1e-20])
        model = Ridge(alpha, positive=True)
        if how == "statistics":
            model.fit_statistics(GramStatistics.from_data(X, y, weight))
        else:
            model.fit(MAKE[how](X), y, weight)
        problem = ExactProblem(X, y, weight, np.full(4, alpha), True)
        assert problem.objective(model.coef_) <= (1 + Fraction(1, 10**9)) * problem.yy, seed


def test_positive_several_targets_and_alphas_keep_digits():
    X, y = nearly_opposite(20)
    Y, alphas = np.column_stack([y, 1e-5 * y, y + X[:, 0]]), np.array([0.0, 1e-20, 1e-18])
    together = Ridge(alphas, positive=True, fit_intercept=False).fit(X, Y)
    for k, alpha in enumerate(alphas):
        right, _ = ExactProblem(X, Y[:, k], np.ones(30), np.full(3, alpha), False).minimum()
        assert_allclose(together.coef_[k], right, rtol=1e-10)


def test_positive_standardize_keeps_digits():
    X, y = nearly_opposite(20)
    model = Ridge(1e-14, positive=True, standardize=True).fit(X, y)
    variance = np.var(X, axis=0)
    right, _ = ExactProblem(X, y, np.ones(30), 1e-14 * variance, True).minimum()
    assert_allclose(model.coef_, right, rtol=1e-9)
