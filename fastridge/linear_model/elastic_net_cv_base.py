"""The fit and the methods that `ElasticNetCV` and `LassoCV` share."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags, metadata_routing
from sklearn.utils.validation import column_or_1d

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Float, PathLike, RowsLike
from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.designs import design_for_columns
from fastridge.designs.design import Design
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import InvalidParameterError, check_parameters
from fastridge.linear_model.elastic_net import ElasticNetMixin
from fastridge.linear_model.elastic_net_options import (
    check_precompute,
    path_alphas,
    warn_not_converged,
    without_excluded,
    without_offset,
    worst_of,
)
from fastridge.linear_model.elastic_net_path import enet_path
from fastridge.linear_model.from_statistics import FoldStatisticsMixin
from fastridge.linear_model.options import n_folds_of
from fastridge.linear_model.planned_splits import planned_splits
from fastridge.linear_model.prediction import named_in_errors
from fastridge.linear_model.routing import (
    UNROUTED_FIT,
    routed_metadata,
)
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.elastic_net_folds import SplitErrors
from fastridge.model_selection.kfold import too_few_rows
from fastridge.model_selection.one_standard_error import choose, standard_error
from fastridge.model_selection.splits import GroupedRows
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.gram_sources import gram_pays, splits_at_once
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.statistics.gram_statistics import GramStatistics


class CrossValidatedMixin(FoldStatisticsMixin, ElasticNetMixin, RegressorMixin, BaseEstimator):
    """The methods that `ElasticNetCV` and `LassoCV` share."""

    eps: float
    alphas: Any  # int | ArrayLike | None, of which NumPy does not take None
    precompute: bool | ArrayLike | Literal["auto"]
    verbose: bool | int
    n_jobs: int | None
    selection: Literal["cyclic", "random", "min", "1se"]
    n_alphas: int | None

    __metadata_request__fit: ClassVar[dict[str, str]] = {
        "groups": metadata_routing.UNUSED,
        "offset": metadata_routing.UNUSED,
        **UNROUTED_FIT,
    }

    path = staticmethod(enet_path)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _check_parameters(self) -> list[float]:
        """Return the l1_ratios. Raises ValueError if a parameter is not supported."""
        check_parameters(self)
        resolve_threads(self.n_threads)
        ratios = np.atleast_1d(np.asarray(getattr(self, "l1_ratio", 1.0), dtype=np.float64))
        if ratios.ndim != 1 or not len(ratios) or not ((ratios >= 0.0) & (ratios <= 1.0)).all():
            raise InvalidParameterError(
                f"The 'l1_ratio' parameter of {type(self).__name__} must be a float in the range "
                f"[0.0, 1.0] or a one-dimensional array-like of such. Got {self.l1_ratio!r} "
                "instead."
            )
        return ratios.tolist()

    @documented(texts.FIT_CV)
    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
        **params: object,
    ) -> Self:
        """Choose the penalty and fit the model to all rows.

        Parameters
        ----------
        X
        y : array-like of shape (n_samples,), default=None
            Target; None only where X is a scan.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; None is 1 for each. They count in fitting and in each
            split's error; all splits count the same.
        groups
        offset : array-like of shape (n_samples,), default=None
        checkpoint, checkpoint_every
        **params : dict
            Metadata for the splitter, with scikit-learn's metadata routing enabled.

        Returns
        -------
        ElasticNetCV or LassoCV
            This estimator, fitted.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if the data are malformed or not finite.
        TypeError
            If `groups` or metadata is given that the splitter does not take.

        Warns
        -----
        ConvergenceWarning
            Once, if a path of some split or the final model did not reach its tolerance.
        """
        l1_ratios = self._check_parameters()
        if isinstance(X, Scan):
            if offset is not None:
                raise ValueError("offset is not supported for a scan: subtract it from the target.")
            return self._fit_scan(X, y, sample_weight, groups, params, checkpoint, checkpoint_every)
        refuse_checkpoint(checkpoint, checkpoint_every)
        given_X = X
        X, y = self._check_rows(X, y, reset=True)
        if y.ndim > 1 and y.shape[1] > 1:
            raise ValueError(
                f"y must have shape (n_samples,), got {y.shape}: fit each target by itself (the "
                "multi-task penalty is not supported)."
            )
        y = np.asarray(column_or_1d(y, warn=True))
        X = without_excluded(X, self.penalty_factors)
        weight = check_weight(sample_weight, X, y)
        routed = routed_metadata(self, weight, groups, params)
        splits = planned_splits(self.cv, given_X, y, routed.split)
        y = without_offset(y, offset)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        n_threads = resolve_threads(self._threads())
        forget(self, "statistics_", "fold_statistics_")
        with named_in_errors(self, X), np.errstate(all="ignore"):
            rows, in_turn = None, 0
            design: Design = design_for_columns(X, weight, self.fit_intercept, n_threads)
            loss = SquaredLoss(y)
            if not too_few_rows(X.shape, splits, weight) and gram_pays(design):
                rows = GroupedRows(design, y, splits)
                in_turn = splits_at_once(design, len(splits))
            if rows is not None and not in_turn:
                products = rows.total()
                design, loss = design.with_statistics(products), loss.with_statistics(products)
            whole = self._elastic_net_problem(design, loss)
            check_precompute(self.precompute, whole.given, auto=True)
            grid = self._grid(whole, l1_ratios)
            errors = SplitErrors(whole, l1_ratios, grid, len(splits), bool(self.verbose))
            if rows is not None and in_turn:
                errors.from_rows_in_turn(rows, in_turn)
            elif rows is not None:
                errors.from_rows(rows)
            else:
                errors.in_lockstep(splits)
            return self._choose(whole, l1_ratios, grid, errors, dtype)

    def _check_without_rows(self) -> list[float]:
        n_folds_of(self.cv)
        return self._check_parameters()

    def _refuse_folds(self, filled: list[GramStatistics], checked: list[float]) -> None:
        if len(filled) < 2:
            raise ValueError(
                f"cross-validation needs rows in at least 2 folds, and there is {len(filled)}."
            )
        if filled[0].n_targets != 1:
            raise ValueError(
                f"the statistics are of {filled[0].n_targets} targets: give those of one at a time."
            )

    def _choose_by_folds(
        self, filled: list[GramStatistics], total: GramStatistics, checked: list[float]
    ) -> None:
        with np.errstate(all="ignore"):
            whole = self._problem_of_statistics(total)
            grid = self._grid(whole, checked)
            errors = SplitErrors(whole, checked, grid, len(filled), bool(self.verbose))
            errors.from_statistics(filled)
            self._choose(whole, checked, grid, errors, np.float64)

    def _threads(self) -> int | None:
        threads = self.n_jobs if self.n_threads is None else self.n_threads
        return None if threads is None else int(threads)

    def _grid(self, whole: ElasticNetProblem, l1_ratios: Sequence[float]) -> list[np.ndarray]:
        alphas = self.alphas
        if self.n_alphas is not None and np.ndim(alphas) == 0:
            alphas = self.n_alphas
        return [path_alphas(whole, alphas, ratio, self.eps) for ratio in l1_ratios]

    def _choose(
        self,
        whole: ElasticNetProblem,
        l1_ratios: Sequence[float],
        grid: list[np.ndarray],
        errors: SplitErrors,
        dtype: Float,
    ) -> Self:
        mean = errors.mse.mean(axis=2)
        ratio = int(np.where(np.isnan(mean), np.inf, mean).argmin()) // mean.shape[1]
        alphas = grid[ratio]
        best, within = choose(alphas, mean[ratio], standard_error(errors.mse[ratio]))
        self.alpha_min_ = float(alphas[best])
        self.alpha_1se_ = float(alphas[within]) if within >= 0 else np.nan
        if within < 0 and self.selection == "1se":
            raise ValueError("selection='1se' needs a standard error: give at least 2 splits.")
        chosen = self.alpha_1se_ if self.selection == "1se" else self.alpha_min_
        points: list[Point] = []
        whole.path([np.array([chosen])], l1_ratios[ratio], points=[points])
        self._store_points(whole, points, 1, dtype)
        self.alpha_ = chosen
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = l1_ratios[ratio]
        shared = len(grid) == 1 or np.ndim(self.alphas) > 0
        self.alphas_ = grid[0] if shared else np.array(grid)
        self.mse_path_ = np.squeeze(errors.mse)
        worst, tolerance = worst_of(points), whole.tol * whole.sources[0].mean_square
        if worst is None:
            worst, tolerance = errors.worst()
        if worst is not None:
            warn_not_converged(worst, tolerance, whole.max_iter)
        return self

    def get_metadata_routing(self) -> metadata_routing.MetadataRouter:
        """Return the metadata that `fit` passes on to the splitter.

        Returns
        -------
        MetadataRouter
            Its meaning is in scikit-learn's user guide on metadata routing.
        """
        from sklearn.model_selection import check_cv
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=check_cv(self.cv),
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )
