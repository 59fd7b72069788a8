"""Texts of parameters, attributes and exceptions that docstrings of this package share."""

from fastridge._docstrings import entries

# ---- classes ----

LINEAR_MODEL = entries(
    """
fit_intercept : bool, default=True
    Fit an intercept, which is not penalised. Otherwise `intercept_` is 0.
random_state : int, RandomState instance or None, default=None
    Accepted for compatibility and ignored: nothing is random.
coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    Coefficients in the units of X: float32 for float32 X, otherwise float64.
intercept_ : float or ndarray of shape (n_targets,)
    Intercept; 0.0 with ``fit_intercept=False``.
n_features_in_ : int
    Number of features seen in `fit`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, as texts. Only where X had names.
encoding_ : Encoding
    How the columns of a table become features: ``scan(..., encoding=model.encoding_)`` makes the
    same features of other tables. Only after a fit to a `fastridge.scan` with text, categories or
    missing values that become means, and of models of the command line.
statistics_ : GramStatistics
    Statistics of all rows so far. Only after `partial_fit`, `fit_statistics` or a fit to a
    `fastridge.scan`.
fold_statistics_ : list of GramStatistics
    Statistics of the rows of each fold. Only after `partial_fit`, `fit_statistics` or a fit to a
    `fastridge.scan`.
"""
)

RIDGE = LINEAR_MODEL | entries(
    """
alpha_scale : {"sum", "mean"}, default="sum"
    ``"mean"`` minimises ``(1/n)||y - Xw - b||^2 + alpha ||w||^2`` instead, with n the sum of the
    weights.
n_threads : int, default=None
    Number of threads for the passes over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores.
    Results for a given number are bitwise the same.
"""
)

RIDGE_CLASSIFIER = RIDGE | entries(
    """
class_weight : dict, "balanced" or None, default=None
    Factors of the weights of the rows of each class, by its label. "balanced" is
    ``n_samples / (n_classes * number of rows of the class)``. None is 1 for all.
calibration : {"loo"} or None, default=None
    With ``"loo"``, `predict_proba` gives probabilities: sigmoids of the scores, fitted to the exact
    leave-one-out scores of the rows. With more than two classes they are normalised. Near a
    boundary the largest may be of another class than `predict` gives.
coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
    Coefficients of the only target of two classes, or of the target of each class or label:
    float32 for float32 X, otherwise float64.
intercept_ : float or ndarray of shape (n_targets,)
    Intercepts; 0.0 with ``fit_intercept=False``.
classes_ : ndarray of shape (n_classes,)
    The labels in increasing order.
calibration_ : ndarray of shape (n_targets, 2)
    Factor and shift of the sigmoid of each target's score. Only with `calibration`.
"""
)

_COORDINATE_DESCENT = LINEAR_MODEL | entries(
    """
eps : float, default=1e-3
    Ratio of the least to the largest alpha of a grid, above 0.
precompute : "auto", bool or array-like of shape (n_features, n_features), default="auto"
    Accepted for compatibility; its values are checked and otherwise ignored. The shape of X decides
    whether Gram matrices are computed.
max_iter : int or None, default=1000
    Most iterations, at least 1; None is 1000. An iteration is a sweep over the coordinates with the
    Newton step before it, or a last Newton step; eight Newton steps that let in a single feature
    each count as one. A solver run that starts from zero at a small alpha may take half of them at
    larger ones.
copy_X : bool, default=True
    Accepted for compatibility and ignored: X is never written to.
tol : float, default=1e-4
    Coordinate descent stops at a duality gap of ``tol ||y||^2 / n``, with y about its mean if there
    is an intercept. At least 0.
positive : bool, default=False
    Allow no negative coefficients.
selection : {"cyclic", "random"}, default="cyclic"
    Accepted for compatibility and ignored: coordinates are taken in the order in which they joined
    the working set.
penalty_factors : array-like of shape (n_features,), default=None
    A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
    without a penalty. Infinity excludes it: its coefficient is 0, and the others are those without
    its column. The factors are not rescaled (glmnet scales them to a mean of one).
bounds : (lower, upper), default=None
    Least and largest coefficients, each a number or an array-like of shape (n_features,), with
    ``lower <= 0 <= upper``. None is without bounds.
"""
)

