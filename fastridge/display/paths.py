"""Coefficient paths from the options of an estimator or from statistics, for a display."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from fastridge._typing import RowsLike
from fastridge.display.axes import checked_alphas, checked_target

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from fastridge.statistics.gram_statistics import GramStatistics


_ELASTIC_NET_OPTIONS = (
    "fit_intercept", "standardize", "penalty_factors", "bounds", "positive", "tol", "max_iter",
    "n_threads",
)  # fmt: skip


def checked_options(options: Mapping[str, Any], n_features: int) -> dict[str, Any]:
    """Return the options of `fastridge.effective_dof`, checked as there."""
    from fastridge.linear_model.options import check_alpha_scale, check_factors

    checked = dict(options)
    check_alpha_scale(checked.get("alpha_scale", "sum"))
    if checked.get("penalty_factors") is not None:
        checked["penalty_factors"] = check_factors(checked["penalty_factors"], n_features)
    return checked


def spectrum_alphas(stats: GramStatistics, options: Mapping[str, Any]) -> np.ndarray:
    """Return alphas by the spectrum of statistics, for checked options."""
    from fastridge.solvers.direct.path import default_alphas

    names = ("alpha_scale", "standardize", "penalty_factors")
    return default_alphas(stats, **{name: options[name] for name in names if name in options})


class Path(TypedDict, total=False):
    """Increasing alphas, coefficients (n_alphas, n_features), and dof or n_nonzero."""

    alphas: np.ndarray
    coefs: np.ndarray
    dof: np.ndarray | None
    n_nonzero: np.ndarray


@dataclass(frozen=True)
class PathOfRows:
    """Rows whose path is to be drawn for the options of an estimator."""

    estimator: BaseEstimator
    X: RowsLike
    y: ArrayLike
    alphas: ArrayLike | None
    sample_weight: ArrayLike | None
    target: int

    def computed(self) -> Path:
        """Return increasing alphas, coefficients (n_alphas, n_features), and dof or n_nonzero."""
        elastic_net = hasattr(type(self.estimator), "path")  # as in scikit-learn
        return self._elastic_net() if elastic_net else self._ridge()

    def _ridge(self) -> Path:
        from fastridge.linear_model.path import ridge_path
        from fastridge.statistics.gram_statistics import GramStatistics

        estimator, alphas = self.estimator, self.alphas
        if getattr(estimator, "positive", False):
            raise ValueError("the path with positive=True is not supported: use positive=False.")
        names = ("fit_intercept", "standardize", "penalty_factors")
        options = {name: getattr(estimator, name) for name in names}
        options["alpha_scale"] = getattr(estimator, "alpha_scale", "sum")
        if alphas is None:
            alphas = getattr(estimator, "alphas_", None)
        if alphas is None:
            stats = GramStatistics.from_data(self.X, self.y, self.sample_weight)
            alphas = spectrum_alphas(stats, checked_options(options, stats.n_features))
        alphas = np.sort(checked_alphas(alphas))
        path = ridge_path(
            self.X, self.y, alphas, sample_weight=self.sample_weight, return_dof=True, **options
        )
        coefs = path.coefs
        if coefs.ndim == 3:
            coefs = coefs[:, checked_target(self.target, coefs.shape[1])]
        return {"alphas": alphas, "coefs": coefs, "dof": path.dof}

    def _elastic_net(self) -> Path:
        from fastridge.linear_model.elastic_net_path import enet_path

        estimator, alphas = self.estimator, self.alphas
        ratios = np.atleast_1d(getattr(estimator, "l1_ratio", 1.0))
        l1_ratio = getattr(estimator, "l1_ratio_", ratios[0])
        if len(ratios) > 1 and not hasattr(estimator, "l1_ratio_"):
            raise ValueError(
                f"there is a path for each l1_ratio, {ratios}: give one, or fit first."
            )
        if alphas is None and hasattr(estimator, "alphas_"):
            tried = np.broadcast_to(estimator.alphas_, (len(ratios), estimator.alphas_.shape[-1]))
            alphas = tried[np.flatnonzero(ratios == l1_ratio)[0]]
        if alphas is None:
            alphas = getattr(estimator, "alphas", 100)
        options = {name: getattr(estimator, name) for name in _ELASTIC_NET_OPTIONS}
        y = np.asarray(self.y)
        if y.ndim == 2:
            y = y[:, checked_target(self.target, y.shape[1])]
        path = enet_path(
            self.X, y, l1_ratio=float(l1_ratio), eps=getattr(estimator, "eps", 1e-3), alphas=alphas,
            sample_weight=self.sample_weight, **options,
        )  # fmt: skip
        return _increasing(path.alphas, path.coefs.T)


def statistics_path_of(
    stats: GramStatistics,
    alphas: ArrayLike | None,
    l1_ratio: float,
    target: int,
    options: dict[str, Any],
) -> Path:
    """Return the same for an elastic net, from statistics only."""
    from fastridge.linear_model.elastic_net import ElasticNet
    from fastridge.linear_model.elastic_net_options import path_alphas

    model = ElasticNet(l1_ratio=l1_ratio, **options)
    problem = model._problem_of_statistics(stats)
    with np.errstate(all="ignore"):  # as the estimators do
        grid = path_alphas(problem, alphas, l1_ratio, 1e-3)
        paths = problem.path([grid] * stats.n_targets, l1_ratio)
    points = paths[checked_target(target, stats.n_targets)]
    coefs = np.zeros((len(grid), stats.n_features))
    for row, point in zip(coefs, points, strict=True):
        row[point.features] = point.coef
    return _increasing(grid, coefs)


def _increasing(alphas: np.ndarray, coefs: np.ndarray) -> Path:
    coefs = coefs[::-1]
    return {
        "alphas": alphas[::-1],
        "coefs": coefs,
        "n_nonzero": np.count_nonzero(coefs, axis=1),
    }
