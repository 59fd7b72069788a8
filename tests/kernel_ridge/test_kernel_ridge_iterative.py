"""Solvers of KernelRidge that store no kernel matrix, against those that do."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from fastridge import KernelRidge, load, save
from fastridge.kernel_ridge import kernel_model

RNG = np.random.default_rng(0)
X = RNG.standard_normal((150, 3))
Y = np.sin(X[:, :2] * 2.0) + 0.1 * RNG.standard_normal((150, 2))
WEIGHT = RNG.integers(0, 3, 150).astype(float)
ALPHA = [0.1, 0.5]


def kernel_values(rows, others):
    return np.exp(-0.4 * ((rows[:, None] - others) ** 2).sum(axis=2))


ROWS = {"dense": X, "float32": X.astype(np.float32), "sparse": sp.csr_array(X)}
FORMS = [*ROWS, "precomputed"]


def fitted(form, solver, **options):
    rows, kernel = ROWS.get(form), "rbf"
    if form == "precomputed":
        rows, kernel = kernel_values(X, X), form
    model = KernelRidge(
        ALPHA, kernel=kernel, gamma=0.4, solver=solver, random_state=0, tol=1e-11, **options
    )
    return model.fit(rows, Y, WEIGHT), rows


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("solver", "rank"), [("pcg", 20), ("pcg", None), ("nystrom", None)])
def test_kernel_ridge_without_a_matrix_as_cholesky(form, solver, rank):
    expected, rows = fitted(form, "cholesky")
    model, _ = fitted(form, solver, n_components=rank)
    assert (model.solver_, model.status_) == (solver, "solved")
    assert model.residual_ < 1e-10
    assert model.n_iter_.shape == (2,)
    assert_allclose(model.predict(rows), expected.predict(rows), atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
def test_kernel_ridge_inducing_rows_minimise_their_objective(form):
    model, rows = fitted(form, "nystrom", n_components=12)
    index = model.component_indices_
    assert len(model.dual_coef_) == len(index) == 12
    assert WEIGHT[index].all()
    C, K = kernel_values(X, X[index]), kernel_values(X[index], X[index])
    for k, alpha in enumerate(ALPHA):
        system = C.T @ (WEIGHT[:, None] * C) + alpha * K
        expected = np.linalg.solve(system, C.T @ (WEIGHT * Y[:, k]))
        assert_allclose(model.dual_coef_[:, k], expected, rtol=1e-6, atol=1e-8)
        tolerance = 1e-5 if form == "float32" else 1e-9
        assert_allclose(model.predict(rows)[:, k], C @ expected, atol=tolerance)


def test_kernel_ridge_same_seed_gives_the_same_rows_and_bits():
    for solver in ("nystrom", "pcg"):
        first, second = (fitted("dense", solver, n_components=10)[0] for _ in range(2))
        assert_array_equal(first.dual_coef_, second.dual_coef_)


@pytest.mark.parametrize("solver", ["nystrom", "pcg"])
def test_kernel_ridge_too_few_iterations_warn_and_say_the_residual(solver):
    with pytest.warns(ConvergenceWarning, match="ended after 1 iterations"):
        model = KernelRidge(
            1e-6, kernel="rbf", solver=solver, n_components=5, max_iter=1, tol=1e-13
        ).fit(X, Y[:, 0])
    assert model.status_ == "not converged"
    assert model.residual_ > 1e-12
    assert model.n_iter_ == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": [0.0]}, "needs alpha above 0"),
        ({"kernel": lambda a, b: a @ b}, "a function is too slow"),
        ({"n_components": 0}, "n_components"),
    ],
)
def test_kernel_ridge_iterative_bad_parameters_are_named(parameters, message):
    parameters = {"kernel": "rbf", "solver": "nystrom"} | parameters
    with pytest.raises(ValueError, match=message):
        KernelRidge(**parameters).fit(X, Y)


def test_kernel_ridge_indefinite_kernel_is_refused_or_reported():
    K = X @ X.T - 2.0 * np.eye(150)
    with pytest.raises(ValueError, match="not positive semidefinite"):
        KernelRidge(kernel="precomputed", solver="nystrom").fit(K, Y)
    with pytest.warns(ConvergenceWarning):
        KernelRidge(kernel="precomputed", solver="pcg", n_components=5).fit(K, Y)


def test_kernel_ridge_matrix_beyond_memory_names_the_other_solvers(monkeypatch):
    monkeypatch.setattr(kernel_model, "memory_size", lambda: 100_000)
    with pytest.raises(MemoryError, match="use solver='nystrom' or 'pcg'"):
        KernelRidge().fit(X, Y)


def test_kernel_ridge_inducing_rows_are_saved(tmp_path):
    model = KernelRidge(kernel="rbf", solver="nystrom", n_components=9, random_state=1).fit(X, Y)
    save(model, tmp_path / "model")
    assert_array_equal(load(tmp_path / "model").predict(X), model.predict(X))


def test_kernel_ridge_iterative_ctrl_c_ends_a_fit(ctrl_c):
    rows = np.random.default_rng(2).standard_normal((3000, 3))
    for solver in ("nystrom", "pcg"):
        with ctrl_c(0.05):
            while True:
                KernelRidge(kernel="rbf", solver=solver).fit(rows, rows[:, 0])
