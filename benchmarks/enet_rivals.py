"""Adapters of the elastic-net tasks: lasso paths, and choices of the penalty.

An adapter of the task `enet` names the `ways` in which it can solve a problem. `solver` makes the
inputs for one way (a copy in column order, a wrapped matrix) and returns a function of the
tolerance that runs the path. This function is timed. It includes centring, because an intercept is
part of the task.
`coefs` reads the answer. An adapter of the task `enet_cv` returns a call that fits, as in
`cv_rivals.py`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import ThreadpoolController

from .cases import SKLEARN, Problem
from .enet_cases import CV_TOLERANCE, LOOSER
from .rivals import Call, Fastridge, Rival

# a function of the tolerance that runs the path
Solve = Callable[[float], Any]

_MANY_ITERATIONS = 1_000_000
_MOST_GRAM_BYTES = 1 << 28


class PathRival(Rival):
    """Base adapter of a path: one way, and the coefficients second in the answer."""

    # where the search for the loosest tolerance begins and ends
    first_tolerance, last_tolerance = 1e-3, 1e-12
    # the gap that is required instead of that of the case
    gap_asked: float | None = None
    # whether to use `seconds` instead of the clock
    own_clock = False

    def ways(self, problem: Problem) -> tuple[str, ...]:
        """Return the ways to try on this problem; none if it is not supported."""
        return ("",)

    def solver(self, problem: Problem, way: str, threads: int) -> Solve:
        """Make the inputs and return the path as a function of the tolerance."""
        raise NotImplementedError

    def coefs(self, answer: Any) -> np.ndarray:
        """Return the coefficients (p, a) of a path."""
        return np.asarray(answer[1])

    def seconds(self, answer: Any) -> float:
        """Return the seconds by the rival's own clock, if it has one."""
        raise NotImplementedError

    def close(self) -> None:
        """End the process that `solver` started."""


def _by_columns(problem: Problem) -> Any:
    return problem.X if sparse.issparse(problem.X) else np.asfortranarray(problem.X)


def _gram_fits(problem: Problem) -> bool:
    n, p = problem.X.shape
    return not sparse.issparse(problem.X) and 8 * p * p <= _MOST_GRAM_BYTES and p <= 10 * n


def _column_means(X: Any) -> np.ndarray:
    return np.asarray(X.mean(axis=0)).reshape(-1)


class FastridgePath(Fastridge, PathRival):
    """`fastridge.enet_path` with its intercept."""

    def solver(self, problem: Problem, way: str, threads: int) -> Solve:
        path, X, y, alphas = self._library.enet_path, problem.X, problem.y, problem.alphas

        def solve(tol: float) -> Any:
            return path(
                X,
                y,
                l1_ratio=1.0,
                alphas=alphas,
                fit_intercept=True,
                tol=tol,
                max_iter=_MANY_ITERATIONS,
                n_threads=threads,
            )

        return solve


class FastridgeLooser(FastridgePath):
    """The same at gap 1e-6, with which a path at a tighter gap is compared."""

    name = LOOSER
    note = "the path of the same case at gap 1e-6"
    gap_asked = 1e-6

    def ways(self, problem: Problem) -> tuple[str, ...]:
        return ("",) if problem.case.goal.against == LOOSER else ()


class ScikitLearnPath(PathRival):
    """`sklearn.linear_model.enet_path` on centred data, centred implicitly if they are sparse."""

    name = SKLEARN
    distribution = "scikit-learn"
    note = "paths: enet_path on centred data, with and without the Gram matrix"

    def load(self) -> None:
        self._path = importlib.import_module("sklearn.linear_model").enet_path

    def ways(self, problem: Problem) -> tuple[str, ...]:
        return ("Gram", "residuals") if _gram_fits(problem) else ("residuals",)

    def solver(self, problem: Problem, way: str, threads: int) -> Solve:
        X, y = _by_columns(problem), problem.y

        def solve(tol: float) -> Any:
            options: dict[str, Any] = {}
            means = _column_means(X)
            if sparse.issparse(X):
                rows = X
                options = {"X_offset": means, "X_scale": np.ones(len(means))}
            else:
                rows = X - means
            return self._path(
                rows,
                y - y.mean(),
                l1_ratio=1.0,
                alphas=problem.alphas,
                precompute=way == "Gram",
                copy_X=False,
                tol=tol,
                max_iter=_MANY_ITERATIONS,
                **options,
            )

        return solve


class Celer(PathRival):
    """`celer.celer_path` on centred data, centred implicitly if they are sparse."""

    name = "celer"
    distribution = "celer"
    last_tolerance = 1e-15

    def load(self) -> None:
        self._path = importlib.import_module("celer").celer_path

    def ways(self, problem: Problem) -> tuple[str, ...]:
        return ("pruning", "growing")

    def solver(self, problem: Problem, way: str, threads: int) -> Solve:
        X, y = _by_columns(problem), problem.y

        def solve(tol: float) -> Any:
            options: dict[str, Any] = {}
            means = _column_means(X)
            if sparse.issparse(X):
                rows = X
                options = {"X_offset": means, "X_scale": np.ones(len(means))}
            else:
                rows = X - means
            return self._path(
                rows,
                y - y.mean(),
                "lasso",
                alphas=problem.alphas,
                prune=int(way == "pruning"),
                tol=tol,
                max_iter=100,
                max_epochs=_MANY_ITERATIONS,
                **options,
            )

        return solve


