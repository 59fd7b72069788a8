"""Layouts, dtypes and shapes that the elastic net takes, and inputs that it refuses."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from layouts import LAYOUTS
from numpy.testing import assert_allclose, assert_array_equal
from reference import elastic_net_by_descent
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastridge import ElasticNet, GramStatistics, Lasso, enet_path, lasso_path

N, P = 45, 6
RNG = np.random.default_rng(0)
INTEGERS = RNG.integers(0, 9, (N, P))
"""Small whole numbers: the same matrix in every dtype."""
Y = INTEGERS @ np.array([1.0, -2.0, 0.5, 0.0, 3.0, 1.5]) + RNG.standard_normal(N)
WEIGHT = RNG.uniform(0.2, 2.0, N)
WIDE = RNG.integers(0, 9, (8, 20))
WIDE_Y = RNG.standard_normal(8)
SHAPES = {"tall": (INTEGERS, Y), "wide": (WIDE, WIDE_Y)}
ALPHA = 0.2
tall_and_wide = pytest.mark.parametrize("shape", SHAPES)


def net(**params):
    return ElasticNet(ALPHA, **{"tol": 1e-12, **params})


def expected(X, y, **options):
    return elastic_net_by_descent(X, y, ALPHA, 0.5, **options)


def close(model, reference, bound=1e-6):
    coef, intercept = reference
    scale = np.abs(coef).max()
    assert_allclose(model.coef_, coef, rtol=bound, atol=bound * scale)
    assert_allclose(model.intercept_, intercept, rtol=bound, atol=bound)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS)
@tall_and_wide
def test_layouts(shape, layout, dtype, weighted, tmp_path):
    X, y = SHAPES[shape]
    weight = WEIGHT[: len(X)] if weighted else None
    given = LAYOUTS[layout](X.astype(dtype), tmp_path)
    model = net().fit(given, y, sample_weight=weight)
    reference = expected(X, y, weight=weight)
    close(model, reference, 1e-6 if dtype == np.float64 else 1e-4)
    if layout != "big-endian":
        assert model.coef_.dtype == dtype
    assert_allclose(model.predict(given), X @ reference[0] + reference[1], rtol=1e-4, atol=1e-4)
    coefs = enet_path(given, y, alphas=[ALPHA], tol=1e-12, sample_weight=weight)[1]
    assert_allclose(
        coefs[:, 0], expected(X, y, weight=weight, fit_intercept=False)[0], rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float16", "longdouble", "O"])
@pytest.mark.parametrize("order", ["C", "F"])
@tall_and_wide
def test_dtypes(shape, dtype, order):
    X, y = SHAPES[shape]
    X = (X > 4 if dtype == "bool" else X).astype(dtype, order=order)
    model = net().fit(X, y)
    close(model, expected(X.astype(np.float64), y))
    assert model.coef_.dtype == np.float64
    assert enet_path(X, y, alphas=3)[1].dtype == np.float64


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float32", "float16", "O"])
@tall_and_wide
def test_dtypes_of_y(shape, dtype):
    X, y = SHAPES[shape]
    y = (10.0 * y).round().astype("int8" if dtype == "bool" else np.int64)
    y = np.abs(y).astype(dtype)
    close(net().fit(X, y), expected(X, y.astype(np.float64)))


@pytest.mark.parametrize("kind", ["list", "dataframe", "mixed dataframe", "series y", "column y"])
def test_containers(kind):
    import pandas as pd

    X, y = INTEGERS.tolist(), Y
    if kind == "dataframe":
        X = pd.DataFrame(INTEGERS, columns=list("abcdef"))
    elif kind == "mixed dataframe":
        X = pd.DataFrame(INTEGERS.astype(np.float64), columns=list("abcdef"))
        X = X.astype({"a": "int32", "b": "float32", "c": "Int64"})
    elif kind == "series y":
        X, y = INTEGERS, pd.Series(Y, index=np.arange(N)[::-1])
    elif kind == "column y":
        y = Y[:, None]
    model = net().fit(X, y)
    close(model, expected(INTEGERS, Y))
    assert model.n_features_in_ == P
    if "dataframe" in kind:
        assert_array_equal(model.feature_names_in_, list("abcdef"))
        with pytest.raises(ValueError, match="feature names"):
            model.predict(X[list("fedcba")])
        model.fit(INTEGERS, Y)
    assert not hasattr(model, "feature_names_in_")


def test_layouts_of_y_weights_and_offset():
    targets = np.random.default_rng(2).standard_normal((2 * N, 6))
    Y2 = np.asfortranarray(targets)[::2, ::-2]
    weight = np.repeat(WEIGHT, 2)[::-1][::-2]
    offset = np.repeat(np.linspace(0.0, 1.0, N), 3)[::-3][::-1]
    model = net().fit(INTEGERS, Y2, sample_weight=weight, offset=offset.tolist())
    for k in range(3):
        coef, intercept = expected(INTEGERS, Y2[:, k], weight=weight, offset=offset)
        assert_allclose(model.coef_[k], coef, rtol=1e-6, atol=1e-8)
        assert_allclose(model.intercept_[k], intercept, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("copy_X", [True, False])
@pytest.mark.parametrize("layout", ["C", "F", "csr", "csc"])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@tall_and_wide
def test_inputs_are_never_overwritten(shape, alpha, layout, copy_X):
    X, y = SHAPES[shape]
    X = np.where(X > 3, X, 0).astype(np.float64)
    if layout in "CF":
        X = np.asarray(X, order=layout)
        parts = [X]
    else:
        X = scipy.sparse.csr_array(X) if layout == "csr" else scipy.sparse.csc_array(X)
        parts = [X.data, X.indices, X.indptr]
    weight, offset = WEIGHT[: len(y)].copy(), np.ones(len(y))
    factors, bounds = np.ones(X.shape[1]), (np.full(X.shape[1], -1.0), np.ones(X.shape[1]))
    given = [*parts, y, weight, offset, factors, *bounds]
    before = [part.copy() for part in given]
    params = {"penalty_factors": factors, "bounds": bounds, "standardize": True}
    model = ElasticNet(alpha, copy_X=copy_X, **params)
    model.fit(X, y, sample_weight=weight, offset=offset).predict(X)
    ElasticNet(alpha, copy_X=copy_X).fit(X, y, sample_weight=weight)
    enet_path(X, y, copy_X=copy_X, alphas=[0.1, alpha], sample_weight=weight)
    for part, copy in zip(given, before, strict=True):
        assert_array_equal(part, copy)


# --- sparse ---------------------------------------------------------------------------------------


def sparse_matrix(make="csr_array", shape=(N, P), dtype=np.float64):
    rng = np.random.default_rng(4)
    X = rng.integers(1, 9, shape) * (rng.random(shape) < 0.4)
    return getattr(scipy.sparse, make)(X.astype(dtype))


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "bool"])
@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
@pytest.mark.parametrize("shape", [(N, P), (5, 12)], ids=["tall", "wide"])
def test_sparse_indices_and_dtypes(make, dtype, index, shape):
    X, y = sparse_matrix(make, shape, dtype), Y[: shape[0]]
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    model = net().fit(X, y)
    assert X.indices.dtype == index
    close(model, expected(X.astype(np.float64), y), 1e-4 if dtype == "float32" else 1e-6)


@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
@pytest.mark.parametrize("shape", [(N, P), (5, 12)], ids=["tall", "wide"])
def test_sparse_unsorted_and_duplicate_entries(make, shape):
    X, y = sparse_matrix(make, shape), Y[: shape[0]]
    rng = np.random.default_rng(5)
    data, indices, indptr = [], [], [0]
    for start, stop in zip(X.indptr, X.indptr[1:], strict=False):
        order = rng.permutation(np.repeat(np.arange(start, stop), 2))
        data.extend(X.data[order] / 2)
        indices.extend(X.indices[order])
        indptr.append(len(data))
    doubled = getattr(scipy.sparse, make)((data, indices, indptr), shape=shape)
    assert not doubled.has_canonical_format
    before = doubled.indices.copy()
    close(net().fit(doubled, y), expected(X, y))
    assert_array_equal(doubled.indices, before)


@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
@tall_and_wide
def test_sparse_explicit_zeros_and_empty_rows_and_columns(make, shape):
    X, y = SHAPES[shape]
    X = np.where(X > 4, X, 0).astype(np.float64)
    X[3:5] = 0.0
    X[:, 2] = 0.0
    S = getattr(scipy.sparse, make)(X)
    S.data[::5] = 0.0
    model = net().fit(S, y)
    close(model, expected(S, y))
    assert model.coef_[2] == 0.0
    nothing = net().fit(getattr(scipy.sparse, make)(X.shape), y)
    assert_array_equal(nothing.coef_, 0.0)
    assert_allclose(nothing.intercept_, y.mean())


@pytest.mark.parametrize("make", ["csr_array", "csc_array"])
@pytest.mark.parametrize("shape", [(N, P), (5, 12)], ids=["tall", "wide"])
@pytest.mark.parametrize(
    "damage", ["past the end", "negative", "decreasing pointer", "pointer past the end"]
)
def test_damaged_sparse_matrices_are_an_error(make, shape, damage):
    X, y = sparse_matrix(make, shape), Y[: shape[0]]
    if damage == "past the end":
        X.indices[3] = shape[1] if make == "csr_array" else shape[0]
    elif damage == "negative":
        X.indices[3] = -1
    elif damage == "decreasing pointer":
        X.indptr[2] = X.indptr[-1]
    else:
        X.indptr[3:] += 1000
    for fit in (net().fit, enet_path, lasso_path):
        with pytest.raises(ValueError, match="(?i)ind(ex|ices|ptr)|pointer"):
            fit(X, y)


# --- not numbers, wrong shapes --------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", ["C", "F", "csr", "csc"])
@tall_and_wide
def test_not_finite_in_x(shape, layout, dtype, value):
    X, y = SHAPES[shape]
    X = X.astype(dtype)
    X[5, -1] = value
    make = {"csr": scipy.sparse.csr_array, "csc": scipy.sparse.csc_array}
    X = make[layout](X) if layout in make else np.asarray(X, order=layout)
    zero = np.ones(len(y))
    zero[5] = 0.0
    for weight in [None, WEIGHT[: len(y)], zero]:
        for alpha in (0.0, 0.1):
            with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
                ElasticNet(alpha).fit(X, y, sample_weight=weight)
            with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
                enet_path(X, y, alphas=[1.0, alpha], sample_weight=weight)
    with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
        lasso_path(X, y)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@tall_and_wide
def test_not_finite_elsewhere(shape, value):
    X, y = SHAPES[shape]
    bad = y.copy()
    bad[-1] = value
    for target in (bad, np.column_stack([y, bad])):
        with pytest.raises(ValueError, match=r"y contains (NaN|infinity)"):
            net().fit(X, target)
    with pytest.raises(ValueError, match=r"y contains (NaN|infinity)"):
        enet_path(X, bad)
    with pytest.raises(ValueError, match=r"(?i)sample_weight.*(NaN|infinity)"):
        net().fit(X, y, sample_weight=np.where(np.arange(len(y)) == 2, value, 1.0))
    with pytest.raises(ValueError, match="offset must be finite"):
        net().fit(X, y, offset=bad)
    start = np.full(X.shape[1], value)
    with pytest.raises(ValueError, match="coef_init must be finite"):
        enet_path(X, y, coef_init=start)
    if value != np.inf:  # that leaves a feature out
        with pytest.raises(ValueError, match="penalty_factors must be at least 0"):
            net(penalty_factors=start).fit(X, y)


@pytest.mark.parametrize("where", ["X", "y"])
@pytest.mark.parametrize("layout", ["C", "F", "csr"])
@tall_and_wide
def test_squares_that_overflow_are_an_error(shape, layout, where):
    X, y = SHAPES[shape]
    X, y = X.astype(np.float64), y.copy()
    if where == "X":
        X[:, 1] *= 1e200
    else:
        y *= 1e200
    X = scipy.sparse.csr_array(X) if layout == "csr" else np.asarray(X, order=layout)
    for fit in (net().fit, enet_path):
        with pytest.raises(ValueError, match="(?i)overflow|rescale"):
            fit(X, y)


@pytest.mark.parametrize("magnitude", [1e-100, 1e-30, 1e30, 1e100])
@tall_and_wide
def test_large_and_small_magnitudes(shape, magnitude):
    X, y = SHAPES[shape]
    base = Lasso(ALPHA, tol=1e-12).fit(X, y)
    model = Lasso(ALPHA * magnitude, tol=1e-12).fit(X, y * magnitude)
    assert_allclose(model.coef_, base.coef_ * magnitude, rtol=1e-5, atol=1e-6 * magnitude)
    model = Lasso(ALPHA * magnitude, tol=1e-12).fit(X * magnitude, y)
    assert_allclose(model.coef_, base.coef_ / magnitude, rtol=1e-5, atol=1e-6 / magnitude)


def test_weights_that_are_refused():
    for weight in (-1.0, np.r_[-1e-9, np.ones(N - 1)]):
        for fit in (net().fit, enet_path):
            with pytest.raises(ValueError, match="(?i)sample.weight.*negative|negative"):
                fit(INTEGERS, Y, sample_weight=weight)
    for fit in (net().fit, enet_path):
        with pytest.raises(ValueError, match="(?i)sample.weight.*zero"):
            fit(INTEGERS, Y, sample_weight=np.zeros(N))
        with pytest.raises(ValueError, match="(?i)sample.weight"):
            fit(INTEGERS, Y, sample_weight=WEIGHT[:-1])


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (INTEGERS[0], Y, "2D"),
        (INTEGERS[None], Y, "dim 3|2D"),
        (INTEGERS, Y[:-1], "inconsistent numbers of samples"),
        (INTEGERS, np.ones((N, 2, 2)), "y"),
        (INTEGERS, np.ones((N, 0)), "y|target"),
        (INTEGERS[:0], Y[:0], "0 sample"),
        (INTEGERS[:, :0], Y, "0 feature"),
        (INTEGERS, None, "y"),
        (INTEGERS.astype(str), np.array(["a"] * N), "string|str"),
        (np.full((N, P), "a", dtype=object), Y, "string|str"),
        (INTEGERS, np.array(["a"] * N, dtype=object), "string|str"),
        (INTEGERS + 1j, Y, "(?i)complex"),
        (INTEGERS, Y + 1j, "(?i)complex"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_shapes_and_kinds(X, y, words):
    for fit in (net().fit, enet_path):
        with pytest.raises(ValueError, match=words):
            fit(X, y)


def test_the_number_of_features_is_kept():
    model = net().fit(INTEGERS, Y)
    with pytest.raises(ValueError, match="features"):
        model.predict(INTEGERS[:, :-1])
    with pytest.raises(NotFittedError):
        net().predict(INTEGERS)
    stats = net().partial_fit(INTEGERS, Y)
    with pytest.raises(ValueError, match="features"):
        stats.partial_fit(INTEGERS[:, :-1], Y)
    with pytest.raises(TypeError, match="stats must be GramStatistics"):
        net().fit_statistics(INTEGERS)


# --- degenerate data ------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.02])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, -1e6 - 0.1])
@pytest.mark.parametrize("layout", ["C", "csr", "float32"])
@tall_and_wide
def test_constant_columns_have_no_coefficient(shape, layout, value, standardize, alpha):
    X, y = SHAPES[shape]
    X = X.astype(np.float64)
    wide = np.insert(X, 2, value, axis=1)
    given = {"C": np.asarray, "csr": scipy.sparse.csr_array, "float32": np.float32}[layout](wide)
    model = ElasticNet(alpha, tol=1e-12, standardize=standardize).fit(given, y)
    part = ElasticNet(alpha, tol=1e-12, standardize=standardize).fit(X, y)
    if alpha == 0.0:
        assert abs(model.coef_[2]) <= 1e-8
    else:
        assert model.coef_[2] == 0.0
    rtol = 1e-3 if layout == "float32" else 1e-5
    assert_allclose(np.delete(model.coef_, 2), part.coef_, rtol=rtol, atol=1e-5)


@tall_and_wide
def test_a_constant_target(shape):
    X, _ = SHAPES[shape]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for value in (0.0, 0.1, 1e6 + 0.1):
            model = net().fit(X, np.full(len(X), value))
            assert_array_equal(model.coef_, 0.0)
            assert_allclose(model.intercept_, value, rtol=1e-14)
            assert model.status_ == "converged"


@tall_and_wide
def test_columns_far_from_zero(shape):
    """A mean of 1e7 with a standard deviation of 1: rows are centred before they are squared."""
    X, y = SHAPES[shape]
    far = X + 1e7
    for layout in (np.asarray, scipy.sparse.csr_array):
        model = net(tol=1e-8).fit(layout(far), y)
        assert_allclose(model.coef_, expected(X, y)[0], rtol=1e-3, atol=1e-4)


# --- parameters -----------------------------------------------------------------------------------

NUMBERS = ["a", None, np.nan, np.inf, -0.1, [0.1], 1j]
WRONG = [
    *[("alpha", value) for value in NUMBERS],
    *[("l1_ratio", value) for value in [*NUMBERS, 1.1]],
    *[("tol", value) for value in NUMBERS],
    *[("max_iter", value) for value in [0, -1, 1.5, "a", np.inf]],
    *[("fit_intercept", value) for value in ["a", None, 1]],
    *[("positive", value) for value in ["a", None, 1]],
    *[("standardize", value) for value in ["a", None, 1]],
    *[("warm_start", value) for value in ["a", None, 1]],
    *[("copy_X", value) for value in ["a", None, 1]],
    *[("selection", value) for value in ["a", None, 1, True]],
    *[("precompute", value) for value in ["auto", "a", None, 1.0, np.eye(3)]],
    *[("n_threads", value) for value in [0, 1.5, "a", True]],
    *[("penalty_factors", value) for value in [[1.0], np.ones(7), -np.ones(P), np.ones((1, P))]],
    *[("bounds", value) for value in [1.0, (0.0,), (-1.0, 0.0, 1.0), "ab"]],
    *[("bounds", value) for value in [(0.1, 1.0), (-1.0, -0.1), (np.nan, 1.0), (1.0, -1.0)]],
    *[("bounds", value) for value in [(-np.ones(3), 1.0), (0.0, np.ones(7))]],
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_parameters_that_are_not_supported_are_refused(name, value):
    with pytest.raises((ValueError, TypeError), match=name) as error:
        ElasticNet(**{name: value}).fit(INTEGERS, Y)
    assert issubclass(error.type, ValueError) or name == "n_threads"
    if name not in ("l1_ratio", "alpha", "precompute", "warm_start"):
        with pytest.raises((ValueError, TypeError), match=name):
            Lasso(**{name: value}).fit(INTEGERS, Y)


PATH_WRONG = [
    *[(name, value) for name, value in WRONG if name not in ("alpha", "precompute", "warm_start")],
    *[("eps", value) for value in ["a", None, 0.0, -1.0, np.nan, np.inf]],
    *[("alphas", value) for value in [0, -1, "auto", [], [[1.0]], [-1.0], [np.nan], [np.inf], 1.5]],
    *[("coef_init", value) for value in [np.ones(3), 1.0, np.ones((1, P))]],
    *[("offset", value) for value in [np.ones(3), 1.0, np.ones((N, 2))]],
    *[("precompute", value) for value in ["a", None, 1.0, np.eye(3)]],
]


@pytest.mark.parametrize(("name", "value"), PATH_WRONG, ids=str)
def test_path_parameters_that_are_not_supported_are_refused(name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        enet_path(INTEGERS, Y, **{name: value})


@pytest.mark.parametrize("offset", [np.ones(3), 1.0, np.ones((N, 2)), np.ones((N, 1))])
def test_offsets_of_a_wrong_shape(offset):
    with pytest.raises(ValueError, match="offset must have the shape of y"):
        net().fit(INTEGERS, Y, offset=offset)


def test_options_are_checked_before_statistics_are_used():
    stats = GramStatistics.from_data(INTEGERS, Y)
    for name, value in [("alpha", -1.0), ("bounds", (1.0, 2.0)), ("penalty_factors", [1.0])]:
        model = ElasticNet(**{name: value})
        with pytest.raises(ValueError, match=name):
            model.fit_statistics(stats)
        with pytest.raises(ValueError, match=name):
            model.partial_fit(INTEGERS, Y)
        assert not hasattr(model, "statistics_")
