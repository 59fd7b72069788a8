"""The likelihood that a logistic or generalized linear model was fitted to, to be fitted again."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln, softmax, xlogy
from sklearn.utils.validation import column_or_1d, validate_data

from fastridge._kernels.attributes import computed_once
from fastridge._validation import (
    READ_IN_PLACE,
    check_finite,
    check_weight,
    dtype_of_rows,
    refuse_array_api,
)
from fastridge.designs import design_of
from fastridge.designs.design import Design
from fastridge.linear_model import smooth_models
from fastridge.linear_model.glm_inference_checks import chosen_penalty
from fastridge.losses.logistic import Logistic
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.losses.tweedie import TweedieIdentity
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed
from fastridge.solvers.newton.firth import Firth, FirthPoint, minimise_along
from fastridge.solvers.newton.information import products_with_ones
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.solve import solve_rows

TOL = 1e-8  # more is rounding
MAX_ITER = 200


class Likelihood:
    """Rows, loss and penalty of a fitted model, about the centre of the columns.

    Attributes
    ----------
    design : Design
    loss : LossOfRows or ClassesOfRows
    penalty : ndarray of shape (n_features,)
    n_classes : int
        Numbers of coefficients of a feature: 1 but for more than two classes.
    weights : Weights
        Coefficients (n_classes, n_features) and intercepts (n_classes,) of the model, the
        intercepts about the centre.
    power : float or None
        Of the mean to which the variance is proportional; None for classes.
    weight : ndarray of shape (n_samples,)
    firth : Firth or None
        The objective of a fit with Firth's penalty.
    """

    def __init__(
        self, model: Any, rows: smooth_models.Rows, loss: LossOfRows | ClassesOfRows
    ) -> None:
        self.design: Design = rows.design
        self.loss, self.penalty = loss, rows.penalty
        self.n_classes = loss.n_classes if isinstance(loss, ClassesOfRows) else 1
        coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
        coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
        intercept = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
        self.weights = Weights(coef, intercept + coef @ self.design.centre)
        self.power: float | None = None if hasattr(model, "classes_") else float(model._power)
        self.weight = self.design.row_weights
        self.eta = self._eta(self.weights)
        self.firth: Firth | None = None
        if getattr(model, "bias_reduction", None) is not None:
            assert isinstance(loss, LossOfRows)
            self.firth = Firth(self.design, loss)

    @property
    def is_multinomial(self) -> bool:
        """Return whether there are more than two classes."""
        return self.n_classes > 1

    def _eta(self, weights: Weights) -> np.ndarray:
        eta = self.design.predict(weights.coef) + weights.intercept
        if self.loss.offset is not None:
            eta += self.loss.offset.reshape(eta.shape)
        return eta

    # ---- at the coefficients of the model ----

    def mean(self) -> np.ndarray:
        """Return the means of the rows, (n_samples, n_classes): of two classes, P(second)."""
        if isinstance(self.loss, ClassesOfRows):
            return softmax(self.eta, axis=1)
        kind = self.loss.loss
        return expit(self.eta) if isinstance(kind, Logistic) else kind.mean_of(self.eta)

    def target(self) -> np.ndarray:
        """Return targets on the scale of the means; of two classes, 0 and 1."""
        assert isinstance(self.loss, LossOfRows)
        y = self.loss.y
        return 0.5 * (y + 1.0) if isinstance(self.loss.loss, Logistic) else y

    def derivative(self) -> np.ndarray:
        """Return the weighted derivatives of the losses, (n_samples, n_classes)."""
        if isinstance(self.loss, ClassesOfRows):
            found = self.mean() - (self.loss.y[:, None] == np.arange(self.n_classes))
        else:
            found = self.loss.loss.derivative(self.loss.y, self.eta[:, 0])[:, None]
        return self.weight[:, None] * found

    def curvature(self, k: int, m: int) -> np.ndarray:
        """Return the weighted expected curvatures of the rows for two classes."""
        if isinstance(self.loss, ClassesOfRows):
            mean = self.mean()
            found = mean[:, k] * (float(k == m) - mean[:, m])
        else:
            eta = self.eta[:, 0]
            found = self.loss.loss.curvature(self.loss.loss.mean_of(eta), eta)
        return self.weight * found

    def deviance_at(self, eta: np.ndarray) -> float:
        """Return twice the sum of the losses above their least."""
        if isinstance(self.loss, ClassesOfRows):
            rows = np.ascontiguousarray(eta.T)
            return 2.0 * self.loss.value_of(rows, self.design.weight)
        kind, y = self.loss.loss, self.loss.y
        with np.errstate(all="ignore"):
            losses = kind.value(y, eta[:, 0]) - kind.saturated(y)
        return 2.0 * float(self.weight @ np.where(self.weight > 0.0, losses, 0.0))

    def objective(self) -> float:
        """Return what the model minimises, at its coefficients."""
        if self.firth is not None:
            return self.firth.at(self.unknowns).objective
        penalty = 0.5 * float((self.penalty * self.weights.coef**2).sum())
        return 0.5 * self.deviance_at(self.eta) + penalty

    def pearson(self) -> float:
        """Return the sum of the squared residuals over the variances of the family."""
        mean = self.mean()[:, 0]
        variance = mean * (1.0 - mean) if self.power is None else mean**self.power
        with np.errstate(all="ignore"):
            squares = (self.target() - mean) ** 2 / variance
        return float(self.weight @ np.where(squares > 0.0, squares, 0.0))

    def log_likelihood_at(self, eta: np.ndarray, dispersion: float) -> float:
        """Return the log-likelihood with all constants; NaN of families without a closed form."""
        if self.power is None:
            return -0.5 * self.deviance_at(eta)
        assert isinstance(self.loss, LossOfRows)
        counted = self.weight > 0.0
        y, v = self.loss.y[counted], self.weight[counted]
        mean = self.loss.loss.mean_of(eta[counted, 0])
        if self.power == 0.0:
            n, rss = len(y), float(v @ (y - mean) ** 2)
            return 0.5 * float(np.log(v).sum()) - 0.5 * n * (np.log(2.0 * np.pi * rss / n) + 1.0)
        if self.power == 1.0:
            return float(v @ (xlogy(y, mean) - mean - gammaln(y + 1.0)))
        shape = v / dispersion
        if self.power == 2.0:
            terms = shape * (np.log(shape * y / mean) - y / mean) - np.log(y) - gammaln(shape)
            return float(terms.sum())
        if self.power == 3.0:
            squares = shape * (y - mean) ** 2 / (y * mean**2)
            return -0.5 * float((squares + np.log(2.0 * np.pi * y**3 / shape)).sum())
        return np.nan

    @computed_once
    def hessian(self) -> np.ndarray:
        """The expected Hessian of one linear predictor, of the coefficients and the intercept."""
        whole = products_with_ones(self.design, self.curvature(0, 0))
        p = len(self.penalty)
        whole[np.arange(p), np.arange(p)] += self.penalty
        return whole

    # ---- fitted again ----

    @property
    def unknowns(self) -> np.ndarray:
        """Coefficients and intercept in the units of Firth's objective."""
        assert self.firth is not None
        coef, intercept = self.weights.coef[0], self.weights.intercept[0]
        return self.firth.unknowns_of(Weights(coef, intercept - coef @ self.design.centre))

    @computed_once
    def firth_point(self) -> FirthPoint:
        """Firth's objective with its derivatives."""
        assert self.firth is not None
        return self.firth.at(self.unknowns, second=True)

    def least_without(self, features: Sequence[int]) -> float:
        """Return the least objective where the coefficients of some features are zero."""
        if self.firth is None:
            return self.without(features)[0]
        start = self.unknowns
        start[list(features)] = 0.0
        directions = np.delete(np.eye(len(start)), features, axis=1)
        return self._firth_from(start, directions)

    def _firth_from(self, start: np.ndarray, directions: np.ndarray) -> float:
        """Return Firth's least objective, with the information of all features."""
        assert self.firth is not None
        if not np.isfinite(self.firth.at(start).objective):
            return np.inf
        found, _ = minimise_along(self.firth, start, directions, tol=TOL, max_iter=MAX_ITER)
        return float(found.evaluation.objective)

    def without(
        self,
        features: Sequence[int],
        offset: np.ndarray | None = None,
        *,
        intercept: bool = True,
        start: Weights | None = None,
    ) -> tuple[float, Any]:
        """Return the least objective without some features, and the weights there.

        `offset` is added to the linear predictors, as (n_samples, n_classes). Without `intercept`
        there is none, and columns are about zero. By default the start is the model.
        """
        kept = np.setdiff1d(np.arange(self.design.shape[1]), features)
        design, penalty = self.design, self.penalty[kept]
        if len(kept) == 0:
            zeros = np.zeros((design.shape[0], 1))
            design = design_of(zeros, design.weight, design.fit_intercept, design.n_threads)
            penalty = np.ones(1)
        elif len(kept) < design.shape[1]:
            design = design.columns(kept)
        if not intercept:
            design = design.with_intercept(False)
        terms = self.loss.offset
        if offset is not None:
            offset = offset if self.is_multinomial else offset[:, 0]
            terms = offset if terms is None else terms + offset
        loss = self.loss
        if start is None and intercept:
            start = self._start(kept)
        of_rows: LossOfRows | ClassesOfRows
        if isinstance(loss, ClassesOfRows):
            of_rows = ClassesOfRows(loss.y, self.n_classes, terms)
        else:
            of_rows = LossOfRows(loss.loss, loss.y, terms)
            start = None if isinstance(loss.loss, TweedieIdentity) else start
        with np.errstate(all="ignore"):
            found = solve_rows(design, of_rows, penalty, start, tol=TOL, max_iter=MAX_ITER)
        return found.objective, Weights(found.coef, found.intercept)

    def _start(self, kept: np.ndarray) -> Weights:
        """Return the weights of the model for some features."""
        coef = np.ascontiguousarray(self.weights.coef[:, kept])
        intercept = self.weights.intercept - coef @ self.design.centre[kept]
        if not len(kept):
            coef = np.zeros((self.n_classes, 1))
        if self.is_multinomial:
            return Weights(coef, intercept)
        return Weights(coef[0], float(intercept[0]))

    def null_eta(self) -> np.ndarray:
        """Return the linear predictors of the null model."""
        shape = len(self.weight), self.n_classes
        offset = np.zeros(shape) if self.loss.offset is None else self.loss.offset.reshape(shape)
        if not self.design.fit_intercept:
            return offset
        intercept = self.without(range(self.design.shape[1]))[1].intercept
        return offset + np.atleast_1d(intercept)


