"""LassoCV and ElasticNetCV: against scikit-learn's, and against loops of fits."""

import pickle
import re
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as theirs
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import fastridge as ours
from fastridge import ElasticNet, ElasticNetCV, GramStatistics, Lasso, LassoCV

TIGHT = {"tol": 1e-12, "max_iter": 100_000}
SHORT = {**TIGHT, "alphas": 12, "eps": 0.02}
TALL, WIDE = (60, 7), (30, 50)
SHAPES = pytest.mark.parametrize("shape", [TALL, WIDE], ids=["tall", "wide"])
CLASSES = pytest.mark.parametrize("cv_class", [ElasticNetCV, LassoCV])

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "float32": lambda X: X.astype(np.float32),
    "CSR": sp.csr_array,
    "CSC": sp.csc_matrix,
}


def data(shape, seed=0):
    """Half of X is zero, and all values are sixteenths, so that float32 holds them too."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-40, 41, size=shape) * (rng.random(shape) < 0.5) / 16.0
    X[:, 1] += 2.0
    y = X[:, :5] @ [3.0, -2.0, 0.5, 0.0, 1.0] + rng.standard_normal(len(X))
    return X, np.round(y * 16.0) / 16.0


def weights(n, zeros):
    rng = np.random.default_rng(5)
    return rng.uniform(0.2, 3.0, n) * (rng.random(n) > (0.2 if zeros else -1.0))


def of_their_version(options):
    """Options under the names that scikit-learn knew before 1.7."""
    new = parse_version(sklearn.__version__) >= parse_version("1.7")
    if new or not isinstance(options.get("alphas"), int | np.integer):
        return options
    return {**options, "alphas": None, "n_alphas": options["alphas"]}


def reference(cv_class, X, y, weight=None, **options):
    """scikit-learn's class of this name, fitted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = getattr(theirs, cv_class.__name__)(**of_their_version(options))
        return model.fit(X, y, sample_weight=weight)


def assert_same_choice(found, wanted, digits=1e-6):
    assert_allclose(found.alphas_, wanted.alphas_, rtol=1e-12)
    assert found.mse_path_.shape == wanted.mse_path_.shape
    assert_allclose(found.mse_path_, wanted.mse_path_, rtol=digits)
    assert found.alpha_ == pytest.approx(wanted.alpha_, rel=1e-12)
    assert getattr(found, "l1_ratio_", None) == getattr(wanted, "l1_ratio_", None)
    assert_allclose(found.coef_, wanted.coef_, rtol=1e-4, atol=1e-6)
    assert_allclose(found.intercept_, wanted.intercept_, rtol=1e-4, atol=1e-6)


# --- against scikit-learn ------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", ["none", "weights", "zeros"])
@pytest.mark.parametrize("layout", LAYOUTS)
@CLASSES
@SHAPES
def test_layouts_and_weights(shape, cv_class, layout, weighting):
    X, y = data(shape)
    weight = None if weighting == "none" else weights(len(y), weighting == "zeros")
    wanted = reference(cv_class, X, y, weight, cv=3, **SHORT)
    given = LAYOUTS[layout](X)
    model = cv_class(cv=3, **SHORT).fit(given, y.astype(given.dtype), sample_weight=weight)
    assert_same_choice(model, wanted)
    assert model.coef_.dtype == given.dtype
    assert model.status_ == "converged"


@pytest.mark.parametrize(
    "options",
    [
        {"alphas": [0.5, 0.01, 0.1, 2.0]},
        {"alphas": (0.3,)},
        {"alphas": np.array([0.3, 0.3, 0.1], dtype=np.float32)},
        {"alphas": 1},
        {"alphas": 5, "eps": 0.5},
        {"alphas": np.int64(4)},
        {"fit_intercept": False},
        {"positive": True},
        {"precompute": True},
        {"selection": "random", "random_state": 0},
        {"n_jobs": 2, "verbose": 0},
    ],
    ids=repr,
)
@CLASSES
@SHAPES
def test_options(shape, cv_class, options):
    X, y = data(shape)
    options = {**SHORT, "cv": 4, **options}
    wanted = reference(cv_class, X.copy(), y, **options)
    assert_same_choice(cv_class(**options).fit(X, y), wanted)


