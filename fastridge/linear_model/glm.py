"""Generalized linear models with scikit-learn's interface."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import column_or_1d

from fastridge._docstrings import documented
from fastridge._typing import AlphaScale, Bounds, Float, Matrix, PathLike, RowsLike
from fastridge._validation import check_finite, check_weight
from fastridge.data.scan import Scan
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model import smooth_models, smooth_texts
from fastridge.linear_model.constraints import GLM, TWEEDIE, Constraints, check_parameters
from fastridge.linear_model.encoded_tables import encoded
from fastridge.linear_model.glm_inference_methods import GLMInferenceMixin
from fastridge.linear_model.glm_streamed import fit_glm_scan
from fastridge.linear_model.options import store_parameters
from fastridge.linear_model.prediction import LinearModelMixin
from fastridge.linear_model.separated import (
    minimum_or_separation,
    say_how_it_ended,
)
from fastridge.linear_model.streamed import refuse_checkpoint
from fastridge.losses.gamma import Gamma
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import LossOfRows, SmoothLoss
from fastridge.losses.tweedie import TweedieIdentity, tweedie_loss
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.separation import Separation
from fastridge.solvers.newton.solve import solve_rows


class GLMRows(NamedTuple):
    """Validated rows of a fit, with the loss, offsets about `shift`, and penalties at alpha 1."""

    X: Matrix
    rows: smooth_models.Rows
    loss: LossOfRows
    weight: np.ndarray | None
    shift: float

    def rows_at(self, alpha: float) -> smooth_models.Rows:
        """Return the rows with the penalties at this alpha."""
        l1 = None if self.rows.l1 is None or alpha == 0.0 else alpha * self.rows.l1
        return self.rows._replace(penalty=alpha * self.rows.penalty, l1=l1)


class GeneralizedLinearModel(LinearModelMixin, GLMInferenceMixin, RegressorMixin, BaseEstimator):
    """`fit`, `predict` and `score` of the mean of a family with a link."""

    __metadata_request__fit: ClassVar[dict[str, str]] = smooth_models.UNROUTED
    _parameter_constraints: ClassVar[Constraints] = GLM

    alpha: float
    l1_ratio: float
    solver: str
    max_iter: int
    tol: float
    warm_start: bool
    n_threads: int | None
    _power: float

    def _loss(self) -> SmoothLoss:
        """Return the loss: half the deviance of the family, but for a constant."""
        raise NotImplementedError

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        alpha_scale: AlphaScale = "mean",
        n_threads: int | None = None,
    ) -> None:
        store_parameters(self, locals())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self._least_target() is not None
        return tags

    def _least_target(self) -> tuple[float, bool] | None:
        """Return the least target, and whether it is one itself; None if any number is one."""
        power = self._power
        if not power > 0.0:
            return None
        return 0.0, power < 2.0

    @documented(smooth_texts.FIT)
    def fit(
        self,
        X: RowsLike | Scan,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        exposure: ArrayLike | None = None,
        checkpoint: PathLike | None = None,
        checkpoint_every: int | None = None,
    ) -> Self:
        """Fit the model to these rows alone.

        Parameters: X, y, sample_weight, offset, exposure, checkpoint, checkpoint_every

        Returns
        -------
        estimator
            This estimator, fitted.

        Raises: TypeError, ValueError

        Warns
        -----
        ConvergenceWarning
            If Newton's method stopped at `max_iter`, or if features without a penalty separate
            targets of zero from the others.
        """
        check_parameters(self)
        resolve_threads(self.n_threads)
        if isinstance(X, Scan):
            scanned = X, y, sample_weight, (offset, exposure), checkpoint, checkpoint_every
            return self._keep_passes(*fit_glm_scan(self, *scanned))
        refuse_checkpoint(checkpoint, checkpoint_every)
        given = self._prepared(X, y, sample_weight, offset, exposure, float(self.l1_ratio))
        X, rows, shift = given.X, given.rows_at(float(self.alpha)), given.shift
        start = smooth_models.start_from(self, rows)
        if start is not None:
            start = start._replace(intercept=start.intercept + shift)
        minimise = partial(solve_rows, rows.design, given.loss, rows.penalty, bounds=rows.bounds)
        result, separation = minimum_or_separation(self, X, rows, given.loss, minimise, start)
        result = result._replace(intercept=result.intercept - shift)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        return self._finish(rows, result, dtype, separation)

    def _fit_passes(self, fit: Callable[..., Any]) -> Self:
        """Fit to rows that are read several times."""
        check_parameters(self)
        return self._keep_passes(*fit())

    def _keep_passes(
        self,
        rows: smooth_models.Rows,
        result: NewtonResult,
        separation: Separation | None,
    ) -> Self:
        """Keep the fit to rows that were read several times."""
        return self._finish(rows, result, np.float64, separation)

    def _finish(
        self,
        rows: smooth_models.Rows,
        result: NewtonResult,
        dtype: Float,
        separation: Separation | None = None,
    ) -> Self:
        smooth_models.store(self, rows, result, dtype)
        self.intercept_ = self.intercept_[()] if self.fit_intercept else 0.0
        self.n_iter_: Any = result.n_iter
        self.dual_gap_ = smooth_models.gap_of(self, rows, result)
        say_how_it_ended(self, rows, result, separation, result.not_converged)
        return self

    def _prepared(
        self,
        X: RowsLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        offset: ArrayLike | None,
        exposure: ArrayLike | None,
        l1_ratio: float,
    ) -> "GLMRows":
        """Return validated rows with their loss and their penalties at alpha = 1."""
        X, y = self._check_targets(X, y)
        weight = check_weight(sample_weight, X, y)
        if self.alpha_scale == "mean":  # so that their unit does not matter
            weight = smooth_models.in_range(weight)
        loss = self._loss()
        terms = self._terms(loss, y.shape, offset, exposure)
        total = float(len(y) if weight is None else weight.sum())
        mean = float(y.mean(dtype=np.float64) if weight is None else weight @ y / total)
        smooth_models.check_mean(self, loss, mean)
        smooth_models.check_size(self, float(np.abs(y).mean()))
        if not self.fit_intercept and isinstance(loss, TweedieIdentity):
            raise ValueError(
                "link='identity' with a power other than 0 needs predictors above 0 in every row "
                "to start from: use fit_intercept=True."
            )
        rows = smooth_models.rows_of(self, X, weight, 1.0, l1_ratio)
        shift = 0.0
        if terms is not None and self.fit_intercept:  # about which the null model is a good start
            shift = smooth_models.centre_of(loss, terms, weight)
            terms -= shift
        return GLMRows(X, rows, LossOfRows(loss, y, terms), weight, shift)

    def _check_targets(self, X: Any, y: Any) -> tuple[Matrix, np.ndarray]:
        """Return validated rows and targets, which must be in the range of the family."""
        X, y = self._check_rows(X, y, reset=True)
        if y.ndim == 2:
            y = column_or_1d(y, warn=True)
        self._check_range(y)
        return X, y

    def _check_range(self, y: np.ndarray) -> None:
        if not np.isfinite(y).all():
            check_finite(y, "y", self)
        least = self._least_target()
        if least is None:
            return
        outside = y < least[0] if least[1] else y <= least[0]
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"Some value(s) of y are out of the valid range of the loss: y[{row}] is "
                f"{y[row]:g}, and targets of {type(self).__name__} must be "
                f"{'at least' if least[1] else 'above'} {least[0]:g}."
            )

    def _terms(
        self,
        loss: SmoothLoss,
        shape: tuple[int, ...],
        offset: ArrayLike | None,
        exposure: ArrayLike | None,
    ) -> np.ndarray | None:
        """Return the known terms of the linear predictors: offsets and logarithms of exposures."""
        terms = smooth_models.check_offset(offset, shape)
        if exposure is None:
            return terms
        if loss.link != "log":
            raise ValueError("exposure needs a log link: give an offset instead.")
        try:
            values = np.asarray(exposure, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"exposure must be numbers of shape {shape}.") from None
        if values.shape != shape:
            raise ValueError(f"exposure must have shape {shape}, got {values.shape}.")
        outside = ~((values > 0.0) & np.isfinite(values))
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"exposure must be finite and above 0, but exposure[{row}] is {values[row]:g}: "
                "leave out rows without exposure."
            )
        logarithms = np.log(values)
        return logarithms if terms is None else terms + logarithms

    @documented(texts.PREDICT)
    def predict(self, X: RowsLike | Scan) -> np.ndarray:
        """Predict means of the targets, without offset and for an exposure of 1.

        Parameters: X

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted means.

        Raises: NotFittedError, ValueError
        """
        if type(X) is not np.ndarray:
            X = encoded(self, X)
        eta = super().predict(X)
        return eta if isinstance(X, Scan) else self._mean_of(eta)

    def _predict_batch(self, X: Matrix) -> np.ndarray:
        return self._mean_of(super()._predict_batch(X))

    def _mean_of(self, eta: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return self._loss().mean_of(eta)

    @documented(smooth_texts.FIT)
    def score(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute D^2, the share of the null deviance that the model explains.

        Parameters: X, y, sample_weight

        Returns
        -------
        float
            One minus the deviance divided by that of the weighted mean of y; at most 1.

        Raises: ValueError
        """
        loss = self._loss()
        eta = np.asarray(super().predict(X), dtype=np.float64)
        target = column_or_1d(np.asarray(y, dtype=np.float64))
        if target.shape != eta.shape:
            raise ValueError(f"y must have shape {eta.shape}, got {target.shape}.")
        self._check_range(target)
        weight = check_weight(sample_weight, eta[:, np.newaxis])
        mean = float(np.average(target, weights=weight))
        with np.errstate(all="ignore"):
            least = loss.saturated(target)
            null = loss.value(target, np.full_like(target, loss.null_predictor(mean)))
            deviance = np.average(loss.value(target, eta) - least, weights=weight)
            return float(1.0 - deviance / np.average(null - least, weights=weight))


