"""Inputs that stochastic gradient descent takes and refuses; interrupts."""

import pickle
import tempfile
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastridge import SGDClassifier, SGDRegressor

RNG = np.random.default_rng(0)
INTEGERS = RNG.integers(-3, 4, (80, 6))
"""Small whole numbers: the same matrix in every dtype."""
Y = INTEGERS @ np.array([1.0, -2.0, 0.5, 0.0, 3.0, 1.5])
LABELS = (Y > 0.0).astype(int)
PLAIN = {"shuffle": False, "max_iter": 3, "tol": None}


def memmap(X):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        X.tofile(file)
    return np.memmap(file.name, dtype=X.dtype, mode="r", shape=X.shape)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def misaligned(X):
    raw = np.empty(X.nbytes + 1, dtype=np.uint8)
    inside = raw[1:].view(X.dtype).reshape(X.shape)
    inside[:] = X
    return inside


def wide_indices(X):
    S = sp.csr_array(X)
    S.indices, S.indptr = S.indices.astype(np.int64), S.indptr.astype(np.int64)
    return S


def duplicated(X):
    """Every entry twice, at half its value, in no order."""
    S = sp.csr_array(X)
    indptr = 2 * S.indptr
    data, indices = np.empty(2 * S.nnz), np.empty(2 * S.nnz, dtype=S.indices.dtype)
    for begin, end in zip(S.indptr[:-1], S.indptr[1:], strict=True):
        part = slice(2 * begin, 2 * end)
        data[part] = np.concatenate([S.data[begin:end], S.data[begin:end][::-1]]) / 2.0
        indices[part] = np.concatenate([S.indices[begin:end], S.indices[begin:end][::-1]])
    return sp.csr_array((data, indices, indptr), shape=S.shape)


DENSE = {
    "integers": lambda X: X,
    "int8": lambda X: X.astype(np.int8),
    "list": lambda X: X.tolist(),
    "big-endian": lambda X: X.astype(">f8"),
    "float16": lambda X: X.astype(np.float16),
    "longdouble": lambda X: X.astype(np.longdouble),
    "objects": lambda X: X.astype(object),
    "F order": lambda X: np.asfortranarray(X, dtype=float),
    "read-only": lambda X: read_only(X.astype(float)),
    "memmap": lambda X: memmap(X.astype(float)),
    "misaligned": lambda X: misaligned(X.astype(float)),
    "frame": lambda X: pd.DataFrame(X.astype(float), columns=list("abcdef")),
}
SPARSE = {
    "csr": sp.csr_matrix,
    "csc": sp.csc_array,
    "coo": sp.coo_matrix,
    "int64": wide_indices,
    "duplicates": duplicated,
}


@pytest.mark.parametrize("kind", DENSE)
def test_dense_input(kind):
    X = DENSE[kind](INTEGERS)
    expected = SGDRegressor(**PLAIN).fit(INTEGERS.astype(float), Y)
    assert_allclose(SGDRegressor(**PLAIN).fit(X, Y).coef_, expected.coef_, rtol=1e-12)
    model = SGDRegressor(**PLAIN).partial_fit(X, Y).partial_fit(X, Y)
    assert_allclose(model.partial_fit(X, Y).coef_, expected.coef_, rtol=1e-12)
    labels = SGDClassifier(**PLAIN).fit(X, LABELS)
    assert_allclose(labels.decision_function(X), labels.decision_function(X))


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_sparse_input(kind, dtype):
    X = SPARSE[kind](INTEGERS.astype(float))
    if kind != "duplicates":
        X = X.astype(dtype)
    expected = SGDRegressor(**PLAIN).fit(sp.csr_matrix(INTEGERS.astype(float)), Y)
    assert_allclose(SGDRegressor(**PLAIN).fit(X, Y).coef_, expected.coef_, rtol=1e-12)
    passive = {**PLAIN, "learning_rate": "pa2", "loss": "epsilon_insensitive"}
    expected = SGDRegressor(**passive).fit(sp.csr_matrix(INTEGERS.astype(float)), Y)
    assert_allclose(SGDRegressor(**passive).fit(X, Y).coef_, expected.coef_, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 37, 79])
