"""enet_path and lasso_path: single fits at each alpha, scikit-learn's paths, the certificate."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model
from numpy.testing import assert_allclose, assert_array_equal
from reference import ElasticNetRows, elastic_net_by_descent, kkt_violation
from sklearn.exceptions import ConvergenceWarning
from versions import as_newest_sklearn

from fastridge import ElasticNet, Lasso, Ridge, enet_path, lasso_path
from fastridge.linear_model.path_results import PathCertificate
from fastridge.solvers.coordinate_descent import gram_sources as sources

SHAPES = {"tall": (60, 8), "wide": (12, 30)}
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
}
TOL = 1e-12
tall_and_wide = pytest.mark.parametrize("shape", SHAPES)


def problem(shape, seed=0, centred=False):
    n, p = SHAPES.get(shape, shape)
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + 0.5
    X[rng.random((n, p)) < 0.3] = 0.0
    X = X.astype(np.float32).astype(np.float64)
    y = X[:, ::3] @ rng.standard_normal(len(range(0, p, 3))) + 2.0
    y += 0.5 * rng.standard_normal(n)
    if centred:
        X, y = X - X.mean(axis=0), y - y.mean()
    return X, y, rng.uniform(0.2, 2.0, n)


def hard(n=120, p=60, noise=0.01):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, p))
    X += noise * rng.standard_normal(X.shape)
    return X, X @ rng.standard_normal(p) + 0.3 * rng.standard_normal(n)


def extra(name, p):
    """Options of the path, and the reference's."""
    factors = np.linspace(0.0, 2.0, p)
    bounds = np.full(p, -0.25), np.linspace(0.125, 2.0, p)
    return {
        "plain": ({}, {}),
        "factors": ({"penalty_factors": factors}, {"factors": factors}),
        "bounds": ({"bounds": bounds}, {"bounds": bounds}),
        "standardize": ({"standardize": True}, {"standardize": True}),
        "positive": ({"positive": True}, {"bounds": (0.0, np.inf)}),
    }[name]


@pytest.fixture
def by_columns(monkeypatch):
    monkeypatch.setattr(sources, "_FEW_COLUMNS", 0)


# --- against single fits and the reference --------------------------------------------------------


