"""Elastic nets chosen from rows that arrive in batches."""

import numpy as np
import pytest
from sklearn.model_selection import PredefinedSplit

from fastridge import ElasticNetCV, GramStatistics, LassoCV
from fastridge.designs.statistics import StatisticsDesign


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, size=(120, 6))
    y = X @ [2.0, 0.0, -1.0, 0.0, 0.0, 0.5] + rng.normal(size=120)
    return X, y, rng.integers(0, 3, 120).astype(float)


@pytest.mark.parametrize(
    "model", [LassoCV(tol=1e-10), ElasticNetCV(l1_ratio=[0.3, 0.9], tol=1e-10, selection="1se")]
)
def test_batches_are_one_fit_to_all_rows(rows, model):
    X, y, weight = rows
    for some in np.array_split(np.arange(120), [50, 51, 90]):
        model.partial_fit(X[some], y[some], weight[some])
    whole = type(model)(**model.get_params()).set_params(cv=PredefinedSplit(np.arange(120) % 5))
    whole.fit(X, y, weight)
    assert model.alpha_ == pytest.approx(whole.alpha_, rel=1e-12)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(model.mse_path_, whole.mse_path_, rtol=1e-7)
    assert model.statistics_.n_samples == np.count_nonzero(weight)
    assert len(model.fold_statistics_) == 5


def test_folds_of_ones_own_and_statistics_go_together(rows):
    X, y, _ = rows
    fold = np.repeat([0, 1, 2], 40)
    parts = [GramStatistics.from_data(X[fold == k], y[fold == k]) for k in range(3)]
    model = LassoCV().partial_fit(X, y, fold=fold)
    other = LassoCV().fit_statistics(parts)
    np.testing.assert_array_equal(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.mse_path_, other.mse_path_)
    more = LassoCV().fit_statistics(parts).partial_fit(X[:30], y[:30], fold=3)
    assert more.mse_path_.shape == (100, 4)
    assert more.statistics_.n_samples == 150


def test_partial_fit_wrong_rows_or_folds_are_refused(rows):
    X, y, _ = rows
    with pytest.raises(ValueError, match="cv must be None or a number of folds"):
        LassoCV(cv=PredefinedSplit(np.arange(120) % 5)).partial_fit(X, y)
    with pytest.raises(ValueError, match="at least 2 folds, and there is 1"):
        LassoCV().partial_fit(X, y, fold=0)
    model = LassoCV().partial_fit(X, y)
    with pytest.raises(ValueError, match="6 features"):
        model.partial_fit(X[:, :5], y)
    assert model.statistics_.n_samples == 120
    assert not hasattr(model.fit(X, y), "statistics_")


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gram_below_the_diagonal_is_never_read(rows, fit_intercept):
    X, y, weight = rows
    held = GramStatistics.from_data(X, y, weight)._held()
    held.upper.view(np.uint64)[np.tril_indices(6, -1)] = 0x7FF4_0000_0000_0001  # a signalling NaN
    design = StatisticsDesign(held, fit_intercept)
    centre = np.average(X, axis=0, weights=weight) if fit_intercept else np.zeros(6)
    expected = (weight[:, None] * (X - centre)).T @ (X - centre)
    np.testing.assert_allclose(np.triu(design.gram), np.triu(expected), rtol=1e-10, atol=1e-9)
