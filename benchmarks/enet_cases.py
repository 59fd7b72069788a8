"""The elastic-net cases, their data and their goals.

Every library must reach the same certified relative duality gap on a path (`enet_accuracy.py`). The
goal is a ratio to the fastest rival that attains it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse

from .cases import SKLEARN, Case, Goal, Problem

FASTEST = "the fastest rival"
LOOSER = "fastridge gap 1e-6"

Kind = Literal["genes", "chain", "spectra", "sparse"]

N_ALPHAS = 100
# tol requires gap <= tol ||y||^2 / n: half the gap relative to ||y||^2 / 2n
CV_TOLERANCE = 5e-7
_N_FACTORS = 15
_N_PEAKS = 40
_DENSITY = 0.005
_CORRELATION = 0.5


@dataclass(frozen=True)
class EnetCase(Case):
    """A path of lasso penalties, or a choice among penalties and `l1_ratios`, on synthetic data.

    `eps` is the last penalty over the first, `gap` the required relative duality gap, and
    `ours_only` excludes rivals from a case that compares fastridge with itself.
    """

    kind: Kind = "chain"
    eps: float = 1e-3
    gap: float = 1e-6
    l1_ratios: tuple[float, ...] = (1.0,)
    ours_only: bool = False

    @property
    def exact_within(self) -> float:
        """Return the relative difference of the errors of a cross-validation that counts as none.

        It applies at the tightest tolerances, at which both are compared; a path has its gap.
        """
        return 1e-6

    def shrunk(self) -> Case:
        """Return the same case at a size that takes milliseconds, to try the command."""
        n = self.n_samples if self.n_samples <= 200 else max(100, self.n_samples // 40)
        p = max(30, self.n_features // 20)
        return dataclasses.replace(self, n_samples=n, n_features=p, title=f"{self.title} (shrunk)")


def _ratio(must: float, aim: float, against: str = FASTEST) -> Goal:
    return Goal("times faster", must, aim, against)


def _path(
    name: str, title: str, shape: tuple[int, int], eps: float, goal: Goal, **options: Any
) -> EnetCase:
    return EnetCase(
        name, f"lasso path, {title}", "enet", *shape, goal, n_alphas=N_ALPHAS, eps=eps, **options
    )


def _choice(name: str, title: str, goal: Goal, **options: Any) -> EnetCase:
    shape, folds = (10_000, 300), 5
    return EnetCase(name, title, "enet_cv", *shape, goal, n_alphas=N_ALPHAS, folds=folds, **options)


ENET_CASES = (
    _path("enet-genes", "genes 72 x 7129", (72, 7129), 1e-2, _ratio(1.5, 3), kind="genes"),
    _path("enet-genes-102", "genes 102 x 12600", (102, 12_600), 1e-2, _ratio(1.5, 3), kind="genes"),
    _path("enet-5000", "1000 x 5000", (1000, 5000), 1e-2, _ratio(2, 5)),
    _path(
        "enet-tight",
        "1000 x 5000, gap 1e-10",
        (1000, 5000),
        1e-2,
        Goal("times gap 1e-6", 3.0, 1.5, LOOSER, lower=True),
        gap=1e-10,
        ours_only=True,
    ),
    _path("enet-1000", "10000 x 1000", (10_000, 1000), 1e-3, _ratio(1.5, 3)),
    _path("enet-100", "100000 x 100", (100_000, 100), 1e-3, _ratio(2, 4)),
    _path("enet-spectra", "spectra 825 x 700", (825, 700), 1e-3, _ratio(2, 5), kind="spectra"),
    _path(
        "enet-sparse",
        "sparse 800 x 88000, 0.5%",
        (800, 88_000),
        1e-2,
        _ratio(1.5, 3),
        kind="sparse",
    ),
    _choice("lasso-cv", "LassoCV, 5-fold, 100 alphas, 10000 x 300", _ratio(10, 30, SKLEARN)),
    _choice(
        "enet-cv",
        "ElasticNetCV, 5-fold, 100 alphas, 5 l1_ratios, 10000 x 300",
        _ratio(20, 60, SKLEARN),
        l1_ratios=(0.1, 0.5, 0.7, 0.9, 0.99),
    ),
)


def make_enet_problem(case: EnetCase, seed: int = 0) -> Problem:
    """Draw features of the case's kind, a sparse model of them, noise, and the penalties.

    The noise has half the standard deviation of the signal. The penalties fall by equal ratios from
    ``max|Xc'yc| / n``, the smallest that leaves no coefficient, to `eps` times that.
    """
    rng = np.random.default_rng(seed)
    X, signal = _DRAW[case.kind](rng, case.n_samples, case.n_features)
    y = signal + 0.5 * signal.std() * rng.standard_normal(case.n_samples) + 3.0
    # X'yc equals Xc'yc, because yc sums to zero
    most = float(np.abs(X.T @ (y - y.mean())).max()) / case.n_samples
    alphas = np.geomspace(most, case.eps * most, case.n_alphas)
    return Problem(case, X, y, most, alphas)


def _signal(rng: np.random.Generator, X: Any, n_nonzero: int) -> np.ndarray:
    chosen = rng.choice(X.shape[1], min(n_nonzero, X.shape[1]), replace=False)
    return np.asarray(X[:, np.sort(chosen)] @ rng.standard_normal(len(chosen)))


def _genes(rng: np.random.Generator, n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw expression of genes that share a few factors; twenty of them have coefficients."""
    X = 0.6 * rng.standard_normal((n, _N_FACTORS)) @ rng.standard_normal((_N_FACTORS, p))
    X += rng.standard_normal((n, p))
    return X, _signal(rng, X, 20)


def _chain(rng: np.random.Generator, n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw columns of an autoregression; neighbours have a correlation of 0.5."""
    X = rng.standard_normal((n, p))
    X[:, 1:] *= np.sqrt(1 - _CORRELATION**2)
    for j in range(1, p):
        X[:, j] += _CORRELATION * X[:, j - 1]
    return X, _signal(rng, X, max(20, p // 50))


def _spectra(rng: np.random.Generator, n: int, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw sums of broad peaks of random heights, nearly collinear; ten have coefficients."""
    x = np.linspace(0, 1, p)
    centre, width = rng.uniform(0, 1, _N_PEAKS), rng.uniform(0.03, 0.06, _N_PEAKS)
    peaks = np.exp(-(((x - centre[:, None]) / width[:, None]) ** 2) / 2)
    heights = rng.standard_normal((n, _N_PEAKS))
    X = heights @ peaks + 1e-3 * rng.standard_normal((n, p))
    return X, _signal(rng, X, 10)


def _sparse(rng: np.random.Generator, n: int, p: int) -> tuple[sparse.csc_matrix, np.ndarray]:
    """Draw positive entries at random positions, by columns."""
    X = sparse.random(n, p, _DENSITY, format="csc", random_state=rng)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X, _signal(rng, X, 500)


_DRAW = {"genes": _genes, "chain": _chain, "spectra": _spectra, "sparse": _sparse}
