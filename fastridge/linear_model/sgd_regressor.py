"""Linear regression by stochastic gradient descent, with scikit-learn's interface."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from fastridge._typing import Matrix, PathLike, RandomState, RowsLike
from fastridge._validation import refuse_array_api
from fastridge.data.scan import Scan
from fastridge.linear_model.constraints import REGRESSION_LOSSES, SGD_REGRESSOR, Constraints
from fastridge.linear_model.prediction import predicted_batches
from fastridge.linear_model.sgd_base import BaseSGD
from fastridge.linear_model.sgd_inputs import HeldOut
from fastridge.linear_model.sgd_one_row import take_known_row, take_one_row
from fastridge.linear_model.sgd_partial_fit import take_pass
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
        Penalty on the coefficients; None is no penalty.
    alpha : float, default=0.0001
        Factor of the penalty, at least 0. ``learning_rate="optimal"`` is made of it, too, and needs
        it above 0.
    l1_ratio : float or None, default=0.15
        Share of the L1 norm in the penalty where that is "elasticnet", from 0 to 1.
    fit_intercept : bool, default=True
        Fit an intercept, which is not penalised. Otherwise `intercept_` is 0.
    max_iter : int, default=1000
        Most epochs of `fit`, at least 1.
    tol : float or None, default=1e-3
        `fit` ends once the mean objective of an epoch (the score, where rows are held out) has not
        improved by `tol` in `n_iter_no_change` epochs in a row. None runs `max_iter` epochs.
    shuffle : bool or {"block", "full"}, default=True
        Order of the rows in an epoch. True is "block": neighbouring rows (some 4 KB of them, at
        most 64) stay together as a block, blocks come in random order, and the rows of each 64 of
        them are permuted. Up to 64 blocks, all rows are permuted as in scikit-learn, and the same
        `random_state` gives its coefficients. "full" permutes all rows; False leaves them in order.
    verbose : int, default=0
        If above 0, print a report of each epoch.
    epsilon : float, default=0.1
        Width of the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive", in
        units of y: where the first becomes linear, and below which the others are zero. At least 0.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of the rows, and of the choice of rows that `early_stopping` holds out.
    learning_rate : str, default='invscaling'
        Learning rate eta at step t (t = 1, 2, ...):

        - "constant": ``eta0``
        - "optimal": ``1 / (alpha (t + t0))``, with t0 by Bottou's rule
        - "invscaling": ``eta0 / t^power_t``
        - "adaptive": ``eta0``, divided by 5 whenever `fit` would end, until it is below 1e-6
        - "auto" (not in scikit-learn): nothing to choose. Each feature has a learning rate by the
          squares of its values so far; steps cannot overshoot; `fit` gives the mean of the second
          half of its last epoch. It suits features of any scale; those of dense X that are far from
          zero are centred as they come, those of sparse X are not.
        - "pa1", "pa2": passive-aggressive, of aggressiveness `eta0`; only with
          ``loss='epsilon_insensitive'``
    eta0 : float, default=0.01
        First learning rate of the schedules that have one, above 0.
    power_t : float, default=0.25
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
        Parameter averaging: `coef_` is the mean of the coefficients after each step, from step
        `average` on. True is 1.
    on_divergence : {"halve", "raise"}, default="halve"
        What to do where an epoch of `fit` ends in numbers that are not finite, or in a loss a
        million times that of the null model and of the initial coefficients. "halve" goes back to
        the start of the epoch, halves all steps from there on, and warns; "raise" raises
        FloatingPointError.
    optimizer : {"sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"}, default="sgd"
        How a gradient becomes a step; the constants are PyTorch's. All but "sgd" take the schedules
        "constant", "invscaling" and "adaptive" ("momentum" also "optimal", "ftrl" only "constant"),
        and want an `eta0` of their own; t counts batches.
    decay : {"coupled", "decoupled", None}, default=None
        How the L2 part of the penalty is applied. "coupled" adds ``alpha w`` to the gradient: the
        objective above is what is minimised. "decoupled" multiplies w by ``1 - eta alpha`` next to
        the optimizer's step. That is the same for "sgd", but with per-feature learning rates it is
        no penalty of any objective: coefficients with long steps shrink less. None is "decoupled"
        for "adamw" and "coupled" for all others. The L1 part truncates at zero, by the step size of
        each coefficient.
    momentum : float, default=0.9
        Share of the last step's direction that the optimizer "momentum" keeps, at least 0 and below
        1.
    batch_size : int, default=1
        Number of rows of a step, at least 1. Its gradient is the mean over them (the last of an
        epoch may be smaller). For sparse X the optimizers "momentum", "adam" and "adamw", "adagrad"
        with coupled decay, and `average`, touch every coefficient in every step, so give them
        batches.
    n_threads : int or None, default=None
        Number of threads that take steps at the same time, each on weights of its own that are
        averaged some times in an epoch: the result depends on their number, and on nothing else
        that changes from run to run. None is 1; negative numbers count back from all usable cores.
    standardize : bool, default=False
        Bring features to zero mean and unit variance (sparse ones to unit variance alone), a tile
        of rows at a time: in `fit` by all rows, from a first pass; in `partial_fit` by the rows so
        far. The penalty is on the coefficients of standardised features; `coef_` and `intercept_`
        are for X as it is.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients in the units of X: float32 for float32 X, otherwise float64.
    intercept_ : ndarray of shape (1,) or (n_targets,)
        Intercepts; 0 with ``fit_intercept=False``.
    n_iter_ : int
        Number of epochs; the most of any target.
    t_ : float
        Number of steps plus one. A batch is a step, and threads take theirs side by side.
    loss_curve_ : list of float, or list of such for each target
        For each epoch of `fit` the mean loss, of every row at the coefficients it met, plus the
        penalty on those at its end.
    n_features_in_ : int
        Number of features seen in the first call of `fit` or `partial_fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, as texts. Only where X had names.

    See Also
    --------
    fastridge.SGDClassifier : For classes.
    fastridge.Ridge : The exact minimum for the squared loss with an L2 penalty.
    fastridge.ElasticNet : The exact minimum for the squared loss with an L1 penalty.

    Notes
    -----
    A row costs one pass over it and one over the weights: the step of a row is taken in the pass
    that computes the linear predictor of the next. The decay by the L2 penalty is exact,
    ``w <- max(0, 1 - eta alpha) w``, and is carried by one number. With `average` the L1 penalty
    enters the mean where it is applied. For sparse X the steps of the intercept are 0.01 times as
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

    loss_functions: ClassVar[Mapping[str, tuple[Any, ...]]] = REGRESSION_LOSSES
    _parameter_constraints: ClassVar[Constraints] = SGD_REGRESSOR
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
        penalty: Literal["l2", "l1", "elasticnet"] | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool | Literal["block", "full"] = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        random_state: RandomState = None,
        learning_rate: str = "invscaling",
        eta0: float = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        average: bool | int = False,
        on_divergence: Literal["halve", "raise"] = "halve",
        optimizer: Literal["sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"] = "sgd",
        decay: Literal["coupled", "decoupled"] | None = None,
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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: RowsLike | None = None,
        y_val: ArrayLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
            Rows. float32 and float64 are read in place; in column order, a tile of rows at a time.
            A `fastridge.scan` is read again in every epoch, and by each model of several. Unless
            `shuffle` is False, row groups of Parquet files, other files, and blocks of arrays and
            of tables in memory come in random order, four at a time, and the rows of a batch are
            permuted.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Targets; None only where X is a scan. Each of several targets is fitted as if alone.
        coef_init : array-like of shape (n_features,) or (n_targets, n_features), default=None
            Coefficients to start from; None is 0 for all.
        intercept_init : float or array-like of shape (1,) or (n_targets,), default=None
            Intercepts to start from; None is 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; each multiplies the steps of its row. None is 1 for
            each. Rows of weight zero count in no step, learning rate, mean or order, unlike in
            scikit-learn.
        X_val : array-like or sparse matrix of shape (n_validation, n_features), default=None
            Rows whose score decides when to end, in place of some held out; arrays also where X is
            a scan.
        y_val : array-like of shape (n_validation,) or (n_validation, n_targets), default=None
            Targets of `X_val`.
        checkpoint : str or os.PathLike, default=None
            For a scan: file from which to resume where it exists, and which is written every
            `checkpoint_every` rows and after every epoch. The result has the same bits as an
            undisturbed fit.
        checkpoint_every : int, default=None
            For a scan with `checkpoint`: number of rows between two writes; None is 10,000,000.

        Returns
        -------
        SGDRegressor
            This estimator, fitted.

        Raises
        ------
        ValueError
            If a parameter is not supported, or if an array is malformed or not finite.
        FloatingPointError
            If SGD diverges with ``on_divergence="raise"``, or cannot be helped by shorter steps.
        KeyboardInterrupt
            After Ctrl-C; the model then holds what was reached.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs were not enough, or if steps were halved.
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

    def partial_fit(
        self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Run one epoch over these rows, resuming from the model as it is.

        Nothing decides when to end, and `loss_curve_` is not kept.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows, with the features of those before.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; each multiplies the steps of its row. None is 1 for
            each.

        Returns
        -------
        SGDRegressor
            This estimator, with the steps of these rows taken.

        Raises
        ------
        ValueError
            If a parameter is not supported (such as ``early_stopping=True``), if an array is
            malformed or not finite, or if its features or targets are not those of earlier calls.
            The model is then as it was.
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
        take_pass(self, plan, X, targets, weight, state)
        return self

    def _decision_function(self, X: RowsLike) -> np.ndarray:
        check_is_fitted(self)
        refuse_array_api(X=X)
        refuse_malformed(X)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        scores = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return scores.ravel() if len(self.intercept_) == 1 else scores

    def predict(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict targets, ``X @ coef_.T + intercept_``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Scan
            Rows. `fastridge.write_predictions` keeps the predictions of a `fastridge.scan` out of
            memory.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted targets.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        ValueError
            If X is malformed or not finite, or does not have the features of the fit.
        """
        if isinstance(X, Scan):
            check_is_fitted(self)
            return np.concatenate(list(predicted_batches(self, X)))
        return self._decision_function(X)


def _shape_of(X: Matrix, y: np.ndarray) -> tuple[int, ...]:
    """The shape of the coefficients."""
    return (X.shape[1],) if y.ndim == 1 else (y.shape[1], X.shape[1])


def _targets(y: np.ndarray) -> list[np.ndarray]:
    """Each target by itself."""
    if y.ndim == 1:
        return [np.ascontiguousarray(y, dtype=np.float64)]
    return list(np.ascontiguousarray(y.T, dtype=np.float64))
