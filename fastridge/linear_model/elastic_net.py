"""Elastic net and lasso with scikit-learn's interface."""

from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import metadata_routing

from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.designs import design_of
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
from fastridge.linear_model.streamed import refuse_checkpoint, statistics_of
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem, problem_of
from fastridge.statistics.gram_statistics import GramStatistics


class ElasticNetMixin(LinearModelMixin):
    """A problem from an estimator's options, and fitted attributes from its solution."""

    def _elastic_net_problem(
        self,
        X: Any,
        y: np.ndarray | None,
        weight: np.ndarray | None,
        products: Any = None,
        n_threads: int | None = None,
    ) -> ElasticNetProblem:
        options: Any = self
        n_features = len(products.x_mean) if X is None else X.shape[1]
        factors = check_penalty_factors(options.penalty_factors, n_features)
        penalty = L2Penalty(standardize=options.standardize, factors=factors)
        intercept = options.fit_intercept
        n_threads = n_threads or resolve_threads(options.n_threads)
        if X is None:
            problem = problem_of(products, penalty, fit_intercept=intercept, n_threads=n_threads)
        else:
            design = design_of(X, weight, intercept, n_threads)
            problem = Problem(design, SquaredLoss(y), penalty)
            if products is not None:
                problem = problem.with_statistics(products)
        return ElasticNetProblem(
            problem,
            bounds=check_bounds(options.bounds, options.positive, n_features),
            tol=float(options.tol),
            max_iter=sweeps(options.max_iter),
        )

    def _store_points(
        self, problem: ElasticNetProblem, points: list[Point], y_ndim: int, dtype: Any
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
            self.intercept_: Any = 0.0
        elif y_ndim == 1:
            self.intercept_ = dtype(intercept[0])
        else:
            self.intercept_ = intercept.astype(dtype, copy=False)
        self.dual_gap_: Any = np.array([point.dual_gap for point in points])
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
        0 is least squares, solved as `fastridge.Ridge` solves it.
    l1_ratio : float, default=0.5
        From 0 (ridge, solved as `fastridge.Ridge` does) to 1 (the lasso).
    fit_intercept : bool, default=True
    precompute : bool or array-like of shape (n_features, n_features), default=False
        Taken for compatibility. Whether a Gram is made depends on the shape of X.
    max_iter : int or None, default=1000
        Most sweeps over the coordinates. Eight Newton steps that let in a single feature each
        count as one.
    copy_X : bool, default=True
        Taken for compatibility: X is never written to.
    tol : float, default=1e-4
        The descent stops at a duality gap of ``tol ||y||^2 / n``, y about its mean if there is
        an intercept.
    warm_start : bool, default=False
        Start from `coef_` of the last fit.
    positive : bool, default=False
        No negative coefficients.
    random_state : int, RandomState instance or None, default=None
        Taken for compatibility: nothing is random.
    selection : {"cyclic", "random"}, default="cyclic"
        Taken for compatibility: the order of the coordinates is that in which they joined the
        working set.
    penalty_factors : array-like of shape (n_features,), optional
        One factor, not negative, a feature on its penalty; 0 leaves it free, infinity leaves the
        feature out: its coefficient is 0, and the others are those without its column. Not
        rescaled (glmnet scales them to a mean of one).
    bounds : (lower, upper), optional
        Least and largest coefficients, numbers or one a feature; each pair holds zero.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations; `coef_`
        and `bounds` stay in the units of X.
    n_threads : int, optional
        Threads of the passes over X, and of targets; None is ``FASTRIDGE_NUM_THREADS`` or all
        usable cores.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
    intercept_ : float or ndarray of shape (n_targets,)
    dual_gap_ : float or ndarray of shape (n_targets,)
        Most by which the objective is above its minimum, of `coef_` as it is stored, computed in
        float64. Infinite after Ctrl-C, NaN where there is no certificate. See Notes.
    n_iter_ : int or list of int
        Sweeps at `alpha`.
    status_ : {"converged", "not converged", "no certificate", "interrupted"}
        "no certificate" where features with little or no penalty are nearly collinear and only
        their statistics are known, or are too many for a basis of their columns. After Ctrl-C the
        model holds the coefficients reached by then (of an earlier fit where there are none).
    solver_ : str
        "gram": descent on X'X; "working set": on the Gram of some columns; "ridge ..." where no
        L1 penalty is left.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had names.
    statistics_ : GramStatistics
        Only after `partial_fit` or `fit_statistics`.

    See Also
    --------
    fastridge.Lasso : With ``l1_ratio=1``.
    fastridge.ElasticNetCV : Chooses alpha and l1_ratio.
    fastridge.enet_path : At many alphas.

    Notes
    -----
    With at least as many rows as columns one pass over X gives its Gram, O(n_features^2)
    memory, and nothing more reads X. With fewer rows, and of sparse X where the Gram would take
    more than twice the memory of X (and 8 MB), columns that the sequential strong rule keeps are
    copied (at most some more than have coefficients; sparse ones stay sparse, and CSR is turned
    into CSC), and each step back to X is one product of all columns with the residual. In both,
    covariance sweeps alternate with Newton steps on the support. A gap that the rounding of the
    Gram might hide is found from the rows.

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

    __metadata_request__fit: ClassVar[Any] = {
        "check_input": metadata_routing.UNUSED,
        "offset": metadata_routing.UNUSED,
        **UNROUTED_FIT,
    }

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int | None = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factors: Any = None,
        bounds: Any = None,
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
        """The model that minimises ``||y - Xw - b||^2 / n + l1 |w|_1 + l2 ||w||^2``.

        Parameters
        ----------
        l1, l2 : float
            Not negative.
        **params : dict
            Other parameters of the class.

        Returns
        -------
        model : ElasticNet
            With ``alpha = l1 / 2 + l2`` and ``l1_ratio = l1 / (2 alpha)``.

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        check_input: bool = True,
        *,
        offset: Any = None,
        checkpoint: Any = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows alone.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or a `fastridge.scan`
            Read in place whatever its layout. A scan, which has its own target and weights, is
            read batch by batch and solved as by `fit_statistics`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Each target has a model of its own, as in scikit-learn.
        sample_weight : float or array-like of shape (n_samples,), optional
            Not negative; only their ratios matter.
        check_input : bool, default=True
            Taken for compatibility: the checks cost next to nothing.
        offset : array-like, shaped as y, optional
            A known part of the prediction: the model is fitted to ``y - offset``, and the offset
            of new rows is to be added to what `predict` returns.
        checkpoint : path, optional
            Of a scan: file in which the statistics are kept from time to time. The same call with
            the same data goes on from there after whatever ended it, to the same bits.
        checkpoint_every : int, default=10_000_000
            Rows from one writing to the next.

        Returns
        -------
        self : ElasticNet

        Raises
        ------
        ValueError
            Where a parameter is not offered, or X, y, `sample_weight` or `offset` is malformed or
            not finite.
        KeyboardInterrupt
            After Ctrl-C; the model then holds what was reached, and `status_` says so.

        Warns
        -----
        ConvergenceWarning
            Where the gap is above its tolerance after `max_iter` sweeps.
        """
        check_elastic_net_parameters(self)
        if isinstance(X, Scan):
            if offset is not None:
                raise ValueError("offset is not offered for a scan: subtract it from the target.")
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
        X = without_excluded(X, self.penalty_factors)
        weight = check_weight(sample_weight, X)
        problem = self._elastic_net_problem(X, without_offset(y, offset), weight)
        check_precompute(self.precompute, problem.given)
        self.__dict__.pop("statistics_", None)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        with named_in_errors(self, X):
            return self._solve(problem, y.ndim, dtype)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Add rows and solve again: the result is that of one `fit` on all rows so far.

        For data with more rows than columns: memory is O(n_features^2). Counted are the rows given
        to `partial_fit`, and those in the statistics given to `fit_statistics`; `fit` keeps none.
        See `fit` for the parameters.
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
            Kept as `statistics_`.

        Returns
        -------
        self : ElasticNet
        """
        check_elastic_net_parameters(self)
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
        problem = self._elastic_net_problem(None, None, None, stats._held())
        self._solve(problem, stats.y_ndim, np.float64)
        self.statistics_: GramStatistics = stats
        return self

    def _solve(self, problem: ElasticNetProblem, y_ndim: int, dtype: Any) -> Self:
        alphas = [np.array([float(self.alpha)])] * problem.given.loss.n_targets
        init = None
        if self.warm_start and hasattr(self, "coef_"):
            init = np.atleast_2d(self.coef_).astype(np.float64)
            if init.shape != (len(alphas), problem.given.design.shape[1]):
                init = None
        found: list[list[Point]] = [[] for _ in alphas]
        with np.errstate(all="ignore"):  # what is not finite is named
            try:
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
    def sparse_coef_(self) -> Any:
        """Sparse representation of `coef_`, of scikit-learn's `sparse_interface`."""
        from sklearn import get_config

        # Older versions of scikit-learn know only matrices.
        arrays = get_config().get("sparse_interface", "spmatrix") == "sparray"
        return (sp.csr_array if arrays else sp.csr_matrix)(np.atleast_2d(self.coef_))


class Lasso(ElasticNet):
    """Linear regression with an L1 penalty, as `sklearn.linear_model.Lasso`.

    Minimises ``||y - Xw - b||^2 / (2 n) + alpha |w|_1``: `fastridge.ElasticNet`, which see for
    all parameters and attributes, with ``l1_ratio=1``.

    Parameters
    ----------
    alpha : float, default=1.0
    fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, random_state, selection
        As for `fastridge.ElasticNet`.
    penalty_factors, bounds, standardize, n_threads
        As for `fastridge.ElasticNet`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import Lasso
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> Lasso(alpha=0.5).fit(X, [1.0, 2.0, 6.0, 7.0]).coef_.round(2)
    array([1.5, 0.5])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factors: Any = None,
        bounds: Any = None,
        standardize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        super().__init__(
            alpha=alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            copy_X=copy_X,
            max_iter=max_iter,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_factors=penalty_factors,
            bounds=bounds,
            standardize=standardize,
            n_threads=n_threads,
        )

    @classmethod
    def _from_alpha(cls, alpha: float, l1_ratio: float, params: dict[str, Any]) -> Self:
        if alpha > 0.0 and l1_ratio != 1.0:
            raise ValueError("l2 must be 0 for Lasso: use ElasticNet.from_lambdas.")
        return cls(alpha, **params)
