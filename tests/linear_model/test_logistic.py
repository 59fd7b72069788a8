"""LogisticRegression: against scikit-learn, 50-digit arithmetic and conditions of the minimum."""

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as theirs
from numpy.testing import assert_allclose
from scipy.special import expit, log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastridge import LogisticRegression, load, save

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}
TIGHT = {"tol": 1e-12, "max_iter": 1000}


def rows(n=120, p=4, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    eta = X @ rng.normal(size=p) + rng.normal(size=n)
    y = np.digitize(eta, [0.3] if classes == 2 else [-0.6, 0.6])
    return X, y


def gradient_of(model, X, y, weight=None, offset=0.0):
    """The gradient of the objective, from the stored coefficients alone."""
    weight = np.ones(len(y)) if weight is None else weight
    eta = X @ model.coef_.T + model.intercept_
    if len(model.classes_) == 2:
        residual = (expit(eta[:, 0] + offset) - (y == model.classes_[1]))[:, None]
    else:
        residual = softmax(eta + offset, axis=1) - (y[:, None] == model.classes_)
    residual = residual * weight[:, None]
    penalty = 1.0 / model.C if np.isfinite(model.C) else 0.0
    return residual.T @ X + penalty * model.coef_, residual.sum(axis=0)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(120, 4), (25, 40)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_logistic_of_any_layout_is_that_of_sklearn(layout, dtype, shape, classes):
    X, y = rows(*shape, classes)
    X = X.astype(dtype)
    wanted = theirs.LogisticRegression(solver="newton-cholesky", **TIGHT)
    wanted.fit(X.astype(np.float64), y)
    model = LogisticRegression(tol=1e-10).fit(LAYOUTS[layout](X), y)
    tolerance = 1e-7 if dtype == np.float64 else 2e-6
    assert model.coef_.dtype == dtype
    assert_allclose(model.coef_, wanted.coef_, atol=tolerance)
    assert_allclose(model.intercept_, wanted.intercept_, atol=tolerance)
    assert_allclose(model.predict_proba(X), wanted.predict_proba(X), atol=10 * tolerance)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(200, 5), (30, 60)])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_logistic_with_defaults_has_five_digits(C, shape, classes):
    X, y = rows(*shape, classes)
    wanted = LogisticRegression(C=C, tol=1e-12).fit(X, y).coef_
    found = LogisticRegression(C=C).fit(X, y).coef_
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 0.5, 2: 1.5}])
def test_logistic_with_weights_is_that_of_sklearn(class_weight, classes):
    X, y = rows(classes=classes)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    if isinstance(class_weight, dict):
        class_weight = {k: class_weight[k] for k in range(classes)}
    wanted = theirs.LogisticRegression(
        solver="newton-cholesky", class_weight=class_weight, **TIGHT
    ).fit(X, y, weight)
    model = LogisticRegression(class_weight=class_weight, tol=1e-10).fit(X, y, weight)
    assert_allclose(model.coef_, wanted.coef_, atol=1e-7)
    assert_allclose(model.intercept_, wanted.intercept_, atol=1e-7)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(150, 5), (25, 40)])