@pytest.mark.parametrize("options", ["plain", "factors", "bounds", "standardize", "positive"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@tall_and_wide
def test_a_path_is_single_fits(shape, fit_intercept, weighted, options):
    X, y, weight = problem(shape)
    weight = weight if weighted else None
    given, reference = extra(options, X.shape[1])
    params = {"l1_ratio": 0.6, "tol": TOL, "fit_intercept": fit_intercept, **given}
    asked = [1.0, 0.3, 0.1, 0.01]
    alphas, coefs, gaps, found = enet_path(
        X, y, alphas=asked, sample_weight=weight, return_certificate=True, **params
    )
    assert_array_equal(alphas, asked)
    assert coefs.shape == (X.shape[1], 4)
    for k, alpha in enumerate(asked):
        single = ElasticNet(alpha, **params).fit(X, y, sample_weight=weight)
        assert_allclose(coefs[:, k], single.coef_, rtol=1e-4, atol=1e-6)
        assert_allclose(found.intercepts[k], single.intercept_, rtol=1e-5, atol=1e-6)
        exact = ElasticNetRows(
            X, y, alpha, 0.6, weight=weight, fit_intercept=fit_intercept, **reference
        )
        assert exact.violation(coefs[:, k]) < 1e-5
        above = exact.objective(coefs[:, k]) - exact.objective(exact.solve())
        assert above <= gaps[k] + 1e-14 * (y @ y)
        assert gaps[k] <= TOL * (exact.y @ exact.y) + 1e-14 * (y @ y)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@tall_and_wide
def test_layouts(shape, l1_ratio, layout):
    X, y, _ = problem(shape)
    alphas, coefs, _ = enet_path(
        LAYOUTS[layout](X), y, l1_ratio=l1_ratio, alphas=6, tol=TOL, fit_intercept=True
    )
    assert coefs.dtype == (np.float32 if layout == "float32" else np.float64)
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        expected = elastic_net_by_descent(X, y, alpha, l1_ratio)[0]
        close = 1e-3 if layout == "float32" else 1e-5
        assert_allclose(coef, expected, rtol=close, atol=close)


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("options", ["plain", "factors", "bounds", "positive"])
def test_by_columns_of_a_gram(by_columns, options, l1_ratio):
    X, y, _ = problem("tall")
    given, reference = extra(options, 8)
    alphas, coefs, gaps = enet_path(
        X, y, l1_ratio=l1_ratio, alphas=20, tol=TOL, fit_intercept=True, **given
    )
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        assert ElasticNetRows(X, y, alpha, l1_ratio, **reference).violation(coef) < 1e-5
    assert np.all(gaps <= TOL * y.var())


def test_lasso_path_is_enet_path_with_l1_ratio_1():
    X, y, _ = problem("wide")
    lasso = lasso_path(X, y, alphas=7, tol=1e-8, fit_intercept=True)
    net = enet_path(X, y, l1_ratio=1.0, alphas=7, tol=1e-8, fit_intercept=True)
    for left, right in zip(lasso, net, strict=True):
        assert_array_equal(left, right)
    with pytest.raises(ValueError, match="l1_ratio=1"):
        lasso_path(X, y, l1_ratio=0.5)


@pytest.mark.parametrize("estimator", [ElasticNet, Lasso])
def test_path_of_the_estimators(estimator):
    X, y, _ = problem("tall")
    coefs = estimator.path(X, y, alphas=[0.5], l1_ratio=1.0, fit_intercept=True)[1]
    assert_allclose(coefs[:, 0], Lasso(0.5).fit(X, y).coef_, rtol=1e-2, atol=1e-3)


# --- against scikit-learn -------------------------------------------------------------------------


@as_newest_sklearn
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("layout", ["C", "F", "csr"])
@tall_and_wide
def test_scikit_learn_on_centred_rows(shape, layout, l1_ratio, positive):
    X, y, _ = problem(shape, centred=True)
    X = LAYOUTS[layout](X)
    params = {"l1_ratio": l1_ratio, "alphas": 12, "positive": positive}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        given = scipy.sparse.csc_array(X) if layout == "csr" else np.asfortranarray(X)
        alphas, coefs, _ = sklearn.linear_model.enet_path(
            given, y, tol=1e-14, max_iter=100000, **params
        )
    found = enet_path(X, y, tol=1e-13, **params)
    assert_allclose(found[0], alphas, rtol=1e-12)
    assert found[0].shape == (12,)
    assert_allclose(found[1], coefs, rtol=1e-4, atol=1e-6)
    assert found[2].shape == (12,)


@as_newest_sklearn
@pytest.mark.parametrize("l1_ratio", [0.2, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@tall_and_wide
def test_the_alphas_of_scikit_learn_with_an_intercept(shape, weighted, l1_ratio):
    X, y, weight = problem(shape)
    weight = weight if weighted else None
    theirs = sklearn.linear_model.ElasticNetCV(l1_ratio=l1_ratio, alphas=9, eps=0.02, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y, sample_weight=weight)
    alphas, coefs, _ = enet_path(
        X, y, l1_ratio=l1_ratio, alphas=9, eps=0.02, sample_weight=weight, fit_intercept=True
    )
    assert_allclose(alphas, theirs.alphas_, rtol=1e-10)
    assert_allclose(alphas[-1], 0.02 * alphas[0], rtol=1e-12)
    assert_allclose(np.diff(np.log(alphas)), np.log(0.02) / 8.0, rtol=1e-10)
    assert_allclose(coefs[:, 0], 0.0, atol=1e-10)
    assert np.count_nonzero(coefs[:, 1]) >= 1


def test_one_alpha_of_a_grid_is_the_largest():
    X, y, _ = problem("tall")
    assert_array_equal(enet_path(X, y, alphas=1)[0], enet_path(X, y, alphas=5)[0][:1])


@pytest.mark.parametrize("options", ["bounds", "standardize", "positive"])
@tall_and_wide
def test_the_grid_begins_where_the_first_coefficient_enters(shape, options):
    X, y, _ = problem(shape)
    given, reference = extra(options, X.shape[1])
    params = {"fit_intercept": True, "tol": TOL, **given}
    alphas, coefs, _ = lasso_path(X, y, alphas=5, **params)
    assert_array_equal(coefs[:, 0], 0.0)
    below = lasso_path(X, y, alphas=[0.999 * alphas[0]], **params)[1]
    assert np.count_nonzero(below) == 1
    assert ElasticNetRows(X, y, 0.999 * alphas[0], 1.0, **reference).violation(below[:, 0]) < 1e-6


@tall_and_wide
def test_the_grid_with_features_that_are_free(shape):
    X, y, _ = problem(shape)
    factors = np.ones(X.shape[1])
    factors[[0, 2]] = 0.0
    params = {"penalty_factors": factors, "fit_intercept": True, "tol": TOL}
    alphas, coefs, _ = lasso_path(X, y, alphas=4, **params)
    assert_array_equal(np.flatnonzero(coefs[:, 0]), [0, 2])
    below = lasso_path(X, y, alphas=[0.999 * alphas[0]], **params)[1]
    assert np.count_nonzero(below) == 3


@pytest.mark.filterwarnings("ignore:.*alphas:FutureWarning")
def test_n_alphas_of_older_versions():
    X, y, _ = problem("tall")
    expected = enet_path(X, y, alphas=7)[0]
    assert_array_equal(enet_path(X, y, n_alphas=7, alphas=None)[0], expected)
    assert_array_equal(enet_path(X, y, n_alphas=7)[0], expected)
    assert len(enet_path(X, y, n_alphas=7, alphas=[1.0, 0.5])[0]) == 2
    assert len(enet_path(X, y, alphas=None)[0]) == 100
    assert len(enet_path(X, y)[0]) == 100


# --- alphas ---------------------------------------------------------------------------------------


def test_alphas_are_sorted():
    X, y, _ = problem("tall")
    asked = np.array([0.01, 1.0, 0.1, 0.1])
    alphas, coefs, gaps = enet_path(X, y, alphas=asked, tol=TOL)
    assert_array_equal(alphas, [1.0, 0.1, 0.1, 0.01])
    assert_array_equal(asked, [0.01, 1.0, 0.1, 0.1])
    assert_allclose(coefs[:, 1], coefs[:, 2], rtol=1e-6)
    assert coefs.shape == (8, 4)
    assert gaps.shape == (4,)
    assert_array_equal(enet_path(X, y, alphas=alphas.tolist(), tol=TOL)[1], coefs)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("layout", ["C", "csr"])
@tall_and_wide
def test_alphas_with_0(shape, layout, l1_ratio):
    X, y, _ = problem(shape)
    alphas, coefs, gaps, steps = enet_path(
        LAYOUTS[layout](X),
        y,
        alphas=[0.0, 0.2, 0.1],
        l1_ratio=l1_ratio,
        fit_intercept=True,
        return_n_iter=True,
        tol=1e-10,
    )
    assert_array_equal(alphas, [0.2, 0.1, 0.0])
    assert len(steps) == 3
    assert np.all(gaps <= 1e-7 * y.var())
    ridge = Ridge(0.0).fit(X, y)
    assert_allclose(coefs[:, 2], ridge.coef_, rtol=1e-5, atol=1e-6)
    alone = enet_path(LAYOUTS[layout](X), y, alphas=[0.0], l1_ratio=l1_ratio, fit_intercept=True)
    assert_allclose(alone[1][:, 0], coefs[:, 2], rtol=1e-9, atol=1e-9)
    for k in (0, 1):
        violation = ElasticNetRows(X, y, alphas[k], l1_ratio).violation(coefs[:, k])
        assert violation < 1e-5


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_alphas_with_0_and_bounds(l1_ratio):
    X, y, _ = problem("tall")
    alphas, coefs, gaps = enet_path(
        X, y, alphas=[0.3, 0.0], l1_ratio=l1_ratio, bounds=(-0.1, 0.25), tol=TOL
    )
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        rows = ElasticNetRows(X, y, alpha, l1_ratio, bounds=(-0.1, 0.25), fit_intercept=False)
        assert rows.violation(coef) < 1e-5
    assert np.all(gaps <= TOL * (y @ y) / len(y))


@pytest.mark.filterwarnings("ignore:.*alphas:FutureWarning")
def test_a_grid_needs_an_l1_penalty():
    X, y, _ = problem("tall")
    for alphas in (100, None, 3):
        with pytest.raises(ValueError, match="not supported for l1_ratio=0"):
            enet_path(X, y, l1_ratio=0.0, alphas=alphas)
    assert enet_path(X, y, l1_ratio=0.0, alphas=[1.0, 0.5])[1].shape == (8, 2)


@pytest.mark.parametrize("y", [np.zeros(20), np.full(20, 3.0)], ids=["zeros", "constant"])
def test_a_grid_where_nothing_can_enter(y):
    X = np.random.default_rng(0).standard_normal((20, 4))
    alphas, coefs, gaps = lasso_path(X, y, alphas=5, fit_intercept=True)
    assert_array_equal(coefs, 0.0)
    assert np.all(alphas > 0.0)
    assert np.all(alphas <= 1e-14)
    assert np.all(gaps <= 1e-13)


# --- where it starts and what it returns ----------------------------------------------------------


@tall_and_wide
def test_coef_init(shape):
    X, y, _ = problem(shape)
    params = {"alphas": [0.1], "tol": TOL, "return_n_iter": True}
    _, coefs, _, cold = enet_path(X, y, **params)
    _, again, _, warm = enet_path(X, y, coef_init=coefs[:, 0], **params)
    assert warm[0] <= min(cold[0], 1)
    assert_allclose(again, coefs, rtol=1e-7, atol=1e-9)
    start = np.random.default_rng(1).standard_normal(X.shape[1]) * 10.0
    before = start.copy()
    _, far, gaps, _ = enet_path(X, y, coef_init=start, **params)
    assert_array_equal(start, before)
    assert_allclose(far, coefs, rtol=1e-5, atol=1e-7)
    assert gaps[0] <= TOL * (y @ y) / len(y)
    _, inside, _, _ = enet_path(X, y, coef_init=start, positive=True, **params)
    assert inside.min() == 0.0
    assert_allclose(inside, enet_path(X, y, positive=True, **params)[1], rtol=1e-5, atol=1e-7)


@tall_and_wide
def test_enet_path_returns_the_requested_values(shape):
    X, y, weight = problem(shape)
    params = {"alphas": 8, "sample_weight": weight, "fit_intercept": True, "tol": 1e-9}
    plain = enet_path(X, y, **params)
    assert len(plain) == 3
    _, _, _, steps = enet_path(X, y, return_n_iter=True, **params)
    assert isinstance(steps, list)
    assert len(steps) == 8
    assert all(isinstance(step, int) and 0 <= step <= 1000 for step in steps)
    *first, found = enet_path(X, y, return_certificate=True, **params)
    for left, right in zip(first, plain, strict=True):
        assert_array_equal(left, right)
    both = enet_path(X, y, return_n_iter=True, return_certificate=True, **params)
    assert len(both) == 5
    assert isinstance(found, PathCertificate)
    alphas, coefs, gaps = plain
    assert_array_equal(found.dual_gaps, gaps)
    assert_array_equal(found.n_iters, steps)
    assert_array_equal(found.n_nonzeros, np.count_nonzero(coefs, axis=0))
    assert_array_equal(found.statuses, ["converged"] * 8)
    assert found.intercepts.shape == (8,)
    for alpha, coef, intercept in zip(alphas, coefs.T, found.intercepts, strict=True):
        assert kkt_violation(X, y, coef, intercept, alpha, 0.5, weight=weight) < 1e-3


def test_no_intercept_by_default():
    X, y, _ = problem("tall")
    _, coefs, _, found = enet_path(X, y, alphas=[0.1], tol=TOL, return_certificate=True)
    assert_array_equal(found.intercepts, [0.0])
    single = ElasticNet(0.1, fit_intercept=False, tol=TOL).fit(X, y)
    assert_allclose(coefs[:, 0], single.coef_, rtol=1e-6)


@tall_and_wide
def test_offset(shape):
    X, y, _ = problem(shape)
    offset = np.random.default_rng(5).standard_normal(len(y))
    params = {"alphas": [0.3, 0.05], "tol": TOL, "fit_intercept": True}
    coefs = enet_path(X, y, offset=offset, **params)[1]
    assert_allclose(coefs, enet_path(X, y - offset, **params)[1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("shape", [(300, 40), (40, 300)], ids=["tall", "wide"])
def test_the_number_of_threads_changes_no_bit(shape, layout):
    X, y, _ = problem(shape)
    one = enet_path(LAYOUTS[layout](X), y, alphas=10, n_threads=1)
    two = enet_path(LAYOUTS[layout](X), y, alphas=10, n_threads=2)
    for left, right in zip(one, two, strict=True):
        assert_array_equal(left, right)


@pytest.mark.parametrize("columns", [False, True])
def test_one_warning_names_the_worst_alpha(monkeypatch, columns):
    if columns:
        monkeypatch.setattr(sources, "_FEW_COLUMNS", 0)
    X, y = hard(400, 200, noise=0.1)
    with pytest.warns(ConvergenceWarning) as caught:
        alphas, _, gaps, found = lasso_path(
            X, y, alphas=5, eps=1e-6, tol=1e-10, max_iter=1, return_certificate=True
        )
    assert len(caught) == 1
    assert caught[0].filename == __file__
    failed = found.statuses == "not converged"
    assert failed.sum() > 1
    worst = int(np.argmax(np.where(failed, gaps, -1.0)))
    message = str(caught[0].message)
    assert f"alpha={alphas[worst]:.6g}" in message
    assert f"{gaps[worst]:.3e}" in message
    assert f"{1e-10 * (y @ y) / len(y):.3e}" in message
    assert_array_equal(failed, gaps > 1e-10 * (y @ y) / len(y))
    assert np.all(found.n_iters <= 1)


def test_verbose_prints_a_line_an_alpha(capsys):
    X, y, _ = problem("tall")
    alphas, coefs, _ = enet_path(X, y, alphas=5, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    for line, alpha, coef in zip(lines, alphas, coefs.T, strict=True):
        assert line.startswith(f"alpha {alpha:.4g}: {np.count_nonzero(coef)} coefficients")
        assert re.search(r"gap .*, \d+ iterations, converged$", line)
    enet_path(X, y, alphas=5)
    assert capsys.readouterr().out == ""


@as_newest_sklearn
def test_y_of_one_column_and_of_two():
    X, y, _ = problem("tall")
    column = enet_path(X, y[:, None], alphas=3)
    assert_array_equal(column[1], enet_path(X, y, alphas=3)[1])
    assert column[1].shape == (8, 3)
    two = np.column_stack([y, -y])
    for path in (enet_path, lasso_path):
        name = path.__name__
        expected = getattr(sklearn.linear_model, name)(X, two, alphas=3)
        for found, wanted in zip(path(X, two, alphas=3), expected, strict=True):
            assert_array_equal(found, wanted)
        with pytest.raises(ValueError, match=r"offset is not supported for y of shape \(60, 2\)"):
            path(X, two, offset=y)


@tall_and_wide
def test_long_paths_down_to_a_small_alpha(shape):
    X, y, _ = problem(shape, 3)
    alphas, coefs, gaps = lasso_path(X, y, alphas=60, eps=1e-7, tol=1e-9, fit_intercept=True)
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        rows = ElasticNetRows(X, y, alpha, 1.0)
        assert rows.violation(coef) < 1e-4
        assert rows.objective(coef) - rows.dual(coef) <= 1e-8 * y.var()
    assert np.all(gaps <= 1e-9 * y.var())
    assert np.all(np.count_nonzero(coefs, axis=0) <= min(X.shape))
