"""Approximate leave-one-out of several classes, from the Hessian of the fit to all rows.

As for one linear predictor, with matrices in place of numbers. A row z = (x, 1) of weight v with
the probabilities p has the derivative ``d = v (p - e_y)`` and the curvature ``A = v (diag(p) -
p p')`` of its linear predictors, and ``Q_kl = z'(H^-1)_kl z`` of the inverse Hessian. One Newton
step without the row changes its linear predictors by

    (1 - Q A)^-1 Q d  =  Q d + Q S (1 - S'QS)^-1 S'Q d,   A = S S'
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import scipy.linalg
from scipy.special import softmax

from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.model_selection.approximate_leave_one_out import LEAST_LEFT, inverse_root
from fastridge.runtime.threads import call_lapack, product
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.newton.multinomial import blocks_of
from fastridge.solvers.newton.path import UnitPenalty
from fastridge.solvers.newton.problem import LEAST_PENALTY, NewtonResult
from fastridge.statistics.accumulate import symmetric

_BLOCK_VALUES = 1 << 18  # of products of rows that are held at a time: 2 MB
_MOST_UNKNOWNS = 5000  # of a system that is factored: 200 MB
_SAFE = 0.99  # of the norm of S'QS: below it, 1 - S'QS is far from singular


class ApproximateLeaveOneOutOfClasses:
    """Linear predictors of each row by the model without it, nearly.

    Parameters
    ----------
    design : Design
        Of all rows.
    loss : ClassesOfRows
    """

    def __init__(self, design: Design, loss: ClassesOfRows) -> None:
        self.design, self.loss = design, loss

    def predictors(
        self, penalties: Sequence[UnitPenalty], results: Sequence[NewtonResult]
    ) -> np.ndarray:
        """Return linear predictors of shape (n_penalties, n_samples, n_classes), with offsets.

        Rows of weight zero have those of the model itself. Raises ValueError where the systems are
        too large to factor.
        """
        return np.array(list(map(self._predictors, penalties, results)))

    def _predictors(self, penalty: UnitPenalty, result: NewtonResult) -> np.ndarray:
        design, loss = self.design, self.loss
        eta = design.predict(result.coef) + (result.intercept + result.coef @ design.centre)
        if loss.offset is not None:
            eta += loss.offset
        active = self._active(penalty, result)
        columns = np.flatnonzero(active.any(axis=0))
        in_rows = self._in_rows(active)
        size = design.n_counted * loss.n_classes if in_rows else int(active.sum())
        if size > _MOST_UNKNOWNS:
            raise ValueError(
                f"cv='alo' of {loss.n_classes} classes needs a matrix of {size} x {size} here, and "
                f"supports up to {_MOST_UNKNOWNS}: give a number of folds."
            )
        parts: Iterable[tuple[slice, np.ndarray]]
        if in_rows:
            parts = [(slice(None), self._forms_in_rows(eta, penalty.l2))]
        else:
            parts = self._forms(eta, penalty.l2[columns], columns, active[:, columns])
        derivative, weight = np.empty(eta.shape[::-1]), design.row_weights
        loss.expand(np.ascontiguousarray(eta.T), design.weight, derivative)
        out = np.empty_like(eta)
        for rows, forms in parts:
            roots = _roots(softmax(eta[rows], axis=1), weight[rows])
            out[rows] = eta[rows] + _moved(forms, roots, derivative.T[rows])
        return out

    def _active(self, penalty: UnitPenalty, result: NewtonResult) -> np.ndarray:
        """Return a mask of the coefficients that may move."""
        coef = result.coef
        active = np.ones(coef.shape, dtype=bool)
        if penalty.l1 is not None:
            active &= (coef != 0.0) | (penalty.l1 == 0.0)
        if penalty.bounds is not None:
            active &= (penalty.bounds[0] < coef) & (coef < penalty.bounds[1])
        return active

    def _in_rows(self, active: np.ndarray) -> bool:
        return bool(active.all()) and self.design.n_counted < active.shape[1]

    # ---- by the Hessian of the coefficients ----

    def _forms(
        self, eta: np.ndarray, penalty: np.ndarray, columns: np.ndarray, active: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield blocks of rows with their Q, from some columns and their active coefficients."""
        whole_design = self.design
        design = whole_design.columns(columns)
        pilot = whole_design.pilot[columns]
        K, n_columns = active.shape
        q = n_columns + int(design.fit_intercept)
        blocks = blocks_of(
            design, design.row_weights, np.ascontiguousarray(softmax(eta, axis=1).T), pilot
        )
        for j in range(q):  # the direction that changes no probability
            if j == n_columns or (penalty[j] <= LEAST_PENALTY and active[:, j].all()):
                blocks[:, j, :, j] += np.einsum("kk", blocks[:, j, :, j]) / K**2
        index = np.flatnonzero(np.hstack([active, np.ones((K, q - n_columns), dtype=bool)]))
        upper = blocks.reshape(K * q, K * q)[np.ix_(index, index)]
        l2 = np.tile(np.append(penalty, np.zeros(q - n_columns)), K)[index]
        root = np.zeros((K * q, 0))
        if len(index):
            found = inverse_root(upper, l2).matrix
            root = np.zeros((K * q, found.shape[1]))
            root[index] = found
        by_class = root.reshape(K, q, -1)
        step = max(1, _BLOCK_VALUES // max(K * root.shape[1], q, 1))
        for begin in range(0, len(eta), step):
            rows = slice(begin, min(begin + step, len(eta)))
            z = np.ones((rows.stop - begin, q))
            z[:, :n_columns] = design.dense(rows)
            z[:, :n_columns] -= pilot
            along = np.stack([product(z, M) for M in by_class], axis=1)
            yield rows, np.matmul(along, along.transpose(0, 2, 1))

    # ---- more coefficients than rows ----

    def _forms_in_rows(self, eta: np.ndarray, penalty: np.ndarray) -> np.ndarray:
        """Return Q of the rows by the system of all rows and classes.

        Without free columns U it is the diagonal of ``K - K R K``, ``R = S B^-1 S'``, ``B = 1 +
        S'KS``; U adds ``V (U'R U)^-1 V'`` with ``V = U - K R U``.
        """
        design, K = self.design, self.loss.n_classes
        counted = np.arange(design.shape[0])[design.counted]
        free = np.flatnonzero(penalty <= LEAST_PENALTY)
        inverse = np.divide(1.0, penalty, out=np.zeros_like(penalty), where=penalty > LEAST_PENALTY)
        gram = symmetric(design.outer_gram(inverse, design.counted))
        n = len(gram)
        roots = _roots(softmax(eta[counted], axis=1), design.row_weights[counted])
        flat = roots.transpose(0, 2, 1).reshape(n * K, K)  # S'
        B = (flat @ flat.T).reshape(n, K, n, K) * gram[:, None, :, None]
        B = B.reshape(n * K, n * K)
        B.flat[:: len(B) + 1] += 1.0
        U = design.centred_columns(free, None)[counted]
        if design.fit_intercept:
            U = np.column_stack([np.ones(n), U])
        base = np.hstack([gram, U])  # of each class alike
        right = flat.reshape(n, K, 1, K) * base[:, None, :, None]
        lower = call_lapack(len(B), np.linalg.cholesky, B)
        solved = call_lapack(
            len(B),
            scipy.linalg.solve_triangular,
            lower,
            right.reshape(n * K, -1),
            lower=True,
            check_finite=False,
        )
        of_rows = solved[:, : n * K].reshape(n * K, n, K).transpose(1, 2, 0)
        forms = gram.diagonal()[:, None, None] * np.eye(K)
        forms = forms - np.matmul(of_rows, of_rows.transpose(0, 2, 1))
        if U.shape[1]:
            of_free = solved[:, n * K :]
            V = (U[:, None, :, None] * np.eye(K)[:, None, :]).reshape(n * K, -1)
            V = V - of_rows.reshape(n * K, -1) @ of_free
            values, vectors = np.linalg.eigh(of_free.T @ of_free)
            kept = values > rounding(n * K) * values[-1]
            along = (V @ (vectors[:, kept] / np.sqrt(values[kept]))).reshape(n, K, -1)
            forms += np.matmul(along, along.transpose(0, 2, 1))
        out = np.zeros((design.shape[0], K, K))
        out[counted] = forms
        return out


def _roots(probability: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return S of each row, with ``S S' = v (diag(p) - p p')``."""
    root = np.sqrt(probability)
    S = -probability[:, :, None] * root[:, None, :]
    k = np.arange(probability.shape[1])
    S[:, k, k] += root
    S *= np.sqrt(weight)[:, None, None]
    return S


def _moved(Q: np.ndarray, S: np.ndarray, derivative: np.ndarray) -> np.ndarray:
    """Return by how much linear predictors change without their rows."""
    QS = np.matmul(Q, S)
    inner = np.matmul(S.transpose(0, 2, 1), QS)
    plain = np.matmul(Q, derivative[:, :, None])
    right = np.matmul(S.transpose(0, 2, 1), plain)
    left = -inner
    k = np.arange(inner.shape[1])
    left[:, k, k] += 1.0
    close = np.flatnonzero(~((inner**2).sum(axis=(1, 2)) < _SAFE**2))
    if len(close):  # rows with a leverage near 1
        values, vectors = np.linalg.eigh(inner[close])
        kept = np.maximum(1.0 - values, LEAST_LEFT)
        left[close] = np.matmul(vectors * kept[:, None, :], vectors.transpose(0, 2, 1))
    change: np.ndarray = plain + np.matmul(QS, np.linalg.solve(left, right))
    return change[:, :, 0]
