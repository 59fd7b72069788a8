"""Elastic net and lasso with scikit-learn's interface."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import Tags, metadata_routing

from fastridge._kernels.attributes import forget
from fastridge._typing import Bounds, Float, PathLike, RandomState, RowsLike, SparseLike
from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.designs import design_of
from fastridge.designs.design import Design
from fastridge.designs.scanned import ScanDesign
from fastridge.designs.statistics import StatisticsDesign
from fastridge.linear_model.constraints import ELASTIC_NET, Constraints
from fastridge.linear_model.elastic_net_options import (
    check_bounds,
    check_elastic_net_parameters,
    check_penalty_factors,
    check_precompute,
    sweeps,
    warn_not_converged,
    without_excluded,
    without_offset,
    worst_of,
)
from fastridge.linear_model.elastic_net_path import enet_path
from fastridge.linear_model.prediction import LinearModelMixin, named_in_errors
from fastridge.linear_model.routing import UNROUTED_FIT
from fastridge.linear_model.streamed import refuse_checkpoint, refuse_targets
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem
from fastridge.statistics.gram_statistics import GramStatistics


class ElasticNetMixin(LinearModelMixin):
    """A problem from an estimator's options, and fitted attributes from its solution."""

    _overflow_words = (
        "Coordinate descent iterations resulted in non-finite parameter values. The input data may "
        "contain large values and need to be preprocessed: "
    )

    def _elastic_net_problem(self, design: Design, loss: SquaredLoss) -> ElasticNetProblem:
        options: Any = self
        n_features = design.shape[1]
        factors = check_penalty_factors(options.penalty_factors, n_features)
        penalty = L2Penalty(standardize=options.standardize, factors=factors)
        return ElasticNetProblem(
            Problem(design, loss, penalty),
            bounds=check_bounds(options.bounds, options.positive, n_features),
            tol=float(options.tol),
            max_iter=sweeps(options.max_iter),
        )

    def _problem_of_statistics(self, stats: GramStatistics) -> ElasticNetProblem:
        options: Any = self
        held, n_threads = stats._held(), resolve_threads(options.n_threads)
        design = StatisticsDesign(held, options.fit_intercept, n_threads)
        return self._elastic_net_problem(design, SquaredLoss(None, held))

    def _store_points(
        self, problem: ElasticNetProblem, points: list[Point], y_ndim: int, dtype: Float
    ) -> None:
        coef = np.zeros((len(points), problem.rows.design.shape[1]))
        for row, point in zip(coef, points, strict=True):
            row[point.features] = point.coef
        coef = coef.astype(dtype, copy=False)
        if problem.bounds is not None and dtype == np.float32:
            outside = (coef < problem.bounds[0]) | (coef > problem.bounds[1])
            coef = np.where(outside, np.nextafter(coef, dtype(0.0)), coef)
        # The intercept belongs to the coefficients as they are rounded.
        intercept = problem.rows.intercept(coef.astype(np.float64, copy=False))
        single = len(points) == 1
        self.coef_ = coef[0] if single else coef
        if not self.fit_intercept:
            self.intercept_ = 0.0
        elif y_ndim == 1:
            self.intercept_ = dtype(intercept[0])
        else:
            self.intercept_ = intercept.astype(dtype, copy=False)
        self.dual_gap_: float | np.ndarray = np.array([point.dual_gap for point in points])
        self.n_iter_: Any = [point.n_iter for point in points]
        if single:
            self.dual_gap_, self.n_iter_ = float(self.dual_gap_[0]), self.n_iter_[0]
        statuses = [point.status for point in points]
        self.status_ = next((s for s in statuses if s != "converged"), "converged")
        self.solver_ = problem.solver


def _reached(points: list[Point]) -> Point:
    """The last point, or that of no coefficients where there is none."""
    if points:
        return points[-1]
    nothing = np.empty(0)
    return Point(np.nan, nothing.astype(np.int32), nothing, np.inf, 0, "interrupted")


