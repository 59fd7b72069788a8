"""The elastic-net and lasso paths as functions."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

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
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem


class PathCertificate(NamedTuple):
    """What a path says of itself, a value an alpha."""

    dual_gaps: np.ndarray
    n_iters: np.ndarray
    n_nonzeros: np.ndarray
    statuses: np.ndarray
    intercepts: np.ndarray


def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: int | None = None,
    alphas: Any = 100,
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,
    coef_init: Any = None,
    verbose: Any = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    tol: float = 1e-4,
    max_iter: int | None = 1000,
    random_state: Any = None,
    selection: str = "cyclic",
    sample_weight: Any = None,
    fit_intercept: bool = False,
    penalty_factors: Any = None,
    bounds: Any = None,
    offset: Any = None,
    standardize: bool = False,
    n_threads: int | None = None,
    return_certificate: bool = False,
) -> Any:
    """Elastic-net coefficients at many alphas, as `sklearn.linear_model.enet_path`.

    Minimises the objective of `fastridge.ElasticNet` at each alpha, by default without an
    intercept (as scikit-learn does: centre X and y before, or give ``fit_intercept=True``).

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Read in place whatever its layout.
    y : array-like of shape (n_samples,)
    l1_ratio : float, default=0.5
        Above 0 where alphas are to be found.
    eps : float, default=1e-3
        The least alpha over the largest.
    n_alphas : int, optional
        How many, where `alphas` is not an array (older versions of scikit-learn).
    alphas : int or array-like of shape (n_alphas,), default=100
        The alphas, or how many between the least at which all coefficients are zero and `eps`
        times that, evenly in the log. None is as 100.
    precompute, Xy, copy_X, check_input, random_state, selection
        Taken for compatibility: see `fastridge.ElasticNet`.
    coef_init : array-like of shape (n_features,), optional
        Where the descent at the largest alpha begins.
    verbose : bool or int, default=False
        Print a line an alpha.
    return_n_iter : bool, default=False
    positive : bool, default=False
    tol : float, default=1e-4
    max_iter : int or None, default=1000
    sample_weight : float or array-like of shape (n_samples,), optional
    fit_intercept : bool, default=False
    penalty_factors, bounds, standardize, n_threads
        As for `fastridge.ElasticNet`.
    offset : array-like of shape (n_samples,), optional
        A known part of the prediction: the models are of ``y - offset``.
    return_certificate : bool, default=False

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        In decreasing order.
    coefs : ndarray of shape (n_features, n_alphas)
    dual_gaps : ndarray of shape (n_alphas,)
        Most by which each objective is above its minimum.
    n_iters : list of int
        Only with `return_n_iter`: sweeps at each alpha.
    certificate : PathCertificate
        Only with `return_certificate`: arrays `dual_gaps`, `n_iters`, `n_nonzeros`, `statuses`
        (as `status_` of `ElasticNet`) and `intercepts`, a value an alpha.

    Raises
    ------
    ValueError
        Where an option is not offered or the data are malformed or not finite; also where y has
        two dimensions, for which scikit-learn has a penalty of its own.

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
    >>> alphas, coefs, gaps = enet_path(X, y, alphas=[1.0, 0.1], fit_intercept=True)
    >>> coefs.round(2)
    array([[1.05, 1.65],
           [0.55, 0.74]])
    >>> bool((gaps <= 1e-4 * y.var()).all())
    True
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
        given = n_alphas if n_alphas is not None and np.ndim(alphas) == 0 else alphas
        values = path_alphas(problem, given, float(l1_ratio), float(eps))
        init = None if coef_init is None else _checked_start(coef_init, n_features)[None]
        problem.path([values], float(l1_ratio), init, [points])
    worst = worst_of(points)
    if worst is not None:
        square = problem.sources[0].mean_square
        warn_not_converged(worst, problem.tol * square, problem.max_iter)
    return _returned(problem, points, X.dtype, return_n_iter, return_certificate)


def lasso_path(X: Any, y: Any, **options: Any) -> Any:
    """Lasso coefficients at many alphas, as `sklearn.linear_model.lasso_path`.

    `fastridge.enet_path`, which see, with ``l1_ratio=1``.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    **options : dict
        Keyword arguments of `fastridge.enet_path` other than `l1_ratio`.

    Returns
    -------
    alphas, coefs, dual_gaps[, n_iters][, certificate]
        As of `fastridge.enet_path`.

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
    if "l1_ratio" in options:
        raise ValueError("lasso_path has l1_ratio=1: use enet_path for another.")
    return enet_path(X, y, l1_ratio=1.0, **options)


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


def _checked_start(coef_init: Any, n_features: int) -> np.ndarray:
    start = np.asarray(coef_init, dtype=np.float64)
    if start.shape != (n_features,) or not np.isfinite(start).all():
        raise ValueError(
            f"coef_init must be finite and of shape ({n_features},), got shape {start.shape}."
        )
    return start


def _returned(
    problem: ElasticNetProblem, points: list[Point], dtype: Any, n_iter: bool, certificate: bool
) -> Any:
    out = np.float32 if dtype == np.float32 else np.float64
    coefs = np.zeros((problem.rows.design.shape[1], len(points)), dtype=out)
    for k, point in enumerate(points):
        coefs[point.features, k] = point.coef
    gaps = np.array([point.dual_gap for point in points])
    found: list[Any] = [np.array([point.alpha for point in points]), coefs, gaps]
    steps = [point.n_iter for point in points]
    if n_iter:
        found.append(steps)
    if certificate:
        found.append(
            PathCertificate(
                gaps,
                np.array(steps),
                np.array([np.count_nonzero(point.coef) for point in points]),
                np.array([point.status for point in points]),
                problem.rows.intercept(coefs.T[:, None].astype(np.float64))[:, 0],
            )
        )
    return tuple(found)
