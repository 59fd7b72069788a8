"""Fits of ridge to rows in memory, which regressors and classifiers share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import metadata_routing

from fastridge._kernels.attributes import forget
from fastridge._typing import Float, Folds, Matrix, Scoring
from fastridge.designs import design_of
from fastridge.linear_model.options import check_factors, check_penalty_options
from fastridge.linear_model.prediction import LinearModelMixin
from fastridge.linear_model.ridge_alpha_selection import LabelledRows, Selection, Selector
from fastridge.linear_model.user_warnings import warn_user
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.excluded import Kept
from fastridge.solvers.problem import Problem
from fastridge.solvers.result import Result


def dtype_of_coef(X: Matrix) -> Float:
    """Return the dtype of coefficients for these rows."""
    return np.float32 if X.dtype == np.float32 else np.float64


class RidgeFitMixin(LinearModelMixin):
    """A fit at a given penalty."""

    def _problem_of(
        self, X: Matrix, y: np.ndarray, weight: np.ndarray | None
    ) -> tuple[Problem, Kept]:
        """Return the problem of validated rows, and the features that it keeps."""
        model: Any = self
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        penalty = check_penalty_options(model, X.shape[1], n_targets)
        design = design_of(X, weight, self.fit_intercept, resolve_threads(model.n_threads))
        kept = Kept(penalty.factors)
        return kept.problem(Problem(design, SquaredLoss(y), penalty)), kept

    def _solver_options(self) -> dict[str, Any]:
        model: Any = self
        names = ("solver", "positive", "tol", "max_iter", "nesterov")
        return {name: getattr(model, name) for name in names}

    def _finish(self, problem: Problem, result: Result, kept: Kept) -> None:
        model: Any = self
        if result.not_converged is not None:
            warn_user(result.not_converged, ConvergenceWarning)
        self.coef_ = kept.coef(self.coef_)
        forget(self, "_summed_alpha")
        if model.alpha_scale == "mean":
            model._summed_alpha = np.array(problem.alphas)  # for `to_sklearn`


class RidgeSelectionMixin(LinearModelMixin):
    """A fit at the penalty that the rows choose."""

    scoring: Scoring | None
    cv: Folds | None

    def _selector(
        self,
        X: Matrix,
        y: np.ndarray,
        weight: np.ndarray | None,
        alphas: np.ndarray | None,
        score_metadata: Mapping[str, object],
        labels: LabelledRows | None = None,
    ) -> tuple[Selector, Problem, Kept]:
        """Return what selects alpha by validated rows, their problem, and the features it keeps."""
        model: Any = self
        factors = None
        if model.penalty_factors is not None:
            factors = check_factors(model.penalty_factors, X.shape[1])
        design = design_of(X, weight, self.fit_intercept, resolve_threads(model.n_threads))
        kept = Kept(factors)
        forget(self, "cv_results_", "fold_scores_")
        problem = kept.problem(Problem(design, SquaredLoss(y), self._penalty(factors)))
        return Selector(model, problem, alphas, dict(score_metadata), labels), problem, kept

    def _penalty(self, factors: np.ndarray | None) -> L2Penalty:
        model: Any = self
        return L2Penalty(standardize=model.standardize, factors=factors)

    def _store(self, selected: Selection, y_ndim: int, dtype: Float, kept: Kept) -> None:
        model: Any = self
        self.coef_ = kept.coef(self.coef_)
        model.n_iter_ = selected.n_iter
        for name, value in selected.attributes().items():
            setattr(self, name, value)
        if model.alpha_per_target and y_ndim == 2 and not selected.per_target:
            model.best_score_ = selected.best_score.copy()  # as scikit-learn's
        if selected.cv_results is not None:
            model.cv_results_ = selected.cv_results.astype(dtype, copy=False)
        if selected.fold_scores is not None:
            model.fold_scores_ = selected.fold_scores
        if selected.result.not_converged is not None:
            warn_user(selected.result.not_converged, ConvergenceWarning)
        if selected.at_boundary is not None:
            warn_user(selected.at_boundary, UserWarning)

    def get_metadata_routing(self) -> metadata_routing.MetadataRouter:
        """Return the metadata that `fit` passes on to the splitter and the scorer.

        Returns
        -------
        MetadataRouter
            Its meaning is in scikit-learn's user guide on metadata routing.
        """
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        from fastridge.linear_model.scoring import routed_scorer

        model: Any = self
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                scorer=routed_scorer(model, self.scoring),
                method_mapping=MethodMapping().add(caller="fit", callee="score"),
            )
            .add(
                splitter=self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )
