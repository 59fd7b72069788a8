"""The elastic-net and lasso paths as functions."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fastridge._typing import Bounds, RandomState, RowsLike
from fastridge._validation import check_rows, check_weight
from fastridge.designs import design_of
from fastridge.linear_model.elastic_net_options import (
    ORDERS,
    check_bounds,
    check_descent,
    check_penalty_factors,
    check_precompute,
    check_real,
    path_alphas,
    sweeps,
    warn_not_converged,
    without_excluded,
    without_offset,
    worst_of,
)
from fastridge.linear_model.options import check_flag
from fastridge.linear_model.path_results import ElasticNetPath, PathCertificate
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem


def enet_path(
    X: RowsLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: int | None = None,
    alphas: int | ArrayLike | None = 100,
    precompute: bool | ArrayLike | Literal["auto"] = "auto",
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    tol: float = 1e-4,
    max_iter: int | None = 1000,
    random_state: RandomState = None,
    selection: str = "cyclic",
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = False,
    penalty_factors: ArrayLike | None = None,
    bounds: Bounds | None = None,
    offset: ArrayLike | None = None,
    standardize: bool = False,
    n_threads: int | None = None,
    return_certificate: bool = False,
) -> ElasticNetPath:
    """Compute elastic-net coefficients at many alphas, as `sklearn.linear_model.enet_path`.

    Minimises the objective of `fastridge.ElasticNet` at each alpha, by default without an
    intercept, as in scikit-learn.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Rows, read in place whatever their layout.
    y : array-like of shape (n_samples,)
        Target.
    l1_ratio : float, default=0.5
        Share of the L1 norm in the penalty, from 0 (ridge) to 1 (the lasso); above 0 where alphas
        are found automatically.
    eps : float, default=1e-3
        Ratio of the least to the largest alpha of a grid, above 0.
    n_alphas : int, default=None
        Number of alphas where `alphas` is not an array, as in older versions of scikit-learn.
    alphas : int or array-like of shape (n_alphas,), default=100
        Penalties, at least 0, in any order; or the number of them on a grid from the least alpha at
        which all coefficients are zero down to `eps` times that, evenly spaced in the logarithm.
        None is 100.
    precompute : "auto", bool or array-like of shape (n_features, n_features), default="auto"
        Accepted for compatibility and ignored, but for a check of its values: whether Gram matrices
        are made depends on the shape of X.
    Xy : array-like of shape (n_features,), default=None
        Accepted for compatibility and ignored.
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to.
    coef_init : array-like of shape (n_features,), default=None
        Coefficients at which coordinate descent begins at the largest alpha; None is 0 for all.
    verbose : bool or int, default=False
        Print a line for each alpha.
    return_n_iter : bool, default=False
        Return the number of sweeps at each alpha, too.
    positive : bool, default=False
        Allow no negative coefficients.
    check_input : bool, default=True
        Accepted for compatibility and ignored: the checks cost next to nothing.
    tol : float, default=1e-4
        Coordinate descent stops at a duality gap of ``tol ||y||^2 / n`` at each alpha, with y about
        its mean if there is an intercept. At least 0.
    max_iter : int or None, default=1000
        Most sweeps over the coordinates at each alpha, at least 1; None is 1000.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility and ignored: nothing is random.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility and ignored: coordinates are taken in the order in which they
        joined the working set.
    sample_weight : float or array-like of shape (n_samples,), default=None
        Weights of the rows, at least 0; only their ratios matter. None is 1 for each.
    fit_intercept : bool, default=False
        Fit an intercept, which is not penalised. Centring X and y beforehand does the same.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
        without a penalty. Infinity excludes it: its coefficient is 0, and the others are those
        without its column. The factors are not rescaled (glmnet scales them to a mean of one).
    bounds : (lower, upper), default=None
        Least and largest coefficients, each a number or an array-like of shape (n_features,), with
        ``lower <= 0 <= upper``. None is without bounds.
    offset : array-like of shape (n_samples,), default=None
        A known part of the prediction: the models are fitted to ``y - offset``.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations; those
        returned, and `bounds`, stay in the units of X.
    n_threads : int, default=None
        Number of threads for the passes over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable
        cores. Negative numbers count back from all of them.
    return_certificate : bool, default=False
        Return a `PathCertificate`, too.

    Returns
    -------
    ElasticNetPath
        Result with the fields `alphas`, `coefs`, `dual_gaps`, `n_iters` and `certificate`, the last
        two None unless requested. It unpacks as scikit-learn's tuple ``alphas, coefs, dual_gaps[,
        n_iters][, certificate]``.

    Raises
    ------
    ValueError
        If an option is not supported, or if the data are malformed or not finite; also if y has
        several columns, for which scikit-learn has a penalty of its own.

    Warns
    -----
    ConvergenceWarning
        Once, naming the alpha with the largest gap of those above their tolerance.

    See Also
    --------
    fastridge.lasso_path : With ``l1_ratio=1``.
    fastridge.ElasticNet : At one alpha; notes and references.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import enet_path
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> y = np.array([1.0, 2.0, 6.0, 7.0])
    >>> path = enet_path(X, y, alphas=[1.0, 0.1], fit_intercept=True)
    >>> path.coefs.round(2)
    array([[1.05, 1.65],
           [0.55, 0.74]])
    >>> bool((path.dual_gaps <= 1e-4 * y.var()).all())
    True
    >>> alphas, coefs, dual_gaps = path
    """
    check_real("l1_ratio", l1_ratio, most=1.0)
    check_real("eps", eps, above=True)
    check_descent(tol, max_iter, random_state)
    for name, flag in (
        ("copy_X", copy_X),
        ("positive", positive),
        ("fit_intercept", fit_intercept),
        ("standardize", standardize),
        ("return_n_iter", return_n_iter),
        ("return_certificate", return_certificate),
    ):
        check_flag(name, flag)
    if selection not in ORDERS:
        raise ValueError("selection should be either random or cyclic.")
    X, y = check_rows(X, y)
    if y.ndim != 1:
        if y.shape[1] > 1:
            raise ValueError(
                f"y must have shape (n_samples,), got {y.shape}: the multi-task penalty is not "
                "offered. Use a path a target, or ElasticNet, which fits each target by itself."
            )
        y = y[:, 0]
    n_features = X.shape[1]
    X = without_excluded(X, penalty_factors)
    factors = check_penalty_factors(penalty_factors, n_features)
    weight = check_weight(sample_weight, X)
    design = design_of(X, weight, bool(fit_intercept), resolve_threads(n_threads))
    loss = SquaredLoss(without_offset(y, offset))
    penalty = L2Penalty(standardize=bool(standardize), factors=factors)
    problem = ElasticNetProblem(
        Problem(design, loss, penalty),
        bounds=check_bounds(bounds, positive, n_features),
        tol=float(tol),
        max_iter=sweeps(max_iter),
    )
    check_precompute(precompute, problem.given, auto=True)
    points: list[Point] = _Printed() if verbose else []
    with np.errstate(all="ignore"):  # what is not finite is named
        counted = alphas is None or np.ndim(alphas) == 0
        given = n_alphas if n_alphas is not None and counted else alphas
        values = path_alphas(problem, given, float(l1_ratio), float(eps))
        init = None if coef_init is None else _checked_start(coef_init, n_features)[None]
        problem.path([values], float(l1_ratio), init, [points])
    worst = worst_of(points)
    if worst is not None:
        square = problem.sources[0].mean_square
        warn_not_converged(worst, problem.tol * square, problem.max_iter)
    return _path(problem, points, X.dtype, return_n_iter, return_certificate)


def lasso_path(
    X: RowsLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 1.0,
    eps: float = 1e-3,
    n_alphas: int | None = None,
    alphas: int | ArrayLike | None = 100,
    precompute: bool | ArrayLike | Literal["auto"] = "auto",
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    tol: float = 1e-4,
    max_iter: int | None = 1000,
    random_state: RandomState = None,
    selection: str = "cyclic",
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = False,
    penalty_factors: ArrayLike | None = None,
    bounds: Bounds | None = None,
    offset: ArrayLike | None = None,
    standardize: bool = False,
    n_threads: int | None = None,
    return_certificate: bool = False,
) -> ElasticNetPath:
    """Compute lasso coefficients at many alphas, as `sklearn.linear_model.lasso_path`.

    Minimises the objective of `fastridge.Lasso` at each alpha, by default without an intercept, as
    in scikit-learn. It is `fastridge.enet_path` with ``l1_ratio=1``.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Rows, read in place whatever their layout.
    y : array-like of shape (n_samples,)
        Target.
    l1_ratio : float, default=1.0
        Must be 1: `fastridge.enet_path` takes other shares of the L1 norm.
    eps : float, default=1e-3
        Ratio of the least to the largest alpha of a grid, above 0.
    n_alphas : int, default=None
        Number of alphas where `alphas` is not an array, as in older versions of scikit-learn.
    alphas : int or array-like of shape (n_alphas,), default=100
        Penalties, at least 0, in any order; or the number of them on a grid from the least alpha at
        which all coefficients are zero down to `eps` times that, evenly spaced in the logarithm.
        None is 100.
    precompute : "auto", bool or array-like of shape (n_features, n_features), default="auto"
        Accepted for compatibility and ignored, but for a check of its values: whether Gram matrices
        are made depends on the shape of X.
    Xy : array-like of shape (n_features,), default=None
        Accepted for compatibility and ignored.
    copy_X : bool, default=True
        Accepted for compatibility and ignored: X is never written to.
    coef_init : array-like of shape (n_features,), default=None
        Coefficients at which coordinate descent begins at the largest alpha; None is 0 for all.
    verbose : bool or int, default=False
        Print a line for each alpha.
    return_n_iter : bool, default=False
        Return the number of sweeps at each alpha, too.
    positive : bool, default=False
        Allow no negative coefficients.
    check_input : bool, default=True
        Accepted for compatibility and ignored: the checks cost next to nothing.
    tol : float, default=1e-4
        Coordinate descent stops at a duality gap of ``tol ||y||^2 / n`` at each alpha, with y about
        its mean if there is an intercept. At least 0.
    max_iter : int or None, default=1000
        Most sweeps over the coordinates at each alpha, at least 1; None is 1000.
    random_state : int, RandomState instance or None, default=None
        Accepted for compatibility and ignored: nothing is random.
    selection : {"cyclic", "random"}, default="cyclic"
        Accepted for compatibility and ignored: coordinates are taken in the order in which they
        joined the working set.
    sample_weight : float or array-like of shape (n_samples,), default=None
        Weights of the rows, at least 0; only their ratios matter. None is 1 for each.
    fit_intercept : bool, default=False
        Fit an intercept, which is not penalised. Centring X and y beforehand does the same.
    penalty_factors : array-like of shape (n_features,), default=None
        A factor for the penalty of each feature, at least 0; None is 1 for all. 0 leaves a feature
        without a penalty. Infinity excludes it: its coefficient is 0, and the others are those
        without its column. The factors are not rescaled (glmnet scales them to a mean of one).
    bounds : (lower, upper), default=None
        Least and largest coefficients, each a number or an array-like of shape (n_features,), with
        ``lower <= 0 <= upper``. None is without bounds.
    offset : array-like of shape (n_samples,), default=None
        A known part of the prediction: the models are fitted to ``y - offset``.
    standardize : bool, default=False
        Penalise the coefficients of the columns divided by their standard deviations; those
        returned, and `bounds`, stay in the units of X.
    n_threads : int, default=None
        Number of threads for the passes over X; None is ``FASTRIDGE_NUM_THREADS`` or all usable
        cores. Negative numbers count back from all of them.
    return_certificate : bool, default=False
        Return a `PathCertificate`, too.

    Returns
    -------
    ElasticNetPath
        Result with the fields `alphas`, `coefs`, `dual_gaps`, `n_iters` and `certificate`, the last
        two None unless requested. It unpacks as scikit-learn's tuple ``alphas, coefs, dual_gaps[,
        n_iters][, certificate]``.

    Raises
    ------
    ValueError
        If an option is not supported, or if the data are malformed or not finite; also if y has
        several columns, for which scikit-learn has a penalty of its own.

    Warns
    -----
    ConvergenceWarning
        Once, naming the alpha with the largest gap of those above their tolerance.

    See Also
    --------
    fastridge.enet_path : With an L2 penalty, too.
    fastridge.Lasso : At one alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import lasso_path
    >>> X = np.array([[1.0, 2.3], [2.0, 5.4], [3.1, 4.3]])
    >>> _, coefs, _ = lasso_path(X, [1.0, 2.0, 3.1], alphas=[5.0, 1.0, 0.5])
    >>> coefs.round(3)
    array([[0.   , 0.   , 0.469],
           [0.216, 0.443, 0.237]])
    """
    if l1_ratio != 1.0:
        raise ValueError("lasso_path has l1_ratio=1: use enet_path for another.")
    return enet_path(
        X,
        y,
        l1_ratio=1.0,
        eps=eps,
        n_alphas=n_alphas,
        alphas=alphas,
        precompute=precompute,
        Xy=Xy,
        copy_X=copy_X,
        coef_init=coef_init,
        verbose=verbose,
        return_n_iter=return_n_iter,
        positive=positive,
        check_input=check_input,
        tol=tol,
        max_iter=max_iter,
        random_state=random_state,
        selection=selection,
        sample_weight=sample_weight,
        fit_intercept=fit_intercept,
        penalty_factors=penalty_factors,
        bounds=bounds,
        offset=offset,
        standardize=standardize,
        n_threads=n_threads,
        return_certificate=return_certificate,
    )


class _Printed(list[Point]):
    """Points that are printed as they are found."""

    def append(self, point: Point) -> None:
        super().append(point)
        print(  # noqa: T201  asked for by verbose
            f"alpha {point.alpha:.4g}: {np.count_nonzero(point.coef)} coefficients, "
            f"gap {point.dual_gap:.2e}, {point.n_iter} sweeps, {point.status}"
        )

    def extend(self, points: Iterable[Point]) -> None:
        for point in points:
            self.append(point)


def _checked_start(coef_init: ArrayLike, n_features: int) -> np.ndarray:
    start = np.asarray(coef_init, dtype=np.float64)
    if start.shape != (n_features,) or not np.isfinite(start).all():
        raise ValueError(
            f"coef_init must be finite and of shape ({n_features},), got shape {start.shape}."
        )
    return start


def _path(
    problem: ElasticNetProblem,
    points: list[Point],
    dtype: np.dtype,
    n_iter: bool,
    certificate: bool,
) -> ElasticNetPath:
    out = np.float32 if dtype == np.float32 else np.float64
    coefs = np.zeros((problem.rows.design.shape[1], len(points)), dtype=out)
    for k, point in enumerate(points):
        coefs[point.features, k] = point.coef
    gaps = np.array([point.dual_gap for point in points])
    steps = [point.n_iter for point in points]
    ended = None
    if certificate:
        ended = PathCertificate(
            gaps,
            np.array(steps),
            np.array([np.count_nonzero(point.coef) for point in points]),
            np.array([point.status for point in points]),
            problem.rows.intercept(coefs.T[:, None].astype(np.float64))[:, 0],
        )
    alphas = np.array([point.alpha for point in points])
    return ElasticNetPath(alphas, coefs, gaps, steps if n_iter else None, ended)
