"""Texts that the docstrings of the inference of generalized linear models share."""

from fastridge._docstrings import entries

INFERENCE = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    The rows that the model was fitted to; it does not keep them.
y : array-like of shape (n_samples,)
    The targets that the model was fitted to.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows in the fit; None is 1 for each.
offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
    The offset of the fit.
exposure : array-like of shape (n_samples,), default=None
    The exposure of the fit.
cov_type : {"nonrobust", "HC0", "HC1", "cluster"}, default="nonrobust"
    Covariance of the coefficients: by the information alone; the sandwich that allows each row a
    variance of its own, without or with the factor n / (n - number of coefficients); or that of
    groups of rows that depend on each other.
groups : array-like of shape (n_samples,), default=None
    Group of each row, for ``cov_type="cluster"``.
baseline : object, default=None
    With more than two classes, the class that the others are compared with. None compares each
    with the mean of all, as `coef_` does.
level : float, default=0.95
    Probability that the intervals cover, between 0 and 1.
method : {"wald", "profile"}, default="wald"
    Intervals from standard errors by `cov_type`, or those of all values that a likelihood ratio
    test does not reject, whose likelihood is maximised over the other coefficients. The latter are
    better for few rows, and need some fits for each coefficient.
features : int, str or sequence of these
    Indices or names of features.
ValueError
    If the rows are not those of the fit or are malformed, with an L1 penalty or excluded features,
    after separation, with more than 10,000 coefficients, or for another `cov_type` or `baseline`.
"""
)
