"""Every Gram kernel, for every instruction set, dtype and layout, against slow NumPy."""

import importlib
import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import _kernels


def frozen(A):
    A = A.copy()
    A.flags.writeable = False
    return A


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "row-strided": lambda A: np.repeat(A, 2, axis=0)[::2],
    "column-strided": lambda A: np.repeat(A, 3, axis=1)[:, ::3],
    "reversed": lambda A: np.ascontiguousarray(A[::-1, ::-1])[::-1, ::-1],
    "read-only": frozen,
}


@pytest.fixture(params=_kernels.available)
def gram(request):
    return importlib.import_module(f"fastridge._kernels.{request.param}.gram")


def reference(X, Y, shift, weight):
    """X'X, X'Y, diag(Y'Y) and the sums of X, Y and the weights, by one outer product per row."""
    n, p = X.shape
    t = Y.shape[1]
    total = np.zeros((p + t + 1, p + t + 1))
    for i in range(n):
        z = np.concatenate([X[i] - shift[:p], Y[i] - shift[p:], [1.0]]).astype(np.float64)
        total += weight[i] * np.outer(z, z)
    return total[:p, :p], total[:p, p : p + t], np.diagonal(total)[p : p + t], total[-1]


def accumulate(gram, X, Y, shift, root, depth, borders=None):
    """The same as `reference`, by the kernel; ranges of columns use the same tile in turn."""
    p, t = X.shape[1], Y.shape[1]
    left_out = gram.extra_columns(p, t)
    inside = p - left_out
    columns = inside + t if t > 1 else inside
    padded = gram.padded_columns(columns)
    out = np.zeros((p + gram.panel_width(), padded + left_out))
    moments = np.zeros((2 + left_out, p + t + 1))
    tile = np.zeros((padded + 3, depth))
    borders = [0, padded] if borders is None else borders
    for row in range(0, len(X), depth if len(borders) > 2 else len(X)):
        some = slice(row, row + (depth if len(borders) > 2 else len(X)))
        packed = 0
        for begin, end in itertools.pairwise(borders):
            gram.accumulate_gram(
                X[some], Y[some], shift, root[some], tile, out, moments, packed, begin, end
            )
            packed = end
    for k in range(left_out):
        out[:inside, inside + k] = moments[2 + k, :inside]
        out[inside : inside + k + 1, inside + k] = moments[2 : 3 + k, inside + k]
    xy = out[:p, p : p + t] if t > 1 else moments[1, :p, None]
    return out[:p, :p], xy, moments[1, p : p + t], moments[0]


def compare(found, expected, rtol=1e-13):
    scale = np.abs(expected).max()
    upper = np.triu(np.ones(expected.shape, dtype=bool))
    assert_allclose(found[upper], expected[upper], rtol=0, atol=rtol * scale)


def same_sums(found, expected):
    compare(found[0], expected[0])
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max())