SPLITTERS = {
    "default": None,
    "shuffled": KFold(4, shuffle=True, random_state=1),
    "uneven": KFold(7),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "shuffle split": ShuffleSplit(4, test_size=0.2, random_state=0),
    "one split": ShuffleSplit(1, random_state=0),
    "indices": [(np.arange(5, 29), np.arange(5)), (np.arange(24), np.arange(20, 30))],
    "leave one out": LeaveOneOut(),
}


@pytest.mark.parametrize("splitter", SPLITTERS)
@SHAPES
def test_splitters(shape, splitter):
    X, y = data(shape)
    if splitter == "leave one out":
        X, y = X[:12], y[:12]
    cv = SPLITTERS[splitter]
    wanted = reference(LassoCV, X, y, cv=cv, **SHORT)
    given = iter(cv) if isinstance(cv, list) else cv
    assert_same_choice(LassoCV(cv=given, **SHORT).fit(X, y), wanted)


@pytest.mark.parametrize("routing", [False, True])
@SHAPES
def test_groups(shape, routing):
    X, y = data(shape)
    groups = np.arange(len(y)) * 7 % 5
    wanted = reference(LassoCV, X, y, cv=list(GroupKFold(3).split(X, y, groups)), **SHORT)
    with sklearn.config_context(enable_metadata_routing=routing):
        model = LassoCV(cv=GroupKFold(3), **SHORT).fit(X, y, groups=groups)
    assert_same_choice(model, wanted)


@pytest.mark.parametrize("given", [False, True])
@SHAPES
def test_several_l1_ratios(shape, given):
    X, y = data(shape)
    options = {**SHORT, "alphas": [1.0, 0.1, 0.01]} if given else SHORT
    options = {**options, "l1_ratio": [0.2, 0.7, 0.95], "cv": 3}
    wanted = reference(ElasticNetCV, X, y, **options)
    model = ElasticNetCV(**options).fit(X, y)
    assert_same_choice(model, wanted)
    n_alphas = 3 if given else 12
    assert model.mse_path_.shape == (3, n_alphas, 3)
    assert model.alphas_.shape == ((3,) if given else (3, 12))


@SHAPES
def test_ridge_among_the_l1_ratios(shape):
    X, y = data(shape)
    options = {"l1_ratio": [0.0, 1.0], "alphas": [1.0, 0.1], "cv": 3, **TIGHT}
    assert_same_choice(
        ElasticNetCV(**options).fit(X, y), reference(ElasticNetCV, X, y, **options), digits=1e-5
    )


@CLASSES
def test_number_of_alphas_of_older_versions(cv_class):
    X, y = data(TALL)
    wanted = cv_class(alphas=6, cv=3).fit(X, y)
    assert_array_equal(cv_class(alphas=None, n_alphas=6, cv=3).fit(X, y).alphas_, wanted.alphas_)
    assert_array_equal(cv_class(n_alphas=6, cv=3).fit(X, y).alphas_, wanted.alphas_)
    assert len(cv_class(alphas=None, cv=3).fit(X, y).alphas_) == 100
    assert len(cv_class(alphas=[0.1, 1.0], n_alphas=6, cv=3).fit(X, y).alphas_) == 2


# --- the choice ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ratios", [0.5, [0.3, 0.9]])
@SHAPES
def test_one_standard_error_by_hand(shape, ratios):
    X, y = data(shape)
    least = ElasticNetCV(l1_ratio=ratios, cv=5, **SHORT).fit(X, y)
    model = ElasticNetCV(l1_ratio=ratios, cv=5, selection="1se", **SHORT).fit(X, y)
    mse, grid = np.atleast_3d(model.mse_path_), np.atleast_2d(model.alphas_)
    mse = mse if np.ndim(ratios) else model.mse_path_[None]
    mean = mse.mean(axis=2)
    ratio, best = np.unravel_index(mean.argmin(), mean.shape)
    error = mse[ratio, best].std(ddof=1) / np.sqrt(5.0)
    within = mean[ratio] <= mean[ratio, best] + error
    assert_array_equal(model.mse_path_, least.mse_path_)
    assert model.l1_ratio_ == least.l1_ratio_ == np.atleast_1d(ratios)[ratio]
    assert least.alpha_ == least.alpha_min_ == model.alpha_min_ == grid[ratio, best]
    assert model.alpha_ == model.alpha_1se_ == least.alpha_1se_ == grid[ratio][within].max()
    assert model.alpha_ > least.alpha_
    fitted = ElasticNet(model.alpha_, l1_ratio=model.l1_ratio_, **TIGHT).fit(X, y)
    assert_allclose(model.coef_, fitted.coef_, rtol=1e-5, atol=1e-7)


