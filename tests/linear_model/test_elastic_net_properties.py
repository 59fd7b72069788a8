"""Properties of the elastic net that follow from mathematics, on data from hypothesis."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import ElasticNetRows

from fastridge import ElasticNet, enet_path

TOL = 1e-10
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}


@st.composite
def rows(draw, least_rows=2, most_rows=25, most_columns=18):
    """X and y: from unrelated to nearly collinear columns, some equal, constant or zero."""
    n = draw(st.integers(least_rows, most_rows))
    p = draw(st.integers(1, most_columns))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["normal", "whole numbers", "few factors", "flags"]))
    if kind == "normal":
        X = rng.standard_normal((n, p)) + rng.standard_normal(p)
    elif kind == "whole numbers":
        X = rng.integers(-2, 3, (n, p)).astype(float)
    elif kind == "few factors":
        X = rng.standard_normal((n, 2)) @ rng.standard_normal((2, p))
        X += 0.1 * rng.standard_normal((n, p))
    else:
        X = (rng.random((n, p)) < 0.3).astype(float)
    if draw(st.booleans()) and p > 2:
        X[:, 1] = X[:, 0] * draw(st.sampled_from([1.0, -1.0, 2.0]))
        X[:, 2] = draw(st.sampled_from([0.0, 3.0]))
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.4)) + rng.standard_normal(n)
    return X, y + draw(st.sampled_from([0.0, 10.0]))


@st.composite
def options(draw, n, p):
    """Arguments of the reference."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    out = {"standardize": draw(st.booleans()), "fit_intercept": draw(st.booleans())}
    if draw(st.booleans()):
        out["weight"] = rng.integers(0, 4, n) + (np.arange(n) < 2)
    if draw(st.booleans()):
        out["factors"] = rng.choice([0.0, 0.5, 1.0, 3.0], p, p=[0.1, 0.2, 0.5, 0.2])
    if draw(st.booleans()):
        ends = np.array([0.0, 0.25, 1.0, np.inf])
        out["bounds"] = -rng.choice(ends, p), rng.choice(ends, p)
    if draw(st.booleans()):
        out["offset"] = rng.standard_normal(n)
    return out


@st.composite
def problems(draw, **sizes):
    X, y = draw(rows(**sizes))
    return X, y, draw(options(*X.shape))


fractions = st.sampled_from([1.5, 0.9, 0.3, 0.1, 0.01, 1e-3])
l1_ratios = st.sampled_from([1.0, 0.9, 0.5, 0.1, 0.01])


def alpha_of(X, y, fraction, l1_ratio, options):
    """A fraction of an alpha that leaves few coefficients."""
    unit = ElasticNetRows(X, y, 1.0, l1_ratio, **options)
    correlation, counted = np.abs(unit.X.T @ unit.y), (unit.l1 > 0.0) & (unit.square > 0.0)
    if not counted.any() or not correlation[counted].any():
        return fraction
    return fraction * float(np.max(correlation[counted] / unit.l1[counted]))


def fitted(X, y, alpha, l1_ratio, tol=TOL, layout="C", **options):
    model = ElasticNet(
        alpha,
        l1_ratio=l1_ratio,
        tol=tol,
        penalty_factors=options.get("factors"),
        bounds=options.get("bounds"),
        standardize=options.get("standardize", False),
        fit_intercept=options.get("fit_intercept", True),
    )
    weight, offset = options.get("weight"), options.get("offset")
    return model.fit(LAYOUTS[layout](X), y, sample_weight=weight, offset=offset)


@given(problems(), fractions, l1_ratios, st.sampled_from(list(LAYOUTS)))
@settings(max_examples=400)
def test_the_certificate_holds(problem, fraction, l1_ratio, layout):
    """Within bounds, optimal, and as near the minimum as `dual_gap_` says."""
    X, y, options = problem
    alpha = alpha_of(X, y, fraction, l1_ratio, options)
    model = fitted(X, y, alpha, l1_ratio, layout=layout, **options)
    exact = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    coef, unit = model.coef_, exact.y @ exact.y
    assert model.status_ == "converged"
    assert np.all((coef >= exact.lower) & (coef <= exact.upper))
    assert model.dual_gap_ <= TOL * unit
    assert exact.violation(coef) <= 1e-4
    assert exact.objective(coef) - exact.dual(coef) <= 100.0 * TOL * unit + 1e-14 * (y @ y)
    best = exact.solve(start=coef, max_sweeps=200)
    assert exact.objective(coef) - exact.objective(best) <= model.dual_gap_ + 1e-14 * (y @ y)
    assert_array_equal(coef[exact.square == 0.0], 0.0)
    if options["fit_intercept"]:
        assert_allclose(model.intercept_, exact.y_mean - exact.x_mean @ coef, atol=1e-9)
    else:
        assert model.intercept_ == 0.0


