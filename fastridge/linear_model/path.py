"""The ridge path as a function."""

from typing import Literal, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import AlphaScale, RowsLike
from fastridge._validation import check_rows, check_weight
from fastridge.designs import design_of
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.options import check_alpha_scale, check_factors
from fastridge.linear_model.path_results import RidgePath
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


class _Options(TypedDict, total=False):
    sample_weight: ArrayLike | None
    fit_intercept: bool
    alpha_scale: AlphaScale
    standardize: bool
    penalty_factors: ArrayLike | None
    n_threads: int | None


@overload
def ridge_path(
    X: RowsLike,
    y: ArrayLike,
    alphas: ArrayLike,
    *,
    return_intercept: Literal[False] = False,
    return_dof: Literal[False] = False,
    return_gcv: Literal[False] = False,
    return_loo: Literal[False] = False,
    **options: Unpack[_Options],
) -> np.ndarray: ...
@overload
def ridge_path(
    X: RowsLike,
    y: ArrayLike,
    alphas: ArrayLike,
    *,
    return_intercept: bool = False,
    return_dof: bool = False,
    return_gcv: bool = False,
    return_loo: bool = False,
    **options: Unpack[_Options],
) -> RidgePath: ...
@documented(texts.RIDGE_PATH)
def ridge_path(
    X: RowsLike,
    y: ArrayLike,
    alphas: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    alpha_scale: AlphaScale = "sum",
    standardize: bool = False,
    penalty_factors: ArrayLike | None = None,
    n_threads: int | None = None,
    return_intercept: bool = False,
    return_dof: bool = False,
    return_gcv: bool = False,
    return_loo: bool = False,
) -> np.ndarray | RidgePath:
    """Compute ridge coefficients at many alphas from one pass and one factorisation.

    Minimises ``||y - Xw - b||^2 + alpha ||w||^2`` at each alpha.

    Parameters
    ----------
    X, y, alphas, sample_weight
    fit_intercept : bool, default=True
        Fit an intercept, which is not penalised.
    alpha_scale
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations; those
        returned are in the units of X.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a
        feature without a penalty, infinity excludes it.
    n_threads : int, default=None
        Number of threads for the pass over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable
        cores.
    return_intercept : bool, default=False
        Return the intercepts, too.
    return_dof : bool, default=False
        Return the effective degrees of freedom, too.
    return_gcv : bool, default=False
        Return generalised cross-validation, too.
    return_loo : bool, default=False
        Return the leave-one-out error, too.

    Returns
    -------
    ndarray of shape (n_alphas, n_features) or (n_alphas, n_targets, n_features), or RidgePath
        The coefficients where nothing else is requested. Otherwise a `RidgePath` with the fields
        `alphas`, `coefs`, `intercepts`, `dof`, `gcv` and `loo`, which unpacks as the tuple of
        `coefs` and what was requested, in this order.

    Raises
    ------
    ValueError
        If an alpha is negative or not finite, or if the data are malformed or not finite; and
        for `return_loo` with `standardize` or ``alpha_scale="mean"``, which the row left out
        would change (`RidgeCV` has that error).

    See Also
    --------
    fastridge.Ridge : The model at one alpha.
    fastridge.RidgeCV : The model at the alpha that predicts best.
    fastridge.effective_dof : Degrees of freedom from statistics alone.

    Notes
    -----
    Eigenvectors of the Gram matrix (of that of the samples where n_features > n_samples) serve
    every alpha: see Golub and Van Loan, "Matrix Computations", 4th ed., section 6.1.4. They
    square the condition number; for one nearly singular problem `Ridge` keeps more digits.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import ridge_path
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> y = [1.0, 2.0, 6.0, 7.0]
    >>> ridge_path(X, y, [0.1, 10.0]).round(2)
    array([[1.71, 0.76],
           [0.64, 0.47]])
    >>> path = ridge_path(X, y, [0.1, 10.0], return_intercept=True, return_dof=True)
    >>> path.dof.round(2)
    array([2.94, 1.61])
    >>> coefs, intercepts, dof = path
    """
    X, y = check_rows(X, y)
    weight = check_weight(sample_weight, X, y)
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
            "return_loo is not supported with standardize=True or alpha_scale='mean', because the "
            "penalty changes with the row left out: use RidgeCV, or alpha_scale='sum'."
        )
    check_affordable(problem, "ridge_path")
    summed = problem.on_sums(values)
    with np.errstate(all="ignore"):  # what is not finite is named
        spectrum = spectrum_of(problem, float(summed.min()), leverage=return_loo)
        coefs = spectrum.coefs(summed)
    whole = kept.coef(coefs)

    def shaped(values: np.ndarray) -> np.ndarray:
        return values[:, 0] if y.ndim == 1 else values

    if not (return_intercept or return_dof or return_gcv or return_loo):
        return shaped(whole)
    mean = None
    if return_loo:
        loo = LeaveOneOut(spectrum, summed).run()
        mean = shaped(loo.total / loo.n_samples)
    return RidgePath(
        values,
        shaped(whole),
        shaped(spectrum.problem.intercept(coefs)) if return_intercept else None,
        spectrum.dof(summed) + int(problem.design.fit_intercept) if return_dof else None,
        shaped(gcv_score(spectrum, summed)) if return_gcv else None,
        mean,
    )


@documented(texts.RIDGE_PATH)
def effective_dof(
    stats: GramStatistics,
    alphas: ArrayLike,
    *,
    fit_intercept: bool = True,
    alpha_scale: AlphaScale = "sum",
    standardize: bool = False,
    penalty_factors: ArrayLike | None = None,
) -> np.ndarray:
    """Compute the effective degrees of freedom of ridge at each alpha, from statistics alone.

    Parameters
    ----------
    stats : GramStatistics
        Statistics of the rows.
    alphas
    fit_intercept : bool, default=True
        Whether the model has an intercept, which counts as one.
    alpha_scale : {"sum", "mean"}, default="sum"
        ``"mean"`` is the scale of ``(1/n)||y - Xw - b||^2 + alpha ||w||^2``, with n the sum of
        the weights; ``"sum"`` that without ``1/n``.
    standardize : bool, default=False
        Whether coefficients are penalised for columns divided by their standard deviations.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a
        feature without a penalty, and it counts as one; infinity excludes it.

    Returns
    -------
    ndarray of shape (n_alphas,)
        The trace of the hat matrix, sum_k l_k / (l_k + alpha) over the eigenvalues of the
        penalised Gram matrix, in addition one for the intercept and for each feature without a
        penalty.

    Raises
    ------
    TypeError
        If `stats` is not GramStatistics.
    ValueError
        If an alpha is negative or not finite, or if an option is not supported.

    See Also
    --------
    fastridge.ridge_path : Coefficients, and the degrees of freedom with ``return_dof=True``.

    Notes
    -----
    See Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", equation 3.50.

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


def _checked_alphas(alphas: ArrayLike) -> np.ndarray:
    try:
        values = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"alphas must be numbers, got {alphas!r}.") from None
    if values.ndim != 1 or not values.size:
        raise ValueError(f"alphas must be one-dimensional and not empty, got shape {values.shape}.")
    if not (np.isfinite(values).all() and (values >= 0.0).all()):
        raise ValueError("alphas must be finite and at least 0.")
    return values