def test_one_split_has_no_standard_error():
    X, y = data(TALL)
    one = ShuffleSplit(1, random_state=0)
    assert np.isnan(LassoCV(cv=one).fit(X, y).alpha_1se_)
    with pytest.raises(ValueError, match="at least 2 splits"):
        LassoCV(cv=one, selection="1se").fit(X, y)


def refitted(X, y, options, weight=None, offset=None, n_splits=3):
    """Errors by a fit for each l1_ratio, alpha and split."""
    offset = np.zeros(len(y)) if offset is None else offset
    w = np.ones(len(y)) if weight is None else weight
    options = dict(options)
    ratios, alphas = options.pop("l1_ratio"), options.pop("alphas")
    mse = np.empty((len(ratios), len(alphas), n_splits))
    for k, (train, test) in enumerate(KFold(n_splits).split(X)):
        for r, ratio in enumerate(ratios):
            for a, alpha in enumerate(alphas):
                model = ElasticNet(alpha, l1_ratio=ratio, **options)
                model.fit(X[train], y[train], w[train], offset=offset[train])
                left = y[test] - offset[test] - model.predict(X[test])
                mse[r, a, k] = np.average(left**2, weights=w[test])
    return mse


def limits(p):
    return -0.7, np.r_[1.5, np.full(p - 1, np.inf)]


OWN = {
    "penalty_factors": lambda p: {"penalty_factors": np.r_[0.0, np.linspace(0.2, 2.0, p - 1)]},
    "bounds": lambda p: {"bounds": limits(p)},
    "standardize": lambda p: {"standardize": True},
    "standardize, no intercept": lambda p: {"standardize": True, "fit_intercept": False},
    "positive": lambda p: {"positive": True},
    "offset": lambda p: {},
    "all": lambda p: {
        "penalty_factors": np.linspace(0.1, 2.0, p),
        "bounds": limits(p),
        "standardize": True,
    },
}


@pytest.mark.parametrize("kind", ["C", "CSR"])
@pytest.mark.parametrize("name", OWN)
@SHAPES
def test_options_of_our_own_by_refitting(shape, name, kind):
    X, y = data(shape)
    n, p = shape
    options = {"l1_ratio": [0.5, 1.0], "alphas": [1.0, 0.2, 0.05], **TIGHT, **OWN[name](p)}
    offset = np.sin(np.arange(n)) * 5.0 if name in ("offset", "all") else None
    weight = weights(n, zeros=True) if name == "all" else None
    wanted = refitted(X, y, options, weight, offset)
    model = ElasticNetCV(cv=3, **options)
    model.fit(LAYOUTS[kind](X), y, weight, offset=offset)
    assert_allclose(model.mse_path_, wanted, rtol=1e-6)
    mean = wanted.mean(axis=2)
    ratio, best = np.unravel_index(mean.argmin(), mean.shape)
    assert (model.l1_ratio_, model.alpha_) == ([0.5, 1.0][ratio], [1.0, 0.2, 0.05][best])


@pytest.mark.parametrize("weighted", [False, True])
@CLASSES
def test_statistics_of_folds_give_the_same(cv_class, weighted):
    X, y = data((400, 7))
    weight = weights(400, zeros=True) if weighted else None
    wanted = cv_class(cv=4, **SHORT).fit(X, y, weight)
    folds = [
        GramStatistics.from_data(X[rows], y[rows], None if weight is None else weight[rows])
        for _, rows in KFold(4).split(X)
    ]
    model = cv_class(**SHORT).fit_statistics(folds)
    assert_same_choice(model, wanted, digits=1e-9)
    assert model.fold_statistics_ == folds
    assert model.statistics_.n_samples == sum(stats.n_samples for stats in folds)
    assert not hasattr(model.fit(X, y), "statistics_")


@pytest.mark.parametrize("layout", ["C", "F", "CSR"])
@SHAPES
def test_threads_do_not_change_a_bit(shape, layout):
    X, y = data(shape)
    X = LAYOUTS[layout](X)
    options = {"l1_ratio": [0.5, 0.9], "cv": 5, "alphas": 30}
    one = ElasticNetCV(n_threads=1, **options).fit(X, y)
    two = ElasticNetCV(n_threads=2, **options).fit(X, y)
    assert_array_equal(one.mse_path_, two.mse_path_)
    assert_array_equal(one.coef_, two.coef_)
    assert one.alpha_ == two.alpha_


