"""The numbers that displays of generalized linear models draw."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastridge import LogisticRegression, PoissonRegressor
from fastridge.display import ForestDisplay, ReliabilityDisplay

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
Y = (X[:, 0] + RNG.logistic(size=300) > 0).astype(int)


def test_forest_draws_the_ratios_of_the_inference():
    found = LogisticRegression(C=np.inf).fit(X, Y).inference(X, Y)
    display = ForestDisplay.from_inference(found, level=0.9)
    assert_allclose(display.ratios, found.ratios(0.9))
    assert_allclose(display.points_.get_xdata(), np.exp(found.coef))
    assert display.ax_.get_xlabel() == "odds ratio"
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["x0", "x1", "x2"]


def test_forest_of_a_class_and_of_counts_names_the_ratio():
    three = np.digitize(X[:, 0] + RNG.logistic(size=300), [-1, 1])
    found = LogisticRegression(C=np.inf).fit(X, three).inference(X, three, baseline=0)
    display = ForestDisplay.from_inference(found, class_index=1)
    assert_allclose(display.ratios, found.ratios()[1])
    assert display.ax_.get_xlabel() == "odds ratio of class 2"
    counts = RNG.poisson(1.0, 300)
    found = PoissonRegressor(alpha=0).fit(X, counts).inference(X, counts)
    assert ForestDisplay.from_inference(found).ax_.get_xlabel() == "ratio of means"


def test_forest_of_intervals_without_bounds_is_drawn():
    display = ForestDisplay(ratios=[[1.0, 0.0, np.inf], [2.0, 1.5, 3.0]]).plot()
    assert np.isfinite(display.ax_.get_xlim()).all()
    with pytest.raises(ValueError, match="ratios must have shape"):
        ForestDisplay(ratios=[[0.0, 1.0, 2.0]])


def test_reliability_groups_have_means_and_frequencies_of_equal_weight():
    weight = RNG.integers(0, 3, 300).astype(float)
    p = RNG.random(300)
    display = ReliabilityDisplay(probabilities=p, occurs=Y, sample_weight=weight, n_bins=5)
    assert_allclose(display.weights.sum(), weight.sum())
    assert np.ptp(display.weights) <= 4.0
    assert_allclose(display.weights @ display.predicted, weight @ p)
    assert_allclose(display.weights @ display.observed, weight @ Y)
    assert (np.diff(display.predicted) > 0.0).all()


def test_reliability_of_an_estimator_is_that_of_its_probabilities():
    labels = np.array(["no", "yes"])[Y]
    model = LogisticRegression().fit(X, labels)
    display = ReliabilityDisplay.from_estimator(model, X, labels, pos_label="no", n_bins=4)
    wanted = ReliabilityDisplay(
        probabilities=model.predict_proba(X)[:, 0], occurs=labels == "no", n_bins=4
    )
    assert_allclose(display.observed, wanted.observed)
    with pytest.raises(ValueError, match="pos_label"):
        ReliabilityDisplay.from_estimator(model, X, labels, pos_label="maybe")
    with pytest.raises(ValueError, match="from 0 to 1"):
        ReliabilityDisplay(probabilities=[0.5, 1.5], occurs=[0, 1])
    with pytest.raises(ValueError, match="needs weight"):
        ReliabilityDisplay(probabilities=[0.5], occurs=[1], sample_weight=[0.0])
