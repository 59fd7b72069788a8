"""The ridge path as a function."""

from typing import Any

import numpy as np

from fastridge._threads import resolve_threads
from fastridge._validation import check_rows, check_weight
from fastridge.linear_model.options import check_alpha_scale, check_factors
from fastridge.solvers.path import solve_path
from fastridge.solvers.problem import RidgeProblem


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
    return_intercept : bool, default=False

    Returns
    -------
    coefs : ndarray of shape (n_alphas, n_features) or (n_alphas, n_targets, n_features)
    intercepts : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        Only with `return_intercept`.

    Raises
    ------
    ValueError
        Where an alpha is negative or not finite, or the data are (see `Ridge.fit`).

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
    try:
        values = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"alphas must be numbers, got {alphas!r}.") from None
    if values.ndim != 1 or not values.size:
        raise ValueError(f"alphas must be one-dimensional and not empty, got shape {values.shape}.")
    if not (np.isfinite(values).all() and (values >= 0.0).all()):
        raise ValueError("alphas must be finite and at least 0.")
    check_alpha_scale(alpha_scale)
    factors = None if penalty_factors is None else check_factors(penalty_factors, X.shape[1])
    problem = RidgeProblem(
        X,
        y,
        weight,
        np.zeros(1),
        alpha_scale,
        bool(fit_intercept),
        bool(standardize),
        factors,
        resolve_threads(n_threads),
    )
    path = solve_path(problem, values)
    coefs, intercepts = path.coefs, path.intercepts
    if y.ndim == 1:
        coefs, intercepts = coefs[:, 0], intercepts[:, 0]
    return (coefs, intercepts) if return_intercept else coefs
