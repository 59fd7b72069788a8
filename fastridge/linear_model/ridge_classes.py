"""Classes as targets of ridge regression, and probabilities calibrated on the rows left out.

A class is a target of 1 in its own rows and -1 in the others; two classes share one target. The
margins of the rows, predicted by the models that are fitted without them, are known exactly from
one factorisation (`model_selection.leave_one_out`). A sigmoid of them is fitted to the labels for
each target, as by Platt, "Probabilistic outputs for support vector machines" (1999), so that no row
is used to calibrate the model that it was fitted by.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, logsumexp
from sklearn.base import BaseEstimator
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import Tags, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d, validate_data

from fastridge._docstrings import documented
from fastridge._kernels.attributes import forget
from fastridge._typing import Matrix, RowsLike
from fastridge._validation import (
    READ_IN_PLACE,
    check_finite,
    check_weight,
    dtype_of_rows,
    refuse_array_api,
)
from fastridge.data.scan import Scan
from fastridge.designs import design_of
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.class_scores import ClassScoresMixin, linear_scores
from fastridge.linear_model.ridge_alpha_selection import LabelledRows
from fastridge.losses.logistic import Logistic
from fastridge.losses.smooth import LossOfRows
from fastridge.model_selection.leave_one_out import LeaveOneOut
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.solvers.direct.spectrum_selection import is_dual, spectrum_of
from fastridge.solvers.newton.problem import SmoothProblem
from fastridge.solvers.newton.solve import solve
from fastridge.solvers.problem import Problem

_TOL = 1e-10  # of the decrement of a sigmoid's fit
_MOST_STEPS = 100


class ClassRows(NamedTuple):
    """Validated rows with their labels.

    Attributes
    ----------
    X : ndarray or sparse matrix
    labels : ndarray of shape (n_samples,) or (n_samples, n_labels)
    Y : ndarray of shape (n_samples, n_targets)
        1 in the rows of each class, otherwise -1.
    given_weight : ndarray or None
        The sample weights.
    weight : ndarray or None
        Those times the weights of the classes.
    """

    X: Matrix
    labels: np.ndarray
    Y: np.ndarray
    given_weight: np.ndarray | None
    weight: np.ndarray | None


def _calibrates(model: BaseEstimator) -> bool:
    if model.calibration is None:
        raise AttributeError(
            f"{type(model).__name__} has predict_proba only with calibration='loo'."
        )
    return True


class RidgeClassesMixin(ClassScoresMixin):
    """Labels, predictions and probabilities of a ridge classifier."""

    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    calibration: Literal["loo"] | None
    calibration_: np.ndarray
    _multilabel: bool

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_classes(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> ClassRows:
        """Validate rows and labels; set `classes_`."""
        if isinstance(X, Scan):
            raise TypeError(
                f"X is a scan, and {type(self).__name__} reads rows in memory only: give an array "
                "or a sparse matrix, or fit LogisticRegression to the scan."
            )
        forget(self, "encoding_", "calibration_")
        refuse_array_api(X=X, y=y)
        refuse_malformed(X)
        X, y = validate_data(
            self,
            X,
            y,
            dtype=dtype_of_rows(X),
            accept_sparse=("csr", "csc"),
            multi_output=True,
            **READ_IN_PLACE,
        )
        check_finite(y, "y", self)
        binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        Y = np.asarray(binarizer.fit_transform(y), dtype=np.float64)
        self.classes_ = binarizer.classes_
        self._multilabel = binarizer.y_type_.startswith("multilabel")
        if not self._multilabel:
            y = column_or_1d(y, warn=True)
        X = in_canonical_form(X)
        given = weight = check_weight(sample_weight, X, Y)
        if self.class_weight:
            factors = compute_sample_weight(self.class_weight, y)
            weight = check_weight(factors if given is None else given * factors, X, Y)
        return ClassRows(X, y, Y, given, weight)

    @documented(texts.PREDICT)
    def predict(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict the classes.

        Parameters: X

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels; with several labels for each row, 1 where a label is predicted, otherwise 0.

        Raises: NotFittedError, ValueError
        """
        if getattr(self, "_multilabel", False):
            scores = self.decision_function(X)
            return (scores.reshape(len(scores), -1) > 0.0).astype(np.int64)
        predicted: np.ndarray = super().predict(X)
        return predicted

    @available_if(_calibrates)  # type: ignore[untyped-decorator]
    @documented(texts.PREDICT)
    def predict_proba(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict the probabilities of the classes, with ``calibration="loo"``.

        Parameters: X

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`, which add up to 1; with several labels for
            each row, the probability of each label.

        Raises: NotFittedError, ValueError
        """
        scores = self.decision_function(X)
        factor, shift = self.calibration_.T
        if scores.ndim == 1:
            eta = factor[0] * scores + shift[0]
            if self._multilabel:
                return expit(eta)[:, None]
            return np.column_stack([expit(-eta), expit(eta)])
        logs = log_expit(factor * scores + shift)
        if not self._multilabel:
            logs -= logsumexp(logs, axis=1, keepdims=True)
        return np.exp(logs)

    def _scores_of(self, X: Any) -> np.ndarray:
        coef = np.atleast_2d(self.coef_)
        intercept = np.broadcast_to(np.asarray(self.intercept_), len(coef))
        return linear_scores(X, coef, intercept)

    def _calibrate(self, problem: Problem, rows: ClassRows) -> None:
        """Fit a sigmoid of the leave-one-out margins of the rows to each target."""
        if self.calibration is not None:
            margins = leave_one_out_margins(problem)
            targets = [
                sigmoid(f, t, rows.given_weight) for f, t in zip(margins, rows.Y.T, strict=True)
            ]
            self.calibration_ = np.array(targets)


class ClassesOfPredictors(RidgeClassesMixin, BaseEstimator):
    """A fitted classifier whose rows are their own linear predictors, for scorers."""

    def __init__(self, model: RidgeClassesMixin) -> None:
        self.model = model
        self.classes_, self._multilabel = model.classes_, model._multilabel

    def decision_function(self, X: Any) -> np.ndarray:
        values: np.ndarray = X
        return values

    def fit(self, X: object, y: object) -> Self:
        """Do nothing: the model is fitted."""
        return self


def labelled(model: RidgeClassesMixin, rows: ClassRows) -> LabelledRows:
    """Return the labels as scorers see them."""
    return LabelledRows(ClassesOfPredictors(model), rows.labels)


def leave_one_out_margins(problem: Problem) -> np.ndarray:
    """Return the prediction for each row by the model without it, (n_targets, n_samples).

    `problem` has the alpha of each target, which is above 0.
    """
    Y, n = problem.loss.Y, problem.design.n_counted
    if n < 2:
        raise ValueError(
            f"calibration='loo' needs at least 2 rows, got n_samples={n}: use calibration=None."
        )
    alphas = np.broadcast_to(problem.alphas, Y.shape[1])
    least = float(alphas.min())
    if problem.loss.statistics is None and not is_dual(problem, least, leverage=True):
        assert problem.loss.y is not None
        problem = problem.with_statistics(problem.design.accumulate(problem.loss.y))
    spectrum = spectrum_of(problem, least, leverage=True)
    tried, of_target = np.unique(alphas, return_inverse=True)
    margins = np.empty_like(Y)
    for rows, targets, errors in LeaveOneOut(spectrum, tried).blocks():
        some = np.arange(Y.shape[1])[targets]
        margins[rows, targets] = Y[rows, targets] - errors[:, of_target[some], np.arange(len(some))]
    return margins.T


def sigmoid(
    margins: np.ndarray, target: np.ndarray, weight: np.ndarray | None
) -> tuple[float, float]:
    """Return factor and shift of the logit of 1 against -1, fitted to the margins.

    The targets are Platt's: (n + 1) / (n + 2) and 1 / (n + 2), for which a minimum exists even
    where the margins separate the classes.
    """
    weight = np.ones(len(margins)) if weight is None else weight
    counted = weight > 0.0
    margins, positive, weight = margins[counted], target[counted] > 0.0, weight[counted]
    n_positive, n_negative = float(weight[positive].sum()), float(weight[~positive].sum())
    share = np.where(positive, (n_positive + 1.0) / (n_positive + 2.0), 1.0 / (n_negative + 2.0))
    scale = float(np.abs(margins).max())
    if not scale > 0.0:
        scale = 1.0
    column = np.tile(margins / scale, 2)[:, None]
    design = design_of(column, np.concatenate([weight * share, weight * (1.0 - share)]))
    loss = LossOfRows(Logistic(), np.repeat([1.0, -1.0], len(margins)))
    found = solve(SmoothProblem(design, loss, np.zeros(1)), tol=_TOL, max_iter=_MOST_STEPS)
    factor, mean = float(found.coef[0]) / scale, float(np.average(share, weights=weight))
    if factor > 0.0:
        return factor, float(found.intercept)
    # a row lowers the mean of the others, so that margins that predict nothing seem to mislead
    return 0.0, float(np.log(mean) - np.log1p(-mean))