@pytest.mark.parametrize("layout", ["C", "csr"])
def test_logistic_with_offset_and_weights_has_no_gradient(layout, shape, classes, fit_intercept):
    X, y = rows(*shape, classes)
    rng = np.random.default_rng(2)
    weight = rng.uniform(0.0, 2.0, len(y))
    offset = 3.0 + rng.normal(size=len(y) if classes == 2 else (len(y), classes))
    model = LogisticRegression(C=0.7, fit_intercept=fit_intercept, tol=1e-10)
    model.fit(LAYOUTS[layout](X), y, weight, offset=offset)
    of_coef, of_intercept = gradient_of(model, X, y, weight, offset)
    assert np.abs(of_coef).max() < 1e-6
    if fit_intercept:
        assert np.abs(of_intercept).max() < 1e-6
    else:
        assert not model.intercept_.any()
    assert model.gradient_norm_ < 1e-10


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_logistic_with_l1_penalty_meets_the_conditions_of_its_minimum(l1_ratio, classes):
    X, y = rows(classes=classes)
    model = LogisticRegression(C=0.05, l1_ratio=l1_ratio, solver="saga", tol=1e-9, max_iter=1000)
    model.fit(X, y)
    of_coef, of_intercept = gradient_of(model, X, y)
    of_coef -= model.coef_ * l1_ratio / model.C
    used = model.coef_ != 0.0
    assert 0 < used.sum() < used.size
    assert_allclose(of_coef[used], -20.0 * l1_ratio * np.sign(model.coef_[used]), atol=1e-5)
    assert (np.abs(of_coef[~used]) <= 20.0 * l1_ratio + 1e-5).all()
    assert_allclose(of_intercept, 0.0, atol=1e-5)
    assert 0.0 <= model.dual_gap_ < 1e-9


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_scaled_columns_scale_the_coefficients(classes):
    X, y = rows(classes=classes)
    powers = 2.0 ** np.array([-60, 3, 40, -7])
    plain = LogisticRegression(tol=1e-12).fit(X, y)
    scaled = LogisticRegression(tol=1e-12, penalty_factors=powers**2).fit(X * powers, y)
    assert_allclose(scaled.coef_ * powers, plain.coef_, rtol=1e-9)
    assert_allclose(scaled.intercept_, plain.intercept_, rtol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_logistic_of_few_rows_and_columns_of_all_lengths_has_its_digits(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20, 40)) * 10.0 ** rng.uniform(-4.0, 4.0, 40)
    y = rng.integers(0, 2, 20)
    y[:2] = 0, 1
    model = LogisticRegression(C=50.0).fit(X, y)
    wanted = LogisticRegression(C=50.0, tol=1e-12).fit(X, y)
    of_coef, of_intercept = gradient_of(model, X, y)
    lengths = np.sqrt((X**2).sum(axis=0))
    assert np.abs(of_coef[0] / lengths).max() < 1e-5
    assert abs(of_intercept[0]) < 1e-5
    assert_allclose(model.coef_ * lengths, wanted.coef_ * lengths, atol=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_standardised_knows_no_units(classes):
    X, y = rows(classes=classes)
    lengths = X.std(axis=0)
    wanted = LogisticRegression(tol=1e-12).fit(X / lengths, y)
    model = LogisticRegression(tol=1e-12, standardize=True).fit(X, y)
    assert_allclose(model.coef_ * lengths, wanted.coef_, rtol=1e-8)


@pytest.mark.parametrize("shape", [(120, 4), (25, 40)])
@pytest.mark.parametrize("layout", ["C", "csr"])
def test_logistic_means_far_from_zero_cost_at_most_their_digits(layout, shape):
    X, y = rows(*shape)
    wanted = LogisticRegression(tol=1e-12).fit(X, y)
    model = LogisticRegression(tol=1e-12).fit(LAYOUTS[layout](X + 1e5), y)
    assert_allclose(model.coef_, wanted.coef_, atol=1e-8)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(120, 4), (25, 40)])
def test_logistic_order_of_rows_and_rows_of_weight_zero_change_nothing(shape, classes):
    X, y = rows(*shape, classes)
    order = np.random.default_rng(3).permutation(2 * len(y))
    doubled = np.vstack([X, np.full_like(X, 1e6)])[order]
    labels, weight = np.append(y, y)[order], np.repeat([1.0, 0.0], len(y))[order]
    wanted = LogisticRegression(tol=1e-12).fit(X, y)
    model = LogisticRegression(tol=1e-12).fit(doubled, labels, weight)
    assert_allclose(model.coef_, wanted.coef_, atol=1e-9)
    assert_allclose(model.intercept_, wanted.intercept_, atol=1e-9)


