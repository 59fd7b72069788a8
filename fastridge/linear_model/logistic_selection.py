"""The fits and scores by which `LogisticRegressionCV` chooses its penalty."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Index, Matrix
from fastridge.linear_model import smooth_models
from fastridge.linear_model.class_scores import linear_scores
from fastridge.linear_model.class_scoring import ClassScorer
from fastridge.linear_model.logistic import LogisticRegression, LogisticRows
from fastridge.linear_model.smooth_path import path_of
from fastridge.losses.smooth import LossOfRows
from fastridge.model_selection.approximate_leave_one_out import ApproximateLeaveOneOut
from fastridge.model_selection.approximate_leave_one_out_classes import (
    ApproximateLeaveOneOutOfClasses,
)
from fastridge.model_selection.one_standard_error import choose, standard_error
from fastridge.model_selection.smooth_folds import Folds
from fastridge.model_selection.splits import Split, row_sections
from fastridge.solvers.newton.path import UnitPenalty
from fastridge.solvers.newton.problem import NewtonResult


class HeldOut(NamedTuple):
    """Validated rows and labels that are scored in place of splits."""

    X: Matrix
    y: np.ndarray


class Grid:
    """The fits of all rows at each penalty of a grid, and then those of splits.

    Parameters
    ----------
    model : LogisticRegressionCV
    given : LogisticRows
    Cs : ndarray of shape (n_cs,)
    l1_ratios : list of float

    Attributes
    ----------
    whole : list of list of NewtonResult
        The fits of all rows, for each l1_ratio and C.
    coefs : ndarray of shape (n_splits, n_l1_ratios, n_cs, 1 or n_classes, n_features + 1)
        Coefficients and intercepts of the fits of each split.
    n_iters, scores : ndarray of shape (n_splits, n_l1_ratios, n_cs)
    errors : ndarray of shape (n_l1_ratios, n_cs)
        Standard errors of the mean scores.
    """

    def __init__(
        self,
        model: Any,
        given: LogisticRows,
        Cs: np.ndarray,
        l1_ratios: Sequence[float],
        scorer: ClassScorer,
    ) -> None:
        self.model, self.given, self.scorer = model, given, scorer
        self.Cs, self.l1_ratios = Cs, list(l1_ratios)
        self.strengths = (1.0 / Cs).tolist()
        self.units = [self._unit(ratio, given.rows.design) for ratio in self.l1_ratios]
        path = partial(path_of, model, given.X, given.rows, given.loss)
        self.whole = [path(unit, self.strengths) for unit in self.units]
        self.results = [self.whole]

    def _unit(self, l1_ratio: float, design: Any) -> UnitPenalty:
        rows = self.given.rows
        both = smooth_models.penalties_of(self.model, design, rows.factors, l1_ratio)
        unit = UnitPenalty(*both, rows.bounds)
        return unit.at(smooth_models.summed(self.model, 1.0, design.sum_weights))

    # ---- what is scored ----

    def by_splits(self, splits: Sequence[Split], y: np.ndarray) -> None:
        """Fit each split, and score its test rows."""
        given, model = self.given, self.model
        tol, max_iter = smooth_models.solver_tol(model), int(model.max_iter)
        found = []
        with smooth_models.named_overflow(model, given.X):
            folds = Folds(given.rows.design, given.loss, splits)
            for k, ratio in enumerate(self.l1_ratios):
                unit_of = partial(self._unit, ratio)
                if not model.standardize and model.alpha_scale == "sum":
                    unit_of = partial(_same, self.units[k])
                found.append(
                    folds.minima(unit_of, self.strengths, self.whole[k], tol=tol, max_iter=max_iter)
                )
        self.results = [list(of_split) for of_split in zip(*found, strict=True)]
        self._store()
        X: Any = given.X
        X = X.tocsr() if sp.issparse(X) else X
        self.scores = np.array(
            [
                self._scored(X, y, split.test, given.offset_of(split.test), self.coefs[k])
                for k, split in enumerate(splits)
            ]
        )
        self.errors = standard_error(self.scores, axis=0)

    def by_held_out(self, rows: HeldOut) -> None:
        """Score other rows by the fits of all."""
        self._store()
        test = slice(0, len(rows.y))
        self.scores = self._scored(rows.X, rows.y, test, None, self.coefs[0])[None]
        eta = self._predictors(rows.X, test, None, self.coefs[0])
        self.errors = self._errors_of_rows(eta, rows.y)

    def by_leave_one_out(self, y: np.ndarray) -> None:
        """Score every row by the fits without it, nearly."""
        design, loss = self.given.rows.design, self.given.loss
        self._store()
        n = len(y)
        self.scores = np.empty((1, len(self.l1_ratios), len(self.Cs)))
        self.errors = np.empty(self.scores.shape[1:])
        for k, unit in enumerate(self.units):
            penalties = [unit.at(strength) for strength in self.strengths]
            if isinstance(loss, LossOfRows):
                loo = ApproximateLeaveOneOut(design, loss)
                eta = np.ascontiguousarray(loo.predictors(penalties, self.whole[k]).T)
            else:
                several = ApproximateLeaveOneOutOfClasses(design, loss)
                eta = several.predictors(penalties, self.whole[k])
            for c in range(len(self.Cs)):
                self.scores[0, k, c] = self.scorer.score(eta[c], y, slice(0, n), n)
            self.errors[k] = self._errors_of_rows(eta[None], y)[0]

    def _store(self) -> None:
        """Keep coefficients and steps of the fits in the user's units."""
        self.coefs = np.array(
            [
                [list(map(self.coef_of, path, self.strengths)) for path in of_split]
                for of_split in self.results
            ]
        )
        self.n_iters = np.array(
            [[[r.n_iter for r in path] for path in of_split] for of_split in self.results],
            dtype=np.int32,
        )

    def coef_of(self, result: NewtonResult, strength: float) -> np.ndarray:
        """Return the coefficients of all features, of shape (1 or n_classes, n_features + 1)."""
        rows = self.given.rows
        result = self.given.without_shift(result, strength)
        coef = np.atleast_2d(rows.kept.coef(result.coef))
        if not rows.design.fit_intercept:
            return coef
        return np.hstack([coef, np.reshape(result.intercept, (-1, 1))])

    # ---- scores ----

    def split(self, coefs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients and intercepts that are stored together."""
        if self.given.rows.design.fit_intercept:
            return coefs[..., :-1], coefs[..., -1]
        return coefs, np.zeros(coefs.shape[:-1])

    def _predictors(
        self, X: Matrix, test: Index, offset: np.ndarray | None, coefs: np.ndarray
    ) -> np.ndarray:
        """Return the linear predictors of some rows by many models, along the first axes."""
        coef, intercept = self.split(coefs)
        flat, flat_intercept = coef.reshape(-1, coef.shape[-1]), intercept.reshape(-1)
        parts = [
            np.reshape(linear_scores(X[some], flat, flat_intercept), (-1, len(flat)))
            for some in row_sections(test, X.shape[1], max(64, (1 << 20) // X.shape[1]))
        ]
        eta = np.concatenate(parts).T.reshape(*intercept.shape, -1)
        if eta.shape[-2] == 1:  # two classes
            eta = eta[..., 0, :]
            return eta if offset is None else eta + offset
        eta = np.moveaxis(eta, -2, -1)
        return np.ascontiguousarray(eta if offset is None else eta + offset)

    def _scored(
        self,
        X: Matrix,
        y: np.ndarray,
        test: Index,
        offset: np.ndarray | None,
        coefs: np.ndarray,
    ) -> np.ndarray:
        """Return the scores of the models of a split on its test rows."""
        scores = np.empty(coefs.shape[:2])
        n, some = len(y), y[test]
        if self.scorer.of_predictors:
            eta = self._predictors(X, test, offset, coefs)
            for at in np.ndindex(scores.shape):
                scores[at] = self.scorer.score(eta[at], some, test, n)
            return scores
        rows = X[test]
        for at in np.ndindex(scores.shape):
            scores[at] = self.scorer.score_model(self._alone(coefs, at), rows, some, test, n)
        return scores

    def _alone(self, coefs: np.ndarray, at: tuple[int, ...]) -> LogisticRegression:
        """Return the model of one fit, for scorers that look at it."""
        alone = LogisticRegression(C=float(self.Cs[at[1]]), solver=self.model.solver)
        alone.classes_ = self.given.classes
        alone.coef_, alone.intercept_ = self.split(coefs[at])
        alone.n_features_in_ = alone.coef_.shape[1]
        return alone

    def _errors_of_rows(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return standard errors of mean scores over rows; NaN where they are no means of rows."""
        errors = np.empty(eta.shape[:2])
        for at in np.ndindex(errors.shape):
            errors[at] = self.scorer.error_over_rows(eta[at], y)
        return errors

    # ---- the choice ----

    def choice(self) -> tuple[tuple[int, int], tuple[int, int] | None]:
        """Return the indices of l1_ratio and C of the best mean score, and by the 1-SE rule."""
        mean = self.scores.mean(axis=0)
        order = np.where(np.isnan(mean), -np.inf, mean).T  # of equals the first C, as scikit-learn
        c, ratio = np.unravel_index(int(order.argmax()), order.shape)
        within = choose(1.0 / self.Cs, -mean[ratio], self.errors[ratio]).within
        best = (int(ratio), int(c))
        return best, (best[0], int(within)) if within >= 0 else None

    def mean_of_best(self, l1_ratios: Sequence[float]) -> tuple[np.ndarray, float, float]:
        """Return means over the splits of the best coefficients, C and l1_ratio of each."""
        scores = np.where(np.isnan(self.scores), -np.inf, self.scores).swapaxes(1, 2)
        flat = scores.reshape(len(scores), -1).argmax(axis=1)
        cs, ratios = np.unravel_index(flat, scores.shape[1:])
        coef = self.coefs[np.arange(len(scores)), ratios, cs].mean(axis=0)
        mean_ratio = float(np.mean([l1_ratios[k] or 0.0 for k in ratios]))
        return coef, float(self.Cs[cs].mean()), mean_ratio


def _same(unit: UnitPenalty, design: Any) -> UnitPenalty:
    """Return the same penalty for any training rows."""
    return unit
