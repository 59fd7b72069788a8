"""Linear classification by stochastic gradient descent, with scikit-learn's interface."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import _check_partial_fit_first_call

from fastridge._typing import PathLike, RandomState, RowsLike
from fastridge.data.scan import Scan
from fastridge.linear_model.constraints import CLASSIFICATION_LOSSES, SGD_CLASSIFIER, Constraints
from fastridge.linear_model.sgd_base import MOST_SEED, BaseSGD
from fastridge.linear_model.sgd_classes import (
    ClassTargets,
    factors_of_counts,
    plan_for_classes,
    refuse_one_class,
    signs_of,
)
from fastridge.linear_model.sgd_inputs import HeldOut, classes_and_codes, codes_of
from fastridge.linear_model.sgd_one_row import take_known_class, take_one_row
from fastridge.linear_model.sgd_partial_fit import take_pass
from fastridge.linear_model.sgd_predictions import ClassPredictionsMixin
from fastridge.linear_model.sgd_state import judge_by_start
from fastridge.linear_model.sgd_streamed import fit_scan
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.sgd.epochs import ScoreOf
from fastridge.solvers.sgd.order import n_with_weight, rows_with_weight
from fastridge.solvers.sgd.standardisation import Standardisation


class SGDClassifier(ClassPredictionsMixin, BaseSGD):
    """Linear classifiers by stochastic gradient descent, as `sklearn.linear_model.SGDClassifier`.

    Minimises ``mean_i loss(y_i, x_i'w + b)`` with y of -1 and 1, plus `alpha` times the penalty,
    which is ``||w||^2 / 2``, ``|w|_1``, or for "elasticnet"
    ``(1 - l1_ratio) ||w||^2 / 2 + l1_ratio |w|_1``. With more than two classes there is a model for
    each, of that class against all others.

    Parameters
    ----------
    loss : str, default="hinge"
        "hinge" (a linear support vector machine), "log_loss" (logistic regression),
        "modified_huber", "squared_hinge" or "perceptron"; or one of the regression losses
        "squared_error", "huber", "epsilon_insensitive" and "squared_epsilon_insensitive", with
        targets -1 and 1.
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
        units of the margin: where the first becomes linear, and below which the others are zero. At
        least 0.
    n_jobs : int or None, default=None
        Number of threads where there are more than two classes. None is 1; negative numbers count
        back from all usable cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of the rows, and of the choice of rows that `early_stopping` holds out.
    learning_rate : str, default='optimal'
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
          ``loss='hinge'``
    eta0 : float, default=0.01
        First learning rate of the schedules that have one, above 0.
    power_t : float, default=0.5
        Exponent of the schedule "invscaling".
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, and end by the score on them.
    validation_fraction : float, default=0.1
        Share of the rows that `early_stopping` holds out, between 0 and 1.
    n_iter_no_change : int, default=5
        Number of epochs in a row without improvement after which `fit` ends, at least 1.
    class_weight : dict, "balanced" or None, default=None
        Factors on the steps of the rows of each class, by its label. "balanced" is ``n_samples /
        (n_classes count)``, with the count of the rows of the class. None is 1 for all.
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
        and want an `eta0` of their own; t counts batches. So they need another `learning_rate` than
        the default.
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
        With more than 1, classes follow each other, whatever `n_jobs` is.
    standardize : bool, default=False
        Bring features to zero mean and unit variance (sparse ones to unit variance alone), a tile
        of rows at a time: in `fit` by all rows, from a first pass; in `partial_fit` by the rows so
        far. The penalty is on the coefficients of standardised features; `coef_` and `intercept_`
        are for X as it is.
    multi_class : {"ovr", "multinomial"}, default="ovr"
        With more than two classes, "ovr" fits one model of each class against all others, and
        "multinomial", for ``loss="log_loss"``, one model of all classes with the softmax of its
        outputs.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients in the units of X: float32 for float32 X, otherwise float64.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; 0 with ``fit_intercept=False``.
    n_iter_ : int
        Number of epochs; the most of any class.
    t_ : float
        Number of steps plus one. A batch is a step, and threads take theirs side by side.
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, in increasing order.
    loss_curve_ : list of float, or list of such for each class
        For each epoch of `fit` the mean loss, of every row at the coefficients it met, plus the
        penalty on those at its end.
    n_features_in_ : int
        Number of features seen in the first call of `fit` or `partial_fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, as texts. Only where X had names.

    See Also
    --------
    fastridge.SGDRegressor : For numbers; notes on what a row costs, and references.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import SGDClassifier
    >>> X = np.array([[-1.0, -1.0], [-2.0, -1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> model = SGDClassifier(random_state=0).fit(X, ["a", "a", "b", "b"])
    >>> model.predict([[-0.8, -1.0]])
    array(['a'], dtype='<U1')
    """

    _classifies = True
    loss_functions: ClassVar[Mapping[str, tuple[Any, ...]]] = CLASSIFICATION_LOSSES
    _parameter_constraints: ClassVar[Constraints] = SGD_CLASSIFIER
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
        "multi_class",
    )
    coef_: Any
    intercept_: Any
    classes_: np.ndarray

    def __init__(
        self,
        loss: str = "hinge",
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
        n_jobs: int | None = None,
        random_state: RandomState = None,
        learning_rate: str = "optimal",
        eta0: float = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        warm_start: bool = False,
        average: bool | int = False,
        on_divergence: Literal["halve", "raise"] = "halve",
        optimizer: Literal["sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"] = "sgd",
        decay: Literal["coupled", "decoupled"] | None = None,
        momentum: float = 0.9,
        batch_size: int = 1,
        n_threads: int | None = None,
        standardize: bool = False,
        multi_class: Literal["ovr", "multinomial"] = "ovr",
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
        self.multi_class = multi_class
        self.n_jobs = n_jobs
        self.class_weight = class_weight

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
        y : array-like of shape (n_samples,), default=None
            Labels; None only where X is a scan.
        coef_init : array-like of shape (1, n_features) or (n_classes, n_features), default=None
            Coefficients to start from; None is 0 for all.
        intercept_init : array-like of shape (1,) or (n_classes,), default=None
            Intercepts to start from; None is 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; each multiplies the steps of its row, as `class_weight`
            does. None is 1 for each. Rows of weight zero count in no step, learning rate, mean or
            order, unlike in scikit-learn.
        X_val : array-like or sparse matrix of shape (n_validation, n_features), default=None
            Rows whose score decides when to end, in place of some held out; arrays also where X is
            a scan.
        y_val : array-like of shape (n_validation,), default=None
            Targets of `X_val`.
        checkpoint : str or os.PathLike, default=None
            For a scan: file from which to resume where it exists, and which is written every
            `checkpoint_every` rows and after every epoch. The result has the same bits as an
            undisturbed fit.
        checkpoint_every : int, default=None
            For a scan with `checkpoint`: number of rows between two writes; None is 10,000,000.

        Returns
        -------
        SGDClassifier
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
        n_threads = 1 if self.n_jobs is None else resolve_threads(int(self.n_jobs))
        X, y = self._check_rows(X, y, reset=True)
        classes, codes = classes_and_codes(y)
        refuse_one_class(classes)
        weight = self._check_weight(sample_weight, X)
        factors = self._factors(classes, codes, weight)
        if self.warm_start and self.__dict__.get("coef_") is not None:
            coef_init = self._dense_coef() if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        plan = plan_for_classes(plan, len(classes))
        n_models = 1 if len(classes) == 2 else len(classes)
        state = self._begin((n_models, X.shape[1]), X.dtype, coef_init, intercept_init)
        held = self._held_out(X, codes, weight, X_val, y_val, classes)
        state.enter(self._standardisation(X, weight) if self.standardize else None)
        rows = self._rows(X, weight, plan, n_models, state)
        weights = state.weights(plan, rows.sparse)
        targets = ClassTargets(codes, factors, weight, plan)
        scores = self._scores(held, len(targets), state.standardisation, classes)
        seeds = self._seeds(len(targets))
        runs = [
            self._run(plan, X, rows, targets, k, own, held.learned, score, seed)
            for k, (own, score, seed) in enumerate(zip(weights, scores, seeds, strict=True))
        ]
        self.classes_ = classes
        judge_by_start(plan, X, state, runs)
        self._fit_runs(plan, state, runs, n_with_weight(codes, weight), n_threads)
        return self

    def _seeds(self, count: int) -> np.ndarray:
        """Seeds of the orders of rows, one for each model, drawn as scikit-learn draws them."""
        state = check_random_state(self.random_state)
        own = state if count == 1 else np.random.RandomState(0)
        seeds = np.empty(count, dtype=np.int64)
        for k, seed in enumerate([0] if count == 1 else state.randint(MOST_SEED, size=count)):
            if count > 1:
                own.seed(seed)  # a new RandomState takes ten times as long
            own.randint(1, MOST_SEED)  # theirs is the seed of a data set, which takes no draw
            seeds[k] = own.randint(MOST_SEED)
        return seeds

    def _factors(
        self, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray | None
    ) -> np.ndarray:
        """What each class multiplies the weights of its rows by."""
        if self.class_weight is None:
            return np.ones(len(classes))
        chosen = rows_with_weight(weight)
        counts = np.bincount(codes if chosen is None else codes[chosen], minlength=len(classes))
        return factors_of_counts(self.class_weight, classes, counts)

    def partial_fit(
        self,
        X: RowsLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Run one epoch over these rows, resuming from the model as it is.

        Nothing decides when to end, and `loss_curve_` is not kept.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows, with the features of those before.
        y : array-like of shape (n_samples,)
            Labels, each one of `classes`.
        classes : array-like of shape (n_classes,), default=None
            All labels there are; needed in the first call, and the same in later ones if given.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; each multiplies the steps of its row, as `class_weight`
            does. None is 1 for each.

        Returns
        -------
        SGDClassifier
            This estimator, with the steps of these rows taken.

        Raises
        ------
        ValueError
            If a parameter is not supported (such as ``early_stopping=True`` or
            ``class_weight="balanced"``), if `classes` is missing in the first call, if an array is
            malformed or not finite, or if its features or labels are not those of earlier calls.
        """
        if sample_weight is None and take_known_class(self.__dict__, X, y, classes):
            return self
        plan = self._plan()
        if self.early_stopping:
            raise ValueError("early_stopping should be False with partial_fit")
        first = self.__dict__.get("classes_") is None
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use "
                "'balanced' weights, use compute_class_weight('balanced', classes=classes, y=y). "
                "In place of y you can use a large enough sample of the full training set target "
                "to properly estimate the class frequency distributions. Pass the resulting "
                "weights as the class_weight parameter."
            )
        X, y = self._check_rows(X, y, reset=first)
        if first or classes is not None:
            _check_partial_fit_first_call(self, classes)
        known = self.classes_
        if len(known) < 2:
            del self.classes_
            raise ValueError(
                f"The number of classes has to be greater than one; got {len(known)} class"
            )
        codes = codes_of(y, known, "y", "the first call to partial_fit")
        weight = self._check_weight(sample_weight, X, allow_zero=True)
        factors = self._factors(known, codes, weight)
        plan = plan_for_classes(plan, len(known))
        n_models = 1 if len(known) == 2 else len(known)
        targets = ClassTargets(codes, factors, weight, plan)
        if len(codes) == 1 and n_models == 1 and self.__dict__.get("coef_") is not None:
            target, model_weight = targets[0]
            if take_one_row(self, plan, X, target, model_weight):
                return self
        if self.__dict__.get("coef_") is None:
            state = self._begin((n_models, X.shape[1]), X.dtype)
        else:
            state = self._state(plan)
        take_pass(self, plan, X, targets, weight, state)
        return self

    def _scores(
        self,
        held: HeldOut,
        n_models: int,
        standardisation: Standardisation | None,
        classes: np.ndarray,
    ) -> list[ScoreOf | None]:
        """What decides when each model ends: its own accuracy on the rows held out."""
        if held.rows is None:
            return [None] * n_models
        if n_models < len(classes) > 2:  # the softmax
            codes = np.arange(len(classes))
            return [self._scorer(held.rows, held.y, held.weight, standardisation, codes)]
        signs = np.array([-1.0, 1.0])
        positive = [1] if n_models == 1 else range(n_models)
        return [
            self._scorer(
                held.rows, partial(signs_of, held.y, k), held.weight, standardisation, signs
            )
            for k in positive
        ]
