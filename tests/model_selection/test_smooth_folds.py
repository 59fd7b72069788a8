"""Folds of smooth losses in lockstep: each is its fit alone."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from fastridge.designs import design_of
from fastridge.losses.logistic import Logistic
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows
from fastridge.model_selection import lockstep
from fastridge.model_selection.smooth_folds import Folds
from fastridge.model_selection.splits import Split, consecutive_folds
from fastridge.solvers.newton.path import UnitPenalty, solve_path

TIGHT = {"tol": 1e-9, "max_iter": 200}
LAYOUTS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csr": sp.csr_array}


def rows(name, n=400, p=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + np.linspace(-5.0, 50.0, p)
    eta = 0.5 * (X - X.mean(axis=0)).sum(axis=1)
    if name == "logistic":
        return X, np.where(eta + rng.logistic(size=n) > 0.0, 1.0, -1.0), Logistic()
    return X, rng.poisson(np.exp(0.3 * eta)).astype(float), Poisson()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_folds_in_lockstep_are_their_fits_alone(name, fit_intercept, layout):
    X, y, loss = rows(name)
    if not fit_intercept:
        X = X - X.mean(axis=0)
    rng = np.random.default_rng(1)
    weight, offset = rng.uniform(0.0, 2.0, len(y)), 0.3 * rng.normal(size=len(y))
    weight[::7] = 0.0
    X = LAYOUTS[layout](X)
    design, losses = design_of(X, weight, fit_intercept, 2), LossOfRows(loss, y, offset)
    repeated = Split(np.r_[0:200, 0:50], np.arange(200, 400))
    splits = [*consecutive_folds(len(y), 3), repeated]
    penalty, strengths = UnitPenalty(np.linspace(0.0, 2.0, X.shape[1]), None), [1.0, 0.01, 0.0]
    whole = solve_path(design, losses, penalty, strengths, **TIGHT)
    found = Folds(design, losses, splits).minima(lambda part: penalty, strengths, whole, **TIGHT)
    for split, results in zip(splits, found, strict=True):
        train = split.train_rows(len(y))
        part = design_of(X[train], weight[train], fit_intercept, 1)
        alone = LossOfRows(loss, y[train], offset[train])
        for strength, result in zip(strengths, results, strict=True):
            (wanted,) = solve_path(part, alone, penalty, [strength], **TIGHT)
            assert_allclose(result.coef, wanted.coef, atol=1e-8)
            assert result.intercept == pytest.approx(wanted.intercept, abs=1e-6)
            assert result.objective == pytest.approx(wanted.objective, rel=1e-10)
            assert result.not_converged is None


def test_folds_share_their_passes(monkeypatch):
    X, y, loss = rows("logistic")
    design, losses = design_of(X, None, True, 1), LossOfRows(loss, y)
    penalty = UnitPenalty(np.ones(X.shape[1]), None)
    whole = solve_path(design, losses, penalty, [1.0], **TIGHT)
    shared, evaluated = [], lockstep._evaluated
    monkeypatch.setattr(
        lockstep, "_evaluated", lambda d, points: shared.append(len(points)) or evaluated(d, points)
    )
    folds = Folds(design, losses, consecutive_folds(len(y), 5))
    results = folds.minima(lambda part: penalty, [1.0], whole, **TIGHT)
    assert shared[0] == 5
    assert len(shared) <= max(result[0].n_iter for result in results)


def test_folds_without_a_level_of_a_feature_are_their_fits_alone():
    X, y, loss = rows("logistic")
    rare = np.zeros((len(y), 2))
    rare[:3, 0] = rare[-2:, 1] = 1.0
    X = np.hstack([X, rare])
    y[:3], y[-2:] = [1.0, -1.0, 1.0], [-1.0, 1.0]
    design, losses = design_of(X, None, True, 1), LossOfRows(loss, y)
    penalty, strengths = UnitPenalty(np.ones(X.shape[1]), None), [1e-4, 1.0, 1e-2, 1e-6]
    whole = solve_path(design, losses, penalty, strengths, **TIGHT)
    splits = consecutive_folds(len(y), 200)[:2]
    found = Folds(design, losses, splits).minima(lambda part: penalty, strengths, whole, **TIGHT)
    for split, results in zip(splits, found, strict=True):
        train = split.train_rows(len(y))
        alone = LossOfRows(loss, y[train])
        for strength, result in zip(strengths, results, strict=True):
            part = design_of(X[train], None, True, 1)
            (wanted,) = solve_path(part, alone, penalty, [strength], **TIGHT)
            assert_allclose(result.coef, wanted.coef, rtol=1e-6, atol=1e-8)
            assert result.n_iter <= 12
