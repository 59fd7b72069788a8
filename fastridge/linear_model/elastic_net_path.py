"""The elastic-net and lasso paths as functions."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import Bounds, RandomState, RowsLike
from fastridge._validation import check_rows, check_weight
from fastridge.designs import design_for_columns
from fastridge.linear_model import parameter_texts as texts
from fastridge.linear_model.constraints import InvalidParameterError, check_arguments
from fastridge.linear_model.elastic_net_options import (
    check_bounds,
    check_penalty_factors,
    check_precompute,
    path_alphas,
    sweeps,
    warn_not_converged,
    without_excluded,
    without_offset,
    worst_of,
)
from fastridge.linear_model.path_results import ElasticNetPath, PathCertificate
from fastridge.linear_model.user_warnings import warn_user
from fastridge.losses.squared import SquaredLoss
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import resolve_threads
from fastridge.solvers.coordinate_descent.path import Point
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem
from fastridge.solvers.problem import Problem


@documented(texts.ELASTIC_NET_PATH)
def enet_path(
    X: RowsLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: int | Literal["deprecated"] = "deprecated",
    alphas: int | ArrayLike | Literal["warn"] | None = "warn",
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
    selection: Literal["cyclic", "random"] = "cyclic",
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = False,
    penalty_factors: ArrayLike | None = None,
    bounds: Bounds | None = None,
    offset: ArrayLike | None = None,
    standardize: bool = False,
    n_threads: int | None = None,
    return_certificate: bool = False,
    **params: object,
) -> ElasticNetPath:
    """Compute elastic-net coefficients at many alphas, as `sklearn.linear_model.enet_path`.

    Minimises the objective of `fastridge.ElasticNet` at each alpha, by default without an
    intercept, as in scikit-learn.

    Parameters
    ----------
    X, y
    l1_ratio : float, default=0.5
        Share of the L1 norm in the penalty, from 0 (ridge) to 1 (the lasso); above 0 where alphas
        are found automatically.
    eps, n_alphas, alphas, precompute, Xy, copy_X, coef_init, verbose, return_n_iter, positive,
    check_input, tol, max_iter, random_state, selection, sample_weight, fit_intercept,
    penalty_factors, bounds, offset, standardize, n_threads, return_certificate, **params

    Returns
    -------
    ElasticNetPath
        Result with the fields `alphas`, `coefs`, `dual_gaps`, `n_iters` and `certificate`, the last
        two None unless requested. It unpacks as scikit-learn's tuple ``alphas, coefs, dual_gaps[,
        n_iters][, certificate]``.

    Raises
    ------
    ValueError
        If an option is not supported, or if the data are malformed or not finite.

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
    >>> path = enet_path(X, y, alphas=[1.0, 0.1], fit_intercept=True)
    >>> path.coefs.round(2)
    array([[1.05, 1.65],
           [0.55, 0.74]])
    >>> bool((path.dual_gaps <= 1e-4 * y.var()).all())
    True
    >>> alphas, coefs, dual_gaps = path
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
    factors = check_penalty_factors(penalty_factors, n_features)
    weight = check_weight(sample_weight, X, y)
    design = design_for_columns(X, weight, bool(fit_intercept), resolve_threads(n_threads))
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
        values = path_alphas(problem, alphas, float(l1_ratio), float(eps))
        init = None if coef_init is None else _checked_start(coef_init, n_features)[None]
        problem.path([values], float(l1_ratio), init, [points])
    worst = worst_of(points)
    if worst is not None:
        square = problem.sources[0].mean_square
        warn_not_converged(worst, problem.tol * square, problem.max_iter)
    return _path(problem, points, X.dtype, return_n_iter, return_certificate)


@documented(texts.ELASTIC_NET_PATH)
def lasso_path(
    X: RowsLike,
    y: ArrayLike,
    *,
    l1_ratio: float = 1.0,
    eps: float = 1e-3,
    n_alphas: int | Literal["deprecated"] = "deprecated",
    alphas: int | ArrayLike | Literal["warn"] | None = "warn",
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
    selection: Literal["cyclic", "random"] = "cyclic",
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = False,
    penalty_factors: ArrayLike | None = None,
    bounds: Bounds | None = None,
    offset: ArrayLike | None = None,
    standardize: bool = False,
    n_threads: int | None = None,
    return_certificate: bool = False,
    **params: object,
) -> ElasticNetPath:
    """Compute lasso coefficients at many alphas, as `sklearn.linear_model.lasso_path`.

    Minimises the objective of `fastridge.Lasso` at each alpha, by default without an intercept, as
    in scikit-learn. It is `fastridge.enet_path` with ``l1_ratio=1``.

    Parameters
    ----------
    X, y
    l1_ratio : float, default=1.0
        Must be 1: `fastridge.enet_path` takes other shares of the L1 norm.
    eps, n_alphas, alphas, precompute, Xy, copy_X, coef_init, verbose, return_n_iter, positive,
    check_input, tol, max_iter, random_state, selection, sample_weight, fit_intercept,
    penalty_factors, bounds, offset, standardize, n_threads, return_certificate, **params

    Returns
    -------
    ElasticNetPath
        Result with the fields `alphas`, `coefs`, `dual_gaps`, `n_iters` and `certificate`, the last
        two None unless requested. It unpacks as scikit-learn's tuple ``alphas, coefs, dual_gaps[,
        n_iters][, certificate]``.

    Raises
    ------
    ValueError
        If an option is not supported, or if the data are malformed or not finite.

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
    given = locals()
    given.update(given.pop("params"))
    if l1_ratio != 1.0:
        raise ValueError("lasso_path has l1_ratio=1: use enet_path for another.")
    check_arguments("lasso_path", given)
    return enet_path(**given)


def _alphas_in_use(alphas: ArrayLike | None, n_alphas: int | str) -> ArrayLike:
    """Return the alphas or their number; warn about spellings that scikit-learn deprecates."""
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


def _number_or_array(alphas: ArrayLike) -> dict[str, ArrayLike]:
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
            f"gap {point.dual_gap:.2e}, {point.n_iter} iterations, {point.status}"
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
