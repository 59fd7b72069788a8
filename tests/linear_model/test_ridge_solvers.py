"""The solvers of Ridge: agreement, what each reports, which auto takes, and what is refused."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from reference import relative_error, ridge_by_lstsq
from sklearn.exceptions import ConvergenceWarning

from fastridge import Ridge

DIRECT = ["cholesky", "eigh", "svd", "qr"]
ITERATIVE = ["lsqr", "sparse_cg", "gd"]
SOLVERS = ["auto", *DIRECT, *ITERATIVE]


def problem(n, p, t=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 1.0
    y = X @ rng.standard_normal((p,) if t is None else (p, t)) + 2.0
    y += 0.5 * rng.standard_normal(y.shape)
    return X, y, rng.uniform(0.2, 2.0, n)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(50, 6), (7, 20), (10, 10)], ids=["tall", "wide", "square"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("t", [None, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_solvers_agree(solver, shape, fit_intercept, t, weighted):
    X, y, weight = problem(*shape, t)
    weight = weight if weighted else None
    model = Ridge(alpha=0.8, solver=solver, fit_intercept=fit_intercept, tol=1e-12, max_iter=20000)
    model.fit(X, y, sample_weight=weight)
    coef, intercept = ridge_by_lstsq(X, y, 0.8, weight, fit_intercept)
    bound = 1e-6 if solver in ITERATIVE else 1e-11
    assert relative_error(np.atleast_2d(model.coef_), coef) < bound
    intercepts = np.broadcast_to(model.intercept_, len(intercept))
    assert_allclose(intercepts, intercept, rtol=bound, atol=10 * bound)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(50, 6), (7, 20)], ids=["tall", "wide"])
def test_solvers_take_one_alpha_for_each_target(solver, shape):
    X, Y, weight = problem(*shape, 3)
    alphas = [0.1, 1.0, 10.0]
    model = Ridge(alpha=alphas, solver=solver, tol=1e-12, max_iter=50000)
    model.fit(X, Y, sample_weight=weight)
    coef, _ = ridge_by_lstsq(X, Y, alphas, weight)
    assert relative_error(model.coef_, coef) < 1e-6


@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "qr", *ITERATIVE])
@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("shape", [(60, 6), (8, 20)], ids=["tall", "wide"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_solvers_agree_on_sparse_input(solver, make, shape, fit_intercept, weighted):
    X, y, weight = problem(*shape, 2)
    X[np.random.default_rng(1).random(shape) < 0.6] = 0.0
    weight = weight if weighted else None
    model = Ridge(alpha=0.8, solver=solver, fit_intercept=fit_intercept, tol=1e-12, max_iter=20000)
    model.fit(make(X), y, sample_weight=weight)
    coef, intercept = ridge_by_lstsq(X, y, 0.8, weight, fit_intercept)
    bound = 1e-6 if solver in ITERATIVE else 1e-11
    assert relative_error(model.coef_, coef) < bound
    assert_allclose(np.broadcast_to(model.intercept_, 2), intercept, rtol=bound, atol=10 * bound)


@pytest.mark.parametrize("nesterov", [True, False])
def test_gradient_descent_with_and_without_acceleration(nesterov):
    X, y, weight = problem(60, 6)
    model = Ridge(alpha=5.0, solver="gd", nesterov=nesterov, tol=1e-12, max_iter=100000)
    model.fit(X, y, sample_weight=weight)
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 5.0, weight)[0][0]) < 1e-7


def test_acceleration_takes_fewer_iterations_on_an_ill_conditioned_problem():
    X, y, _ = problem(200, 6)
    X = X * np.logspace(0, -1.5, 6)
    iterations = [
        Ridge(alpha=1e-2, solver="gd", nesterov=nesterov, tol=1e-8, max_iter=200000)
        .fit(X, y)
        .n_iter_[0]
        for nesterov in (True, False)
    ]
    assert iterations[0] < iterations[1] / 2


# --- what is reported ----------------------------------------------------------------------------


@pytest.mark.parametrize("solver", DIRECT + ITERATIVE)
def test_solver_is_reported_as_requested(solver):
    X, y, _ = problem(50, 6)
    assert Ridge(solver=solver).fit(X, y).solver_ == solver


def test_auto_says_what_ran():
    X, y, _ = problem(50, 6)
    model = Ridge().fit(X, y)
    assert model.solver_ in [*DIRECT, *ITERATIVE]
    assert model.solver_ == "cholesky"
    assert Ridge(positive=True).fit(X, y).solver_ == "nnls"


def test_auto_leaves_cholesky_when_that_would_lose_digits():
    rng = np.random.default_rng(0)
    X, y, _ = problem(60, 4)
    nearly = np.hstack([X, X[:, :1] + 1e-9 * rng.standard_normal((60, 1))])
    model = Ridge(alpha=0.0).fit(nearly, y)
    assert model.solver_ in ("qr", "svd")
    exactly = np.hstack([X, X[:, :1]])
    assert Ridge(alpha=0.0).fit(exactly, y).solver_ in ("eigh", "qr", "svd")
    assert Ridge(alpha=1.0).fit(exactly, y).solver_ == "cholesky"


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("shape", [(80, 6), (6, 30)], ids=["tall", "wide"])
def test_auto_is_as_accurate_as_svd_however_bad_the_condition(condition, shape):
    rng = np.random.default_rng(1)
    n, p = shape
    k = min(n, p) - 1
    U = np.linalg.qr(rng.standard_normal((n, k)))[0]
    V = np.linalg.qr(rng.standard_normal((p, k)))[0]
    U -= U.mean(axis=0)
    U = np.linalg.qr(U)[0]
    X = (U * np.geomspace(1.0, 1.0 / condition, k)) @ V.T
    truth = V @ rng.standard_normal(k)
    model = Ridge(alpha=0.0).fit(X, X @ truth)
    assert relative_error(model.coef_, truth) < 1e-13 * condition * 10


@pytest.mark.parametrize(
    ("solver", "shape"),
    [
        *((solver, (300, 5)) for solver in DIRECT),
        *((s, (5, 300)) for s in ("cholesky", "eigh", "svd")),
    ],
)
def test_rcond_tells_good_from_bad(solver, shape):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = rng.standard_normal(shape[0])
    conditions = []
    for distance in [1.0, 1e-2, 1e-4]:
        near = X.copy()
        if shape[0] > shape[1]:
            near[:, 0] = near[:, 1] + distance * X[:, 0]
        else:
            near[0] = near[1] + distance * X[0]
        model = Ridge(alpha=1e-9, solver=solver, fit_intercept=False).fit(near, y)
        assert isinstance(model.rcond_, float)
        conditions.append(model.rcond_)
    assert 0.05 < conditions[0] <= 1.0
    assert 0.0 < conditions[1] < conditions[0] / 10
    assert 0.0 < conditions[2] < conditions[0] / 1000


def test_gradient_descent_knows_no_condition():
    X, y, _ = problem(40, 4)
    assert Ridge(solver="gd").fit(X, y).rcond_ is None


@pytest.mark.parametrize("distance", [1e-1, 1e-3])
def test_conjugate_gradients_estimate_the_condition(distance):
    X, y, _ = problem(60, 5)
    X[:, 0] = X[:, 1] + distance * X[:, 0]
    direct = Ridge(1e-9).fit(X, y).rcond_
    model = Ridge(1e-9, solver="sparse_cg", tol=1e-12).fit(X * [1e8, 1, 1, 1e-7, 1], y)
    assert 0.3 < model.rcond_ / direct < 10.0
    lsqr = Ridge(1e-9, solver="lsqr", tol=1e-12).fit(X, y)
    assert 0.03 < lsqr.rcond_ / np.sqrt(direct) < 10.0


@pytest.mark.parametrize("solver", DIRECT)
def test_direct_solvers_take_one_step(solver):
    X, Y, _ = problem(40, 4, 3)
    assert_array_equal(Ridge(solver=solver).fit(X, Y).n_iter_, [1, 1, 1])


@pytest.mark.parametrize("solver", ITERATIVE)
def test_iterations_are_one_number_a_target(solver):
    X, Y, _ = problem(40, 4, 3)
    model = Ridge(solver=solver, tol=1e-6).fit(X, Y)
    assert model.n_iter_.shape == (3,)
    assert np.all(model.n_iter_ >= 1)
    assert np.issubdtype(model.n_iter_.dtype, np.integer)


@pytest.mark.parametrize("solver", ITERATIVE)
def test_too_few_iterations_warn_with_the_remedy(solver):
    X, y, _ = problem(60, 8)
    X = X * np.logspace(0, -2, 8)
    with pytest.warns(ConvergenceWarning, match=rf"(?s){solver}.*max_iter|max_iter.*{solver}"):
        model = Ridge(alpha=1e-3, solver=solver, max_iter=2, tol=1e-12).fit(X, y)
    assert np.all(np.isfinite(model.coef_))


@pytest.mark.parametrize("solver", ITERATIVE)
def test_defaults_converge_without_a_warning(solver):
    X, y, _ = problem(60, 8)
    model = Ridge(solver=solver).fit(X, y)
    assert relative_error(model.coef_, ridge_by_lstsq(X, y, 1.0)[0][0]) < 1e-2


@pytest.mark.parametrize("solver", ITERATIVE)
def test_a_smaller_tolerance_is_not_less_accurate(solver):
    X, y, _ = problem(100, 8)
    X = X * np.logspace(0, -1, 8)
    expected = ridge_by_lstsq(X, y, 0.1)[0][0]
    errors = [
        relative_error(
            Ridge(alpha=0.1, solver=solver, tol=tol, max_iter=100000).fit(X, y).coef_, expected
        )
        for tol in (1e-2, 1e-10)
    ]
    assert errors[1] <= errors[0]
    assert errors[1] < 1e-6


# --- solvers of scikit-learn only ----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(20, 3), (4, 9)])
@pytest.mark.parametrize("solver", ["sag", "saga", "lbfgs"])
def test_solver_of_sklearn_only_gives_the_exact_answer_and_says_what_ran(solver, shape):
    X, y, _ = problem(*shape, 1)
    positive = solver == "lbfgs"
    exact = Ridge(positive=positive).fit(X, y)
    model = Ridge(solver=solver, positive=positive, tol=0.5, max_iter=9).fit(X, y)
    assert_array_equal(model.coef_, exact.coef_)
    assert model.solver_ == exact.solver_ == ("nnls" if positive else "cholesky")
    assert model.solver == solver
    assert_array_equal(
        Ridge(solver=solver, positive=positive).partial_fit(X, y).coef_ > 0.0, exact.coef_ > 0.0
    )


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"solver": "lbfgs"}, ["'lbfgs' solver can be used only when positive=True"]),
        ({"solver": "sag", "positive": True}, ["solver='sag' does not support positive fitting"]),
        ({"solver": "newton"}, ["solver", "newton", "cholesky"]),
        ({"solver": None}, ["solver"]),
        ({"solver": "svd", "positive": True}, ["positive", "svd"]),
        ({"alpha": -1.0}, ["alpha"]),
        ({"alpha": np.nan}, ["alpha"]),
        ({"alpha": np.inf}, ["alpha"]),
        ({"alpha": [1.0, -1.0]}, ["alpha"]),
        ({"alpha": "large"}, ["alpha"]),
        ({"alpha_scale": "median"}, ["alpha_scale", "sum", "mean"]),
        ({"tol": -1.0}, ["tol"]),
        ({"max_iter": 0}, ["max_iter"]),
        ({"n_threads": 0}, ["n_threads"]),
        ({"n_threads": 1.5}, ["n_threads"]),
        ({"penalty_factors": [1.0, 2.0]}, ["penalty_factors", "2", "3"]),
        ({"penalty_factors": [1.0, -2.0, 1.0]}, ["penalty_factors"]),
        ({"penalty_factors": [1.0, np.nan, 1.0]}, ["penalty_factors"]),
        ({"standardize": "yes"}, ["standardize"]),
        ({"fit_intercept": "yes"}, ["fit_intercept"]),
        ({"positive": "yes"}, ["positive"]),
    ],
    ids=lambda value: (
        "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else ""
    ),
)
def test_parameters_that_are_refused_are_named_with_those_supported(params, words):
    X, y, _ = problem(20, 3, 2)
    with pytest.raises((ValueError, TypeError)) as error:
        Ridge(**params).fit(X, y)
    assert isinstance(error.value, ValueError)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("shape", [(20, 3), (3, 20)], ids=["tall", "wide"])
def test_svd_would_densify_and_refuses_sparse_input(shape):
    X = scipy.sparse.csr_array(np.eye(*shape))
    with pytest.raises(ValueError, match="(?s)svd.*sparse"):
        Ridge(solver="svd").fit(X, np.arange(float(shape[0])))


def test_random_state_changes_nothing():
    X, y, _ = problem(100, 5)
    first = Ridge(random_state=0).fit(X, y)
    second = Ridge(random_state=np.random.RandomState(9)).fit(X, y)
    assert_array_equal(first.coef_, second.coef_)


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("apart", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "qr", "svd"])
def test_ridge_feature_nearly_repeated_by_one_without_penalty_keeps_its_digits(
    solver, apart, alpha
):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 3))
    X[:, 0] = X[:, 1] + apart * rng.standard_normal(30)
    y = X.sum(axis=1) + rng.standard_normal(30)
    # what the free feature leaves of the other two, in extended precision
    rows = np.column_stack([X, y]).astype(np.longdouble)
    rows -= rows.mean(axis=0)
    free = rows[:, 0]
    rest = rows - np.outer(free, free @ rows / (free @ free))
    rest -= np.outer(free, free @ rest / (free @ free))
    A, b = rest[:, 1:3], rest[:, 3]
    (a, c), d = A.T @ A[:, 0], A[:, 1] @ A[:, 1]
    u, v = A.T @ b
    a, d = a + alpha, d + alpha
    expected = np.array([d * u - c * v, a * v - c * u], dtype=float) / float(a * d - c * c)
    model = Ridge(alpha, solver=solver, penalty_factors=[0.0, 1.0, 1.0]).fit(X, y)
    assert_allclose(model.coef_[1:], expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh", "qr"])
def test_ridge_sparse_columns_far_from_zero_keep_digits_next_to_a_free_copy(solver, make):
    x = np.array([0.0, -2.0, 1.0, 1.0, -3.0, 1.0])
    d = np.array([-2.0, 3.0, 3.0, 3.0, -2.0, -3.0]) * 1e-9
    X, y = np.column_stack([x + d, x]) + 1000.0, [0.0, -2.0, -3.0, 3.0, 3.0, 0.0]
    model = Ridge(1e-4, solver=solver, penalty_factors=[0.0, 1.0]).fit(make(X), y)
    right = [-0.304459999, 1.12172727e-4]  # in 60 digits
    assert_allclose(model.coef_, right, rtol=0.0, atol=1e-9)
