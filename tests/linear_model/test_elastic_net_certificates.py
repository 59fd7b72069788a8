"""A certificate is true, or is not given: gaps against the excess over the minimum in 60 digits."""

import itertools
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from fastridge import ElasticNet, GramStatistics, Lasso, LassoCV, enet_path, lasso_path

SOURCES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
    "float32": lambda X: X.astype(np.float32),
    "statistics": None,
}


def fitted(model, X, y, source):
    if source == "statistics":
        return model.fit_statistics(GramStatistics.from_data(X, y))
    return model.fit(SOURCES[source](X), y)


def matrix(values):
    return mpmath.matrix([[mpmath.mpf(float(v)) for v in row] for row in np.atleast_2d(values)])


def excess(X, y, coef, l2):
    """The excess of the objective with penalty l2_j w_j^2 / 2 over its minimum, in 60 digits."""
    with mpmath.workdps(60):
        n, p = X.shape
        A, b, w = matrix(np.asarray(X, float)), matrix(y[:, None]), matrix(coef[:, None])
        for rows in (A, b):
            for j in range(rows.cols):
                mean = mpmath.fsum(rows[i, j] for i in range(n)) / n
                for i in range(n):
                    rows[i, j] -= mean
        H = A.T * A / n
        for j in range(p):
            H[j, j] += mpmath.mpf(float(l2[j]))
        h = A.T * (b - A * w) / n
        for j in range(p):
            h[j] -= mpmath.mpf(float(l2[j])) * w[j]
        return float((h.T * mpmath.lu_solve(H, h))[0] / 2)


def collinear(distance, noise, seed=0, n=30, p=4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, 1] = X[:, 0] + distance * X[:, 1]
    return X, X[:, 0] - X[:, 2] + noise * rng.standard_normal(n)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("source", list(SOURCES))
@pytest.mark.parametrize("noise", [1.0, 1e-8])
@pytest.mark.parametrize("distance", [1.0, 1e-3, 1e-6, 1e-8, 1e-10, 1e-12])
def test_lasso_without_penalty_gap_is_true_or_not_given(distance, noise, source):
    X, y = collinear(distance, noise)
    model = fitted(Lasso(0.0), X, y, source)
    tolerance = model.tol * y.var()
    if np.isnan(model.dual_gap_):
        assert model.status_ == "no certificate"
        assert source == "statistics"
        assert distance <= 1e-6
        return
    assert (model.status_ == "converged") == (model.dual_gap_ <= tolerance)
    seen = X.astype(np.float32) if source == "float32" else X
    if np.linalg.matrix_rank(seen - seen.mean(axis=0)) < X.shape[1]:
        return  # within rounding these are equal columns
    above = excess(seen, y, model.coef_, np.zeros(X.shape[1]))
    assert model.dual_gap_ >= above * (1.0 - 1e-3)
    if source != "float32" and distance >= 1e-8:
        assert model.status_ == "converged"
        assert model.dual_gap_ <= above + 1e-8 * y.var()


@pytest.mark.parametrize("source", list(SOURCES))
@pytest.mark.parametrize("alpha", [1.0, 1e-6, 1e-12])
@pytest.mark.parametrize("distance", [1.0, 1e-4])
def test_elastic_net_without_l1_gap_is_true(distance, alpha, source):
    X, y = collinear(distance, 1.0)
    factors = np.array([1.0, 1.0, 0.0, 2.0])
    model = fitted(ElasticNet(alpha, l1_ratio=0.0, penalty_factors=factors), X, y, source)
    seen = X.astype(np.float32) if source == "float32" else X
    above = excess(seen, y, model.coef_, alpha * factors)
    assert above * (1.0 - 1e-3) <= model.dual_gap_ <= above + 1e-7 * y.var()
    assert model.status_ == "converged"


@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_elastic_net_without_l1_on_few_rows_gap_is_true(l1_ratio, layout):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((8, 12)), rng.standard_normal(8)
    alpha = 0.1 if l1_ratio == 0.0 else 0.0
    model = ElasticNet(alpha, l1_ratio=l1_ratio).fit(SOURCES[layout](X), y)
    assert model.status_ == "converged"
    assert 0.0 <= model.dual_gap_ <= 1e-20
    if alpha:
        assert excess(X, y, model.coef_, np.full(12, alpha)) <= model.dual_gap_


