"""Iterative solvers: right for every column whatever its unit, or a warning."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from fastridge import Ridge
from fastridge.solvers import solver_selection

SHAPES = [(120, 60), (60, 120)]


def sparse_rows(n, p, seed=0, density=0.2):
    rng = np.random.default_rng(seed)
    X = sp.random(n, p, density, format="csr", random_state=rng)
    return X, X @ rng.standard_normal(p) + 0.1 * rng.standard_normal(n) + 2.0


def times(X, factors):
    return sp.csr_array(X @ sp.diags_array(factors))


def by_mathematics(X, y, alpha, factors=1.0):
    """Coefficients from equilibrated rows and QR."""
    X = X.toarray() if sp.issparse(X) else X
    X, y, p = X - X.mean(axis=0), y - y.mean(), X.shape[1]
    A = np.vstack([X, np.diag(np.sqrt(alpha * factors * np.ones(p)))])
    length = np.sqrt(np.sum(A**2, axis=0))
    return np.linalg.lstsq(A / length, np.append(y, np.zeros(p)))[0] / length


@pytest.fixture
def large(monkeypatch):
    """Have `auto` take sparse rows of any size for large ones."""
    monkeypatch.setattr(solver_selection, "_SPARSE_ORDER", 10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alpha", [1.0, 1e-6])
@pytest.mark.parametrize("unit", [1.0, 1e6, 1e9, 1e-6])
@pytest.mark.usefixtures("large")
def test_auto_large_sparse_some_columns_in_other_units_every_column_is_right(unit, alpha, shape):
    X, y = sparse_rows(*shape)
    X = times(X, np.append(np.full(10, unit), np.ones(shape[1] - 10)))
    model = Ridge(alpha).fit(X, y)
    assert model.solver_ == "sparse_cg"
    assert 0.0 < model.rcond_ <= 1.0
    expected = by_mathematics(X, y, alpha)
    digits = 1e-9 if alpha == 1.0 else 1e-6
    error = np.abs(model.coef_ - expected) * np.append(np.full(10, unit), np.ones(shape[1] - 10))
    assert np.max(error) < digits * np.max(np.abs(expected[10:]))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("by", ["standardize", "factors"])
@pytest.mark.parametrize("solver", ["auto", "sparse_cg", "lsqr"])
@pytest.mark.usefixtures("large")
def test_iterative_columns_times_powers_of_two_same_fit(solver, by, shape):
    X, y = sparse_rows(*shape)
    power = np.random.default_rng(1).integers(-200, 201, shape[1])
    options = [{"standardize": True}] * 2
    if by == "factors":
        options = [{"penalty_factors": f} for f in (np.ones(shape[1]), np.ldexp(1.0, 2 * power))]
    params = {"solver": solver, "tol": 1e-13}
    plain = Ridge(0.7, **params, **options[0]).fit(X, y)
    scaled = Ridge(0.7, **params, **options[1]).fit(times(X, np.ldexp(1.0, power)), y)
    assert_allclose(np.ldexp(scaled.coef_, power), plain.coef_, rtol=1e-9, atol=1e-10)
    assert_allclose(scaled.intercept_, plain.intercept_, rtol=1e-9)
    assert_array_equal(scaled.solver_, plain.solver_)


@pytest.mark.parametrize("solver", ["auto", "sparse_cg", "lsqr", "gd"])
@pytest.mark.usefixtures("large")
def test_iterative_target_times_power_of_two_same_fit_to_the_bit(solver):
    X, y = sparse_rows(80, 30)
    model = Ridge(0.7, solver=solver)
    small, plain = model.fit(X, np.ldexp(y, -300)).coef_.copy(), model.fit(X, y).coef_
    if solver == "gd":
        assert_allclose(np.ldexp(small, 300), plain, rtol=1e-9)
    else:
        assert_array_equal(np.ldexp(small, 300), plain)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("solver", ["auto", "sparse_cg", "lsqr", "gd"])
@pytest.mark.usefixtures("large")
def test_iterative_rows_without_weight_change_nothing(solver, shape):
    X, y = sparse_rows(*shape)
    more = sp.vstack([X, 1e3 * sparse_rows(40, shape[1], 5)[0]], format="csr")
    weight = np.append(np.ones(shape[0]), np.zeros(40))
    model = Ridge(0.3, solver=solver, tol=1e-12, max_iter=20000)
    plain = model.fit(X, y).coef_.copy()
    longer = model.fit(more, np.append(y, np.full(40, 1e3)), weight).coef_
    assert_allclose(longer, plain, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("unit", [1e3, 1e6])
@pytest.mark.parametrize("solver", ["sparse_cg", "lsqr", "gd"])
def test_iterative_default_tolerance_no_column_is_silently_wrong(solver, unit, shape):
    X, y = sparse_rows(*shape)
    X = times(X, np.append(np.full(10, unit), np.ones(shape[1] - 10)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Ridge(1.0, solver=solver, tol=1e-5).fit(X, y)
    if solver == "gd" and caught:
        assert caught[0].category is ConvergenceWarning
        assert "standardize=True" in str(caught[0].message)
        return
    assert not caught
    X = X.toarray()
    length = np.sqrt(np.sum((X - X.mean(axis=0)) ** 2, axis=0) + 1.0)
    error = (model.coef_ - by_mathematics(X, y, 1.0)) * length
    assert np.max(np.abs(error)) < 1e-3 * np.linalg.norm(y)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.usefixtures("large")
def test_auto_large_sparse_no_penalty_least_norm(shape):
    X, y = sparse_rows(*shape)
    X = X.tolil()
    X[:, 1] = 2.0 * X[:, 0]
    X[:, 2] = X[:, 3] + X[:, 4]
    X = sp.csr_array(X)
    centred = X.toarray() - X.toarray().mean(axis=0)
    expected = np.linalg.pinv(centred, rcond=1e-12) @ (y - y.mean())
    assert_allclose(Ridge(0.0).fit(X, y).coef_, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.usefixtures("large")
def test_auto_large_sparse_no_penalty_full_rank_in_any_units():
    X, y = sparse_rows(200, 40)
    X = times(X, np.logspace(-6, 6, 40))
    expected = by_mathematics(X, y, 0.0)
    assert_allclose(Ridge(0.0).fit(X, y).coef_, expected, rtol=1e-7)


@pytest.mark.usefixtures("large")
def test_auto_large_sparse_nearly_collinear_warns_with_the_remedy():
    X, y = sparse_rows(200, 40)
    X = X.tolil()
    X[:, 1] = X[:, 0]
    X[0, 1] = X[0, 0] + 1e-9
    X = sp.csr_array(X)
    with pytest.warns(ConvergenceWarning, match="nearly collinear.*Increase alpha"):
        model = Ridge(1e-20).fit(X, y + 1e3 * (np.arange(200) == 0))
    assert model.rcond_ < 1e-10


@pytest.mark.usefixtures("large")
def test_auto_large_sparse_wide_least_norm_in_far_units_warns():
    X, y = sparse_rows(60, 120)
    X = times(X, np.append(np.full(10, 1e6), np.ones(110)))
    with pytest.warns(ConvergenceWarning, match="relative error of about"):
        Ridge(1e-12).fit(X, y)


@pytest.mark.usefixtures("large")
def test_auto_large_sparse_several_targets_and_alphas():
    X, y = sparse_rows(100, 30)
    Y = np.column_stack([y, -2.0 * y + X[:, [3]].toarray().ravel(), np.ones(100), 1e-9 * y])
    alphas = np.array([1.0, 1e-3, 1.0, 0.0])
    model = Ridge(alphas).fit(X, Y)
    for k, alpha in enumerate(alphas):
        scale = np.max(np.abs(Y[:, k]))
        expected = by_mathematics(X, Y[:, k], alpha)
        assert_allclose(model.coef_[k], expected, rtol=1e-7, atol=1e-9 * scale)
    assert model.n_iter_.shape == (4,)


@pytest.mark.parametrize("solver", ["sparse_cg", "lsqr"])
def test_iterative_no_penalty_least_norm_of_dense_columns(solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 50)) + 3.0
    y = rng.standard_normal(20)
    centred = X - X.mean(axis=0)
    expected = np.linalg.pinv(centred) @ (y - y.mean())
    model = Ridge(0.0, solver=solver, tol=1e-13).fit(X, y)
    assert_allclose(model.coef_, expected, rtol=1e-8)


@pytest.mark.parametrize("mean", [1e4, 1e8, 1e12])
@pytest.mark.parametrize("solver", ["auto", "sparse_cg", "lsqr"])
@pytest.mark.usefixtures("large")
def test_iterative_sparse_columns_far_from_zero_keep_their_digits(solver, mean):
    X, y = sparse_rows(200, 40)
    far = np.round(mean + 64.0 * np.random.default_rng(3).standard_normal((200, 2)))
    X = sp.hstack([X, sp.csr_array(far)], format="csr")
    y = y + (far - mean) @ [1.0, 2.0]
    centred = X.toarray()
    centred[:, -2:] -= mean
    model = Ridge(1.0, solver=solver, tol=1e-13).fit(X, y)
    assert_allclose(model.coef_, by_mathematics(centred, y, 1.0), rtol=1e-8, atol=1e-10)


def apart_in_units(kind, by, seed=0):
    """Rows that leave directions undetermined, with columns in other units."""
    rng = np.random.default_rng(seed)
    if kind == "wide":
        X = rng.standard_normal((20, 60)) * np.logspace(0, np.log10(by), 60)
    else:
        X = sp.random_array((200, 30), density=0.3, random_state=rng).toarray()
        X[:, 1], X[:, 2] = by * X[:, 0], X[:, 3] + by * X[:, 4]
    return X, X[:, :5].sum(axis=1) + rng.standard_normal(len(X))


@pytest.mark.parametrize("kind", ["wide", "collinear"])
@pytest.mark.parametrize("by", [1.0, 30.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("alpha", [1e-9, 1e-4, 1.0])
@pytest.mark.parametrize(
    ("solver", "tol", "error"),
    [("sparse_cg", 1e-4, 2e-3), ("sparse_cg", 1e-10, 1e-8), ("lsqr", 1e-4, 1e-2)],
)
def test_iterative_directions_left_undetermined_are_shrunk_as_by_the_penalty(
    solver, tol, error, alpha, by, kind
):
    X, y = apart_in_units(kind, by)
    expected = Ridge(alpha, solver="svd").fit(X, y).coef_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Ridge(alpha, solver=solver, tol=tol).fit(sp.csr_array(X), y)
    length = np.linalg.norm(X - X.mean(axis=0), axis=0)
    wrong = np.max(np.abs(model.coef_ - expected) * length)
    assert wrong < error * np.max(np.abs(expected) * length)


@pytest.mark.parametrize("solver", ["sparse_cg", "lsqr"])
def test_iterative_max_iter_bounds_the_iterations_in_all_units(solver):
    X, y = apart_in_units("wide", 1e9)
    with pytest.warns(ConvergenceWarning):
        model = Ridge(1.0, solver=solver, tol=1e-12, max_iter=25).fit(sp.csr_array(X), y)
    assert np.max(model.n_iter_) <= 25


@pytest.mark.parametrize("solver", ["sparse_cg", "lsqr"])
def test_iterative_small_alpha_for_one_target_among_several(solver):
    X = np.array([[-0.6, -7.5e-5], [1.1, 1.3e-4]])
    Y = np.array([[1153.0, 1099.0], [1989.0, 77.0]])
    model = Ridge([10.0, 1e-6], solver=solver, tol=1e-10, fit_intercept=False).fit(X, Y)
    right = [[129.30855637176993, 0.014778499106921725], [-365.61994894299077, -3597.4177635928026]]
    assert_allclose(model.coef_, right, rtol=1e-8)
