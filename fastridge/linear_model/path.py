"""The ridge path as a function."""

from typing import Any

import numpy as np

from fastridge._validation import check_rows, check_weight
from fastridge.designs import design_of
from fastridge.linear_model.options import check_alpha_scale, check_factors
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.evidence import gcv_score
from fastridge.model_selection.kfold_iterative import check_affordable
from fastridge.model_selection.leave_one_out import LeaveOneOut
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.excluded import Kept
from fastridge.solvers.problem import Problem, problem_of
from fastridge.statistics.gram_statistics import GramStatistics


def ridge_path(
    X: Any,
    y: Any,
    alphas: Any,
    *,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: Any = None,
    n_threads: int | None = None,
    return_intercept: bool = False,
    return_dof: bool = False,
    return_gcv: bool = False,
    return_loo: bool = False,
) -> Any:
    """Ridge coefficients at many alphas from one pass and one factorisation.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
    alphas : array-like of shape (n_alphas,)
        Not negative, in any order.
    sample_weight, fit_intercept, alpha_scale, standardize, penalty_factors, n_threads
        As for `fastridge.Ridge`.
    return_intercept, return_dof, return_gcv, return_loo : bool, default=False
        What to return beside the coefficients, in this order.

    Returns
    -------
    coefs : ndarray of shape (n_alphas, n_features) or (n_alphas, n_targets, n_features)
    intercepts : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Only with `return_intercept`.
    dof : ndarray of shape (n_alphas,)
        Effective degrees of freedom, the trace of the hat matrix, the intercept counted.
    gcv : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Generalised cross-validation, n RSS / (n - dof)^2 (NaN where no degree is left).
    loo : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Mean over the rows of the squared leave-one-out errors, times their weights.

    Raises
    ------
    ValueError
        Where an alpha is negative or not finite, or the data are (see `Ridge.fit`); and for
        `return_loo` with `standardize` and ``alpha_scale="mean"``, which the row left out would
        change (see `RidgeCV`).

    Notes
    -----
    Eigenvectors of the Gram (of the samples' Gram where p > n) serve every alpha: see Golub
    and Van Loan, "Matrix Computations", 4th ed., section 6.1.4. They square the condition
    number; for one nearly singular problem `Ridge` keeps more digits.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import ridge_path
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> ridge_path(X, [1.0, 2.0, 6.0, 7.0], [0.1, 10.0]).round(2)
    array([[1.71, 0.76],
           [0.64, 0.47]])
    """
    X, y = check_rows(X, y)
    weight = check_weight(sample_weight, X)
    values = _checked_alphas(alphas)
    check_alpha_scale(alpha_scale)
    factors = None if penalty_factors is None else check_factors(penalty_factors, X.shape[1])
    penalty = L2Penalty(alpha_scale=alpha_scale, standardize=bool(standardize), factors=factors)
    design = design_of(X, weight, bool(fit_intercept), resolve_threads(n_threads))
    problem = Problem(design, SquaredLoss(y), penalty)
    kept = Kept(factors)
    problem = kept.problem(problem)
    if return_loo and (standardize or alpha_scale == "mean"):
        raise ValueError(
            "return_loo is not offered with standardize=True or alpha_scale='mean', where the row "
            "left out changes the penalty: use RidgeCV, or alpha_scale='sum'."
        )
    check_affordable(problem, "ridge_path")
    summed = problem.on_sums(values)
    with np.errstate(all="ignore"):  # what is not finite is named
        spectrum = spectrum_of(problem, float(summed.min()), leverage=return_loo)
        coefs = spectrum.coefs(summed)
    single = y.ndim == 1
    whole = kept.coef(coefs)
    found = [whole[:, 0] if single else whole]
    if return_intercept:
        intercepts = spectrum.problem.intercept(coefs)
        found.append(intercepts[:, 0] if single else intercepts)
    if return_dof:
        found.append(spectrum.dof(summed) + int(problem.design.fit_intercept))
    if return_gcv:
        score = gcv_score(spectrum, summed)
        found.append(score[:, 0] if single else score)
    if return_loo:
        loo = LeaveOneOut(spectrum, summed).run()
        mean = loo.total / loo.n_samples
        found.append(mean[:, 0] if single else mean)
    return found[0] if len(found) == 1 else tuple(found)


def effective_dof(
    stats: GramStatistics,
    alphas: Any,
    *,
    fit_intercept: bool = True,
    alpha_scale: str = "sum",
    standardize: bool = False,
    penalty_factors: Any = None,
) -> np.ndarray:
    """Effective degrees of freedom of ridge at every alpha, from statistics alone.

    Parameters
    ----------
    stats : GramStatistics
    alphas : array-like of shape (n_alphas,)
        Not negative, in any order.
    fit_intercept, alpha_scale, standardize, penalty_factors
        As for `fastridge.Ridge`.

    Returns
    -------
    dof : ndarray of shape (n_alphas,)
        The trace of the hat matrix, sum_k l_k / (l_k + alpha) over the eigenvalues of the
        penalised Gram, the intercept and features without a penalty counted one each (Hastie,
        Tibshirani, Friedman, "The Elements of Statistical Learning", equation 3.50).

    Raises
    ------
    ValueError
        Where an alpha is negative or not finite, or an option is not offered.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import GramStatistics, effective_dof
    >>> stats = GramStatistics.from_data(np.eye(4)[:, :2], np.arange(4.0))
    >>> effective_dof(stats, [0.0, 1.0, 1e9]).round(3)
    array([3.   , 1.833, 1.   ])
    """
    if not isinstance(stats, GramStatistics):
        raise TypeError(f"stats must be GramStatistics, got {type(stats).__name__}.")
    values = _checked_alphas(alphas)
    check_alpha_scale(alpha_scale)
    factors = None if penalty_factors is None else check_factors(penalty_factors, stats.n_features)
    penalty = L2Penalty(alpha_scale=alpha_scale, standardize=bool(standardize), factors=factors)
    problem = problem_of(stats._held(), penalty, fit_intercept=bool(fit_intercept))
    problem = Kept(factors).problem(problem)
    summed = problem.on_sums(values)
    return spectrum_of(problem, float(summed.min())).dof(summed) + int(fit_intercept)


def _checked_alphas(alphas: Any) -> np.ndarray:
    try:
        values = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"alphas must be numbers, got {alphas!r}.") from None
    if values.ndim != 1 or not values.size:
        raise ValueError(f"alphas must be one-dimensional and not empty, got shape {values.shape}.")
    if not (np.isfinite(values).all() and (values >= 0.0).all()):
        raise ValueError("alphas must be finite and at least 0.")
    return values