ELASTIC_NET = _COORDINATE_DESCENT | entries(
    """
alpha : float, default=1.0
    Penalty, at least 0. With 0 the fit is least squares, solved as `fastridge.Ridge` solves it.
precompute : bool or array-like of shape (n_features, n_features), default=False
    Accepted for compatibility; its values are checked and otherwise ignored. The shape of X decides
    whether a Gram matrix is computed.
warm_start : bool, default=False
    Start from `coef_` of the last fit.
standardize : bool, default=False
    Penalise the coefficients of the columns divided by their standard deviations; `coef_` and
    `bounds` stay in the units of X.
n_threads : int, default=None
    Number of threads for the passes over X and for the targets; None is ``FASTRIDGE_NUM_THREADS``
    or all usable cores. Negative numbers count back from all of them.
sparse_coef_ : sparse matrix of shape (1, n_features) or (n_targets, n_features)
    `coef_` in CSR format, a new matrix each time.
dual_gap_ : float or ndarray of shape (n_targets,)
    Most by which the objective is above its minimum, for `coef_` as it is stored, computed in
    float64. Infinite after Ctrl-C, NaN where there is no certificate. See Notes.
n_iter_ : int or list of int
    Number of iterations, for each target where there are several. 0 where a warm start was within
    the tolerance.
status_ : {"converged", "not converged", "no certificate", "interrupted"}
    With several targets the first that is not "converged". "no certificate" where features with
    little or no penalty are nearly collinear and only their statistics are known, or are too many
    for a basis of their columns. After Ctrl-C the model holds the coefficients reached by then
    (those of an earlier fit where there are none).
solver_ : str
    "gram" for coordinate descent on X'X, "working set" for that on the Gram matrix of some columns,
    "ridge ..." where no L1 penalty is left.
"""
)

ELASTIC_NET_CV = _COORDINATE_DESCENT | entries(
    """
alphas : int or array-like of shape (n_alphas,), default=100
    Penalties to try, at least 0; or the number of them on a grid from the least alpha at which all
    coefficients are zero down to `eps` times that. None is 100.
cv : int, splitter, iterable or None, default=None
    Number of folds (of consecutive rows), a scikit-learn splitter, or pairs of arrays of row
    indices. None is 5 folds.
verbose : bool or int, default=False
    Print a line for each split's path.
n_jobs : int, default=None
    Number of threads where `n_threads` is None.
selection : {"cyclic", "random", "min", "1se"}, default="cyclic"
    ``"1se"`` takes the largest alpha whose mean error is within one standard error of the least.
    The others take the alpha of the least mean error; ``"cyclic"`` and ``"random"`` are
    scikit-learn's.
n_alphas : int, default=None
    Number of alphas where `alphas` is not an array, as in older versions of scikit-learn.
standardize : bool, default=False
    Penalise the coefficients of the columns divided by their standard deviations, which are those
    of the training rows of each split; `coef_` and `bounds` stay in the units of X.
n_threads : int, default=None
    Number of threads for the passes over X and for the splits' paths; None is `n_jobs` if that is
    given, otherwise ``FASTRIDGE_NUM_THREADS`` or all usable cores. Negative numbers count back from
    all of them.
alpha_ : float
    The chosen alpha, by `selection`.
alpha_min_ : float
    The alpha of the least mean error.
alpha_1se_ : float
    The largest alpha whose mean error is within one standard error of the least; NaN with a single
    split.
coef_ : ndarray of shape (n_features,)
    Coefficients at the chosen penalty, in the units of X: float32 for float32 X, otherwise float64.
intercept_ : float
    Intercept at the chosen penalty; 0.0 with ``fit_intercept=False``.
mse_path_ : ndarray of shape (n_alphas, n_splits)
    Mean squared error of each split; axes of length one are dropped.
alphas_ : ndarray of shape (n_alphas,)
    Alphas that were tried, in decreasing order.
dual_gap_ : float
    Most by which the objective of the final model is above its minimum, for `coef_` as it is
    stored, computed in float64; NaN where there is no certificate.
n_iter_ : int
    Number of iterations for the final model.
status_ : {"converged", "not converged", "no certificate"}
    Whether the final model reached its tolerance. "no certificate" where features with little or no
    penalty are nearly collinear and only their statistics are known, or are too many for a basis of
    their columns.
solver_ : str
    Solver of the final model: "gram" for coordinate descent on X'X, "working set" for that on the
    Gram matrix of some columns, "ridge ..." where no L1 penalty is left.
"""
)

