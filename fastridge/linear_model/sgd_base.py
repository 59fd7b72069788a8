"""Code that SGDRegressor and SGDClassifier share: options, rows and fitted attributes."""

import operator
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import column_or_1d, validate_data

from fastridge._kernels.attributes import forget
from fastridge._typing import Matrix, RandomState, RowsLike
from fastridge._validation import (
    READ_IN_PLACE,
    check_weight,
    has_plain_labels,
    refuse_array_api,
)
from fastridge.linear_model.class_scores import linear_scores
from fastridge.linear_model.routing import UNROUTED_FIT
from fastridge.linear_model.sgd_inputs import (
    HeldOut,
    checked_targets,
    codes_of,
    dense,
    is_finite,
    refuse_not_finite,
    validation_rows,
)
from fastridge.linear_model.sgd_options import PLAN_NAMES, plan_of
from fastridge.linear_model.sgd_state import State
from fastridge.linear_model.to_sklearn import ToSklearnMixin
from fastridge.runtime.buffers import copy_apart, zeros_apart
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.solvers.sgd.epochs import ScoreOf
from fastridge.solvers.sgd.settings import Plan
from fastridge.solvers.sgd.standardisation import Standardisation

MOST_SEED = np.iinfo(np.int32).max
_AVERAGE_ATTRIBUTES = (
    "_average_coef",
    "_average_intercept",
    "_standard_coef",
    "_standard_intercept",
)


