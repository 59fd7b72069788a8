"""Linear regression by stochastic gradient descent, with scikit-learn's interface."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from fastridge._validation import refuse_array_api
from fastridge.data.scan import Scan
from fastridge.linear_model.prediction import predicted_batches
from fastridge.linear_model.sgd_base import BaseSGD
from fastridge.linear_model.sgd_inputs import HeldOut
from fastridge.linear_model.sgd_one_row import take_known_row, take_one_row
from fastridge.linear_model.sgd_state import judge_by_start
from fastridge.linear_model.sgd_streamed import fit_scan
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.runtime.sparse_indices import refuse_malformed
from fastridge.solvers.sgd.epochs import ScoreOf
from fastridge.solvers.sgd.order import n_with_weight
from fastridge.solvers.sgd.standardisation import Standardisation


class SGDRegressor(RegressorMixin, BaseSGD):
    """Linear regression by stochastic gradient descent, as `sklearn.linear_model.SGDRegressor`.

    Minimises ``mean_i loss(y_i, x_i'w + b)`` plus `alpha` times the penalty, which is
    ``||w||^2 / 2``, ``|w|_1``, or for "elasticnet"
    ``(1 - l1_ratio) ||w||^2 / 2 + l1_ratio |w|_1``.

    Parameters
    ----------
    loss : str, default="squared_error"
        "squared_error" (half the square), "huber", "epsilon_insensitive" or
        "squared_epsilon_insensitive".
    penalty : {"l2", "l1", "elasticnet", None}, default="l2"
    alpha : float, default=0.0001
        Weight of the penalty; also what ``learning_rate="optimal"`` is made of.
    l1_ratio : float or None, default=0.15
        Share of the L1 norm in the penalty where it is "elasticnet", from 0 to 1.
    fit_intercept : bool, default=True
    max_iter : int, default=1000
        Most epochs of `fit`.
    tol : float or None, default=1e-3
        `fit` ends once the mean objective of an epoch has not got better by `tol` in
        `n_iter_no_change` epochs one after the other (the score, where rows are held out). None
        takes `max_iter` epochs.
    shuffle : bool or {"block", "full"}, default=True
        Order of the rows in an epoch. True is "block": neighbouring rows (some 4 KB of them, at
        most 64) stay together as a block, blocks come in random order, and the rows of each 64 of
        them are permuted. "full" permutes all rows; False leaves them as they stand.
    verbose : int, default=0
        Above 0, each epoch is reported.
    epsilon : float, default=0.1
        Of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive".
    random_state : int, RandomState instance or None, default=None
        Of the order of the rows, and of the rows that `early_stopping` holds out.
    learning_rate : str, default='invscaling'
        Step size eta at step t (t = 1, 2, ...):

        - "constant": ``eta0``
        - "optimal": ``1 / (alpha (t + t0))``, t0 by Bottou's rule
        - "invscaling": ``eta0 / t^power_t``
        - "adaptive": ``eta0``, divided by 5 whenever `fit` would end, until it is below 1e-6
        - "auto" (not in scikit-learn): no step size to choose. Each feature has a rate by the
          squares of its values so far; steps cannot overshoot; `fit` gives the mean of the
          second half of its last epoch. For features of any scales; those of dense X that are far
          from zero are centred as they come, those of sparse X are not.
        - "pa1", "pa2": passive-aggressive, of aggressiveness `eta0`; only with
          ``loss='epsilon_insensitive'``
    eta0 : float, default=0.01
    power_t : float, default=0.25
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, and end by the score on them.
    validation_fraction : float, default=0.1
    n_iter_no_change : int, default=5
    warm_start : bool, default=False
        `fit` starts from the coefficients of the last one.
    average : bool or int, default=False
        `coef_` is the mean of the coefficients after each step, from step `average` on.
    on_divergence : {"halve", "raise"}, default="halve"
        Where an epoch of `fit` ends in numbers that are not finite, or in a loss a million times
        that of the null model and of the initial coefficients: go back to the start of the epoch,
        halve all steps from there on, and warn; or raise FloatingPointError.
    optimizer : {"sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"}, default="sgd"
        What is done with a gradient; the constants are PyTorch's. All but "sgd" take the
        schedules "constant", "invscaling" and "adaptive" ("momentum" also "optimal", "ftrl" only
        "constant"), and want an `eta0` of their own; t counts batches.
    decay : {"coupled", "decoupled"} or None, default=None
        How the L2 part of the penalty is paid. "coupled" adds ``alpha w`` to the gradient: what
        is minimised is the objective above. "decoupled" multiplies w by ``1 - eta alpha`` beside
        the optimizer's step, which is the same thing for "sgd", but for an optimizer with a rate
        a feature no penalty of any objective: coefficients with long steps shrink less. None is
        "decoupled" for "adamw" and "coupled" for all others. The L1 part truncates at zero, by
        the step size of each coefficient.
    momentum : float, default=0.9
        Of the optimizer "momentum".
    batch_size : int, default=1
        Rows of a step. Its gradient is the mean over them (the last of an epoch may be smaller).
        For sparse X the optimizers "momentum", "adam" and "adamw", "adagrad" with coupled decay,
        and `average`, touch every coefficient in every step, so give them batches.
    n_threads : int or None, default=None
        Threads that take steps at the same time, each on weights of its own that are averaged
        some times in an epoch: the result depends on their number, and on nothing else that
        changes from run to run. None is 1; negative numbers count back from all usable cores.
    standardize : bool, default=False
        Take features by their mean and spread (sparse ones by their spread alone), a tile of rows
        at a time: in `fit` those of all rows, from a first pass; in `partial_fit` those of the
        rows so far. The penalty is on coefficients of standardised features; `coef_` and
        `intercept_` are for X as it is.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        float32 where X is.
    intercept_ : ndarray of shape (1,) or (n_targets,)
    n_iter_ : int
        Epochs; the most of any target.
    t_ : float
        Steps, and one; a batch is a step, and threads take theirs side by side.
    loss_curve_ : list of float, or a list of such for each target
        Of each epoch of `fit` the mean loss, of every row at the coefficients it met, and the
        penalty on those it ended with.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had names.

    See Also
    --------
    fastridge.SGDClassifier : For classes.
    fastridge.Ridge, fastridge.ElasticNet : The exact minimum for the squared loss.

    Notes
    -----
    A row costs one pass over it and one over the weights: the step of a row is taken in the pass
    that finds the margin of the next. The decay by the L2 penalty is exact,
    ``w <- max(0, 1 - eta alpha) w``, and is carried by one number. With `average` the L1 penalty
    enters the mean where it is paid. For sparse X the steps of the intercept are 0.01 times as
    long, as in scikit-learn.

    References
    ----------
    Bottou, "Stochastic gradient descent tricks", Neural Networks: Tricks of the Trade (2012).
    Tsuruoka, Tsujii and Ananiadou, "Stochastic gradient descent training for L1-regularized
    log-linear models with cumulative penalty", ACL (2009).
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR (2019).
    McDonald, Hall and Mann, "Distributed training strategies for the structured perceptron", NAACL
    (2010).
    McMahan et al., "Ad click prediction: a view from the trenches", KDD (2013).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import SGDRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((1000, 3))
    >>> model = SGDRegressor(random_state=0).fit(X, X @ [1.0, -2.0, 0.5] + 3.0)
    >>> model.coef_.round(1), model.intercept_.round(1)
    (array([ 1. , -2. ,  0.5]), array([3.]))
    """

    _classifies = False

    _plan_names: tuple[str, ...] = (
        "loss",
        "penalty",
        "alpha",
        "l1_ratio",
        "fit_intercept",
        "max_iter",
        "tol",
        "shuffle",
        "verbose",
        "epsilon",
        "learning_rate",
        "eta0",
        "power_t",
        "early_stopping",
        "validation_fraction",
        "n_iter_no_change",
        "warm_start",
        "average",
        "on_divergence",
        "optimizer",
        "decay",
        "momentum",
        "batch_size",
        "n_threads",
        "standardize",
    )
    coef_: Any
    intercept_: Any

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool | str = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        random_state: Any = None,
        learning_rate: str = "invscaling",
        eta0: float = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        average: bool | int = False,
        on_divergence: str = "halve",
        optimizer: str = "sgd",
        decay: str | None = None,
        momentum: float = 0.9,
        batch_size: int = 1,
        n_threads: int | None = None,
        standardize: bool = False,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.average = average
        self.on_divergence = on_divergence
        self.optimizer = optimizer
        self.decay = decay
        self.momentum = momentum
        self.batch_size = batch_size
        self.n_threads = n_threads
        self.standardize = standardize

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        checkpoint: Any = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or a `fastridge.scan`
            float32 and float64 are read in place; in column order, a tile of rows at a time. A
            scan is read anew in every epoch, and by each model of several. Unless `shuffle` is
            False, row groups of Parquet files, other files, and blocks of arrays and of tables in
            memory come in random order, four at a time, and the rows of a batch are permuted.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Each target has a solver run of its own, as if fitted alone.
        coef_init : array-like of shape (n_features,) or (n_targets, n_features), optional
            Where to start from.
        intercept_init : float or array-like of shape (1,) or (n_targets,), optional
        sample_weight : array-like of shape (n_samples,), optional
            Not negative; each multiplies the steps of its row. Rows of weight zero are not there:
            they count in no step, rate, mean or order, unlike scikit-learn's.
        X_val, y_val : array-like, optional
            Rows whose score decides when to end, in place of some held out; arrays also for a scan.
        checkpoint, checkpoint_every : path and int, optional
            Of a scan: a file to go on from where it exists, and to write every so many rows (ten
            million) and after every epoch. The result has the same bits as an undisturbed fit.

        Returns
        -------
        self : SGDRegressor

        Raises
        ------
        ValueError
            Where a parameter is not offered, or an array is malformed or not finite.
        FloatingPointError
            Where the weights diverge; see `on_divergence`.
        KeyboardInterrupt
            After Ctrl-C; the model then holds what was reached.

        Warns
        -----
        ConvergenceWarning
            Where `max_iter` epochs did not do, or steps were halved.
        """
        if isinstance(X, Scan):
            starts, scored = (coef_init, intercept_init), (X_val, y_val)
            return fit_scan(self, X, y, sample_weight, scored, starts, checkpoint, checkpoint_every)
        refuse_checkpoint(checkpoint, checkpoint_every)
        plan = self._plan()
        X, y = self._check_rows(X, y, reset=True)
        weight = self._check_weight(sample_weight, X)
        if self.warm_start and self.__dict__.get("coef_") is not None:
            coef_init = self._dense_coef() if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        state = self._begin(_shape_of(X, y), X.dtype, coef_init, intercept_init)
        held = self._held_out(X, y, weight, X_val, y_val)
        state.enter(self._standardisation(X, weight) if self.standardize else None)
        rows = self._rows(X, weight, plan, len(state.intercept), state)
        seed, weights = self._seeds(1)[0], state.weights(plan, rows.sparse)
        scores = self._scores(held, len(weights), state.standardisation)
        targets = [(target, weight) for target in _targets(y)]
        runs = [
            self._run(plan, X, rows, targets, k, own, held.learned, score, seed)
            for k, (own, score) in enumerate(zip(weights, scores, strict=True))
        ]
        judge_by_start(plan, X, state, runs)
        self._fit_runs(plan, state, runs, n_with_weight(y, weight), plan.n_threads)
        return self

    def _scores(
        self,
        held: HeldOut,
        n_models: int,
        standardisation: Standardisation | None,
        classes: None = None,
    ) -> list[ScoreOf | None]:
        """What decides when each model ends: R2 on the rows held out."""
        if held.rows is None:
            return [None] * n_models
        return [
            self._scorer(held.rows, target, held.weight, standardisation)
            for target in _targets(held.y)
        ]

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch over these rows, going on from the model as it is.

        See `fit` for the parameters; nothing decides when to end, and `loss_curve_` is not kept.
        """
        if sample_weight is None and take_known_row(self.__dict__, X, y):
            return self
        plan = self._plan()
        if self.early_stopping:
            raise ValueError("early_stopping should be False with partial_fit")
        first = self.__dict__.get("coef_") is None
        X, y = self._check_rows(X, y, reset=first)
        weight = self._check_weight(sample_weight, X, allow_zero=True)
        if not first and len(y) == 1 and y.ndim == 1:
            target = y if y.dtype == np.float64 else y.astype(np.float64)
            if take_one_row(self, plan, X, target, weight):
                return self
        state = self._begin(_shape_of(X, y), X.dtype) if first else self._state(plan)
        targets = [(target, weight) for target in _targets(y)]
        if len(targets) != len(state.intercept):
            raise ValueError(
                f"y has {len(targets)} targets, but earlier calls had {len(state.intercept)}."
            )
        self._partial_fit_models(plan, X, targets, weight, state)
        return self

    def _decision_function(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        refuse_array_api(X=X)
        refuse_malformed(X)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores.ravel() if len(self.intercept_) == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Predicted targets ``X @ coef_ + intercept_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or a `fastridge.scan`

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        if isinstance(X, Scan):
            check_is_fitted(self)
            return np.concatenate(list(predicted_batches(self, X)))
        return self._decision_function(X)


def _shape_of(X: Any, y: np.ndarray) -> tuple[int, ...]:
    """The shape of the coefficients."""
    return (X.shape[1],) if y.ndim == 1 else (y.shape[1], X.shape[1])


def _targets(y: np.ndarray) -> list[np.ndarray]:
    """Each target by itself."""
    if y.ndim == 1:
        return [np.ascontiguousarray(y, dtype=np.float64)]
    return list(np.ascontiguousarray(y.T, dtype=np.float64))
