"""The one-standard-error rule against its definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from fastridge.model_selection.one_standard_error import choose, standard_error

ALPHAS = np.array([0.1, 1.0, 10.0, 100.0])


def test_choose_takes_the_largest_alpha_within_one_error_of_the_least_loss():
    best, within = choose(ALPHAS, np.array([3.0, 2.0, 2.4, 2.6]), np.full(4, 0.5))
    assert (best, within) == (1, 2)


def test_choose_of_decreasing_alphas_gives_the_same_alphas():
    loss, error = np.array([3.0, 2.0, 2.4, 2.6]), np.array([0.1, 0.5, 0.2, 0.3])
    best, within = choose(ALPHAS[::-1], loss[::-1], error[::-1])
    assert (ALPHAS[::-1][best], ALPHAS[::-1][within]) == (1.0, 10.0)


def test_choose_counts_nan_as_the_worst_loss():
    best, within = choose(ALPHAS, np.array([np.nan, 2.0, 3.0, np.nan]), np.full(4, 1.0))
    assert (best, within) == (1, 2)


def test_choose_of_equal_losses_takes_the_first_as_best():
    assert choose(ALPHAS, np.array([2.0, 1.0, 1.0, 2.0])).best == 1


def test_choose_without_a_standard_error_has_none_within():
    assert choose(ALPHAS, np.array([3.0, 2.0, 2.4, 2.6])).within == -1
    assert choose(ALPHAS, np.arange(4.0), np.full(4, np.nan)).within == -1


@given(st.integers(0, 1000))
def test_choose_of_columns_equals_choosing_each(seed):
    rng = np.random.default_rng(seed)
    loss, error = rng.integers(0, 6, (4, 3)).astype(float), rng.random((4, 3))
    chosen = choose(ALPHAS, loss, error)
    each = [choose(ALPHAS, loss[:, k], error[:, k]) for k in range(3)]
    assert_array_equal(chosen.best, [one.best for one in each])
    assert_array_equal(chosen.within, [one.within for one in each])
    for k in range(3):
        bound = loss[chosen.best[k], k] + error[chosen.best[k], k]
        assert ALPHAS[chosen.within[k]] == ALPHAS[loss[:, k] <= bound].max()


def test_standard_error_of_three_splits_and_of_one():
    assert_allclose(standard_error(np.array([[1.0, 2.0, 3.0]])), [1.0 / np.sqrt(3.0)])
    assert np.isnan(standard_error(np.ones((2, 1)))).all()
