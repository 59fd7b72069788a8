"""The elastic-net and lasso paths as functions."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from fastridge._validation import check_rows, check_weight
from fastridge.designs.ridge_problem import RidgeProblem
from fastridge.linear_model.constraints import InvalidParameterError, check_arguments
from fastridge.linear_model.elastic_net_options import (
    check_bounds,
    check_penalty_factors,
    check_precompute,
    path_alphas,
    sweeps,
    warn_not_converged,
    warn_user,
    without_excluded,
    without_offset,
    worst_of,
)
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem


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
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
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
    **params: Any,
) -> Any:
    """Elastic-net coefficients at many alphas, as `sklearn.linear_model.enet_path`.

    Minimises the objective of `fastridge.ElasticNet` at each alpha, by default without an
    intercept (as scikit-learn does: centre X and y before, or give ``fit_intercept=True``).

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Read in place whatever its layout.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Several targets have scikit-learn's multi-task penalty, and its solver: only its own
        options are supported.
    l1_ratio : float, default=0.5
        Above 0 where alphas are to be found.
    eps : float, default=1e-3
        The least alpha over the largest.
    n_alphas : int, optional
        How many, where `alphas` is not given. Deprecated since scikit-learn 1.9: use `alphas`.
    alphas : int or array-like of shape (n_alphas,), default=100
        The alphas, or how many between the least at which all coefficients are zero and `eps`
        times that, evenly in the log. None is as 100, and deprecated as `n_alphas` is.
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
    **params : dict
        Only `do_screening`, which is ignored.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        In decreasing order.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
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
        Where an option is not supported or the data are malformed or not finite.

    Warns
    -----
    ConvergenceWarning
        Once, naming the alpha with the largest gap of those above their tolerance.
    FutureWarning
        Where `n_alphas` is given or `alphas` is None, from scikit-learn 1.9 on.

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
    check_arguments("enet_path", locals())
    unknown = set(params) - {"do_screening"}
    if unknown:
        raise InvalidParameterError(f"Unexpected parameters in params: {', '.join(unknown)}")
    if selection not in ("cyclic", "random"):
        raise ValueError("selection should be either random or cyclic.")
    alphas = _alphas_in_use(alphas, n_alphas)
    X, y = check_rows(X, y)
    if y.ndim != 1 and y.shape[1] > 1:
        own = {
            "fit_intercept": fit_intercept,
            "penalty_factors": penalty_factors,
            "bounds": bounds,
            "offset": offset,
            "standardize": standardize,
            "return_certificate": return_certificate,
        }
        refused = [name for name, value in own.items() if value is not None and value is not False]
        if refused:
            raise ValueError(
                f"{refused[0]} is not supported for y of shape {y.shape}, for which scikit-learn's "
                "multi-task solver runs: use a path for each target."
            )
        from sklearn.linear_model._coordinate_descent import enet_path as multi_task_path

        return multi_task_path(
            X,
            y,
            l1_ratio=l1_ratio,
            eps=eps,
            precompute=precompute,
            Xy=Xy,
            copy_X=copy_X,
            coef_init=coef_init,
            verbose=verbose,
            return_n_iter=return_n_iter,
            positive=positive,
            tol=tol,
            max_iter=sweeps(max_iter),
            random_state=random_state,
            selection=selection,
            sample_weight=sample_weight,
            **_number_or_array(alphas),
        )
    y = y[:, 0] if y.ndim != 1 else y
    n_features = X.shape[1]
    X = without_excluded(X, penalty_factors)
    problem = ElasticNetProblem(
        RidgeProblem(
            X,
            without_offset(y, offset),
            check_weight(sample_weight, X),
            np.zeros(1),
            "sum",
            bool(fit_intercept),
            bool(standardize),
            check_penalty_factors(penalty_factors, n_features),
            resolve_threads(n_threads),
        ),
        bounds=check_bounds(bounds, positive, n_features),
        tol=float(tol),
        max_iter=sweeps(max_iter),
    )
    check_precompute(precompute, problem.rows, auto=True)
    points: list[Point] = _Printed() if verbose else []
    with np.errstate(all="ignore"):  # what is not finite is named
        values = path_alphas(problem, alphas, float(l1_ratio), float(eps))
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
    check_arguments("lasso_path", options)
    return enet_path(X, y, l1_ratio=1.0, **options)


def _alphas_in_use(alphas: Any, n_alphas: Any) -> Any:
    """The alphas or their number; FutureWarning for spellings that scikit-learn deprecates."""
    numbered = not isinstance(n_alphas, str)
    unset = isinstance(alphas, str)  # "warn"
    if _deprecates_n_alphas():
        if numbered:
            warn_user(
                "'n_alphas' was deprecated in 1.9 and will be removed in 1.11. 'alphas' now "
                "accepts an integer value which removes the need to pass 'n_alphas'. The default "
                "value of 'alphas' will change from None to 100 in 1.11. Pass an explicit value "
                "to 'alphas' and leave 'n_alphas' to its default value to silence this warning.",
                FutureWarning,
            )
        if alphas is None:
            warn_user(
                "'alphas=None' is deprecated and will be removed in 1.11, at which point the "
                "default value will be set to 100. Set 'alphas=100' to silence this warning.",
                FutureWarning,
            )
    if unset or alphas is None:
        return n_alphas if numbered else 100
    return alphas


def _deprecates_n_alphas() -> bool:
    import sklearn
    from sklearn.utils.fixes import parse_version

    return bool(parse_version(sklearn.__version__) >= parse_version("1.9"))


def _number_or_array(alphas: Any) -> dict[str, Any]:
    """`alphas` as the installed scikit-learn takes them."""
    if np.ndim(alphas) > 0 or _deprecates_n_alphas():
        return {"alphas": alphas}
    return {"n_alphas": alphas}


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
    coefs = np.zeros((problem.rows.shape[1], len(points)), dtype=out)
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
