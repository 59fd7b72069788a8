"""Compare tiny problems of every kind with exact rational arithmetic, as many as requested.

    python tests/soak_units.py --problems 100000 --first 0

Not collected by pytest. A problem is its number, the seed of all its choices; numbers that fail are
printed with what was found. Without a penalty, or with one that leaves several answers, the exact
answer is that of a penalty 2^-1500 times as large as the data, the limit of ever smaller ones.
"""

import argparse
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy.sparse

sys.path.insert(0, str(Path(__file__).resolve().parent))
from reference import dense, exact_centred_product, exact_mean, exact_solve

from fastridge import ElasticNet, GramStatistics, Ridge, RidgeCV, ridge_path

SOLVERS = ("auto", "auto", "auto", "cholesky", "eigh", "qr", "svd")
TINY = Fraction(1, 2**1500)


def exact_fit(X, y, weight, alpha, factors, standardize, fit_intercept):
    """Coefficients, intercept, and the lengths that errors count by, from Fractions."""
    p = X.shape[1]
    A = exact_centred_product(X, X, weight, fit_intercept)
    b = exact_centred_product(X, y[:, None], weight, fit_intercept)
    scatter = exact_centred_product(X, X, weight, True)
    total = sum(map(Fraction, map(float, weight)))
    kept = np.flatnonzero(np.isfinite(factors))
    penalty = {}
    for j in kept:
        factor = Fraction(float(factors[j]))
        if standardize:
            square = Fraction(1) if fit_intercept or A[j, j] == 0 else A[j, j] / total
            factor *= scatter[j, j] / total if scatter[j, j] > 0 else square
        length = A[j, j] if A[j, j] > 0 else Fraction(1)
        penalty[j] = Fraction(float(alpha)) * factor + (TINY * factor if alpha == 0 else 0)
        # what nothing else decides: least in units of the columns
        penalty[j] += TINY * TINY * length
        A[j, j] += penalty[j]
    coef = np.full(p, Fraction(0), dtype=object)
    if len(kept):
        coef[kept] = exact_solve(A[np.ix_(kept, kept)], b[kept])[:, 0]
    intercept = Fraction(0)
    if fit_intercept:
        intercept = exact_mean(y[:, None], weight)[0] - coef.dot(exact_mean(X, weight))
    lengths = np.array([float(A[j, j]) ** 0.5 if j in penalty else 1.0 for j in range(p)])
    return coef.astype(float), float(intercept), lengths


def drawn(rng):
    """Rows, weights and options of one problem."""
    n, p = int(rng.integers(2, 9)), int(rng.integers(1, 7))
    X = rng.standard_normal((n, p))
    if rng.random() < 0.3:
        X = rng.integers(-3, 4, (n, p)).astype(float)
    if rng.random() < 0.3:
        X += 10.0 ** rng.integers(0, 5) * rng.standard_normal(p)
    if p > 1 and rng.random() < 0.25:
        X[:, rng.integers(p)] = X[:, rng.integers(p)] * 2.0 ** rng.integers(-3, 3)
    if n > 2 and rng.random() < 0.15:
        X[rng.integers(n)] = X[rng.integers(n)]
    if rng.random() < 0.1:
        X[:, rng.integers(p)] = rng.choice([0.0, 1.0, 0.1, 1e8])
    if rng.random() < 0.1:
        X[rng.integers(n), rng.integers(p)] = 10.0 ** rng.integers(2, 13)
    most = int(rng.choice([0, 3, 10, 40, 200]))
    scale = np.exp2(rng.integers(-most, most + 1, p).astype(float))
    y = rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4)
    weight = np.ones(n)
    if rng.random() < 0.4:
        weight = rng.integers(0, 4, n).astype(float)
        weight[rng.integers(n)] = 1.0
    factors = np.ones(p)
    if rng.random() < 0.4:
        factors = rng.choice([0.0, 0.25, 1.0, 4.0, np.inf], p, p=[0.2, 0.25, 0.25, 0.25, 0.05])
    alpha = float(rng.choice([0.0, 1e-10, 1e-3, 1.0, 1e3]))
    if rng.random() < 0.3:
        factors = factors * np.where(factors < np.inf, scale**2, 1.0)
    return X * scale, y, weight, factors, alpha, bool(rng.random() < 0.3), bool(rng.random() < 0.8)


def layout_of(rng, X):
    return rng.choice(["C", "C", "F", "csr", "csc"])


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}


def condition(X, weight, alpha, factors, standardize, fit_intercept):
    """Condition numbers of the kept columns at unit length: of X, and with the penalty."""
    some = X[:, np.isfinite(factors)]
    w = weight / weight.sum()
    Z = (some - (w @ some if fit_intercept else 0.0)) * np.sqrt(weight)[:, None]
    length = np.sqrt((Z**2).sum(axis=0))
    penalty = alpha * factors[np.isfinite(factors)]
    if standardize:
        variance = w @ (some - w @ some) ** 2
        flat = np.ones(len(variance)) if fit_intercept else np.maximum((w @ some) ** 2, 1e-300)
        penalty = penalty * np.where(variance > 0.0, variance, flat)
    whole = np.sqrt(length**2 + penalty)
    conditions = []
    for rows in (
        Z / np.where(length > 0.0, length, 1.0),
        np.vstack([Z, np.diag(np.sqrt(penalty))]) / np.where(whole > 0.0, whole, 1.0),
    ):
        s = np.linalg.svd(rows, compute_uv=False) if rows.size else np.ones(1)
        s = s[s > 1e-13 * s.max(initial=0.0)]
        conditions.append(float(s.max() / s.min()) if len(s) else 1.0)
    return conditions


def far_from_zero(X, weight):
    """The largest mean of a column over its standard deviation."""
    w = weight / weight.sum()
    deviation = np.sqrt(w @ (X - w @ X) ** 2)
    used = deviation > 1e-13 * np.abs(w @ X)
    return float((np.abs(w @ X)[used] / deviation[used]).max(initial=0.0))


def run(number):
    """Return what is wrong with the answer to this problem, or None."""
    rng = np.random.default_rng(number)
    X, y, weight, factors, alpha, standardize, fit_intercept = drawn(rng)
    layout = str(layout_of(rng, X))
    solver = str(rng.choice(SOLVERS))
    ways = ["fit", "fit", "path", "statistics", "one of a path", "leave-one-out", "net"]
    way = str(rng.choice(ways))
    if layout in ("csr", "csc") and solver == "svd":
        solver = "auto"
    given = LAYOUTS[layout](X)
    X = dense(given)
    if standardize and fit_intercept is False and way == "statistics":
        way = "fit"
    if way == "statistics" and layout in ("csr", "csc"):
        layout = "C"  # of sparse columns far from zero, statistics hold what was lost
        given = LAYOUTS[layout](X)
    options = {
        "fit_intercept": fit_intercept,
        "standardize": standardize,
        "penalty_factors": factors,
    }
    if way == "leave-one-out":
        return leave_one_out(given, y, weight, max(alpha, 1e-10), options)
    if way == "net":
        return net(given, y, weight, float(rng.choice([1e-6, 1e-3, 0.1])), options)
    if way in ("fit", "statistics"):
        model = Ridge(alpha, solver=solver, **options)
        if way == "fit":
            model.fit(given, y, sample_weight=weight)
        else:
            model.fit_statistics(GramStatistics.from_data(given, y, weight))
        coef, intercept, name = model.coef_, model.intercept_, model.solver_
    else:
        alphas = [alpha] if way == "path" else [alpha, 1e2]
        coefs, intercepts = ridge_path(
            given, y, alphas, sample_weight=weight, return_intercept=True, **options
        )
        coef, intercept, name = coefs[0], intercepts[0], way
    exact, constant, lengths = exact_fit(X, y, weight, alpha, factors, standardize, fit_intercept)
    size = np.sqrt(weight @ (y - (weight @ y / weight.sum() if fit_intercept else 0.0)) ** 2)
    size = max(size, np.abs(exact * lengths).max(), 1e-300)
    error = float((np.abs(coef - exact) * lengths).max() / size)
    problem = (X, y, weight, alpha, factors, standardize, fit_intercept)
    bad, whole = condition(X, weight, alpha, factors, standardize, fit_intercept)
    if layout in ("csr", "csc") or way == "statistics":
        bad = max(bad, whole)
    # what a penalty alone tells apart has the digits that it leaves
    allowed = 1e-9 + 1e-14 * bad**2 + min(1e-8, 1e-21 * whole**2)
    if way == "statistics":  # a Gram does not show what is shorter than the root of its rounding
        allowed += np.sqrt(np.finfo(float).eps)
    if layout in ("csr", "csc") and fit_intercept:  # means are taken away after multiplying
        far = far_from_zero(X, weight)
        allowed *= 1.0 + far + (far**2 if way != "fit" else 0.0)
    if not error <= allowed:
        allowed += 10.0 * change_by_rounding(problem, exact, lengths, way == "statistics") / size
    if not error <= allowed:
        return f"{way} {solver}->{name} {layout} {X.shape}: error {error:.1e}, condition {bad:.1e}"
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    far = float((np.abs(X) @ inverse).max())
    off = abs(intercept - constant)
    if not off <= allowed * (np.abs(y).max() + size * far):
        return f"{way} {solver}->{name} {layout} {X.shape}: intercept off by {off:.1e}"
    return None


