"""Rows that are known by their statistics alone."""

from typing import Self

import numpy as np

from fastridge.designs.design import Design
from fastridge.statistics.accumulate import CentredProducts


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

    def accumulate(self, y: np.ndarray) -> CentredProducts:
        """Return the statistics that are held."""
        return self.statistics

    def columns(self, index: np.ndarray) -> Self:
        """Return the design of some columns."""
        return type(self)(self.statistics.columns(index), self.fit_intercept, self.n_threads)