# --- what is refused, and what is warned of ------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"selection": "best"}, ["selection", "'1se'", "best"]),
        ({"alphas": "many"}, ["alphas", "many"]),
        ({"alphas": []}, ["alphas"]),
        ({"alphas": 0}, ["alphas", "0"]),
        ({"alphas": [[1.0]]}, ["alphas"]),
        ({"alphas": [1.0, -1.0]}, ["alphas[1]", ">= 0"]),
        ({"alphas": [1.0, np.nan]}, ["alphas"]),
        ({"alphas": [1.0, np.inf]}, ["alphas"]),
        ({"eps": 0.0}, ["eps"]),
        ({"tol": -1.0}, ["tol"]),
        ({"max_iter": 0}, ["max_iter"]),
        ({"max_iter": 1.5}, ["max_iter"]),
        ({"fit_intercept": "yes"}, ["fit_intercept"]),
        ({"standardize": 1}, ["standardize"]),
        ({"precompute": "always"}, ["precompute", "always"]),
        ({"n_threads": 0}, ["n_threads"]),
        ({"penalty_factors": [1.0]}, ["penalty_factors", "(7,)"]),
        ({"bounds": (1.0, 2.0)}, ["bounds", "zero"]),
        ({"bounds": 3.0}, ["bounds", "pair"]),
        ({"cv": 1}, ["n_splits"]),
        ({"cv": 61}, ["n_splits=61"]),
        ({"cv": []}, ["cv", "no splits"]),
        ({"cv": [(np.arange(3), np.arange(99, 101))]}, ["row 100", "60"]),
        ({"cv": GroupKFold(3)}, ["groups"]),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, dict) else "",
)
@CLASSES
def test_settings_that_are_not_supported_are_named(cv_class, settings, words):
    X, y = data(TALL)
    with pytest.raises(ValueError, match=re.escape(words[0])) as error:
        cv_class(**settings).fit(X, y)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, np.nan, [], [0.5, 2.0], [[0.5]], 0.0, [0.5, 0.0]])
def test_l1_ratios_outside_their_range(ratio):
    X, y = data(TALL)
    with pytest.raises(ValueError, match="l1_ratio"):
        ElasticNetCV(l1_ratio=ratio).fit(X, y)


@CLASSES
def test_targets_in_two_dimensions(cv_class):
    X, y = data(TALL)
    with pytest.raises(ValueError, match="each target by itself"):
        cv_class().fit(X, np.column_stack([y, y]))
    with pytest.warns(DataConversionWarning):
        column = cv_class(cv=3).fit(X, y[:, None])
    assert_array_equal(column.coef_, cv_class(cv=3).fit(X, y).coef_)
    stats = [GramStatistics.from_data(X, np.column_stack([y, y]))] * 2
    with pytest.raises(ValueError, match="2 targets"):
        cv_class().fit_statistics(stats)


@CLASSES
def test_statistics_that_make_no_folds(cv_class):
    X, y = data(TALL)
    stats = GramStatistics.from_data(X, y)
    for folds in ([], [stats], [stats, GramStatistics()]):
        with pytest.raises(ValueError, match="at least 2 folds"):
            cv_class().fit_statistics(folds)
    with pytest.raises(TypeError, match="GramStatistics"):
        cv_class().fit_statistics([X, X])


