"""Texts of parameters that the docstrings of statistics share."""

from fastridge._docstrings import entries

STATISTICS = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Features, of any layout and numeric dtype, read in place.
y : array-like of shape (n_samples,) or (n_samples, n_targets)
    Targets.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights, at least 0; None is 1 for each. An integer weight counts a row that many times.
n_threads : int, default=None
    Number of threads; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores.
feature_names : sequence of str, default=None
    Names of the features; None takes the names of the columns of a DataFrame.
target_names : sequence of str, default=None
    Names of the targets.
Self
    These statistics.
"""
)
