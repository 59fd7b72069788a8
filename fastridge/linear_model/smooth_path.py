"""The paths of logistic regression and of generalized linear models as functions."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import AlphaScale, Bounds, RowsLike
from fastridge.linear_model import smooth_models, smooth_texts
from fastridge.linear_model.constraints import InvalidParameterError, check_parameters
from fastridge.linear_model.glm import (
    GammaRegressor,
    GeneralizedLinearModel,
    GLMRows,
    PoissonRegressor,
    TweedieRegressor,
)
from fastridge.linear_model.logistic import LogisticRegression
from fastridge.linear_model.path_results import GLMPath, LogisticPath, SmoothPathCertificate
from fastridge.linear_model.separated import separation_of, separation_words, status_of
from fastridge.penalties.elastic_net import largest_alpha, penalty_within
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.newton.path import UnitPenalty, solve_path
from fastridge.solvers.newton.problem import NewtonResult, SmoothProblem
from fastridge.solvers.newton.separation import Separation

_CS = (-4.0, 4.0)  # powers of ten between which scikit-learn spaces a number of Cs
_LEAST_L1 = 1e-3  # l1_ratio that counts in the largest alpha of a grid, as in glmnet
_LEAST_ALPHA = 1e-3  # of a grid, over the largest


@documented(smooth_texts.PATH)
def logistic_path(
    X: RowsLike,
    y: ArrayLike,
    *,
    Cs: int | ArrayLike = 10,
    l1_ratio: float = 0.0,
    fit_intercept: bool = True,
    class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 100,
    standardize: bool = False,
    penalty_factors: ArrayLike | None = None,
    bounds: Bounds | None = None,
    alpha_scale: AlphaScale = "sum",
    n_threads: int | None = None,
) -> LogisticPath:
    """Compute the coefficients of logistic regression at many Cs.

    Minimises the objective of `fastridge.LogisticRegression` at each C. The fits follow each other
    from the strongest penalty on: each starts at the minimum before, with its Hessian.

    Parameters
    ----------
    X
    y : array-like of shape (n_samples,)
        Labels of any type, of at least two classes.
    Cs : int or array-like of shape (n_cs,), default=10
        Inverses of the strength of the penalty, above 0, in any order; infinity is no penalty. A
        number stands for as many between 1e-4 and 1e4 on a logarithmic scale.
    l1_ratio : float, default=0.0
        Share of the L1 norm in the penalty, from 0 to 1.
    fit_intercept
    class_weight : dict, "balanced" or None, default=None
        Factors of the weights of the rows of each class, as in `fastridge.LogisticRegression`.
    sample_weight
    offset : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        Known terms of the linear predictors, which have no coefficient.
    tol, max_iter, standardize, penalty_factors
    bounds : (lower, upper), default=None
        Least and largest coefficients, as in `fastridge.LogisticRegression`.
    alpha_scale : {"sum", "mean"}, default="sum"
        Whether the penalty, times 1 / C, is added to the sum of the losses or to their mean.
    n_threads

    Returns
    -------
    LogisticPath
        Result with the fields `coefs`, `Cs`, `n_iters`, `classes` and `certificate`. It unpacks as
        the tuple ``coefs, Cs, n_iters``, as in scikit-learn.

    Raises: TypeError, ValueError

    Warns
    -----
    ConvergenceWarning
        Once, if a fit stopped at `max_iter`, or if rows are separated without a penalty.

    See Also
    --------
    fastridge.LogisticRegression : At one C; notes and references.
    fastridge.LogisticRegressionCV : Chooses C.
    fastridge.glm_path : For counts and amounts.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import logistic_path
    >>> X = np.array([[-1.0, 0.5], [0.5, -1.0], [1.0, 0.0], [-0.5, 0.0], [2.0, 1.0]])
    >>> path = logistic_path(X, ["no", "no", "yes", "no", "yes"], Cs=[0.1, 1.0])
    >>> path.coefs.round(2)  # the last is the intercept
    array([[ 0.19,  0.07, -0.49],
           [ 0.97,  0.41, -0.89]])
    >>> bool((path.certificate.gradient_norms <= 1e-6).all())
    True
    """
    model = LogisticRegression(
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        class_weight=class_weight,
        solver="saga",  # which supports any l1_ratio
        tol=tol,
        max_iter=max_iter,
        standardize=standardize,
        penalty_factors=penalty_factors,
        bounds=bounds,
        alpha_scale=alpha_scale,
        n_threads=n_threads,
    )
    check_parameters(model)
    resolve_threads(n_threads)
    values = check_cs(Cs, "logistic_path")
    smooth_models.refuse_scan(model, X, "")
    given = model._prepared(X, y, sample_weight, offset, 1.0, float(l1_ratio))
    unit = UnitPenalty(given.rows.penalty, given.rows.l1, given.rows.bounds)
    strengths = (1.0 / values).tolist()
    found = path_of(model, given.X, given.rows, given.loss, unit, strengths)
    results = list(map(given.without_shift, found, strengths))
    coefs = [given.rows.kept.coef(result.coef) for result in results]
    if fit_intercept:
        coefs = [
            np.concatenate((coef, np.asarray(result.intercept)[..., np.newaxis]), axis=-1)
            for coef, result in zip(coefs, results, strict=True)
        ]
    model.classes_ = given.classes
    certificate = _certified(model, given, strengths, found)
    return LogisticPath(np.array(coefs), values, certificate.n_iters, given.classes, certificate)


@documented(smooth_texts.PATH)
def glm_path(
    X: RowsLike,
    y: ArrayLike,
    *,
    family: Literal["poisson", "gamma", "tweedie"] = "poisson",
    power: float = 0.0,
    link: Literal["auto", "identity", "log"] = "auto",
    alphas: int | ArrayLike = 10,
    l1_ratio: float = 0.0,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    exposure: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 100,
    standardize: bool = False,
    penalty_factors: ArrayLike | None = None,
    bounds: Bounds | None = None,
    alpha_scale: AlphaScale = "mean",
    n_threads: int | None = None,
) -> GLMPath:
    """Compute the coefficients of a generalized linear model at many alphas.

    Minimises the objective of `fastridge.PoissonRegressor`, `fastridge.GammaRegressor` or
    `fastridge.TweedieRegressor` at each alpha. The fits follow each other from the largest alpha
    on: each starts at the minimum before, with its Hessian.

    Parameters
    ----------
    X, y
    family : {"poisson", "gamma", "tweedie"}, default="poisson"
        Distribution of the targets.
    power : float, default=0.0
        Power of the variance for ``family="tweedie"``, otherwise ignored; 0 is the normal
        distribution.
    link : {"auto", "identity", "log"}, default="auto"
        Function of the mean that is linear, for ``family="tweedie"``; "log" for the others.
    alphas : int or array-like of shape (n_alphas,), default=10
        Strengths of the penalty, at least 0, in any order. A number stands for as many on a
        logarithmic scale, down to a thousandth of the largest, at which all coefficients are zero
        if `l1_ratio` is at least 0.001; below, it is as for 0.001.
    l1_ratio, fit_intercept, sample_weight, offset, exposure, tol, max_iter, standardize,
    penalty_factors, bounds, alpha_scale, n_threads

    Returns
    -------
    GLMPath
        Result with the fields `alphas`, `coefs`, `intercepts`, `n_iters` and `certificate`. It
        unpacks as the tuple ``alphas, coefs, intercepts, n_iters``.

    Raises: TypeError, ValueError

    Warns
    -----
    ConvergenceWarning
        Once, if a fit stopped at `max_iter`, or if rows are separated without a penalty.

    See Also
    --------
    fastridge.PoissonRegressor : At one alpha.
    fastridge.logistic_path : For classes.

    Examples
    --------
    >>> from fastridge import glm_path
    >>> X = [[1, 2], [2, 3], [3, 4], [4, 3]]
    >>> path = glm_path(X, [12, 17, 22, 21], alphas=[1.0, 0.1])
    >>> path.coefs.round(3)
    array([[0.121, 0.158],
           [0.121, 0.176]])
    >>> path.intercepts.round(3)
    array([2.089, 2.035])
    """
    model = _model_of(family, power, link)
    model.set_params(
        l1_ratio=l1_ratio,
        fit_intercept=fit_intercept,
        tol=tol,
        max_iter=max_iter,
        standardize=standardize,
        penalty_factors=penalty_factors,
        bounds=bounds,
        alpha_scale=alpha_scale,
        n_threads=n_threads,
    )
    check_parameters(model)
    resolve_threads(n_threads)
    smooth_models.refuse_scan(model, X, "")
    given = model._prepared(X, y, sample_weight, offset, exposure, float(l1_ratio))
    unit = UnitPenalty(given.rows.penalty, given.rows.l1, given.rows.bounds)
    values = _check_alphas(alphas)
    if values is None:
        values = _grid(given, bool(standardize), float(l1_ratio), int(np.asarray(alphas)))
    results = path_of(model, given.X, given.rows, given.loss, unit, values.tolist())
    coefs = np.array([given.rows.kept.coef(result.coef) for result in results])
    intercepts = np.array([result.intercept - given.shift for result in results])
    certificate = _certified(model, given, values.tolist(), results)
    return GLMPath(values, coefs, intercepts, certificate.n_iters, certificate)


def path_of(
    model: Any,
    X: Any,
    rows: smooth_models.Rows,
    loss: Any,
    unit: UnitPenalty,
    strengths: Sequence[float],
) -> list[NewtonResult]:
    """Return the minima at these strengths, or raise ValueError where one is not finite."""
    tol = smooth_models.solver_tol(model)
    with smooth_models.named_overflow(model, X):
        results = solve_path(
            rows.design, loss, unit, strengths, tol=tol, max_iter=int(model.max_iter)
        )
        for result in results:
            smooth_models.check_result(result)
    return results


def check_cs(Cs: Any, caller: str) -> np.ndarray:
    """Return `Cs` as float64 of shape (n_cs,). Raises InvalidParameterError."""
    if isinstance(Cs, Integral):
        if (number := int(Cs)) >= 1:
            return np.logspace(*_CS, number)
        raise InvalidParameterError(f"The 'Cs' parameter of {caller} must be at least 1. Got {Cs}.")
    try:
        values = np.asarray(Cs, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or not len(values) or not (values > 0.0).all():
        raise InvalidParameterError(
            f"The 'Cs' parameter of {caller} must be a number of values, or an array-like of "
            f"shape (n_cs,) with values above 0. Got {Cs!r} instead."
        )
    return values.copy()


def separations_of(
    rows: smooth_models.Rows,
    loss: Any,
    strengths: Sequence[float],
    results: Sequence[NewtonResult],
) -> list[Separation | None]:
    """Return for each strength a direction along which coefficients grow without bound, or None.

    The rows have the penalties at strength 1.
    """
    return [
        separation_of(rows if strength else rows.without_penalty(), loss, result)
        for strength, result in zip(strengths, results, strict=True)
    ]


def _certified(
    model: Any,
    given: Any,
    strengths: Sequence[float],
    results: Sequence[NewtonResult],
) -> SmoothPathCertificate:
    """Return the certificates of results; warn of what is wrong."""
    separations = separations_of(given.rows, given.loss, strengths, results)
    warn_of_path(model, given.rows, results, separations)
    gaps = [smooth_models.gap_of(model, given.rows, result) for result in results]
    return SmoothPathCertificate(
        np.array([smooth_models.gradient_norm(result) for result in results]),
        np.array([np.nan if gap is None else gap for gap in gaps]),
        np.array([result.n_iter for result in results], dtype=np.int32),
        np.array(list(map(status_of, results, separations))),
    )


def warn_of_path(
    model: Any,
    rows: smooth_models.Rows,
    results: Sequence[NewtonResult],
    separations: Sequence[Separation | None],
) -> None:
    """Warn once if a minimum of a path was not reached, or if there is none."""
    for result, separation in zip(results, separations, strict=True):
        if separation is not None:
            words = separation_words(model, rows, separation, result.n_iter)
            smooth_models.warn_not_converged(words)
            return
    stopped = [result for result in results if result.not_converged is not None]
    if stopped:
        worst = max(stopped, key=smooth_models.gradient_norm)
        smooth_models.warn_not_converged(
            f"{len(stopped)} of {len(results)} fits did not converge. {worst.not_converged}"
        )


def _model_of(family: str, power: float, link: str) -> GeneralizedLinearModel:
    if family == "tweedie":
        return TweedieRegressor(power=power, link=link)  # type: ignore[arg-type]
    if family not in ("poisson", "gamma"):
        raise InvalidParameterError(
            "The 'family' parameter of glm_path must be 'poisson', 'gamma' or 'tweedie'. Got "
            f"{family!r} instead."
        )
    if link not in ("auto", "log"):
        raise InvalidParameterError(
            f"The 'link' parameter of glm_path must be 'log' with family={family!r}. Got {link!r} "
            "instead: use family='tweedie' for another."
        )
    return PoissonRegressor() if family == "poisson" else GammaRegressor()


def _check_alphas(alphas: Any) -> np.ndarray | None:
    """Return alphas as float64 of shape (n_alphas,); None for a number of them."""
    if isinstance(alphas, int | np.integer) and not isinstance(alphas, bool) and alphas >= 1:
        return None
    try:
        values = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    valid = values.ndim == 1 and len(values) > 0 and bool((values >= 0.0).all())
    if not valid or not np.isfinite(values).all():
        raise InvalidParameterError(
            "The 'alphas' parameter of glm_path must be a number of values, or an array-like of "
            f"shape (n_alphas,) with finite values of at least 0. Got {alphas!r} instead."
        )
    return values.copy()


def _grid(given: GLMRows, standardize: bool, l1_ratio: float, n: int) -> np.ndarray:
    """Return alphas down from the least at which the null model stays the best."""
    rows, design = given.rows, given.rows.design
    null = SmoothProblem(design, given.loss, rows.penalty).null_predictor
    with np.errstate(all="ignore"):
        found = design.expand(given.loss, np.zeros(design.shape[1]), null, second=False)
    if rows.l1 is None:
        lengths = np.sqrt(design.standard_squares) if standardize else 1.0
        l1 = _LEAST_L1 * rows.penalty / lengths
    else:
        l1 = rows.l1 * max(1.0, _LEAST_L1 / l1_ratio)
    penalty = penalty_within(l1, rows.penalty, rows.bounds)
    largest = largest_alpha(penalty, -found.gradient)
    if not 0.0 < largest < np.inf:
        largest = 1.0
    return np.geomspace(largest, _LEAST_ALPHA * largest, n)