def likelihood_of(
    model: Any,
    X: Any,
    y: Any,
    sample_weight: ArrayLike | None,
    offset: ArrayLike | None,
    exposure: ArrayLike | None,
) -> Likelihood:
    """Return the likelihood of the rows that a model was fitted to."""
    refuse_array_api(X=X, y=y)
    refuse_malformed(X)
    sparse = ("csr", "csc")
    X, y = validate_data(
        model, X, y, dtype=dtype_of_rows(X), accept_sparse=sparse, reset=False, **READ_IN_PLACE
    )
    X = in_canonical_form(X)
    weight = check_weight(sample_weight, X, y)
    if not hasattr(model, "classes_"):
        y = np.asarray(column_or_1d(y), dtype=np.float64)
        model._check_range(y)
        kind = model._loss()
        terms = model._terms(kind, y.shape, offset, exposure)
        rows = smooth_models.rows_of(model, X, weight, chosen_penalty(model)[0], 0.0)
        return Likelihood(model, rows, LossOfRows(kind, y, terms))
    check_finite(y, "y", model)
    classes = model.classes_
    codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = classes[codes] != y
    if unknown.any():
        raise ValueError(
            f"y has the label {y[np.argmax(unknown)]!r}, which the model was not fitted to: give "
            "the X and y of the fit."
        )
    weight = model._weights_of_classes(weight, classes, codes)
    binary = len(classes) == 2
    shape: tuple[int, ...] = codes.shape if binary else (len(codes), len(classes))
    terms = smooth_models.check_offset(offset, shape)
    rows = smooth_models.rows_of(model, X, weight, chosen_penalty(model)[0], 0.0)
    if binary:
        return Likelihood(model, rows, LossOfRows(Logistic(), 2.0 * codes - 1.0, terms))
    return Likelihood(model, rows, ClassesOfRows(codes, len(classes), terms))
