"""What estimators share that choose an elastic net by cross-validation."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags, metadata_routing
from sklearn.utils.validation import column_or_1d

from fastridge._kernels.attributes import forget
from fastridge._typing import Float, PathLike, RowsLike
from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.designs import design_of
from fastridge.designs.design import Design
from fastridge.designs.scanned import ScanDesign
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
from fastridge.linear_model.prediction import named_in_errors
from fastridge.linear_model.routing import (
    UNROUTED_FIT,
    refuse_metadata_of_scan,
    routed_metadata,
)
from fastridge.linear_model.selection import planned_splits
from fastridge.linear_model.streamed import refuse_checkpoint, refuse_targets
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.elastic_net_folds import SplitErrors
from fastridge.model_selection.kfold import too_few_rows
from fastridge.model_selection.one_standard_error import choose, standard_error
from fastridge.model_selection.splits import GroupedRows
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.gram_sources import gram_pays, splits_at_once
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.statistics.fold_statistics import N_FOLDS, fold_ids, rows_by_fold, with_rows
from fastridge.statistics.gram_statistics import GramStatistics


class CrossValidatedMixin(ElasticNetMixin, RegressorMixin, BaseEstimator):
    """What `ElasticNetCV` and `LassoCV` share."""

    __metadata_request__fit: ClassVar[dict[str, str]] = {
        "groups": metadata_routing.UNUSED,
        "offset": metadata_routing.UNUSED,
        **UNROUTED_FIT,
    }

    path = staticmethod(enet_path)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = False
        return tags

    def _check_parameters(self) -> list[float]:
        """The l1_ratios; ValueError for what is not supported."""
        options: Any = self
        check_parameters(self)
        resolve_threads(options.n_threads)
        ratios = np.atleast_1d(np.asarray(getattr(self, "l1_ratio", 1.0), dtype=np.float64))
        if ratios.ndim != 1 or not len(ratios) or not ((ratios >= 0.0) & (ratios <= 1.0)).all():
            raise InvalidParameterError(
                f"The 'l1_ratio' parameter of {type(self).__name__} must be a float in the range "
                f"[0.0, 1.0] or a one-dimensional array-like of such. Got {options.l1_ratio!r} "
                "instead."
            )
        return ratios.tolist()

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
        X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
            Rows, read in place whatever their layout. A `fastridge.scan` is read once, each row
            into the statistics of a fold: its own, or one of `cv` folds (5 if that is None) of
            consecutive rows as scikit-learn's KFold makes them; where the number of rows is not
            known beforehand, row i is in fold ``i % cv``.
        y : array-like of shape (n_samples,), default=None
            Target; None only where X is a scan.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; None is 1 for each. They count in fitting and in each
            split's error; all splits count the same.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, for splitters that keep groups together.
        offset : array-like of shape (n_samples,), default=None
            A known part of the prediction: the model is fitted to ``y - offset``, and the offset of
            new rows is to be added to what `predict` returns. Not supported for a scan.
        checkpoint : str or os.PathLike, default=None
            For a scan: file in which the statistics are kept from time to time. After an
            interruption of any kind the same call with the same data resumes from it, to the same
            bits.
        checkpoint_every : int, default=None
            For a scan with `checkpoint`: number of rows between two writes; None is 10,000,000.
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
        options: Any = self
        l1_ratios = self._check_parameters()
        if isinstance(X, Scan):
            refuse_metadata_of_scan(groups, params)
            if offset is not None:
                raise ValueError("offset is not offered for a scan: subtract it from the target.")
            refuse_targets(y, sample_weight)
            folds = self._stream_folds()
            scanned = ScanDesign(X, folds, checkpoint, checkpoint_every, self._threads())
            return self.fit_statistics(scanned.folds)
        refuse_checkpoint(checkpoint, checkpoint_every)
        given_X = X
        X, y = self._check_rows(X, y, reset=True)
        if y.ndim > 1 and y.shape[1] > 1:
            raise ValueError(
                f"y must have shape (n_samples,), got {y.shape}: fit each target by itself (the "
                "multi-task penalty is not offered)."
            )
        y = np.asarray(column_or_1d(y, warn=True))
        X = without_excluded(X, options.penalty_factors)
        weight = check_weight(sample_weight, X)
        routed = routed_metadata(self, weight, groups, params)
        splits = planned_splits(options.cv, given_X, y, routed.split)
        y = without_offset(y, offset)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        n_threads = resolve_threads(self._threads())
        forget(self, "statistics_", "fold_statistics_")
        with named_in_errors(self, X), np.errstate(all="ignore"):
            rows, in_turn = None, 0
            design: Design = design_of(X, weight, options.fit_intercept, n_threads)
            loss = SquaredLoss(y)
            if not too_few_rows(X.shape, splits, weight) and gram_pays(design):
                rows = GroupedRows(design, y, splits)
                in_turn = splits_at_once(design, len(splits))
            if rows is not None and not in_turn:
                products = rows.total()
                design, loss = design.with_statistics(products), loss.with_statistics(products)
            whole = self._elastic_net_problem(design, loss)
            check_precompute(options.precompute, whole.given, auto=True)
            grid = self._grid(whole, l1_ratios)
            errors = SplitErrors(whole, l1_ratios, grid, len(splits), bool(options.verbose))
            if rows is not None and in_turn:
                errors.from_rows_in_turn(rows, in_turn)
            elif rows is not None:
                errors.from_rows(rows)
            else:
                errors.in_lockstep(splits)
            return self._choose(whole, l1_ratios, grid, errors, dtype)

    def partial_fit(
        self,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        fold: ArrayLike | None = None,
    ) -> Self:
        """Add rows, each to a fold, and choose again: exactly as one fit to all rows so far.

        For data with more rows than columns: memory is O(n_features^2) for each fold.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            New rows, with the features of those before.
        y : array-like of shape (n_samples,)
            Target of the new rows.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the new rows, at least 0; None is 1 for each.
        fold : int or array-like of shape (n_samples,), default=None
            The fold of all these rows, or of each, from 0 up. None puts row i, counted from the
            first row ever given, in fold ``i % k``, where k is `cv` (5 if that is None).

        Returns
        -------
        ElasticNetCV or LassoCV
            This estimator, fitted to all rows so far.

        Raises
        ------
        ValueError
            If a parameter is not supported, if `cv` is a splitter, while fewer than two folds hold
            rows, or if the rows are malformed, not finite, or do not have the features of those
            before.

        Warns
        -----
        ConvergenceWarning
            Once, if a path of some split or the final model did not reach its tolerance.
        """
        l1_ratios = self._check_parameters()
        cv = self._stream_folds()
        first = not hasattr(self, "fold_statistics_")
        X, y = self._check_rows(X, y, reset=first)
        weight = check_weight(sample_weight, X, allow_zero=True)
        seen = 0 if first else self._n_seen
        folds = with_rows(
            [] if first else self.fold_statistics_,
            rows_by_fold(fold_ids(fold, X.shape[0], seen, cv)),
            X,
            y,
            weight,
            names=getattr(self, "feature_names_in_", None),
            n_threads=self._threads(),
        )
        self._fit_folds(folds, l1_ratios)
        self._n_seen: int = seen + X.shape[0]
        return self

    def fit_statistics(self, fold_statistics: Sequence[GramStatistics]) -> Self:
        """Choose the penalty and fit to rows seen only through the statistics of their folds.

        Parameters
        ----------
        fold_statistics : sequence of GramStatistics
            Statistics of at least two folds, each of rows of its own. Kept as `fold_statistics_`,
            their sum as `statistics_`.

        Returns
        -------
        ElasticNetCV or LassoCV
            This estimator, fitted.

        Raises
        ------
        TypeError
            If `fold_statistics` holds anything else.
        ValueError
            If a parameter is not supported, if fewer than two folds hold rows, or if the statistics
            are those of several targets.

        Warns
        -----
        ConvergenceWarning
            Once, if a path of some split or the final model did not reach its tolerance.
        """
        l1_ratios = self._check_parameters()
        folds = list(fold_statistics)
        if not all(isinstance(stats, GramStatistics) for stats in folds):
            raise TypeError(
                "fold_statistics must be a sequence of GramStatistics, one a fold: make each with "
                "GramStatistics.from_data(X, y)."
            )
        forget(self, "feature_names_in_")
        self._fit_folds(folds, l1_ratios)
        self._n_seen = sum(stats.n_samples for stats in folds)
        return self

    def _fit_folds(self, folds: list[GramStatistics], l1_ratios: list[float]) -> None:
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
        self.n_features_in_ = total.n_features
        if total.feature_names is not None:
            self.feature_names_in_ = np.asarray(total.feature_names, dtype=object)
        with np.errstate(all="ignore"):
            whole = self._problem_of_statistics(total)
            grid = self._grid(whole, l1_ratios)
            verbose = bool(getattr(self, "verbose", False))
            errors = SplitErrors(whole, l1_ratios, grid, len(filled), verbose)
            errors.from_statistics(filled)
            self._choose(whole, l1_ratios, grid, errors, np.float64)
        self.fold_statistics_ = folds
        self.statistics_ = total

    def _stream_folds(self) -> int:
        """How many folds rows go to that come in parts."""
        options: Any = self
        cv = options.cv
        if cv is None:
            return N_FOLDS
        if isinstance(cv, bool) or not isinstance(cv, Integral) or cv < 2:
            raise ValueError(
                f"cv must be None or a number of folds from 2 up where rows come in parts, got "
                f"{cv!r}: give each row's fold instead."
            )
        return int(cv)

    def _threads(self) -> int | None:
        options: Any = self
        threads = options.n_jobs if options.n_threads is None else options.n_threads
        return None if threads is None else int(threads)

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
        dtype: Float,
    ) -> Self:
        options: Any = self
        mean = errors.mse.mean(axis=2)
        ratio = int(np.where(np.isnan(mean), np.inf, mean).argmin()) // mean.shape[1]
        alphas = grid[ratio]
        best, within = choose(alphas, mean[ratio], standard_error(errors.mse[ratio]))
        self.alpha_min_ = float(alphas[best])
        self.alpha_1se_ = float(alphas[within]) if within >= 0 else np.nan
        if within < 0 and options.selection == "1se":
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

        options: Any = self
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                splitter=check_cv(options.cv),
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )
