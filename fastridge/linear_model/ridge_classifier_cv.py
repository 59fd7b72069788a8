"""Classification by ridge regression that chooses its penalty, with scikit-learn's interface."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import metadata_routing

from fastridge._docstrings import documented
from fastridge._typing import Folds, RowsLike, Scoring
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import RIDGE_CLASSIFIER_CV, Constraints
from fastridge.linear_model.options import check_cv_parameters, given_alphas
from fastridge.linear_model.planned_splits import planned_splits
from fastridge.linear_model.prediction import named_in_errors
from fastridge.linear_model.ridge_classes import RidgeClassesMixin, labelled
from fastridge.linear_model.ridge_fits import RidgeSelectionMixin, dtype_of_coef
from fastridge.linear_model.routing import routed_metadata
from fastridge.model_selection.splits import Split


@documented(texts.RIDGE_CLASSIFIER)
class RidgeClassifierCV(RidgeClassesMixin, RidgeSelectionMixin, BaseEstimator):
    """Classification by ridge that chooses alpha, as `sklearn.linear_model.RidgeClassifierCV`.

    Fits ``||y - Xw - b||^2 + alpha ||w||^2`` to targets of 1 in the rows of a class and -1 in the
    others, at the alpha that predicts best by exact leave-one-out (the default), by k folds, or by
    one of three criteria without cross-validation. One pass over X gives what every alpha needs.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), float or "auto", default=(0.1, 1.0, 10.0)
        Penalties to try: above 0, or at least 0 with folds. ``"auto"`` tries 100 values between
        nearly no shrinkage and nearly all. ``method="em"`` ignores it.
    fit_intercept
    scoring : str, callable or None, default=None
        A scikit-learn scorer of the labels. None is minus the mean squared error for leave-one-out
        (weighted), and the accuracy with folds, as in scikit-learn.
    cv : int, splitter, iterable or None, default=None
        Number of folds (with the same shares of classes), a scikit-learn splitter, or pairs of
        arrays of row indices. None is leave-one-out, or 5 folds with ``method="kfold"``.
    class_weight
    store_cv_results : bool, default=False
        Keep `cv_results_`; for leave-one-out only.
    method : {"loo", "gcv", "kfold", "em", "marginal_likelihood"}, default="loo"
        What chooses alpha: exact leave-one-out error (k folds where `cv` is given), generalised
        cross-validation, k folds, expectation maximisation of a Bayesian posterior, or the
        restricted marginal likelihood.
    selection : {"min", "1se"}, default="min"
        ``"min"`` takes the alpha of the best mean score, ``"1se"`` the largest whose mean score
        is within one standard error of the best.
    calibration
    standardize : bool, default=False
        Penalise the coefficients of standardised columns; `coef_` stays in the units of X.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a
        feature without a penalty. Infinity excludes it.
    n_threads

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    best_score_ : float
        Mean score at `alpha_` (for ``"gcv"`` minus the criterion, for
        ``"marginal_likelihood"`` the log evidence up to a constant, for ``"em"`` NaN).
    coef_, intercept_, classes_
    cv_results_ : ndarray of shape (n_samples, n_targets, n_alphas)
        Squared leave-one-out errors (times the weights), or the scores of the classes where
        `scoring` is given. Only with `store_cv_results`.
    alphas_ : ndarray of shape (n_alphas,) or None
        The alphas that were tried; None for ``"em"``.
    mean_scores_ : ndarray of shape (n_alphas,) or None
        Mean score of each alpha, greater is better; None for ``"em"``.
    standard_errors_ : ndarray of shape (n_alphas,) or None
        Standard error of each mean score, over rows or splits; NaN where there is none.
    fold_scores_ : ndarray of shape (n_alphas, n_splits)
        Score of each alpha on each split. Only with folds.
    alpha_min_ : float
        What ``selection="min"`` gives.
    alpha_1se_ : float
        What ``selection="1se"`` gives; NaN where there is no standard error.
    method_ : str
        What chose alpha: `method`, or ``"kfold"`` where `cv` was given.
    scoring_ : str
        Name of the scores in `mean_scores_`.
    solver_ : str
        The solver that gave `coef_`: one of the names of `fastridge.Ridge`.
    rcond_ : float or None
        Reciprocal condition number of what `solver_` solved at `alpha_`.
    n_iter_ : int
        Number of steps of ``"em"``, otherwise 1.
    calibration_, n_features_in_, feature_names_in_

    See Also
    --------
    fastridge.RidgeClassifier : The model at a given alpha.
    fastridge.RidgeCV : The same for numbers.

    Notes
    -----
    Weights of rows and of classes count in fitting and in scores. Scorers are given the labels
    themselves; scikit-learn 1.9 gives those of leave-one-out the position of the largest target,
    which for two classes is always the same.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from fastridge import RidgeClassifierCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RidgeClassifierCV(alphas=[1e-3, 1e-2, 1e-1, 1]).fit(X, y)
    >>> model.alpha_, round(model.score(X, y), 4)
    (0.01, 0.9631)
    """

    __metadata_request__fit: ClassVar[dict[str, str]] = {"groups": metadata_routing.UNUSED}
    _parameter_constraints: ClassVar[Constraints] = RIDGE_CLASSIFIER_CV

    gcv_mode = None
    alpha_per_target = False

    def __init__(
        self,
        alphas: ArrayLike | Literal["auto"] = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Scoring | None = None,
        cv: Folds | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        store_cv_results: bool = False,
        method: Literal["loo", "gcv", "kfold", "em", "marginal_likelihood"] = "loo",
        selection: Literal["min", "1se"] = "min",
        calibration: Literal["loo"] | None = None,
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.class_weight = class_weight
        self.store_cv_results = store_cv_results
        self.method = method
        self.selection = selection
        self.calibration = calibration
        self.standardize = standardize
        self.penalty_factors = penalty_factors
        self.n_threads = n_threads

    @documented(texts.FIT_CLASSES)
    def fit(
        self,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        **params: object,
    ) -> Self:
        """Choose alpha and fit the model to all rows.

        Parameters
        ----------
        X, y, sample_weight, groups
        **params : dict
            Metadata for the scorer and the splitter, with scikit-learn's metadata routing enabled.

        Returns: Self

        Raises: TypeError, ValueError

        Warns
        -----
        ConvergenceWarning
            If ``method="em"`` ends by its step limit and not at a mode.
        UserWarning
            If the choice is at a grid boundary of ``alphas="auto"``.
        """
        method = check_cv_parameters(self)
        alphas = given_alphas(self.alphas, zero=method == "kfold")
        rows = self._check_classes(X, y, sample_weight)
        routed = routed_metadata(self, rows.given_weight, groups, params)
        splits: Sequence[Split] = ()
        if method == "kfold":
            splits = planned_splits(self.cv, X, rows.labels, routed.split, classifier=True)
        given = rows.X, rows.Y, rows.weight, alphas, routed.score, labelled(self, rows)
        dtype = dtype_of_coef(rows.X)
        with named_in_errors(self, rows.X), np.errstate(all="ignore"):
            selector, problem, kept = self._selector(*given)
            loo = method == "loo"
            selected = selector.leave_one_out() if loo else selector.by(method, splits)
            self._store_result(problem, selected.result, rows.Y.ndim, dtype)
        self._store(selected, rows.Y.ndim, dtype, kept)
        self._calibrate(problem.at(selected.alpha), rows)
        return self