def change_by_rounding(problem, exact, lengths, squared):
    """Return the farthest that rounding of the rows moves the exact coefficients.

    All cells of a column are rounded as the farthest from its mean is; where its squares are all
    that is known, as far as the root of their rounding.
    """
    X, y, weight, *_, fit_intercept = problem
    changes = []
    for moved in rounded(X, y, weight, fit_intercept, 2.0**-26 if squared else 2.0**-52):
        changes.append(np.abs((exact_fit(*moved, *problem[2:])[0] - exact) * lengths).max())
    return float(max(changes))


def rounded(X, y, weight, fit_intercept, relative):
    """X and y, four times, with every cell moved as the farthest of its column may be rounded.

    Equal cells move alike, as do those that differ by a power of two: copies remain copies.
    """
    for factor in np.random.default_rng(0).uniform(1e6, 2e6, 4):
        moved = []
        for a in (X, y):
            signs = np.where((np.frexp(a)[0] * factor) % 1.0 < 0.5, -1.0, 1.0)
            moved.append(a + signs * relative * farthest(a, weight, fit_intercept))
        yield moved


def farthest(X, weight, fit_intercept):
    """The largest distance of a column's cells from its mean, or from zero; 0 if constant."""
    counted = weight > 0.0
    mean = weight @ X / weight.sum() if fit_intercept else 0.0
    farthest = np.abs((X - mean)[counted]).max(axis=0)
    return np.where(farthest > 1e-15 * np.abs(mean), farthest, 0.0)


def exact_errors(X, y, weight, alpha, factors, fit_intercept, fitted=None):
    """Leave-one-out errors from Fractions; by models fitted to `fitted`, where that is given."""
    right = np.empty(len(y))
    X_fitted, y_fitted = (X, y) if fitted is None else fitted
    for i in range(len(y)):
        others = np.arange(len(y)) != i
        coef, intercept, _ = exact_fit(
            X_fitted[others], y_fitted[others], weight[others], alpha, factors, False, fit_intercept
        )
        right[i] = y[i] - X[i] @ coef - intercept
    return right