SGD = LINEAR_MODEL | entries(
    """
penalty : {"l2", "l1", "elasticnet", None}, default="l2"
    Penalty on the coefficients; None is no penalty.
alpha : float, default=0.0001
    Factor of the penalty, at least 0. ``learning_rate="optimal"`` depends on it too, and needs it
    above 0.
l1_ratio : float or None, default=0.15
    Share of the L1 norm in the penalty where that is "elasticnet", from 0 to 1.
max_iter : int, default=1000
    Most epochs of `fit`, at least 1.
tol : float or None, default=1e-3
    `fit` ends once the mean objective of an epoch (the score, where rows are held out) has not
    improved by `tol` in `n_iter_no_change` epochs in a row. None runs `max_iter` epochs.
shuffle : bool or {"block", "full"}, default=True
    Order of the rows in an epoch. True is "block": neighbouring rows (some 4 KB of them, at most
    64) stay together as a block, blocks come in random order, and the rows of each 64 of them are
    permuted. Up to 64 blocks, all rows are permuted as in scikit-learn, and the same `random_state`
    gives its coefficients. "full" permutes all rows; False leaves them in order.
verbose : int, default=0
    If above 0, print a report of each epoch.
epsilon : float, default=0.1
    Width of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive", in
    units of the linear predictor: where the first becomes linear, and below which the others are
    zero. At least 0.
random_state : int, RandomState instance or None, default=None
    Seed of the order of the rows, and of the choice of rows that `early_stopping` holds out.
learning_rate : str
    Learning rate eta at step t (t = 1, 2, ...):

    - "constant": ``eta0``
    - "optimal": ``1 / (alpha (t + t0))``, with t0 by Bottou's rule
    - "invscaling": ``eta0 / t^power_t``
    - "adaptive": ``eta0``, divided by 5 whenever `fit` would end, until it is below 1e-6
    - "auto" (not in scikit-learn): nothing to choose. Each feature has a learning rate by the
      squares of its values so far; steps cannot overshoot; `fit` gives the mean of the second half
      of its last epoch. It suits features of any scale; those of dense X that are far from zero are
      centred as they come, those of sparse X are not.
    - "pa1", "pa2": passive-aggressive, of aggressiveness `eta0`; only with the loss "hinge" for
      classes, "epsilon_insensitive" for numbers
eta0 : float, default=0.01
    First learning rate of the schedules that have one, above 0.
power_t : float
    Exponent of the schedule "invscaling".
early_stopping : bool, default=False
    Hold out `validation_fraction` of the rows, and end by the score on them.
validation_fraction : float, default=0.1
    Share of the rows that `early_stopping` holds out, between 0 and 1.
n_iter_no_change : int, default=5
    Number of epochs in a row without improvement after which `fit` ends, at least 1.
warm_start : bool, default=False
    `fit` starts from the coefficients of the last fit.
average : bool or int, default=False
    Averaged weights: `coef_` is the mean of the coefficients after each step, from step `average`
    on. True is 1.
on_divergence : {"halve", "raise"}, default="halve"
    What to do if an epoch of `fit` ends in numbers that are not finite or, with a loss that grows
    quadratically, at a million times the larger of the null loss and the loss of the initial
    coefficients. "halve" goes back to the start of the epoch, halves all steps from there on, and
    warns; "raise" raises FloatingPointError. `partial_fit` does the same for each call, but always
    raises if steps are not finite.
optimizer : {"sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"}, default="sgd"
    How a gradient becomes a step; the constants are PyTorch's. All but "sgd" take the schedules
    "constant", "invscaling" and "adaptive" ("momentum" also "optimal", the default of
    `SGDClassifier`; "ftrl" only "constant"), and want an `eta0` of their own; t counts batches.
decay : {"coupled", "decoupled", None}, default=None
    How the L2 part of the penalty is applied. "coupled" adds ``alpha w`` to the gradient: the
    objective above is what is minimised. "decoupled" multiplies w by ``1 - eta alpha`` in addition
    to the optimizer's step. That is the same for "sgd", but with per-feature learning rates it is
    not the penalty of any objective: coefficients with long steps shrink less. None is "decoupled"
    for "adamw" and "coupled" for all others. The L1 part truncates at zero, by the step size of
    each coefficient.
momentum : float, default=0.9
    Share of the last step's direction that the optimizer "momentum" keeps, at least 0 and below 1.
batch_size : int, default=1
    Number of rows of a step, at least 1. Its gradient is the mean over them (the last of an epoch
    may be smaller). For sparse X the optimizers "momentum", "adam" and "adamw", "adagrad" with
    coupled decay, and `average`, touch every coefficient in every step, so give them batches.
n_threads : int or None, default=None
    Number of threads that take steps at the same time, each on its own copy of the weights; the
    copies are averaged several times per epoch (parameter averaging). The result depends on their
    number, and on nothing else that changes from run to run. None is 1; negative numbers count back
    from all usable cores.
standardize : bool, default=False
    Bring features to zero mean and unit variance (sparse ones to unit variance alone), a tile of
    rows at a time: in `fit` by all rows, from a first pass; in `partial_fit` by the rows so far.
    The penalty is on the coefficients of standardised features; `coef_` and `intercept_` are for X
    as it is.
intercept_ : ndarray of shape (1,) or (n_targets,)
    Intercepts; 0 with ``fit_intercept=False``.
n_iter_ : int
    Number of epochs; the most of any target or class.
t_ : float
    Number of steps plus one. A batch is a step, and threads take theirs side by side.
loss_curve_ : list of float, or list of such for each target
    For each epoch of `fit` the mean loss, of every row at the coefficients it met, plus the penalty
    on those at its end.
n_features_in_ : int
    Number of features seen in the first call of `fit` or `partial_fit`.
"""
)

