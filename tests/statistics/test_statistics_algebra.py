"""The algebra of GramStatistics: batches, sums, removal, names, files, and what is refused."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference import assert_exact, assert_identical, assert_same, relative_error

from fastridge import GramStatistics, Ridge


def problem(n=80, p=5, t=2, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + offset
    Y = rng.standard_normal((n, t)) - offset
    return X, Y, rng.uniform(0.2, 2.0, n)


# --- the algebra ---------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(8, 400),
    p=st.integers(1, 9),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    weighted=st.booleans(),
    alpha=st.sampled_from([1e-2, 1.0, 100.0]),
)
def test_addition_of_any_split_in_any_order_gives_the_same_coefficients(
    seed, n, p, cuts, weighted, alpha
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.standard_normal(p)
    y = X @ rng.standard_normal(p) + rng.standard_normal(n)
    weight = rng.uniform(0.2, 2.0, n) if weighted else None
    whole = Ridge(alpha=alpha).fit(X, y, sample_weight=weight)
    edges = sorted({0, n, *(int(cut * n) for cut in cuts)})
    batches = list(pairwise(edges))
    rng.shuffle(batches)
    stats = GramStatistics()
    for start, stop in batches:
        part = None if weight is None else weight[start:stop]
        if rng.random() < 0.5:
            stats.update(X[start:stop], y[start:stop], sample_weight=part)
        else:
            stats = stats + GramStatistics.from_data(
                X[start:stop], y[start:stop], sample_weight=part
            )
    model = Ridge(alpha=alpha).fit_statistics(stats)
    assert relative_error(model.coef_, whole.coef_) < 1e-12
    assert_allclose(model.intercept_, whole.intercept_, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_update_with_one_row_at_a_time_equals_one_pass(offset):
    X, Y, weight = problem(150, 3, 1, offset=offset)
    stats = GramStatistics()
    for i in range(150):
        stats.update(X[i : i + 1], Y[i : i + 1], sample_weight=weight[i : i + 1])
    assert_exact(stats, X, Y, weight, rtol=1e-12 if offset == 0 else 1e-8)


def test_addition_commutes_and_keeps_its_operands():
    X, Y, weight = problem(90, 4, offset=10.0)
    a = GramStatistics.from_data(X[:30], Y[:30], sample_weight=weight[:30])
    b = GramStatistics.from_data(X[30:], Y[30:], sample_weight=weight[30:])
    a_before, b_before = a.copy(), b.copy()
    assert_same(a + b, b + a, rtol=1e-14)
    assert_identical(a, a_before)
    assert_identical(b, b_before)
    assert_exact(a + b, X, Y, weight)


def test_addition_is_associative_and_sum_works():
    X, Y, _ = problem(90, 4)
    a, b, c = (GramStatistics.from_data(X[i::3], Y[i::3]) for i in range(3))
    assert_same((a + b) + c, a + (b + c), rtol=1e-13)
    assert_exact(sum([b, c], start=a), X, Y)


def test_merge_works_in_place_and_returns_self():
    X, Y, _ = problem(90, 4)
    a, b = GramStatistics.from_data(X[:30], Y[:30]), GramStatistics.from_data(X[30:], Y[30:])
    expected = a + b
    b_before = b.copy()
    assert a.merge(b) is a
    assert_identical(a, expected)
    assert_identical(b, b_before)


def test_merge_with_itself_doubles_the_weight():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    stats.merge(stats)
    assert_exact(stats, np.vstack([X, X]), np.vstack([Y, Y]))


def test_addition_of_empty_statistics_changes_nothing():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    assert_identical(stats + GramStatistics(), stats)
    assert_identical(GramStatistics() + stats, stats)
    assert (GramStatistics() + GramStatistics()).n_samples == 0


def test_update_without_rows_changes_nothing():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    before = stats.copy()
    assert stats.update(X[:0], Y[:0]) is stats
    assert_identical(stats, before)
    stats.update(X[:2], Y[:2], sample_weight=[0.0, 0.0])
    assert_allclose(stats.xx, before.xx, rtol=1e-14)


def test_copy_shares_no_memory():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y)
    before = stats.copy()
    twin = stats.copy()
    twin.update(X, Y)
    assert_identical(stats, before)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_remove_inverts_update(weighted, offset):
    X, Y, weight = problem(90, 4, offset=offset)
    w = (lambda s: weight[s]) if weighted else (lambda s: None)
    stats = GramStatistics.from_data(X, Y, sample_weight=w(slice(None)))
    assert stats.remove(X[:50], Y[:50], sample_weight=w(slice(50))) is stats
    assert_exact(stats, X[50:], Y[50:], w(slice(50, None)), rtol=1e-10)


def test_remove_in_a_sliding_window_stays_accurate():
    X, Y, _ = problem(600, 3, 1, offset=5.0)
    stats = GramStatistics.from_data(X[:50], Y[:50])
    for start in range(550):
        stats.update(X[start + 50 : start + 51], Y[start + 50 : start + 51])
        stats.remove(X[start : start + 1], Y[start : start + 1])
    assert_exact(stats, X[550:], Y[550:], rtol=1e-10)


def test_remove_of_all_rows_gives_empty_statistics():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X, Y).remove(X, Y)
    assert stats.n_samples == 0
    stats.update(X[:20], Y[:20])
    assert_exact(stats, X[:20], Y[:20])


def test_remove_of_too_many_rows_raises():
    X, Y, _ = problem(30, 3)
    stats = GramStatistics.from_data(X[:10], Y[:10])
    before = stats.copy()
    with pytest.raises(ValueError, match=r"(?s)remove.*30.*10|10.*30"):
        stats.remove(X, Y)
    assert_identical(stats, before)
    with pytest.raises(ValueError, match="(?i)remove|empty"):
        GramStatistics().remove(X, Y)


# --- names, saving -------------------------------------------------------------------------------


def test_names_follow_the_columns():
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


def test_from_data_keeps_the_dimensions_of_y():
    X, Y, _ = problem(30, 3)
    assert GramStatistics.from_data(X, Y[:, 0]).y_ndim == 1
    assert GramStatistics.from_data(X, Y[:, :1]).y_ndim == 2


@pytest.mark.parametrize("suffix", ["", ".npz", ".stats"])
def test_save_and_load_are_bitwise_exact(tmp_path, suffix):
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


def test_load_of_another_file_raises(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"not statistics")
    with pytest.raises(ValueError, match="other"):
        GramStatistics.load(path)
    with pytest.raises(FileNotFoundError):
        GramStatistics.load(tmp_path / "missing")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_bitwise_exact(protocol):
    X, Y, weight = problem(30, 3)
    stats = GramStatistics.from_data(X, Y, sample_weight=weight, feature_names=["a", "b", "c"])
    loaded = pickle.loads(pickle.dumps(stats, protocol))
    assert_identical(loaded, stats)
    assert_identical(loaded.update(X, Y), stats.update(X, Y))
    assert pickle.loads(pickle.dumps(GramStatistics(), protocol)).n_samples == 0


def test_shape_of_empty_statistics_raises():
    stats = GramStatistics()
    assert stats.n_samples == 0
    assert stats.sum_weights == 0.0
    assert "no rows" in repr(stats)
    with pytest.raises(ValueError, match="(?i)empty|no (rows|samples)|0 (rows|samples)"):
        Ridge().fit_statistics(stats)


# --- what must be refused ------------------------------------------------------------------------


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
@pytest.mark.parametrize(
    ("given", "words"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_update_with_invalid_rows_changes_nothing(given, words, method):
    X, Y, _ = problem(90, 3, 2, seed=1)
    stats = GramStatistics.from_data(X, Y)
    before = stats.copy()
    X, Y, weight = given
    with pytest.raises(ValueError, match=words):
        getattr(stats, method)(X, Y, sample_weight=weight)
    assert_identical(stats, before)


def test_addition_of_incompatible_statistics_raises():
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


def test_update_with_other_names_raises():
    X, Y, _ = problem(30, 3)
    with pytest.raises(ValueError, match="feature_names"):
        GramStatistics.from_data(X, Y, feature_names=["a", "b"])
    with pytest.raises(ValueError, match="target_names"):
        GramStatistics.from_data(X, Y, target_names=["u"])


@pytest.mark.parametrize("n_threads", [0, 1.5, "two", True])
def test_init_with_invalid_n_threads_raises(n_threads):
    X, Y, _ = problem(30, 3)
    with pytest.raises((ValueError, TypeError), match="n_threads"):
        GramStatistics.from_data(X, Y, n_threads=n_threads)


@pytest.mark.parametrize("scale", [1e200, 1e160])
def test_update_that_overflows_raises(scale):
    X, Y, _ = problem(30, 3)
    with pytest.raises(ValueError, match="(?i)overflow|too large|rescale|scale"):
        GramStatistics.from_data(X * scale, Y)


def test_update_leaves_data_unchanged():
    X, Y, weight = problem(30, 3)
    copies = X.copy(), Y.copy(), weight.copy()
    GramStatistics.from_data(X, Y, sample_weight=weight).remove(
        X[:5], Y[:5], sample_weight=weight[:5]
    )
    for array, copy in zip((X, Y, weight), copies, strict=True):
        assert_array_equal(array, copy)


# --- columns far from zero ------------------------------------------------------------------------


FAR = [(1e15, 20), (1e15, 1000), (1e12, 1000), (-1e15, 100_000)]


def far_rows(base, width):
    """Rows with a column far from zero, a target too, and the exact products of the columns."""
    rng = np.random.default_rng(0)
    k, z = rng.integers(0, width, 600), rng.integers(-50, 50, 600)
    y = 3 * k + z + rng.integers(0, 9, 600)
    X = np.column_stack([base + k, z.astype(float)])
    exact = [[int(v) for v in column] for column in (k, z, y)]
    n = len(k)
    sums = [sum(column) for column in exact]

    def product(a, b):
        square = n * sum(v * w for v, w in zip(exact[a], exact[b], strict=True))
        return (square - sums[a] * sums[b]) / n

    xx = [[product(a, b) for b in range(2)] for a in range(2)]
    return X, base + y, np.array(xx), np.array([product(a, 2) for a in range(2)]), product(2, 2)


@pytest.mark.parametrize(("base", "width"), FAR)
@pytest.mark.parametrize("how", ["folds", "batches", "removed", "saved"])
def test_statistics_merged_far_from_zero_keep_their_digits(tmp_path, base, width, how):
    X, y, xx, xy, yy = far_rows(base, width)
    if how == "folds":
        parts = [GramStatistics.from_data(X[k::5], y[k::5]) for k in range(5)]
        found = sum(parts[1:], parts[0])
    elif how == "batches":
        found = GramStatistics()
        for begin in range(0, len(y), 50):
            found.update(X[begin : begin + 50], y[begin : begin + 50])
    elif how == "removed":
        found = GramStatistics.from_data(np.vstack([X, X[:200]]), np.append(y, y[:200]))
        found.remove(X[:200], y[:200])
    else:
        found = GramStatistics.from_data(X[:300], y[:300])
        if how == "saved":
            found.save(tmp_path / "s")
            found = GramStatistics.load(tmp_path / "s")
        found = found + GramStatistics.from_data(X[300:], y[300:])
    scale = np.sqrt(np.diag(xx))
    assert_allclose(found.xx / np.outer(scale, scale), xx / np.outer(scale, scale), atol=1e-13)
    assert_allclose(found.xy[:, 0] / scale, xy / scale, rtol=1e-12, atol=1e-12 * np.sqrt(yy))
    assert_allclose(found.yy[0], yy, rtol=1e-12)
