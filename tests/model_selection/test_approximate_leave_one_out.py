"""Approximate leave-one-out: against fits without each row, and what it promises exactly."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

import fastridge as fr
from fastridge.designs import design_of
from fastridge.losses.gamma import Gamma
from fastridge.losses.logistic import Logistic
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows
from fastridge.losses.squared import Squared
from fastridge.losses.tweedie import Tweedie
from fastridge.model_selection.approximate_leave_one_out import ApproximateLeaveOneOut
from fastridge.solvers.newton.path import UnitPenalty, solve_path

LOSSES = {
    "logistic": Logistic(),
    "poisson": Poisson(),
    "gamma": Gamma(),
    "tweedie": Tweedie(1.5),
    "squared": Squared(),
}
SHAPES = {"tall": (120, 5), "square": (40, 40), "wide": (30, 80)}
PLAIN = {"l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
TIGHT = {"tol": 1e-10, "max_iter": 1000}


def rows(name, shape, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=shape) + 3.0
    eta = 0.6 * (X[:, :3] - 3.0).sum(axis=1)
    if name == "logistic":
        y = np.where(eta + rng.logistic(size=len(X)) > 0.0, 1.0, -1.0)
    elif name == "squared":
        y = eta + rng.normal(size=len(X))
    else:
        y = rng.poisson(np.exp(0.5 * eta)) + (1.0 if name == "gamma" else 0.0)
    return X, y


def predictors(X, y, loss, penalty, weight=None, offset=None, fit_intercept=True, strengths=(1.0,)):
    """Approximate leave-one-out at some strengths, and the fits."""
    design = design_of(X, weight, fit_intercept, 1)
    losses = LossOfRows(loss, y, offset)
    results = solve_path(design, losses, penalty, strengths, **TIGHT)
    loo = ApproximateLeaveOneOut(design, losses)
    return loo.predictors([penalty.at(s) for s in strengths], results), results


def refitted(X, y, loss, penalty, weight=None, offset=None, fit_intercept=True):
    """Linear predictors of each row by a fit without it."""
    weight = np.ones(len(y)) if weight is None else weight
    out = np.empty(len(y))
    for i in range(len(y)):
        without = weight.copy()
        without[i] = 0.0
        design = design_of(X, without, fit_intercept, 1)
        (found,) = solve_path(design, LossOfRows(loss, y, offset), penalty, [1.0], **TIGHT)
        out[i] = X[i] @ found.coef + found.intercept
    return out if offset is None else out + offset


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", LOSSES)
def test_loo_predictors_are_nearly_those_of_fits_without_each_row(name, shape, fit_intercept):
    X, y = rows(name, SHAPES[shape])
    if not fit_intercept:
        X = X - 3.0
    rng = np.random.default_rng(1)
    weight, offset = rng.integers(0, 3, len(y)).astype(float), 0.1 * rng.normal(size=len(y))
    penalty = UnitPenalty(rng.uniform(20.0, 40.0, X.shape[1]), None)
    options = {"weight": weight, "offset": offset, "fit_intercept": fit_intercept}
    found, (fit,) = predictors(X, y, LOSSES[name], penalty, **options)
    wanted = refitted(X, y, LOSSES[name], penalty, **options)
    fitted = X @ fit.coef + fit.intercept + offset
    change = np.abs(wanted - fitted).max()
    tolerance = 1e-7 if name == "squared" else 0.1  # of the largest change: one step is exact
    assert change > 0.05
    assert np.abs(found[:, 0] - wanted).max() <= tolerance * change
    out = weight == 0.0
    assert_allclose(found[out, 0], fitted[out], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_loo_predictors_with_free_features_and_l1_penalty_are_nearly_those_of_fits(name, shape):
    X, y = rows(name, SHAPES[shape])
    l2 = np.full(X.shape[1], 20.0)
    l2[0] = 0.0
    for l1 in (None, np.where(l2 > 0.0, 2.0, 0.0)):
        penalty = UnitPenalty(l2, l1)
        found, (fit,) = predictors(X, y, LOSSES[name], penalty)
        wanted = refitted(X, y, LOSSES[name], penalty)
        change = np.abs(wanted - (X @ fit.coef + fit.intercept))
        error = np.abs(found[:, 0] - wanted)
        assert np.median(error) <= 0.1 * change.max()
        assert np.mean(error) <= 0.1 * np.mean(change) + 0.02 * change.max()


@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_loo_predictors_in_rows_and_in_columns_agree(name):
    X, y = rows(name, (30, 31))
    penalty = UnitPenalty(np.linspace(5.0, 9.0, 31), None)
    wide, _ = predictors(X, y, LOSSES[name], penalty, strengths=(1.0, 0.1))
    tall, _ = predictors(
        np.vstack([X, X[:5]]), np.append(y, y[:5]), LOSSES[name], penalty,
        weight=np.append(np.ones(30), np.zeros(5)), strengths=(1.0, 0.1),
    )  # fmt: skip
    assert_allclose(tall[:30], wide, rtol=1e-9)
    free = UnitPenalty(np.append(0.0, penalty.l2[1:]), None)
    wide, (fit,) = predictors(X, y, LOSSES[name], free)
    loo = ApproximateLeaveOneOut(design_of(X, None, True, 1), LossOfRows(LOSSES[name], y))
    loo._in_rows = lambda *given: False
    assert_allclose(loo.predictors([free], [fit]), wide, rtol=1e-8)


@pytest.mark.parametrize("layout", ["F", "float32", "csr", "csc"])
@pytest.mark.parametrize("shape", SHAPES)
def test_loo_predictors_of_any_layout_are_the_same(shape, layout):
    X, y = rows("logistic", SHAPES[shape])
    X = X.astype(np.float32).astype(np.float64)
    change = {
        "F": np.asfortranarray,
        "float32": lambda X: X.astype(np.float32),
        "csr": sp.csr_array,
        "csc": sp.csc_array,
    }
    penalty = UnitPenalty(np.full(X.shape[1], 3.0), None)
    wanted, _ = predictors(X, y, Logistic(), penalty)
    found, _ = predictors(change[layout](X), y, Logistic(), penalty)
    assert_allclose(found, wanted, rtol=1e-7, atol=1e-7)


def test_loo_predictors_know_no_units():
    X, y = rows("logistic", (120, 5))
    powers = 2.0 ** np.array([-40, 3, 30, -7, 0])
    wanted, _ = predictors(X, y, Logistic(), UnitPenalty(np.full(5, 3.0), None))
    found, _ = predictors(X * powers, y, Logistic(), UnitPenalty(3.0 * powers**2, None))
    assert_allclose(found, wanted, rtol=1e-8)


def test_loo_predictors_of_dependent_columns_are_those_of_one():
    X, y = rows("logistic", (120, 3))
    twice = np.column_stack([X, X[:, 0], np.ones(120)])
    wanted, _ = predictors(X, y, Logistic(), UnitPenalty(np.zeros(3), None))
    found, _ = predictors(twice, y, Logistic(), UnitPenalty(np.zeros(5), None))
    assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def test_loo_of_long_data_in_single_precision_is_near_that_in_double(monkeypatch):
    X, y = rows("logistic", (3000, 101))
    X = X * 10.0 ** np.linspace(-8, 8, X.shape[1])
    penalty = UnitPenalty(X.var(axis=0), None)
    weight = np.ones(len(y))
    weight[:5], X[:5] = 0.0, 1e200
    single, (fit,) = predictors(X, y, LOSSES["logistic"], penalty, weight=weight)
    monkeypatch.setattr("fastridge.model_selection.approximate_leave_one_out._LONG", np.inf)
    double, _ = predictors(X, y, LOSSES["logistic"], penalty, weight=weight)
    change = np.abs(double[5:, 0] - X[5:] @ fit.coef - fit.intercept).max()
    error = np.abs(single - double)[5:].max()
    assert 0.0 < error < 1e-5 * change


def test_loo_blocks_of_rows_change_nothing(monkeypatch):
    X, y = rows("logistic", (120, 5))
    penalty = UnitPenalty(np.full(5, 3.0), None)
    wanted, _ = predictors(X, y, Logistic(), penalty, strengths=(1.0, 0.1, 0.01))
    module = "fastridge.model_selection.approximate_leave_one_out"
    monkeypatch.setattr(f"{module}._BLOCK_VALUES", 35)
    monkeypatch.setattr(f"{module}._ROOT_VALUES", 1)
    found, _ = predictors(X, y, Logistic(), penalty, strengths=(1.0, 0.1, 0.01))
    assert_allclose(found, wanted, rtol=1e-13)


# ---- as cv="alo" ----


@pytest.mark.parametrize("shape", [(120, 4), (30, 60)])
@pytest.mark.parametrize("options", [{}, {"class_weight": "balanced"}, {"standardize": True}])
def test_cv_alo_scores_are_nearly_those_of_fits_without_each_row(shape, options):
    X, y = rows("logistic", shape)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    Cs = [0.003, 0.03]
    model = fr.LogisticRegressionCV(cv="alo", Cs=Cs, **PLAIN, **options).fit(X, y, weight)
    assert model.scores_.shape == (1, 1, 2)
    assert model.coefs_paths_.shape == (1, 1, 2, 1, shape[1] + 1)
    kept = {key: value for key, value in options.items() if key != "class_weight"}
    if options.get("class_weight"):
        totals = np.bincount((y > 0).astype(int), weight)
        kept["class_weight"] = dict(zip([-1.0, 1.0], weight.sum() / (2 * totals), strict=True))
    for C, score, error in zip(Cs, model.scores_[0, 0], model.standard_errors_[0], strict=True):
        values = np.empty(len(y))
        for i in range(len(y)):
            without = weight.copy()
            without[i] = 0.0
            alone = fr.LogisticRegression(C=C, **kept).fit(X, y, without)
            values[i] = alone.predict_log_proba(X[i : i + 1])[0, int(y[i] > 0.0)]
        wanted = np.average(values, weights=weight)
        assert score == pytest.approx(wanted, rel=0.03 if "standardize" in options else 3e-3)
        n = np.count_nonzero(weight)
        square = weight**2 @ (values - wanted) ** 2 / weight.sum() ** 2
        assert error == pytest.approx(np.sqrt(square * n / (n - 1)), rel=0.1)


def test_cv_alo_chooses_by_one_standard_error_and_by_any_scorer():
    X, y = rows("logistic", (120, 4))
    labels = np.where(y > 0.0, "yes", "no")
    model = fr.LogisticRegressionCV(cv="alo", selection="1se", **PLAIN).fit(X, labels)
    mean, error = model.mean_scores_[0], model.standard_errors_[0]
    assert model.Cs_[mean >= mean.max() - error[mean.argmax()]].min() == model.C_
    for scoring in ("accuracy", "neg_brier_score", "roc_auc"):
        options = {**PLAIN, "scoring": scoring}
        other = fr.LogisticRegressionCV(cv="alo", **options).fit(X, labels)
        assert np.isfinite(other.scores_).all()
        assert np.isfinite(other.standard_errors_).all() == (scoring == "accuracy")


def test_cv_alo_rows_of_weight_zero_change_nothing():
    X, y = rows("logistic", (120, 4))
    model = fr.LogisticRegressionCV(cv="alo", **PLAIN).fit(X, y)
    more, labels = np.vstack([X, 1e6 * X[:5]]), np.append(y, y[:5])
    weight = np.append(np.ones(120), np.zeros(5))
    padded = fr.LogisticRegressionCV(cv="alo", **PLAIN).fit(more, labels, weight)
    assert_allclose(padded.scores_, model.scores_, rtol=1e-8)
    assert_array_equal(padded.C_, model.C_)