@pytest.mark.parametrize("x_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y_dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("p", "t"), [(7, 2), (7, 1), (43, 1), (25, 1), (50, 1)])
def test_accumulate_gram(gram, x_dtype, y_dtype, layout, weighted, p, t):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((45, p)).astype(x_dtype)
    Y = rng.standard_normal((45, t)).astype(y_dtype)
    shift = rng.standard_normal(p + t)
    weight = rng.uniform(0.0, 2.0, 45) if weighted else np.ones(45)
    root = np.sqrt(weight) if weighted else np.empty(0)
    arrange = LAYOUTS[layout]
    found = accumulate(gram, arrange(X), arrange(Y), shift, root, depth=16)
    same_sums(found, reference(X, Y, shift, weight))


@pytest.mark.parametrize("p", [*range(1, 27), 31, 36, 47, 48, 49, 60, 71])
@pytest.mark.parametrize("t", [1, 3, 30])
def test_every_remainder_of_the_panels(gram, p, t):
    rng = np.random.default_rng(p)
    X, Y = rng.standard_normal((11, p)), rng.standard_normal((11, t))
    found = accumulate(gram, X, Y, np.zeros(p + t), np.empty(0), depth=8)
    same_sums(found, reference(X, Y, np.zeros(p + t), np.ones(11)))


@pytest.mark.parametrize("p", [20, 47, 50, 100, 300])
@pytest.mark.parametrize("t", [1, 40])
def test_columns_may_come_in_ranges(gram, p, t):
    """Products are bitwise the same; sums to rounding, for long rows are summed by eights."""
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((33, p)), rng.standard_normal((33, t))
    whole = accumulate(gram, X, Y, np.zeros(p + t), np.empty(0), depth=16)
    padded = gram.padded_columns(p + t if t > 1 else p - gram.extra_columns(p, t))
    borders = [*range(0, padded, gram.panel_width()), padded]
    parts = accumulate(gram, X, Y, np.zeros(p + t), np.empty(0), 16, borders)
    np.testing.assert_array_equal(np.triu(parts[0]), np.triu(whole[0]))
    same_sums(parts, whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("columns", [1, 5, 24, 50])
def test_accumulate_outer(gram, dtype, layout, columns):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((37, columns)).astype(dtype)
    shift, scale = rng.standard_normal(37), rng.uniform(0.5, 2.0, 37)
    padded = gram.padded_columns(columns)
    out = np.zeros((columns + gram.panel_width(), padded))
    tile = np.zeros((padded, 16))
    gram.accumulate_outer(LAYOUTS[layout](X), shift, scale, tile, out, 0, 0, padded)
    Z = (X.astype(np.float64) - shift[:, None]) * scale[:, None]
    compare(out[:columns, :columns], Z.T @ Z)


def test_nan_and_infinity_reach_the_sums(gram):
    for bad in (np.nan, np.inf, -np.inf):
        X, Y = np.ones((20, 5)), np.ones((20, 1))
        X[13, 2] = bad
        found, _, _, sums = accumulate(gram, X, Y, np.zeros(6), np.empty(0), depth=8)
        assert not np.isfinite(sums[2])
        assert not np.isfinite(found[2, 2])
        assert np.isfinite(found[0, 0])


def test_centre_gram(gram):
    rng = np.random.default_rng(3)
    X, Y, weight = rng.standard_normal((30, 4)) + 5.0, rng.standard_normal((30, 2)), rng.random(30)
    out, xy, squares, sums = accumulate(gram, X, Y, np.zeros(6), np.sqrt(weight), depth=8)
    mean = np.empty(6)
    gram.centre_gram(out, xy, sums, squares, mean)
    x_mean, y_mean = weight @ X / weight.sum(), weight @ Y / weight.sum()
    assert_allclose(mean, np.r_[x_mean, y_mean], rtol=1e-13)
    Xc, Yc = X - x_mean, Y - y_mean
    compare(out, (Xc * weight[:, None]).T @ Xc, rtol=1e-12)
    assert_allclose(xy, (Xc * weight[:, None]).T @ Yc, atol=1e-11)
    assert_allclose(squares, weight @ Yc**2, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 31, 32, 33, 70])
def test_mirror_upper(gram, n):
    rng = np.random.default_rng(4)
    A = rng.standard_normal((n, n + 3))
    full = np.empty((n, n))
    gram.mirror_upper(A[:, :n], full)
    upper = np.triu(A[:, :n])
    np.testing.assert_array_equal(full, upper + np.triu(A[:, :n], 1).T)


@pytest.mark.parametrize("n_parts", [1, 2, 5, 8])
def test_sum_upper(gram, n_parts):
    rng = np.random.default_rng(n_parts)
    parts = [rng.normal(size=(5, 8))[:, :5] for _ in range(n_parts)]
    signs, factors = rng.choice([-1.0, 1.0], n_parts), rng.normal(size=n_parts)
    steps, out = rng.normal(size=(n_parts, 5)), np.zeros((5, 5))
    gram.sum_upper(parts, signs, steps, factors, out)
    whole = np.einsum("k,kij->ij", signs, parts) + np.einsum("k,ki,kj->ij", factors, steps, steps)
    np.testing.assert_allclose(out, np.triu(whole), rtol=1e-12, atol=1e-14)
