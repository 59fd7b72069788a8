"""Who fits logistic regressions and generalized linear models: each library with its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from .cases import FASTRIDGE, SKLEARN
from .glm_cases import POWERS, GLMCase

INTELEX, GLUM, SNAPML, LIBLINEAR = "scikit-learn-intelex", "glum", "snapml", "liblinear"
LIBRARIES = (FASTRIDGE, SKLEARN, LIBLINEAR, INTELEX, GLUM, SNAPML)
Fit = Callable[[Any, np.ndarray], tuple[Any, Any]]
_MOST_FACTORED = 2000  # features, times classes, with which a factored Hessian of a rival is tried


def settings(case: GLMCase, X: Any, library: str) -> Iterator[tuple[str, Fit]]:
    """Yield settings of a library with the call that fits; nothing if it cannot.

    Raises ImportError if the library is not installed.
    """
    if case.family in ("logistic", "classes"):
        yield from _logistic(case, X, library)
    else:
        yield from _generalized(case, library)


def _fit_with(kind: type, **options: Any) -> Fit:
    def fit(X: Any, y: np.ndarray) -> tuple[Any, Any]:
        model = kind(**options).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def _logistic(case: GLMCase, X: Any, library: str) -> Iterator[tuple[str, Fit]]:
    several = case.family == "classes"
    factored = X.shape[1] * (10 if several else 1) <= _MOST_FACTORED and not sp.issparse(X)
    if library == FASTRIDGE:
        from fastridge import LogisticRegression

        yield "defaults", _fit_with(LogisticRegression)
        yield "tol=1e-2", _fit_with(LogisticRegression, tol=1e-2)
        return
    if library == GLUM:
        if several or X.shape[1] > _MOST_FACTORED:
            return
        from glum import GeneralizedLinearRegressor

        yield (
            "irls-ls, 1e-6",
            _fit_with(
                GeneralizedLinearRegressor,
                family="binomial",
                alpha=case.alpha / X.shape[0],
                l1_ratio=0,
                gradient_tol=1e-6,
            ),
        )
        return
    if library == SNAPML:
        if several:
            return
        from snapml import LogisticRegression as Snap

        yield (
            "dual, 1e-5",
            _fit_with(
                Snap, regularizer=1.0, tol=1e-5, max_iter=1000, fit_intercept=True, dual=True
            ),
        )
        return
    if library == INTELEX:
        if sp.issparse(X):
            return
        from sklearnex.linear_model import LogisticRegression as Model
    else:
        from sklearn.linear_model import LogisticRegression as Model
    if library == LIBLINEAR:
        if not several and X.shape[0] >= X.shape[1]:
            yield "1e-6", _fit_with(Model, solver="liblinear", tol=1e-6, max_iter=1000)
        return
    yield "lbfgs", _fit_with(Model, max_iter=2000)
    yield "lbfgs, 1e-6", _fit_with(Model, tol=1e-6, max_iter=5000)
    if library == INTELEX:
        if not several and X.shape[1] <= _MOST_FACTORED:
            yield "newton-cg", _fit_with(Model, solver="newton-cg", max_iter=1000)
        return
    yield "newton-cg", _fit_with(Model, solver="newton-cg", max_iter=1000)
    if factored:
        yield "newton-cholesky", _fit_with(Model, solver="newton-cholesky")


def _generalized(case: GLMCase, library: str) -> Iterator[tuple[str, Fit]]:
    power = POWERS[case.family]
    options: dict[str, Any] = {"power": power, "alpha": case.alpha, "link": "log"}
    if library == FASTRIDGE:
        from fastridge import TweedieRegressor

        yield "defaults", _fit_with(TweedieRegressor, **options)
        yield "tol=1e-2", _fit_with(TweedieRegressor, tol=1e-2, **options)
    elif library == SKLEARN:
        from sklearn.linear_model import TweedieRegressor as Theirs

        yield "lbfgs", _fit_with(Theirs, max_iter=2000, **options)
        yield "lbfgs, 1e-6", _fit_with(Theirs, max_iter=5000, tol=1e-6, **options)
        yield "newton-cholesky", _fit_with(Theirs, solver="newton-cholesky", **options)
    elif library == GLUM:
        from glum import GeneralizedLinearRegressor, TweedieDistribution

        yield (
            "irls-ls, 1e-6",
            _fit_with(
                GeneralizedLinearRegressor,
                family=TweedieDistribution(power),
                link="log",
                alpha=case.alpha,
                l1_ratio=0,
                gradient_tol=1e-6,
            ),
        )
