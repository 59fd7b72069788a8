"""Ridge regression with scikit-learn's interface."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import Tags

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import AlphaScale, PathLike, RandomState, RowsLike
from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import RIDGE, Constraints
from fastridge.linear_model.from_statistics import StatisticsMixin
from fastridge.linear_model.inference_methods import InferenceMixin
from fastridge.linear_model.options import check_penalty_options, check_ridge_parameters
from fastridge.linear_model.prediction import named_in_errors
from fastridge.linear_model.ridge_fits import RidgeFitMixin, dtype_of_coef
from fastridge.linear_model.routing import UNROUTED_FIT
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.solvers.excluded import Kept
from fastridge.solvers.problem import problem_of
from fastridge.solvers.solver_selection import solve
from fastridge.statistics.gram_statistics import GramStatistics


@documented(texts.RIDGE)
class Ridge(
    RidgeFitMixin,
    StatisticsMixin,
    InferenceMixin,
    MultiOutputMixin,
    RegressorMixin,
    BaseEstimator,
):
    """Linear least squares with an L2 penalty, as `sklearn.linear_model.Ridge`.

    Minimises ``||y - Xw - b||^2 + alpha ||w||^2`` (weighted by `sample_weight`; the intercept
    b is not penalised), exactly and to the digits that the data allow.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Penalty, at least 0; an array has one for each target. With 0 the fit is least squares; if
        that has several solutions, it is the limit as the penalty goes to 0.
    fit_intercept
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
    random_state, alpha_scale
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
    n_threads

    Attributes
    ----------
    coef_, intercept_
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
    n_features_in_, feature_names_in_, encoding_, statistics_

    See Also
    --------
    fastridge.RidgeCV : Chooses alpha from the data.
    fastridge.ridge_path : Coefficients at many alphas from one factorisation.
    fastridge.GramStatistics : What `partial_fit` accumulates.

    Notes
    -----
    float32 data are accumulated in float64. Memory beyond X is O(n_features^2) and a tile of rows
    for each thread with no more features than samples, otherwise O(n_samples^2).

    `partial_fit` and `fit_statistics` replace solvers that need the rows themselves (``"svd"``,
    ``"qr"``, ``"lsqr"``, ``"sparse_cg"``) by ``"eigh"`` or ``"auto"`` on the statistics; `solver_`
    says which.

    References
    ----------
    Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
    Technometrics 12 (1970).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import Ridge
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> model = Ridge(alpha=1.0).fit(X, [1.0, 2.0, 6.0, 7.0])
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

    @documented(texts.FIT)
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

        Parameters: X, y, sample_weight, checkpoint, checkpoint_every

        Returns: Self

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
            return self._fit_scan(X, y, sample_weight, checkpoint, checkpoint_every)
        refuse_checkpoint(checkpoint, checkpoint_every)
        X, y = self._check_rows(X, y, reset=True)
        forget(self, "statistics_")
        weight = check_weight(sample_weight, X, y)
        with named_in_errors(self, X), np.errstate(all="ignore"):
            # values that are not finite are found in the sums, or at the end
            problem, kept = self._problem_of(X, y, weight)
            result = solve(problem, **self._solver_options())
            self._store_result(problem, result, y.ndim, dtype_of_coef(X))
        self._finish(problem, result, kept)
        return self

    def _check_parameters(self) -> None:
        check_ridge_parameters(self)

    def _solve_statistics(self, stats: GramStatistics) -> Self:
        penalty = check_penalty_options(self, stats.n_features, stats.n_targets)
        problem = problem_of(stats._held(), penalty, fit_intercept=self.fit_intercept)
        kept = Kept(penalty.factors)
        with np.errstate(all="ignore"):
            problem = kept.problem(problem)
            result = solve(problem, **self._solver_options())
        self._store_result(problem, result, stats.y_ndim, np.float64)
        self.statistics_ = stats
        self._finish(problem, result, kept)
        return self