# ---- functions ----

RIDGE_PATH = RIDGE | entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Rows, read in place whatever their layout.
y : array-like of shape (n_samples,) or (n_samples, n_targets)
    Targets.
alphas : array-like of shape (n_alphas,)
    Penalties, at least 0, in any order.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows, at least 0; None is 1 for each.
"""
)

ELASTIC_NET_PATH = _COORDINATE_DESCENT | entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Rows, read in place whatever their layout.
y : array-like of shape (n_samples,) or (n_samples, n_targets)
    Target. Several targets have scikit-learn's multi-task penalty, and its solver: only its own
    options are supported.
n_alphas : int, default="deprecated"
    Number of alphas where `alphas` is not given. Deprecated since scikit-learn 1.9: use `alphas`.
alphas : int or array-like of shape (n_alphas,), default=100
    Penalties, at least 0, in any order; or the number of them on a grid from the least alpha at
    which all coefficients are zero down to `eps` times that, evenly spaced in the logarithm. None
    is 100, and deprecated as `n_alphas` is.
Xy : array-like of shape (n_features,), default=None
    Accepted for compatibility and ignored.
coef_init : array-like of shape (n_features,), default=None
    Coefficients at which coordinate descent begins at the largest alpha; None is 0 for all.
verbose : bool or int, default=False
    Print a line for each alpha.
return_n_iter : bool, default=False
    Return the number of iterations at each alpha, too.
check_input : bool, default=True
    Accepted for compatibility and ignored: the checks cost next to nothing.
tol : float, default=1e-4
    Coordinate descent stops at a duality gap of ``tol ||y||^2 / n`` at each alpha, with y about its
    mean if there is an intercept. At least 0.
max_iter : int or None, default=1000
    Most iterations at each alpha, at least 1; None is 1000. `fastridge.ElasticNet` says what an
    iteration is.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows, at least 0; only their ratios matter. None is 1 for each.
fit_intercept : bool, default=False
    Fit an intercept, which is not penalised. Centring X and y beforehand does the same.
offset : array-like of shape (n_samples,), default=None
    A known part of the prediction: the models are fitted to ``y - offset``.
standardize : bool, default=False
    Penalise the coefficients of the columns divided by their standard deviations; those returned,
    and `bounds`, stay in the units of X.
n_threads : int, default=None
    Number of threads for the passes over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores.
    Negative numbers count back from all of them.
return_certificate : bool, default=False
    Return a `PathCertificate`, too.
**params : object
    Only `do_screening`, as in scikit-learn, which is ignored.
"""
)

# ---- methods ----