@SHAPES
def test_splits_without_weight(shape):
    X, y = data(shape)
    weight = np.ones(len(y))
    weight[: len(y) // 3] = 0.0
    with pytest.raises(ValueError, match="zero for all test rows"):
        LassoCV(cv=3).fit(X, y, weight)
    with pytest.raises(ValueError, match="zero for all training rows"):
        LassoCV(cv=[(np.arange(5), np.arange(20, 30))] * 2).fit(X, y, weight)


@pytest.mark.parametrize("name", ["y", "offset", "sample_weight", "X"])
def test_values_that_are_not_finite(name):
    X, y = data(TALL)
    given = {"X": X, "y": y, "offset": np.zeros(60), "sample_weight": np.ones(60)}
    given[name] = given[name].copy()
    given[name][3] = np.nan
    with pytest.raises(ValueError, match=r"NaN|finite"):
        LassoCV().fit(**given)


@pytest.mark.parametrize("shape", [(400, 300), (100, 800)], ids=["tall", "wide"])
@pytest.mark.parametrize("model", [ElasticNetCV(l1_ratio=1.0), LassoCV()], ids=repr)
def test_one_warning_however_many_paths_do_not_converge(shape, model):
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal(shape), axis=1)  # neighbours are nearly equal
    y = X[:, ::7].sum(axis=1) + rng.standard_normal(len(X))
    model = clone(model).set_params(cv=3, tol=1e-12, max_iter=1, alphas=[1e-3])
    with pytest.warns(ConvergenceWarning, match="did not converge") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.status_ == "not converged"
    assert model.dual_gap_ > 0.0


# --- as an estimator among others ----------------------------------------------------------------


@CLASSES
def test_parameters_and_defaults_are_those_of_sklearn(cv_class):
    given = cv_class().get_params()
    wanted = getattr(theirs, cv_class.__name__)().get_params()
    for name in ("n_alphas", "alphas"):  # their defaults are those of a deprecation before 1.9
        wanted.pop(name, None)
    assert {name: given[name] for name in wanted} == wanted
    added = {"n_alphas", "alphas", "penalty_factors", "bounds", "standardize", "n_threads"}
    assert set(given) - set(wanted) == added
    assert (given["alphas"], given["n_alphas"]) == (100, None)


@CLASSES
def test_copies_of_the_model(cv_class, tmp_path):
    X, y = data(TALL)
    model = cv_class(cv=3, alphas=[0.1, 1.0], selection="1se", bounds=(-1.0, 1.0)).fit(X, y)
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, "coef_")
    joblib.dump(model, tmp_path / "model")
    for again in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model")):
        assert again.get_params() == model.get_params()
        assert_array_equal(again.predict(X), model.predict(X))
        assert_array_equal(again.mse_path_, model.mse_path_)
    assert_array_equal(fresh.fit(X, y).coef_, model.coef_)


def test_in_a_pipeline():
    X, y = data(TALL)
    options = {**TIGHT, "alphas": [0.5, 0.1, 0.02], "cv": 3}
    model = make_pipeline(StandardScaler(), LassoCV(**options)).fit(X, y)
    wanted = make_pipeline(StandardScaler(), theirs.LassoCV(**options)).fit(X, y)
    assert_allclose(model.predict(X), wanted.predict(X), rtol=1e-5)
    assert model.score(X, y) == pytest.approx(wanted.score(X, y), rel=1e-6)


@pytest.mark.parametrize("estimator", [Lasso, ElasticNet])
def test_grid_search_agrees(estimator):
    X, y = data(TALL)
    cv_class = LassoCV if estimator is Lasso else ElasticNetCV
    alphas = np.geomspace(0.01, 1.0, 8)
    search = GridSearchCV(
        estimator(**TIGHT), {"alpha": alphas}, cv=4, scoring="neg_mean_squared_error"
    ).fit(X, y)
    model = cv_class(alphas=alphas, cv=4, **TIGHT).fit(X, y)
    assert model.alpha_ == search.best_params_["alpha"]
    mean = model.mse_path_.mean(axis=1)[::-1]
    assert_allclose(mean, -search.cv_results_["mean_test_score"], rtol=1e-6)


def test_groups_are_routed_through_cross_validation():
    X, y = data(TALL)
    groups = np.arange(len(y)) * 7 % 5
    options = {"cv": GroupKFold(2), "params": {"groups": groups}, "return_estimator": True}
    with sklearn.config_context(enable_metadata_routing=True):
        models = [m.LassoCV(alphas=[0.5, 0.1], cv=GroupKFold(2), **TIGHT) for m in (ours, theirs)]
        found, wanted = (cross_validate(model, X, y, **options) for model in models)
    assert_allclose(found["test_score"], wanted["test_score"], rtol=1e-6)
    for one, other in zip(found["estimator"], wanted["estimator"], strict=True):
        assert_same_choice(one, other)


def test_unknown_fit_parameters_are_refused():
    X, y = data(TALL)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        LassoCV().fit(X, y, colour="red")
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match="colour"),
    ):
        LassoCV().fit(X, y, colour="red")
