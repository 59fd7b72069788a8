"""R's glmnet as a rival: a process that holds the data and times its own calls.

It gets the data as raw binary files. It waits for input between calls, and measures its times
inside R (`glmnet_path.R`), so that no transfer counts.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from .cases import Problem
from .enet_rivals import PathRival, Solve

_SCRIPT = Path(__file__).with_name("glmnet_path.R")
_VERSION = 'cat(as.character(packageVersion("glmnet")), as.character(getRversion()))'
# its covariance updates keep a matrix (p, p)
_MOST_COVARIANCE_FEATURES = 5000


class GlmnetProcess:
    """An Rscript process that has loaded the data of a problem."""

    def __init__(self, problem: Problem) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._shape = problem.X.shape[1], len(problem.alphas)
        self._coefs = folder / "coefs.bin"
        X = problem.X
        arrays = {"y": problem.y, "alphas": problem.alphas}
        if sparse.issparse(X):
            arrays |= {"data": X.data, "indices": X.indices, "indptr": X.indptr}
        else:
            arrays["X"] = X.T  # the rows of the transpose are the columns
        for name, values in arrays.items():
            kind = np.int32 if name in ("indices", "indptr") else np.float64
            np.ascontiguousarray(values, kind).tofile(folder / f"{name}.bin")
        kind = "sparse" if sparse.issparse(X) else "dense"
        numbers = [str(number) for number in (*X.shape, len(problem.alphas))]
        self._process = subprocess.Popen(
            ["Rscript", "--vanilla", str(_SCRIPT), self._folder.name, *numbers, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        while not self._line().startswith("ready"):
            pass  # output of a library when it is loaded

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("R ended")
        return line.strip()

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._line()

    def run(self, tol: float, kind: str) -> float:
        """Run one path and return its seconds inside R."""
        answer = self._ask(f"run {tol:.3e} {kind}")
        if answer.startswith("error"):
            raise RuntimeError(answer.removeprefix("error").strip())
        return float(answer)

    def coefs(self) -> np.ndarray:
        """Return coefficients (p, a) of the last path, with fewer alphas if it gave up."""
        if (said := self._ask("write")) != "written":
            raise RuntimeError(said)
        return np.fromfile(self._coefs).reshape(-1, self._shape[0]).T

    def close(self) -> None:
        """End the process and remove its files."""
        self._process.kill()  # it may be in the middle of a path
        self._process.communicate()
        self._folder.cleanup()


class Glmnet(PathRival):
    """`glmnet(standardize=FALSE)` with covariance or naive updates."""

    name = "glmnet"
    distribution = "glmnet"
    note = "timed inside R; threads of its own"
    follows_threads = False
    own_clock = True
    # compared with squares of changes
    first_tolerance, last_tolerance = 1e-6, 1e-18

    def __init__(self) -> None:
        self._process: GlmnetProcess | None = None

    def load(self) -> None:
        if shutil.which("Rscript") is None:
            raise ImportError("Rscript is not installed")
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", _VERSION], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ImportError("R's package glmnet is not installed")
        own, system = done.stdout.split()
        self.version = f"{own} (R {system})"

    def ways(self, problem: Problem) -> tuple[str, ...]:
        few = problem.X.shape[1] <= _MOST_COVARIANCE_FEATURES
        return ("covariance", "naive") if few else ("naive",)

    def solver(self, problem: Problem, way: str, threads: int) -> Solve:
        if self._process is None:
            self._process = GlmnetProcess(problem)
        process = self._process
        return lambda tol: process.run(tol, way)

    def seconds(self, answer: Any) -> float:
        return float(answer)

    def coefs(self, answer: Any) -> np.ndarray:
        assert self._process is not None
        return self._process.coefs()

    def close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