FIT = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
    Rows, read in place whatever their layout; numeric dtypes other than float32 and float64 are
    converted some rows at a time. A `fastridge.scan`, which has its own target and weights, is read
    batch by batch and solved as by `fit_statistics`.
y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
    Targets; None only where X is a scan.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows, at least 0; None is 1 for each.
check_input : bool, default=True
    Accepted for compatibility and ignored: the checks cost next to nothing.
offset : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
    A known part of the prediction: the model is fitted to ``y - offset``, and the offset of new
    rows is to be added to what `predict` returns. Not supported for a scan.
checkpoint : str or os.PathLike, default=None
    For a scan: file in which the statistics are kept from time to time. After an interruption of
    any kind the same call with the same data resumes from it, to the same bits.
checkpoint_every : int, default=None
    For a scan with `checkpoint`: number of rows between two writes; None is 10,000,000.
Self
    This estimator, fitted.
"""
)

FIT_CV = FIT | entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
    Rows, read in place whatever their layout. A `fastridge.scan` is read once, each row into the
    statistics of a fold: its own, or one of `cv` folds (5 if that is None) of consecutive rows as
    scikit-learn's KFold makes them; where the number of rows is not known beforehand, row i is in
    fold ``i % cv``.
groups : array-like of shape (n_samples,), default=None
    Group of each row, for splitters that keep groups together.
**params : dict
    Metadata for the splitter, with scikit-learn's metadata routing enabled.
"""
)

FIT_CLASSES = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Rows, read in place whatever their layout.
y : array-like of shape (n_samples,) or (n_samples, n_labels)
    Labels of any type, or for each label 1 where a row has it, otherwise 0.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows, at least 0; None is 1 for each.
groups : array-like of shape (n_samples,), default=None
    Group of each row, for splitters that keep groups together.
Self
    This estimator, fitted.
TypeError
    If X is an array of another library or a scan, or if `groups` or metadata is given that neither
    the splitter nor the scorer takes.
ValueError
    If a parameter is not supported, parameters exclude each other, or the data are malformed or not
    finite.
"""
)

PARTIAL_FIT = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    New rows, with the features of those before.
y : array-like of shape (n_samples,) or (n_samples, n_targets)
    Targets of the new rows.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the new rows, at least 0; None is 1 for each.
fold : int or array-like of shape (n_samples,), default=None
    The fold of all these rows, or of each, from 0 up. None puts row i, counted from the first row
    ever given, in fold ``i % k``, where k is `cv` (5 if that is None).
Self
    This estimator, with the steps of these rows taken.
"""
)

PREDICT = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features)
    Rows.
NotFittedError
    If the model is not fitted.
ValueError
    If X is malformed or not finite, or does not have the features of the fit.
"""
)

INFERENCE = entries(
    """
X : array-like or sparse matrix of shape (n_samples, n_features), default=None
    The rows that the model was fitted to; it does not keep them. None after `partial_fit` or
    `fit_statistics`, unless `cov_type` needs the rows.
y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
    The targets that the model was fitted to; None where X is.
sample_weight : float or array-like of shape (n_samples,), default=None
    Weights of the rows in the fit, as precisions: the variance of a row is sigma^2 over its weight.
    None is 1 for each.
cov_type : {"nonrobust", "HC0", "HC1", "HC2", "HC3"}, default="nonrobust"
    Covariance of the coefficients: that of equal variances, or a sandwich that allows each row a
    variance of its own.
level : float, default=0.95
    Probability that the intervals cover, between 0 and 1.
target : int, default=0
    Index of the target.
"""
)

NOT_INFERRED = entries(
    """
ValueError
    If there are neither rows nor statistics, if rows are not those of the fit, with
    ``positive=True`` or excluded features, for another `cov_type`, with more than 10,000 features,
    or if the covariances of all targets take more than 2 GB.
"""
)

INTERVALS = entries(
    """
X : array-like or sparse matrix of shape (n_rows, n_features)
    Rows to predict for.
level : float, default=0.95
    Probability that an interval covers, between 0 and 1.
ndarray of shape (n_rows, 2) or (n_targets, n_rows, 2)
    Lower and upper bound for each row.
ValueError
    If `level` is not between 0 and 1, or if X is malformed, not finite, or does not have the
    features of the fit.
"""
)
