"""Rows that are known by their statistics alone."""

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge.designs.design import Design
from fastridge.statistics.accumulate import CentredProducts
from fastridge.statistics.gram_statistics import GramStatistics


class StatisticsDesign(Design):
    """A Gram matrix and means, and no rows: `X` and `weight` are None.

    Parameters
    ----------
    statistics : CentredProducts
    fit_intercept : bool, default=True
    n_threads : int, default=1
    """

    has_rows = False
    dtype = np.dtype(np.float64)

    def __init__(
        self, statistics: CentredProducts, fit_intercept: bool = True, n_threads: int = 1
    ) -> None:
        self.X = self.weight = None
        self.fit_intercept, self.n_threads = fit_intercept, n_threads
        self.statistics: CentredProducts = statistics
        self.sum_weights, self.mean = statistics.sum_weights, statistics.x_mean
        self.shape = statistics.n_samples, len(statistics.x_mean)

    def accumulate(self, y: np.ndarray | None = None) -> CentredProducts:
        """Return the statistics that are held."""
        return self.statistics

    def columns(self, index: np.ndarray) -> "StatisticsDesign":
        """Return the design of some columns."""
        held = self.statistics.columns(index)
        return StatisticsDesign(held, self.fit_intercept, self.n_threads)


class StreamedDesign(StatisticsDesign):
    """Rows that hold their own targets and weights, and are read once when first needed."""

    def __init__(self, fit_intercept: bool = True, n_threads: int = 1) -> None:
        self.X = self.weight = None
        self.fit_intercept, self.n_threads = fit_intercept, n_threads

    @computed_once
    def folds(self) -> list[GramStatistics]:
        """Statistics of all rows, as a list of one, or those of each fold."""
        raise NotImplementedError

    @computed_once
    def statistics(self) -> CentredProducts:
        """Statistics of all rows."""
        filled = [stats for stats in self.folds if stats.n_samples] or self.folds
        return sum(filled[1:], filled[0])._held()

    @computed_once
    def shape(self) -> tuple[int, int]:
        return self.statistics.n_samples, len(self.statistics.x_mean)

    @computed_once
    def sum_weights(self) -> float:
        return self.statistics.sum_weights

    @computed_once
    def mean(self) -> np.ndarray:
        """Weighted means of the columns."""
        return self.statistics.x_mean
