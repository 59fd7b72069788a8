"""One adapter per rival: how it fits, predicts and returns coefficients.

An adapter's `fit`, `predict`, `path` and `gram` take a problem and a thread count, make the inputs
that the rival needs (a data frame, a fitted model), and return the call to be timed, or None if the
rival does not support it. `coef` and similar methods turn the answer of the call into arrays.
Libraries are imported in `load`, never at module level: asv imports this file.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .cases import FASTRIDGE, FASTRIDGE64, SKLEARN, Problem

Call = Callable[[], Any]
EM_FOLDER_VARIABLE = "FASTRIDGE_BENCH_EM"


class Rival:
    """Base adapter: supports no task; `coef` reads scikit-learn's attributes."""

    name: str
    distribution: str
    note = ""
    # whether the library's threads follow the setting; otherwise it is timed once, with its own
    follows_threads = True

    def load(self) -> None:
        """Import the library, or raise ImportError if it is not installed."""
        raise NotImplementedError

    def fit(self, problem: Problem, threads: int) -> Call | None:
        """Return a call that fits the problem's `X`, `y` at its `alpha`."""
        return None

    def predict(self, problem: Problem, threads: int) -> Call | None:
        """Return a call that predicts the first row with a model fitted in advance."""
        return None

    def path(self, problem: Problem, threads: int) -> tuple[Call, float] | None:
        """Return a call for the problem's `alphas`, and the factor of its seconds."""
        return None

    def gram(self, problem: Problem, threads: int) -> Call | None:
        """Return a call that computes the centred X'X and X'y."""
        return None

    def coef(self, answer: Any) -> np.ndarray:
        """Return the coefficients (t, p) of the answer of a fit."""
        return np.atleast_2d(answer.coef_)

    def alpha(self, answer: Any, problem: Problem) -> float | np.ndarray:
        """Return the penalty of the answer: the problem's unless the rival chose its own."""
        return problem.alpha

    def path_coefs(self, answer: Any, problem: Problem) -> np.ndarray:
        """Return the coefficients (4, p) at the problem's `sampled_alphas`."""
        return np.vstack([self.coef(one) for one in answer])

    def gram_matrix(self, answer: Any) -> np.ndarray:
        """Return the centred X'X of the answer of a gram call."""
        return np.asarray(answer)


class Fastridge(Rival):
    """This package, with its own thread count."""

    name = FASTRIDGE
    distribution = "fastridge-solvers"

    def load(self) -> None:
        self._library = importlib.import_module("fastridge")
        self.simd = self._library.show_config(mode="dicts")["simd"]["picked"]

    def fit(self, problem: Problem, threads: int) -> Call:
        model = self._library.Ridge(problem.alpha, n_threads=threads)
        return lambda: model.fit(problem.X, problem.y)

    def predict(self, problem: Problem, threads: int) -> Call:
        model = self._library.Ridge(problem.alpha, n_threads=threads).fit(problem.X, problem.y)
        row = problem.X[:1].copy()
        return lambda: model.predict(row)

    def path(self, problem: Problem, threads: int) -> tuple[Call, float]:
        path = self._library.ridge_path
        return lambda: path(problem.X, problem.y, problem.alphas, n_threads=threads), 1.0

    def path_coefs(self, answer: Any, problem: Problem) -> np.ndarray:
        return answer[np.searchsorted(problem.alphas, problem.sampled_alphas)]

    def gram(self, problem: Problem, threads: int) -> Call:
        from_data = self._library.GramStatistics.from_data
        return lambda: from_data(problem.X, problem.y, n_threads=threads)

    def gram_matrix(self, answer: Any) -> np.ndarray:
        return answer.xx