class Skglm(PathRival):
    """skglm's `AndersonCD.path`, warm-started; centred data, or its intercept if sparse."""

    name = "skglm"
    distribution = "skglm"

    def load(self) -> None:
        self._datafits = importlib.import_module("skglm.datafits")
        self._penalties = importlib.import_module("skglm.penalties")
        self._solvers = importlib.import_module("skglm.solvers")

    def solver(self, problem: Problem, way: str, threads: int) -> Solve:
        X, y = _by_columns(problem), problem.y
        p, intercept = X.shape[1], sparse.issparse(X)

        def solve(tol: float) -> Any:
            descent = self._solvers.AndersonCD(
                max_iter=200,
                max_epochs=_MANY_ITERATIONS,
                tol=tol,
                fit_intercept=intercept,
                warm_start=True,
            )
            rows = X if intercept else X - X.mean(axis=0)
            datafit, penalty = self._datafits.Quadratic(), self._penalties.L1(1.0)
            answer = descent.path(rows, y - y.mean(), datafit, penalty, alphas=problem.alphas)
            return answer[0], answer[1][:p]

        return solve


class Adelie(PathRival):
    """adelie's `grpnet` with its intercept, or `gaussian_cov` on the centred Gram matrix."""

    name = "adelie"
    distribution = "adelie"
    # compared with squares of changes
    first_tolerance, last_tolerance = 1e-6, 1e-18

    def load(self) -> None:
        # its import would bind the whole process to one core, and keep its settings
        before = dict(os.environ)
        os.environ["OMP_PROC_BIND"] = "FALSE"
        try:
            self._library = importlib.import_module("adelie")
        except ImportError:
            raise
        except Exception as error:  # built for another NumPy, it may raise any exception
            raise ImportError("could not be imported") from error
        finally:
            for name in set(os.environ) - set(before):
                del os.environ[name]
            os.environ.update(before)

    def ways(self, problem: Problem) -> tuple[str, ...]:
        return ("Gram", "residuals") if _gram_fits(problem) else ("residuals",)

    def solver(self, problem: Problem, way: str, threads: int) -> Solve:
        library, X, y = self._library, _by_columns(problem), problem.y
        options = {
            "lmda_path": problem.alphas,
            "early_exit": False,
            "progress_bar": False,
            "n_threads": threads,
            "max_iters": _MANY_ITERATIONS * 100,
        }
        if way == "Gram":

            def solve_gram(tol: float) -> Any:
                rows = X - X.mean(axis=0)
                gram, xy = rows.T @ rows, rows.T @ (y - y.mean())
                gram /= len(y)
                return library.gaussian_cov(gram, xy / len(y), tol=tol, **options)

            return solve_gram
        wrapper = library.matrix.sparse if sparse.issparse(X) else library.matrix.dense
        matrix = wrapper(X, method="naive", n_threads=threads)

        def solve(tol: float) -> Any:
            return library.grpnet(matrix, library.glm.gaussian(y=y), tol=tol, **options)

        return solve

    def coefs(self, answer: Any) -> np.ndarray:
        return answer.betas.toarray().T


class ScikitLearnChoice(Rival):
    """`LassoCV` and `ElasticNetCV` of scikit-learn."""

    name = SKLEARN
    distribution = "scikit-learn"
    module = "sklearn.linear_model"
    note = "choices: n_jobs as the threads, each with one BLAS thread, which is its best"

    def load(self) -> None:
        self._library = importlib.import_module(self.module)

    def _threads(self, threads: int) -> dict[str, int]:
        return {"n_jobs": threads}

    def model(self, problem: Problem, threads: int) -> Any:
        """Return the estimator with the folds and penalties of the case."""
        case: Any = problem.case
        options = {"cv": case.folds, "eps": case.eps, "tol": CV_TOLERANCE, "max_iter": 100_000}
        options |= self._threads(threads)
        if case.l1_ratios == (1.0,):
            return self._library.LassoCV(**options)
        return self._library.ElasticNetCV(l1_ratio=list(case.l1_ratios), **options)

    def enet_cv(self, problem: Problem, threads: int) -> Call:
        """Return a call that chooses the penalty and fits."""
        model, blas = self.model(problem, threads), ThreadpoolController()

        def fit() -> Any:
            with blas.limit(limits=1, user_api="blas"):
                return model.fit(problem.X, problem.y)

        return fit


class FastridgeChoice(ScikitLearnChoice, Fastridge):
    """`fastridge.LassoCV` and `fastridge.ElasticNetCV`."""

    name = Fastridge.name
    distribution = Fastridge.distribution
    module = "fastridge"
    note = ""

    def _threads(self, threads: int) -> dict[str, int]:
        return {"n_threads": threads}

    def enet_cv(self, problem: Problem, threads: int) -> Call:
        model = self.model(problem, threads)
        return lambda: model.fit(problem.X, problem.y)


def path_adapters() -> tuple[type[PathRival], ...]:
    """Return all adapters of paths."""
    from .glmnet_rival import Glmnet

    return FastridgePath, FastridgeLooser, ScikitLearnPath, Celer, Skglm, Adelie, Glmnet


CHOICE_ADAPTERS: tuple[type[Rival], ...] = (FastridgeChoice, ScikitLearnChoice)