@documented(smooth_texts.GLM)
class PoissonRegressor(GeneralizedLinearModel):
    """Poisson regression with a log link, as `sklearn.linear_model.PoissonRegressor`.

    Minimises ``sum_i v_i deviance(y_i, exp(x_i'w + b)) / (2 sum_i v_i) + alpha ||w||^2 / 2`` with
    the weights v, by Newton's method. `l1_ratio` replaces a part of the penalty by the L1 norm. The
    intercept b is not penalised.

    Parameters
    ----------
    alpha, fit_intercept, solver, max_iter, tol, warm_start, verbose, l1_ratio, standardize,
    penalty_factors, bounds, alpha_scale, n_threads

    Attributes
    ----------
    coef_, intercept_, n_iter_, status_, solver_, rcond_, gradient_norm_, dual_gap_,
    n_passes_, n_features_in_, feature_names_in_, encoding_

    See Also
    --------
    fastridge.TweedieRegressor : Other powers and links.
    fastridge.LogisticRegression : For classes.

    Examples
    --------
    >>> from fastridge import PoissonRegressor
    >>> X = [[1, 2], [2, 3], [3, 4], [4, 3]]
    >>> model = PoissonRegressor().fit(X, [12, 17, 22, 21])
    >>> model.coef_.round(3), round(float(model.intercept_), 3)
    (array([0.121, 0.158]), 2.089)
    >>> model.predict([[1, 1], [3, 4]]).round(2)
    array([10.68, 21.88])
    """

    _power = 1.0

    def _loss(self) -> SmoothLoss:
        return Poisson()


