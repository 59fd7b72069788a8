"""Logistic regressions and generalized linear models that are compared, their data and goals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

Family = Literal["logistic", "classes", "poisson", "gamma", "tweedie"]
Data = tuple[Any, np.ndarray]

POWERS = {"poisson": 1.0, "gamma": 2.0, "tweedie": 1.5}
EXCESS = 1e-6
"""A setting counts if it ends no further above the least objective than this share of it."""


@dataclass(frozen=True)
class GLMCase:
    """Rows, a family, and by how many times the fastest rival must be, and should be, beaten.

    `alpha` multiplies half of the squared coefficients, which are added to the mean loss, or to the
    sum of the logistic losses, where it is 1 / C.
    """

    name: str
    title: str
    family: Family
    data: Callable[[int], Data]
    must: float
    aim: float
    alpha: float = 1.0


def _labels(eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(len(eta)) < 1.0 / (1.0 + np.exp(-eta))).astype(int)


def _dense(n: int, p: int, *, correlated: bool) -> Callable[[int], Data]:
    def data(shrink: int) -> Data:
        rng, rows = np.random.default_rng(0), max(n // shrink, min(n, 200))
        X = rng.standard_normal((rows, p))
        if correlated:
            X = X @ (np.eye(p) + 0.5 * rng.standard_normal((p, p)) / np.sqrt(p))
        return X, _labels(X @ rng.standard_normal(p) / np.sqrt(p) * 2.0 - 0.5, rng)

    return data


def _one_hot(shrink: int) -> Data:
    rng, rows = np.random.default_rng(0), 30_000 // shrink
    blocks = []
    for levels in (16, 16, 14, 9, 7, 7, 6, 5, 5, 5, 4, 4, 3, 3, 2, 2, 2):
        share = rng.dirichlet(np.full(levels, 0.5))
        blocks.append(np.eye(levels)[rng.choice(levels, size=rows, p=share)])
    X = np.hstack(blocks)
    return X, _labels(X @ rng.standard_normal(X.shape[1]), rng)


def _sparse(n: int, p: int, density: float) -> Callable[[int], Data]:
    def data(shrink: int) -> Data:
        rng = np.random.default_rng(0)
        X = sp.random(n // shrink, max(p // shrink, 100), density, "csr", random_state=0)
        X.data[:] = 1.0
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
        return sp.csr_matrix(X), _labels(X @ rng.standard_normal(X.shape[1]) - 1.0, rng)

    return data


def _genes(shrink: int) -> Data:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((72, 7129 // shrink))
    return X, _labels(X[:, :20].sum(axis=1), rng)


def _classes(n: int, p: int) -> Callable[[int], Data]:
    def data(shrink: int) -> Data:
        rng, rows = np.random.default_rng(0), max(n // shrink, 200)
        X = rng.standard_normal((rows, p))
        eta = X @ rng.standard_normal((p, 10)) / np.sqrt(p) * 3.0
        return X, (eta + rng.gumbel(size=eta.shape)).argmax(axis=1)

    return data


def _amounts(family: Family, n: int, p: int) -> Callable[[int], Data]:
    def data(shrink: int) -> Data:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n // shrink, p))
        mean = np.exp(X @ rng.standard_normal(p) / np.sqrt(p) * 0.5)
        if family == "poisson":
            return X, rng.poisson(mean).astype(float)
        y = rng.gamma(2.0, mean / 2.0)
        return X, y * (rng.random(len(y)) < 0.7) if family == "tweedie" else y

    return data


CASES = (
    GLMCase("tiny", "logistic, 200 x 5", "logistic", _dense(200, 5, correlated=True), 4.0, 10.0),
    GLMCase(
        "correlated",
        "logistic, 200,000 x 50, correlated",
        "logistic",
        _dense(200_000, 50, correlated=True),
        3.0,
        6.0,
    ),
    GLMCase(
        "p100",
        "logistic, 100,000 x 100",
        "logistic",
        _dense(100_000, 100, correlated=False),
        2.5,
        5.0,
    ),
    GLMCase("one-hot", "logistic, one-hot, 30,000 x 110", "logistic", _one_hot, 3.0, 6.0),
    GLMCase(
        "sparse",
        "logistic, sparse, 50,000 x 300, 4 %",
        "logistic",
        _sparse(50_000, 300, 0.04),
        2.5,
        5.0,
    ),
    GLMCase(
        "text",
        "logistic, sparse, 16,000 x 62,000, 0.1 %",
        "logistic",
        _sparse(16_000, 62_000, 0.001),
        2.0,
        4.0,
    ),
    GLMCase("genes", "logistic, 72 x 7,129", "logistic", _genes, 4.0, 10.0),
    GLMCase("classes", "10 classes, 50,000 x 50", "classes", _classes(50_000, 50), 2.5, 5.0),
    GLMCase("classes-wide", "10 classes, 200 x 1,000", "classes", _classes(200, 1000), 2.0, 4.0),
    GLMCase(
        "poisson",
        "Poisson, 200,000 x 50",
        "poisson",
        _amounts("poisson", 200_000, 50),
        2.5,
        5.0,
        1e-4,
    ),
    GLMCase(
        "poisson-300",
        "Poisson, 20,000 x 300",
        "poisson",
        _amounts("poisson", 20_000, 300),
        1.3,
        3.0,
        1e-4,
    ),
    GLMCase(
        "gamma", "gamma, 100,000 x 50", "gamma", _amounts("gamma", 100_000, 50), 1.5, 3.0, 1e-4
    ),
    GLMCase(
        "tweedie",
        "Tweedie 1.5, 100,000 x 50",
        "tweedie",
        _amounts("tweedie", 100_000, 50),
        1.5,
        3.0,
        1e-4,
    ),
)


def objective(case: GLMCase, X: Any, y: np.ndarray, coef: Any, intercept: Any) -> float:
    """Return what every contestant minimises, computed outside of all, in float64."""
    W, b = np.atleast_2d(coef).astype(float), np.ravel(intercept).astype(float)
    eta = np.asarray(X @ W.T) + b
    penalty = 0.5 * case.alpha * float((W**2).sum())
    if case.family == "logistic":
        return float(np.logaddexp(0.0, -(2.0 * y - 1.0) * eta[:, 0]).sum()) + penalty
    if case.family == "classes":
        eta = eta - eta.max(axis=1, keepdims=True)
        own = eta[np.arange(len(y)), y]
        return float((np.log(np.exp(eta).sum(axis=1)) - own).sum()) + penalty
    mean = np.exp(eta[:, 0])
    power = POWERS[case.family]
    if power == 1.0:
        loss = mean - y * eta[:, 0]
    elif power == 2.0:
        loss = y / mean + eta[:, 0]
    else:
        loss = mean ** (2.0 - power) / (2.0 - power) - y * mean ** (1.0 - power) / (1.0 - power)
    return float(loss.mean()) + penalty
