"""Every option of Ridge with every other, on small random problems, against one slow reference."""

import numpy as np
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from reference import ridge_by_lstsq

from fastridge import GramStatistics, Ridge, ridge_path

ITERATIVE = ["lsqr", "sparse_cg", "gd"]
DIRECT = ["auto", "cholesky", "eigh", "svd", "qr"]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}


@st.composite
def problems(draw):
    n, p = draw(st.integers(1, 40)), draw(st.integers(1, 30))
    t = draw(st.sampled_from([None, 1, 2, 5]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.standard_normal((n, p)) + draw(st.sampled_from([0.0, 1.0, 20.0]))
    X *= draw(st.sampled_from([1e-3, 1.0, 1e4]))
    if draw(st.booleans()):
        X[:, rng.random(p) < 0.3] = draw(st.sampled_from([0.0, 1.0]))  # constant columns
    if draw(st.booleans()):
        X[rng.random((n, p)) < 0.5] = 0.0
    y = rng.standard_normal((n,) if t is None else (n, t)) + 5.0
    weight = None
    if draw(st.booleans()):
        weight = rng.uniform(0.1, 3.0, n) * (rng.random(n) < 0.8)
        weight[rng.integers(n)] = 1.0
    factors = None
    if draw(st.booleans()):
        factors = rng.uniform(0.2, 3.0, p)
    return X, y, weight, factors


def variances(X, weight, fit_intercept):
    """Weighted variances; of constant columns 1, or their squares without an intercept."""
    weight = np.ones(len(X)) if weight is None else weight
    variance = np.array([weight @ (column - weight @ column / weight.sum()) ** 2 for column in X.T])
    variance /= weight.sum()
    squares = (weight @ X / weight.sum()) ** 2
    flat = np.where((squares > 0.0) & (not fit_intercept), squares, 1.0)
    return np.where(variance > 1e-20 * np.max(X**2, axis=0, initial=0.0), variance, flat)


def mean_square(X, penalty):
    """The scale of alpha: multiples of it give problems that are neither trivial nor singular."""
    return np.mean(X**2 / penalty) + 1e-12


@given(
    problem=problems(),
    layout=st.sampled_from(list(LAYOUTS)),
    solver=st.sampled_from([*DIRECT, *ITERATIVE]),
    fit_intercept=st.booleans(),
    standardize=st.booleans(),
    alpha_scale=st.sampled_from(["sum", "mean"]),
    per_target=st.booleans(),
    shrinkage=st.sampled_from([1e-2, 1.0, 100.0]),
)
def test_any_combination_of_options(
    problem, layout, solver, fit_intercept, standardize, alpha_scale, per_target, shrinkage
):
    X, y, weight, factors = problem
    if solver == "svd" and layout.startswith("cs"):
        solver = "auto"
    n, p = X.shape
    t = 1 if y.ndim == 1 else y.shape[1]
    total = n if weight is None else weight.sum()
    scale = variances(X, weight, fit_intercept) if standardize else np.ones(p)
    penalty = scale if factors is None else scale * factors
    alpha = shrinkage * mean_square(X, penalty)
    alpha = alpha if alpha_scale == "mean" else alpha * total
    alphas = alpha * np.geomspace(1.0, 4.0, t) if per_target else alpha
    model = Ridge(
        alpha=alphas,
        solver=solver,
        fit_intercept=fit_intercept,
        standardize=standardize,
        alpha_scale=alpha_scale,
        penalty_factors=factors,
        tol=1e-13,
        max_iter=100000,
    )
    model.fit(LAYOUTS[layout](X), y, sample_weight=weight)
    summed = np.asarray(alphas) * (total if alpha_scale == "mean" else 1.0)
    coef, intercept = ridge_by_lstsq(X, y, summed, weight, fit_intercept, penalty)
    lengths = np.sqrt(np.sum(X**2, axis=0) + 1e-300)
    bound = (1e-6 if solver in ITERATIVE else 1e-10) * np.max(np.abs(y))
    assert np.max(np.abs((np.atleast_2d(model.coef_) - coef) * lengths)) < bound * np.sqrt(n)
    assert_allclose(np.broadcast_to(model.intercept_, t), intercept, rtol=0, atol=10 * bound)
    assert model.coef_.shape == ((p,) if t == 1 else (t, p))
    assert model.predict(LAYOUTS[layout](X)).shape == ((n,) if y.ndim == 1 or t == 1 else (n, t))


@given(
    problem=problems(),
    fit_intercept=st.booleans(),
    standardize=st.booleans(),
    alpha_scale=st.sampled_from(["sum", "mean"]),
    free=st.integers(0, 2),
)
def test_path_and_statistics_are_the_fit(problem, fit_intercept, standardize, alpha_scale, free):
    X, y, weight, factors = problem
    if factors is not None and len(X) > 3 + free:
        factors[:free] = 0.0
    options = {
        "fit_intercept": fit_intercept,
        "standardize": standardize,
        "alpha_scale": alpha_scale,
        "penalty_factors": factors,
    }
    scale = variances(X, weight, fit_intercept) if standardize else np.ones(X.shape[1])
    alphas = (
        np.array([0.1, 3.0]) * mean_square(X, scale) * (1.0 if alpha_scale == "mean" else len(X))
    )
    coefs, intercepts = ridge_path(
        X, y, alphas, sample_weight=weight, return_intercept=True, **options
    )
    stats = GramStatistics.from_data(X, y, sample_weight=weight)
    lengths = np.sqrt(np.sum(X**2, axis=0) + 1e-300)
    bound = 1e-8 * np.max(np.abs(y)) * np.sqrt(len(X))
    for alpha, coef, intercept in zip(alphas, coefs, intercepts, strict=True):
        fitted = Ridge(alpha=alpha, **options).fit(X, y, sample_weight=weight)
        reduced = Ridge(alpha=alpha, **options).fit_statistics(stats)
        for other in (np.reshape(coef, fitted.coef_.shape), reduced.coef_):
            assert np.max(np.abs((other - fitted.coef_) * lengths)) < bound
        assert_allclose(
            np.ravel(intercept), np.broadcast_to(fitted.intercept_, np.size(intercept)), atol=bound
        )
        assert_allclose(reduced.intercept_, fitted.intercept_, atol=bound)