@documented(smooth_texts.GLM)
class GammaRegressor(GeneralizedLinearModel):
    """Gamma regression with a log link, as `sklearn.linear_model.GammaRegressor`.

    Minimises ``sum_i v_i deviance(y_i, exp(x_i'w + b)) / (2 sum_i v_i) + alpha ||w||^2 / 2`` with
    the weights v, by Newton's method. `l1_ratio` replaces a part of the penalty by the L1 norm. The
    intercept b is not penalised. Targets are above 0.

    Parameters
    ----------
    alpha, fit_intercept, solver, max_iter, tol, warm_start, verbose, l1_ratio, standardize,
    penalty_factors, bounds, alpha_scale, n_threads

    Attributes
    ----------
    coef_, intercept_, n_iter_, status_, solver_, rcond_, gradient_norm_, dual_gap_,
    n_passes_, n_features_in_, feature_names_in_, encoding_

    See Also
    --------
    fastridge.TweedieRegressor : Other powers and links.
    fastridge.PoissonRegressor : For counts.

    Examples
    --------
    >>> from fastridge import GammaRegressor
    >>> X = [[1, 2], [2, 3], [3, 4], [4, 3]]
    >>> model = GammaRegressor().fit(X, [19, 26, 33, 30])
    >>> model.coef_.round(3), round(float(model.intercept_), 3)
    (array([0.073, 0.067]), 2.897)
    """

    _power = 2.0

    def _loss(self) -> SmoothLoss:
        return Gamma()