class BaseSGD(ToSklearnMixin, SparseCoefMixin, BaseEstimator):
    """Rows on their way in, a solver run for each target, and what is stored of it."""

    __metadata_request__fit: ClassVar[dict[str, str]] = UNROUTED_FIT

    loss: str
    penalty: Literal["l2", "l1", "elasticnet"] | None
    alpha: float
    l1_ratio: float | None
    fit_intercept: bool
    max_iter: int
    tol: float | None
    shuffle: bool | Literal["block", "full"]
    verbose: int
    epsilon: float
    random_state: RandomState
    learning_rate: str
    eta0: float
    power_t: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    average: bool | int
    on_divergence: Literal["halve", "raise"]
    optimizer: Literal["sgd", "momentum", "adagrad", "adam", "adamw", "ftrl"]
    decay: Literal["coupled", "decoupled"] | None
    momentum: float
    batch_size: int
    n_threads: int | None
    standardize: bool

    _classifies: bool
    _plan_names: tuple[str, ...] = PLAN_NAMES

    def __setattr__(self, name: str, value: object) -> None:
        if not name.endswith("_") and not name.startswith("_"):  # a parameter
            forget(self, "_online", "_step_factor")
        object.__setattr__(self, name, value)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return self.__dict__.get("coef_") is not None

    def _plan(self) -> Plan:
        """Return the checked options; they are kept until a parameter is set."""
        known = self.__dict__.get("_sgd_plan")
        values = tuple(map(self.__dict__.get, self._plan_names))
        if known is not None and all(map(operator.is_, values, known[0])):
            return known[1]
        plan = plan_of(self, self._classifies)
        self._sgd_plan = (values, plan)
        return plan

    def __getstate__(self) -> dict[str, object]:
        state = dict(super().__getstate__())
        state.pop("_sgd_plan", None)
        state.pop("_online", None)
        return state

    def _check_rows(self, X: Any, y: Any, reset: bool) -> tuple[Matrix, np.ndarray]:
        """Return X as floats of any layout or CSR, and y of one column with finite numbers.

        Whether X is finite its margins show; see `refuse_not_finite`.
        """
        if reset:
            forget(self, "encoding_")
        if has_plain_labels(X, y) and is_finite(y):
            if reset:
                self.n_features_in_ = X.shape[1]
                forget(self, "feature_names_in_")
                return X, y
            if X.shape[1] == self.n_features_in_ and "feature_names_in_" not in self.__dict__:
                return X, y
        refuse_array_api(X=X, y=y)
        refuse_malformed(X)
        refuse_malformed(y, "y")
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=not self._classifies,
            **READ_IN_PLACE,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = checked_targets(y, self)
        # Squares, the order of rows, and what an L1 penalty is paid for tell entries that are
        # repeated or zero from what they stand for.
        return in_canonical_form(X, zeros=False), y

    def _check_weight(
        self, sample_weight: ArrayLike | None, X: Matrix, allow_zero: bool = False
    ) -> np.ndarray | None:
        if sample_weight is None:
            return None
        refuse_array_api(sample_weight=sample_weight)
        if not np.isscalar(sample_weight):
            sample_weight = np.asarray(sample_weight)
        allow_zero = allow_zero or bool(self.early_stopping)
        weight = check_weight(sample_weight, X, allow_zero=allow_zero)
        if weight is not None and not weight.all():
            refuse_not_finite(X, self)  # no step would show it in a row of weight zero
        return weight

    def _begin(
        self,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
    ) -> State:
        """Return coefficients of this shape, for a solver run without an earlier fit."""
        n_models = 1 if len(shape) == 1 else shape[0]
        coef, intercept = zeros_apart(shape, dtype), np.zeros(n_models)
        if coef_init is not None:
            given = np.array(coef_init, dtype=dtype)
            if given.size != coef.size or (n_models > 1 and given.shape != shape):
                raise ValueError(
                    "Provided coef_init does not match dataset. "
                    f"It has shape {given.shape}, the model {shape}."
                )
            coef[:] = given.reshape(shape)
        if intercept_init is not None:
            given = np.array(intercept_init, dtype=np.float64)
            if given.shape != (n_models,) and not (n_models == 1 and given.shape == ()):
                raise ValueError(
                    "Provided intercept_init does not match dataset. "
                    f"It has shape {given.shape}, the model ({n_models},)."
                )
            intercept[:] = given
        return State(coef, intercept, 1.0)

    def _state(self, plan: Plan) -> State:
        """Return the current model for `partial_fit` to resume; its arrays are not copied."""
        known = self.__dict__
        if not plan.average_from:
            return State(dense(known["coef_"]), np.array(known["intercept_"], float), known["t_"])
        coef = known.get("_standard_coef")
        intercept = known.get("_standard_intercept")
        if coef is None or intercept is None:
            coef, intercept = copy_apart(dense(known["coef_"])), known["intercept_"]
        state = State(coef, np.array(intercept, float), known["t_"])
        if known.get("_average_coef") is not None:
            state.average = known["_average_coef"]
            state.average_intercept = np.array(known["_average_intercept"], float)
        return state

    def _store(self, plan: Plan, state: State, t: float) -> None:
        """Store the fitted attributes, when the state has reached step `t`."""
        self.t_ = t
        self.coef_ = state.coef
        self.intercept_ = state.intercept
        if plan.average_from:
            self._standard_coef, self._standard_intercept = state.coef, state.intercept
            self._average_coef = state.average
            self._average_intercept = state.average_intercept
            if plan.average_from <= self.t_ - 1.0:
                assert state.average is not None
                assert state.average_intercept is not None
                self.coef_, self.intercept_ = state.average, state.average_intercept
        elif "_average_coef" in self.__dict__:
            forget(self, *_AVERAGE_ATTRIBUTES)

    def _seeds(self, count: int) -> np.ndarray:
        """Return a seed of the row order for each model, drawn as scikit-learn draws them."""
        return np.full(count, check_random_state(self.random_state).randint(0, MOST_SEED))

    def _scorer(
        self,
        X: Matrix,
        y: np.ndarray | Callable[[], np.ndarray],
        weight: np.ndarray | None,
        standardisation: Standardisation | None,
        classes: np.ndarray | None = None,
    ) -> ScoreOf:
        """Return a function that scores coefficients on these rows, as the estimator does."""
        scorer: Any = clone(self)
        scorer.t_ = 1.0
        if classes is not None:
            scorer.classes_ = classes

        def score(coef: np.ndarray, intercept: float | np.ndarray) -> float:
            intercept = np.atleast_1d(np.array(intercept, dtype=coef.dtype))
            if standardisation is not None:
                coef = coef.copy()
                standardisation.leave(coef, intercept)
            scorer.coef_ = coef if classes is None else np.atleast_2d(coef)
            scorer.intercept_ = intercept
            return float(scorer.score(X, y() if callable(y) else y, weight))

        return score

    def _scores_of(self, X: Any) -> np.ndarray:
        """Return the scores of a batch of a scan."""
        return linear_scores(X, self.coef_, self.intercept_)

    def _predict_batch(self, X: Any) -> np.ndarray:
        """Return the predictions for a batch of a scan."""
        return self._scores_of(X)

    def _dense_coef(self) -> np.ndarray:
        return dense(self.coef_)

    def _held_out(
        self,
        X: Matrix,
        y: np.ndarray,
        weight: np.ndarray | None,
        X_val: RowsLike | None,
        y_val: Any,
        classes: np.ndarray | None = None,
    ) -> HeldOut:
        """Return the rows whose score decides when to stop: those given, some of X, or none."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val belong together: give both or neither.")
        if X_val is not None:
            refuse_array_api(X_val=X_val, y_val=y_val)
            refuse_malformed(X_val, "X_val")
            refuse_malformed(y_val, "y_val")
            X_val, y_val = validate_data(
                self,
                X_val,
                y_val,
                reset=False,
                accept_sparse="csr",
                dtype=X.dtype,
                multi_output=not self._classifies,
            )
            y_val = checked_targets(y_val, self, "y_val")
            if not self._classifies and y_val.shape[1:] != y.shape[1:]:
                raise ValueError(
                    f"y_val must have the targets of y, got shapes {y_val.shape} and {y.shape}."
                )
            if classes is not None:
                y_val = codes_of(y_val, classes, "y_val", "y")
            return HeldOut(None, X_val, y_val, None, classes)
        learned, scored = validation_rows(self, y, weight)
        if scored is None:
            return HeldOut(None, None, None, None)
        weight = None if weight is None else weight[scored]
        return HeldOut(learned, X[scored], y[scored], weight, classes)
