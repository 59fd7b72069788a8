"""Inference for logistic regression and generalized linear models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2, f, norm, t

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge.linear_model import glm_texts as texts
from fastridge.linear_model.glm_covariance import Covariance
from fastridge.linear_model.glm_inference_checks import (
    check_groups,
    check_model,
    feature_indices,
    feature_names,
)
from fastridge.linear_model.glm_likelihood import Likelihood, likelihood_of
from fastridge.linear_model.glm_profile import ProfileAt, limit, profile_of
from fastridge.losses.tweedie import TweedieIdentity
from fastridge.solvers.newton.problem import LEAST_PENALTY

GLMCovType = Literal["nonrobust", "HC0", "HC1", "cluster"]

_NOT_THE_FIT = 1e-7  # of the objective: what a Newton step may win at the minimum
_FAR = 2.5  # standard errors


class LikelihoodRatioTest(NamedTuple):
    """A test whether the coefficients of some features are all zero.

    Parameters
    ----------
    statistic : float
        Twice the difference of the objectives without and with the features, over the dispersion;
        where that is estimated, also over `dof`.
    dof : int
        Number of coefficients.
    p_value : float
        From the chi-squared distribution, or where the dispersion is estimated from the F
        distribution.

    See Also
    --------
    fastridge.linear_model.GLMInference.likelihood_ratio_test : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import PoissonRegressor
    >>> X, y = np.arange(8.0)[:, None], [1, 0, 2, 3, 3, 6, 9, 14]
    >>> test = PoissonRegressor(alpha=0).fit(X, y).inference(X, y).likelihood_ratio_test([0])
    >>> round(test.statistic, 2), test.dof, test.p_value < 1e-6
    (29.9, 1, True)
    """

    statistic: float
    dof: int
    p_value: float


@documented(texts.INFERENCE)
class GLMInference:
    """Standard errors, intervals, tests and criteria of a logistic or generalized linear model.

    With a penalty, estimates are biased towards zero. Standard errors and Wald intervals are then
    about the expected value of the penalised estimator, by ``H^-1 I H^-1`` with the Fisher
    information I and ``H = I + penalty``, not about the true coefficients; likelihood ratios and
    profile intervals are those of the penalised likelihood.

    Parameters
    ----------
    model : LogisticRegression, PoissonRegressor, GammaRegressor or TweedieRegressor
        A fitted model; `inference` of the model passes itself.
    X, y, sample_weight, offset, exposure, cov_type, groups, baseline

    Attributes
    ----------
    n_samples : int
        Number of rows with weight.
    dof : float
        Effective degrees of freedom tr H^-1 I, with those of the intercepts: without a penalty the
        number of coefficients.
    residual_dof : float
        ``n_samples - dof``.
    dispersion : float
        1 for classes and counts, otherwise Pearson's estimate: `pearson_chi2` over `residual_dof`.
    pearson_chi2 : float
        Sum of the squared residuals over the variances of the family; NaN with more than two
        classes.
    deviance : float
        Twice the sum of the losses above their least.
    null_deviance : float
        That of the null model with the same offsets.
    deviance_explained : float
        ``1 - deviance / null_deviance``.
    log_likelihood : float
        With all constants; gamma and inverse Gaussian at `dispersion`, normal at RSS / n. NaN for
        other powers, whose densities have no closed form.
    null_log_likelihood : float
        That of the null model.
    mcfadden_r2 : float
        ``1 - log_likelihood / null_log_likelihood``, for classes and counts; otherwise NaN.
    aic : float
        Akaike's criterion, ``2 dof - 2 log_likelihood``.
    bic : float
        Schwarz's criterion, ``dof log(n_samples) - 2 log_likelihood``.
    coef : ndarray of shape (n_features,) or (n_classes, n_features)
        Coefficients of the model, in float64; relative to `baseline` if it is given, then without
        its row.
    intercept : float or ndarray of shape (n_classes,)
        Intercepts, likewise.
    covariance : ndarray of shape (n_unknowns, n_unknowns)
        Covariance of the coefficients and, last, the intercept; for each class in turn. Unknowns
        that the rows do not determine have infinite variance.
    standard_errors : ndarray of the shape of `coef`
        Roots of the variances of the coefficients.
    intercept_standard_error : float or ndarray of shape (n_classes,)
        Those of the intercepts; NaN without an intercept.
    cov_type : str
        The kind of covariance.
    classes : list
        The classes that the rows of `coef` belong to; empty with one row.

    Raises: ValueError

    See Also
    --------
    fastridge.LogisticRegression.inference : Makes it.
    fastridge.linear_model.GLMSummary : A table of it.

    Notes
    -----
    The information is the expected one, as in R's ``glm``. Weights count rows for classes and
    counts, and are precisions for other families. Intervals use the normal distribution, or with an
    estimated dispersion the t distribution with `residual_dof`.

    References
    ----------
    McCullagh and Nelder, "Generalized Linear Models" (1989). White, "Maximum likelihood estimation
    of misspecified models", Econometrica 50 (1982). Liang and Zeger, "Longitudinal data analysis
    using generalized linear models", Biometrika 73 (1986).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import PoissonRegressor
    >>> X, y = np.arange(8.0)[:, None], [1, 0, 2, 3, 3, 6, 9, 14]
    >>> found = PoissonRegressor(alpha=0).fit(X, y).inference(X, y)
    >>> found.coef.round(3), found.standard_errors.round(3), round(found.deviance, 2)
    (array([0.444]), array([0.093]), 2.58)
    """

    intercept: Any  # a float, or an array with more than two classes
    intercept_standard_error: Any

    def __init__(
        self,
        model: Any,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
        exposure: ArrayLike | None = None,
        cov_type: GLMCovType = "nonrobust",
        groups: ArrayLike | None = None,
        baseline: Any = None,
    ) -> None:
        check_model(model, cov_type)
        self._model, self.cov_type, self._baseline = model, cov_type, baseline
        likelihood = likelihood_of(model, X, y, sample_weight, offset, exposure)
        self._likelihood = likelihood
        group = check_groups(groups, cov_type, likelihood.weight)
        self.n_samples = int(np.count_nonzero(likelihood.weight))
        covariance = Covariance(likelihood)
        self._check_fit(likelihood, covariance)
        self.dof = covariance.dof
        self.residual_dof = self.n_samples - self.dof
        self._fill(likelihood)
        whole = covariance.of_kind(cov_type, self.dispersion, self.n_samples, group)
        whole, unknown = covariance.in_units(
            whole, model.classes_ if self._several else None, baseline
        )
        self.covariance = whole
        self._shape(unknown, baseline)

    # ---- made once ----

    @property
    def _several(self) -> bool:
        return self._likelihood.is_multinomial

    @property
    def _estimated(self) -> bool:
        """True where the dispersion is estimated."""
        return self._likelihood.power not in (None, 1.0)

    @staticmethod
    def _check_fit(likelihood: Likelihood, covariance: Covariance) -> None:
        decrement, objective = covariance.decrement(), abs(likelihood.objective())
        if not decrement <= _NOT_THE_FIT * max(objective, 1e-3 * len(likelihood.weight) ** 0.5):
            raise ValueError(
                "the model is not the fit of these rows, or the fit did not converge: give the X, "
                "y, sample_weight and offset that it was fitted to."
            )

    def _fill(self, likelihood: Likelihood) -> None:
        self.pearson_chi2 = np.nan if likelihood.is_multinomial else likelihood.pearson()
        self.dispersion = 1.0
        if self._estimated:
            enough = self.residual_dof > 1e-9 * self.n_samples
            self.dispersion = self.pearson_chi2 / self.residual_dof if enough else np.nan
        null = likelihood.null_eta()
        self.deviance = likelihood.deviance_at(likelihood.eta)
        self.null_deviance = likelihood.deviance_at(null)
        self.deviance_explained = 1.0 - self.deviance / self.null_deviance
        with np.errstate(all="ignore"):
            self.log_likelihood = likelihood.log_likelihood_at(likelihood.eta, self.dispersion)
            self.null_log_likelihood = likelihood.log_likelihood_at(null, self.dispersion)
        self.mcfadden_r2 = np.nan
        if not self._estimated:
            self.mcfadden_r2 = 1.0 - self.log_likelihood / self.null_log_likelihood
        self.aic = 2.0 * self.dof - 2.0 * self.log_likelihood
        self.bic = float(np.log(self.n_samples)) * self.dof - 2.0 * self.log_likelihood

    def _shape(self, unknown: np.ndarray, baseline: Any) -> None:
        """Set coefficients and errors from the unknowns of each class, intercepts last."""
        model = self._model
        variance = self.covariance.diagonal().reshape(unknown.shape)
        with np.errstate(invalid="ignore"):
            errors = np.sqrt(np.maximum(variance, 0.0))
        fitted = bool(model.fit_intercept)
        coef, of_coef = (part[:, : unknown.shape[1] - fitted] for part in (unknown, errors))
        intercept = unknown[:, -1] if fitted else np.zeros(len(unknown))
        of_intercept = errors[:, -1] if fitted else np.full(len(unknown), np.nan)
        self.classes: list[Any] = []
        if self._several:
            self.classes = [c for c in model.classes_.tolist() if c != baseline]
            self.coef, self.standard_errors = coef, of_coef
            self.intercept, self.intercept_standard_error = intercept, of_intercept
            return
        self.coef, self.standard_errors = coef[0], of_coef[0]
        self.intercept = float(intercept[0])
        self.intercept_standard_error = float(of_intercept[0])

    # ---- intervals ----

    def quantile(self, level: float) -> float:
        """Compute the quantile that makes two-sided intervals of this level.

        Parameters
        ----------
        level : float
            Probability that an interval covers, between 0 and 1.

        Returns
        -------
        float
            The quantile at ``0.5 + level / 2`` of the normal distribution, or of the t distribution
            where the dispersion is estimated.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1.
        """
        if isinstance(level, bool) or not 0.0 < level < 1.0:
            raise ValueError(f"level must be between 0 and 1, got {level!r}.")
        probability = 0.5 + 0.5 * level
        if self._estimated:
            return float(t.ppf(probability, self.residual_dof))
        return float(norm.ppf(probability))

    def _p_values(self, ratio: np.ndarray) -> np.ndarray:
        """Return two-sided p-values of coefficients over their standard errors."""
        size = np.abs(ratio)
        return 2.0 * (t.sf(size, self.residual_dof) if self._estimated else norm.sf(size))

    @documented(texts.INFERENCE)
    def confidence_intervals(
        self, level: float = 0.95, method: Literal["wald", "profile"] = "wald"
    ) -> np.ndarray:
        """Compute intervals of the coefficients.

        Parameters: level, method

        Returns
        -------
        ndarray of shape (n_features, 2) or (n_classes, n_features, 2)
            Lower and upper bounds; infinite where nothing determines the coefficient.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1, or if `method` is unknown, or "profile" for more than
            two classes.
        """
        if self._check_method(method):
            features = range(len(self.coef))
            return np.array([self._profile(j, self.quantile(level)) for j in features])
        reach = self.quantile(level) * self.standard_errors
        return np.stack([self.coef - reach, self.coef + reach], axis=-1)

    @documented(texts.INFERENCE)
    def intercept_confidence_interval(
        self, level: float = 0.95, method: Literal["wald", "profile"] = "wald"
    ) -> np.ndarray:
        """Compute the interval of the intercept.

        Parameters: level, method

        Returns
        -------
        ndarray of shape (2,) or (n_classes, 2)
            Lower and upper bound; NaN without an intercept.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1, or if `method` is unknown, or "profile" for more than
            two classes.
        """
        if self._check_method(method) and self._model.fit_intercept:
            return np.array(self._profile(None, self.quantile(level)))
        reach = self.quantile(level) * self.intercept_standard_error
        return np.stack([self.intercept - reach, self.intercept + reach], axis=-1)

    @documented(texts.INFERENCE)
    def ratios(
        self, level: float = 0.95, method: Literal["wald", "profile"] = "wald"
    ) -> np.ndarray:
        """Compute the factors by which odds or means change per unit of each feature.

        They are odds ratios for classes (with more than two, of the odds against `baseline`, or
        without one against the geometric mean of all), and ratios of means or rates for a log link.

        Parameters: level, method

        Returns
        -------
        ndarray of shape (n_features, 3) or (n_classes, n_features, 3)
            The ratio, and the lower and upper bound of its interval.

        Raises
        ------
        ValueError
            If the link is neither logit nor log, or if `confidence_intervals` refuses the
            arguments.
        """
        if not self.has_ratios:
            raise ValueError("ratios need a logit or log link: the model has the identity link.")
        with np.errstate(over="ignore"):
            ends = self.confidence_intervals(level, method)
            return np.exp(np.concatenate([self.coef[..., None], ends], axis=-1))

    @property
    def has_ratios(self) -> bool:
        """True where exponentials of coefficients are ratios of odds or means."""
        if self._likelihood.power is None:
            return True
        return bool(self._likelihood.loss.loss.link == "log")  # type: ignore[union-attr]

    # ---- likelihood ratios ----

    @documented(texts.INFERENCE)
    def likelihood_ratio_test(
        self, features: Sequence[int | str] | int | str
    ) -> LikelihoodRatioTest:
        """Test whether the coefficients of some features are all zero.

        The model is fitted again without them.

        Parameters: features

        Returns
        -------
        LikelihoodRatioTest
            Statistic, degrees of freedom and p-value.

        Raises
        ------
        ValueError
            If a feature is unknown, or given twice, or if none is given.
        """
        index = feature_indices(self._model, features)
        likelihood = self._likelihood
        least = likelihood.least_without(index)
        dof = len(index) * max(1, likelihood.n_classes - 1)
        statistic = max(0.0, 2.0 * (least - likelihood.objective()) / self.dispersion)
        if self._estimated:
            statistic /= dof
            return LikelihoodRatioTest(
                statistic, dof, float(f.sf(statistic, dof, self.residual_dof))
            )
        return LikelihoodRatioTest(statistic, dof, float(chi2.sf(statistic, dof)))

    def _check_method(self, method: str) -> bool:
        """Return whether intervals are by the profile; raise ValueError if that is unsupported."""
        if method not in ("wald", "profile"):
            raise ValueError(f"method must be 'wald' or 'profile', got {method!r}.")
        if method == "wald":
            return False
        if self._several:
            raise ValueError(
                "method='profile' is supported for two classes: use method='wald' for more."
            )
        if isinstance(self._likelihood.loss.loss, TweedieIdentity):  # type: ignore[union-attr]
            raise ValueError(
                "method='profile' is not supported for link='identity' with a power other than 0, "
                "whose predictors must stay above 0: use method='wald'."
            )
        return True

    def _profile(self, feature: int | None, quantile: float) -> tuple[float, float]:
        """Return where the root of the likelihood ratio is the quantile; None is the intercept."""
        likelihood = self._likelihood
        best = likelihood.objective()
        estimate: float
        error: float
        if feature is None:
            estimate, error = self.intercept, self.intercept_standard_error
        else:
            estimate, error = float(self.coef[feature]), float(self.standard_errors[feature])
        if not 0.0 < error < np.inf:
            return (-np.inf, np.inf) if error > 0.0 else (np.nan, np.nan)

        return (
            self._limit(profile_of(likelihood, feature), best, estimate, error, -quantile),
            self._limit(profile_of(likelihood, feature), best, estimate, error, quantile),
        )

    def _limit(
        self, profile: ProfileAt, best: float, estimate: float, error: float, quantile: float
    ) -> float:
        """Return where the signed root of the likelihood ratio is a quantile."""
        size = abs(quantile)

        def root(value: float) -> tuple[float, float]:
            least, derivative = profile(value, abs(value - estimate) > _FAR * error)
            found = float(np.sqrt(max(0.0, 2.0 * (least - best) / self.dispersion)))
            return found - size, derivative / (self.dispersion * found) if found > 0.0 else np.nan

        return limit(root, estimate, quantile * error, size)

    # ---- names ----

    @property
    def feature_names(self) -> list[str]:
        """Names of the features; x0, x1, ... where the fit had none."""
        return feature_names(self._model)

    @property
    def is_penalised(self) -> bool:
        """True where the model has a penalty."""
        return bool((self._likelihood.penalty > LEAST_PENALTY).any())
