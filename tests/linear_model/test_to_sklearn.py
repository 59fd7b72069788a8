"""Fitted models become scikit-learn's, with their attributes and their predictions."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils.validation import check_is_fitted

import fastridge
from fastridge import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:the best alpha is:UserWarning"),
    # older versions of scikit-learn give options that newer ones of SciPy deprecate
    pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning"),
]
REGRESSORS = [
    Ridge(),
    *(Ridge(solver=s) for s in ("cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd")),
    Ridge(positive=True),
    Ridge(alpha=0.0, fit_intercept=False),
    Ridge(standardize=True, penalty_factors=[1.0, 0.0, 2.0, np.inf]),
    RidgeCV(),
    RidgeCV(cv=3, scoring="r2", selection="1se"),
    RidgeCV(cv=KFold(3, shuffle=True, random_state=0)),
    RidgeCV(store_cv_results=True, gcv_mode="svd"),
    RidgeCV(alphas="auto", method="gcv"),
    RidgeCV(alphas="auto", method="em"),
    RidgeCV(method="kfold", alpha_per_target=True),
    Lasso(0.1),
    Lasso(0.1, bounds=(-1.0, 1.0), max_iter=None),
    ElasticNet(0.1, l1_ratio=0.9, positive=True, selection="random"),
    LassoCV(cv=3),
    LassoCV(selection="1se", alphas=None, n_alphas=7),
    ElasticNetCV(l1_ratio=[0.5, 1.0], cv=3, alphas=[0.1, 1.0]),
    SGDRegressor(),
    SGDRegressor(average=True, shuffle="full"),
    SGDRegressor(learning_rate="auto"),
    SGDRegressor(optimizer="adam", learning_rate="constant", batch_size=4, standardize=True),
]
CLASSIFIERS = [
    SGDClassifier(),
    SGDClassifier(loss="log_loss", average=10, shuffle=False),
    SGDClassifier(loss="modified_huber", class_weight="balanced", early_stopping=True),
    SGDClassifier(loss="log_loss", learning_rate="auto"),
    SGDClassifier(loss="log_loss", multi_class="multinomial", learning_rate="constant"),
]


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, X @ [1.0, 2.0, 0.0, -0.5] + 0.5 * rng.normal(size=60)


def assert_is_sklearns(new, model, kind):
    """Assert that `new` is a fitted scikit-learn model that can be cloned and fitted again."""
    assert type(new) is kind
    check_is_fitted(new)
    again = clone(new)
    assert repr(again) == repr(new)
    for name in set(again.get_params()) & set(model.get_params()) - {"alphas", "solver"}:
        value, wanted = again.get_params()[name], model.get_params()[name]
        if isinstance(value, float) and type(new) is not theirs.LogisticRegression:
            assert value == wanted, name
    return again


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_to_sklearn_of_a_regressor_is_its_class_with_its_predictions(model):
    X, y = data()
    kind = getattr(theirs, type(model).__name__)
    new = model.fit(X, y).to_sklearn()
    again = assert_is_sklearns(new, model, kind).fit(X, y)
    fitted = {name for name in vars(again) if name.endswith("_") and not name.startswith("_")}
    assert fitted == {name for name in vars(new) if name.endswith("_") and name[0] != "_"}
    for rows in (X, sp.csr_array(X)):
        assert_allclose(new.predict(rows), model.predict(rows), rtol=1e-13)
    assert_allclose(new.score(X, y), model.score(X, y))
    assert_allclose(pickle.loads(pickle.dumps(new)).coef_, model.coef_)
    for name in fitted & {"alpha_", "best_score_", "cv_results_", "mse_path_", "alphas_", "t_"}:
        assert_allclose(getattr(new, name), getattr(model, name), err_msg=name)
    new.coef_ *= 2.0
    assert not np.array_equal(new.coef_, model.coef_)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
def test_to_sklearn_of_a_classifier_is_its_class_with_its_predictions(model, n_classes):
    X, y = data()
    labels = np.array(["a", "b", "c"])[np.digitize(y, [-0.5, 0.5][: n_classes - 1])]
    new = model.fit(X, labels).to_sklearn()
    softmax = model.multi_class == "multinomial" and n_classes > 2
    kind = theirs.LogisticRegression if softmax else theirs.SGDClassifier
    assert_is_sklearns(new, model, kind).fit(X, labels)
    assert new.classes_.tolist() == model.classes_.tolist()
    assert new.predict(X).tolist() == model.predict(X).tolist()
    assert_allclose(new.decision_function(X), model.decision_function(X), rtol=1e-12)
    if model.loss != "hinge":
        assert_allclose(new.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    assert np.ndim(new.intercept_) == 1
    if not softmax:
        new.partial_fit(X, labels)


@pytest.mark.parametrize("model", [SGDRegressor(), SGDRegressor(average=True)], ids=repr)
@pytest.mark.parametrize("sparse", [False, True])
def test_to_sklearn_of_several_descents_has_a_model_for_each(model, sparse):
    X, y = data()
    model.fit(X, np.column_stack([y, -2.0 * y]))
    if sparse:
        model.sparsify()
    new = model.to_sklearn()
    assert type(new) is MultiOutputRegressor
    assert [type(one) for one in new.estimators_] == [theirs.SGDRegressor] * 2
    assert_allclose(new.predict(X), model.predict(X), rtol=1e-12)
    new.partial_fit(X, np.column_stack([y, y]))
    clone(new).fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("model", [Ridge([1.0, 2.0]), RidgeCV(alpha_per_target=True), Lasso(0.1)])
def test_to_sklearn_of_several_targets(model):
    X, y = data()
    Y = np.column_stack([y, -2.0 * y])
    new = model.fit(X, Y).to_sklearn()
    assert new.coef_.shape == (2, 4)
    assert_allclose(new.predict(X), model.predict(X), rtol=1e-13)
    clone(new).fit(X, Y)


def test_to_sklearn_refit_has_the_penalty_of_a_mean_loss():
    X, y = data()
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    model = Ridge(0.1, alpha_scale="mean").fit(X, y, weight)
    again = clone(model.to_sklearn()).fit(X, y, weight)
    assert_allclose(again.coef_, model.coef_, rtol=1e-9)
    several = Ridge([0.1, 0.2], alpha_scale="mean").fit(X, np.column_stack([y, y]))
    again = clone(several.to_sklearn()).fit(X, np.column_stack([y, y]))
    assert_allclose(again.coef_, several.coef_, rtol=1e-9)


def test_to_sklearn_names_solvers_that_sklearn_has():
    X, y = data()
    names = {"auto", "svd", "cholesky", "lsqr", "sparse_cg", "lbfgs"}
    for solver in ("auto", "eigh", "qr", "svd", "gd", "sparse_cg"):
        new = Ridge(solver=solver).fit(X, y).to_sklearn()
        assert {new.solver, new.solver_} <= names
    assert Ridge(positive=True).fit(X, y).to_sklearn().solver_ == "lbfgs"


def test_to_sklearn_keeps_names_of_features():
    pd = pytest.importorskip("pandas")
    X, y = data()
    frame = pd.DataFrame(X, columns=list("abcd"))
    for model in (Ridge(), LassoCV(), SGDRegressor()):
        new = model.fit(frame, y).to_sklearn()
        assert new.feature_names_in_.tolist() == list("abcd")
        assert_allclose(new.predict(frame), model.predict(frame))


@pytest.mark.parametrize("name", fastridge.__all__)
def test_to_sklearn_is_there_for_every_estimator(name):
    kind = getattr(fastridge, name)
    if hasattr(kind, "predict"):
        with pytest.raises(NotFittedError):
            kind().to_sklearn()


def test_to_sklearn_after_statistics_files_and_subclasses(tmp_path):
    X, y = data()

    class Own(Ridge):
        pass

    model = Own().partial_fit(X, y)
    assert type(model.to_sklearn()) is theirs.Ridge
    fastridge.save(Ridge(alpha_scale="mean").fit(X, y), tmp_path / "model")
    new = fastridge.load(tmp_path / "model").to_sklearn()
    assert new.alpha == len(y)
