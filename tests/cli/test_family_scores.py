"""Scores of generalized linear models against scikit-learn's metrics."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression as SklearnLogistic
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    d2_log_loss_score,
    d2_tweedie_score,
    log_loss,
    mean_tweedie_deviance,
    roc_auc_score,
)

from fastridge import LogisticRegression, TweedieRegressor
from fastridge.cli import predicted_rows
from fastridge.cli.family_scores import ClassScores, MeanScores
from fastridge.cli.predicted_rows import PredictedRows, auc, groups, recalibration
from fastridge.losses.logistic import Logistic
from fastridge.losses.tweedie import tweedie_loss

N = 500


def in_batches(scores, *arrays, n=5):
    parts = (np.array_split(a, n) if a is not None else [None] * n for a in arrays)
    for some in zip(*parts, strict=True):
        scores.add_predictors(*some)
    return scores


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0, 3.0])
def test_mean_scores_are_those_of_sklearn(rng, power, weighted):
    eta = rng.normal(size=N)
    y = np.exp(eta) * rng.gamma(2.0, 0.5, N)
    if power == 1.0:
        y = np.floor(y)
    weight = rng.integers(0, 3, N).astype(float) if weighted else None
    null = float(np.log(y.mean() * 1.1))
    scores = in_batches(MeanScores(tweedie_loss(power, "log"), null), eta, y, weight)
    options = {"sample_weight": weight, "power": power}
    assert_allclose(scores.deviance, mean_tweedie_deviance(y, np.exp(eta), **options), rtol=1e-10)
    null_mean = np.full(N, np.exp(null))
    assert_allclose(scores.null_deviance, mean_tweedie_deviance(y, null_mean, **options))
    assert_allclose(scores.d2, d2_tweedie_score(y, np.exp(eta), **options), rtol=1e-9)


def test_mean_scores_with_offsets_explain_deviance_of_the_null_model_with_them(rng):
    offset = rng.normal(size=N)
    eta = offset + 0.5 * rng.normal(size=N)
    y = rng.poisson(np.exp(eta)).astype(float)
    loss = tweedie_loss(1.0, "log")
    scores = in_batches(MeanScores(loss, 0.3), eta, y, None, offset)
    null = mean_tweedie_deviance(y, np.exp(offset + 0.3), power=1)
    assert_allclose(scores.null_deviance, null)
    assert_allclose(scores.d2, 1.0 - mean_tweedie_deviance(y, np.exp(eta), power=1) / null)


@pytest.mark.parametrize("weighted", [False, True])
def test_class_scores_of_two_classes_are_those_of_sklearn(rng, weighted):
    eta = rng.normal(size=N).round(1)  # some are equal
    y = (rng.random(N) < expit(eta)).astype(float)
    weight = rng.integers(0, 3, N).astype(float) if weighted else None
    scores = in_batches(ClassScores(np.array([-0.4])), eta, y, weight)
    p, w = expit(eta), {"sample_weight": weight}
    assert_allclose(scores.log_loss, log_loss(y, p, **w))
    assert_allclose(scores.null_log_loss, log_loss(y, np.full(N, expit(-0.4)), **w))
    assert_allclose(scores.brier, brier_score_loss(y, p, **w))
    assert_allclose(scores.null_brier, brier_score_loss(y, np.full(N, expit(-0.4)), **w))
    assert_allclose(scores.d2, d2_log_loss_score(y, p, **w))
    assert_allclose(scores.accuracy, accuracy_score(y, eta > 0, **w))
    assert_allclose(scores.baseline_accuracy, accuracy_score(y, np.zeros(N), **w))
    value, error = auc(scores.predicted[0].points())
    assert_allclose(value, roc_auc_score(y, p, **w))
    assert error == 0.0


def test_class_scores_of_three_classes_are_those_of_sklearn(rng):
    eta = rng.normal(size=(N, 3))
    p = softmax(eta, axis=1)
    y = (rng.random((N, 1)) > np.cumsum(p, axis=1)).sum(axis=1).astype(float)
    null = np.log([0.2, 0.3, 0.5])
    scores = in_batches(ClassScores(null), eta, y)
    nulls = np.tile([0.2, 0.3, 0.5], (N, 1))
    assert_allclose(scores.log_loss, log_loss(y, p))
    assert_allclose(scores.null_log_loss, log_loss(y, nulls))
    assert_allclose(scores.brier, brier_score_loss(y, p))
    assert_allclose(scores.null_brier, brier_score_loss(y, nulls))
    assert_allclose(scores.d2, d2_log_loss_score(y, p))
    assert_allclose(scores.baseline_accuracy, accuracy_score(y, np.full(N, 2.0)))
    values = [auc(rows.points())[0] for rows in scores.predicted]
    assert_allclose(np.mean(values), roc_auc_score(y, p, multi_class="ovr"))


def test_class_scores_leave_out_rows_of_unknown_classes_but_in_the_accuracy(rng):
    eta = rng.normal(size=N)
    y = (rng.random(N) < 0.5).astype(float)
    known = ClassScores(np.zeros(1))
    known.add_predictors(eta, y)
    both = ClassScores(np.zeros(1))
    both.add_predictors(np.append(eta, 3.0), np.append(y, -1.0))
    assert (both.log_loss, both.brier, both.d2) == (known.log_loss, known.brier, known.d2)
    assert_allclose(both.accuracy, known.accuracy * N / (N + 1))


@pytest.mark.parametrize("kind", [MeanScores, ClassScores])
def test_family_scores_without_rows_are_nan(kind):
    scores = kind(tweedie_loss(1.0, "log"), 0.0) if kind is MeanScores else kind(np.zeros(1))
    scores.add_predictors(np.empty(0), np.empty(0))
    assert np.isnan([scores.d2, scores.deviance, scores.null_deviance]).all()
    points = scores.predicted[0].points()
    assert np.isnan(auc(points)).all()
    assert groups(points) == []


@pytest.mark.parametrize("rounded", [False, True])
def test_predicted_rows_beyond_the_most_are_within_the_stated_error(rng, monkeypatch, rounded):
    monkeypatch.setattr(predicted_rows, "N_BINS", 64)
    eta = rng.normal(size=20 * N)
    eta = eta.round(1) if rounded else eta
    y = (rng.random(len(eta)) < expit(2.0 * eta - 1.0)).astype(float)
    rows = PredictedRows(expit, 1000)
    for some in zip(np.array_split(eta, 7), np.array_split(y, 7), strict=True):
        rows.add(*some, np.ones(len(some[0])))
    points = rows.points()
    assert len(points.eta) <= 64
    value, error = auc(points)
    exact = roc_auc_score(y, eta)
    assert abs(value - exact) <= error + 1e-12
    assert error < (1e-12 if rounded and len(np.unique(eta)) < 64 else 0.01)
    line = recalibration(points, LogisticRegression(C=np.inf, tol=1e-10))
    wanted = SklearnLogistic(C=np.inf, tol=1e-10, solver="newton-cholesky").fit(eta[:, None], y)
    assert_allclose(line, [wanted.intercept_[0], wanted.coef_[0, 0]], rtol=0.01)


def test_recalibration_is_that_of_statsmodels_definition(rng):
    """The maximum of the likelihood in the linear predictor alone."""
    eta = rng.normal(size=N)
    y = (rng.random(N) < expit(0.5 * eta + 0.3)).astype(float)
    rows = PredictedRows(Logistic.probability)
    rows.add(eta, y, np.ones(N))
    a, b = recalibration(rows.points(), LogisticRegression(C=np.inf, tol=1e-12))
    residual = y - expit(a + b * eta)
    assert_allclose([residual.sum(), residual @ eta], 0.0, atol=1e-6)

    counts = rng.poisson(np.exp(0.2 + 0.7 * eta)).astype(float)
    rows = PredictedRows(np.exp)
    rows.add(eta, counts, np.ones(N))
    a, b = recalibration(rows.points(), TweedieRegressor(power=1, alpha=0.0, tol=1e-12))
    residual = counts - np.exp(a + b * eta)
    assert_allclose([residual.sum(), residual @ eta], 0.0, atol=1e-6)


@pytest.mark.parametrize("eta", [[1.0] * 4, [-2.0, -1.0, 1.0, 2.0]])
def test_recalibration_without_a_line_is_nan(eta):
    rows = PredictedRows(expit)
    rows.add(np.array(eta), np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4))
    assert np.isnan(recalibration(rows.points(), LogisticRegression(C=np.inf))).all()


def test_groups_have_the_means_of_a_tenth_of_the_rows(rng):
    eta = np.sort(rng.normal(size=N))
    y = rng.poisson(np.exp(eta)).astype(float)
    rows = PredictedRows(np.exp)
    order = rng.permutation(N)
    rows.add(eta[order], y[order], np.ones(N))
    found = groups(rows.points())
    wanted = [(len(e), np.exp(e).mean(), k.mean()) for e, k in
              zip(np.split(eta, 10), np.split(y, 10), strict=True)]  # fmt: skip
    assert_allclose(found, wanted)
