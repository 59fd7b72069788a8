"""KernelRidge against scikit-learn, against 50 digits, and where the kernel matrix is singular."""

import tracemalloc
import warnings

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge as Theirs

from fastridge import KernelRidge, KernelRidgeCV, load, save

RNG = np.random.default_rng(0)
X = RNG.standard_normal((70, 4))
Y = RNG.standard_normal((70, 2))
NEW = RNG.standard_normal((31, 4))
WEIGHT = RNG.integers(0, 3, 70).astype(float)


def manhattan(a, b, gamma=0.5):
    return float(np.exp(-gamma * np.abs(a - b).sum()))


def fitted(*data, **parameters):
    """A fit without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KernelRidge(**parameters).fit(*data)


@pytest.mark.parametrize(
    "parameters",
    [
        {"kernel": "linear"},
        {"kernel": "rbf"},
        {"kernel": "poly", "degree": 2, "gamma": 0.3, "coef0": 2.0},
        {"kernel": "polynomial", "degree": 1.5, "gamma": 0.01, "coef0": 3},
        {"kernel": "laplacian", "gamma": 0.7},
        {"kernel": "sigmoid", "gamma": 0.01, "alpha": 9.0},
        {"kernel": "cosine"},
        {"kernel": "chi2", "gamma": 0.3},
        {"kernel": "additive_chi2", "alpha": 1e3},
        {"kernel": manhattan, "kernel_params": {"gamma": 0.2}},
    ],
    ids=lambda parameters: getattr(parameters["kernel"], "__name__", parameters["kernel"]),
)
def test_kernel_ridge_every_kernel_as_sklearn(parameters):
    rows, new = (np.abs(X), np.abs(NEW)) if "chi2" in str(parameters["kernel"]) else (X, NEW)
    parameters = {"alpha": 0.3} | parameters
    for y, weight in ((Y, None), (Y[:, 0], WEIGHT), (Y[:, 0], 2.0)):
        theirs = Theirs(**parameters).fit(rows, y, weight)
        ours = fitted(rows, y, weight, **parameters)
        assert ours.dual_coef_.shape == theirs.dual_coef_.shape
        assert_allclose(ours.dual_coef_, theirs.dual_coef_, rtol=1e-9, atol=1e-12)
        assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("n_targets", [3, 9])
def test_kernel_ridge_alpha_of_each_target_as_one_fit_each(n_targets):
    alphas, targets = np.logspace(-2, 2, n_targets), RNG.standard_normal((70, n_targets))
    model = KernelRidge(alphas, kernel="rbf").fit(X, targets, WEIGHT)
    assert model.solver_ == ("cholesky" if n_targets == 3 else "eigh")
    for k, alpha in enumerate(alphas):
        one = KernelRidge(alpha, kernel="rbf").fit(X, targets[:, k], WEIGHT)
        assert_allclose(model.dual_coef_[:, k], one.dual_coef_, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly", "cosine", "laplacian", "sigmoid"])
def test_kernel_ridge_sparse_rows_as_dense(kernel):
    S = sp.random_array((70, 30), density=0.2, rng=np.random.default_rng(1))
    dense = fitted(S.toarray(), Y, kernel=kernel, alpha=5.0)
    for form in (S.tocsr(), sp.csc_matrix(S)):
        model = fitted(form, Y, kernel=kernel, alpha=5.0)
        assert_allclose(model.dual_coef_, dense.dual_coef_, rtol=1e-10, atol=1e-13)
        assert_allclose(model.predict(form), dense.predict(S.toarray()), rtol=1e-10, atol=1e-12)


def test_kernel_ridge_layouts_and_types_of_x_as_float64():
    expected = KernelRidge(kernel="rbf").fit(X, Y)
    for rows in (
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        X.astype(">f8"),
        np.ascontiguousarray(X[::-1])[::-1],
    ):
        model = KernelRidge(kernel="rbf").fit(rows, Y)
        assert_allclose(model.dual_coef_, expected.dual_coef_, rtol=1e-13)
    single = X.astype(np.float32)
    model = KernelRidge(kernel="rbf").fit(single, Y)
    assert model.dual_coef_.dtype == np.float64
    expected = KernelRidge(kernel="rbf").fit(single.astype(float), Y)
    assert_allclose(model.dual_coef_, expected.dual_coef_, rtol=1e-13)
    whole = np.round(3 * X)
    model = KernelRidge(kernel="rbf").fit(whole.astype(int), Y)
    assert_array_equal(model.dual_coef_, KernelRidge(kernel="rbf").fit(whole, Y).dual_coef_)


def test_kernel_ridge_many_features_as_sklearn():
    wide = RNG.standard_normal((60, 600))
    ours, theirs = (model(kernel="rbf").fit(wide, Y[:60]) for model in (KernelRidge, Theirs))
    assert_allclose(ours.dual_coef_, theirs.dual_coef_, rtol=1e-11)


def test_kernel_ridge_rbf_to_fifty_digits():
    rows, y, weight = X[:7] + 1e4, Y[:7, 0], WEIGHT[:7] + 0.5
    with mpmath.workdps(50):
        points = mpmath.matrix(rows.tolist())
        K = mpmath.matrix(7)
        for i in range(7):
            for j in range(7):
                square = sum((points[i, k] - points[j, k]) ** 2 for k in range(4))
                K[i, j] = mpmath.exp(-square / 4)
        for i in range(7):
            K[i, i] += mpmath.mpf(1e-3) / weight[i]
        exact = np.array([float(c) for c in mpmath.lu_solve(K, mpmath.matrix(y.tolist()))])
    model = KernelRidge(1e-3, kernel="rbf", gamma=0.25).fit(rows, y, weight)
    assert_allclose(model.dual_coef_, exact, rtol=1e-12)


def test_kernel_ridge_ill_conditioned_solves_its_equations():
    rows = np.linspace(0.0, 1.0, 300)[:, None]
    y = np.sin(9.0 * rows[:, 0])
    model = KernelRidge(1e-9, kernel="rbf", gamma=1.0).fit(rows, y)
    assert model.rcond_ < 1e-8
    K = np.exp(-((rows - rows.T) ** 2))
    residual = y - K @ model.dual_coef_ - 1e-9 * model.dual_coef_
    size = np.abs(K).sum(axis=1).max() * np.abs(model.dual_coef_).max()
    assert np.abs(residual).max() < 1e-15 * size


def test_kernel_ridge_repeated_rows_without_penalty_averages_their_targets():
    rows, y = np.vstack([X, X[:20]]), np.concatenate([Y[:, 0], Y[:20, 0] + 0.2])
    with pytest.warns(UserWarning, match="singular to rounding"):
        model = KernelRidge(0.0, kernel="rbf").fit(rows, y)
    assert model.status_ == "singular"
    assert model.rcond_ < 1e-15
    assert_allclose(model.predict(X), Y[:, 0] + np.where(np.arange(70) < 20, 0.1, 0.0), atol=1e-8)


@pytest.mark.parametrize(
    ("gamma", "message"), [(1e6, "zero between all rows"), (1e-14, "same between all rows")]
)
def test_kernel_ridge_gamma_without_information_warns(gamma, message):
    with pytest.warns(UserWarning, match=message):
        KernelRidge(0.1, kernel="rbf", gamma=gamma).fit(X, Y)


def test_kernel_ridge_indefinite_kernel_warns_and_solves_as_sklearn():
    K = X @ X.T - 2.0 * np.eye(70)
    with pytest.warns(UserWarning, match="not positive semidefinite"):
        model = KernelRidge(kernel="precomputed").fit(K, Y)
    assert model.status_ == "indefinite"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = Theirs(kernel="precomputed").fit(K, Y)
    assert_allclose(model.dual_coef_, theirs.dual_coef_, rtol=1e-10)
    assert fitted(K, Y, kernel="precomputed", alpha=2.5).status_ == "solved"


def test_kernel_ridge_asymmetric_kernel_warns():
    K = X @ X.T + np.triu(np.full((70, 70), 0.1), 1)
    with pytest.warns(UserWarning, match="not symmetric"):
        KernelRidge(kernel="precomputed").fit(K, Y)


@pytest.mark.parametrize(
    ("parameters", "rows", "message"),
    [
        ({"kernel": "poly", "degree": 300}, 100 * X, "kernel matrix holds NaN or infinity"),
        ({"kernel": "rbf"}, 1e200 * X, "kernel matrix holds NaN or infinity"),
        ({"kernel": "poly", "degree": 2.5}, X, "kernel matrix holds NaN or infinity"),
        ({"kernel": "precomputed"}, X, "of shape"),
        ({"kernel": "chi2"}, X, "Negative values in data"),
        ({"alpha": [1.0, 2.0, 3.0]}, X, "one value for each of 2 targets"),
        ({"alpha": [np.nan]}, X, "must be finite"),
        ({"kernel": lambda a, b: a}, X, "must return a number"),
        ({"kernel": "rbf"}, np.where(X > 2.0, np.nan, X), "contains NaN"),
    ],
)
def test_kernel_ridge_bad_input_is_named(parameters, rows, message):
    with pytest.raises(ValueError, match=message):
        KernelRidge(**parameters).fit(rows, Y)


def test_kernel_ridge_far_outlier_leaves_the_digits_of_other_rows():
    rows = X.copy()
    rows[0] = 1e12
    model = KernelRidge(0.1, kernel="rbf").fit(rows, Y)
    expected = KernelRidge(0.1, kernel="rbf").fit(X[1:], Y[1:])
    assert_allclose(model.dual_coef_[1:], expected.dual_coef_, rtol=1e-11)


def test_kernel_ridge_rows_without_weight_count_nowhere():
    kept = WEIGHT > 0.0
    for kernel in ("rbf", "precomputed"):
        rows = X @ X.T if kernel == "precomputed" else X
        some = rows[kept][:, kept] if kernel == "precomputed" else rows[kept]
        model = KernelRidge(kernel=kernel).fit(rows, Y, WEIGHT)
        expected = KernelRidge(kernel=kernel).fit(some, Y[kept], WEIGHT[kept])
        assert_array_equal(model.dual_coef_[kept], expected.dual_coef_)
        assert not model.dual_coef_[~kept].any()


def test_kernel_ridge_saved_and_loaded_predicts_the_same(tmp_path):
    for rows in (X, sp.csr_array(X)):
        model = KernelRidge([0.1, 2.0], kernel="rbf").fit(rows, Y)
        save(model, tmp_path / "model")
        assert_array_equal(load(tmp_path / "model").predict(NEW), model.predict(NEW))


def test_kernel_ridge_threads_give_the_same_bits_each_time():
    rows = np.random.default_rng(2).standard_normal((500, 3))
    y = rows[:, 0]
    first, second = (KernelRidge(kernel="rbf", n_threads=2).fit(rows, y) for _ in range(2))
    assert_array_equal(first.dual_coef_, second.dual_coef_)
    one = KernelRidge(kernel="rbf", n_threads=1).fit(rows, y)
    assert_allclose(one.dual_coef_, first.dual_coef_, rtol=1e-9)


def test_kernel_ridge_memory_is_one_kernel_matrix():
    rows = np.random.default_rng(2).standard_normal((2400, 3))
    tracemalloc.start()
    KernelRidge(kernel="rbf").fit(rows, rows[:, 0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * 8 * 2400**2


def test_kernel_ridge_ctrl_c_ends_a_fit(ctrl_c):
    rows = np.random.default_rng(2).standard_normal((2000, 3))
    with ctrl_c(0.05):
        while True:
            KernelRidge(kernel="rbf").fit(rows, rows[:, 0])


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize(
    "model",
    [
        KernelRidge(kernel="rbf", gamma=0.3, alpha=0.1),
        KernelRidge(kernel="polynomial", degree=2, coef0=0.5),
        KernelRidge(kernel="rbf", solver="nystrom", n_components=8, random_state=0),
        KernelRidgeCV(kernel="rbf", gamma=[0.1, 1.0], alphas=[0.1, 1.0]),
    ],
    ids=repr,
)
def test_to_sklearn_predicts_the_same(model, targets):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3)), rng.standard_normal((30, targets))
    model = clone(model).fit(X, y[:, 0] if targets == 1 else y)
    theirs = model.to_sklearn()
    assert type(theirs).__module__.startswith("sklearn.")
    np.testing.assert_allclose(theirs.predict(X), model.predict(X), rtol=1e-9, atol=1e-12)