def leave_one_out(given, y, weight, alpha, options):
    """Errors of every row against exact fits without it."""
    X = dense(given)
    if np.count_nonzero(weight) < 3 or options["standardize"]:
        return None
    model = RidgeCV([alpha], scoring="neg_mean_squared_error", store_cv_results=True, **options)
    model.fit(given, y, sample_weight=weight)
    factors, fit_intercept = options["penalty_factors"], options["fit_intercept"]
    right = exact_errors(X, y, weight, alpha, factors, fit_intercept)
    found = y - model.cv_results_[:, 0]
    size = np.maximum(np.abs(right), 1e-3 * np.abs(right).max())
    worst = float((np.abs(found - right) / size).max())
    bad, whole = condition(X, weight, alpha, factors, False, fit_intercept)
    allowed = 1e-8 + 1e-13 * bad**2
    if scipy.sparse.issparse(given):
        allowed += 1e-13 * whole**2
        allowed *= 1.0 + far_from_zero(X, weight) ** 2 * fit_intercept
    if not worst <= allowed:
        # Fits in float64 are those to columns whose cells were all rounded as the farthest is.
        for moved in rounded(X, y, weight, fit_intercept, 2.0**-52):
            change = exact_errors(X, y, weight, alpha, factors, fit_intercept, moved) - right
            allowed += 10.0 * float((np.abs(change) / size).max())
    if not worst <= allowed:
        return f"leave-one-out {type(given).__name__} {X.shape}: {worst:.1e}, condition {bad:.1e}"
    return None


def net(given, y, weight, alpha, options):
    """The conditions of the minimum of an elastic net."""
    X = dense(given)
    l1_ratio = 1.0 if alpha > 1e-5 else 0.5
    factors, fit_intercept = options["penalty_factors"], options["fit_intercept"]
    w = weight / weight.sum()
    size = np.sqrt(w @ (y - w @ y * fit_intercept) ** 2)
    y = y / size if size > 0.0 else y
    centred = X - (w @ X if fit_intercept else 0.0)
    deviation = np.sqrt(w @ (X - w @ X) ** 2)
    length = np.sqrt(w @ centred**2)
    deviation[deviation <= 1e-14 * np.abs(X).max(axis=0)] = 0.0
    # the penalty of all columns on the scale of their lengths, so that it selects
    unit = 1.0 if options["standardize"] else np.where(length > 0.0, length, 1.0)
    scaled = np.where(np.isfinite(factors), factors, np.inf) * unit
    model = ElasticNet(
        alpha, l1_ratio=l1_ratio, tol=1e-10, max_iter=100000,
        **{**options, "penalty_factors": scaled},
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(given, y, sample_weight=weight)
    if caught or model.status_ != "converged":
        return None  # it says so
    residual = y - X @ model.coef_ - model.intercept_
    gradient = (w * residual) @ centred
    columns = np.ones(len(length))
    if options["standardize"]:
        columns = np.where(deviation > 0.0, deviation, 1.0 if fit_intercept else length)
    l1 = alpha * l1_ratio * scaled * columns
    some = np.isfinite(scaled) & (length > 0.0)
    l2 = alpha * (1.0 - l1_ratio) * (scaled * columns**2)[some]
    left = gradient[some] - l2 * model.coef_[some]
    zero = model.coef_[some] == 0.0
    off = np.where(
        zero,
        np.maximum(np.abs(left) - l1[some], 0.0),
        np.abs(left - l1[some] * np.sign(model.coef_[some])),
    )
    # by the root of the curvature: what it may cost, whatever the L2 penalty
    worst = float((off / np.sqrt(length[some] ** 2 + l2)).max(initial=0.0))
    if not worst <= 1e-4:
        return f"net {type(given).__name__} {X.shape}: conditions off by {worst:.1e}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    failed = 0
    for number in range(arguments.first, arguments.first + arguments.problems):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = run(number)
        except Exception as error:  # noqa: BLE001  every kind of failure counts
            found = f"{type(error).__name__}: {error}"
        if found is not None:
            failed += 1
            print(number, found, flush=True)
    print(f"{arguments.problems} problems, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
