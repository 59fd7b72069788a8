"""Columns that lie apart, put together as rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastridge._kernels import interleave as kernel


def interleave(columns, begin, end, rows):
    if not kernel.interleave(columns, begin, end, rows, np.empty(len(columns), dtype=np.intp)):
        raise ValueError("the columns do not fit")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 8, 20, 33])
@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 63, 64, 65, 200])
def test_rows_are_those_of_the_columns(n, p, dtype):
    X = np.random.default_rng(n).standard_normal((n + 7, p)).astype(dtype)
    columns = [X[:, j].copy() for j in range(p)]
    columns[0].flags.writeable = False
    rows = np.full((n + 2, p), np.nan, dtype)
    interleave(columns, 3, 3 + n, rows)
    assert_array_equal(rows[:n], X[3 : 3 + n])
    assert np.isnan(rows[n:]).all()


def test_bits_are_kept():
    odd = np.array([np.nan, -0.0, np.inf, 5e-324, -np.inf])
    rows = np.empty((5, 4))
    interleave([odd, odd[::-1].copy(), odd, odd], 0, 5, rows)
    assert_array_equal(rows[:, 1].view(np.int64), odd[::-1].copy().view(np.int64))
    assert_array_equal(rows[:, 3].view(np.int64), odd.view(np.int64))


def test_interleave_wrong_sizes_are_refused():
    column, rows = np.zeros(5), np.zeros((5, 1))
    interleave([], 0, 0, np.zeros((0, 0)))
    for columns, begin, end in (
        ([column, column], 0, 5),
        ([column], 0, 6),
        ([column], -1, 3),
        ([column], 3, 2),
        ([column[:4]], 0, 5),
        ([column.astype(np.float32)], 0, 5),
        ([np.zeros(10)[::2]], 0, 5),
        ([rows], 0, 5),
    ):
        with pytest.raises(ValueError, match=r"fit|rows, not|mismatch|contiguous|dimensions"):
            interleave(columns, begin, end, rows)
    assert_array_equal(rows, 0.0)
