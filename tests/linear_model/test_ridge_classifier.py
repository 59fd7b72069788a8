"""Ridge classifiers against scikit-learn's, and their probabilities against refitting."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import _SigmoidCalibration

import fastridge
from fastridge import RidgeClassifier, RidgeClassifierCV

ALPHAS = np.logspace(-2, 3, 6)
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
TWO = (X[:, 0] + 0.5 * rng.normal(size=60) > 0.0).astype(int)
THREE = np.array(["a", "b", "c"])[TWO + (X[:, 1] > 0.0)]
LABELS = np.column_stack([TWO, X[:, 2] > 0.3]).astype(int)
WEIGHT = rng.random(60)
TARGETS = {"two": TWO, "three": THREE, "labels": LABELS}
BALANCED = {"class_weight": "balanced", "fit_intercept": False}


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("options", [{}, BALANCED], ids=["plain", "balanced"])
def test_classifier_on_classes_and_labels_is_that_of_sklearn(y, options):
    for weight in (None, WEIGHT):
        ours = RidgeClassifier(**options).fit(X, y, weight)
        other = theirs.RidgeClassifier(**options).fit(X, y, weight)
        assert_allclose(ours.coef_, other.coef_, rtol=1e-9)
        assert_allclose(ours.intercept_, other.intercept_, rtol=1e-9)
        assert_array_equal(ours.predict(X), other.predict(X))
        assert_array_equal(ours.classes_, other.classes_)


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("cv", [None, 3])
def test_search_for_alpha_finds_that_of_sklearn(y, cv):
    if cv is not None and y.ndim == 2:
        return  # it passes one column of scores to a scorer of labels
    for weight in (None, WEIGHT):
        ours = RidgeClassifierCV(ALPHAS, cv=cv, class_weight="balanced").fit(X, y, weight)
        other = theirs.RidgeClassifierCV(ALPHAS, cv=cv, class_weight="balanced").fit(X, y, weight)
        assert ours.alpha_ == other.alpha_
        assert_allclose(ours.best_score_, other.best_score_)
        assert_allclose(ours.coef_, other.coef_, rtol=1e-4)  # theirs iterates in folds


def test_scorer_of_rows_left_out_is_given_their_labels():
    model = RidgeClassifierCV([1.0], scoring="accuracy", store_cv_results=True).fit(X, TWO)
    left_out = [
        RidgeClassifier().fit(np.delete(X, i, 0), np.delete(TWO, i)).decision_function(X[i : i + 1])
        for i in range(len(X))
    ]
    assert_allclose(model.cv_results_[:, 0, 0], np.ravel(left_out))
    assert_allclose(model.best_score_, np.mean((np.ravel(left_out) > 0.0) == TWO))


@pytest.mark.parametrize("method", ["gcv", "em", "marginal_likelihood", "kfold", "loo"])
def test_every_method_chooses_an_alpha(method):
    model = RidgeClassifierCV(method=method, calibration="loo").fit(X, THREE)
    assert model.method_ == method
    assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize("wide", [False, True])
def test_probabilities_are_those_of_margins_of_rows_left_out(wide):
    rows = np.hstack([X, rng.normal(size=(60, 80))]) if wide else X
    model = RidgeClassifier(alpha=2.0, calibration="loo").fit(rows, TWO)
    left_out = []
    for i in range(len(rows)):
        other = RidgeClassifier(alpha=2.0).fit(np.delete(rows, i, 0), np.delete(TWO, i))
        left_out.append(other.decision_function(rows[i : i + 1])[0])
    sigmoid = _SigmoidCalibration().fit(np.array(left_out), TWO)
    expected = sigmoid.predict(model.decision_function(rows))
    assert_allclose(model.predict_proba(rows)[:, 1], expected, rtol=1e-4)


def test_probabilities_of_labels_are_one_each():
    proba = RidgeClassifier(calibration="loo").fit(X, LABELS).predict_proba(X)
    for k in range(2):
        single = RidgeClassifier(calibration="loo").fit(X, LABELS[:, k])
        assert_allclose(proba[:, k], single.predict_proba(X)[:, 1])


def test_probabilities_of_margins_that_predict_nothing_are_the_shares():
    noise = np.random.default_rng(3).normal(size=(40, 3))
    labels = np.arange(40) % 4 == 0
    proba = RidgeClassifier(alpha=1e9, calibration="loo").fit(noise, labels).predict_proba(noise)
    assert_allclose(proba[:, 1], 10 / 40, atol=0.03)


def test_separated_classes_have_finite_probabilities():
    proba = RidgeClassifier(calibration="loo").fit([[-1.0], [-2.0], [1.0], [2.0]], [0, 0, 1, 1])
    assert np.isfinite(proba.predict_proba([[0.0], [9.0]])).all()


def test_sparse_rows_give_the_fit_of_dense_rows():
    dense = np.where(np.abs(X) > 0.5, X, 0.0)
    for kind in (RidgeClassifier, RidgeClassifierCV):
        ours, other = (
            kind(calibration="loo").fit(rows, THREE) for rows in (dense, sp.csc_array(dense))
        )
        assert_allclose(ours.coef_, other.coef_, rtol=1e-8)
        assert_allclose(ours.predict_proba(dense), other.predict_proba(dense), rtol=1e-6)


def test_rows_without_weight_are_not_there():
    weight = np.where(np.arange(60) < 50, 1.0, 0.0)
    model = RidgeClassifierCV(calibration="loo").fit(X, TWO, weight)
    other = RidgeClassifierCV(calibration="loo").fit(X[:50], TWO[:50])
    assert model.alpha_ == other.alpha_
    assert_allclose(model.predict_proba(X), other.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration": "loo", "positive": True}, "not supported with positive=True"),
        ({"calibration": "loo", "alpha": 0.0}, "needs alpha above 0"),
        ({"calibration": "sigmoid"}, "The 'calibration' parameter"),
        ({"class_weight": "even"}, "The 'class_weight' parameter"),
    ],
)
def test_parameters_that_exclude_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RidgeClassifier(**options).fit(X, TWO)


def test_scan_is_refused():
    with pytest.raises(TypeError, match="reads rows in memory only"):
        RidgeClassifier().fit(fastridge.scan(iter([X, TWO])), TWO)


def test_predict_proba_without_calibration_is_no_attribute():
    assert not hasattr(RidgeClassifier().fit(X, TWO), "predict_proba")
    with pytest.raises(AttributeError) as error:
        RidgeClassifierCV().predict_proba  # noqa: B018
    assert "only with calibration='loo'" in str(error.value.__cause__)


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_models_are_saved_and_converted(y, tmp_path):
    for kind in (RidgeClassifier, RidgeClassifierCV):
        model = kind(calibration="loo").fit(X, y)
        fastridge.save(model, tmp_path / "model")
        again = fastridge.load(tmp_path / "model")
        assert_array_equal(again.predict(X), model.predict(X))
        assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert_array_equal(model.to_sklearn().predict(X), model.predict(X))