@given(problems(), fractions, l1_ratios)
def test_dense_and_sparse_predict_the_same(problem, fraction, l1_ratio):
    X, y, options = problem
    alpha = alpha_of(X, y, fraction, l1_ratio, options)
    size = 1e-4 * max(1.0, np.abs(y).max())
    counted = np.asarray(options.get("weight", np.ones(len(X)))) > 0  # the others' are free
    expected = fitted(X, y, alpha, l1_ratio, tol=1e-12, **options).predict(X)[counted]
    for layout in ("F", "csr", "csc"):
        model = fitted(X, y, alpha, l1_ratio, tol=1e-12, layout=layout, **options)
        predicted = model.predict(LAYOUTS[layout](X))[counted]
        assert_allclose(predicted, expected, rtol=1e-4, atol=size)


@given(rows(least_rows=8), fractions, l1_ratios, st.integers(0, 2**32 - 1), st.booleans())
def test_whole_weights_are_repeated_rows(data, fraction, l1_ratio, seed, standardize):
    X, y = data
    times = np.random.default_rng(seed).integers(0, 4, len(X)) + (np.arange(len(X)) < 2)
    options = {"weight": times, "standardize": standardize}
    alpha = alpha_of(X, y, fraction, l1_ratio, options)
    weighted = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    repeated = np.repeat(X, times, axis=0), np.repeat(y, times)
    model = fitted(*repeated, alpha, l1_ratio, standardize=standardize)
    other = fitted(X, y, alpha, l1_ratio, **options)
    room = 2.0 * TOL * (weighted.y @ weighted.y) + 1e-13 * (y @ y)
    difference = weighted.objective(model.coef_) - weighted.objective(other.coef_)
    assert abs(difference) <= room


@given(problems(), fractions, l1_ratios, st.sampled_from([2.0**-20, 0.125, 4.0, 2.0**30]))
def test_y_in_other_units(problem, fraction, l1_ratio, factor):
    """y, alpha, bounds and offset times c: coefficients times c; exact for powers of two."""
    X, y, options = problem
    alpha = alpha_of(X, y, fraction, l1_ratio, options)
    base = fitted(X, y, alpha, l1_ratio, **options)
    scaled = dict(options)
    # l2 has no unit of y: a mixture with the same l2
    l1, l2 = alpha * l1_ratio * factor, alpha * (1.0 - l1_ratio)
    if "bounds" in options:
        scaled["bounds"] = tuple(factor * end for end in options["bounds"])
    if "offset" in options:
        scaled["offset"] = factor * options["offset"]
    model = fitted(X, factor * y, l1 + l2, l1 / (l1 + l2), **scaled)
    exact = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    room = 2.0 * TOL * (exact.y @ exact.y) + 1e-13 * (y @ y)
    coef = np.clip(model.coef_ / factor, exact.lower, exact.upper)
    assert abs(exact.objective(coef) - exact.objective(base.coef_)) <= room
    if l1_ratio == 1.0:
        assert_allclose(model.coef_, factor * base.coef_, rtol=1e-12, atol=0.0)


@given(rows(), fractions, l1_ratios, st.integers(0, 2**32 - 1), st.sampled_from(list(LAYOUTS)))
def test_standardized_columns_in_other_units(data, fraction, l1_ratio, seed, layout):
    """A column times c: its coefficient divided by c."""
    X, y = data
    units = 2.0 ** np.random.default_rng(seed).integers(-10, 11, X.shape[1])
    alpha = alpha_of(X, y, fraction, l1_ratio, {"standardize": True})
    model = fitted(X * units, y, alpha, l1_ratio, layout=layout, standardize=True)
    exact = ElasticNetRows(X, y, alpha, l1_ratio, standardize=True)
    base = fitted(X, y, alpha, l1_ratio, standardize=True)
    room = 2.0 * TOL * (exact.y @ exact.y) + 1e-13 * (y @ y)
    assert abs(exact.objective(model.coef_ * units) - exact.objective(base.coef_)) <= room


@given(problems(), fractions, l1_ratios)
def test_columns_in_another_order(problem, fraction, l1_ratio):
    X, y, options = problem
    alpha = alpha_of(X, y, fraction, l1_ratio, options)
    turned = dict(options)
    if "factors" in options:
        turned["factors"] = options["factors"][::-1]
    if "bounds" in options:
        turned["bounds"] = tuple(end[::-1] for end in options["bounds"])
    exact = ElasticNetRows(X, y, alpha, l1_ratio, **options)
    room = 2.0 * TOL * (exact.y @ exact.y) + 1e-13 * (y @ y)
    base = exact.objective(fitted(X, y, alpha, l1_ratio, **options).coef_)
    model = fitted(X[:, ::-1], y, alpha, l1_ratio, **turned)
    assert abs(exact.objective(model.coef_[::-1].copy()) - base) <= room