class ElasticNet(ElasticNetMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression with combined L1 and L2 penalties, as `sklearn.linear_model.ElasticNet`.

    Minimises ::

        ||y - Xw - b||^2 / (2 n) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) / 2 ||w||^2

    (with weights, the weighted mean of squares in place of ``||.||^2 / n``) and says how near it
    came: the objective is at most `dual_gap_` above its minimum.

    Parameters
    ----------
    alpha : float, default=1.0
        Penalty, at least 0. With 0 the fit is least squares, solved as `fastridge.Ridge` solves it.
    l1_ratio : float, default=0.5
        Share of the L1 norm in the penalty, from 0 (ridge, solved as by `fastridge.Ridge`) to 1
        (the lasso).
    fit_intercept : bool, default=True
        Fit an intercept, which is not penalised. Otherwise `intercept_` is 0.
    precompute : bool or array-like of shape (n_features, n_features), default=False
        Accepted for compatibility and ignored, but for a check of its values: whether a Gram matrix
        is made depends on the shape of X.
    max_iter : int or None, default=1000
        Most iterations, at least 1; None is 1000. An iteration is a sweep over the coordinates with
        the Newton step before it, or a last Newton step; eight Newton steps that let in a single
        feature each count as one. A solver run that starts from zero at a small alpha may take half
        of them at larger ones.
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to.
    tol : float, default=1e-4
        Coordinate descent stops at a duality gap of ``tol ||y||^2 / n``, with y about its mean if
        there is an intercept. At least 0.
    warm_start : bool, default=False
        Start from `coef_` of the last fit.
    positive : bool, default=False
        Allow no negative coefficients.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility and ignored: nothing is random.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility and ignored: coordinates are taken in the order in which they
        joined the working set.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
        without a penalty. Infinity excludes it: its coefficient is 0, and the others are those
        without its column. The factors are not rescaled (glmnet scales them to a mean of one).
    bounds : (lower, upper), default=None
        Least and largest coefficients, each a number or an array-like of shape (n_features,), with
        ``lower <= 0 <= upper``. None is without bounds.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations; `coef_` and
        `bounds` stay in the units of X.
    n_threads : int, default=None
        Number of threads for the passes over X and for the targets; None is
        ``FASTRIDGE_NUM_THREADS`` or all usable cores. Negative numbers count back from all of them.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients in the units of X: float32 for float32 X, otherwise float64.
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
        `coef_` in CSR format, a new matrix each time.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 with ``fit_intercept=False``.
    dual_gap_ : float or ndarray of shape (n_targets,)
        Most by which the objective is above its minimum, for `coef_` as it is stored, computed in
        float64. Infinite after Ctrl-C, NaN where there is no certificate. See Notes.
    n_iter_ : int or list of int
        Number of iterations, for each target where there are several. 0 where a warm start was
        within the tolerance.
    status_ : {"converged", "not converged", "no certificate", "interrupted"}
        With several targets the first that is not "converged". "no certificate" where features with
        little or no penalty are nearly collinear and only their statistics are known, or are too
        many for a basis of their columns. After Ctrl-C the model holds the coefficients reached by
        then (those of an earlier fit where there are none).
    solver_ : str
        "gram" for coordinate descent on X'X, "working set" for that on the Gram matrix of some
        columns, "ridge ..." where no L1 penalty is left.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, as texts. Only where X had names.
    statistics_ : GramStatistics
        Statistics of all rows so far. Only after `partial_fit`, `fit_statistics` or a fit to a
        `fastridge.scan`.

    See Also
    --------
    fastridge.Lasso : With ``l1_ratio=1``.
    fastridge.ElasticNetCV : Chooses alpha and l1_ratio.
    fastridge.enet_path : Coefficients at many alphas.

    Notes
    -----
    With at least as many rows as columns one pass over X gives its Gram matrix, O(n_features^2)
    memory, and nothing more reads X. With fewer rows, and for sparse X where the Gram matrix would
    take more than twice the memory of X (and 8 MB), columns that the sequential strong rule keeps
    are copied (at most some more than have coefficients; sparse ones stay sparse, and CSR is turned
    into CSC), and each step back to X is one product of all columns with the residual. In both,
    covariance sweeps alternate with Newton steps on the support. A gap that the rounding of the
    Gram matrix might hide is found from the rows.

    A coefficient w_j without penalty that is bounded on one side only is taken to be within
    ``2 |w_j| + |y| / |x_j|`` of zero, for otherwise no point but an exact solution has a finite
    gap. Directions of X without a penalty whose length is rounding are left out of the gap.

    References
    ----------
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via
    coordinate descent", J. Stat. Softw. 33 (2010). Tibshirani et al., "Strong rules for discarding
    predictors in lasso-type problems", JRSS B 74 (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import ElasticNet
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> y = np.array([1.0, 2.0, 6.0, 7.0])
    >>> model = ElasticNet(alpha=0.1).fit(X, y)
    >>> model.coef_.round(2), model.status_
    (array([1.65, 0.74]), 'converged')
    """

    __metadata_request__fit: ClassVar[dict[str, str]] = {
        "check_input": metadata_routing.UNUSED,
        "offset": metadata_routing.UNUSED,
        **UNROUTED_FIT,
    }

    _parameter_constraints: ClassVar[Constraints] = ELASTIC_NET

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: bool | ArrayLike = False,
        max_iter: int | None = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: RandomState = None,
        selection: Literal["cyclic", "random"] = "cyclic",
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.penalty_factors = penalty_factors
        self.bounds = bounds
        self.standardize = standardize
        self.n_threads = n_threads

    @classmethod
    def from_lambdas(cls, l1: float, l2: float, **params: Any) -> Self:
        """Return the model that minimises ``||y - Xw - b||^2 / n + l1 |w|_1 + l2 ||w||^2``.

        Parameters
        ----------
        l1 : float
            Factor of the L1 norm, at least 0.
        l2 : float
            Factor of the squared L2 norm, at least 0; 0 for the lasso.
        **params : dict
            Other parameters of the class.

        Returns
        -------
        ElasticNet
            With ``alpha = l1 / 2 + l2`` and ``l1_ratio = l1 / (2 alpha)``.

        Raises
        ------
        ValueError
            If `l1` or `l2` is negative or not finite, or for `Lasso` if `l2` is not 0.

        Examples
        --------
        >>> from fastridge import ElasticNet
        >>> ElasticNet.from_lambdas(0.2, 0.3)
        ElasticNet(alpha=0.4, l1_ratio=0.25)
        """
        for name, value in (("l1", l1), ("l2", l2)):
            if isinstance(value, bool) or not np.isfinite(value) or value < 0.0:
                raise ValueError(f"{name} must be finite and at least 0, got {value!r}.")
        alpha = l1 / 2.0 + l2
        return cls._from_alpha(alpha, l1 / 2.0 / alpha if alpha > 0.0 else 1.0, params)

    @classmethod
    def _from_alpha(cls, alpha: float, l1_ratio: float, params: dict[str, Any]) -> Self:
        return cls(alpha, l1_ratio=l1_ratio, **params)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        check_input: bool = True,
        *,
        offset: ArrayLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows alone.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
            Rows, read in place whatever their layout. A `fastridge.scan`, which has its own target
            and weights, is read batch by batch and solved as by `fit_statistics`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets; None only where X is a scan. Each target has a model of its own, as in
            scikit-learn.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; only their ratios matter. None is 1 for each.
        check_input : bool, default=True
            Accepted for compatibility and ignored: the checks cost next to nothing.
        offset : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            A known part of the prediction: the model is fitted to ``y - offset``, and the offset of
            new rows is to be added to what `predict` returns. Not supported for a scan.
        checkpoint : str or os.PathLike, default=None
            For a scan: file in which the statistics are kept from time to time. After an
            interruption of any kind the same call with the same data resumes from it, to the same
            bits.
        checkpoint_every : int, default=None
            For a scan with `checkpoint`: number of rows between two writes; None is 10,000,000.

        Returns
        -------
        ElasticNet
            This estimator, fitted.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if X, y, `sample_weight` or `offset` is malformed or
            not finite.
        KeyboardInterrupt
            After Ctrl-C; the model then holds what was reached, and `status_` says so.

        Warns
        -----
        ConvergenceWarning
            If the gap is above its tolerance after `max_iter` iterations.
        """
        check_elastic_net_parameters(self)
        if isinstance(X, Scan):
            if offset is not None:
                raise ValueError("offset is not offered for a scan: subtract it from the target.")
            refuse_targets(y, sample_weight)
            scanned = ScanDesign(X, None, checkpoint, checkpoint_every, self.n_threads)
            return self.fit_statistics(scanned.folds[0])
        refuse_checkpoint(checkpoint, checkpoint_every)
        X, y = self._check_rows(X, y, reset=True)
        X = without_excluded(X, self.penalty_factors)
        weight = check_weight(sample_weight, X)
        design = design_of(X, weight, self.fit_intercept, resolve_threads(self.n_threads))
        problem = self._elastic_net_problem(design, SquaredLoss(without_offset(y, offset)))
        check_precompute(self.precompute, problem.given)
        forget(self, "statistics_")
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        with named_in_errors(self, X):
            return self._solve(problem, y.ndim, dtype)

    def partial_fit(
        self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows and solve again: the result is that of one `fit` to all rows so far.

        For data with more rows than columns: memory is O(n_features^2). The rows so far are those
        given to `partial_fit` and those in the statistics given to `fit_statistics`; `fit` to
        arrays keeps none.

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
        ElasticNet
            This estimator, fitted to all rows so far.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if the rows are malformed, not finite, or do not
            have the features and targets of those before.

        Warns
        -----
        ConvergenceWarning
            If the gap is above its tolerance after `max_iter` iterations.
        """
        check_elastic_net_parameters(self)
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
        ElasticNet
            This estimator, fitted.

        Raises
        ------
        TypeError
            If `stats` is not GramStatistics.
        ValueError
            If a parameter is not supported, or if the statistics hold no rows.

        Warns
        -----
        ConvergenceWarning
            If the gap is above its tolerance after `max_iter` iterations.
        """
        check_elastic_net_parameters(self)
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
        problem = self._problem_of_statistics(stats)
        self._solve(problem, stats.y_ndim, np.float64)
        self.statistics_: GramStatistics = stats
        return self

    def _solve(self, problem: ElasticNetProblem, y_ndim: int, dtype: Float) -> Self:
        alphas = [np.array([float(self.alpha)])] * problem.given.loss.n_targets
        init = None
        if self.warm_start and hasattr(self, "coef_"):
            init = np.atleast_2d(self.coef_).astype(np.float64)
            if init.shape != (len(alphas), problem.given.design.shape[1]):
                init = None
        found: list[list[Point]] = [[] for _ in alphas]
        with np.errstate(all="ignore"):  # what is not finite is named
            try:
                problem = problem.accumulated()
                problem.path(alphas, float(self.l1_ratio), init, found)
            except KeyboardInterrupt:
                if any(found):
                    points = [_reached(some) for some in found]
                    self._store_points(problem, points, y_ndim, dtype)
                raise
            points = [some[0] for some in found]
            self._store_points(problem, points, y_ndim, dtype)
        worst = worst_of(points)
        if worst is not None:
            square = problem.sources[points.index(worst)].mean_square
            warn_not_converged(worst, problem.tol * square, problem.max_iter)
        return self

    @property
    def sparse_coef_(self) -> SparseLike:
        """Sparse representation of `coef_`, of scikit-learn's `sparse_interface`."""
        from sklearn import get_config

        # Older versions of scikit-learn know only matrices.
        arrays = get_config().get("sparse_interface", "spmatrix") == "sparray"
        return (sp.csr_array if arrays else sp.csr_matrix)(np.atleast_2d(self.coef_))
