"""Texts that the docstrings of logistic regression and generalized linear models share."""

from fastridge._docstrings import entries
from fastridge.linear_model.parameter_texts import LINEAR_MODEL

SMOOTH = LINEAR_MODEL | entries(
    """
tol : float, default=1e-4
    The fit stops where the norm of the gradient, in the metric of the Hessian, is at most
    ``tol / 100`` times the root of the objective, so that coefficients have about as many digits
    as `tol`, and the default gives five at least.
verbose : int, default=0
    If above 0, print one line about the fit.
warm_start : bool, default=False
    Start from the coefficients of the last fit (not with more features than samples).
standardize : bool, default=False
    Penalise the coefficients of standardised columns; `coef_` and `bounds` stay in the units of X.
penalty_factors : array-like of shape (n_features,), default=None
    A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
    without a penalty. Infinity excludes it.
bounds : (lower, upper), default=None
    Least and largest coefficients, each a number or an array-like of shape (n_features,), with
    ``lower <= 0 <= upper``. None is without bounds.
alpha_scale : {"mean", "sum"}, default="mean"
    Whether alpha times the penalty is added to the weighted mean of the losses, or to their sum.
n_threads : int, default=None
    Number of threads for the passes over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores.
status_ : {"converged", "not converged", "separated"}
    How the fit ended: at the tolerance, at `max_iter`, or without a minimum, because features
    without a penalty separate the classes (or targets of zero from others).
solver_ : str
    How Newton steps were solved: "newton-cholesky" or "newton-eigh" by the Hessian, "newton-dual"
    in the samples, "newton-cg" by conjugate gradients, "newton-cd" with an L1 penalty.
rcond_ : float or None
    Reciprocal condition number of the last Hessian with unit diagonal, where one was factored.
n_passes_ : int
    After a fit to a scan: how many times all of its rows were read, after a sample of them.
gradient_norm_ : float
    Norm of the gradient, in the metric of the Hessian, relative to the root of the objective. It is
    1 where both are rounding, as in a perfect fit. The last step is not evaluated where the steps
    before it tell what it leaves; norm and gap are then those that it leaves at most.
dual_gap_ : float or None
    Most by which the objective is above its minimum; None where a feature has no penalty.
"""
)

GLM = SMOOTH | entries(
    """
alpha : float, default=1.0
    Strength of the penalty, at least 0.
l1_ratio : float, default=0.0
    Share of the L1 norm in ``alpha ((1 - l1_ratio) ||w||^2 / 2 + l1_ratio |w|_1)``.
solver : {"lbfgs", "newton-cholesky"}, default="lbfgs"
    Accepted for compatibility: both give the exact answer by Newton's method, and `solver_` says
    what ran.
max_iter : int, default=100
    Most Newton steps, at least 1.
coef_ : ndarray of shape (n_features,)
    Coefficients in the units of X: float32 for float32 X, otherwise float64.
intercept_ : float
    Intercept; 0.0 with ``fit_intercept=False``.
n_iter_ : int
    Number of Newton steps on all rows.
"""
)

FIT = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
    Rows, read in place whatever their layout; or a `fastridge.scan` of rows of any size, which has
    its own target, weights and offset, and is read several times.
y : array-like of shape (n_samples,), default=None
    Targets; None only where X is a scan.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows, at least 0; None is 1 for each.
offset : array-like of shape (n_samples,), default=None
    Known terms of the linear predictors, which have no coefficient.
exposure : array-like of shape (n_samples,), default=None
    Exposures above 0, such as durations: their logarithms are added to the offset. Only with a log
    link.
checkpoint : str or os.PathLike, default=None
    For a scan: file in which the sums of the passes are kept from time to time. After an
    interruption of any kind the same call with the same data resumes from it, to the same bits.
checkpoint_every : int, default=None
    For a scan with `checkpoint`: number of rows between two writes; None is 10,000,000.
TypeError
    If X is an array of another library.
ValueError
    If a parameter is not supported, or if X, y, `sample_weight` or `offset` is malformed, not
    finite or out of range.
"""
)

PATH = (
    GLM
    | FIT
    | entries(
        """
fit_intercept : bool, default=True
    Fit intercepts, which are not penalised.
max_iter : int, default=100
    Most Newton steps of each fit.
"""
    )
)
