"""Inference for a fitted ridge model: variances, intervals, criteria."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from fastridge._docstrings import documented
from fastridge._typing import CovType, Matrix, RowsLike
from fastridge.designs import design_of
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.inference_checks import check_inference, rows_to_predict
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection import inference_terms as numerics
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import Problem, problem_of

_LEAST_RSS = 1e-11  # of y'Wy: below this it is rounding if only statistics are available


@documented(texts.INFERENCE | texts.NOT_INFERRED)
class RidgeInference:
    """Variances, intervals and criteria of a ridge fit.

    Ridge estimates are biased. Standard errors and intervals here are about the expected value
    of the ridge estimator at this alpha, not about the true coefficients, and an alpha chosen by
    the same data makes them too narrow.

    With several targets each array has a leading axis for them.

    Parameters
    ----------
    model : Ridge or RidgeCV
        A fitted model; `inference` of the model passes itself.
    X : array-like or sparse matrix of shape (n_samples, n_features), or None
        The rows that the model was fitted to; None where it holds their statistics.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
    sample_weight : float or array-like of shape (n_samples,), or None
    cov_type : {"nonrobust", "HC0", "HC1", "HC2", "HC3"}

    Attributes
    ----------
    n_samples : int
        Number of rows with weight.
    alpha : float or ndarray of shape (n_targets,)
        Penalty on the scale of sums.
    dof : float
        Effective degrees of freedom tr H, with one for the intercept; H maps y to its fit.
    residual_dof : float
        n - tr(2H - HH'), by which the residual sum of squares is divided, and of the t
        distribution. For alpha = 0 it is n - dof. Where none are left, variances and intervals
        are NaN.
    rss : float
        Weighted residual sum of squares.
    residual_variance : float
        Estimate of sigma^2: RSS / residual_dof.
    r2 : float
        Coefficient of determination on these rows: 1 - RSS / TSS.
    log_likelihood : float
        Gaussian, at sigma^2 = RSS / n: -n/2 (log(2 pi RSS / n) + 1) + 1/2 sum log w, as in
        statsmodels (without the last term where only statistics are known).
    aic : float
        Akaike's criterion, -2 log L + 2 dof.
    bic : float
        Schwarz's criterion, -2 log L + dof log n.
    gcv : float
        Generalised cross-validation, n RSS / (n - dof)^2; NaN where no degree of freedom is left.
    coef : ndarray of shape (n_features,)
        Coefficients of the model, in float64.
    intercept : float
        Intercept of the model.
    covariance : ndarray of shape (n_features, n_features)
        Covariance of the coefficients, by `cov_type`.
    standard_errors : ndarray of shape (n_features,)
        Roots of the variances of the coefficients.
    intercept_standard_error : float
        Root of the variance of the intercept; NaN without an intercept.
    bias_estimate : ndarray of shape (n_features,)
        E w - beta = -alpha A^-1 S beta with the estimate w in place of the unknown beta: an
        indication, itself too small.
    eigenvalues : ndarray of shape (n_directions,)
        Squared singular values d^2 of the penalised principal directions, in decreasing order.
    shrinkage : ndarray of shape (n_directions,)
        Factors d^2 / (d^2 + alpha) of the directions.
    vif : ndarray of shape (n_features,)
        Variance inflation, the diagonal of (R + K)^-1 R (R + K)^-1 with the correlations R and
        the penalty K in their units; at alpha = 0 the usual one.
    cov_type : str
        The kind of covariance.

    Raises: ValueError

    See Also
    --------
    fastridge.Ridge.inference : Makes it.
    fastridge.linear_model.RidgeSummary : A table of it.

    References
    ----------
    Hastie and Tibshirani, "Generalized Additive Models" (1990), section 3.5. Marquardt,
    "Generalized inverses, ridge regression, biased linear estimation, and nonlinear estimation",
    Technometrics 12 (1970). MacKinnon and White, "Some heteroskedasticity-consistent covariance
    matrix estimators with improved finite sample properties", Journal of Econometrics 29 (1985).

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from fastridge import Ridge
    >>> X, y = make_regression(50, 2, noise=10.0, random_state=0)
    >>> found = Ridge(1.0).fit(X, y).inference(X, y)
    >>> found.standard_errors.round(3), round(found.dof, 2)
    (array([1.441, 1.379]), 2.96)
    """

    alpha: float | np.ndarray
    dof: float | np.ndarray
    residual_dof: float | np.ndarray
    rss: float | np.ndarray
    residual_variance: float | np.ndarray
    r2: float | np.ndarray
    log_likelihood: float | np.ndarray
    aic: float | np.ndarray
    bic: float | np.ndarray
    gcv: float | np.ndarray

    def __init__(
        self,
        model: BaseEstimator,
        X: RowsLike | None,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        cov_type: CovType,
    ) -> None:
        check_inference(model, cov_type)
        self.cov_type = cov_type
        self._model = model
        p = np.shape(model.coef_)[-1]
        n_targets = 1 if np.ndim(model.coef_) == 1 else len(model.coef_)
        self._problem = self._posed(X, y, sample_weight)
        alpha = np.asarray(model.alpha_ if hasattr(model, "alpha_") else model.alpha, dtype=float)
        if getattr(model, "alpha_scale", "sum") == "mean":
            alpha = alpha * self._problem.design.sum_weights
        self._alphas = np.broadcast_to(alpha, (n_targets,))
        self._single = np.ndim(model.coef_) == 1
        self._coef = np.atleast_2d(np.asarray(model.coef_, dtype=float))
        intercepts = np.asarray(model.intercept_, dtype=float)
        self._intercepts = np.broadcast_to(intercepts, (len(self._coef),))
        # eigenvectors of the features, however few the rows
        known = numerics.without_rows(self._problem)
        enough = self._problem.design.has_rows and p < self._problem.design.n_counted
        posed = self._problem if enough else known
        self._spectrum = spectrum_of(posed, float(self._alphas.min()))
        self._precision = numerics.Precision(posed, self._spectrum, self._alphas)
        residual = self._residuals()
        self._fill(residual)
        self._check_data()
        self._roots = self._all_roots(residual)
        # the rows are not kept
        self._problem = known
        self._spectrum = self._precision.spectrum = replace(self._spectrum, problem=known)

    def _posed(
        self, X: RowsLike | None, y: ArrayLike | None, sample_weight: ArrayLike | None
    ) -> Problem:
        """Return the problem that the model solved, with its rows if they are given."""
        model = self._model
        factors = model.penalty_factors
        intercept, standardize = bool(model.fit_intercept), bool(model.standardize)
        if factors is not None:
            factors = np.asarray(factors, dtype=float)
        penalty = L2Penalty(standardize=standardize, factors=factors)
        if X is None or y is None:
            if X is not None or y is not None:
                raise ValueError("X and y are given together, or neither.")
            stats = getattr(model, "statistics_", None)
            if stats is None:
                raise ValueError(
                    "the fitted model does not keep its data: give the rows it was fitted to, "
                    "as inference(X, y), or fit by partial_fit."
                )
            if self.cov_type != "nonrobust":
                raise ValueError(
                    f"cov_type={self.cov_type!r} looks at each row: give the rows, as "
                    "inference(X, y)."
                )
            return problem_of(stats._held(), penalty, fit_intercept=intercept)
        from fastridge._validation import check_weight

        rows, targets = model._check_rows(X, y, reset=False)
        weight = check_weight(sample_weight, rows, targets)
        design = design_of(rows, weight, intercept, resolve_threads(model.n_threads))
        return Problem(design, SquaredLoss(targets), penalty).accumulated()

    def _residuals(self) -> np.ndarray | None:
        """Return the residuals, of shape (n_samples, n_targets), or None without the rows."""
        problem = self._problem
        if not problem.design.has_rows:
            return None
        coef = self._coef
        if np.asarray(self._model.coef_).dtype != np.float64:
            coef = self._spectrum.coef(self._alphas)
        return numerics.residuals(problem, coef)

    def _rss(self, residual: np.ndarray | None) -> np.ndarray:
        problem = self._problem
        if residual is not None:
            return np.asarray(problem.design.row_weights @ residual**2)
        rss = self._spectrum.rss(self._alphas).diagonal().copy()
        lost = rss < _LEAST_RSS * problem.target_squares
        if lost.any():
            warnings.warn(
                "the residual sum of squares is below the rounding of the statistics, and what "
                "follows from it is NaN: give the rows, as inference(X, y).",
                UserWarning,
                stacklevel=5,
            )
        return np.where(lost, np.nan, rss)

    def _fill(self, residual: np.ndarray | None) -> None:
        spectrum, alphas, weight = self._spectrum, self._alphas, self._problem.design.weight
        n = self._problem.design.n_counted
        shrinkage = spectrum.shrinkage(alphas)  # (t, r)
        trace, squares = shrinkage.sum(axis=1), (shrinkage**2).sum(axis=1)
        # without a penalty, the rank that columns of any units have
        trace = np.where(alphas == 0.0, 0.0, trace)
        squares = np.where(alphas == 0.0, 0.0, squares)
        ranks = [self._precision.rank(alpha) for alpha in alphas]
        fixed = int(self._problem.design.fit_intercept) + np.array(ranks)
        dof = trace + fixed
        residual_dof = n - (2.0 * trace - squares + fixed)
        rss = self._rss(residual)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.where(residual_dof > 1e-9 * n, rss / residual_dof, np.nan)
            log_likelihood = -0.5 * n * (np.log(2.0 * np.pi * rss / n) + 1.0)
            if weight is not None:
                log_likelihood += 0.5 * np.log(weight[weight > 0.0]).sum()
            gcv = np.where(n - dof > 1e-9 * n, n * rss / (n - dof) ** 2, np.nan)
            r2 = 1.0 - rss / self._problem.target_squares
        self.n_samples = n
        self._residual_dof = np.where(residual_dof > 1e-9 * n, residual_dof, np.nan)
        self._variance = variance
        for name, values in {
            "alpha": alphas,
            "dof": dof,
            "residual_dof": residual_dof,
            "rss": rss,
            "residual_variance": variance,
            "r2": r2,
            "log_likelihood": log_likelihood,
            "aic": 2.0 * dof - 2.0 * log_likelihood,
            "bic": np.log(n) * dof - 2.0 * log_likelihood,
            "gcv": gcv,
        }.items():
            setattr(self, name, float(values[0]) if self._single else values.copy())
        order = slice(None, None, -1)
        self.eigenvalues = spectrum.values[order].copy()
        self.shrinkage = self._shaped(shrinkage[:, order])
        self.coef = self._shaped(self._coef)
        self.intercept = float(self._intercepts[0]) if self._single else self._intercepts

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values[0] if self._single else values

    def _check_data(self) -> None:
        """Raise ValueError if the rows or statistics are not those of the fit."""
        if not numerics.is_fit(self._problem, self._spectrum, self._alphas, self._coef):
            raise ValueError(
                "the model is not the ridge fit of these rows: give the X, y and sample_weight "
                "that it was fitted to."
            )

    # ---- covariance ----

    def _all_roots(self, residual: np.ndarray | None) -> list[np.ndarray]:
        """Return K, of shape (p + 2, m), for each target.

        K K' is the covariance of the coefficients, the intercept and the fit at the mean.
        """
        problem = self._problem
        x_mean, total = problem.design.centre, problem.design.sum_weights
        share = 1.0 / total if problem.design.fit_intercept else 0.0
        p = len(x_mean)
        if residual is not None and self.cov_type != "nonrobust":
            parts = (problem, self._spectrum, self._alphas, residual)
            omega, left = numerics.squared_scores(*parts, self.cov_type)
            if self.cov_type == "HC1":
                omega *= self.n_samples / self._residual_dof
            apart = np.empty((0, len(omega.T), p + 2))
            if self.cov_type == "HC3":
                whole = np.column_stack([self._coef, self._intercepts])
                apart = numerics.moved_far(problem, self._alphas, whole, omega, left)
        out = []
        for k, alpha in enumerate(self._alphas):
            # the coefficients, the intercept ybar - xbar'w, and then the fit at the mean
            robust = self.cov_type != "nonrobust"
            L = (self._precision.half if robust else self._precision.covariance_half)(alpha)
            J = np.zeros((p + 2, L.shape[1] + 1))
            J[:p, :-1], J[p, :-1] = L, -x_mean @ L
            J[p:, -1] = share if robust else np.sqrt(share)
            if robust:
                M = numerics.outer_sum(problem.design.X, x_mean, L, omega[:, k])
                out.append(np.hstack([J @ numerics.root(M), apart[:, k].T]))
            else:
                out.append(np.sqrt(self._variance[k]) * J)
        return out

    @property
    def covariance(self) -> np.ndarray:
        out = []
        for alpha, K in zip(self._alphas, self._roots, strict=True):
            lost = self._precision.undetermined(alpha)
            C = K[:-2] @ K[:-2].T
            if lost.any() and not np.isnan(C).all():
                C[lost] = C[:, lost] = np.nan
                C[lost, lost] = np.inf
            out.append(C)
        return self._shaped(np.array(out))

    @property
    def standard_errors(self) -> np.ndarray:
        out = []
        for alpha, K in zip(self._alphas, self._roots, strict=True):
            errors = np.linalg.norm(K[:-2], axis=1)
            lost = self._precision.undetermined(alpha) & ~np.isnan(errors)
            out.append(np.where(lost, np.inf, errors))
        return self._shaped(np.array(out))

    @property
    def intercept_standard_error(self) -> float | np.ndarray:
        if not self._problem.design.fit_intercept:
            return np.nan if self._single else np.full(len(self._roots), np.nan)
        errors = np.array([np.linalg.norm(K[-2]) for K in self._roots])
        mean = self._problem.design.centre[None]
        for k, alpha in enumerate(self._alphas):
            if not np.isnan(errors[k]) and numerics.has_part(mean, self._precision.null(alpha))[0]:
                errors[k] = np.inf
        return float(errors[0]) if self._single else errors

    @property
    def vif(self) -> np.ndarray:
        diagonal = np.diagonal(self._problem.design.gram)
        out = []
        for alpha in self._alphas:
            factor = (self._precision.covariance_half(alpha) ** 2).sum(axis=1)
            out.append(np.where(self._precision.undetermined(alpha), np.inf, factor * diagonal))
        return self._shaped(np.array(out))

    @property
    def bias_estimate(self) -> np.ndarray:
        scale = self._problem.scale
        bias = [
            -alpha * (self._precision.inverse(alpha) @ (scale * coef))
            for alpha, coef in zip(self._alphas, self._coef, strict=True)
        ]
        return self._shaped(np.array(bias))

    # ---- rows ----

    def _leverage(self, X: Matrix, weight: np.ndarray, k: int) -> np.ndarray:
        problem = self._problem
        L = self._precision.half(float(self._alphas[k]))
        share = 1.0 / problem.design.sum_weights if problem.design.fit_intercept else 0.0
        return weight * (numerics.squares_along(X, problem.design.centre, L) + share)

    def leverage(self, X: RowsLike, sample_weight: ArrayLike | None = None) -> np.ndarray:
        """Compute the leverage of rows, the diagonal of H for the rows of the fit.

        It is h_i = w_i (1/W + (x_i - xbar)' A^-1 (x_i - xbar)), with W the sum of the weights of
        the fit.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            Rows.
        sample_weight : float or array-like of shape (n_rows,), default=None
            Weights w_i of the rows, at least 0; None is 1 for each.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_targets, n_rows)
            Leverage of each row.

        Raises
        ------
        ValueError
            If X is malformed or not finite, or does not have the features of the fit.
        """
        from fastridge._validation import check_weight

        rows = rows_to_predict(self._model, X)
        weight = check_weight(sample_weight, rows)
        w = np.ones(rows.shape[0]) if weight is None else weight
        return self._shaped(np.array([self._leverage(rows, w, k) for k in range(len(self._coef))]))

    @documented(texts.INTERVALS)
    def confidence_interval(self, X: RowsLike, level: float = 0.95) -> np.ndarray:
        """Compute intervals of the expected prediction, by `cov_type` and the t distribution.

        Parameters: X, level

        Returns: ndarray of shape (n_rows, 2) or (n_targets, n_rows, 2)

        Raises: ValueError
        """
        return self._interval(X, level, 0.0)

    @documented(texts.INTERVALS)
    def prediction_interval(self, X: RowsLike, level: float = 0.95) -> np.ndarray:
        """Compute intervals for new observations of weight one.

        They are those of `confidence_interval`, with the noise of an observation in addition.

        Parameters: X, level

        Returns: ndarray of shape (n_rows, 2) or (n_targets, n_rows, 2)

        Raises: ValueError
        """
        return self._interval(X, level, 1.0)

    def _interval(self, X: RowsLike, level: float, noise: float) -> np.ndarray:
        rows = rows_to_predict(self._model, X)
        out = []
        for k, K in enumerate(self._roots):
            # about the means
            mean = self._problem.design.centre
            variance = numerics.squares_along(rows, mean, K[:-2], K[-1])
            null = self._precision.null(float(self._alphas[k]))
            if null.size:
                variance[numerics.rows_with_part(rows, mean, null)] = np.inf
            variance += noise * self._variance[k]
            predicted = numerics.combine_columns(rows, self._coef[k]) + self._intercepts[k]
            reach = self.quantile(level, k) * np.sqrt(variance)
            out.append(np.column_stack([predicted - reach, predicted + reach]))
        return self._shaped(np.array(out))

    def quantile(self, level: float, target: int = 0) -> float:
        """Compute the t quantile that makes two-sided intervals of this level.

        Parameters
        ----------
        level : float
            Probability that an interval covers, between 0 and 1.
        target : int, default=0
            Index of the target, whose residual degrees of freedom count.

        Returns
        -------
        float
            The quantile at ``0.5 + level / 2``; NaN where no degree of freedom is left.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1.
        """
        from scipy.stats import t

        if isinstance(level, bool) or not 0.0 < level < 1.0:
            raise ValueError(f"level must be between 0 and 1, got {level!r}.")
        return float(t.ppf(0.5 + 0.5 * level, self._residual_dof[target]))
