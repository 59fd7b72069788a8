"""Choose alpha and gamma for `KernelRidgeCV`: score every pair, then apply one rule."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastridge._typing import Matrix
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_matrix import KernelMatrix, SharedKernel
from fastridge.kernel_ridge.kernel_folds import FoldRows, FoldScoring, scores_on_folds
from fastridge.kernel_ridge.kernel_model import counted_rows, matrix_of
from fastridge.linear_model.scoring import (
    FROM_SQUARES,
    score_params,
    score_predictions,
    scorer_of,
    scoring_label,
)
from fastridge.model_selection.kernel_leave_one_out import KernelScores, dual_coef
from fastridge.model_selection.kfold import squares_about_mean
from fastridge.model_selection.one_standard_error import choose, standard_error
from fastridge.model_selection.splits import Split
from fastridge.solvers.kernel.direct import solve_kernel, square_matrix
from fastridge.solvers.kernel.tridiagonal import Tridiagonal

Best = TypeVar("Best")

_HELD_ERRORS = 1 << 22  # of all rows at some alphas
_SHARED_FEATURES = 100  # from which distances take longer than their exponentials
_STEPS = 8  # of an automatic grid, for each factor of ten


class KernelSelection(NamedTuple):
    """The chosen alpha and gamma, the scores they were chosen by, and the model.

    Attributes
    ----------
    mean, error : ndarray of shape (n_gammas, n_alphas, 1 or n_targets)
    alpha, alpha_min, alpha_1se, best_score : ndarray of shape (1 or n_targets,)
    """

    scoring: str
    gamma: float
    alphas: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    alpha: np.ndarray
    alpha_min: np.ndarray
    alpha_1se: np.ndarray
    best_score: np.ndarray
    dual_coef: np.ndarray
    solver: str
    rcond: float
    warning: str | None
    fold_scores: np.ndarray | None = None  # (n_gammas, n_alphas, n_splits, 1 or n_targets)


class _Choice(NamedTuple):
    """The choice of one gamma."""

    alpha: np.ndarray
    alpha_min: np.ndarray
    alpha_1se: np.ndarray
    best_score: np.ndarray


class KernelSelector:
    """One fit of a `KernelRidgeCV`: its options, and the rows that count.

    Parameters
    ----------
    options : KernelRidgeCV
    kernel : Kernel
    X : ndarray or sparse matrix
    y : ndarray of shape (n,) or (n, n_targets)
    weight : ndarray of shape (n,) or None
    alphas : ndarray or None
        None for an automatic grid.
    """

    def __init__(
        self,
        options: Any,
        kernel: Kernel,
        X: Matrix,
        y: np.ndarray,
        weight: np.ndarray | None,
        alphas: np.ndarray | None,
        n_threads: int,
    ) -> None:
        self._options, self._kernel, self._n_threads = options, kernel, n_threads
        self._all = FoldRows(X, y, weight, ())
        self._X, index = counted_rows(kernel, X, weight)
        self._y = y[index]
        self._weight = None if weight is None else weight[index]
        self._Y = np.ascontiguousarray(self._y.reshape(len(self._y), -1).T, dtype=np.float64)
        self._root = np.ones(len(self._y)) if self._weight is None else np.sqrt(self._weight)
        self._alphas = alphas
        self._per_target = bool(options.alpha_per_target) and len(self._Y) > 1

    def by_criterion(self, gammas: np.ndarray) -> KernelSelection:
        """Choose by leave-one-out or a criterion, among these gammas and all alphas."""
        means, errors, best, label = [], [], None, ""
        source = self._shared(gammas)
        for gamma in gammas:
            matrix = self._matrix(float(gamma)) if source is None else source.at(float(gamma))
            A, warning = square_matrix(matrix, self._root, self._n_threads)
            alphas = self._grid(matrix)
            system = Tridiagonal(A)
            mean, error, label = self._scores(system, alphas)
            means.append(mean)
            errors.append(error)
            if not np.isfinite(mean).any(axis=0).all():
                continue
            choice = self._choose(mean, error, label)
            if best is None or choice.best_score.mean() > best[0].best_score.mean():
                coef = dual_coef(system, self._Y, self._root, self._of_targets(choice.alpha))
                least, most = system.ends()
                alpha = float(choice.alpha.min())
                rcond = (least + alpha) / (most + alpha)
                best = choice, float(gamma), coef, "tridiagonal", rcond, warning
        choice, *rest = _found(best)
        return self._selection(choice, rest, means, errors, label)

    def by_folds(self, gammas: np.ndarray, splits: Sequence[Split]) -> KernelSelection:
        """Choose by the mean score on folds, and fit to all rows."""
        options = self._options
        label = scoring_label(options.scoring, "r2")
        scorer = scorer_of(options, options.scoring)
        params = score_params(options, self._all.weight, {})
        scoring = FoldScoring(label, scorer, params, self._per_target)
        rows = self._all._replace(splits=splits)
        alphas = self._grid(self._matrix(float(gammas[0])))
        scores, means, errors, best = [], [], [], None
        for gamma in gammas:
            kernel = self._kernel._replace(gamma=float(gamma))
            values = scores_on_folds(kernel, rows, alphas, scoring, self._n_threads)
            scores.append(values)
            means.append(values.mean(axis=1))
            errors.append(standard_error(values, axis=1))
            if not np.isfinite(means[-1]).any(axis=0).all():
                continue
            choice = self._choose(means[-1], errors[-1], label)
            if best is None or choice.best_score.mean() > best[0].best_score.mean():
                best = choice, float(gamma)
        choice, gamma = _found(best)
        alpha, matrix = self._of_targets(choice.alpha), self._matrix(gamma)
        solved = solve_kernel(matrix, self._Y, alpha, self._weight, "auto", self._n_threads)
        rest = [gamma, solved.dual_coef, solved.solver, solved.rcond, solved.warning]
        selection = self._selection(choice, rest, means, errors, label)
        return selection._replace(fold_scores=np.array(scores))

    def _selection(
        self,
        choice: "_Choice",
        rest: list[Any],
        means: list[np.ndarray],
        errors: list[np.ndarray],
        label: str,
    ) -> KernelSelection:
        gamma, coef, *how = rest
        full = np.zeros((len(coef), len(self._all.y)))
        weight = self._all.weight
        full[:, slice(None) if weight is None else weight > 0.0] = coef
        assert self._alphas is not None
        return KernelSelection(
            label, gamma, self._alphas, np.array(means), np.array(errors), *choice, full, *how
        )

    def _of_targets(self, alpha: np.ndarray) -> np.ndarray:
        return np.broadcast_to(alpha, (len(self._Y),))

    def _matrix(self, gamma: float) -> KernelMatrix:
        return matrix_of(self._kernel._replace(gamma=gamma), self._X)

    def _shared(self, gammas: np.ndarray) -> SharedKernel | None:
        """Return what the kernels of all gammas share if it takes longer than the rest."""
        long = self._X.shape[1] >= _SHARED_FEATURES or not isinstance(self._X, np.ndarray)
        if len(gammas) < 2 or not long:
            return None
        raw = self._kernel._replace(gamma=float(gammas.max()), raw=True)
        return SharedKernel(matrix_of(raw, self._X), self._n_threads)

    def _grid(self, matrix: KernelMatrix) -> np.ndarray:
        if self._alphas is None:
            lengths = self._root**2 * np.abs(matrix.diagonal())
            mean = float(lengths.mean()) or 1.0
            most, least = 10.0 * len(lengths) * mean, 1e-8 * mean
            steps = int(np.ceil(_STEPS * np.log10(most / least)))
            self._alphas = np.geomspace(least, most, steps)
        return self._alphas

    def _scores(
        self, system: Tridiagonal, alphas: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, str]:
        """Return mean scores and their standard errors, (n_alphas, 1 or n_targets)."""
        options, method = self._options, self._options.method
        some = max(1, _HELD_ERRORS // self._Y.size)
        parts = [alphas[k : k + some] for k in range(0, len(alphas), some)]
        scores = (KernelScores(system, self._Y, self._root, part) for part in parts)
        if method != "loo":
            criterion = [-s.gcv() if method == "gcv" else s.log_evidence() for s in scores]
            mean = np.concatenate(criterion)
            if not self._per_target:
                mean = mean.mean(axis=1, keepdims=True)
            return mean, np.full_like(mean, np.nan), {"gcv": "gcv"}.get(method, "log_evidence")
        label = scoring_label(options.scoring, "neg_mean_squared_error")
        errors = (s.leave_one_out(self._n_threads) for s in scores)
        if label in FROM_SQUARES:
            both = [self._from_squares(each, label) for each in errors]
            mean, error = (np.concatenate(values) for values in zip(*both, strict=True))
            return mean, error, label
        mean = np.concatenate([self._by_scorer(each) for each in errors])
        return mean, np.full_like(mean, np.nan), label

    def _from_squares(self, errors: np.ndarray, label: str) -> tuple[np.ndarray, np.ndarray]:
        n = errors.shape[-1]
        weight = self._root**2
        factor = np.ones(len(self._Y))
        if label == "r2":
            squares = squares_about_mean(self._Y.T, weight)
            factor = np.divide(n, squares, out=np.full(len(squares), np.nan), where=squares > 0.0)
        elif self._options.scoring is not None:
            factor *= n / weight.sum()
        losses = factor[:, None] * weight * errors**2
        if not self._per_target:
            rmse = np.sqrt(losses.mean(axis=-1)).mean(axis=1, keepdims=True)
            losses = losses.mean(axis=1, keepdims=True)
        else:
            rmse = np.sqrt(losses.mean(axis=-1))
        loss = losses.mean(axis=-1)
        error = losses.std(axis=-1, ddof=1) / np.sqrt(n)
        if label == "r2":
            return 1.0 - loss, error
        if label == "neg_root_mean_squared_error":
            single = self._per_target or len(self._Y) == 1
            return -rmse, error / (2.0 * rmse) if single else np.full_like(error, np.nan)
        return -loss, error

    def _by_scorer(self, errors: np.ndarray) -> np.ndarray:
        scorer = scorer_of(self._options, self._options.scoring)
        assert scorer is not None
        params = score_params(self._options, self._weight, {})
        scores = []
        for error in errors:
            if not np.isfinite(error).all():
                scores.append([np.nan] * (len(self._Y) if self._per_target else 1))
                continue
            predicted = (self._Y - error).T.reshape(self._y.shape)
            score = score_predictions(scorer, predicted, self._y, self._per_target, params)
            scores.append(score if isinstance(score, list) else [score])
        return np.array(scores, dtype=float)

    def _choose(self, mean: np.ndarray, error: np.ndarray, label: str) -> _Choice:
        alphas = self._alphas
        assert alphas is not None
        best, within = choose(alphas, -mean, error)
        alpha_1se = np.where(within < 0, np.nan, alphas[within])
        chosen = best
        if self._options.selection == "1se":
            if (within < 0).any():
                raise ValueError(
                    f"selection='1se' needs a standard error, which scoring={label!r} has not "
                    f"with method={self._options.method!r}: use 'neg_mean_squared_error'."
                )
            chosen = within
        score = mean[chosen, np.arange(mean.shape[1])]
        return _Choice(alphas[chosen], alphas[best], alpha_1se, score)


def _found(best: Best | None) -> Best:
    if best is None:
        raise ValueError(
            "no alpha has a score: either no K + alpha I is positive definite, or the score is not "
            "defined for these targets. Give larger alphas, another kernel or another scoring."
        )
    return best