def test_lasso_without_penalty_equal_columns_converge_from_rows_only():
    X, y = collinear(0.0, 1.0)
    for layout in ("C", "F", "csr", "csc"):
        model = Lasso(0.0).fit(SOURCES[layout](X), y)
        assert model.status_ == "converged"
        assert model.dual_gap_ < 1e-20
    # of the Gram alone they may as well be columns that differ by 1e-9
    assert fitted(Lasso(0.0), X, y, "statistics").status_ == "no certificate"
    assert fitted(Lasso(0.0), X, X[:, 0], "statistics").status_ == "converged"


def test_path_to_no_penalty_ends_with_a_gap_that_is_true():
    X, y = collinear(1e-7, 1e-6)
    _, coefs, gaps, certificate = lasso_path(
        X, y, alphas=[0.1, 0.0], fit_intercept=True, return_certificate=True
    )
    assert gaps[-1] >= excess(X, y, coefs[:, -1], np.zeros(4))
    assert certificate.statuses.tolist() == ["converged", "converged"]


def enet_excess(X, y, coef, free, l1):
    """A lower bound on the excess: with the other coefficients as they are."""
    rest = y - np.delete(X, free, axis=1) @ np.delete(coef, free)
    return excess(X[:, free], rest, coef[free], np.zeros(len(free)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("source", list(SOURCES))
@pytest.mark.parametrize("shape", [(30, 6), (12, 20)], ids=["tall", "wide"])
@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-5, 1e-7])
def test_lasso_with_free_features_gap_is_true(distance, shape, source):
    n, p = shape
    for seed in range(3):
        X, y = collinear(distance, 1.0, seed, n, p)
        factors = np.ones(p)
        factors[:2] = 0.0
        model = fitted(Lasso(0.05, penalty_factors=factors), X, y, source)
        if np.isnan(model.dual_gap_):
            assert model.status_ == "no certificate"
            assert source == "statistics"
            assert distance <= 1e-5
            continue
        seen = X.astype(np.float32) if source == "float32" else X
        above = enet_excess(seen, y, np.asarray(model.coef_, float), [0, 1], factors)
        assert model.dual_gap_ >= above * (1.0 - 1e-3) - 1e-13
        assert (model.status_ == "converged") == (model.dual_gap_ <= model.tol * y.var())
        if distance >= 1e-2:
            assert model.status_ == "converged"


@pytest.mark.parametrize("layout", ["C", "csr"])
def test_lasso_in_single_precision_gap_is_that_of_the_rounded_coefficients(layout):
    X = np.random.default_rng(0).standard_normal((30, 6))
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    X = X.astype(np.float32)
    y = np.float32(1e3) * (X[:, 1] - X[:, 0])
    model = Lasso(1e-6, tol=1e-10, max_iter=100000)
    with pytest.warns(ConvergenceWarning, match="as near as rounding allows"):
        model.fit(SOURCES[layout](X), y)
    single = np.asarray(model.coef_, float)
    double = Lasso(1e-6, tol=1e-14, max_iter=100000).fit(X.astype(float), y.astype(float)).coef_

    def objective(coef):
        residual = y.astype(float) - X.astype(float) @ coef
        return 0.5 * residual.var() + 1e-6 * np.abs(coef).sum()

    assert model.dual_gap_ >= objective(single) - objective(double)
    assert model.status_ == "not converged"
    assert model.dual_gap_ > 1e-10 * y.astype(float).var()


def test_enet_path_gaps_do_not_depend_on_the_unit_of_y():
    X, y = collinear(1e-3, 1e-6, n=40, p=6)
    base = enet_path(X, y, l1_ratio=1.0, alphas=8, tol=1e-10)[2]
    for unit in (2.0**-420, 2.0**-100, 2.0**490):
        gaps = enet_path(X, y * unit, l1_ratio=1.0, alphas=8, tol=1e-10)[2]
        assert_allclose(gaps / unit / unit, base, rtol=1e-12, atol=1e-16 * (y @ y))


