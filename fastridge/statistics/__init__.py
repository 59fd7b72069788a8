"""Sufficient statistics of the squared loss: the Gram matrix, accumulated in one pass."""

from fastridge.statistics.gram_statistics import GramStatistics

__all__ = ["GramStatistics"]
