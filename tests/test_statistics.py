"""GramStatistics against exact arithmetic, and its algebra: update, add, merge, remove, save, load."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import exact_centred_product, exact_mean, relative_error

from fastridge import GramStatistics, Ridge

FIELDS = ["n_samples", "sum_weights", "x_mean", "y_mean", "xx", "xy", "yy"]


def problem(n=80, p=5, t=2, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + offset
    Y = rng.standard_normal((n, t)) - offset
    return X, Y, rng.uniform(0.2, 2.0, n)


def assert_exact(stats, X, Y, weight=None, rtol=1e-13):
    """Every field against exact arithmetic on what was given; products relative to their diagonals."""
    X, Y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    Y = Y[:, None] if Y.ndim == 1 else Y
    assert stats.n_samples == len(X)
    assert stats.n_features == X.shape[1]
    assert stats.n_targets == Y.shape[1]
    assert_allclose(stats.sum_weights, len(X) if weight is None else np.sum(weight), rtol=1e-14)
    spread = 1e-14 * max(1.0, X.std(), Y.std())
    assert_allclose(stats.x_mean, exact_mean(X, weight).astype(float), rtol=1e-14, atol=spread)
    assert_allclose(stats.y_mean, exact_mean(Y, weight).astype(float), rtol=1e-14, atol=spread)
    xx, xy = exact_centred_product(X, X, weight), exact_centred_product(X, Y, weight)
    yy = np.diag(exact_centred_product(Y, Y, weight)).astype(float)
    sx, sy = np.sqrt(np.diag(xx).astype(float)), np.sqrt(yy)
    assert stats.xx.shape == xx.shape
    assert stats.xy.shape == xy.shape
    assert stats.yy.shape == yy.shape
    assert np.all(np.abs(stats.xx - xx.astype(float)) <= rtol * np.outer(sx, sx) + 1e-300)
    assert np.all(np.abs(stats.xy - xy.astype(float)) <= rtol * np.outer(sx, sy) + 1e-300)
    assert np.all(np.abs(stats.yy - yy) <= rtol * yy + 1e-300)
    assert_array_equal(stats.xx, stats.xx.T)


def assert_same(a, b, rtol=1e-13):
    """Equal to rounding: products relative to their diagonals."""
    assert a.n_samples == b.n_samples
    assert_allclose(a.sum_weights, b.sum_weights, rtol=1e-13)
    sx, sy = np.sqrt(np.diag(b.xx)), np.sqrt(b.yy)
    assert_allclose(a.x_mean, b.x_mean, rtol=rtol, atol=rtol)
    assert_allclose(a.y_mean, b.y_mean, rtol=rtol, atol=rtol)
    assert np.all(np.abs(a.xx - b.xx) <= rtol * np.outer(sx, sx))
    assert np.all(np.abs(a.xy - b.xy) <= rtol * np.outer(sx, sy))
    assert np.all(np.abs(a.yy - b.yy) <= rtol * b.yy)


def assert_identical(a, b):
    for field in FIELDS:
        assert_array_equal(getattr(a, field), getattr(b, field))
        assert np.asarray(getattr(a, field)).dtype == np.asarray(getattr(b, field)).dtype
    assert a.feature_names == b.feature_names
    assert a.target_names == b.target_names
    assert a.y_ndim == b.y_ndim


# --- one pass ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 63, 64, 65, 127, 300])
@pytest.mark.parametrize("p", [1, 3, 4, 5, 12, 13])
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_at_every_edge_of_a_tile(n, p, weighted):
    X, Y, weight = problem(n, p, 1)
    weight = weight if weighted else None
    assert_exact(GramStatistics.from_data(X, Y, sample_weight=weight), X, Y, weight)


@pytest.mark.parametrize("p", [40, 131, 260])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [1, 7])
def test_many_columns(p, order, weighted, t):
    X, Y, weight = problem(700, p, t, offset=3.0)
    weight = weight if weighted else np.ones(700)
    stats = GramStatistics.from_data(np.asarray(X, order=order), Y, sample_weight=weight)
    X, Y = X.astype(np.longdouble), Y.astype(np.longdouble)
    Xc, Yc = X - weight @ X / weight.sum(), Y - weight @ Y / weight.sum()
    assert relative_error(stats.xx, Xc.T @ (weight[:, None] * Xc)) < 1e-13
    assert relative_error(stats.xy, Xc.T @ (weight[:, None] * Yc)) < 1e-13
    assert relative_error(stats.yy, weight @ Yc**2) < 1e-13


@pytest.mark.parametrize("offset", [1e4, 1e8, -1e8])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "read-only"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ["random", "sorted", "reversed", "one far row first"])
def test_means_far_from_zero(offset, layout, weighted, order):
    X, Y, weight = problem(200, 3, 1, offset=offset)
    if order in ("sorted", "reversed"):
        X = np.sort(X, axis=0)[:: 1 if order == "sorted" else -1]
    if order == "one far row first":
        X[0] += 1e6
    weight = weight if weighted else None
    given = {
        "C": X,
        "F": np.asfortranarray(X),
        "strided": np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
        "read-only": np.frombuffer(X.tobytes()).reshape(X.shape),
    }[layout]
    stats = GramStatistics.from_data(given, Y, sample_weight=weight)
    assert_exact(stats, X, Y, weight, rtol=1e-9 if order == "one far row first" else 1e-11)


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_that_drift_far(weighted):
    """Sorted data: the mean of the first rows says nothing about the last ones."""
    rng = np.random.default_rng(0)
    X = 1e7 + np.linspace(0, 1e6, 3000)[:, None] + rng.standard_normal((3000, 3))
    Y = X[:, :1] + rng.standard_normal((3000, 1))
    weight = np.geomspace(1e-3, 1e3, 3000) if weighted else None
    assert_exact(GramStatistics.from_data(X, Y, sample_weight=weight), X, Y, weight, rtol=1e-12)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32"],
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_dtypes_are_summed_in_float64(dtype, order, weighted):
    rng = np.random.default_rng(1)
    X = rng.integers(0, 2 if dtype == "bool" else 100, (150, 4)).astype(dtype, order=order)
    Y = rng.integers(0, 100, 150).astype("float32")
    weight = rng.uniform(0.2, 2.0, 150) if weighted else None
    assert_exact(GramStatistics.from_data(X, Y, sample_weight=weight), X, Y, weight)


def test_large_integers_are_rounded_only_as_float64_rounds_them():
    X = np.array([[2**62 + 1, 0], [2**62 + 4096, 1], [2**62 + 8192, 5]], dtype=np.int64)
    stats = GramStatistics.from_data(X, [1.0, 2.0, 3.0])
    assert_exact(stats, X.astype(np.float64), [1.0, 2.0, 3.0], rtol=1e-12)


@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_array])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("t", [1, 3])
def test_sparse_equals_dense(make, index, dtype, weighted, t):
    rng = np.random.default_rng(2)
    X = (rng.random((300, 7)) * (rng.random((300, 7)) < 0.3)).astype(dtype)
    X[:, 4] = 0.0
    X[10:90] = 0.0
    Y, weight = rng.standard_normal((300, t)) + 5, rng.uniform(0.2, 2.0, 300) if weighted else None
    S = make(X)
    S.indices, S.indptr = S.indices.astype(index), S.indptr.astype(index)
    assert_exact(GramStatistics.from_data(S, Y, sample_weight=weight), X, Y, weight)


def test_sparse_and_dense_batches_mix():
    X, Y, weight = problem(60, 4)
    X[np.abs(X) < 0.7] = 0.0
    stats = GramStatistics()
    stats.update(scipy.sparse.csr_array(X[:20]), Y[:20], sample_weight=weight[:20])
    stats.update(X[20:40].astype(np.float64), Y[20:40], sample_weight=weight[20:40])
    stats.update(scipy.sparse.csc_array(X[40:]), Y[40:], sample_weight=weight[40:])
    assert_exact(stats, X, Y, weight)


def test_zero_weights_count_as_rows_without_mass():
    X, Y, weight = problem(40, 3)
    weight[::4] = 0.0
    stats = GramStatistics.from_data(X, Y, sample_weight=weight)
    kept = GramStatistics.from_data(X[weight > 0], Y[weight > 0], sample_weight=weight[weight > 0])
    assert_allclose(stats.xx, kept.xx, rtol=1e-13, atol=1e-13)
    assert_allclose(stats.x_mean, kept.x_mean, rtol=1e-13)
    assert stats.sum_weights == pytest.approx(kept.sum_weights, rel=1e-14)


def test_huge_rows_of_zero_weight_leave_no_trace():
    X, Y, weight = problem(40, 3)
    weight[::4] = 0.0
    expected = GramStatistics.from_data(X[weight > 0], Y[weight > 0], sample_weight=weight[weight > 0])
    X[::4], Y[::4] = 1e200, -1e200
    stats = GramStatistics.from_data(X, Y, sample_weight=weight)
    assert_allclose(stats.xx, expected.xx, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_number_of_threads_changes_nothing_but_rounding(n_threads):
    X, Y, weight = problem(20000, 9, 2, offset=100.0)
    one = GramStatistics.from_data(X, Y, weight, 1)
    many = GramStatistics.from_data(X, Y, weight, n_threads)
    assert_same(many, one, rtol=1e-11)
    assert_identical(GramStatistics.from_data(X, Y, weight, n_threads), many)


# --- the algebra -------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(8, 400),
    p=st.integers(1, 9),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    weighted=st.booleans(),
    alpha=st.sampled_from([1e-2, 1.0, 100.0]),
)
def test_any_split_in_any_order_gives_the_same_coefficients(seed, n, p, cuts, weighted, alpha):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.standard_normal(p)
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    weight = rng.uniform(0.2, 2.0, n) if weighted else None
    whole = Ridge(alpha=alpha).fit(X, y, sample_weight=weight)
    edges = sorted({0, n, *(int(cut * n) for cut in cuts)})
    batches = list(zip(edges, edges[1:], strict=False))
    rng.shuffle(batches)
    stats = GramStatistics()
    for start, stop in batches:
        part = None if weight is None else weight[start:stop]
        if rng.random() < 0.5:
            stats.update(X[start:stop], y[start:stop], sample_weight=part)
        else:
            stats = stats + GramStatistics.from_data(X[start:stop], y[start:stop], sample_weight=part)
    model = Ridge(alpha=alpha).fit_statistics(stats)
    assert relative_error(model.coef_, whole.coef_) < 1e-12
    assert_allclose(model.intercept_, whole.intercept_, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_one_row_at_a_time(offset):
    X, Y, weight = problem(150, 3, 1, offset=offset)
    stats = GramStatistics()
    for i in range(150):
        stats.update(X[i : i + 1], Y[i : i + 1], sample_weight=weight[i : i + 1])
    assert_exact(stats, X, Y, weight, rtol=1e-12 if offset == 0 else 1e-8)


def test_addition_commutes_and_leaves_its_operands():
    X, Y, weight = problem(90, 4, offset=10.0)
    a = GramStatistics.from_data(X[:30], Y[:30], sample_weight=weight[:30])
    b = GramStatistics.from_data(X[30:], Y[30:], sample_weight=weight[30:])
    a_before, b_before = a.copy(), b.copy()
    assert_same(a + b, b + a, rtol=1e-14)
    assert_identical(a, a_before)
    assert_identical(b, b_before)
    assert_exact(a + b, X, Y, weight)


def test_addition_associates_and_sums():
    X, Y, _ = problem(90, 4)
    a, b, c = (GramStatistics.from_data(X[i::3], Y[i::3]) for i in range(3))
    assert_same((a + b) + c, a + (b + c), rtol=1e-13)
    assert_exact(sum([b, c], start=a), X, Y)


def test_merge_is_in_place_and_chains():
    X, Y, _ = problem(90, 4)
    a, b = GramStatistics.from_data(X[:30], Y[:30]), GramStatistics.from_data(X[30:], Y[30:])
    expected = a + b
    b_before = b.copy()
    assert a.merge(b) is a
    assert_identical(a, expected)
    assert_identical(b, b_before)


def test_merge_with_itself_counts_twice():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    stats.merge(stats)
    assert_exact(stats, np.vstack([X, X]), np.vstack([Y, Y]))


def test_empty_is_neutral():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    assert_identical(stats + GramStatistics(), stats)
    assert_identical(GramStatistics() + stats, stats)
    assert (GramStatistics() + GramStatistics()).n_samples == 0


def test_empty_update_changes_nothing():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    before = stats.copy()
    assert stats.update(X[:0], Y[:0]) is stats
    assert_identical(stats, before)
    stats.update(X[:2], Y[:2], sample_weight=[0.0, 0.0])
    assert_allclose(stats.xx, before.xx, rtol=1e-14)


def test_copy_shares_nothing():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    before = stats.copy()
    twin = stats.copy()
    twin.update(X, Y)
    assert_identical(stats, before)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_remove_is_the_inverse_of_update(weighted, offset):
    X, Y, weight = problem(90, 4, offset=offset)
    w = (lambda s: weight[s]) if weighted else (lambda s: None)
    stats = GramStatistics.from_data(X, Y, sample_weight=w(slice(None)))
    assert stats.remove(X[:50], Y[:50], sample_weight=w(slice(50))) is stats
    assert_exact(stats, X[50:], Y[50:], w(slice(50, None)), rtol=1e-10)


def test_sliding_window_stays_accurate():
    X, Y, _ = problem(600, 3, 1, offset=5.0)
    stats = GramStatistics.from_data(X[:50], Y[:50])
    for start in range(550):
        stats.update(X[start + 50 : start + 51], Y[start + 50 : start + 51])
        stats.remove(X[start : start + 1], Y[start : start + 1])
    assert_exact(stats, X[550:], Y[550:], rtol=1e-10)


def test_remove_of_everything_leaves_an_empty_accumulator():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y).remove(X, Y)
    assert stats.n_samples == 0
    stats.update(X[:20], Y[:20])
    assert_exact(stats, X[:20], Y[:20])


def test_remove_of_more_than_there_is_is_an_error():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X[:10], Y[:10])
    before = stats.copy()
    with pytest.raises(ValueError, match=r"(?s)remove.*30.*10|10.*30"):
        stats.remove(X, Y)
    assert_identical(stats, before)
    with pytest.raises(ValueError, match="(?i)remove|empty"):
        GramStatistics().remove(X, Y)


# --- names, saving -----------------------------------------------------------------------------------


def test_names():
    import pandas as pd

    X, Y, _ = problem(30, 3)
    names = ["a", "b", "c"]
    stats = GramStatistics.from_data(X, Y, feature_names=names, target_names=["u", "v"])
    assert list(stats.feature_names) == names
    assert list(stats.target_names) == ["u", "v"]
    named = GramStatistics(feature_names=names, target_names=["u", "v"])
    assert_identical(named.update(X, Y), stats)
    frame = pd.DataFrame(X, columns=names)
    assert list(GramStatistics.from_data(frame, Y).feature_names) == names
    assert GramStatistics.from_data(X, Y).feature_names is None
    assert list(stats.copy().feature_names) == names
    assert list((stats + stats).target_names) == ["u", "v"]
    assert list((stats + GramStatistics.from_data(X, Y)).feature_names) == names
    assert list(Ridge().fit_statistics(stats).feature_names_in_) == names
    with pytest.raises(ValueError, match="(?s)b.*a"):
        stats.update(frame[["b", "a", "c"]], Y)


def test_dimensions_of_y_are_remembered():
    X, Y, _ = problem(30, 3)
    assert GramStatistics.from_data(X, Y[:, 0]).y_ndim == 1
    assert GramStatistics.from_data(X, Y[:, :1]).y_ndim == 2


@pytest.mark.parametrize("suffix", ["", ".npz", ".stats"])
def test_save_and_load_are_bitwise(tmp_path, suffix):
    X, Y, weight = problem(30, 3, offset=1e5)
    stats = GramStatistics.from_data(
        X, Y, sample_weight=weight, feature_names=["a", "ü", "特"], target_names=["u", "v"]
    )
    path = tmp_path / f"statistics{suffix}"
    stats.save(path)
    assert path.exists()
    loaded = GramStatistics.load(path)
    assert_identical(loaded, stats)
    assert_identical(GramStatistics.load(str(path)), stats)
    assert_identical(loaded.update(X, Y), stats.update(X, Y))


def test_load_of_something_else_is_an_error(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"not statistics")
    with pytest.raises(ValueError, match="other"):
        GramStatistics.load(path)
    with pytest.raises(FileNotFoundError):
        GramStatistics.load(tmp_path / "missing")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_bitwise(protocol):
    X, Y, weight = problem(30, 3)
    stats = GramStatistics.from_data(X, Y, sample_weight=weight, feature_names=["a", "b", "c"])
    loaded = pickle.loads(pickle.dumps(stats, protocol))
    assert_identical(loaded, stats)
    assert_identical(loaded.update(X, Y), stats.update(X, Y))
    assert pickle.loads(pickle.dumps(GramStatistics(), protocol)).n_samples == 0


def test_empty_has_no_shape_yet():
    stats = GramStatistics()
    assert stats.n_samples == 0
    assert stats.sum_weights == 0.0
    assert "no rows" in repr(stats)
    with pytest.raises(ValueError, match="(?i)empty|no (rows|samples)|0 (rows|samples)"):
        Ridge().fit_statistics(stats)


# --- what must be refused ----------------------------------------------------------------------------


def refused():
    X, Y, weight = problem(30, 3)
    nan = np.where(np.arange(30)[:, None] == 29, np.nan, X)
    yield "features", (X[:, :2], Y, None), "2.*3|3.*2"
    yield "targets", (X, Y[:, :1], None), "1.*2|2.*1|target"
    yield "y of one dimension", (X, Y[:, 0], None), "target|1.*2|2.*1"
    yield "rows of y", (X, Y[:-1], None), "inconsistent|rows|samples"
    yield "rows of weights", (X, Y, weight[:-1]), "sample_weight"
    yield "negative weight", (X, Y, -weight), "sample_weight"
    yield "nan weight", (X, Y, np.full(30, np.nan)), "sample_weight"
    yield "nan x", (nan, Y, None), "X contains NaN"
    yield "nan y", (X, Y * np.nan, None), "y contains NaN"
    yield "inf x", (X / 0.0, Y, None), "X contains infinity"
    yield "one dimension", (X[0], Y, None), "2D|2-d|dimension"
    yield "strings", (np.full((30, 3), "a"), Y, None), "string|str|numeric"
    yield "complex", (X + 1j, Y, None), "(?i)complex"


with np.errstate(divide="ignore"):
    REFUSED = list(refused())


@pytest.mark.parametrize("method", ["update", "remove"])
@pytest.mark.parametrize(("given", "words"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused_rows_leave_the_accumulator_as_it_was(given, words, method):
    X, Y, _ = problem(90, 3, 2, seed=1)
    stats = GramStatistics.from_data(X, Y)
    before = stats.copy()
    X, Y, weight = given
    with pytest.raises(ValueError, match=words):
        getattr(stats, method)(X, Y, sample_weight=weight)
    assert_identical(stats, before)


def test_refused_sums():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y, feature_names=["a", "b", "c"])
    with pytest.raises(ValueError, match="3.*2|2.*3"):
        stats + GramStatistics.from_data(X[:, :2], Y)
    with pytest.raises(ValueError, match="2.*1|1.*2"):
        stats + GramStatistics.from_data(X, Y[:, :1])
    with pytest.raises(ValueError, match="(?i)name"):
        stats + GramStatistics.from_data(X, Y, feature_names=["a", "c", "b"])
    with pytest.raises(TypeError):
        stats + 3
    with pytest.raises((TypeError, ValueError)):
        stats.merge("statistics")


def test_refused_names():
    X, Y, _ = problem(30, 3)
    with pytest.raises(ValueError, match="feature_names"):
        GramStatistics.from_data(X, Y, feature_names=["a", "b"])
    with pytest.raises(ValueError, match="target_names"):
        GramStatistics.from_data(X, Y, target_names=["u"])


@pytest.mark.parametrize("n_threads", [0, 1.5, "two", True])
def test_refused_number_of_threads(n_threads):
    X, Y, _ = problem(30, 3)
    with pytest.raises((ValueError, TypeError), match="n_threads"):
        GramStatistics.from_data(X, Y, n_threads=n_threads)


@pytest.mark.parametrize("scale", [1e200, 1e160])
def test_products_that_overflow_are_an_error(scale):
    X, Y, _ = problem(30, 3)
    with pytest.raises(ValueError, match="(?i)overflow|too large|rescale|scale"):
        GramStatistics.from_data(X * scale, Y)


def test_data_is_not_written():
    X, Y, weight = problem(30, 3)
    copies = X.copy(), Y.copy(), weight.copy()
    GramStatistics.from_data(X, Y, sample_weight=weight).remove(X[:5], Y[:5], sample_weight=weight[:5])
    for given, copy in zip((X, Y, weight), copies, strict=True):
        assert_array_equal(given, copy)
