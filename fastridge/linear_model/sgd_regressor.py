"""Linear regression by stochastic gradient descent, with scikit-learn's interface."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from fastridge._docstrings import documented
from fastridge._typing import Matrix, RandomState, RowsLike
from fastridge._validation import refuse_array_api
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import REGRESSION_LOSSES, SGD_REGRESSOR, Constraints
from fastridge.linear_model.encoded_tables import encoded
from fastridge.linear_model.options import store_parameters
from fastridge.linear_model.prediction import LinearModelMixin, joined, predicted_batches
from fastridge.linear_model.sgd_in_memory import InMemorySGD, Posed
from fastridge.linear_model.sgd_inputs import HeldOut
from fastridge.linear_model.sgd_one_row import take_known_row, take_one_row
from fastridge.linear_model.sgd_partial_fit import take_pass
from fastridge.runtime.sparse_indices import refuse_malformed
from fastridge.solvers.sgd.epochs import ScoreOf
from fastridge.solvers.sgd.settings import Plan
from fastridge.solvers.sgd.standardisation import Standardisation


@documented(texts.SGD)
class SGDRegressor(RegressorMixin, InMemorySGD):
    """Linear regression by stochastic gradient descent, as `sklearn.linear_model.SGDRegressor`.

    Minimises ``mean_i loss(y_i, x_i'w + b)`` plus `alpha` times the penalty, which is
    ``||w||^2 / 2``, ``|w|_1``, or for "elasticnet"
    ``(1 - l1_ratio) ||w||^2 / 2 + l1_ratio |w|_1``.

    Parameters
    ----------
    loss : str, default="squared_error"
        "squared_error" (half the square), "huber", "epsilon_insensitive" or
        "squared_epsilon_insensitive".
    penalty, alpha, l1_ratio, fit_intercept, max_iter, tol, shuffle, verbose, epsilon, random_state
    learning_rate : str, default="invscaling"
    eta0
    power_t : float, default=0.25
    early_stopping, validation_fraction, n_iter_no_change, warm_start, average, on_divergence,
    optimizer, decay, momentum, batch_size, n_threads, standardize

    Attributes
    ----------
    coef_, intercept_, n_iter_, t_, loss_curve_, n_features_in_, feature_names_in_, encoding_

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
    coef_: Matrix
    intercept_: np.ndarray

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
        store_parameters(self, locals())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _posed(self, plan: Plan, X: Matrix, y: np.ndarray, weight: np.ndarray | None) -> Posed:
        targets = [(target, weight) for target in _targets(y)]
        return Posed(plan, y, None, targets, _shape_of(X, y))

    def _scores(
        self, held: HeldOut, n_models: int, standardisation: Standardisation | None
    ) -> list[ScoreOf | None]:
        """Return the score that decides when each model stops: R2 on the rows held out."""
        if held.rows is None:
            return [None] * n_models
        return [
            self._scorer(held.rows, target, held.weight, standardisation)
            for target in _targets(held.y)
        ]

    @documented(texts.PARTIAL_FIT)
    def partial_fit(
        self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Run one epoch over these rows, resuming from the model as it is.

        Nothing decides when to end, and `loss_curve_` is not kept.

        Parameters
        ----------
        X, y
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, at least 0; each multiplies the steps of its row. None is 1 for
            each.

        Returns: Self

        Raises
        ------
        ValueError
            If a parameter is not supported (such as ``early_stopping=True``), if an array is
            malformed or not finite, or if its features or targets are not those of earlier calls.
            The model is then as it was.
        FloatingPointError
            If steps are not finite, or if they diverge with ``on_divergence="raise"``. The model is
            then as it was.

        Warns
        -----
        ConvergenceWarning
            If steps diverge and were halved, for this call and later ones until a parameter is set;
            or if earlier calls led the model astray.
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
        X = encoded(self, X)
        if isinstance(X, Scan):
            check_is_fitted(self)
            return joined(predicted_batches(self, X))
        return self._decision_function(X)

    predict.__doc__ = LinearModelMixin.predict.__doc__


def _shape_of(X: Matrix, y: np.ndarray) -> tuple[int, ...]:
    """Return the shape of the coefficients."""
    return (X.shape[1],) if y.ndim == 1 else (y.shape[1], X.shape[1])


def _targets(y: np.ndarray) -> list[np.ndarray]:
    """Return each target by itself."""
    if y.ndim == 1:
        return [np.ascontiguousarray(y, dtype=np.float64)]
    return list(np.ascontiguousarray(y.T, dtype=np.float64))