def test_logistic_has_ten_digits_of_fifty_digit_newton():
    X, y = rows(30, 2)
    with mpmath.workdps(50):
        Z = mpmath.matrix(np.column_stack([X, np.ones(len(y))]).tolist())
        penalty = mpmath.diag([1, 1, 0])
        w = mpmath.matrix(3, 1)
        for _ in range(12):
            p = [1 / (1 + mpmath.exp(-(Z[i, :] * w)[0])) for i in range(len(y))]
            g = Z.T * mpmath.matrix([p[i] - int(y[i]) for i in range(len(y))]) + penalty * w
            H = Z.T * mpmath.diag([q * (1 - q) for q in p]) * Z + penalty
            w = w - mpmath.lu_solve(H, g)
        wanted = np.array([float(v) for v in w])
    model = LogisticRegression(tol=1e-12).fit(X, y)
    assert_allclose(np.append(model.coef_, model.intercept_), wanted, rtol=1e-10)


@pytest.mark.parametrize("penalised", [False, True])
def test_logistic_separable_classes_warn_without_a_penalty_only(penalised, recwarn):
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    model = LogisticRegression(C=1.0 if penalised else np.inf)
    if penalised:
        model.fit(X, [0, 0, 1, 1])
        assert not recwarn.list
        return
    with pytest.warns(ConvergenceWarning, match=r"are separated in.*give a penalty"):
        model.fit(X, [0, 0, 1, 1])
    assert model.predict(X).tolist() == [0, 0, 1, 1]