class Fastridge64(Fastridge):
    """This package on a float64 copy of float32 data, which float32 must not be slower than."""

    name = FASTRIDGE64
    note = "on a float64 copy of the data"

    def fit(self, problem: Problem, threads: int) -> Call | None:  # type: ignore[override]
        if problem.case.dtype == "float64":
            return None
        model = self._library.Ridge(problem.alpha, n_threads=threads)
        X, y = problem.X.astype(np.float64), problem.y.astype(np.float64)
        return lambda: model.fit(X, y)

    def predict(self, problem: Problem, threads: int) -> None:  # type: ignore[override]
        return None

    def path(self, problem: Problem, threads: int) -> None:  # type: ignore[override]
        return None

    def gram(self, problem: Problem, threads: int) -> None:  # type: ignore[override]
        return None


class ScikitLearn(Rival):
    """`sklearn.linear_model.Ridge` with its defaults."""

    name = SKLEARN
    distribution = "scikit-learn"
    module = "sklearn.linear_model"
    note = "path: 4 of the 100 fits are timed and counted 25 times"

    def load(self) -> None:
        self._library = importlib.import_module(self.module)

    def _model(self, alpha: float, threads: int) -> Any:
        return self._library.Ridge(alpha=alpha)

    def fit(self, problem: Problem, threads: int) -> Call:
        model = self._model(problem.alpha, threads)
        return lambda: model.fit(problem.X, problem.y)

    def predict(self, problem: Problem, threads: int) -> Call:
        model = self._model(problem.alpha, threads).fit(problem.X, problem.y)
        row = problem.X[:1].copy()
        return lambda: model.predict(row)

    def path(self, problem: Problem, threads: int) -> tuple[Call, float]:
        models = [self._model(alpha, threads) for alpha in problem.sampled_alphas]
        scale = len(problem.alphas) / len(models)
        return lambda: [model.fit(problem.X, problem.y) for model in models], scale


class ScikitLearnIntelex(ScikitLearn):
    """scikit-learn-intelex (oneDAL), imported separately; scikit-learn is not patched."""

    name = "scikit-learn-intelex"
    distribution = "scikit-learn-intelex"
    module = "sklearnex.linear_model"

    def _model(self, alpha: float, threads: int) -> Any:
        return self._library.Ridge(alpha=alpha, n_jobs=threads)


