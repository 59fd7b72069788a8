"""Print, as JSON, the peak memory of one fit in this fresh process; run by `memory.py`.

Usage: ``python -P fit_peak.py LIBRARY LAYOUT N_SAMPLES N_FEATURES [CHOICE]``. It fits `Ridge`, with
one of `CHOICES` `RidgeCV`, and with ``Lasso`` `Lasso`. The file imports nothing of its package, so
that ``-P`` keeps an unbuilt source folder off the path.

The data are drawn in place, a fit of a few rows loads the code ("first use"), and then the kernel's
high-water mark is reset and the fit is measured.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

LAYOUTS = ("C", "F", "strided", "float32", "int32", "weights", "sparse")
CHOICES = ("LOO", "5-fold", "5-fold shuffled")
LASSO = "Lasso"
LASSO_LAYOUTS = ("C", "F", "weights", "F weights")
_ROW_NONZEROS = 10
_N_ALPHAS = 50
# y is independent of X: with two million rows most coefficients are nonzero at this penalty
_LASSO_ALPHA = 1e-5


def peak_bytes() -> int:
    """Return the high-water mark of resident memory in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak() -> bool:
    """Reset the high-water mark to the current resident memory, if the system supports it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def make_data(layout: str, n: int, p: int) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """Draw arrays in place, so that making them causes no higher peak than holding them."""
    rng = np.random.default_rng(0)
    X: Any
    y = rng.random(n)
    if layout == "sparse":
        from scipy import sparse

        # ten random columns per row in increasing order: a random start plus gaps below p / 10
        gap = max(1, p // _ROW_NONZEROS)
        indices = np.empty((n, _ROW_NONZEROS), np.int32)
        for j in range(_ROW_NONZEROS):
            indices[:, j] = j * gap + rng.integers(0, gap, n, dtype=np.int32)
        indptr = np.arange(0, n * _ROW_NONZEROS + 1, _ROW_NONZEROS, dtype=np.int32)
        values = rng.random(n * _ROW_NONZEROS)
        return sparse.csr_matrix((values, indices.reshape(-1), indptr), shape=(n, p)), y, None
    if layout == "float32":
        X = np.empty((n, p), np.float32)
        rng.random(dtype=np.float32, out=X)
    elif layout == "int32":
        X = np.empty((n, p), np.int32)
        for start in range(0, n, 10_000):
            rows = X[start : start + 10_000]
            rows[:] = rng.integers(0, 1000, rows.shape, dtype=np.int32)
    elif layout in ("F", "F weights"):
        X = np.empty((p, n))
        rng.random(out=X)
        X = X.T
    elif layout == "strided":
        X = np.empty((n, 2 * p))
        rng.random(out=X)
        X = X[:, ::2]
    else:
        X = np.empty((n, p))
        rng.random(out=X)
    return X, y, rng.random(n) + 0.5 if "weights" in layout else None


def data_bytes(X: Any) -> int:
    """Return the bytes of the matrix: the elements of a view, the arrays of a sparse matrix."""
    if hasattr(X, "indptr"):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return X.size * X.itemsize


def make_model(library: str, choice: str) -> Any:
    """Return a `Ridge`, a `Lasso`, or a `RidgeCV` with 50 alphas (leave-one-out or five folds)."""
    module = importlib.import_module(library)
    if choice == LASSO:
        return module.Lasso(_LASSO_ALPHA)
    if not choice:
        return module.Ridge(1.0)
    folds: Any = None
    if choice != "LOO":
        from sklearn.model_selection import KFold

        shuffled = choice == "5-fold shuffled"
        folds = KFold(5, shuffle=shuffled, random_state=0 if shuffled else None)
    return module.RidgeCV(np.logspace(-2, 5, _N_ALPHAS), cv=folds)


def main(library: str, layout: str, n: int, p: int, choice: str = "") -> None:
    """Measure one fit and print the result."""
    warnings.simplefilter("ignore")
    model = make_model(library, choice)
    X, y, weights = make_data(layout, n, p)
    resettable = reset_peak()
    loaded = peak_bytes()
    few = slice(0, 200)
    model.fit(X[few], y[few], None if weights is None else weights[few])
    warm = peak_bytes()
    if resettable:
        reset_peak()
    before = peak_bytes()
    model.fit(X, y, weights)
    after = peak_bytes()
    print(
        json.dumps(
            {
                "data": data_bytes(X),
                "first_use": warm - loaded,
                "extra": after - before,
                "total": max(warm, after) - loaded,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