@given(rows(), l1_ratios, st.booleans())
def test_from_the_largest_alpha_on_all_coefficients_are_zero(data, l1_ratio, positive):
    X, y = data
    exact = ElasticNetRows(X, y, 1.0, l1_ratio)
    correlation = exact.X.T @ exact.y
    largest = float(np.max(correlation if positive else np.abs(correlation)) / l1_ratio)
    if largest <= 1e-10 * np.abs(y).max():
        return
    bounds = (0.0, np.inf) if positive else None
    above = fitted(X, y, largest * (1.0 + 1e-9), l1_ratio, bounds=bounds)
    assert_array_equal(above.coef_, 0.0)
    below = fitted(X, y, largest * 0.999, l1_ratio, tol=1e-14, bounds=bounds)
    assert below.coef_.any()


@given(rows(), fractions)
def test_the_l1_norm_and_the_fit_go_against_each_other(data, fraction):
    """Along the path the penalty's value grows and the residual falls as alpha does."""
    X, y = data
    top = alpha_of(X, y, 1.0, 1.0, {})
    alphas = np.array([1.0, fraction, 0.5 * fraction, 0.05 * fraction]) * top
    alphas, coefs, gaps = enet_path(
        X, y, l1_ratio=1.0, alphas=alphas, tol=1e-12, fit_intercept=True
    )
    exact = ElasticNetRows(X, y, 1.0, 1.0)
    residuals = ((exact.y[:, None] - exact.X @ coefs) ** 2).sum(axis=0) / 2.0
    norms = np.abs(coefs).sum(axis=0)
    least = residuals + alphas * norms
    room = 1e-10 * (exact.y @ exact.y) + 1e-13 * (y @ y)
    assert np.all(np.diff(least) <= room)
    assert np.all(
        np.diff(residuals) <= room / np.minimum(1.0, 1.0 - alphas[1:] / alphas[:-1] + 1e-3)
    )
    # the minimum is concave in alpha
    for a, b in zip(range(len(alphas)), range(1, len(alphas)), strict=False):
        middle = fitted(X, y, float(alphas[a] + alphas[b]) / 2.0, 1.0, tol=1e-12)
        value = ElasticNetRows(X, y, middle.alpha, 1.0).objective(middle.coef_)
        assert value >= (least[a] + least[b]) / 2.0 - room
    assert np.all(gaps <= room)


@pytest.mark.parametrize("seed", [29, 431, 775, 797, 1498, *range(20)])
def test_as_many_free_features_as_rows(seed):
    """Columns without penalty that are singular once they are centred."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 8)
    p = n + rng.integers(1, 10)
    X, y, factors = rng.standard_normal((n, p)), rng.standard_normal(n), np.ones(p)
    factors[: rng.integers(1, n + 3)] = 0.0
    model = fitted(X, y, 1.0, 0.5, factors=factors)
    exact = ElasticNetRows(X, y, 1.0, 0.5, factors=factors)
    assert model.dual_gap_ <= TOL * (exact.y @ exact.y)
    assert exact.violation(model.coef_) < 1e-6
    assert exact.objective(model.coef_) - exact.dual(model.coef_) <= 1e-9 * (exact.y @ exact.y)


@pytest.mark.parametrize("shape", [(40, 200), (200, 40)], ids=["wide", "tall"])
def test_y_times_a_power_of_two_changes_no_other_bit(shape):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = X[:, :5].sum(axis=1) + rng.standard_normal(shape[0])
    base = ElasticNet(0.1, l1_ratio=1.0).fit(X, y)
    model = ElasticNet(0.8, l1_ratio=1.0).fit(X, 8.0 * y)
    assert_array_equal(model.coef_, 8.0 * base.coef_)
    assert model.n_iter_ == base.n_iter_
    assert model.dual_gap_ == 64.0 * base.dual_gap_


def nearly_collinear(kind, n, p, seed):
    """Columns that a few directions, or each other, nearly explain."""
    rng = np.random.default_rng(seed)
    if kind == "random walks":
        X = np.cumsum(rng.standard_normal((n, p)), axis=1)
    elif kind == "flags":
        X = (rng.random((n, p)) < 0.1).astype(float)
    else:
        X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, p))
        X += float(kind) * rng.standard_normal((n, p))
    return X, X[:, ::2].sum(axis=1) + rng.standard_normal(n)


@pytest.mark.parametrize("fraction", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("shape", [(80, 30), (40, 40), (30, 80)], ids=str)
@pytest.mark.parametrize("kind", ["0.1", "0.001", "random walks", "flags"])
def test_nearly_collinear_columns(kind, shape, l1_ratio, fraction):
    for seed in range(4):
        X, y = nearly_collinear(kind, *shape, seed)
        alpha = alpha_of(X, y, fraction, l1_ratio, {})
        model = fitted(X, y, alpha, l1_ratio, tol=1e-6)
        exact = ElasticNetRows(X, y, alpha, l1_ratio)
        unit = exact.y @ exact.y
        assert model.status_ == "converged"
        assert model.dual_gap_ <= 1e-6 * unit
        # another dual point than the best so far: not quite as tight
        assert exact.objective(model.coef_) - exact.dual(model.coef_) <= 1e-3 * unit