@pytest.mark.parametrize("convert", [np.asarray, np.asfortranarray, sp.csr_matrix])
def test_x_that_is_not_finite(bad, where, convert):
    X = INTEGERS.astype(float)
    X[where, 3] = bad
    for model, y in ((SGDRegressor(), Y), (SGDClassifier(), LABELS)):
        with pytest.raises(ValueError, match="X contains"):
            model.fit(convert(X), y)
        with pytest.raises(NotFittedError):
            model.predict(INTEGERS)
    model = SGDRegressor().partial_fit(INTEGERS.astype(float), Y)
    kept = model.coef_.copy(), model.intercept_.copy(), model.t_
    with pytest.raises(ValueError, match="X contains"):
        model.partial_fit(convert(X), Y)
    assert_array_equal(model.coef_, kept[0])
    assert_array_equal(model.intercept_, kept[1])
    assert model.t_ == kept[2]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_y_and_weights_that_are_not_finite(bad):
    y, weight = Y.copy(), np.ones(80)
    y[5] = weight[5] = bad
    for fit in (SGDRegressor().fit, SGDRegressor().partial_fit):
        with pytest.raises(ValueError, match="y contains"):
            fit(INTEGERS, y)
        with pytest.raises(ValueError, match="sample_weight contains"):
            fit(INTEGERS, Y, sample_weight=weight)


@pytest.mark.parametrize("index", [-1, 6, 2**31 - 1])
def test_an_index_out_of_range(index):
    S = sp.csr_matrix(INTEGERS.astype(float))
    S.indices[7] = index
    for fit in (SGDRegressor().fit, SGDRegressor().partial_fit):
        with pytest.raises(ValueError, match="outside"):
            fit(S, Y)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("loss", "hinge", "'loss'.*'squared_error'"),
        ("penalty", "l3", "'penalty'.*'elasticnet'"),
        ("learning_rate", "newton", "'learning_rate'.*'adaptive'"),
        ("alpha", -1.0, "'alpha'.*>?0.0"),
        ("alpha", np.inf, "'alpha'"),
        ("alpha", "1", "'alpha'"),
        ("l1_ratio", 1.5, "'l1_ratio'"),
        ("eta0", 0.0, "'eta0'"),
        ("tol", -1e-3, "'tol'"),
        ("max_iter", 0, "'max_iter'"),
        ("max_iter", 1.5, "'max_iter'"),
        ("n_iter_no_change", 0, "'n_iter_no_change'"),
        ("validation_fraction", 1.0, "'validation_fraction'"),
        ("average", 0.5, "'average'"),
        ("average", -1, "'average'"),
        ("shuffle", "rows", "'shuffle'.*'block'"),
        ("shuffle", 1, "'shuffle'"),
        ("verbose", -1, "'verbose'"),
        ("fit_intercept", "yes", "'fit_intercept'"),
        ("on_divergence", "ignore", "'on_divergence'.*'halve'"),
        ("power_t", np.nan, "'power_t'"),
        ("epsilon", -0.1, "'epsilon'"),
    ],
)
def test_values_that_are_not_supported_are_refused(name, value, words):
    for fit in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=words):
            getattr(SGDRegressor(**{name: value}), fit)(INTEGERS, Y)


def test_parameters_set_later_are_checked_and_used():
    model = SGDRegressor(shuffle=False).partial_fit(INTEGERS, Y)
    with pytest.raises(ValueError, match="'alpha'"):
        model.set_params(alpha=-1.0).partial_fit(INTEGERS, Y)
    model.set_params(alpha=0.5).partial_fit(INTEGERS, Y)
    other = SGDRegressor(shuffle=False).partial_fit(INTEGERS, Y)
    other = pickle.loads(pickle.dumps(other)).set_params(alpha=0.5).partial_fit(INTEGERS, Y)
    assert_array_equal(model.coef_, other.coef_)


def test_shapes_that_do_not_fit():
    X = INTEGERS.astype(float)
    model = SGDRegressor().partial_fit(X, Y)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :3], Y)
    for call in (
        lambda: SGDRegressor().fit(X, Y[:5]),
        lambda: SGDRegressor().fit(X[:0], Y[:0]),
        lambda: SGDRegressor().fit(X[:, :0], Y),
        lambda: SGDRegressor().fit(X[0], Y),
        lambda: SGDRegressor().fit(X, Y, sample_weight=np.ones(3)),
        lambda: SGDRegressor().fit(X, Y, sample_weight=-np.ones(80)),
        lambda: SGDRegressor().fit(X, Y, coef_init=np.ones(5)),
        lambda: SGDRegressor().fit(X, Y, intercept_init=np.ones(2)),
        lambda: SGDClassifier().fit(X, Y),
    ):
        with pytest.raises(ValueError, match=r"."):
            call()


def test_one_class_and_labels_unknown():
    with pytest.raises(ValueError, match="number of classes has to be greater than one"):
        SGDClassifier().fit(INTEGERS, np.zeros(80, dtype=int))
    with pytest.raises(ValueError, match="number of classes has to be greater than one"):
        SGDClassifier().partial_fit(INTEGERS, np.zeros(80, dtype=int), classes=[0])
    with pytest.raises(ValueError, match="classes must be passed"):
        SGDClassifier().partial_fit(INTEGERS, LABELS)
    model = SGDClassifier().partial_fit(INTEGERS, LABELS, classes=[0, 1])
    with pytest.raises(ValueError, match="y holds the label 2"):
        model.partial_fit(INTEGERS, LABELS + 1)


@pytest.mark.parametrize(
    "labels",
    [["a", "b", "c"], [True, False], [-5, 7, 900], [0, 10**12], np.uint8([200, 3, 255])],
    ids=["strings", "bools", "integers", "far apart", "uint8"],
)
def test_labels(labels):
    labels = np.asarray(labels)
    codes = RNG.integers(0, len(labels), 80)
    model = SGDClassifier(random_state=0).fit(INTEGERS, labels[codes])
    assert_array_equal(model.classes_, np.unique(labels))
    assert model.classes_.dtype == labels.dtype
    assert set(model.predict(INTEGERS)) <= set(labels)


def test_one_row_and_one_feature():
    model = SGDRegressor(random_state=0, tol=None, max_iter=2000).fit([[2.0]], [3.0])
    assert_allclose(model.predict([[2.0]]), 3.0, atol=0.1)
    assert SGDRegressor().partial_fit([[2.0, 1.0]], [3.0]).coef_.shape == (2,)


def test_input_is_not_written_to():
    X, y, weight = INTEGERS.astype(float), Y.copy(), RNG.uniform(0.5, 1.0, 80)
    given = X.copy(), y.copy(), weight.copy()
    init = np.ones(6)
    model = SGDRegressor(average=True, penalty="elasticnet").fit(X, y, init, 0.5, weight)
    model.partial_fit(X, y, weight)
    for now, then in zip((X, y, weight), given, strict=True):
        assert_array_equal(now, then)
    assert_array_equal(init, 1.0)


@given(
    n=st.integers(1, 40),
    p=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from(["squared_error", "huber", "epsilon_insensitive"]),
    penalty=st.sampled_from(["l1", "l2", "elasticnet", None]),
    average=st.sampled_from([False, True, 7]),
    scale=st.sampled_from([1e-12, 1e-3, 1.0, 30.0]),
    sparse=st.booleans(),
    shuffle=st.sampled_from([True, False, "full"]),
)
def test_any_shape_ends_in_finite_numbers(
    n, p, seed, loss, penalty, average, scale, sparse, shuffle
):
    rng = np.random.default_rng(seed)
    X = scale * rng.standard_normal((n, p)) * rng.integers(0, 2, (n, p))
    y = rng.standard_normal(n)
    model = SGDRegressor(
        loss, penalty=penalty, average=average, max_iter=5, shuffle=shuffle, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(sp.csr_matrix(X) if sparse else X, y)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert np.isfinite(model.loss_curve_).all()
    assert model.t_ == 1.0 + n * model.n_iter_
    if sparse:
        # what is never touched stays where it was
        assert (model.coef_[np.abs(X).max(axis=0) == 0.0] == 0.0).all()


@pytest.mark.parametrize("layout", ["C", "F", "csr"])
def test_an_interrupt_leaves_a_model(layout, ctrl_c):
    X = np.random.default_rng(0).standard_normal((20000, 100), dtype=np.float32)
    y = X[:, 0].astype(float)
    given = {"C": np.asarray, "F": np.asfortranarray, "csr": sp.csr_matrix}[layout](X)
    model = SGDRegressor(max_iter=10**6, tol=None, random_state=0)
    with ctrl_c(0.3):
        model.fit(given, y)
    assert np.isfinite(model.predict(X)).all()
    assert model.n_iter_ == len(model.loss_curve_)
    model.set_params(max_iter=1).fit(given, y)
