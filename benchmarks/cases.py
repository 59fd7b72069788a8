"""The cases that are compared, their data, and their goals."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

SKLEARN = "scikit-learn"
FASTRIDGE = "fastridge"
FASTRIDGE64 = "fastridge float64"
GRAM_PASS = "fastridge Gram pass"
HIMALAYA = "himalaya"
BOLEY = "RidgeEM (Boley)"

Task = Literal["fit", "predict", "path", "gram", "accuracy", "cv", "enet", "enet_cv"]
Method = Literal["loo", "kfold", "em"]
Dtype = Literal["float64", "float32"]


@dataclass(frozen=True)
class Goal:
    """The values that a case must and should reach: upper bounds if `lower`, else lower bounds."""

    measure: str
    must: float
    aim: float | None = None
    against: str = SKLEARN
    lower: bool = False

    def reached(self, value: float, bound: float | None) -> bool:
        """Return whether `value` reaches `bound`; False without a bound and for NaN."""
        if bound is None:
            return False
        return value <= bound if self.lower else value >= bound


@dataclass(frozen=True)
class Case:
    """One problem shape and the task that is timed on it."""

    name: str
    title: str
    task: Task
    n_samples: int
    n_features: int
    goal: Goal
    n_targets: int = 1
    dtype: Dtype = "float64"
    mean: float = 1.0
    n_alphas: int = 1
    method: Method = "loo"
    folds: int = 0

    @property
    def exact_within(self) -> float:
        """Return the relative coefficient error that counts as exact in this case's precision.

        Errors below it are rounding and not compared: 1e-12 in float64; in float32 one unit in
        the last place, the error of storing float64-accurate coefficients in float32. For the
        scores of a cross-validation it is the goal, 1e-10.
        """
        if self.task == "cv":
            return 1e-10
        return 1e-12 if self.dtype == "float64" else float(np.finfo(np.float32).eps)

    def shrunk(self) -> Case:
        """Return the same case at a size that takes milliseconds, to try the command."""
        n = self.n_samples if self.n_samples <= 500 else max(200, self.n_samples // 40)
        p = self.n_features if self.n_features <= 100 else self.n_features // 10
        n = n // 5 if self.n_samples < self.n_features else n
        t = min(self.n_targets, 10)
        small = dataclasses.replace(self, n_samples=n, n_features=p, n_targets=t)
        if small == self:
            return self
        return dataclasses.replace(small, title=f"{self.title} (shrunk)")


def _speed(must: float, aim: float, against: str = SKLEARN) -> Goal:
    return Goal("times faster", must, aim, against)


def _choice(
    name: str, title: str, shape: tuple[int, int], goal: Goal, alphas: int, **options: Any
) -> Case:
    return Case(name, title, "cv", *shape, goal, n_alphas=alphas, **options)


_AS_FAST_AS_FLOAT64 = _speed(1.0, 1.5, FASTRIDGE64)

CASES = (
    Case("fit-20", "fit 200000 x 20", "fit", 200_000, 20, _speed(5, 8)),
    Case("fit-50", "fit 200000 x 50", "fit", 200_000, 50, _speed(3, 5)),
    Case("fit-100", "fit 200000 x 100", "fit", 200_000, 100, _speed(2.5, 3.5)),
    Case(
        "fit-20-float32",
        "fit 200000 x 20, float32",
        "fit",
        200_000,
        20,
        _AS_FAST_AS_FLOAT64,
        dtype="float32",
    ),
    Case(
        "fit-50-float32",
        "fit 200000 x 50, float32",
        "fit",
        200_000,
        50,
        _AS_FAST_AS_FLOAT64,
        dtype="float32",
    ),
    Case(
        "fit-100-float32",
        "fit 200000 x 100, float32",
        "fit",
        200_000,
        100,
        _AS_FAST_AS_FLOAT64,
        dtype="float32",
    ),
    Case("fit-1000", "fit 20000 x 1000", "fit", 20_000, 1000, _speed(1.2, 1.6)),
    Case("fit-dual", "fit 500 x 5000", "fit", 500, 5000, _speed(1.1, 1.5)),
    Case("fit-tiny", "fit 50 x 5", "fit", 50, 5, _speed(10, 20)),
    Case("predict-row", "predict 1 row of 100", "predict", 2000, 100, _speed(10, 30)),
    Case(
        "fit-targets",
        "fit 100000 x 100, 100 targets",
        "fit",
        100_000,
        100,
        _speed(1.5, 2.5),
        n_targets=100,
    ),
    Case(
        "gram",
        "Gram of 2000000 x 50",
        "gram",
        2_000_000,
        50,
        Goal("of the machine's limit", 0.70, 0.85, "limit"),
    ),
    Case(
        "path",
        "100 alphas, 20000 x 500",
        "path",
        20_000,
        500,
        _speed(10, 30),
        n_alphas=100,
    ),
    Case(
        "accuracy-float32",
        "float32, column means 1e4",
        "accuracy",
        200_000,
        20,
        Goal("coefficient error", 1e-6, None, "reference", lower=True),
        dtype="float32",
        mean=1e4,
    ),
    Case(
        "accuracy-float64",
        "float64, mean/std 1e8",
        "accuracy",
        200_000,
        20,
        Goal("coefficient error", 1e-8, None, "reference", lower=True),
        mean=1e8,
    ),
    _choice("loo-100", "LOO, 50 alphas, 20000 x 100", (20_000, 100), _speed(20, 40), 50),
    _choice("loo-1500", "LOO, 10 alphas, 4000 x 1500", (4000, 1500), _speed(15, 30), 10),
    _choice("loo-dual", "LOO, 10 alphas, 300 x 10000", (300, 10_000), _speed(5, 15), 10),
    _choice(
        "kfold-100",
        "5-fold, 50 alphas, 20000 x 100",
        (20_000, 100),
        _speed(150, 300),
        50,
        method="kfold",
        folds=5,
    ),
    _choice(
        "kfold-tiny",
        "5-fold, 100 alphas, 50 x 5",
        (50, 5),
        _speed(200, 500),
        100,
        method="kfold",
        folds=5,
    ),
    _choice(
        "kfold-long",
        "10-fold, 50 alphas, 2000000 x 50",
        (2_000_000, 50),
        Goal("times one Gram pass", 1.5, 1.15, GRAM_PASS, lower=True),
        50,
        method="kfold",
        folds=10,
    ),
    _choice(
        "kfold-targets",
        "5-fold, 10 alphas, 2000 x 1000, 1000 targets with an alpha each",
        (2000, 1000),
        _speed(2, 5, HIMALAYA),
        10,
        method="kfold",
        folds=5,
        n_targets=1000,
    ),
    _choice(
        "em",
        "EM, 20000 x 100",
        (20_000, 100),
        _speed(10, 20, BOLEY),
        1,
        method="em",
    ),
)


@dataclass
class Problem:
    """The arrays of a case: `X` C-ordered (n, p), `y` (n,) or (n, t), and the penalties."""

    case: Case
    X: np.ndarray
    y: np.ndarray
    alpha: float
    alphas: np.ndarray

    @property
    def sampled_alphas(self) -> np.ndarray:
        """Return four penalties across the path, at which a rival that refits is timed."""
        index = np.linspace(0, len(self.alphas) - 1, 4).round().astype(int)
        return self.alphas[index]


def make_problem(case: Case, seed: int = 0) -> Problem:
    """Draw a linear model with Gaussian features, unit noise and an intercept of 3."""
    rng = np.random.default_rng(seed)
    n, p, t = case.n_samples, case.n_features, case.n_targets
    X = rng.standard_normal((n, p), dtype=case.dtype)
    coef = rng.standard_normal((p, t), dtype=case.dtype)
    y = X @ coef
    y += rng.standard_normal((n, t), dtype=case.dtype)
    y += np.asarray(3.0 + case.mean, case.dtype)
    X += np.asarray(case.mean, case.dtype)
    alphas = np.logspace(-2, 5, case.n_alphas) if case.n_alphas > 1 else np.array([1.0])
    return Problem(case, X, y[:, 0] if t == 1 else y, 1.0, alphas)