class NumpyNormalEquations(Rival):
    """Code without a library: centre a copy, form the (dual) Gram matrix, solve."""

    name = "NumPy"
    distribution = "numpy"
    note = "plain normal equations, dual when p > n"

    def load(self) -> None:
        pass

    def _solve(self, system: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.linalg.solve(system, right)

    def _coef(self, X: np.ndarray, y: np.ndarray, alpha: float) -> tuple[Any, Any]:
        x_mean, y_mean = X.mean(axis=0), y.mean(axis=0)
        rows, target = X - x_mean, y - y_mean
        dual = len(rows) < rows.shape[1]
        system = rows @ rows.T if dual else rows.T @ rows
        system.flat[:: len(system) + 1] += alpha
        if dual:
            coef = rows.T @ self._solve(system, target)
        else:
            coef = self._solve(system, rows.T @ target)
        return coef, y_mean - x_mean @ coef

    def fit(self, problem: Problem, threads: int) -> Call:
        return lambda: self._coef(problem.X, problem.y, problem.alpha)

    def predict(self, problem: Problem, threads: int) -> Call:
        coef, intercept = self._coef(problem.X, problem.y, problem.alpha)
        row = problem.X[:1].copy()
        return lambda: row @ coef + intercept

    def path(self, problem: Problem, threads: int) -> tuple[Call, float] | None:
        def eigenvalue_path() -> np.ndarray:
            rows = problem.X - problem.X.mean(axis=0)
            values, vectors = np.linalg.eigh(rows.T @ rows)
            xy = vectors.T @ (rows.T @ (problem.y - problem.y.mean()))
            return (xy / (values + problem.alphas[:, None])) @ vectors.T

        return eigenvalue_path, 1.0

    def gram(self, problem: Problem, threads: int) -> Call | None:
        def centred_gram() -> np.ndarray:
            rows = problem.X - problem.X.mean(axis=0)
            target = problem.y - problem.y.mean()
            return np.vstack([rows.T @ rows, rows.T @ target])

        return centred_gram

    def coef(self, answer: Any) -> np.ndarray:
        return np.atleast_2d(answer[0].T)

    def path_coefs(self, answer: Any, problem: Problem) -> np.ndarray:
        return answer[np.searchsorted(problem.alphas, problem.sampled_alphas)]

    def gram_matrix(self, answer: Any) -> np.ndarray:
        return answer[:-1]


class ScipySolve(NumpyNormalEquations):
    """The same with `scipy.linalg.solve(assume_a="pos")`."""

    name = "SciPy solve"
    distribution = "scipy"
    note = 'normal equations, solve(assume_a="pos")'

    def load(self) -> None:
        self._linalg = importlib.import_module("scipy.linalg")

    def _solve(self, system: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self._linalg.solve(
            system, right, assume_a="pos", overwrite_a=True, check_finite=False
        )

    def predict(self, problem: Problem, threads: int) -> None:  # type: ignore[override]
        return None  # NumPy's

    def path(self, problem: Problem, threads: int) -> None:
        return None  # NumPy's

    def gram(self, problem: Problem, threads: int) -> None:
        return None  # NumPy's


class ScipyLstsq(ScipySolve):
    """`scipy.linalg.lstsq` (gelsy) on the centred rows over sqrt(alpha) I; wide when p > n."""

    name = "SciPy lstsq"
    note = "gelsy on the augmented matrix"

    def _coef(self, X: np.ndarray, y: np.ndarray, alpha: float) -> tuple[Any, Any]:
        x_mean, y_mean = X.mean(axis=0), y.mean(axis=0)
        (n, p), root = X.shape, np.sqrt(alpha)
        if p <= n:
            rows = np.zeros((n + p, p), X.dtype, order="F")
            np.subtract(X, x_mean, out=rows[:n])
            np.fill_diagonal(rows[n:], root)
            target = np.zeros((n + p, *y.shape[1:]), y.dtype)
            target[:n] = y - y_mean
        else:
            # least-norm (w, e / root) with Xc w + root (e / root) = yc
            rows = np.zeros((n, p + n), X.dtype, order="F")
            np.subtract(X, x_mean, out=rows[:, :p])
            np.fill_diagonal(rows[:, p:], root)
            target = y - y_mean
        coef = self._linalg.lstsq(
            rows, target, lapack_driver="gelsy", overwrite_a=True, check_finite=False
        )[0][:p]
        return coef, y_mean - x_mean @ coef


class PolarsOls(Rival):
    """polars-ols; its own intercept is penalised, so the columns are centred in the query."""

    name = "polars-ols"
    distribution = "polars-ols"
    note = "columns centred in the query; threads of its own"
    follows_threads = False

    def load(self) -> None:
        self._polars = importlib.import_module("polars")
        importlib.import_module("polars_ols")

    def fit(self, problem: Problem, threads: int) -> Call | None:
        if problem.case.n_targets > 1:
            return None  # its multi-target mode gives predictions, not coefficients
        pl = self._polars
        names = [f"x{j}" for j in range(problem.X.shape[1])]
        frame = pl.DataFrame({name: problem.X[:, j] for j, name in enumerate(names)})
        frame = frame.with_columns(y=pl.Series(problem.y))
        columns = [pl.col(name) - pl.col(name).mean() for name in names]
        ridge = (pl.col("y") - pl.col("y").mean()).least_squares.ridge(
            *columns, alpha=problem.alpha, mode="coefficients"
        )
        query = ridge.alias("coef")
        return lambda: frame.select(query)

    def coef(self, answer: Any) -> np.ndarray:
        return answer.unnest("coef").to_numpy()


class Himalaya(Rival):
    """himalaya on the NumPy backend: `Ridge` (SVD), or linear `KernelRidge` when p > n."""

    name = "himalaya"
    distribution = "himalaya"
    note = "NumPy backend; SVD, linear kernel when p > n"

    def load(self) -> None:
        self._ridge = importlib.import_module("himalaya.ridge")
        self._kernel_ridge = importlib.import_module("himalaya.kernel_ridge")

    def fit(self, problem: Problem, threads: int) -> Call:
        if problem.X.shape[0] >= problem.X.shape[1]:
            model = self._ridge.Ridge(alpha=problem.alpha, fit_intercept=True)
            return lambda: model.fit(problem.X, problem.y)
        kernel = self._kernel_ridge.KernelRidge(alpha=problem.alpha, fit_intercept=True)

        def fit_dual() -> Any:
            kernel.fit(problem.X, problem.y)
            return kernel.get_primal_coef(problem.X)

        return fit_dual

    def predict(self, problem: Problem, threads: int) -> Call:
        model = self._ridge.Ridge(alpha=problem.alpha, fit_intercept=True)
        model.fit(problem.X, problem.y)
        row = problem.X[:1].copy()
        return lambda: model.predict(row)

    def coef(self, answer: Any) -> np.ndarray:
        coef = answer if isinstance(answer, np.ndarray) else answer.coef_
        return np.atleast_2d(coef.T)


class BoleyEM(Rival):
    """RidgeEM of the package that owns the name `fastridge` on PyPI (Boley and others).

    The import names collide, so it is in a separate folder, made by ``pip install --no-deps
    --target FOLDER fastridge`` and given by the environment variable or ``--em-folder``. Its module
    is loaded under another name.
    """

    name = "RidgeEM (Boley)"
    distribution = "fastridge"
    note = "also chooses its penalty; accuracy is taken at that penalty"

    def load(self) -> None:
        folder = os.environ.get(EM_FOLDER_VARIABLE)
        if not folder:
            raise ImportError(f"needs {EM_FOLDER_VARIABLE} or --em-folder, see the README")
        source = Path(folder) / "fastridge.py"
        if not source.is_file():
            raise ImportError("the given folder has no fastridge.py")
        spec = importlib.util.spec_from_file_location("boley_fastridge", source)
        assert spec is not None and spec.loader is not None
        self._library = importlib.util.module_from_spec(spec)
        # the module asks importlib.metadata for its own version when it is imported
        sys.path.insert(0, folder)
        try:
            spec.loader.exec_module(self._library)
        finally:
            sys.path.remove(folder)
        self.version = self._library.__version__

    def fit(self, problem: Problem, threads: int) -> Call:
        model = self._library.RidgeEM(normalize=False)
        return lambda: model.fit(problem.X, problem.y)

    def predict(self, problem: Problem, threads: int) -> None:
        return None  # NumPy's: row @ coef + intercept

    def alpha(self, answer: Any, problem: Problem) -> float | np.ndarray:
        return answer.alpha_


ADAPTERS: tuple[type[Rival], ...] = (
    Fastridge,
    Fastridge64,
    ScikitLearn,
    NumpyNormalEquations,
    ScipySolve,
    ScipyLstsq,
    ScikitLearnIntelex,
    PolarsOls,
    Himalaya,
    BoleyEM,
)


def _reason(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"module {error.name} is not installed"
    # other messages may contain paths, which do not belong into the results
    return "could not be imported" if error.name or error.path else str(error)


def load_rivals(
    names: list[str] | None = None, adapters: tuple[type[Rival], ...] = ADAPTERS
) -> tuple[list[Rival], dict[str, str]]:
    """Load the adapters whose library is installed; also return why others are not loaded.

    `names` restricts the choice; fastridge is always loaded, and its ImportError is raised.
    """
    loaded: list[Rival] = []
    missing: dict[str, str] = {}
    for adapter in adapters:
        ours = issubclass(adapter, Fastridge)
        if names and not ours and adapter.name not in names:
            continue
        rival = adapter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rival.load()
        except ImportError as error:
            if ours:
                raise
            missing[adapter.name] = _reason(error)
        else:
            loaded.append(rival)
    return loaded, missing