@documented(smooth_texts.GLM)
class TweedieRegressor(GeneralizedLinearModel):
    """Regression with a Tweedie deviance, as `sklearn.linear_model.TweedieRegressor`.

    Minimises ``sum_i v_i deviance(y_i, mu_i) / (2 sum_i v_i) + alpha ||w||^2 / 2`` with the weights
    v and means mu whose link is ``x_i'w + b``, by Newton's method. `l1_ratio` replaces
    a part of the penalty by the L1 norm. The intercept b is not penalised.

    Parameters
    ----------
    power : float, default=0.0
        Power of the mean to which the variance is proportional: 0 is the normal distribution, 1
        Poisson, between 1 and 2 amounts of which some are zero, 2 gamma, 3 inverse Gaussian.
        Targets are at least 0 for powers above 0, and above 0 from 2 on.
    alpha, fit_intercept
    link : {"auto", "identity", "log"}, default="auto"
        Function of the mean that is linear. "auto" is "identity" for powers up to 0, and "log"
        above. With "identity" and a power other than 0, means are above 0 in every row of the fit.
    solver, max_iter, tol, warm_start, verbose, l1_ratio, standardize, penalty_factors, bounds,
    alpha_scale, n_threads

    Attributes
    ----------
    coef_, intercept_, n_iter_, status_, solver_, rcond_, gradient_norm_, dual_gap_,
    n_passes_, n_features_in_, feature_names_in_, encoding_

    See Also
    --------
    fastridge.PoissonRegressor : For counts.
    fastridge.GammaRegressor : For positive amounts.

    Examples
    --------
    >>> from fastridge import TweedieRegressor
    >>> X = [[1, 2], [2, 3], [3, 4], [4, 3]]
    >>> model = TweedieRegressor(power=1.5).fit(X, [0.0, 3.5, 5.0, 5.5])
    >>> model.coef_.round(3), round(float(model.intercept_), 3)
    (array([0.392, 0.306]), -0.852)
    """

    _parameter_constraints: ClassVar[Constraints] = TWEEDIE

    power: float
    link: Literal["auto", "identity", "log"]

    def __init__(
        self,
        *,
        power: float = 0.0,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        link: Literal["auto", "identity", "log"] = "auto",
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        standardize: bool = False,
        penalty_factors: ArrayLike | None = None,
        bounds: Bounds | None = None,
        alpha_scale: AlphaScale = "mean",
        n_threads: int | None = None,
    ) -> None:
        store_parameters(self, locals())

    @property
    def _power(self) -> float:  # type: ignore[override]
        power: Any = self.power  # tags are read before it is checked
        return float(power) if isinstance(power, int | float | np.number) else 0.0

    def _loss(self) -> SmoothLoss:
        link = self.link
        if link == "auto":
            link = "identity" if self._power <= 0.0 else "log"
        return tweedie_loss(self._power, link)
