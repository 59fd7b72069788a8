"""Elastic net and lasso with scikit-learn's interface."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import metadata_routing

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Bounds, Float, PathLike, RandomState, RowsLike, SparseLike
from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.designs import design_for_columns
from fastridge.designs.design import Design
from fastridge.designs.statistics import StatisticsDesign
from fastridge.linear_model import parameter_texts as texts
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
from fastridge.linear_model.from_statistics import StatisticsMixin
from fastridge.linear_model.options import store_parameters
from fastridge.linear_model.prediction import LinearModelMixin, named_in_errors
from fastridge.linear_model.routing import UNROUTED_FIT
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem
from fastridge.statistics.gram_statistics import GramStatistics


class ElasticNetMixin(LinearModelMixin):
    """A problem from an estimator's options, and fitted attributes from its solution."""

    copy_X: bool  # noqa: N815  as scikit-learn
    max_iter: int | None
    tol: float
    positive: bool
    random_state: RandomState
    penalty_factors: ArrayLike | None
    bounds: Bounds | None
    standardize: bool
    n_threads: int | None

    _overflow_words = (
        "Coordinate descent iterations resulted in non-finite parameter values. The input data may "
        "contain large values and need to be preprocessed: "
    )

    def _elastic_net_problem(self, design: Design, loss: SquaredLoss) -> ElasticNetProblem:
        n_features = design.shape[1]
        factors = check_penalty_factors(self.penalty_factors, n_features)
        penalty = L2Penalty(standardize=self.standardize, factors=factors)
        return ElasticNetProblem(
            Problem(design, loss, penalty),
            bounds=check_bounds(self.bounds, self.positive, n_features),
            tol=float(self.tol),
            max_iter=sweeps(self.max_iter),
        )

    def _problem_of_statistics(self, stats: GramStatistics) -> ElasticNetProblem:
        held, n_threads = stats._held(), resolve_threads(self.n_threads)
        design = StatisticsDesign(held, self.fit_intercept, n_threads)
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
    """Return the last point, or one without coefficients if there is none."""
    if points:
        return points[-1]
    nothing = np.empty(0)
    return Point(np.nan, nothing.astype(np.int32), nothing, np.inf, 0, "interrupted")


@documented(texts.ELASTIC_NET)
class ElasticNet(StatisticsMixin, ElasticNetMixin, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression with combined L1 and L2 penalties, as `sklearn.linear_model.ElasticNet`.

    Minimises ::

        ||y - Xw - b||^2 / (2 n) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) / 2 ||w||^2

    (with weights, the weighted mean of squares in place of ``||.||^2 / n``) and says how near it
    came: the objective is at most `dual_gap_` above its minimum.

    Parameters
    ----------
    alpha
    l1_ratio : float, default=0.5
        Share of the L1 norm in the penalty, from 0 (ridge, solved as by `fastridge.Ridge`) to 1
        (the lasso).
    fit_intercept, precompute, max_iter, copy_X, tol, warm_start, positive, random_state, selection,
    penalty_factors, bounds, standardize, n_threads

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, status_, solver_, n_features_in_,
    feature_names_in_, encoding_, statistics_

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
    into CSC), and each step back to X is one product of all columns with the residual. Sparse X
    is made dense, up to 128 MB, if the mean of a column is above 1000 times its standard deviation,
    because centring would lose digits; larger X gives a warning from 100,000 times on. In both,
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
    >>> model = ElasticNet(alpha=0.1).fit(X, [1.0, 2.0, 6.0, 7.0])
    >>> model.coef_.round(2), model.status_
    (array([1.65, 0.74]), 'converged')
    """

    __metadata_request__fit: ClassVar[dict[str, str]] = {
        "check_input": metadata_routing.UNUSED,
        "offset": metadata_routing.UNUSED,
        **UNROUTED_FIT,
    }

    _parameter_constraints: ClassVar[Constraints] = ELASTIC_NET

    alpha: float
    l1_ratio: float
    precompute: bool | ArrayLike
    warm_start: bool
    selection: Literal["cyclic", "random"]

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
        store_parameters(self, locals())

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

    @documented(texts.FIT)
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
        X
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets; None only where X is a scan. Each target has a model of its own, as in
            scikit-learn.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; only their ratios matter. None is 1 for each.
        check_input, offset, checkpoint, checkpoint_every

        Returns: Self

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
                raise ValueError("offset is not supported for a scan: subtract it from the target.")
            return self._fit_scan(X, y, sample_weight, checkpoint, checkpoint_every)
        refuse_checkpoint(checkpoint, checkpoint_every)
        X, y = self._check_rows(X, y, reset=True)
        X = without_excluded(X, self.penalty_factors)
        weight = check_weight(sample_weight, X, y)
        design = design_for_columns(X, weight, self.fit_intercept, resolve_threads(self.n_threads))
        problem = self._elastic_net_problem(design, SquaredLoss(without_offset(y, offset)))
        check_precompute(self.precompute, problem.given)
        forget(self, "statistics_")
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        with named_in_errors(self, X):
            return self._solve(problem, y.ndim, dtype)

    def _check_parameters(self) -> None:
        check_elastic_net_parameters(self)

    def _solve_statistics(self, stats: GramStatistics) -> Self:
        problem = self._problem_of_statistics(stats)
        self._solve(problem, stats.y_ndim, np.float64)
        self.statistics_ = stats
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
