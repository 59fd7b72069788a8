"""Texts of parameters and attributes that docstrings of support vector machines share."""

from fastridge._docstrings import entries
from fastridge.linear_model import parameter_texts

MODEL = parameter_texts.LINEAR_MODEL | entries(
    """
C : float, default=1.0
    Factor of the losses: the penalty is ``1 / C`` times as strong. Above 0 and finite.
tol : float, default=1e-4
    The fit stops where the duality gap is at most `tol` times the objective, for squared losses
    ``tol / 100`` times: so much the objective may be above its minimum.
fit_intercept : bool, default=True
    Fit an intercept. Otherwise `intercept_` is 0.
intercept_scaling : float, default=1.0
    The intercept is the coefficient of a feature with this value in every row, times this value,
    and has the same penalty as all coefficients, as in liblinear.
penalize_intercept : bool, default=True
    False fits the intercept without a penalty; `intercept_scaling` is ignored.
dual : "auto" or bool, default="auto"
    Accepted for compatibility: the combinations that liblinear has not are refused, and otherwise
    the shape of X decides how to minimise.
verbose : int, default=0
    If above 0, print one line about the fit.
random_state : int, RandomState instance or None, default=None
    Seed of the order of the rows in coordinate descent, where that is used.
max_iter : int, default=1000
    Most Newton steps, or epochs of coordinate descent.
n_threads : int, default=None
    Number of threads for Gram matrices; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores.
intercept_ : float or ndarray of shape (n_outputs,)
    Intercepts; 0.0 with ``fit_intercept=False``.
n_iter_ : int
    Number of Newton steps or epochs; of several classes, the largest.
dual_gap_ : float
    Most by which the objective is above its minimum; of several classes, the largest. NaN with an
    L1 penalty.
solver_ : str
    "newton-cholesky" or "newton-dual" (by columns or by rows), "interior-point", "dual-cd" for
    coordinate descent, "newton-cd" with an L1 penalty.
status_ : {"converged", "not converged"}
    Whether the fit ended at the tolerance (or at rounding), or at `max_iter`.
"""
)

FIT = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Rows, read in place whatever their layout.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows, at least 0; None is 1 for each. They multiply C.
Self
    This estimator, fitted.
TypeError
    If X is an array of another library or a scan.
ValueError
    If a parameter is not supported, parameters exclude each other, or the data are malformed or not
    finite.
ConvergenceWarning
    If `max_iter` steps or epochs did not reach the tolerance.
"""
)
