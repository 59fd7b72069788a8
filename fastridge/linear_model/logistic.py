"""Logistic regression with scikit-learn's interface."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import AlphaScale, Bounds, Index, Matrix, PathLike, RandomState, RowsLike
from fastridge._validation import (
    READ_IN_PLACE,
    check_finite,
    check_weight,
    dtype_of_rows,
    has_plain_labels,
    refuse_array_api,
)
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model import smooth_models, smooth_texts
from fastridge.linear_model.class_scores import ClassScoresMixin
from fastridge.linear_model.constraints import LOGISTIC, Constraints, check_parameters
from fastridge.linear_model.glm_inference_methods import GLMInferenceMixin
from fastridge.linear_model.logistic_options import (
    check_bias_reduction,
    check_classes,
    check_penalty,
    factors_of_classes,
    not_converged_words,
    refuse_bias_reduction,
)
from fastridge.linear_model.logistic_streamed import fit_logistic_scan
from fastridge.linear_model.options import store_parameters
from fastridge.linear_model.separated import (
    all_separated,
    all_separated_words,
    minimum_or_separation,
    say_how_it_ended,
)
from fastridge.linear_model.sgd_inputs import classes_and_codes, is_finite
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.linear_model.to_sklearn import ToSklearnMixin
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.newton.firth import solve_firth
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.separation import Separation
from fastridge.solvers.newton.solve import solve_rows


class LogisticRows(NamedTuple):
    """Validated rows of a fit with their classes, penalties and offsets about `shift`."""

    X: Matrix
    rows: smooth_models.Rows
    classes: np.ndarray
    codes: np.ndarray
    weight: np.ndarray | None
    offset: np.ndarray | None
    shift: Any

    @property
    def loss(self) -> LossOfRows | ClassesOfRows:
        """The loss, with the targets of the rows."""
        if len(self.classes) == 2:
            return LossOfRows(Logistic(), 2.0 * self.codes - 1.0, self.offset)
        return ClassesOfRows(self.codes, len(self.classes), self.offset)

    def offset_of(self, index: Index) -> np.ndarray | None:
        """Return the offsets of some rows as given."""
        return None if self.offset is None else self.offset[index] + self.shift

    def without_shift(self, result: NewtonResult, strength: float = 1.0) -> NewtonResult:
        """Return a result, at a strength of the penalties, for the offsets as given."""
        result = result._replace(intercept=np.asarray(result.intercept - self.shift))
        if len(self.classes) > 2:
            rows = self.rows if strength else self.rows.without_penalty()
            together, intercept = rows.moves_together, rows.design.fit_intercept
            return smooth_models.sum_to_zero(result, together, intercept)
        return result


@documented(smooth_texts.SMOOTH)
class LogisticRegression(
    ClassScoresMixin, GLMInferenceMixin, ToSklearnMixin, SparseCoefMixin, BaseEstimator
):
    """Logistic regression, as `sklearn.linear_model.LogisticRegression`.

    Minimises ``sum_i v_i log(1 + exp(-y_i (x_i'w + b))) + ||w||^2 / (2 C)`` with y of -1 and 1 and
    the weights v, or with more than two classes ``sum_i v_i (log(sum_k exp(eta_ik)) - eta_iy) +
    sum_k ||w_k||^2 / (2 C)``, by Newton's method. `l1_ratio` adds the L1 norm. Intercepts are not
    penalised.

    Parameters
    ----------
    penalty : {"l2", "l1", "elasticnet", None}, default="deprecated"
        Deprecated, as in scikit-learn: give `C` and `l1_ratio`. None is ``C=np.inf``.
    C : float, default=1.0
        Inverse of the strength of the penalty, above 0. Infinity is no penalty.
    l1_ratio : float, default=0.0
        Share of the L1 norm in the penalty, from 0 to 1: the penalty is ``((1 - l1_ratio)
        ||w||^2 / 2 + l1_ratio |w|_1) / C``. As in scikit-learn, 1 needs the solver "liblinear" or
        "saga", and values between need "saga".
    dual : bool, default=False
        Accepted for compatibility, True only with ``solver="liblinear"``, and ignored.
    tol
    fit_intercept : bool, default=True
        Fit intercepts, which are not penalised. Otherwise `intercept_` is 0.
    intercept_scaling : float, default=1
        Accepted for compatibility and ignored: ``solver="liblinear"`` does not penalise the
        intercept here, and scikit-learn's does.
    class_weight : dict, "balanced" or None, default=None
        Factors of the weights of the rows of each class, by its label. "balanced" is
        ``sum of weights / (n_classes * sum of the class's weights)``. None is 1 for all.
    random_state
    solver : {"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"}, \
            default="lbfgs"
        Accepted for compatibility: each gives the exact answer by Newton's method, and `solver_`
        says what ran. What scikit-learn refuses for a solver (such as more than two classes for
        "liblinear") is refused.
    max_iter : int, default=100
        Most Newton steps, at least 0.
    verbose, warm_start
    n_jobs : int or None, default=None
        Deprecated, as in scikit-learn, and ignored.
    standardize, penalty_factors
    bounds : (lower, upper), default=None
        Least and largest coefficients, each a number or an array-like of shape (n_features,), with
        ``lower <= 0 <= upper``; with more than two classes also (n_classes, n_features). None is
        without bounds.
    alpha_scale : {"sum", "mean"}, default="sum"
        Whether the penalty, times 1 / C, is added to the sum of the losses or to their mean.
    bias_reduction : {"firth"}, default=None
        "firth" adds half the logarithm of the determinant of the Fisher information to the
        log-likelihood of two classes, in place of any other penalty (`C` is then ignored, and stays
        1 or infinity). Estimates have less bias, do not depend on the units of X, and are finite
        also if the classes are separable.
    n_threads

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, in increasing order.
    coef_ : ndarray or sparse matrix of shape (1, n_features) or (n_classes, n_features)
        Coefficients in the units of X: float32 for float32 X (but for ``solver="liblinear"``),
        otherwise float64. With more than two classes those of a feature with an L2 penalty add up
        to zero.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; 0 with ``fit_intercept=False``. With more than two classes they add up to zero.
    n_iter_ : ndarray of shape (1,)
        Number of Newton steps on all rows.
    status_, solver_, rcond_, gradient_norm_, dual_gap_, n_passes_, n_features_in_,
    feature_names_in_, encoding_

    See Also
    --------
    fastridge.SGDClassifier : The same by stochastic gradient descent, also from files.
    fastridge.PoissonRegressor : For counts.

    Notes
    -----
    Without a penalty (``C=np.inf`` or factors of 0) there is no minimum if features separate the
    classes, even in some rows only: coefficients grow without bound. A warning then names these
    features, and `status_` is "separated".

    An offset is not added to what `predict`, `predict_proba` and `decision_function` return.

    References
    ----------
    Nelder and Wedderburn, "Generalized linear models", JRSS A 135 (1972). Albert and Anderson, "On
    the existence of maximum likelihood estimates in logistic regression models", Biometrika 71
    (1984). Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80 (1993). Heinze
    and Schemper, "A solution to the problem of separation in logistic regression", Statistics in
    Medicine 21 (2002).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import LogisticRegression
    >>> X = np.array([[-1.0, 0.5], [0.5, -1.0], [1.0, 0.0], [-0.5, 0.0], [2.0, 1.0]])
    >>> model = LogisticRegression().fit(X, ["no", "no", "yes", "no", "yes"])
    >>> model.coef_.round(2), model.solver_
    (array([[0.97, 0.41]]), 'newton-cholesky')
    >>> model.predict_proba([[1.0, 1.0]]).round(2)
    array([[0.38, 0.62]])
    """

    __metadata_request__fit: ClassVar[dict[str, str]] = {"offset": smooth_models.UNROUTED["offset"]}
    _parameter_constraints: ClassVar[Constraints] = LOGISTIC

    penalty: str | None
    C: float
    l1_ratio: float | None
    dual: bool
    fit_intercept: bool
    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    solver: str
    n_jobs: int | None
    bias_reduction: str | None
    n_threads: int | None

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        random_state: RandomState = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        alpha_scale: AlphaScale = "sum",
        bias_reduction: Literal["firth"] | None = None,
        n_threads: int | None = None,
    ) -> None:
        store_parameters(self, locals())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        if self.solver == "liblinear":
            tags.classifier_tags.multi_class = False
        return tags

    @documented(smooth_texts.FIT)
    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows alone.

        Parameters
        ----------
        X
        y : array-like of shape (n_samples,), default=None
            Labels of any type, of at least two classes; None only where X is a scan.
        sample_weight
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Known terms of the linear predictors (with more than two classes, of each class), which
            have no coefficient.
        checkpoint, checkpoint_every

        Returns
        -------
        LogisticRegression
            This estimator, fitted.

        Raises: TypeError, ValueError

        Warns
        -----
        ConvergenceWarning
            If Newton's method stopped at `max_iter`, or if features without a penalty separate
            the classes.
        """
        check_parameters(self)
        resolve_threads(self.n_threads)
        strength, l1_ratio = check_penalty(self)
        if isinstance(X, Scan):
            refuse_bias_reduction(self)
            penalty = strength, l1_ratio
            scanned = X, y, sample_weight, offset, penalty, checkpoint, checkpoint_every
            return self._keep_passes(*fit_logistic_scan(self, *scanned))
        refuse_checkpoint(checkpoint, checkpoint_every)
        given = self._prepared(X, y, sample_weight, offset, strength, l1_ratio)
        X, rows, n_classes = given.X, given.rows, len(given.classes)
        start = smooth_models.start_from(self, rows, n_classes)
        if start is None and self.max_iter == 0:
            start = smooth_models.zeros(rows, n_classes)
        if start is not None:
            start = start._replace(intercept=start.intercept + given.shift)
        if check_bias_reduction(self, n_classes):
            solver = partial(solve_firth, rows.design, given.loss)
            result, separation = smooth_models.minimum(self, X, solver, start, None), None
        else:
            solver = partial(solve_rows, rows.design, given.loss, rows.penalty, bounds=rows.bounds)
            result, separation = minimum_or_separation(self, X, rows, given.loss, solver, start)
        self.classes_ = given.classes
        self._store(X, rows, given.without_shift(result))
        self._end(rows, result, separation)
        return self

    def _fit_passes(self, fit: Callable[..., Any]) -> Self:
        """Fit to rows that are read several times, by a function of the penalty."""
        check_parameters(self)
        refuse_bias_reduction(self)
        return self._keep_passes(*fit(check_penalty(self)))

    def _keep_passes(
        self,
        classes: np.ndarray,
        totals: np.ndarray,
        rows: smooth_models.Rows,
        result: NewtonResult,
        separation: Separation | None,
    ) -> Self:
        """Keep the fit to rows that were read several times, and the weights of classes."""
        self.classes_ = classes
        self._store(np.empty((0, 0)), rows, result)
        if separation is None and all_separated(rows, result, totals):
            self.status_ = "separated"
            smooth_models.warn_not_converged(all_separated_words(result.n_iter))
        else:
            self._end(rows, result, separation)
        return self

    def _prepared(
        self,
        X: RowsLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None,
        strength: float,
        l1_ratio: float,
    ) -> "LogisticRows":
        """Return validated rows with their classes and penalties."""
        X, y = self._check_rows(X, y)
        weight = check_weight(sample_weight, X, y)
        classes, codes = classes_and_codes(y)
        check_classes(self, classes)
        weight = self._weights_of_classes(weight, classes, codes)
        rows = smooth_models.rows_of(self, X, weight, strength, l1_ratio, len(classes))
        shape: tuple[int, ...] = codes.shape if len(classes) == 2 else (len(codes), len(classes))
        terms = smooth_models.check_offset(offset, shape)
        shift: Any = 0.0
        if terms is not None and self.fit_intercept:  # about which the null model is a good start
            shift = rows.design.sum_over_rows(terms) / rows.design.sum_weights
            terms -= shift
        return LogisticRows(X, rows, classes, codes, weight, terms, shift)

    def _check_rows(self, X: Any, y: Any) -> tuple[Matrix, np.ndarray]:
        forget(self, "encoding_")
        if has_plain_labels(X, y) and is_finite(y):
            self.n_features_in_ = X.shape[1]
            forget(self, "feature_names_in_")
            return X, y
        refuse_array_api(X=X, y=y)
        refuse_malformed(X)
        refuse_malformed(y, "y")
        sparse = ("csr", "csc")
        X, y = validate_data(
            self, X, y, dtype=dtype_of_rows(X), accept_sparse=sparse, **READ_IN_PLACE
        )
        check_finite(y, "y", self)
        return in_canonical_form(X), y

    def _weights_of_classes(
        self, weight: np.ndarray | None, classes: np.ndarray, codes: np.ndarray
    ) -> np.ndarray | None:
        """Return the weights of the rows, times those of their classes."""
        factors = factors_of_classes(self, classes, np.bincount(codes, weight))
        if factors is None:
            return weight
        return factors[codes] if weight is None else weight * factors[codes]

    def _store(self, X: Matrix, rows: smooth_models.Rows, result: NewtonResult) -> None:
        kept = X.dtype == np.float32 and self.solver != "liblinear"  # as in scikit-learn
        smooth_models.store(self, rows, result, np.float32 if kept else np.float64)
        if self.coef_.ndim == 1:
            self.coef_, self.intercept_ = self.coef_[np.newaxis], self.intercept_[np.newaxis]
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        self.dual_gap_ = smooth_models.gap_of(self, rows, result)

    def _end(
        self, rows: smooth_models.Rows, result: NewtonResult, separation: Separation | None
    ) -> None:
        """Set the status; warn if the classes are separated or the tolerance was not reached."""
        words = None
        if result.not_converged is not None:
            words = not_converged_words(self.solver, result)
        say_how_it_ended(self, rows, result, separation, words)

    @documented(texts.PREDICT)
    def predict_proba(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict the probabilities of the classes.

        Parameters: X

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.

        Raises: NotFittedError, ValueError
        """
        return self._of_classes(X, expit, softmax)

    @documented(texts.PREDICT)
    def predict_log_proba(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict the logarithms of the probabilities of the classes.

        They have all digits where a probability is near 0 or underflows.

        Parameters: X

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Logarithms in the order of `classes_`.

        Raises: NotFittedError, ValueError
        """
        return self._of_classes(X, log_expit, log_softmax)

    def _of_classes(
        self, X: RowsLike | Scan, of_two: Callable[..., Any], of_several: Callable[..., Any]
    ) -> np.ndarray:
        """Return a function of the linear predictors, for two classes or for more."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([of_two(-scores), of_two(scores)])
        values: np.ndarray = of_several(scores, axis=1)
        return values
