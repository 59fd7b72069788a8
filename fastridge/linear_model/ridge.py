"""Ridge regression with scikit-learn's interface."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags

from fastridge._kernels.attributes import forget
from fastridge._typing import AlphaScale, PathLike, RandomState, RowsLike
from fastridge._validation import NotFiniteError, check_weight
from fastridge.data.scan import Scan
from fastridge.designs import design_of
from fastridge.designs.scanned import ScanDesign
from fastridge.linear_model.constraints import RIDGE, Constraints
from fastridge.linear_model.inference_methods import InferenceMixin
from fastridge.linear_model.options import check_penalty_options, check_ridge_parameters
from fastridge.linear_model.prediction import LinearModelMixin, raise_named
from fastridge.linear_model.routing import UNROUTED_FIT
from fastridge.linear_model.streamed import refuse_checkpoint, refuse_targets
from fastridge.losses.squared import SquaredLoss
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.excluded import Kept
from fastridge.solvers.problem import Problem, problem_of
from fastridge.solvers.result import Result
from fastridge.solvers.selection import solve
from fastridge.statistics.gram_statistics import GramStatistics


class Ridge(LinearModelMixin, InferenceMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear least squares with an L2 penalty, as `sklearn.linear_model.Ridge`.

    Minimises ``||y - Xw - b||^2 + alpha ||w||^2`` (weighted by `sample_weight`; the intercept
    b is not penalised), exactly and to the digits that the data allow.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Penalty, at least 0; an array has one for each target. With 0 the fit is least squares
        and, where that has several solutions, the limit for ever smaller penalties.
    fit_intercept : bool, default=True
        Fit an intercept, which is not penalised. Otherwise `intercept_` is 0.
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to. It is copied as a whole
        only with more features than samples, by ``solver="svd"`` and where X is sparse (its
        nonzeros). Sparse X with unsorted or repeated indices is copied to sort them.
    max_iter : int, default=None
        Most iterations of `lsqr`, `sparse_cg`, `gd` and of ``positive=True``, at least 1. None
        leaves the limit to the solver.
    tol : float, default=1e-4
        Relative precision at which `lsqr`, `sparse_cg` and `gd` stop, at least 0: that of the
        gradient, with each column in units in which its length is one. Direct solvers ignore it.
    solver : {"auto", "cholesky", "eigh", "svd", "qr", "lsqr", "sparse_cg", "gd", "sag", "saga", \
            "lbfgs"}, default="auto"
        ``"auto"`` takes Cholesky of X'X (of XX' with more features than samples), and falls back
        on corrected semi-normal equations, QR and SVD of X where the condition number demands
        it. Sparse X with more than 3000 of both samples and features is solved by conjugate
        gradients, to the digits of the data. ``"gd"`` is the textbook's full-batch gradient
        descent. The iterative solvers of scikit-learn, ``"sag"``, ``"saga"`` and (only with
        ``positive=True``) ``"lbfgs"``, are accepted and give the exact solution, as ``"auto"``.
    positive : bool, default=False
        Allow no coefficients below 0 (only with ``solver="auto"`` or ``"lbfgs"``). The solution is
        checked by the conditions of its minimum, and a warning is given where they do not hold.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility and ignored: nothing here is random.
    alpha_scale : {"sum", "mean"}, default="sum"
        ``"mean"`` minimises ``(1/n)||y - Xw - b||^2 + alpha ||w||^2`` instead, with n the sum of
        the weights.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations;
        `coef_` stays in the units of X. Without an intercept a constant column is divided by its
        absolute value.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a
        feature without a penalty. Infinity excludes it: its coefficient is 0, and the rest is
        the fit without its column (dense X is copied without such columns, unless those that are
        kept stand next to each other).
    nesterov : bool, default=False
        Use Nesterov's momentum for ``solver="gd"``.
    n_threads : int, default=None
        Number of threads for the passes over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable
        cores. Results for a given number are bitwise the same.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients w in the units of X: float32 for float32 X, otherwise float64.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept b; 0.0 with ``fit_intercept=False``.
    n_iter_ : ndarray of shape (n_targets,)
        Iterations of an iterative solver for each target. For a direct solver 1, and one more for
        each step that refined the Cholesky solution.
    solver_ : str
        The solver that gave the coefficients: one of `solver`'s names, or ``"nnls"``.
    rcond_ : float or None
        Reciprocal condition number of what `solver_` solved, near 0 where the features depend on
        each other. It is that of the system with unit diagonal for Cholesky and `eigh` (of the
        samples' Gram matrix with more features than samples), and that of the triangle with unit
        columns for QR and SVD. For `sparse_cg` (the system with unit diagonal) and `lsqr` (the
        rows) it is an estimate, which may be too large. With ``positive=True`` it is that of the
        coefficients above 0.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, as texts. Only where X had names.
    statistics_ : GramStatistics
        Statistics of all rows so far. Only after `partial_fit`, `fit_statistics` or a fit to a
        `fastridge.scan`.

    See Also
    --------
    fastridge.RidgeCV : Chooses alpha from the data.
    fastridge.ridge_path : Coefficients at many alphas from one factorisation.
    fastridge.GramStatistics : What `partial_fit` accumulates.

    Notes
    -----
    float32 data are accumulated in float64. Memory beyond X is O(n_features^2) and a tile of rows
    for each thread with no more features than samples, otherwise O(n_samples^2).

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

    __metadata_request__fit: ClassVar[dict[str, str]] = UNROUTED_FIT
    _parameter_constraints: ClassVar[Constraints] = RIDGE

    def __init__(
        self,
        alpha: ArrayLike = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: RandomState = None,
        alpha_scale: AlphaScale = "sum",
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        nesterov: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.alpha: Any = alpha
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.solver != "svd"
        return tags

    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows alone.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
            Rows, read in place whatever their layout; numeric dtypes other than float32 and float64
            are converted some rows at a time. A `fastridge.scan`, which has its own target and
            weights, is read batch by batch and solved as by `fit_statistics`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets; None only where X is a scan.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; None is 1 for each.
        checkpoint : str or os.PathLike, default=None
            For a scan: file in which the statistics are kept from time to time. After an
            interruption of any kind the same call with the same data resumes from it, to the same
            bits.
        checkpoint_every : int, default=None
            For a scan with `checkpoint`: number of rows between two writes; None is 10,000,000.

        Returns
        -------
        Ridge
            This estimator, fitted.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if X, y or `sample_weight` is malformed, not finite,
            or so large that X'X overflows.

        Warns
        -----
        ConvergenceWarning
            If an iterative solver stopped at `max_iter`, or if the conditions of the minimum do not
            hold with ``positive=True``.

        See Also
        --------
        partial_fit : Adds rows to those seen before.
        """
        check_ridge_parameters(self)
        if isinstance(X, Scan):
            refuse_targets(y, sample_weight)
            scanned = ScanDesign(X, None, checkpoint, checkpoint_every, self.n_threads)
            return self.fit_statistics(scanned.folds[0])
        refuse_checkpoint(checkpoint, checkpoint_every)
        X, y = self._check_rows(X, y, reset=True)
        weight = check_weight(sample_weight, X)
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        penalty = check_penalty_options(self, X.shape[1], n_targets)
        design = design_of(X, weight, self.fit_intercept, resolve_threads(self.n_threads))
        forget(self, "statistics_")
        problem, kept = Problem(design, SquaredLoss(y), penalty), Kept(penalty.factors)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        try:  # values that are not finite are found in the sums, or at the end
            with np.errstate(all="ignore"):
                problem = kept.problem(problem)
                result = solve(problem, **self._solver_options())
            self._store_result(problem, result, y.ndim, dtype)
        except NotFiniteError as error:
            raise_named(error, X, self)
        return self._finish(problem, result, kept)

    def partial_fit(
        self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows and solve again: the result is that of one `fit` to all rows so far.

        These are the rows given to `partial_fit` and those in the statistics given to
        `fit_statistics`. `fit` to arrays keeps no statistics: after it, `partial_fit` starts again.
        A call costs a pass over the new rows and one solution.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            New rows, with the features of those before.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets of the new rows.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the new rows, at least 0; None is 1 for each.

        Returns
        -------
        Ridge
            This estimator, fitted to all rows so far.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if the rows are malformed, not finite, or do not
            have the features and targets of those before.

        Notes
        -----
        Solvers that need the rows themselves (``"svd"``, ``"qr"``, ``"lsqr"``, ``"sparse_cg"``) are
        replaced by ``"eigh"`` or ``"auto"`` on the statistics; `solver_` says which.
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
            Statistics of the rows, kept as `statistics_`.

        Returns
        -------
        Ridge
            This estimator, fitted.

        Raises
        ------
        TypeError
            If `stats` is not GramStatistics.
        ValueError
            If a parameter is not supported, or if the statistics hold no rows.

        Notes
        -----
        Solvers that need the rows themselves (``"svd"``, ``"qr"``, ``"lsqr"``, ``"sparse_cg"``) are
        replaced by ``"eigh"`` or ``"auto"``; `solver_` says which.

        Examples
        --------
        >>> import numpy as np
        >>> from fastridge import GramStatistics, Ridge
        >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
        >>> stats = GramStatistics.from_data(X, [1.0, 2.0, 6.0, 7.0])
        >>> Ridge(alpha=1.0).fit_statistics(stats).coef_.round(2)
        array([1.44, 0.78])
        """
        check_ridge_parameters(self)
        if not isinstance(stats, GramStatistics):
            raise TypeError(
                f"stats must be GramStatistics, got {type(stats).__name__}: make them with "
                "GramStatistics.from_data(X, y)."
            )
        self.n_features_in_ = stats.n_features
        forget(self, "feature_names_in_")
        if stats.feature_names is not None:
            self.feature_names_in_ = np.asarray(stats.feature_names, dtype=object)
        return self._solve_statistics(stats)

    def _solve_statistics(self, stats: GramStatistics) -> Self:
        penalty = check_penalty_options(self, stats.n_features, stats.n_targets)
        problem = problem_of(stats._held(), penalty, fit_intercept=self.fit_intercept)
        kept = Kept(penalty.factors)
        with np.errstate(all="ignore"):
            problem = kept.problem(problem)
            result = solve(problem, **self._solver_options())
        self._store_result(problem, result, stats.y_ndim, np.float64)
        self.statistics_ = stats
        return self._finish(problem, result, kept)

    def _solver_options(self) -> dict[str, Any]:
        return {
            "solver": self.solver,
            "positive": self.positive,
            "tol": self.tol,
            "max_iter": self.max_iter,
            "nesterov": self.nesterov,
        }

    def _finish(self, problem: Problem, result: Result, kept: Kept) -> Self:
        if result.not_converged is not None:
            warnings.warn(result.not_converged, ConvergenceWarning, stacklevel=3)
        self.coef_ = kept.coef(self.coef_)
        forget(self, "_summed_alpha")
        if self.alpha_scale == "mean":
            self._summed_alpha = np.array(problem.alphas)  # for `to_sklearn`
        return self