def exact(values):
    return [[Fraction(float(v)) for v in row] for row in np.atleast_2d(values)]


def solution(A, b):
    """A x = b of fractions, by elimination; None where A is singular."""
    n, M = len(b), [[*row, right] for row, right in zip(A, b, strict=True)]
    for c in range(n):
        pivot = next((r for r in range(c, n) if M[r][c]), None)
        if pivot is None:
            return None
        M[c], M[pivot] = M[pivot], M[c]
        for r in range(n):
            if r != c and M[r][c]:
                share = M[r][c] / M[c][c]
                M[r] = [x - share * y for x, y in zip(M[r], M[c], strict=True)]
    return [M[i][n] / M[i][i] for i in range(n)]


def enet_excess_in_fractions(X, y, coef, l1, l2, bound=None, positive=False):
    """The excess of the objective over the minimum of all supports, signs and bounds."""
    rows, p, n = exact(np.column_stack([X, y])), X.shape[1], len(y)
    means = [sum(column) / n for column in zip(*rows, strict=True)]
    rows = [[v - mean for v, mean in zip(row, means, strict=True)] for row in rows]
    G = [[sum(r[i] * r[j] for r in rows) / n for j in range(p + 1)] for i in range(p + 1)]
    (l1,), (l2,) = exact(l1), exact(l2)

    def objective(w):
        full = [*w, Fraction(-1)]
        square = sum(full[i] * G[i][j] * full[j] for i in range(p + 1) for j in range(p + 1))
        return square / 2 + sum(l1[j] * abs(w[j]) + l2[j] * w[j] ** 2 / 2 for j in range(p))

    ends = [] if bound is None else [Fraction(bound), Fraction(-bound)]
    least = objective([Fraction(0)] * p)
    for pattern in itertools.product([1, -1, Fraction(0), *ends], repeat=p):
        free = [j for j in range(p) if isinstance(pattern[j], int)]
        w = list(pattern)
        if free:
            A = [[G[i][j] + (l2[i] if i == j else 0) for j in free] for i in free]
            held = [j for j in range(p) if j not in free]
            b = [
                G[i][p] - l1[i] * pattern[i] - sum(G[i][j] * pattern[j] for j in held) for i in free
            ]
            found = solution(A, b)
            if found is None or any(
                l1[j] and v * pattern[j] < 0 for v, j in zip(found, free, strict=True)
            ):
                continue
            for v, j in zip(found, free, strict=True):
                w[j] = v
        if (positive and min(w) < 0) or (bound is not None and max(map(abs, w)) > bound):
            continue
        least = min(least, objective(w))
    return float(objective(exact(coef)[0]) - least)


