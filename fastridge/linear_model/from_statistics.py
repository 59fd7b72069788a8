"""Fits to rows that are seen only through their statistics: added in batches, or by a scan."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Folds, PathLike, RowsLike
from fastridge._validation import check_weight
from fastridge.data.scan import Scan
from fastridge.designs.scanned import ScanDesign
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.encoded_tables import remember_encoding
from fastridge.linear_model.options import n_folds_of
from fastridge.linear_model.prediction import LinearModelMixin
from fastridge.linear_model.routing import refuse_metadata_of_scan
from fastridge.linear_model.streamed import refuse_targets
from fastridge.statistics.fold_statistics import fold_ids, rows_by_fold, with_rows
from fastridge.statistics.gram_statistics import GramStatistics


class StatisticsMixin(LinearModelMixin):
    """`partial_fit` and `fit_statistics` of a model at given parameters."""

    n_threads: int | None
    statistics_: GramStatistics

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise ValueError naming the first parameter that is not supported."""

    @abstractmethod
    def _solve_statistics(self, stats: GramStatistics) -> Self:
        """Set the fitted attributes, `statistics_` included."""

    def _fit_scan(
        self,
        rows: Scan,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        checkpoint: PathLike | None,
        checkpoint_every: int | None,
    ) -> Self:
        refuse_targets(y, sample_weight)
        scanned = ScanDesign(rows, None, checkpoint, checkpoint_every, self.n_threads)
        self.fit_statistics(scanned.folds[0])
        remember_encoding(self, rows)
        return self

    @documented(texts.PARTIAL_FIT)
    def partial_fit(
        self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add rows and solve again: the result is that of one `fit` to all rows so far.

        These are the rows given to `partial_fit` and those in the statistics given to
        `fit_statistics`. `fit` to arrays keeps no statistics: after it, `partial_fit` starts again.
        A call costs a pass over the new rows and one solution, in O(n_features^2) memory.

        Parameters: X, y, sample_weight

        Returns
        -------
        Ridge, ElasticNet or Lasso
            This estimator, fitted to all rows so far.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if the rows are malformed, not finite, or do not
            have the features and targets of those before.

        Warns
        -----
        ConvergenceWarning
            If an iterative solver stopped at `max_iter`.
        """
        self._check_parameters()
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
        Ridge, ElasticNet or Lasso
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
            If an iterative solver stopped at `max_iter`.

        Examples
        --------
        >>> import numpy as np
        >>> from fastridge import GramStatistics, Ridge
        >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
        >>> stats = GramStatistics.from_data(X, [1.0, 2.0, 6.0, 7.0])
        >>> Ridge(alpha=1.0).fit_statistics(stats).coef_.round(2)
        array([1.44, 0.78])
        """
        self._check_parameters()
        if not isinstance(stats, GramStatistics):
            raise TypeError(
                f"stats must be GramStatistics, got {type(stats).__name__}: make them with "
                "GramStatistics.from_data(X, y)."
            )
        _take_features(self, stats)
        return self._solve_statistics(stats)


def _take_features(model: LinearModelMixin, stats: GramStatistics) -> None:
    """Store the number and the names of the features, as `fit` does."""
    model.n_features_in_ = stats.n_features
    forget(model, "feature_names_in_", "encoding_")
    if stats.feature_names is not None:
        model.feature_names_in_ = np.asarray(stats.feature_names, dtype=object)


def _fits_in_parts(model: BaseEstimator) -> bool:
    model._refuse_parts()
    return True


class FoldStatisticsMixin(LinearModelMixin):
    """`partial_fit` and `fit_statistics` of a model that cross-validation chooses."""

    cv: Folds | None
    fold_statistics_: list[GramStatistics]
    statistics_: GramStatistics
    _n_seen: int

    def _refuse_parts(self) -> None:
        """Raise AttributeError if a parameter needs all rows at once."""

    @abstractmethod
    def _check_without_rows(self) -> Any:
        """Return what the choice depends on, or refuse what is not supported without rows."""

    @abstractmethod
    def _threads(self) -> int | None:
        """Return the number of threads, as given."""

    @abstractmethod
    def _refuse_folds(self, filled: list[GramStatistics], checked: Any) -> None:
        """Raise ValueError if too few folds have rows."""

    @abstractmethod
    def _choose_by_folds(
        self, filled: list[GramStatistics], total: GramStatistics, checked: Any
    ) -> None:
        """Choose the penalty by the folds that have rows, and fit to all rows."""

    def _fit_folds(self, folds: list[GramStatistics], checked: Any) -> None:
        filled = [stats for stats in folds if stats.n_samples]
        self._refuse_folds(filled, checked)
        total = sum(filled[1:], filled[0])
        _take_features(self, total)
        self._choose_by_folds(filled, total, checked)
        self.fold_statistics_ = folds
        self.statistics_ = total

    def _fit_scan(
        self,
        rows: Scan,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        params: dict[str, object],
        checkpoint: PathLike | None,
        checkpoint_every: int | None,
    ) -> Self:
        refuse_metadata_of_scan(groups, params)
        self._check_without_rows()
        refuse_targets(y, sample_weight)
        n_folds, n_threads = n_folds_of(self.cv), self._threads()
        scanned = ScanDesign(rows, n_folds, checkpoint, checkpoint_every, n_threads)
        self.fit_statistics(scanned.folds)
        remember_encoding(self, rows)
        return self

    @available_if(_fits_in_parts)  # type: ignore[untyped-decorator]
    @documented(texts.PARTIAL_FIT)
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

        Parameters: X, y, sample_weight, fold

        Returns
        -------
        RidgeCV, ElasticNetCV or LassoCV
            This estimator, fitted to all rows so far.

        Raises
        ------
        ValueError
            If a parameter is not supported, if `cv` is a splitter, if folds are needed and fewer
            than two hold rows, or if the rows are malformed, not finite, or do not have the
            features and targets of those before.
        AttributeError
            For `RidgeCV` with ``method="loo"``, and with a `scoring` that needs predictions: both
            need the rows themselves.

        Warns
        -----
        ConvergenceWarning
            Once, if an iterative solver did not reach its tolerance.
        """
        checked = self._check_without_rows()
        first = not hasattr(self, "fold_statistics_")
        X, y = self._check_rows(X, y, reset=first)
        weight = check_weight(sample_weight, X, allow_zero=True)
        seen = 0 if first else self._n_seen
        folds = with_rows(
            [] if first else self.fold_statistics_,
            rows_by_fold(fold_ids(fold, X.shape[0], seen, cast("int | None", self.cv))),
            X,
            y,
            weight,
            names=getattr(self, "feature_names_in_", None),
            n_threads=self._threads(),
        )
        self._fit_folds(folds, checked)
        self._n_seen = seen + X.shape[0]
        return self

    def fit_statistics(self, fold_statistics: Sequence[GramStatistics]) -> Self:
        """Choose the penalty and fit to rows seen only through the statistics of their folds.

        Parameters
        ----------
        fold_statistics : sequence of GramStatistics
            Statistics of each fold, of rows of its own. Kept as `fold_statistics_`, their sum as
            `statistics_`.

        Returns
        -------
        RidgeCV, ElasticNetCV or LassoCV
            This estimator, fitted.

        Raises
        ------
        TypeError
            If `fold_statistics` holds anything else.
        ValueError
            If a parameter is not supported or needs the rows themselves, as ``method="loo"`` does,
            if folds are needed and fewer than two hold rows, or if the statistics are those of
            several targets where one is supported.

        Warns
        -----
        ConvergenceWarning
            Once, if an iterative solver did not reach its tolerance.
        """
        checked = self._check_without_rows()
        folds = list(fold_statistics)
        if not all(isinstance(stats, GramStatistics) for stats in folds):
            raise TypeError(
                "fold_statistics must be a sequence of GramStatistics, one per fold: make each "
                "with GramStatistics.from_data(X, y)."
            )
        self._fit_folds(folds, checked)
        self._n_seen = sum(stats.n_samples for stats in folds)
        return self
