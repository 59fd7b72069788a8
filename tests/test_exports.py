"""Models in other libraries' formats: ONNX, and skops."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastridge
from fastridge.onnx import register_converters

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")
skops = pytest.importorskip("skops.io")

REGRESSORS = ["Ridge", "RidgeCV", "ElasticNet", "ElasticNetCV", "Lasso", "LassoCV", "SGDRegressor"]
SMOOTH = ["LogisticRegression", "PoissonRegressor", "GammaRegressor", "TweedieRegressor"]
CHOICES = {
    "LogisticRegressionCV": {
        "Cs": 3,
        "l1_ratios": (0,),
        "scoring": None,
        "use_legacy_attributes": True,
    }
}
LOSSES = ["hinge", "log_loss", "modified_huber"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 4))
    Y = X @ rng.standard_normal((4, 2)) + rng.standard_normal((100, 2))
    return X, Y


def through_onnx(model, X, **options):
    register_converters()
    made = skl2onnx.to_onnx(model, X[:1], options=options or None)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    return session.run(None, {"X": X})


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_predict_the_same_in_onnx(rows, name, dtype):
    X, Y = rows
    model = getattr(fastridge, name)()
    several = name in ("Ridge", "RidgeCV", "ElasticNet", "Lasso")
    for y in (Y[:, 0], Y) if several else (Y[:, 0],):
        model.fit(X, y)
        (predicted,) = through_onnx(model, X.astype(dtype))
        expected = model.predict(X).reshape(100, -1)
        np.testing.assert_allclose(predicted, expected, atol=1e-14 if dtype == np.float64 else 2e-6)


def test_pipelines_and_sparse_coefficients_go_to_onnx(rows):
    X, Y = rows
    model = make_pipeline(StandardScaler(), fastridge.SGDRegressor(random_state=0)).fit(X, Y[:, 0])
    expected = model.predict(X)
    model[-1].sparsify()
    (predicted,) = through_onnx(model, X)
    np.testing.assert_allclose(predicted[:, 0], expected, atol=1e-13)
    assert not isinstance(model[-1].coef_, np.ndarray)  # the model itself is left as it was


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_classifiers_predict_the_same_in_onnx(rows, loss, classes):
    X, Y = rows
    labels = np.array(["a", "b", "c"])[np.digitize(Y[:, 0], [-1.0, 1.0][: classes - 1])]
    model = fastridge.SGDClassifier(loss, random_state=0).fit(X, labels)
    predicted, scores = through_onnx(model, X, zipmap=False)
    if loss != "modified_huber" or classes == 2:  # which has ties
        np.testing.assert_array_equal(predicted, model.predict(X))
    if loss != "hinge":
        np.testing.assert_allclose(scores, model.predict_proba(X), atol=1e-13)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["LogisticRegression", "LogisticRegressionCV"])
def test_logistic_regression_predicts_the_same_in_onnx(rows, name, classes):
    X, Y = rows
    labels = np.array(["a", "b", "c"])[np.digitize(Y[:, 0], [-1.0, 1.0][: classes - 1])]
    model = getattr(fastridge, name)(**CHOICES.get(name, {})).fit(X, labels)
    predicted, scores = through_onnx(model, X, zipmap=False)
    np.testing.assert_array_equal(predicted, model.predict(X))
    np.testing.assert_allclose(scores, model.predict_proba(X), atol=1e-13)


@pytest.mark.parametrize("name", [*REGRESSORS, *SMOOTH, *CHOICES, "SGDClassifier"])
def test_skops_needs_to_trust_our_own_class_only(rows, name):
    X, Y = rows
    classifies = name in ("SGDClassifier", "LogisticRegression", "LogisticRegressionCV")
    target = Y[:, 0] > 0 if classifies else np.exp(Y[:, 0])
    model = getattr(fastridge, name)(**CHOICES.get(name, {})).fit(X, target)
    written = skops.dumps(model)
    unknown = skops.get_untrusted_types(data=written)
    assert unknown == [f"{type(model).__module__}.{name}"]
    again = skops.loads(written, trusted=unknown)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
