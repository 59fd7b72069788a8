"""Elastic net and lasso that choose their penalty by cross-validation."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import metadata_routing
from sklearn.utils.validation import column_or_1d

from fastridge._threads import resolve_threads
from fastridge._validation import check_weight
from fastridge.linear_model.elastic_net import ElasticNetMixin
from fastridge.linear_model.elastic_net_options import (
    ORDERS,
    check_descent,
    check_precompute,
    check_real,
    path_alphas,
    warn_not_converged,
    without_offset,
    worst_of,
)
from fastridge.linear_model.elastic_net_path import enet_path
from fastridge.linear_model.options import SELECTIONS, check_flags, check_offered
from fastridge.linear_model.selection import planned_splits
from fastridge.solvers.elastic_net.folds import SplitErrors
from fastridge.solvers.elastic_net.path import Point
from fastridge.solvers.elastic_net.problem import ElasticNetProblem
from fastridge.solvers.folds import GroupedRows
from fastridge.solvers.kfold import too_few_rows
from fastridge.statistics import GramStatistics


class CrossValidatedMixin(ElasticNetMixin, RegressorMixin, BaseEstimator):
    """What `ElasticNetCV` and `LassoCV` share."""

    __metadata_request__fit: ClassVar[Any] = {
        "groups": metadata_routing.UNUSED,
        "offset": metadata_routing.UNUSED,
    }

    path = staticmethod(enet_path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = False
        return tags

    def _check_parameters(self) -> list[float]:
        """The l1_ratios; ValueError for what is not offered."""
        options: Any = self
        check_flags(self, ("fit_intercept", "copy_X", "positive", "standardize"))
        check_offered(self, "selection", (*ORDERS, *SELECTIONS))
        check_descent(options.tol, options.max_iter, options.random_state)
        check_real("eps", options.eps, above=True)
        resolve_threads(options.n_threads)
        ratios = np.atleast_1d(getattr(self, "l1_ratio", 1.0))
        if ratios.ndim != 1 or not len(ratios):
            raise ValueError(
                f"The 'l1_ratio' parameter must be a number or one-dimensional, got {ratios!r}."
            )
        for ratio in ratios:
            check_real("l1_ratio", float(ratio), most=1.0)
        return [float(ratio) for ratio in ratios]

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        offset: Any = None,
        **params: Any,
    ) -> Self:
        """Choose the penalty and fit the model to all rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : float or array-like of shape (n_samples,), optional
            Not negative. Counts in fitting and in each split's error; splits count alike.
        groups : array-like of shape (n_samples,), optional
            For splitters that keep groups of rows together.
        offset : array-like of shape (n_samples,), optional
            A known part of the prediction: see `ElasticNet.fit`.
        **params : dict
            For the splitter, with scikit-learn's metadata routing switched on.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            Where a parameter is not offered, or the data are malformed or not finite.

        Warns
        -----
        ConvergenceWarning
            Once, where a path of some split or the final model did not reach its tolerance.
        """
        options: Any = self
        l1_ratios = self._check_parameters()
        X, y = self._check_rows(X, y, reset=True)
        if y.ndim > 1 and y.shape[1] > 1:
            raise ValueError(
                f"y must have shape (n_samples,), got {y.shape}: fit each target by itself (the "
                "multi-task penalty is not offered)."
            )
        y = column_or_1d(y, warn=True)
        weight = check_weight(sample_weight, X)
        groups = self._routed_groups(groups, sample_weight, params)
        splits = planned_splits(options.cv, y, groups)
        y = without_offset(y, offset)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        n_threads = resolve_threads(self._threads())
        self._forget()
        with np.errstate(all="ignore"):  # what is not finite is named
            rows = None
            if not too_few_rows(X.shape, splits, weight):
                rows = GroupedRows(X, y, weight, splits, n_threads)
            whole = self._elastic_net_problem(X, y, weight, rows and rows.total())
            whole.rows.n_threads = n_threads
            check_precompute(options.precompute, whole.rows, auto=True)
            grid = self._grid(whole, l1_ratios)
            errors = SplitErrors(whole, l1_ratios, grid, len(splits), bool(options.verbose))
            if rows is not None:
                errors.from_rows(rows)
            else:
                errors.in_lockstep(splits)
            return self._choose(whole, l1_ratios, grid, errors, dtype)

    def fit_statistics(self, fold_statistics: Sequence[GramStatistics]) -> Self:
        """Choose the penalty and fit to rows seen only through the statistics of their folds.

        Parameters
        ----------
        fold_statistics : sequence of GramStatistics
            At least two, one a fold, of rows of its own. Kept as `fold_statistics_`, their sum as
            `statistics_`.

        Returns
        -------
        self : object
        """
        l1_ratios = self._check_parameters()
        folds = list(fold_statistics)
        if not all(isinstance(stats, GramStatistics) for stats in folds):
            raise TypeError(
                "fold_statistics must be a sequence of GramStatistics, one a fold: make each with "
                "GramStatistics.from_data(X, y)."
            )
        filled = [stats for stats in folds if stats.n_samples]
        if len(filled) < 2:
            raise ValueError(
                f"cross-validation needs rows in at least 2 folds, and there is {len(filled)}."
            )
        total = sum(filled[1:], filled[0])
        if total.n_targets != 1:
            raise ValueError(
                f"the statistics are of {total.n_targets} targets: give those of one at a time."
            )
        self._forget()
        self.n_features_in_ = total.n_features
        self.__dict__.pop("feature_names_in_", None)
        if total.feature_names is not None:
            self.feature_names_in_ = np.asarray(total.feature_names, dtype=object)
        with np.errstate(all="ignore"):
            whole = self._elastic_net_problem(None, None, None, total._held())
            grid = self._grid(whole, l1_ratios)
            verbose = bool(getattr(self, "verbose", False))
            errors = SplitErrors(whole, l1_ratios, grid, len(filled), verbose)
            errors.from_statistics(filled)
            self._choose(whole, l1_ratios, grid, errors, np.float64)
        self.fold_statistics_ = folds
        self.statistics_ = total
        return self

    def _threads(self) -> int | None:
        options: Any = self
        threads = options.n_jobs if options.n_threads is None else options.n_threads
        return None if threads is None else int(threads)

    def _forget(self) -> None:
        for name in ("statistics_", "fold_statistics_"):
            self.__dict__.pop(name, None)

    def _routed_groups(self, groups: Any, sample_weight: Any, params: dict[str, Any]) -> Any:
        from sklearn.utils.metadata_routing import process_routing

        if not params:
            return groups
        from sklearn.utils._metadata_requests import _raise_for_params

        _raise_for_params(params, self, "fit")
        routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
        return routed.splitter.split.get("groups", groups)

    def _grid(self, whole: ElasticNetProblem, l1_ratios: Sequence[float]) -> list[np.ndarray]:
        options: Any = self
        alphas = options.alphas
        if options.n_alphas is not None and np.ndim(alphas) == 0:
            alphas = options.n_alphas
        return [path_alphas(whole, alphas, ratio, options.eps) for ratio in l1_ratios]

    def _choose(
        self,
        whole: ElasticNetProblem,
        l1_ratios: Sequence[float],
        grid: list[np.ndarray],
        errors: SplitErrors,
        dtype: Any,
    ) -> Self:
        options: Any = self
        mean = errors.mse.mean(axis=2)
        mean = np.where(np.isnan(mean), np.inf, mean)
        ratio, best = divmod(int(mean.argmin()), mean.shape[1])
        alphas = grid[ratio]
        self.alpha_min_, self.alpha_1se_ = float(alphas[best]), np.nan
        n_splits = errors.mse.shape[2]
        if n_splits > 1:
            bound = mean[ratio, best] + errors.mse[ratio, best].std(ddof=1) / np.sqrt(n_splits)
            self.alpha_1se_ = float(alphas[np.flatnonzero(mean[ratio] <= bound)[0]])
        elif options.selection == "1se":
            raise ValueError("selection='1se' needs a standard error: give at least 2 splits.")
        chosen = self.alpha_1se_ if options.selection == "1se" else self.alpha_min_
        points: list[Point] = []
        whole.path([np.array([chosen])], l1_ratios[ratio], points=[points])
        self._store_points(whole, points, 1, dtype)
        self.alpha_ = chosen
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = l1_ratios[ratio]
        shared = len(grid) == 1 or np.ndim(options.alphas) > 0
        self.alphas_ = grid[0] if shared else np.array(grid)
        self.mse_path_ = np.squeeze(errors.mse)
        worst, tolerance = worst_of(points), whole.tol * whole.sources[0].target_square
        if worst is None:
            worst, tolerance = errors.worst, errors.tolerance
        if worst is not None:
            warn_not_converged(worst, tolerance, whole.max_iter)
        return self

    def get_metadata_routing(self) -> Any:
        """The metadata that `fit` hands on: see scikit-learn's user guide on routing."""
        from sklearn.model_selection import check_cv
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        options: Any = self
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=check_cv(options.cv),
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )


