"""Texts of parameters, attributes and exceptions that the docstrings of displays share."""

from fastridge._docstrings import entries

DISPLAY = entries(
    """
alphas : array-like of shape (n_alphas,)
    Penalties, finite and at least 0.
coefs : array-like of shape (n_alphas, n_features)
    Coefficients for each alpha.
mean_scores : array-like of shape (n_alphas,)
    Mean score of each alpha; greater is better.
scoring : str, default="score"
    Name of the score. If it begins with ``"neg_"`` or is ``"gcv"``, the curve is drawn as an error,
    with the sign reversed.
label : str, default=None
    Label of the curve.
eigenvalues : array-like of shape (n_directions,)
    The d^2, eigenvalues of the Gram matrix in the units of the penalty, at least 0; drawn in
    decreasing order.
alpha : float or array-like of shape (n_alphas,)
    Penalties on the scale of sums, at least 0; each is drawn as a curve.
stats : GramStatistics
    Statistics of the rows.
X : array-like or sparse matrix of shape (n_samples, n_features)
    Rows.
y : array-like of shape (n_samples,) or (n_samples, n_targets)
    Targets.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows, at least 0; None is 1 for each.
target : int, default=0
    Index of the target, if there are several.
ax : matplotlib.axes.Axes, default=None
    Axes to draw on; None makes new ones.
ax_ : matplotlib.axes.Axes
    The axes of the plot.
figure_ : matplotlib.figure.Figure
    The figure of the axes.
Self
    The display, drawn.
ValueError
    If an alpha is negative or not finite, or if shapes differ.
ImportError
    If matplotlib is not installed.
"""
)
