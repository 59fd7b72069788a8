"""Ridge regression that chooses its penalty, with scikit-learn's interface."""

from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import metadata_routing

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Folds, PathLike, RowsLike, Scoring
from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import RIDGE_CV, Constraints
from fastridge.linear_model.from_statistics import FoldStatisticsMixin
from fastridge.linear_model.inference_methods import InferenceMixin
from fastridge.linear_model.options import check_cv_parameters, check_factors, given_alphas
from fastridge.linear_model.planned_splits import planned_splits
from fastridge.linear_model.prediction import named_in_errors
from fastridge.linear_model.ridge_alpha_selection import Selector
from fastridge.linear_model.ridge_fits import RidgeSelectionMixin, dtype_of_coef
from fastridge.linear_model.routing import (
    UNROUTED_FIT,
    routed_metadata,
)
from fastridge.linear_model.scoring import FROM_SQUARES
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.excluded import Kept
from fastridge.solvers.problem import problem_of
from fastridge.statistics.gram_statistics import GramStatistics


@documented(texts.RIDGE)
class RidgeCV(
    RidgeSelectionMixin,
    FoldStatisticsMixin,
    InferenceMixin,
    MultiOutputMixin,
    RegressorMixin,
    BaseEstimator,
):
    """Ridge regression that chooses its penalty, as `sklearn.linear_model.RidgeCV`.

    Minimises ``||y - Xw - b||^2 + alpha ||w||^2`` at the alpha that predicts best by exact
    leave-one-out (the default), by k folds, or by one of three criteria without
    cross-validation. One pass over X gives what every alpha needs.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,), float or "auto", default=(0.1, 1.0, 10.0)
        Penalties to try: above 0, or at least 0 with folds. ``"auto"`` tries 100 values between
        nearly no shrinkage and nearly all, by the spectrum of the data, and warns where the
        choice is at a grid boundary. ``method="em"`` ignores it.
    fit_intercept
    scoring : str, callable or None, default=None
        A scikit-learn scorer. None is minus the mean squared error for leave-one-out (weighted
        by `sample_weight`) and R^2 with folds, as in scikit-learn.
        ``"neg_mean_squared_error"``, ``"neg_root_mean_squared_error"`` and ``"r2"`` come from
        sums of squares; others from the predictions for the rows left out.
    cv : int, splitter, iterable or None, default=None
        Number of folds (of consecutive rows), a scikit-learn splitter, or pairs of arrays of
        row indices. None is leave-one-out, or 5 folds with ``method="kfold"``.
    gcv_mode : {"auto", "eigen", "svd", None}, default=None
        Factorisation for leave-one-out. ``"eigen"`` takes eigenvectors of the smaller Gram
        matrix, ``"svd"`` the singular values of X, with a copy of X where it has no more rows
        than columns. ``"auto"`` and None take eigenvectors, and singular values where the
        condition number demands it.
    store_cv_results : bool, default=False
        Keep `cv_results_`; for leave-one-out only.
    alpha_per_target : bool, default=False
        Choose an alpha for each target.
    method : {"loo", "gcv", "kfold", "em", "marginal_likelihood"}, default="loo"
        What chooses alpha: exact leave-one-out error (k folds where `cv` is given), generalised
        cross-validation, k folds, expectation maximisation of a Bayesian posterior, or the
        restricted marginal likelihood.
    selection : {"min", "1se"}, default="min"
        ``"min"`` takes the alpha of the best mean score, ``"1se"`` the largest whose mean score
        is within one standard error of the best.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations, which are
        those of the training rows of each split; `coef_` stays in the units of X.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a
        feature without a penalty. Infinity excludes it: its coefficient is 0, and the rest is
        the fit without its column.
    n_threads

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The chosen alpha; one for each target with `alpha_per_target`.
    best_score_ : float or ndarray of shape (n_targets,)
        Mean score at `alpha_` (for ``"gcv"`` minus the criterion, for
        ``"marginal_likelihood"`` the log evidence up to a constant, for ``"em"`` NaN).
        An array with `alpha_per_target` where y has two dimensions.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients at `alpha_`, in the units of X: float32 for float32 X, otherwise float64.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept at `alpha_`; 0.0 with ``fit_intercept=False``.
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        Squared leave-one-out errors (times the weights), or the predictions where `scoring` is
        given. Only with `store_cv_results`.
    alphas_ : ndarray of shape (n_alphas,) or None
        The alphas that were tried; None for ``"em"``.
    mean_scores_ : ndarray of shape (n_alphas,) or (n_alphas, n_targets), or None
        Mean score of each alpha, greater is better; None for ``"em"``.
    standard_errors_ : ndarray of shape (n_alphas,) or (n_alphas, n_targets), or None
        Standard error of each mean score, over rows or splits; NaN where there is none.
    fold_scores_ : ndarray of shape (n_alphas, n_splits) or (n_alphas, n_splits, n_targets)
        Score of each alpha on each split. Only with folds.
    alpha_min_ : float or ndarray of shape (n_targets,)
        What ``selection="min"`` gives.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        What ``selection="1se"`` gives; NaN where there is no standard error.
    method_ : str
        What chose alpha: `method`, or ``"kfold"`` where `cv` was given.
    scoring_ : str
        Name of the scores in `mean_scores_`.
    solver_ : str
        The solver that gave `coef_`: one of the names of `fastridge.Ridge`.
    rcond_ : float or None
        Reciprocal condition number of what `solver_` solved at `alpha_`, near 0 where the
        features depend on each other.
    n_iter_ : int
        Number of steps of ``"em"``, otherwise 1.
    n_features_in_, feature_names_in_, encoding_, statistics_, fold_statistics_

    See Also
    --------
    fastridge.Ridge : The model at a given alpha.
    fastridge.ridge_path : Coefficients at many alphas.

    Notes
    -----
    Weights count in fitting and in scores; every fold's score counts alike, as in scikit-learn.
    With `standardize`, leave-one-out refits for each row: for long data prefer
    ``method="kfold"``.

    Memory beyond X is O(n_features^2) and a block of rows with fewer features than samples,
    otherwise O(n_samples^2). Rows of folds that do not follow each other are copied 8 MB at a
    time; a batch given to `partial_fit` is copied fold by fold; small penalties on
    ill-conditioned data with few rows take singular values of a copy of X. Folds of sparse X with
    more than 1000 of both samples and features are solved by conjugate gradients where these cost
    less, and take the memory of a copy of X; the other methods need the matrix, and say so where
    memory cannot hold it.

    References
    ----------
    Allen, "The relationship between variable selection and data augmentation and a method for
    prediction", Technometrics 16 (1974). Golub, Heath and Wahba, "Generalized cross-validation as
    a method for choosing a good ridge parameter", Technometrics 21 (1979). Tew, Boley and
    Schmidt, "Bayes beats cross validation: fast and accurate ridge regression via expectation
    maximization", NeurIPS 2023.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from fastridge import RidgeCV
    >>> X, y = make_regression(40, 3, noise=100.0, random_state=0)
    >>> model = RidgeCV(alphas=[0.1, 1.0, 10.0]).fit(X, y)
    >>> model.alpha_
    1.0
    >>> RidgeCV(alphas=[0.1, 1.0, 10.0], cv=5, selection="1se").fit(X, y).alpha_
    10.0
    """

    __metadata_request__fit: ClassVar[dict[str, str]] = {
        "groups": metadata_routing.UNUSED,
        **UNROUTED_FIT,
    }
    _parameter_constraints: ClassVar[Constraints] = RIDGE_CV

    def __init__(
        self,
        alphas: ArrayLike | Literal["auto"] = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Scoring | None = None,
        cv: Folds | None = None,
        gcv_mode: Literal["auto", "eigen", "svd"] | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        method: Literal["loo", "gcv", "kfold", "em", "marginal_likelihood"] = "loo",
        selection: Literal["min", "1se"] = "min",
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.method = method
        self.selection = selection
        self.standardize = standardize
        self.penalty_factors = penalty_factors
        self.n_threads = n_threads

    @documented(texts.FIT_CV)
    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
        **params: object,
    ) -> Self:
        """Choose alpha and fit the model to all rows.

        Parameters
        ----------
        X, y, sample_weight, groups, checkpoint, checkpoint_every
        **params : dict
            Metadata for the scorer and the splitter, with scikit-learn's metadata routing enabled.

        Returns: Self

        Raises
        ------
        ValueError
            If a parameter is not supported, parameters exclude each other, or the data are
            malformed or not finite.
        TypeError
            If `groups` or metadata is given that neither the splitter nor the scorer takes.

        Warns
        -----
        ConvergenceWarning
            If ``method="em"`` ends by its step limit and not at a mode: with no more rows than
            columns the steps get small while alpha keeps moving.
        UserWarning
            If the choice is at a grid boundary of ``alphas="auto"``.
        """
        if isinstance(X, Scan):
            return self._fit_scan(X, y, sample_weight, groups, params, checkpoint, checkpoint_every)
        refuse_checkpoint(checkpoint, checkpoint_every)
        method = check_cv_parameters(self)
        alphas = given_alphas(self.alphas, zero=method == "kfold")
        given_X = X
        X, y = self._check_rows(X, y, reset=True)
        weight = check_weight(sample_weight, X, y)
        routed = routed_metadata(self, weight, groups, params)
        forget(self, "statistics_", "fold_statistics_")
        splits = planned_splits(self.cv, given_X, y, routed.split) if method == "kfold" else ()
        dtype = dtype_of_coef(X)
        with named_in_errors(self, X), np.errstate(all="ignore"):
            selector, problem, kept = self._selector(X, y, weight, alphas, routed.score)
            loo = method == "loo"
            selected = selector.leave_one_out() if loo else selector.by(method, splits)
            self._store_result(problem, selected.result, y.ndim, dtype)
        self._store(selected, y.ndim, dtype, kept)
        return self

    def _refuse_parts(self) -> None:
        if self.method == "loo" and self.cv is None:
            raise AttributeError(
                "partial_fit is not supported with method='loo', which needs the rows themselves: "
                "use method='kfold', 'gcv', 'em' or 'marginal_likelihood'."
            )
        if self.scoring is not None and self.scoring not in FROM_SQUARES:
            raise AttributeError(
                f"partial_fit is not supported with scoring={self.scoring!r}, which needs "
                f"predictions for the rows: use one of {', '.join(map(repr, FROM_SQUARES))}."
            )

    def _check_without_rows(self) -> str:
        return check_cv_parameters(self, rows=False)

    def _refuse_folds(self, filled: list[GramStatistics], checked: str) -> None:
        if checked == "kfold" and len(filled) < 2:
            raise ValueError(
                f"method='kfold' needs rows in at least 2 folds, and there is {len(filled)}: give "
                "rows of several folds at first, or another method."
            )
        if not filled:
            raise ValueError(
                "no fold has rows with weight: give rows whose sample_weight is above 0."
            )

    def _choose_by_folds(
        self, filled: list[GramStatistics], total: GramStatistics, checked: str
    ) -> None:
        alphas = given_alphas(self.alphas, zero=checked == "kfold")
        factors = None
        if self.penalty_factors is not None:
            factors = check_factors(self.penalty_factors, total.n_features)
        kept = Kept(factors)
        problem = problem_of(
            total._held(),
            self._penalty(factors),
            fit_intercept=self.fit_intercept,
            n_threads=resolve_threads(self.n_threads),
        )
        problem = kept.problem(problem)
        some = kept.statistics(filled)
        with np.errstate(all="ignore"):
            selected = Selector(self, problem, alphas, {}).by(checked, folds=some)
            self._store_result(problem, selected.result, total.y_ndim, np.float64)
        forget(self, "cv_results_")
        self._store(selected, total.y_ndim, np.float64, kept)

    def _threads(self) -> int | None:
        return self.n_threads
