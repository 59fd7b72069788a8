"""Metadata of `fit` goes where scikit-learn sends it, and nothing that is given is dropped."""

from typing import ClassVar

import numpy as np
import pytest
import sklearn
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import (
    BaseCrossValidator,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.utils.fixes import parse_version

import fastridge as ours
from fastridge.linear_model.scoring import of_rows, scoring_label

ALPHAS = [0.01, 0.1, 1.0, 10.0]
OF_RIDGE = ("alpha_", "best_score_", "coef_", "intercept_")
OF_LASSO = ("alpha_", "mse_path_", "alphas_", "coef_", "intercept_")
CROSS_VALIDATED = [
    ours.RidgeCV(),
    ours.RidgeCV(cv=3),
    ours.RidgeCV(cv=3, scoring="neg_mean_absolute_error"),
    ours.RidgeCV(method="gcv"),
    ours.RidgeCV(method="em"),
    ours.LassoCV(cv=3),
    ours.ElasticNetCV(cv=3),
]


def data(n=60, p=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    y = X @ [1.0, 2.0, 0.0, 0.5][:p] + rng.normal(size=n)
    return X, y, rng.random(n), rng.integers(0, 6, n)


class ByTime(BaseCrossValidator):
    """Splits at a time; it wants the times of all rows."""

    __metadata_request__split: ClassVar = {"times": True}

    def split(self, X, y=None, groups=None, times=None):
        if times is None:
            raise ValueError("no times")
        for at in (0.4, 0.6, 0.8):
            yield np.flatnonzero(times < at), np.flatnonzero(times >= at)

    def get_n_splits(self, X=None, y=None, groups=None, times=None):
        return 3


@pytest.mark.parametrize("model", CROSS_VALIDATED, ids=repr)
def test_fit_misspelt_keyword_is_an_error(model):
    X, y, weight, _ = data()
    with pytest.raises(ValueError, match=r"sample_weights.*correct the name"):
        model.fit(X, y, sample_weights=weight)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match="sample_weights"),
    ):
        model.fit(X, y, sample_weights=weight)


@pytest.mark.parametrize("model", CROSS_VALIDATED[1:], ids=repr)
def test_fit_misspelt_keyword_of_a_scan_is_an_error(model):
    X, y, weight, _ = data()
    with pytest.raises(ValueError, match="sample_weights"):
        model.fit(ours.scan(iter([(X, y)])), sample_weights=weight)


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y: ours.Ridge().fit(X, y, colour=1),
        lambda X, y: ours.Ridge().partial_fit(X, y, colour=1),
        lambda X, y: ours.RidgeCV(cv=3).partial_fit(X, y, colour=1),
        lambda X, y: ours.Ridge().fit(X, y).score(X, y, colour=1),
        lambda X, y: ours.Ridge().fit(X, y).predict(X, colour=1),
        lambda X, y: ours.Lasso().fit(X, y, colour=1),
        lambda X, y: ours.LassoCV().partial_fit(X, y, colour=1),
        lambda X, y: ours.SGDRegressor().fit(X, y, colour=1),
        lambda X, y: ours.SGDClassifier().partial_fit(X, y > 0, classes=[False, True], colour=1),
        lambda X, y: ours.ridge_path(X, y, [1.0], colour=1),
        lambda X, y: ours.enet_path(X, y, colour=1),
        lambda X, y: ours.lasso_path(X, y, colour=1),
        lambda X, y: ours.ElasticNet.from_lambdas(1.0, 1.0, colour=1),
        lambda X, y: ours.GramStatistics.from_data(X, y, colour=1),
    ],
)
def test_every_call_with_an_unknown_keyword_is_an_error(call):
    X, y, _, _ = data()
    with pytest.raises(TypeError, match="colour"):
        call(X, y)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(
    "cv", [3, KFold(3), TimeSeriesSplit(3), ShuffleSplit(2), [([0, 1, 2, 3], [4, 5])], None]
)
@pytest.mark.parametrize("kind", [ours.RidgeCV, ours.LassoCV])
def test_groups_to_a_splitter_that_takes_none_are_an_error(kind, cv, routing):
    X, y, _, groups = data()
    with (
        sklearn.config_context(enable_metadata_routing=routing),
        pytest.raises(TypeError, match="groups"),
    ):
        kind(cv=cv).fit(X, y, groups=groups)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize(
    "cv", [GroupKFold(3), GroupShuffleSplit(2, random_state=0), LeaveOneGroupOut()]
)
@pytest.mark.parametrize("kind", [ours.RidgeCV, ours.LassoCV])
def test_groups_reach_every_splitter_that_takes_them(kind, cv, routing):
    X, y, _, groups = data()
    with sklearn.config_context(enable_metadata_routing=routing):
        found = kind(alphas=ALPHAS, cv=cv).fit(X, y, groups=groups)
    splits = list(cv.split(X, y, groups))
    assert found.alpha_ == kind(alphas=ALPHAS, cv=splits).fit(X, y).alpha_


def test_metadata_requests_can_be_read_without_routing():
    for model in CROSS_VALIDATED:
        assert "sample_weight" in model.get_metadata_routing()._self_request.fit.requests


def test_groups_without_splits_are_an_error():
    X, y, _, groups = data()
    for model in (ours.RidgeCV(method="gcv"), ours.RidgeCV(cv=LeaveOneOut(), scoring="r2")):
        with pytest.raises(TypeError, match="GroupKFold"):
            model.fit(X, y, groups=groups)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["RidgeCV", "LassoCV", "ElasticNetCV"])
def test_routed_groups_and_weights_give_attributes_of_sklearn(name, weighted):
    X, y, weight, groups = data()
    with sklearn.config_context(enable_metadata_routing=True):
        models = []
        for package in (ours, theirs):
            model = getattr(package, name)(alphas=ALPHAS, cv=GroupKFold(3))
            if name != "RidgeCV":
                model.set_params(tol=1e-12)
            options = {"sample_weight": weight} if weighted else {}
            models.append(model.fit(X, y, groups=groups, **options))
    for attribute in OF_RIDGE if name == "RidgeCV" else OF_LASSO:
        found, wanted = (getattr(model, attribute) for model in models)
        assert_allclose(found, wanted, rtol=1e-6, err_msg=attribute)


@pytest.mark.parametrize("name", ["RidgeCV", "LassoCV"])
def test_metadata_of_a_splitter_reaches_it(name):
    X, y, _, _ = data()
    times = np.linspace(0.0, 1.0, len(y), endpoint=False)
    with sklearn.config_context(enable_metadata_routing=True):
        models = [
            getattr(package, name)(alphas=ALPHAS, cv=ByTime()).fit(X, y, times=times)
            for package in (ours, theirs)
        ]
    assert models[0].alpha_ == models[1].alpha_
    splits = list(ByTime().split(X, y, times=times))
    by_hand = getattr(ours, name)(alphas=ALPHAS, cv=splits).fit(X, y)
    assert_allclose(models[0].coef_, by_hand.coef_, rtol=1e-12)


@pytest.mark.parametrize("name", ["RidgeCV", "LassoCV"])
def test_an_alias_of_groups_reaches_the_splitter(name):
    X, y, _, groups = data()
    with sklearn.config_context(enable_metadata_routing=True):
        cv = GroupKFold(3).set_split_request(groups="clinic")
        found = getattr(ours, name)(cv=cv).fit(X, y, clinic=groups)
        with pytest.raises(TypeError, match="groups"):
            getattr(ours, name)(cv=cv).fit(X, y, groups=groups)
    assert found.alpha_ == getattr(ours, name)(cv=GroupKFold(3)).fit(X, y, groups=groups).alpha_


def test_groups_of_ridge_cv_are_routed_through_cross_validation():
    X, y, _, groups = data()
    options = {"cv": GroupKFold(2), "params": {"groups": groups}}
    with sklearn.config_context(enable_metadata_routing=True):
        found, wanted = (
            cross_validate(package.RidgeCV(ALPHAS, cv=GroupKFold(2)), X, y, **options)
            for package in (ours, theirs)
        )
        assert not hasattr(ours.RidgeCV().set_fit_request, "groups")
    assert_allclose(found["test_score"], wanted["test_score"], rtol=1e-8)


def test_fit_requests_are_those_of_sklearn():
    options = {"X_val", "y_val"}
    for name in ("Ridge", "RidgeCV", "ElasticNet", "LassoCV", "SGDRegressor", "SGDClassifier"):
        with sklearn.config_context(enable_metadata_routing=True):
            requests = []
            for package in (ours, theirs):
                routing = getattr(package, name)().get_metadata_routing()
                routing = getattr(routing, "_self_request", routing)
                requests.append(set(routing.fit.requests))
        assert requests[0] - options == requests[1]


@pytest.mark.parametrize("cv", [None, 3, KFold(3, shuffle=True, random_state=0)])
def test_metadata_of_a_scorer_is_that_of_the_rows_it_scores(cv):
    X, y, _, _ = data()
    price = np.arange(len(y)) + 1.0

    def cost(y_true, y_predicted, *, price):
        assert len(price) == len(y_true)
        return price @ np.abs(y_true - y_predicted)

    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(cost, greater_is_better=False).set_score_request(price=True)
        found, wanted = (
            package.RidgeCV(ALPHAS, cv=cv, scoring=scorer).fit(X, y, price=price)
            for package in (ours, theirs)
        )
    assert found.alpha_ == wanted.alpha_
    assert_allclose(found.best_score_, wanted.best_score_, rtol=1e-9)


@pytest.mark.parametrize("value", [1.0, "abc", np.array(2.0), [1, 2], None, {"a": 1}])
def test_metadata_that_is_not_of_rows_is_handed_on_whole(value):
    assert of_rows(value, slice(0, 2), 5) is value
    assert of_rows(list(range(5)), slice(1, 3), 5) == [1, 2]


@pytest.mark.parametrize("cv", [None, 3])
def test_a_scorer_that_does_not_ask_for_weights_gets_none(cv):
    X, y, weight, _ = data()
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(mean_absolute_error, greater_is_better=False)
        scorer.set_score_request(sample_weight=False)
        found, wanted = (
            package.RidgeCV(ALPHAS, cv=cv, scoring=scorer).fit(X, y, sample_weight=weight)
            for package in (ours, theirs)
        )
        if parse_version(sklearn.__version__) >= parse_version("1.8"):
            with pytest.raises(ValueError, match="sample_weight"):
                ours.RidgeCV(cv=cv, scoring="r2").fit(X, y, sample_weight=weight)
    assert_allclose(found.best_score_, wanted.best_score_, rtol=1e-9)


@pytest.mark.parametrize("cv", [None, 3])
def test_a_function_with_the_name_of_a_score_is_called(cv):
    X, y, _, _ = data()

    def r2(estimator, X, y):
        return -1.0

    assert scoring_label(r2, "r2") != "r2"
    assert ours.RidgeCV(cv=cv, scoring=r2).fit(X, y).best_score_ == -1.0


@pytest.mark.parametrize("kind", [ours.RidgeCV, ours.LassoCV])
def test_a_splitter_sees_the_rows_and_needs_no_groups(kind):
    X, y, _, _ = data()

    class BySign:
        def split(self, X, y):
            negative = np.asarray(X)[:, 0] < 0.0
            yield np.flatnonzero(negative), np.flatnonzero(~negative)

        def get_n_splits(self, X=None, y=None):
            return 1

    negative = X[:, 0] < 0.0
    by_hand = [(np.flatnonzero(negative), np.flatnonzero(~negative))]
    found = kind(alphas=ALPHAS, cv=BySign()).fit(X, y)
    assert_allclose(found.coef_, kind(alphas=ALPHAS, cv=by_hand).fit(X, y).coef_)


def test_lasso_cv_path_is_lasso_path():
    assert ours.LassoCV.path is ours.lasso_path
    assert ours.ElasticNetCV.path is ours.enet_path
    assert ours.Lasso.path is ours.enet_path  # as in scikit-learn
    X, y, _, _ = data()
    coefs = ours.LassoCV.path(X, y, alphas=ALPHAS)[1]
    assert_allclose(coefs, theirs.LassoCV.path(X, y, alphas=ALPHAS, tol=1e-12)[1], atol=1e-3)


@pytest.mark.skipif(
    "sparse_interface" not in sklearn.get_config(), reason="scikit-learn knows matrices only"
)
@pytest.mark.parametrize("interface", ["spmatrix", "sparray"])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_sparse_coefficients_are_of_the_sparse_interface(interface, n_targets):
    X, y, _, _ = data()
    Y = y if n_targets == 1 else np.column_stack([y, -y])
    with sklearn.config_context(sparse_interface=interface):
        for name in ("Lasso", "ElasticNet"):
            found, wanted = (
                getattr(package, name)(0.5).fit(X, Y).sparse_coef_ for package in (ours, theirs)
            )
            assert type(found) is type(wanted)
            assert_allclose(found.toarray(), wanted.toarray(), atol=1e-3)
        found, wanted = (package.SGDRegressor().fit(X, y).sparsify() for package in (ours, theirs))
        assert type(found.coef_) is type(wanted.coef_)
