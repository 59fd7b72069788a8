"""LogisticRegressionCV: every fold is its fit alone; choices, layouts, held-out rows, errors."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastridge as fr

PLAIN = {"l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}


def rows(n=150, p=4, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).round(2)
    eta = X[:, :4] @ rng.normal(size=4) + rng.normal(size=n)
    return X, np.digitize(eta, [0.3] if classes == 2 else [-0.6, 0.6])


def refitted(model, X, y, splits, weight=None, **options):
    """Coefficients of `model.coefs_paths_` by fits of the training rows from zero."""
    weight = np.ones(len(y)) if weight is None else weight
    out = np.empty_like(model.coefs_paths_)
    for k, (train, _) in enumerate(splits):
        for a, l1_ratio in enumerate(model.l1_ratios_):
            for c, C in enumerate(model.Cs_):
                alone = fr.LogisticRegression(
                    C=C, l1_ratio=l1_ratio, solver="saga", tol=1e-12, max_iter=2000, **options
                ).fit(X[train], y[train], weight[train])
                out[k, a, c] = np.column_stack([alone.coef_, alone.intercept_])
    return out


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(150, 4), (30, 50)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_logistic_cv_folds_are_their_fits_alone(layout, shape, classes, standardize):
    X, y = rows(*shape, classes)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    options = {"standardize": standardize, "penalty_factors": np.linspace(0.5, 2.0, shape[1])}
    model = fr.LogisticRegressionCV(Cs=[1.0, 0.01, 50.0], cv=3, tol=1e-9, **PLAIN, **options)
    given = LAYOUTS[layout](X)
    model.fit(given, y, weight)
    splits = [*StratifiedKFold(3).split(X, y)]
    by_rows = given.tocsr() if sp.issparse(given) else given
    wanted = refitted(model, by_rows, y, splits, weight, **options)
    size = np.abs(wanted).max(axis=(-1, -2), keepdims=True)
    tolerance = 1e-5 if layout == "float32" else 1e-6  # coefficients of fits alone are float32
    assert (np.abs(model.coefs_paths_ - wanted) <= tolerance * size).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_cv_folds_with_l1_penalty_are_their_fits_alone(classes):
    X, y = rows(classes=classes)
    model = fr.LogisticRegressionCV(
        Cs=[0.05, 0.5], l1_ratios=(0.5, 1.0), cv=3, solver="saga", tol=1e-9, max_iter=1000,
        scoring="accuracy", use_legacy_attributes=False,
    ).fit(X, y)  # fmt: skip
    wanted = refitted(model, X, y, [*StratifiedKFold(3).split(X, y)])
    assert_allclose(model.coefs_paths_, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "cv",
    [
        TimeSeriesSplit(3),
        [(np.r_[0:80, 0:40], np.arange(80, 120)), (np.arange(50, 150), np.arange(10))],
    ],
    ids=["time", "repeated rows"],
)
def test_logistic_cv_of_any_splits_is_their_fits_alone(cv):
    X, y = rows()
    model = fr.LogisticRegressionCV(Cs=[0.1, 1.0], cv=cv, tol=1e-9, **PLAIN).fit(X, y)
    splits = [*cv.split(X, y)] if hasattr(cv, "split") else cv
    assert_allclose(model.coefs_paths_, refitted(model, X, y, splits), atol=1e-7)
    scorer = get_scorer("neg_log_loss")
    alone = fr.LogisticRegression(C=0.1).fit(X[splits[0][0]], y[splits[0][0]])
    wanted = scorer(alone, X[splits[0][1]], y[splits[0][1]])
    assert model.scores_[0, 0, 0] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("scoring", "legacy", "refit"),
    [
        ("neg_log_loss", True, True),
        ("neg_log_loss", False, False),
        ("neg_log_loss", True, False),
        ("accuracy", False, True),
        ("neg_brier_score", False, True),
        ("f1_macro", False, True),
    ],
)
@pytest.mark.parametrize("l1_ratios", [[0.0], np.array([0.2, 0.8]), None])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("ignore:'l1_ratios=None'.*:FutureWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_logistic_cv_attributes_are_those_of_sklearn(scoring, classes, l1_ratios, legacy, refit):
    X, y = rows(90, classes=classes)
    if scoring == "f1_macro" and classes == 2:
        scoring = "roc_auc"  # theirs fails with the other
    solver = "saga" if isinstance(l1_ratios, np.ndarray) else "lbfgs"  # the faster of theirs
    options = {
        "Cs": [0.2, 1.0], "l1_ratios": l1_ratios, "scoring": scoring, "cv": 3, "refit": refit,
        "use_legacy_attributes": legacy, "solver": solver, "tol": 1e-6, "max_iter": 5000,
    }  # fmt: skip
    labels = np.array(["a", "b", "c"])[y]
    model = fr.LogisticRegressionCV(**options).fit(X, labels)
    wanted = theirs.LogisticRegressionCV(**options, random_state=0).fit(X, labels)
    for name in ("classes_", "Cs_", "l1_ratios_", "C_", "l1_ratio_"):
        assert_array_equal(getattr(model, name), getattr(wanted, name), err_msg=name)
        assert type(getattr(model, name)) is type(getattr(wanted, name))
    for name in ("coef_", "intercept_"):
        assert_allclose(getattr(model, name), getattr(wanted, name), atol=1e-3, err_msg=name)
    assert np.shape(model.n_iter_) == np.shape(wanted.n_iter_)
    for name in ("coefs_paths_", "scores_"):
        found, expected = getattr(model, name), getattr(wanted, name)
        if not legacy:
            found, expected = {0: found}, {0: expected}
        assert list(found) == list(expected)
        for key in found:
            assert_allclose(found[key], expected[key], atol=2e-3, err_msg=name)
    if scoring != "neg_brier_score":  # which wants to know the label of 1
        assert model.score(X, labels) == pytest.approx(wanted.score(X, labels), abs=2e-3)


def test_logistic_cv_one_standard_error_takes_the_smaller_c():
    X, y = rows()
    model = fr.LogisticRegressionCV(selection="1se", cv=5, **PLAIN).fit(X, y)
    mean, error = model.mean_scores_[0], model.standard_errors_[0]
    best = mean.argmax()
    within = model.Cs_[mean >= mean[best] - error[best]].min()
    assert model.C_ == model.C_1se_ == within < model.C_min_ == model.Cs_[best]
    assert_allclose(error, model.scores_[:, 0].std(axis=0, ddof=1) / np.sqrt(5))
    alone = fr.LogisticRegression(C=within).fit(X, y)
    assert_allclose(model.coef_, alone.coef_, atol=1e-6)


def test_logistic_cv_one_standard_error_of_one_split_is_refused():
    X, y = rows()
    split = [(np.arange(100), np.arange(100, 150))]
    with pytest.raises(ValueError, match="selection='1se' needs a standard error"):
        fr.LogisticRegressionCV(selection="1se", cv=split, **PLAIN).fit(X, y)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_cv_held_out_rows_choose_c(classes):
    X, y = rows(classes=classes)
    X_val, y_val = rows(seed=3, classes=classes)
    model = fr.LogisticRegressionCV(selection="1se", tol=1e-9, **PLAIN)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.scores_.shape == (1, 1, 10)
    for C, score, error in zip(
        model.Cs_, model.scores_[0, 0], model.standard_errors_[0], strict=True
    ):
        alone = fr.LogisticRegression(C=C, tol=1e-12).fit(X, y)
        values = alone.predict_log_proba(X_val)[np.arange(len(y_val)), y_val]
        assert score == pytest.approx(values.mean(), rel=1e-6)
        assert error == pytest.approx(values.std(ddof=1) / np.sqrt(len(y_val)), rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_cv_offsets_count_in_fits_and_scores(classes):
    X, y = rows(classes=classes)
    offset = np.random.default_rng(1).normal(size=len(y) if classes == 2 else (len(y), 3)) + 1.0
    split = [(np.arange(100), np.arange(100, 150))]
    model = fr.LogisticRegressionCV(Cs=[0.1], cv=split, **PLAIN).fit(X, y, offset=offset)
    alone = fr.LogisticRegression(C=0.1).fit(X[:100], y[:100], offset=offset[:100])
    # the offset is one of columns whose coefficients are known
    eta = alone.decision_function(X[100:]) + offset[100:]
    fake = fr.LogisticRegression(C=0.1).fit(X, y)
    fake.decision_function = lambda rows: eta
    wanted = np.mean(fake.predict_log_proba(X[100:])[np.arange(50), y[100:]])
    assert model.scores_[0, 0, 0] == pytest.approx(wanted, rel=1e-6)
    whole = fr.LogisticRegression(C=0.1).fit(X, y, offset=offset)
    assert_allclose(model.coef_, whole.coef_, atol=1e-6)
    assert_allclose(model.intercept_, whole.intercept_, atol=1e-6)


def test_logistic_cv_groups_reach_the_splitter():
    X, y = rows()
    groups = np.random.default_rng(1).integers(0, 6, len(y))
    model = fr.LogisticRegressionCV(cv=GroupKFold(3), **PLAIN).fit(X, y, groups=groups)
    splits = [*GroupKFold(3).split(X, y, groups)]
    given = fr.LogisticRegressionCV(cv=splits, **PLAIN).fit(X, y)
    assert_array_equal(model.scores_, given.scores_)
    with config_context(enable_metadata_routing=True):
        routed = fr.LogisticRegressionCV(cv=GroupKFold(3), **PLAIN).fit(X, y, groups=groups)
    assert_array_equal(model.scores_, routed.scores_)
    with pytest.raises(ValueError, match="groups is given, but cv=3 takes none"):
        fr.LogisticRegressionCV(cv=3, **PLAIN).fit(X, y, groups=groups)


def test_logistic_cv_weights_reach_the_scorer_as_in_sklearn():
    X, y = rows()
    weight = np.random.default_rng(1).integers(1, 4, len(y)).astype(float)
    options = {**PLAIN, "Cs": [0.1, 1.0], "tol": 1e-8}
    model = fr.LogisticRegressionCV(**options).fit(X, y, weight)
    wanted = theirs.LogisticRegressionCV(**options, solver="newton-cholesky").fit(X, y, weight)
    assert_allclose(model.scores_, wanted.scores_, rtol=1e-6)
    assert model.score(X, y, sample_weight=weight) == pytest.approx(
        wanted.score(X, y, sample_weight=weight), rel=1e-6
    )
    scorer = get_scorer("neg_log_loss")
    with config_context(enable_metadata_routing=True):
        for requested in (True, False):
            options["scoring"] = scorer.set_score_request(sample_weight=requested)
            model = fr.LogisticRegressionCV(**options).fit(X, y, sample_weight=weight)
            other = theirs.LogisticRegressionCV(**options, solver="newton-cholesky")
            other.fit(X, y, sample_weight=weight)
            assert_allclose(model.scores_, other.scores_, rtol=1e-6)


def test_logistic_cv_scorer_of_the_user_sees_fitted_models():
    X, y = rows()
    seen = []

    def score(model, rows, labels):
        assert_array_equal(model.classes_, [0, 1])
        seen.append((model.C, model.predict(rows).shape, labels.shape))
        return -abs(model.coef_).sum()

    options = {**PLAIN, "scoring": score, "Cs": [1.0, 0.1], "cv": 3}
    model = fr.LogisticRegressionCV(**options).fit(X, y)
    assert seen == [(C, (50,), (50,)) for _ in range(3) for C in (1.0, 0.1)]
    assert model.C_ == 0.1


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_cv_fold_without_a_class_is_no_error(classes):
    X, y = rows(60, 4, classes)
    order = np.argsort(y, kind="stable")
    splits = [(np.flatnonzero(y < classes - 1), np.arange(60)), (order, order)]
    model = fr.LogisticRegressionCV(Cs=[0.1, 1.0], cv=splits, **PLAIN).fit(X, y)
    assert np.isfinite(model.coefs_paths_).all()
    assert np.isfinite(model.scores_).all()


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_cv_saved_and_converted_model_is_the_same(tmp_path, classes, legacy):
    X, y = rows(classes=classes)
    labels = np.array(["a", "b", "c"])[y]
    options = {**PLAIN, "use_legacy_attributes": legacy}
    model = fr.LogisticRegressionCV(**options).fit(X, labels)
    fr.save(model, tmp_path / "model")
    again = fr.load(tmp_path / "model")
    converted = model.to_sklearn()
    assert type(converted) is theirs.LogisticRegressionCV
    for other in (again, converted):
        assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-14)
        assert_array_equal(other.C_, model.C_)
        assert_array_equal(other.n_iter_, model.n_iter_)
        if legacy:
            assert list(other.scores_) == list(model.scores_)
        else:
            assert_array_equal(other.scores_, model.scores_)


def test_logistic_cv_data_frames_and_booleans_are_fitted():
    X, y = rows()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = fr.LogisticRegressionCV(**PLAIN).fit(frame, pd.Series(y == 1))
    plain = fr.LogisticRegressionCV(**PLAIN).fit(X, y)
    assert list(model.feature_names_in_) == list("abcd")
    assert_array_equal(model.classes_, [False, True])
    assert_allclose(model.scores_, plain.scores_, rtol=1e-12)


def test_logistic_cv_excluded_features_have_no_coefficients():
    X, y = rows()
    model = fr.LogisticRegressionCV(penalty_factors=[1.0, np.inf, 1.0, 0.0], **PLAIN).fit(X, y)
    assert not model.coefs_paths_[..., 1].any()
    without = fr.LogisticRegressionCV(penalty_factors=[1.0, 1.0, 0.0], **PLAIN)
    without.fit(np.delete(X, 1, axis=1), y)
    assert_allclose(model.scores_, without.scores_, rtol=1e-12)


def test_logistic_cv_that_stops_early_warns_once_in_the_words_of_its_solver():
    X, y = rows()
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge") as found:
        fr.LogisticRegressionCV(max_iter=1, **PLAIN).fit(X, y)
    assert len(found) == 1


def test_logistic_cv_defaults_warn_as_sklearn():
    X, y = rows()
    with pytest.warns(FutureWarning) as found:
        fr.LogisticRegressionCV(Cs=2).fit(X, y)
    with pytest.warns(FutureWarning) as wanted:
        theirs.LogisticRegressionCV(Cs=2).fit(X, y)
    assert [str(w.message)[:60] for w in found] == [str(w.message)[:60] for w in wanted]
    assert {w.filename for w in found} == {__file__}


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        ({"Cs": [0.0]}, {}, "'Cs'"),
        ({"Cs": []}, {}, "'Cs'"),
        ({"l1_ratios": (0.5,)}, {}, "Solver lbfgs supports only"),
        ({"l1_ratios": (2.0,), "solver": "saga"}, {}, "l1_ratios must be an array-like"),
        ({"l1_ratios": ()}, {}, "l1_ratios must be an array-like"),
        ({"cv": "loo"}, {}, "'cv' parameter"),
        ({"cv": 1}, {}, "n_splits"),
        ({"scoring": "nothing"}, {}, "nothing"),
        ({"selection": "best"}, {}, "'selection'"),
        ({}, {"y": np.zeros(150)}, "at least 2 classes"),
        ({}, {"X_val": np.ones((2, 4))}, "give both or neither"),
        ({"cv": 3}, {"X_val": np.ones((2, 4)), "y_val": [0, 1]}, "X_val and cv exclude"),
        ({}, {"X_val": np.ones((2, 4)), "y_val": [0, 7]}, "y_val has labels that y has not"),
        ({}, {"X_val": np.ones((2, 3)), "y_val": [0, 1]}, "features"),
        ({"cv": "alo"}, {"groups": np.ones(150)}, "no splits are made"),
        ({}, {"colour": 1}, "'colour', which it does not know"),
        (
            {"cv": [(np.arange(100), np.arange(100, 150))]},
            {"sample_weight": np.r_[np.zeros(100), np.ones(50)]},
            "sample_weight is zero for all training rows",
        ),
    ],
)
def test_logistic_cv_unusable_input_is_named(options, given, words):
    X, y = rows()
    given = {"X": X, "y": y, **given}
    with pytest.raises(ValueError, match=words):
        fr.LogisticRegressionCV(**{**PLAIN, **options}).fit(**given)


def test_logistic_cv_scan_is_refused():
    X, y = rows()
    with pytest.raises(TypeError, match="reads rows in memory only"):
        fr.LogisticRegressionCV(**PLAIN).fit(fr.scan(X, y), None)


def test_logistic_cv_of_separated_classes_says_so():
    X, _ = rows()
    y = (X[:, 0] > 0.0).astype(int)
    with pytest.warns(ConvergenceWarning, match=r"separated .* by features? x0") as found:
        fr.LogisticRegressionCV(Cs=[1.0, np.inf], **PLAIN).fit(X, y)
    assert len(found) == 1


@pytest.mark.parametrize("legacy", [True, False])
def test_logistic_cv_summary_is_that_of_the_chosen_model(legacy):
    X, y = rows()
    options = {**PLAIN, "use_legacy_attributes": legacy, "tol": 1e-9}
    model = fr.LogisticRegressionCV(**options).fit(X, y)
    alone = fr.LogisticRegression(C=model.C, tol=1e-9).fit(X, y)
    found, wanted = model.inference(X, y), alone.inference(X, y)
    assert_allclose(found.standard_errors, wanted.standard_errors, rtol=1e-6)
    assert model.status_ == "converged"


@parametrize_with_checks(
    [
        fr.LogisticRegressionCV(Cs=2, cv=3, **PLAIN),
        fr.LogisticRegressionCV(Cs=2, cv=3, selection="1se", standardize=True, **PLAIN),
        fr.LogisticRegressionCV(
            Cs=[0.1, 1.0], l1_ratios=(0.0, 0.5), solver="saga", cv=2, scoring="accuracy",
            use_legacy_attributes=True, class_weight="balanced", refit=False,
        ),
    ]
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
def test_estimator_check(estimator, check):
    check(estimator)