KINDS = {
    "lasso": {},
    "elastic net": {"l1_ratio": 1.0 - 2.0**-30},
    "free": {"penalty_factors": [0.0, 1.0]},
    "positive": {"positive": True},
    "bounds that hold": {"bounds": (-1e5, 1e5)},
    "bounds that do not": {"bounds": (-1e12, 1e12)},
    "bounds alone": {"bounds": (-1e12, 1e12), "alpha": 0.0},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("source", ["C", "csr", "statistics", "path"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_elastic_net_nearly_collinear_gap_is_true_or_not_given(kind, source):
    options = {"l1_ratio": 1.0, **KINDS[kind]}
    for k in (5, 12, 17, 20, 24, 28, 31, 36, 42):
        for seed in (2, 3):
            rng = np.random.default_rng(seed)
            X, z = rng.standard_normal((15, 2)), rng.standard_normal(15)
            X[:, 1] = X[:, 0] + 2.0**-k * z
            y = z + 0.3 * rng.standard_normal(15)
            alpha = options.get("alpha", 2.0**-k * 1e-4)
            rest = {name: value for name, value in options.items() if name != "alpha"}
            if source == "path":
                alphas = [4.0 * alpha, alpha] if alpha else [alpha]
                _, coefs, gaps, certificate = enet_path(
                    X, y, alphas=alphas, fit_intercept=True, return_certificate=True, **rest
                )
                coef, gap, status = coefs[:, -1], gaps[-1], certificate.statuses[-1]
            else:
                model = fitted(ElasticNet(alpha, **rest), X, y, source)
                coef, gap, status = model.coef_, model.dual_gap_, model.status_
            if np.isnan(gap):
                assert status == "no certificate"
                assert source == "statistics"
                assert k >= 17
                continue
            factors = np.array(rest.get("penalty_factors", [1.0, 1.0]))
            above = enet_excess_in_fractions(
                X,
                y,
                coef,
                alpha * rest["l1_ratio"] * factors,
                alpha * (1.0 - rest["l1_ratio"]) * factors,
                rest.get("bounds", (0.0, None))[1],
                rest.get("positive", False),
            )
            assert gap >= above * (1.0 - 1e-3) - 1e-14 * y.var()
            assert (status == "converged") == (gap <= 1e-4 * y.var())


@pytest.mark.parametrize("layout", ["C", "F", "csr", "csc"])
@pytest.mark.parametrize("k", [15, 20, 28, 36])
def test_lasso_nearly_collinear_is_solved_on_the_rows(k, layout):
    rng = np.random.default_rng(2)
    X, z = rng.standard_normal((30, 2)), rng.standard_normal(30)
    X[:, 1] = X[:, 0] + 2.0**-k * z
    y = z + 0.3 * rng.standard_normal(30)
    for model in (Lasso(2.0**-k * 1e-4), Lasso(0.0, bounds=(-1e14, 1e14))):
        model.fit(SOURCES[layout](X), y)
        assert model.status_ == "converged"
        above = enet_excess_in_fractions(X, y, model.coef_, [model.alpha] * 2, [0.0] * 2)
        assert above <= 1e-4 * y.var()


def test_lasso_cv_of_nearly_collinear_columns_says_that_it_did_not_converge():
    rng = np.random.default_rng(2)
    X, z = rng.standard_normal((30, 2)), rng.standard_normal(30)
    X[:, 1] = X[:, 0] + 2.0**-28 * z
    y = z + 0.3 * rng.standard_normal(30)
    with pytest.warns(ConvergenceWarning):
        LassoCV(alphas=[2.0**-28 * 1e-4], cv=3).fit(X, y)


def test_lasso_cv_of_negative_correlations_with_positive_has_a_certified_zero():
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = LassoCV(alphas=10, cv=3, positive=True).fit(X, -X.sum(axis=1))
    assert not model.coef_.any()
    assert model.status_ == "converged"
    assert 0.0 <= model.dual_gap_ < 1e-12


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_lasso_wide_nearly_parallel_columns_have_a_true_gap(make):
    X = np.array([[99999998.0, 99999997.0, 100000002.0], [100000003.0, 100000003.0, 100000002.0]])
    y = np.array([1.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = Lasso(0.1, fit_intercept=False, tol=1e-6).fit(make(X), y)
    coef = [Fraction(float(value)) for value in model.coef_]
    residual = [
        Fraction(float(target))
        - sum(Fraction(float(x)) * w for x, w in zip(row, coef, strict=True))
        for target, row in zip(y, X, strict=True)
    ]
    penalty = Fraction(0.1) * sum(map(abs, coef))
    objective = float(sum(r * r for r in residual) / 4 + penalty)
    assert objective - 0.03125 <= model.dual_gap_


def test_elastic_net_carried_away_by_rounding_is_no_worse_than_zero():
    rng = np.random.default_rng(147)
    X = rng.standard_normal((6, 20)) + 10.0 ** rng.uniform(0, 10, 20)
    X *= 2.0 ** rng.integers(-20, 20, 20)
    y = rng.standard_normal(6)
    model = ElasticNet(0.02, l1_ratio=0.1, tol=1e-12, fit_intercept=False)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        model.fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.dual_gap_ <= 0.5 * np.mean(y**2) * (1.0 + 1e-12)
