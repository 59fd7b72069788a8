"""Linear classification by stochastic gradient descent, with scikit-learn's interface."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import _check_partial_fit_first_call

from fastridge._docstrings import documented
from fastridge._typing import Matrix, RandomState, RowsLike
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import CLASSIFICATION_LOSSES, SGD_CLASSIFIER, Constraints
from fastridge.linear_model.options import store_parameters
from fastridge.linear_model.sgd_base import MOST_SEED
from fastridge.linear_model.sgd_classes import (
    ClassTargets,
    factors_of_counts,
    plan_for_classes,
    refuse_one_class,
    signs_of,
)
from fastridge.linear_model.sgd_in_memory import InMemorySGD, Posed
from fastridge.linear_model.sgd_inputs import (
    HeldOut,
    classes_and_codes,
    codes_of,
    refuse_not_finite,
)
from fastridge.linear_model.sgd_one_row import take_known_class, take_one_row
from fastridge.linear_model.sgd_options import PLAN_NAMES
from fastridge.linear_model.sgd_partial_fit import take_pass
from fastridge.linear_model.sgd_predictions import ClassPredictionsMixin
from fastridge.solvers.sgd.epochs import ScoreOf
from fastridge.solvers.sgd.order import rows_with_weight
from fastridge.solvers.sgd.settings import Plan
from fastridge.solvers.sgd.standardisation import Standardisation


@documented(texts.SGD)
class SGDClassifier(ClassPredictionsMixin, InMemorySGD):
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
    penalty, alpha, l1_ratio, fit_intercept, max_iter, tol, shuffle, verbose, epsilon
    n_jobs : int or None, default=None
        Number of threads where there are more than two classes. None is 1; negative numbers count
        back from all usable cores. Ignored where `n_threads` is above 1: classes then follow each
        other.
    random_state
    learning_rate : str, default="optimal"
    eta0
    power_t : float, default=0.5
    early_stopping, validation_fraction, n_iter_no_change
    class_weight : dict, "balanced" or None, default=None
        Factors on the steps of the rows of each class, by its label. "balanced" is ``n_samples /
        (n_classes count)``, with the count of the rows of the class. None is 1 for all.
    warm_start, average, on_divergence, optimizer, decay, momentum, batch_size, n_threads,
    standardize
    multi_class : {"ovr", "multinomial"}, default="ovr"
        With more than two classes, "ovr" fits one model of each class against all others, and
        "multinomial", for ``loss="log_loss"``, one model of all classes with the softmax of its
        outputs.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    n_iter_, t_
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, in increasing order.
    loss_curve_ : list of float, or list of such for each class
    n_features_in_, feature_names_in_, encoding_

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
    _plan_names = (*PLAN_NAMES, "multi_class")
    coef_: Matrix
    intercept_: np.ndarray
    classes_: np.ndarray
    n_jobs: int | None
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    multi_class: Literal["ovr", "multinomial"]

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
        store_parameters(self, locals())

    def _posed(self, plan: Plan, X: Matrix, y: np.ndarray, weight: np.ndarray | None) -> Posed:
        classes, codes = classes_and_codes(y)
        refuse_one_class(classes)
        plan = plan_for_classes(plan, len(classes))
        targets = ClassTargets(codes, self._factors(X, classes, codes, weight), weight, plan)
        n_models = 1 if len(classes) == 2 else len(classes)
        return Posed(plan, codes, classes, targets, (n_models, X.shape[1]))

    def _seeds(self, count: int) -> np.ndarray:
        """Return a seed of the row order for each model, drawn as scikit-learn draws them."""
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
        self, X: Matrix, classes: np.ndarray, codes: np.ndarray, weight: np.ndarray | None
    ) -> np.ndarray:
        """Return the factor of the row weights of each class."""
        if self.class_weight is None:
            return np.ones(len(classes))
        chosen = rows_with_weight(weight)
        counts = np.bincount(codes if chosen is None else codes[chosen], minlength=len(classes))
        factors = factors_of_counts(self.class_weight, classes, counts)
        if not factors.all():
            refuse_not_finite(X, self)  # no step would show it in rows of weight zero
        return factors

    @documented(texts.PARTIAL_FIT)
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
        X
        y : array-like of shape (n_samples,)
            Labels, each one of `classes`.
        classes : array-like of shape (n_classes,), default=None
            All labels there are; needed in the first call, and the same in later ones if given.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; each multiplies the steps of its row, as `class_weight`
            does. None is 1 for each.

        Returns: Self

        Raises
        ------
        ValueError
            If a parameter is not supported (such as ``early_stopping=True`` or
            ``class_weight="balanced"``), if `classes` is missing in the first call, if an array is
            malformed or not finite, or if its features or labels are not those of earlier calls.
        FloatingPointError
            If steps are not finite, or if they diverge with ``on_divergence="raise"``. The model is
            then as it was.

        Warns
        -----
        ConvergenceWarning
            If steps with ``loss="squared_error"`` or ``"squared_epsilon_insensitive"`` diverge and
            were halved, for this call and later ones until a parameter is set; or if earlier calls
            led the model astray.
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
        factors = self._factors(X, known, codes, weight)
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
        self, held: HeldOut, n_models: int, standardisation: Standardisation | None
    ) -> list[ScoreOf | None]:
        """Return the score that decides when each model stops: accuracy on the rows held out."""
        classes = held.classes
        if held.rows is None or classes is None:
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
