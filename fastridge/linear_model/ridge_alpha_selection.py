"""Select alpha for `RidgeCV`: score all alphas by one of the methods, then apply one rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from fastridge._typing import Index
from fastridge.linear_model.scoring import (
    FROM_SQUARES,
    fold_scores,
    of_rows,
    score_params,
    score_predictions,
    scorer_of,
    scoring_label,
)
from fastridge.linear_model.user_warnings import warn_user
from fastridge.model_selection.evidence import expectation_maximisation, gcv_score, log_evidence
from fastridge.model_selection.fold_penalty import SplitModel
from fastridge.model_selection.kfold import (
    each_prediction,
    is_wide,
    row_errors,
    squares_about_mean,
    statistics_errors,
)
from fastridge.model_selection.kfold_iterative import check_affordable, iterates, spectrum_top
from fastridge.model_selection.leave_one_out import LeaveOneOut
from fastridge.model_selection.one_standard_error import choose, standard_error
from fastridge.model_selection.splits import GroupedRows, Split, n_rows
from fastridge.solvers.direct.spectrum import Spectrum, automatic_alphas, least_automatic_alpha
from fastridge.solvers.direct.spectrum_selection import is_dual, spectrum_of
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result
from fastridge.solvers.solver_selection import solve
from fastridge.statistics.gram_statistics import GramStatistics

_KEPT_DIGITS = 1e-4  # condition up to which the spectrum gives the final coefficients
_KEPT_DIGITS_DUAL = 1e-7  # where another factorisation would read X again
_N_AUTOMATIC = 100  # alphas of alphas="auto"
_HELD_PREDICTIONS = 1 << 23  # of all rows at some alphas: 64 MB


@dataclass
class Selection:
    """The chosen alpha, the scores it was chosen by, and the model fitted at it."""

    method: str
    scoring: str
    alpha: np.ndarray  # (1,) or (n_targets,)
    best_score: np.ndarray  # (1,) or (n_targets,)
    per_target: bool
    alphas: np.ndarray | None = None
    mean: np.ndarray | None = None  # (n_alphas, 1 or n_targets)
    error: np.ndarray | None = None  # (n_alphas, 1 or n_targets)
    alpha_min: np.ndarray | None = None
    alpha_1se: np.ndarray | None = None
    fold_scores: np.ndarray | None = None  # (n_alphas, n_splits[, n_targets])
    cv_results: np.ndarray | None = None
    at_boundary: str | None = None
    n_iter: Any = 1
    result: Any = None

    def attributes(self) -> dict[str, object]:
        """Return the fitted attributes of `RidgeCV` that describe the choice."""

        def one(values: np.ndarray | None) -> float | np.ndarray:
            if values is None:
                return np.nan
            return values.copy() if self.per_target else float(values[0])

        def table(values: np.ndarray | None) -> np.ndarray | None:
            if values is None or self.per_target:
                return values
            return values[:, 0]

        return {
            "alpha_": one(self.alpha),
            "best_score_": one(self.best_score),
            "alphas_": self.alphas,
            "mean_scores_": table(self.mean),
            "standard_errors_": table(self.error),
            "alpha_min_": one(self.alpha if self.alpha_min is None else self.alpha_min),
            "alpha_1se_": one(self.alpha_1se),
            "method_": self.method,
            "scoring_": self.scoring,
        }


class LabelledRows(NamedTuple):
    """The labels of a classifier's rows, which scorers see.

    Attributes
    ----------
    model : estimator
        A classifier that takes linear predictors for rows.
    y : ndarray
        The labels.
    """

    model: Any
    y: np.ndarray


class Selector:
    """One fit of a `RidgeCV`: its options, and the problem of all rows.

    Parameters
    ----------
    options : RidgeCV
    problem : Problem
        With the rows, or with their statistics alone.
    alphas : ndarray or None
        None for those of the spectrum.
    score_metadata : dict
        For the scorer, with scikit-learn's metadata routing switched on.
    labels : LabelledRows, optional
        Of a classifier.
    """

    def __init__(
        self,
        options: BaseEstimator,
        problem: Problem,
        alphas: np.ndarray | None,
        score_metadata: dict[str, object],
        labels: LabelledRows | None = None,
    ) -> None:
        self._options, self._problem = options, problem
        self._alphas, self._labels = alphas, labels
        self._score_metadata = score_metadata
        self._per_target = bool(options.alpha_per_target) and problem.loss.n_targets > 1

    def by(
        self,
        method: str,
        splits: Sequence[Split] = (),
        folds: Sequence[GramStatistics] | None = None,
    ) -> Selection:
        """Choose by another method and fit; `folds` stand in for rows and their splits."""
        if method == "kfold":
            return self._kfold(splits, folds)
        return self._criterion(method)

    def _spectrum(self, *, leverage: bool = False) -> Spectrum:
        check_affordable(self._problem, f"method={self._options.method!r}")
        mode = self._options.gcv_mode
        if mode == "svd" and self._problem.design.sparse:
            words = "The 'svd' mode is not supported for sparse X: 'eigen' is used instead."
            warn_user(words, FutureWarning)
        how = "svd" if mode == "svd" else "auto"
        problem, loss = self._problem, self._problem.loss
        least = 1.0 if self._alphas is None else float(self._alphas.min())
        if loss.statistics is None and not is_dual(problem, least, leverage=leverage):
            assert loss.y is not None
            self._problem = problem.with_statistics(problem.design.accumulate(loss.y))
        if self._alphas is not None:
            return spectrum_of(self._problem, least, how, leverage=leverage)
        least = least_automatic_alpha(self._problem)
        spectrum = spectrum_of(self._problem, least, how, leverage=leverage)
        self._alphas = automatic_alphas(self._problem, spectrum.top)
        return spectrum

    # ---- leave-one-out ----

    def leave_one_out(self) -> Selection:
        problem, options = self._problem, self._options
        n = problem.design.n_counted
        if n < 2:
            raise ValueError(
                f"leave-one-out needs at least 2 rows, got n_samples={n}: use "
                "Ridge with an alpha of your own."
            )
        spectrum = self._spectrum(leverage=True)
        assert self._alphas is not None
        label = scoring_label(options.scoring, "neg_mean_squared_error")
        scorer = scorer_of(options, options.scoring)
        params = score_params(options, problem.design.weight, self._score_metadata)
        if not self._from_squares(label) or set(params) - {"sample_weight"}:
            return self._loo_by_scorer(spectrum, scorer, label, params)
        factor = self._loo_factor(spectrum, label, options.scoring is None)
        loo = LeaveOneOut(spectrum, self._alphas, factor / problem.loss.n_targets)
        results = None
        if options.store_cv_results:
            results = self._stored(loo, squares=options.scoring is None)
        else:
            loo.run()
        mean, error = self._loo_scores(loo, factor, label)
        selection = self._choose("loo", label, mean, error)
        selection.cv_results = results
        return self._fitted(selection, spectrum)

    def _loo_factor(self, spectrum: Spectrum, label: str, plain: bool) -> np.ndarray:
        """Return the factor of each target's sum of w e^2 in its score, apart from 1 / n."""
        problem = spectrum.problem
        n, t = problem.design.n_counted, problem.loss.n_targets
        if label == "r2":
            squares = squares_about_mean(problem.loss.Y, problem.design.row_weights)
            return np.divide(n, squares, out=np.full(t, np.nan), where=squares > 0.0)
        return np.full(t, 1.0 if plain else n / problem.design.sum_weights)

    def _loo_scores(
        self, loo: LeaveOneOut, factor: np.ndarray, label: str
    ) -> tuple[np.ndarray, np.ndarray]:
        n = loo.n_samples
        loss = factor * loo.total / n
        square = factor**2 * loo.total_of_squares / n
        if not self._per_target:
            rmse = np.sqrt(loss).mean(axis=1, keepdims=True)
            loss = loss.mean(axis=1, keepdims=True)
            square = loo.row_squares[:, None] / n
        else:
            rmse = np.sqrt(loss)
        error = np.sqrt(np.maximum(square - loss**2, 0.0) / max(n - 1, 1))
        if label == "r2":
            return 1.0 - loss, error
        if label == "neg_root_mean_squared_error":
            single = self._per_target or loo.total.shape[1] == 1
            return -rmse, error / (2.0 * rmse) if single else np.full_like(error, np.nan)
        return -loss, error

    def _stored(self, loo: LeaveOneOut, *, squares: bool) -> np.ndarray:
        """Return squared errors or predictions, (n, n_alphas) or (n, n_targets, n_alphas)."""
        problem = self._problem
        assert self._alphas is not None
        n, t = problem.design.shape[0], problem.loss.n_targets
        stored = np.empty((n, t, len(self._alphas)))
        for rows, targets, errors in loo.blocks():
            weight = None if problem.design.weight is None else problem.design.weight[rows]
            if not squares:
                predicted = problem.loss.Y[rows, None, targets] - errors
                stored[rows, targets] = predicted.transpose(0, 2, 1)
            loo.add(errors, weight, targets)
            if squares:
                stored[rows, targets] = errors.transpose(0, 2, 1)
        assert problem.loss.y is not None
        return stored[:, 0] if problem.loss.y.ndim == 1 else stored

    def _loo_by_scorer(
        self,
        spectrum: Spectrum,
        scorer: Any,
        label: str,
        params: Mapping[str, object],
    ) -> Selection:
        problem, alphas = self._problem, self._alphas
        assert alphas is not None
        assert problem.loss.y is not None
        n, t = problem.design.shape[0], problem.loss.n_targets
        some = max(1, _HELD_PREDICTIONS // (n * t))
        if self._options.store_cv_results:
            some = len(alphas)
        y = problem.loss.y
        scores: list[float | list[float]] = []
        results = None
        for begin in range(0, len(alphas), some):
            part = alphas[begin : begin + some]
            loo = LeaveOneOut(spectrum, part)
            predicted = np.empty((len(part), n, t))
            for rows, targets, errors in loo.blocks():
                left_out = problem.loss.Y[rows, targets] - errors.transpose(1, 0, 2)
                predicted[:, rows, targets] = left_out
            if self._options.store_cv_results:
                results = predicted.transpose(1, 2, 0)
                results = results[:, 0] if y.ndim == 1 else results
            for values in predicted:
                shaped = values.reshape(y.shape)
                scores.append(self._score(scorer, shaped, slice(None), params))
        mean = np.array(scores, dtype=float).reshape(len(alphas), -1)
        selection = self._choose("loo", label, mean, np.full_like(mean, np.nan))
        selection.cv_results = results
        return self._fitted(selection, spectrum)

    def _from_squares(self, label: str) -> bool:
        """Return whether a score follows from sums of squares."""
        return label in FROM_SQUARES and (self._labels is None or self._options.scoring is None)

    def _score(
        self, scorer: Any, predicted: np.ndarray, test: Index, params: Mapping[str, object]
    ) -> float | list[float]:
        """Return the score of predictions for some rows, in the shape of y."""
        if self._labels is not None:
            values = predicted.ravel() if predicted.shape[1] == 1 else predicted
            return float(scorer(self._labels.model, values, self._labels.y[test], **params))
        y = self._problem.loss.y
        assert y is not None
        return score_predictions(scorer, predicted, y[test], self._per_target, params)

    # ---- folds ----

    def _kfold(self, splits: Sequence[Split], folds: Sequence[GramStatistics] | None) -> Selection:
        problem, options = self._problem, self._options
        label = scoring_label(options.scoring, "r2" if self._labels is None else "accuracy")
        model = SplitModel(problem.penalty, problem.design.fit_intercept)
        if folds is not None:
            if self._alphas is None:
                self._alphas = automatic_alphas(problem, spectrum_of(problem, np.inf).top)
            errors = statistics_errors(folds, self._alphas, model)
            scores = fold_scores(errors, label)
        else:
            scores = self._scores_of_splits(splits, model, label)
        for note in model.notes:
            warn_user(note[0].upper() + note[1:], ConvergenceWarning)
        if not self._per_target:
            scores = scores.mean(axis=2, keepdims=True)
        error = standard_error(scores, axis=1)
        selection = self._choose("kfold", label, scores.mean(axis=1), error)
        selection.fold_scores = scores if self._per_target else scores[:, :, 0]
        return self._fitted(selection, None)

    def _scores_of_splits(
        self, splits: Sequence[Split], model: SplitModel, label: str
    ) -> np.ndarray:
        problem, options = self._problem, self._options
        assert problem.loss.y is not None
        scoring = "accuracy" if self._labels is not None else None
        scorer = scorer_of(options, options.scoring or scoring)
        rows = GroupedRows(problem.design, problem.loss.y, splits)
        large = iterates(rows, _N_AUTOMATIC if self._alphas is None else len(self._alphas))
        if not large and not is_wide(rows):
            problem = self._problem = problem.with_statistics(rows.total())
        if self._alphas is None:
            top = spectrum_top(problem) if large else spectrum_of(problem, np.inf).top
            self._alphas = automatic_alphas(problem, top)
        if self._from_squares(label):
            return fold_scores(row_errors(rows, self._alphas, model), label)
        return self._scored_predictions(rows, model, scorer)

    def _scored_predictions(self, rows: GroupedRows, model: SplitModel, scorer: Any) -> np.ndarray:
        problem, alphas = self._problem, self._alphas
        assert alphas is not None
        y = problem.loss.y
        assert y is not None
        t = problem.loss.n_targets
        params = score_params(self._options, problem.design.weight, self._score_metadata)
        width = t if self._per_target else 1
        scores = np.empty((len(alphas), len(rows.splits), width))
        parts = each_prediction(rows, alphas, model)
        held: list[np.ndarray] = []
        size = 0
        for k, _, predicted in parts:
            held.append(predicted)
            size += len(predicted)
            test = rows.splits[k].test
            if size < n_rows(test):
                continue
            whole = np.concatenate(held)
            held, size = [], 0
            given = {name: of_rows(value, test, len(y)) for name, value in params.items()}
            for a in range(len(alphas)):
                shaped = whole[:, a].reshape(y[test].shape)
                scores[a, k] = self._score(scorer, shaped, test, given)
        return scores

    # ---- criteria ----

    def _criterion(self, method: str) -> Selection:
        if method == "em":
            return self._expectation_maximisation()
        spectrum = self._spectrum()
        assert self._alphas is not None
        if method == "gcv":
            score, label = -gcv_score(spectrum, self._alphas), "gcv"
        else:
            score, label = log_evidence(spectrum, self._alphas), "log_evidence"
        if not self._per_target:
            score = score.mean(axis=1, keepdims=True)
        selection = self._choose(method, label, score, np.full_like(score, np.nan))
        return self._fitted(selection, spectrum)

    def _expectation_maximisation(self) -> Selection:
        check_affordable(self._problem, "method='em'")
        spectrum = spectrum_of(self._problem, 0.0)
        groups = [slice(None)]
        if self._per_target:
            groups = [slice(k, k + 1) for k in range(self._problem.loss.n_targets)]
        found = [expectation_maximisation(spectrum, targets) for targets in groups]
        if not all(one.converged and one.settled for one in found):
            last = max(found, key=lambda one: not one.settled).alpha
            warn_user(
                f"method='em' ended by its step limit and not at a mode: alpha ({last:.3g}) still "
                "moves, so the data may determine no penalty. Use method='loo' or "
                "'marginal_likelihood'.",
                ConvergenceWarning,
            )
        alpha = np.array([one.alpha for one in found])
        selection = Selection(
            "em", "em", alpha, np.full(len(alpha), np.nan), self._per_target,
            n_iter=max(one.n_iter for one in found),
        )  # fmt: skip
        return self._fitted(selection, spectrum)

    # ---- the choice ----

    def _choose(self, method: str, label: str, mean: np.ndarray, error: np.ndarray) -> Selection:
        """Return the alpha of the best mean score (the first of equals) and of the 1-SE rule."""
        alphas = self._alphas
        assert alphas is not None
        best, within = choose(alphas, -mean, error)
        columns = np.arange(mean.shape[1])
        alpha_1se = np.where(within < 0, np.nan, alphas[within])
        chosen = best
        if self._options.selection == "1se":
            if (within < 0).any():
                raise ValueError(
                    f"selection='1se' needs a standard error, which scoring={label!r} has not "
                    f"with method={method!r}: use 'neg_mean_squared_error', or method='kfold'."
                )
            chosen = within
        return Selection(
            method,
            label,
            alphas[chosen],
            mean[chosen, columns],
            self._per_target,
            alphas,
            mean,
            error,
            alphas[best],
            alpha_1se,
            at_boundary=self._boundary_warning(best),
        )

    def _boundary_warning(self, best: np.ndarray) -> str | None:
        alphas = self._alphas
        assert alphas is not None
        if not isinstance(self._options.alphas, str) or len(alphas) < 2:
            return None
        if (best == 0).any():
            return (
                f"the best alpha is {alphas[0]:.3g}, the smallest that alphas='auto' tried: "
                "hardly any penalty is needed. Give smaller alphas, or fit Ridge(alpha=0)."
            )
        if (best == len(alphas) - 1).any():
            return (
                f"the best alpha is {alphas[-1]:.3g}, the largest that alphas='auto' tried: "
                "the features hardly predict y. Give larger alphas, or other features."
            )
        return None

    def _fitted(self, selection: Selection, spectrum: Spectrum | None) -> Selection:
        problem = (self._problem if spectrum is None else spectrum.problem).at(selection.alpha)
        if spectrum is not None:
            rcond = _condition(spectrum, selection.alpha)
            kept = _KEPT_DIGITS_DUAL if spectrum.dual else _KEPT_DIGITS
            if rcond >= kept or not np.isfinite(selection.alpha).all():
                alpha = np.broadcast_to(selection.alpha, (problem.loss.n_targets,))
                coef = spectrum.coef(alpha)
                selection.result = Result(coef, spectrum.problem.centre, "eigh", rcond)
                return selection
        selection.result = solve(problem)
        return selection


def _condition(spectrum: Spectrum, alpha: np.ndarray) -> float:
    values = spectrum.values
    if not len(values):
        return 1.0
    least = float(alpha.min())
    if not np.isfinite(least):
        return 1.0
    top = float(values[-1]) + least
    return (float(values[0]) + least) / top if top > 0.0 else 0.0
