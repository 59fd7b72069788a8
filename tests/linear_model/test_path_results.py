"""Results of path functions: named fields, and tuples as scikit-learn returns them."""

import copy
import pickle

import numpy as np
import pytest
import sklearn.linear_model
from numpy.testing import assert_allclose, assert_array_equal

from fastridge import ElasticNet, Lasso, LassoCV, enet_path, lasso_path, ridge_path
from fastridge.linear_model import ElasticNetPath, PathCertificate, RidgePath

ALPHAS = [1.0, 0.1, 0.01]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    return X, X @ [1.0, 0.0, -2.0, 0.5] + rng.standard_normal(30)


@pytest.mark.parametrize("n_iter", [False, True])
@pytest.mark.parametrize("name", ["enet_path", "lasso_path"])
def test_elastic_net_path_unpacks_as_that_of_sklearn(rows, name, n_iter):
    ours = {"enet_path": enet_path, "lasso_path": lasso_path}[name]
    options = {"alphas": ALPHAS, "return_n_iter": n_iter, "tol": 1e-10}
    path = ours(*rows, **options)
    theirs = getattr(sklearn.linear_model, name)(*rows, **options)
    assert len(path) == len(theirs) == 3 + n_iter
    for mine, other in zip(path, theirs, strict=True):
        assert np.shape(mine) == np.shape(other)
    assert_array_equal(path[0], theirs[0])
    assert_allclose(path[1], theirs[1], atol=1e-8)


def test_elastic_net_path_has_named_fields(rows):
    path = enet_path(*rows, alphas=ALPHAS, return_n_iter=True, return_certificate=True)
    assert isinstance(path, ElasticNetPath)
    assert isinstance(path, tuple)
    assert isinstance(path.certificate, PathCertificate)
    alphas, coefs, dual_gaps, n_iters, certificate = path
    assert alphas is path.alphas is path[0]
    assert coefs is path.coefs is path[1]
    assert dual_gaps is path.dual_gaps is path[-3]
    assert n_iters is path.n_iters
    assert certificate is path[-1]
    assert [len(part) for part in path[:2]] == [3, 4]


def test_elastic_net_path_leaves_out_what_was_not_requested(rows):
    path = enet_path(*rows, alphas=ALPHAS, return_certificate=True)
    assert path.n_iters is None
    assert len(path) == 4
    assert path[3] is path.certificate
    with pytest.raises(IndexError):
        path[4]


def test_elastic_net_path_serves_pattern_matching(rows):
    match enet_path(*rows, alphas=ALPHAS):
        case [alphas, _, _]:
            assert_array_equal(alphas, ALPHAS)
        case _:
            pytest.fail("it is not a sequence of three")


@pytest.mark.parametrize("kind", [ElasticNet, Lasso, LassoCV])
def test_path_of_a_class_has_named_fields(rows, kind):
    assert isinstance(kind.path(*rows, alphas=ALPHAS), ElasticNetPath)


def test_ridge_path_without_options_is_an_array(rows):
    assert type(ridge_path(*rows, ALPHAS)) is np.ndarray


@pytest.mark.parametrize(
    "names", [["dof"], ["intercept", "loo"], ["intercept", "dof", "gcv", "loo"]]
)
def test_ridge_path_has_named_fields_and_unpacks_in_order(rows, names):
    path = ridge_path(*rows, ALPHAS, **{f"return_{name}": True for name in names})
    assert isinstance(path, RidgePath)
    assert_array_equal(path.alphas, ALPHAS)
    assert_array_equal(path.coefs, ridge_path(*rows, ALPHAS))
    fields = ["coefs", *("intercepts" if name == "intercept" else name for name in names)]
    assert len(path) == len(fields)
    for field, value in zip(fields, path, strict=True):
        assert value is getattr(path, field)
        assert len(value) == len(ALPHAS)
    for field in {"intercepts", "dof", "gcv", "loo"} - set(fields):
        assert getattr(path, field) is None


def repickled(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("remade", [copy.copy, copy.deepcopy, repickled])
def test_results_survive_copies(rows, remade):
    path = remade(ridge_path(*rows, ALPHAS, return_dof=True))
    assert isinstance(path, RidgePath)
    assert path.dof is path[1]
    assert_array_equal(path.alphas, ALPHAS)
    net = remade(enet_path(*rows, alphas=ALPHAS, return_n_iter=True))
    assert net.n_iters is net[3]


def test_results_tell_their_fields():
    assert repr(RidgePath(1, 2)).startswith("RidgePath(alphas=1, coefs=2, intercepts=None")