class ElasticNetCV(CrossValidatedMixin):
    """Elastic net that chooses alpha and l1_ratio, as `sklearn.linear_model.ElasticNetCV`.

    Minimises the objective of `fastridge.ElasticNet` at the penalty that predicts best by
    cross-validation. With more training rows than columns, X is read once for all splits, alphas
    and l1_ratios; else each pass over X serves several splits' paths at once.

    Parameters
    ----------
    l1_ratio : float or array-like of shape (n_l1_ratios,), default=0.5
    eps : float, default=1e-3
        The least alpha over the largest.
    alphas : int or array-like of shape (n_alphas,), default=100
        The alphas, or how many to try for each l1_ratio from the least alpha at which all
        coefficients are zero down. None is as 100.
    fit_intercept : bool, default=True
    precompute : "auto", bool or array-like, default="auto"
        Taken for compatibility: see `fastridge.ElasticNet`.
    max_iter : int, default=1000
    tol : float, default=1e-4
    cv : int, splitter, iterable or None, default=None
        Number of folds (consecutive rows), a scikit-learn splitter, or pairs of arrays of row
        numbers; None is 5 folds.
    copy_X : bool, default=True
        Taken for compatibility: X is never written to.
    verbose : bool or int, default=0
        Print a line for each split's path.
    n_jobs : int or None, default=None
        Threads, where `n_threads` is None and this is not.
    positive : bool, default=False
    random_state : int, RandomState instance or None, default=None
        Taken for compatibility: nothing is random.
    selection : {"cyclic", "random", "min", "1se"}, default="cyclic"
        ``"1se"`` takes the largest alpha whose mean error is within one standard error of the
        least (at the best l1_ratio). The others take the least; "cyclic" and "random" are
        scikit-learn's.
    n_alphas : int, optional
        How many alphas, where `alphas` is not an array (older versions of scikit-learn).
    penalty_factors, bounds, standardize
        As for `fastridge.ElasticNet`; deviations are those of the training rows of each split.
    n_threads : int, optional
        Threads of the passes over X and of the splits' paths; None is ``FASTRIDGE_NUM_THREADS``
        or all usable cores.

    Attributes
    ----------
    alpha_ : float
    alpha_min_, alpha_1se_ : float
        The alpha of the least mean error, and that within one standard error of it (NaN with a
        single split).
    l1_ratio_ : float
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    mse_path_ : ndarray of shape (n_l1_ratios, n_alphas, n_splits)
        Mean squared error of each split; axes of length one are dropped.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
    dual_gap_, n_iter_, status_, solver_
        As of `fastridge.ElasticNet`, for the final model.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had names.
    statistics_ : GramStatistics
        Of all rows, as the next only after `fit_statistics`.
    fold_statistics_ : list of GramStatistics

    See Also
    --------
    fastridge.LassoCV : With ``l1_ratio=1``.
    fastridge.ElasticNet : At a given penalty; notes and references.

    Notes
    -----
    Memory beyond X is O(n_features^2) a thread and split with more training rows than columns;
    else a copy of the columns in use for each path of a pass. CSC is turned into CSR for the
    former, CSR into CSC for the latter.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import ElasticNetCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> y = X @ [3.0, 0.0, 0.0, 1.0, 0.0] + rng.normal(size=60)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 0.9, 1.0], cv=5).fit(X, y)
    >>> model.l1_ratio_, round(model.alpha_, 3), int((model.coef_ != 0.0).sum())
    (1.0, 0.041, 5)
    """

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: Any = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        n_alphas: int | None = None,
        penalty_factors: Any = None,
        bounds: Any = None,
        standardize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.n_alphas = n_alphas
        self.penalty_factors = penalty_factors
        self.bounds = bounds
        self.standardize = standardize
        self.n_threads = n_threads


class LassoCV(CrossValidatedMixin):
    """Lasso that chooses alpha by cross-validation, as `sklearn.linear_model.LassoCV`.

    `fastridge.ElasticNetCV`, which see for all parameters and attributes, with ``l1_ratio=1``.

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv, verbose, n_jobs, positive
        As for `fastridge.ElasticNetCV`.
    random_state, selection, n_alphas, penalty_factors, bounds, standardize, n_threads
        As for `fastridge.ElasticNetCV`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import LassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> y = X @ [3.0, 0.0, 0.0, 1.0, 0.0] + rng.normal(size=60)
    >>> LassoCV(selection="1se").fit(X, y).coef_.round(1)
    array([2.6, 0. , 0. , 0.6, 0. ])
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: Any = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        n_alphas: int | None = None,
        penalty_factors: Any = None,
        bounds: Any = None,
        standardize: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.n_alphas = n_alphas
        self.penalty_factors = penalty_factors
        self.bounds = bounds
        self.standardize = standardize
        self.n_threads = n_threads
