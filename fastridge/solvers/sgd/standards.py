"""Features by their mean and spread: how models and rows go from the one to the other."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from fastridge._kernels import sgd_order
from fastridge.solvers.sgd.plan import Plan
from fastridge.solvers.sgd.rows import GatheredRows, SparseRows

_CHUNK_VALUES = 1 << 20


class Standards:
    """Means and spreads of rows so far; those of sparse rows are about zero, and not centred.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        `scale` is 1 where a feature is constant.
    """

    def __init__(self, moments: list[np.ndarray] | None = None) -> None:
        self.moments = moments

    def see(self, X: Any, weight: np.ndarray | None) -> list[np.ndarray]:
        """Take in rows, some at a time, so that no copy of X is made; the moments from then on."""
        scaler = StandardScaler(with_mean=not sp.issparse(X))
        if self.moments is not None:
            scaler.mean_, scaler.var_, seen = self.moments
            scaler.n_samples_seen_ = seen if seen.ndim else seen[()]
            scaler.scale_ = None
        step = X.shape[0] if sp.issparse(X) else max(1, _CHUNK_VALUES // X.shape[1])
        for begin in range(0, X.shape[0], step):
            part = slice(begin, begin + step)
            scaler.partial_fit(X[part], sample_weight=None if weight is None else weight[part])
        self.scale = scaler.scale_
        self.mean = np.zeros_like(self.scale) if sp.issparse(X) else scaler.mean_
        self.moments = [scaler.mean_, scaler.var_, np.asarray(scaler.n_samples_seen_)]
        return self.moments

    def enter(self, coef: np.ndarray, intercept: np.ndarray) -> None:
        """A model of the features into one of the standardised features, in place."""
        intercept += coef @ self.mean
        coef *= self.scale

    def leave(self, coef: np.ndarray, intercept: np.ndarray) -> None:
        """The inverse of `enter`."""
        coef /= self.scale
        intercept -= coef @ self.mean


class StandardizedRows(GatheredRows):
    """Dense X, of which a tile of rows is copied and standardised at a time."""

    def __init__(self, X: np.ndarray, plan: Plan, n_outputs: int, standards: Standards) -> None:
        super().__init__(X, plan, n_outputs)
        self.mean = standards.mean.astype(X.dtype)
        self.inverse = (1.0 / standards.scale).astype(X.dtype)

    def step(self, order: np.ndarray, *rest: Any) -> int:
        tile = self.tile[: len(order)]
        sgd_order.gather_rows(self.X, order, tile)
        tile -= self.mean
        tile *= self.inverse
        return self.kernel.descend_rows(tile, order, *rest)


class ScaledSparseRows(SparseRows):
    """CSR X, of which the rows of a slice are copied and scaled at a time."""

    def __init__(self, X: Any, plan: Plan, n_outputs: int, standards: Standards) -> None:
        super().__init__(X, plan, n_outputs)
        self.X = X
        self.inverse = (1.0 / standards.scale).astype(X.dtype)
        self.kind = self.parts[1].dtype

    def step(self, order: np.ndarray, y: np.ndarray, weight: np.ndarray, *rest: Any) -> int:
        some = self.X[order]
        indices = some.indices.astype(self.kind, copy=False)
        return self.kernel.descend_sparse(
            some.data * self.inverse[indices],
            indices,
            some.indptr.astype(self.kind, copy=False),
            np.arange(len(order), dtype=np.intp),
            y[order],
            weight[order] if len(weight) else weight,
            *rest,
        )


def standardized_rows(X: Any, plan: Plan, n_outputs: int, standards: Standards) -> Any:
    """X as rows for the kernels of a plan, standardised as they are read."""
    if sp.issparse(X):
        return ScaledSparseRows(X, plan, n_outputs, standards)
    return StandardizedRows(X, plan, n_outputs, standards)
