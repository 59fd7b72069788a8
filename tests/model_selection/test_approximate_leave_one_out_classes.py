"""Approximate leave-one-out of several classes: against fits without each row."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

import fastridge as fr
from fastridge.designs import design_of
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.model_selection import approximate_leave_one_out_classes as module
from fastridge.model_selection.approximate_leave_one_out import ApproximateLeaveOneOut
from fastridge.solvers.newton.path import UnitPenalty, solve_path

SHAPES = {"tall": (60, 3), "wide": (24, 50)}
TIGHT = {"tol": 1e-10, "max_iter": 3000}


def rows(shape, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=shape) + 2.0
    eta = 0.7 * (X - 2.0) @ rng.normal(size=(shape[1], classes)) / shape[1] ** 0.25
    y = np.argmax(eta + rng.gumbel(size=eta.shape), axis=1)
    y[:classes] = np.arange(classes)
    return X, y


def predictors(X, y, penalty, weight=None, offset=None, fit_intercept=True):
    """Approximate leave-one-out, and the linear predictors of the fit."""
    design = design_of(X, weight, fit_intercept, 1)
    loss = ClassesOfRows(y, int(y.max()) + 1, offset)
    (fit,) = solve_path(design, loss, penalty, [1.0], **TIGHT)
    (found,) = module.ApproximateLeaveOneOutOfClasses(design, loss).predictors([penalty], [fit])
    fitted = X @ fit.coef.T + fit.intercept
    return found, fitted if offset is None else fitted + offset


def refitted(X, y, penalty, weight=None, offset=None, fit_intercept=True):
    """Linear predictors of each row by a fit without it."""
    weight = np.ones(len(y)) if weight is None else weight
    loss = ClassesOfRows(y, int(y.max()) + 1, offset)
    out = np.empty((len(y), loss.n_classes))
    for i in range(len(y)):
        without = weight.copy()
        without[i] = 0.0
        design = design_of(X, without, fit_intercept, 1)
        (found,) = solve_path(design, loss, penalty, [1.0], **TIGHT)
        out[i] = X[i] @ found.coef.T + found.intercept
    return out if offset is None else out + offset


def centred(eta):
    return eta - eta.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_loo_predictors_of_classes_are_nearly_those_of_fits_without_each_row(shape, fit_intercept):
    X, y = rows(SHAPES[shape])
    rng = np.random.default_rng(1)
    weight, offset = rng.integers(0, 3, len(y)).astype(float), 0.1 * rng.normal(size=(len(y), 3))
    weight[:3] = 1.0
    penalty = UnitPenalty(rng.uniform(10.0, 20.0, X.shape[1]), None)
    options = {"weight": weight, "offset": offset, "fit_intercept": fit_intercept}
    found, fitted = predictors(X, y, penalty, **options)
    change = centred(refitted(X, y, penalty, **options)) - centred(fitted)
    assert np.abs(change).max() > 0.05
    error = np.abs(centred(found) - centred(fitted) - change)
    assert error.max() <= 0.1 * np.abs(change).max()
    out = weight == 0.0
    assert_allclose(found[out], fitted[out], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", ["free", "l1", "bounds"])
def test_loo_predictors_of_classes_with_other_penalties_are_nearly_those_of_fits(kind):
    X, y = rows((36, 4))
    l2 = np.array([0.0, 5.0, 5.0, 5.0])
    penalty = {
        "free": UnitPenalty(l2, None),
        "l1": UnitPenalty(l2, np.where(l2 > 0.0, 2.0, 0.0)),
        "bounds": UnitPenalty(l2, None, (np.full((3, 4), -0.1), np.full((3, 4), np.inf))),
    }[kind]
    found, fitted = predictors(X, y, penalty)
    change = centred(refitted(X, y, penalty)) - centred(fitted)
    error = np.abs(centred(found) - centred(fitted) - change)
    assert np.median(error) <= 0.1 * np.abs(change).max()
    assert error.mean() <= 0.1 * np.abs(change).mean() + 0.02 * np.abs(change).max()


def test_loo_predictors_of_classes_in_rows_and_in_columns_agree(monkeypatch):
    X, y = rows((20, 30))
    penalty = UnitPenalty(np.append(0.0, np.linspace(5.0, 9.0, 29)), None)
    wide, _ = predictors(X, y, penalty)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 2000)
    monkeypatch.setattr(module.ApproximateLeaveOneOutOfClasses, "_in_rows", lambda *given: False)
    tall, _ = predictors(X, y, penalty)
    assert_allclose(centred(tall), centred(wide), rtol=1e-7, atol=1e-8)


def test_loo_predictors_of_two_classes_are_those_of_one_linear_predictor():
    X, y = rows((60, 3), 2)
    found, _ = predictors(X, y, UnitPenalty(np.full(3, 2.0), None))
    design, loss = design_of(X), LossOfRows(Logistic(), 2.0 * y - 1.0)
    one = UnitPenalty(np.full(3, 1.0), None)  # half of it, of twice the coefficients
    (fit,) = solve_path(design, loss, one, [1.0], **TIGHT)
    wanted = ApproximateLeaveOneOut(design, loss).predictors([one], [fit])[:, 0]
    assert_allclose(found[:, 1] - found[:, 0], wanted, rtol=1e-7)


@pytest.mark.parametrize("layout", ["F", "float32", "csr", "csc"])
@pytest.mark.parametrize("shape", SHAPES)
def test_loo_predictors_of_classes_of_any_layout_are_the_same(shape, layout):
    X, y = rows(SHAPES[shape])
    X = X.astype(np.float32).astype(np.float64)
    change = {
        "F": np.asfortranarray,
        "float32": lambda X: X.astype(np.float32),
        "csr": sp.csr_array,
        "csc": sp.csc_array,
    }
    penalty = UnitPenalty(np.full(X.shape[1], 3.0), None)
    wanted, _ = predictors(X, y, penalty)
    found, _ = predictors(change[layout](X), y, penalty)
    assert_allclose(centred(found), centred(wanted), rtol=1e-7, atol=1e-7)


def test_loo_predictors_of_classes_know_no_units():
    X, y = rows((60, 3))
    powers = 2.0 ** np.array([-40, 3, 30])
    wanted, _ = predictors(X, y, UnitPenalty(np.full(3, 3.0), None))
    found, _ = predictors(X * powers, y, UnitPenalty(3.0 * powers**2, None))
    assert_allclose(centred(found), centred(wanted), rtol=1e-7)


def test_cv_alo_of_several_classes_scores_every_c():
    X, y = rows((30, 3))
    labels = np.array(["a", "b", "c"])[y]
    options = {"l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    model = fr.LogisticRegressionCV(cv="alo", Cs=[0.01, 0.1], **options).fit(X, labels)
    assert model.scores_.shape == (1, 1, 2)
    for C, score in zip(model.Cs_, model.scores_[0, 0], strict=True):
        values = []
        for i in range(len(y)):
            kept = np.arange(len(y)) != i
            alone = fr.LogisticRegression(C=C, n_threads=1).fit(X[kept], labels[kept])
            values.append(alone.predict_log_proba(X[i : i + 1])[0, y[i]])
        assert score == pytest.approx(np.mean(values), rel=1e-2)
    assert np.isfinite(model.standard_errors_).all()


def test_cv_alo_of_too_many_coefficients_is_refused(monkeypatch):
    X, y = rows((60, 3))
    monkeypatch.setattr(module, "_MOST_UNKNOWNS", 5)
    options = {"l1_ratios": (0.0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
    with pytest.raises(ValueError, match="cv='alo' of 3 classes needs a matrix of 9 x 9"):
        fr.LogisticRegressionCV(cv="alo", **options).fit(X, y)