def test_logistic_separable_by_a_feature_without_a_penalty_warns():
    X = np.column_stack([[-2.0, -1.0, 1.0, 2.0], [1.0, -1.0, 0.5, 0.0]])
    with pytest.warns(ConvergenceWarning, match="the classes are separated in"):
        LogisticRegression(penalty_factors=[0.0, 1.0]).fit(X, [0, 0, 1, 1])


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_excluded_features_have_no_coefficients(classes):
    X, y = rows(classes=classes)
    wanted = LogisticRegression().fit(X[:, [0, 2]], y)
    model = LogisticRegression(penalty_factors=[1.0, np.inf, 1.0, np.inf]).fit(X, y)
    assert_allclose(model.coef_[:, [0, 2]], wanted.coef_, rtol=1e-12)
    assert not model.coef_[:, [1, 3]].any()
    alone = LogisticRegression(penalty_factors=np.full(4, np.inf)).fit(X, y)
    assert_allclose(alone.predict_proba(X[:1])[0], np.bincount(y) / len(y), rtol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_warm_start_from_the_minimum_takes_no_step(classes):
    X, y = rows(classes=classes)
    offset = np.ones(len(y)) if classes == 2 else np.ones((len(y), classes))
    model = LogisticRegression(warm_start=True, tol=1e-9).fit(X, y, offset=offset)
    first = model.coef_.copy()
    model.set_params(tol=1e-6).fit(X, y, offset=offset)
    assert model.n_iter_.tolist() == [0]
    assert_allclose(model.coef_, first, rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_log_probabilities_have_all_digits(classes):
    X, y = rows(classes=classes)
    model = LogisticRegression().fit(X, y)
    far = 1e4 * X
    found = model.predict_log_proba(far)
    assert np.isfinite(found).all()
    scores = model.decision_function(far)
    if classes == 2:
        scores = np.column_stack([np.zeros(len(far)), scores])
    assert_allclose(found, log_softmax(scores, axis=1), rtol=1e-12, atol=1e-200)


def test_logistic_saved_model_predicts_the_same(tmp_path):
    X, y = rows()
    labels = np.array(["no", "yes"])[y]
    model = LogisticRegression(C=np.inf, class_weight={"no": 1.0, "yes": 2.0}).fit(X, labels)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert np.inf == again.C
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert_allclose(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_to_sklearn_has_its_attributes_and_predictions(classes):
    X, y = rows(classes=classes)
    model = LogisticRegression(standardize=True).fit(X, y)
    new = model.to_sklearn()
    again = theirs.LogisticRegression().fit(X, y)
    assert type(new) is theirs.LogisticRegression
    assert {k for k in vars(new) if k[-1] == "_"} == {k for k in vars(again) if k[-1] == "_"}
    assert_allclose(new.predict_proba(X), model.predict_proba(X), rtol=1e-12)


def test_logistic_verbose_prints_a_line(capsys):
    X, y = rows()
    LogisticRegression(verbose=1).fit(X, y)
    assert capsys.readouterr().out.startswith("LogisticRegression: newton-cholesky, ")


@pytest.mark.parametrize(
    ("options", "change", "words"),
    [
        ({}, {"y": np.zeros(120)}, "at least 2 classes"),
        ({}, {"y": np.linspace(0.0, 1.0, 120)}, "Unknown label type"),
        ({}, {"sample_weight": np.zeros(120)}, "(?i)sample.weight"),
        ({"class_weight": {0: 0.0, 1: 1.0}}, {}, "only rows of one class have weight"),
        ({}, {"offset": np.zeros(3)}, r"offset must have shape \(120,\), got \(3,\)"),
        ({}, {"offset": np.full(120, np.nan)}, "offset must be finite"),
        ({}, {"offset": np.full(120, "a")}, "offset must be numbers"),
        ({"penalty_factors": [1.0]}, {}, "penalty_factors must have shape"),
        ({"l1_ratio": 1.0}, {}, "Solver lbfgs supports only 'l2' or None penalties"),
        ({"dual": True}, {}, "supports only dual=False"),
        ({"C": np.inf, "solver": "liblinear"}, {}, "not supported for the liblinear solver"),
    ],
)
def test_logistic_unusable_input_is_named(options, change, words):
    X, y = rows()
    given = {"X": X, "y": y, **change}
    with pytest.raises(ValueError, match=words):
        LogisticRegression(**options).fit(**given)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(120, 4), (25, 40)])
@pytest.mark.parametrize("options", [{}, {"l1_ratio": 1.0, "solver": "saga"}])
def test_logistic_rows_that_are_not_finite_are_named(options, shape, layout, classes, value):
    X, y = rows(*shape, classes)
    X[5, 1] = value
    words = "X contains NaN" if np.isnan(value) else "X contains infinity"
    with pytest.raises(ValueError, match=words):
        LogisticRegression(**options).fit(LAYOUTS[layout](X), y)


@pytest.mark.parametrize("value", [1e160, 1e300])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shape", [(120, 4), (25, 40), (2000, 40)])
@pytest.mark.parametrize("options", [{}, {"l1_ratio": 1.0, "solver": "saga"}])
def test_logistic_rows_that_overflow_are_named(options, shape, classes, value):
    X, y = rows(*shape, classes)
    X[5, 1] = value
    with pytest.raises(ValueError, match="[rR]escale X"):
        LogisticRegression(**options).fit(X, y)


@parametrize_with_checks(
    [
        LogisticRegression(),
        LogisticRegression(warm_start=True),
        LogisticRegression(standardize=True),
        LogisticRegression(solver="sag", class_weight="balanced", n_threads=1),
        LogisticRegression(solver="saga", l1_ratio=0.5, C=10.0),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimator_check(estimator, check):
    check(estimator)


def test_logistic_of_two_heavy_rows_and_features_without_penalty_is_separated():
    X = np.random.default_rng(5).standard_normal((2, 8))
    model = LogisticRegression(
        penalty_factors=[0.5, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        C=1e-6, tol=1e-9, max_iter=1000, standardize=True,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="the classes are separated in 2 of the 2 rows"):
        model.fit(X, [0, 1], [667936.9, 9409.3])
    assert model.status_ == "separated"


def test_logistic_where_rounding_ends_the_progress_does_not_advise_more_iterations():
    X = 1e6 + np.random.default_rng(0).standard_normal((40, 40))
    y = np.arange(40) % 2
    model = LogisticRegression(C=1e3, fit_intercept=False, max_iter=1000)
    with pytest.warns(ConvergenceWarning, match="rounding leaves no step.* Raise tol") as caught:
        model.fit(X, y)
    assert "max_iter" not in str(caught[0].message)
    assert model.n_iter_[0] < 1000
    model.set_params(C=1e3, fit_intercept=True)
    assert model.fit(X, y).status_ == "converged"  # the columns are centred
