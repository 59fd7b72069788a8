"""Ridge regression with scikit-learn's interface."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning

from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.designs import design_of
from fastridge.linear_model.inference_methods import InferenceMixin
from fastridge.linear_model.options import check_penalty_options, check_ridge_parameters
from fastridge.linear_model.prediction import LinearModelMixin, named_in_errors
from fastridge.linear_model.routing import UNROUTED_FIT
from fastridge.linear_model.streamed import refuse_checkpoint, statistics_of
from fastridge.losses.squared import SquaredLoss
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.excluded import Kept
from fastridge.solvers.problem import Problem, problem_of
from fastridge.solvers.selection import solve
from fastridge.statistics.gram_statistics import GramStatistics


class Ridge(LinearModelMixin, InferenceMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear least squares with an L2 penalty, as `sklearn.linear_model.Ridge`.

    Minimises ``||y - Xw - b||^2 + alpha ||w||^2`` (weighted by `sample_weight`; the intercept
    b is not penalised), exactly and for the digits that the data allow.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Penalty, not negative; one for each target if an array. 0 gives least squares, and where
        that is not unique the limit of ever smaller penalties.
    fit_intercept : bool, default=True
    copy_X : bool, default=True
        Kept for compatibility: X is never written, and never copied as a whole but with more
        features than samples: by ``solver="svd"``, and where X is sparse (its nonzeros).
        Sparse X with unsorted or repeated indices is copied to sort them.
    max_iter : int, optional
        Most iterations of `lsqr`, `sparse_cg`, `gd` and of ``positive=True``.
    tol : float, default=1e-4
        Relative precision at which `lsqr`, `sparse_cg` and `gd` stop: that of the gradient, with
        every column in units in which its length is one. The others are direct.
    solver : {"auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd"}
        ``"auto"`` takes Cholesky of X'X (of XX' with more features than samples) and climbs
        to corrected semi-normal equations, QR and SVD of X where the condition number
        demands it; sparse X with more than 3000 of both samples and features it solves by
        conjugate gradients, to the digits of the data. ``"gd"`` is the textbook's full-batch
        gradient descent.
    positive : bool, default=False
        Coefficients not below 0 (``solver="auto"`` only). The solution is checked by the
        conditions of its minimum, and a warning says where they do not hold.
    random_state : int, RandomState instance or None
        Kept for compatibility: nothing here is random.
    alpha_scale : {"sum", "mean"}, default="sum"
        ``"mean"`` minimises ``(1/n)||y - Xw - b||^2 + alpha ||w||^2`` instead (n the sum of
        the weights).
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations;
        `coef_` stays in the units of X. Without an intercept a constant column is divided by its
        absolute value.
    penalty_factors : array-like of shape (n_features,), optional
        One factor, not negative, a feature on its penalty; 0 leaves it free, and inf excludes it:
        its coefficient is 0, and all else is the fit without its column (dense X is copied without
        such columns, unless those that are kept are neighbours).
    nesterov : bool, default=False
        Momentum for ``solver="gd"``.
    n_threads : int, optional
        Threads of the passes over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores.
        Results are bitwise the same for a given number.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        float32 for float32 X, else float64.
    intercept_ : float or ndarray of shape (n_targets,)
    n_iter_ : ndarray of shape (n_targets,)
        Iterations of an iterative solver; 1 for a direct one, and one more for each step that
        refined the Cholesky solution.
    solver_ : str
        The solver that gave the coefficients: one of `solver`'s names, or ``"nnls"``.
    rcond_ : float or None
        Reciprocal condition number of what `solver_` solved: the system with unit diagonal
        for Cholesky and `eigh`, with more features than samples the samples' Gram; the triangle
        with unit columns for QR and SVD. Near 0 where the features depend on each other.
        For `sparse_cg` (the system with unit diagonal) and `lsqr` (the rows) an estimate, which
        may be too large. With ``positive=True``, that of the coefficients above 0.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had names.
    statistics_ : GramStatistics
        Only after `partial_fit` or `fit_statistics`.

    See Also
    --------
    fastridge.ridge_path : Coefficients at many alphas from one factorisation.
    fastridge.GramStatistics : What `partial_fit` accumulates.

    Notes
    -----
    float32 data are accumulated in float64. Memory beyond X is O(p^2) and a tile of rows a
    thread with no more features than samples, else O(n^2).

    References
    ----------
    Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
    Technometrics 12 (1970).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import Ridge
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> y = np.array([1.0, 2.0, 6.0, 7.0])
    >>> model = Ridge(alpha=1.0).fit(X, y)
    >>> model.solver_
    'cholesky'
    >>> model.predict(X).round(2)
    array([1.44, 2.11, 5.89, 6.56])
    """

    __metadata_request__fit: ClassVar[Any] = UNROUTED_FIT

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        alpha_scale: str = "sum",
        standardize: bool = False,
        penalty_factors: Any = None,
        nesterov: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.alpha_scale = alpha_scale
        self.standardize = standardize
        self.penalty_factors = penalty_factors
        self.nesterov = nesterov
        self.n_threads = n_threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver != "svd"
        return tags

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        checkpoint: Any = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows alone (see `partial_fit` for adding rows).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or a `fastridge.scan`
            Read in place whatever its layout; numeric dtypes other than float32 and float64
            are converted some rows at a time. A scan, which has its own target and weights, is
            read batch by batch and solved as by `fit_statistics`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : float or array-like of shape (n_samples,), optional
            Not negative.
        checkpoint : path, optional
            Of a scan: file in which the statistics are kept from time to time. The same call with
            the same data goes on from there after whatever ended it, to the same bits.
        checkpoint_every : int, default=10_000_000
            Rows from one writing to the next.

        Returns
        -------
        self : Ridge

        Raises
        ------
        ValueError
            Where a parameter is not offered, or X, y or `sample_weight` is malformed, not
            finite, or so large that X'X overflows.
        """
        check_ridge_parameters(self)
        if isinstance(X, Scan):
            (stats,) = statistics_of(
                X,
                y,
                sample_weight,
                n_folds=None,
                checkpoint=checkpoint,
                checkpoint_every=checkpoint_every,
                n_threads=self.n_threads,
            )
            return self.fit_statistics(stats)
        refuse_checkpoint(checkpoint, checkpoint_every)
        X, y = self._check_rows(X, y, reset=True)
        weight = check_weight(sample_weight, X)
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        penalty = check_penalty_options(self, X.shape[1], n_targets)
        design = design_of(X, weight, self.fit_intercept, resolve_threads(self.n_threads))
        self.__dict__.pop("statistics_", None)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        problem = Problem(design, SquaredLoss(y), penalty)
        return self._solve(problem, y.ndim, dtype)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Add rows and solve again: the result is that of one `fit` on all rows so far.

        Counted are the rows given to `partial_fit`, and those in the statistics given to
        `fit_statistics`. `fit` keeps no statistics: after it, `partial_fit` starts anew.

        Costs a pass over the new rows and one solve. See `fit` for the parameters. Where
        `solver` needs the data themselves (``"svd"``, ``"qr"``, ``"lsqr"``, ``"sparse_cg"``),
        ``"eigh"`` or ``"auto"`` runs on the statistics in its place; `solver_` says which.

        Raises
        ------
        ValueError
            As `fit`.
        """
        check_ridge_parameters(self)
        first = not hasattr(self, "statistics_")
        X, y = self._check_rows(X, y, reset=first)
        if first:
            names = getattr(self, "feature_names_in_", None)
            stats = GramStatistics(feature_names=names, n_threads=self.n_threads)
        else:
            stats = self.statistics_.copy()
        stats.update(X, y, sample_weight)
        return self._solve_statistics(stats)

    def fit_statistics(self, stats: GramStatistics) -> Self:
        """Fit to rows seen only through their statistics.

        Parameters
        ----------
        stats : GramStatistics
            Kept as `statistics_`. See `partial_fit` for solvers that need the data.

        Returns
        -------
        self : Ridge
        """
        check_ridge_parameters(self)
        if not isinstance(stats, GramStatistics):
            raise TypeError(
                f"stats must be GramStatistics, got {type(stats).__name__}: make them with "
                "GramStatistics.from_data(X, y)."
            )
        self.n_features_in_ = stats.n_features
        self.__dict__.pop("feature_names_in_", None)
        if stats.feature_names is not None:
            self.feature_names_in_ = np.asarray(stats.feature_names, dtype=object)
        return self._solve_statistics(stats)

    def _solve_statistics(self, stats: GramStatistics) -> Self:
        penalty = check_penalty_options(self, stats.n_features, stats.n_targets)
        problem = problem_of(stats._held(), penalty, fit_intercept=self.fit_intercept)
        self._solve(problem, stats.y_ndim, np.float64)
        self.statistics_ = stats
        return self

    def _solve(self, problem: Problem, y_ndim: int, dtype: Any) -> Self:
        # What is not finite is found in the sums, or at the end, and then named.
        kept = Kept(problem.penalty.factors)
        with named_in_errors(self, problem.design.X), np.errstate(all="ignore"):
            problem = kept.problem(problem)
            result = solve(
                problem,
                self.solver,
                positive=self.positive,
                tol=self.tol,
                max_iter=self.max_iter,
                nesterov=self.nesterov,
            )
            self._store_result(problem, result, y_ndim, dtype)
        if result.not_converged is not None:
            warnings.warn(result.not_converged, ConvergenceWarning, stacklevel=3)
        self.coef_ = kept.coef(self.coef_)
        self.__dict__.pop("_summed_alpha", None)
        if self.alpha_scale == "mean":
            self._summed_alpha = np.array(problem.alphas)  # for `to_sklearn`
        return self
