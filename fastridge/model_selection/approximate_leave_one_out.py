"""Approximate leave-one-out of smooth losses, from the Hessian of the fit to all rows.

The model without a row is taken to be one Newton step away from the model of all rows. With the
weighted derivative g and curvature h of the row's loss, and the quadratic form ``q = x'H^-1 x`` of
the row (and 1 for the intercept) with the inverse Hessian H, the row's linear predictor changes by

    g q / (1 - h q)

(Rad and Maleki, "A scalable estimate of the out-of-sample prediction error via approximate
leave-one-out cross-validation", JRSS B 82, 2020; Beirami et al., NeurIPS 2017). With an L1 penalty
the Hessian is that of the coefficients other than zero, as if these stayed the same.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg

from fastridge._kernels.attributes import computed_once
from fastridge.designs.design import Design
from fastridge.losses.smooth import LossOfRows
from fastridge.runtime.threads import call_lapack, product
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.newton.path import UnitPenalty
from fastridge.solvers.newton.problem import LEAST_PENALTY, NewtonResult
from fastridge.statistics.accumulate import symmetric

_BLOCK_VALUES = 1 << 18  # of rows that are copied at a time: 2 MB
_LEAST_SINGLE = 1e-5  # of a reciprocal condition: forms keep four digits in single precision
_LONG = 3e7  # rows times columns squared, for which single precision saves milliseconds
_ROOT_VALUES = 1 << 22  # of the roots of inverse Hessians that are used at a time: 32 MB
LEAST_LEFT = 1e-6
"""The least ``1 - h q``: below it is rounding, and the step too long to mean anything."""


class ApproximateLeaveOneOut:
    """Linear predictors of each row by the model without it, nearly.

    Parameters
    ----------
    design : Design
        Of all rows.
    loss : LossOfRows
    """

    def __init__(self, design: Design, loss: LossOfRows) -> None:
        self.design, self.loss = design, loss

    def predictors(
        self, penalties: Sequence[UnitPenalty], results: Sequence[NewtonResult]
    ) -> np.ndarray:
        """Return linear predictors of shape (n_samples, n_penalties), with offsets.

        Rows of weight zero have those of the model itself.
        """
        n = self.design.shape[0]
        out = np.empty((n, len(results)))
        waiting: list[tuple[int, _Expanded, _Root]] = []
        size = 0
        for k, (penalty, result) in enumerate(zip(penalties, results, strict=True)):
            here = _Expanded(self, result)
            active = self._active(penalty, result)
            if self._in_rows(penalty, active):
                out[:, k] = here.moved(self._forms_in_rows(here, penalty.l2))
                continue
            root = self._root(here, penalty, active)
            waiting.append((k, here, root))
            size += root.root.M.size
            if size > _ROOT_VALUES:
                self._finish(waiting, out)
                waiting, size = [], 0
        self._finish(waiting, out)
        return out

    def _active(self, penalty: UnitPenalty, result: NewtonResult) -> np.ndarray | None:
        """Return the indices of the coefficients that may move; None for all."""
        moves = np.ones(len(penalty.l2), dtype=bool)
        if penalty.l1 is not None:
            moves = (result.coef != 0.0) | (penalty.l1 == 0.0)
        if penalty.bounds is not None:
            moves &= (penalty.bounds[0] < result.coef) & (result.coef < penalty.bounds[1])
        return None if moves.all() else np.flatnonzero(moves)

    def _in_rows(self, penalty: UnitPenalty, active: np.ndarray | None) -> bool:
        n_free = int(np.count_nonzero(penalty.l2 <= LEAST_PENALTY))
        return active is None and self.design.shape[1] > self.design.n_counted > n_free

    def _finish(self, waiting: "list[tuple[int, _Expanded, _Root]]", out: np.ndarray) -> None:
        """Set the predictors of some penalties, in one pass over the rows."""
        if not waiting:
            return
        forms = np.empty((self.design.shape[0], len(waiting)))
        pilot = self.design.pilot
        for rows in self._blocks():
            block = self.design.dense(rows).astype(np.float64)
            block -= pilot
            for j, (_, _, root) in enumerate(waiting):
                forms[rows, j] = root.forms(block, pilot)
        for j, (k, here, _) in enumerate(waiting):
            out[:, k] = here.moved(forms[:, j])

    def _blocks(self) -> Iterator[slice]:
        n, p = self.design.shape
        step = max(1, _BLOCK_VALUES // p)
        for begin in range(0, n, step):
            yield slice(begin, min(begin + step, n))

    def _root(self, here: "_Expanded", penalty: UnitPenalty, active: np.ndarray | None) -> "_Root":
        """Return a root of the inverse Hessian, about the means of the columns."""
        design = self.design.reweighted(here.curvature)
        l2 = penalty.l2
        if active is not None:
            design, l2 = design.columns(active), l2[active]
        total = here.total
        if not total > 0.0 or not len(l2):
            share = 1.0 / total if total > 0.0 and design.fit_intercept else 0.0
            nothing = InverseRoot(np.zeros((len(l2), 0)), np.zeros(len(l2)), triangular=False)
            return _Root(active, np.zeros(len(l2)), nothing, share)
        held = design.accumulate(np.zeros(design.shape[0]))
        upper = held.upper if design.fit_intercept else held.upper_about_zero()
        centre = held.x_mean if design.fit_intercept else np.zeros_like(held.x_mean)
        share = 1.0 / total if design.fit_intercept else 0.0
        single = design.shape[0] * len(l2) ** 2 >= _LONG
        return _Root(active, centre, inverse_root(upper, l2, single=single), share)

    # ---- more features than rows ----

    @computed_once
    def _counted(self) -> np.ndarray:
        return np.arange(self.design.shape[0])[self.design.counted]

    def _forms_in_rows(self, here: "_Expanded", penalty: np.ndarray) -> np.ndarray:
        """Return the quadratic forms of the rows with weight by the n x n system.

        Without free columns U they are the diagonal of ``K - K R K``, ``R = h^1/2 B^-1 h^1/2`` and
        ``B = I + h^1/2 K h^1/2``; U adds ``V (U'R U)^-1 V'`` with ``V = U - K R U``.
        """
        design, counted = self.design, self._counted
        free = np.flatnonzero(penalty <= LEAST_PENALTY)
        inverse = np.divide(1.0, penalty, out=np.zeros_like(penalty), where=penalty > LEAST_PENALTY)
        K = symmetric(design.outer_gram(inverse, design.counted))
        U = design.centred_columns(free, None)[counted]
        if design.fit_intercept:
            U = np.column_stack([np.ones(len(K)), U])
        root = np.sqrt(here.curvature[counted])
        B = K * root[:, None] * root
        B.flat[:: len(B) + 1] += 1.0
        lower = call_lapack(len(B), np.linalg.cholesky, B)
        right = np.hstack([K, U]) * root[:, None]
        solved = call_lapack(
            len(B), scipy.linalg.solve_triangular, lower, right, lower=True, check_finite=False
        )
        of_rows, of_free = solved[:, : len(K)], solved[:, len(K) :]
        forms = K.diagonal() - (of_rows**2).sum(axis=0)
        np.maximum(forms, 0.0, out=forms)
        if U.shape[1]:
            V = U - of_rows.T @ of_free
            values, vectors = np.linalg.eigh(of_free.T @ of_free)
            kept = values > rounding(len(K)) * values[-1]
            forms += ((V @ (vectors[:, kept] / np.sqrt(values[kept]))) ** 2).sum(axis=1)
        out = np.zeros(design.shape[0])
        out[counted] = forms
        return out


class _Expanded:
    """The losses of the rows at a fit: linear predictors, derivatives and curvatures."""

    def __init__(self, owner: ApproximateLeaveOneOut, result: NewtonResult) -> None:
        design, loss = owner.design, owner.loss
        self.eta = design.predict(result.coef[None])[:, 0]
        self.eta += result.intercept + float(design.centre @ result.coef)
        if loss.offset is not None:
            self.eta += loss.offset
        self.derivative, self.curvature = np.empty((2, len(self.eta)))
        loss.expand(self.eta, design.weight, self.derivative, self.curvature)
        self.total = float(self.curvature.sum())

    def moved(self, forms: np.ndarray) -> np.ndarray:
        """Return the linear predictors without each row, from the quadratic forms of the rows."""
        with np.errstate(all="ignore"):  # rows without weight may be anywhere
            left = np.maximum(1.0 - self.curvature * forms, LEAST_LEFT)
            change = self.derivative * forms / left
        return self.eta + np.where(self.derivative == 0.0, 0.0, change)


class _Root(NamedTuple):
    """A root of an inverse Hessian about a centre; `share` is the intercept's part."""

    active: np.ndarray | None
    centre: np.ndarray
    root: "InverseRoot"
    share: float

    def forms(self, block: np.ndarray, pilot: np.ndarray) -> np.ndarray:
        """Return the quadratic forms of rows, from which a vector was subtracted."""
        if self.active is not None:
            block, pilot = block[:, self.active], pilot[self.active]
        return self.root.forms(block, self.centre - pilot) + self.share


class InverseRoot(NamedTuple):
    """``diag(scale) M``, whose product with its transpose is the inverse of a matrix.

    M is triangular, or has orthogonal columns if `triangular` is False. Its type is that in which
    forms are computed.
    """

    M: np.ndarray
    scale: np.ndarray
    triangular: bool

    @property
    def matrix(self) -> np.ndarray:
        """The root itself."""
        return self.M * self.scale[:, None]

    def forms(self, block: np.ndarray, away: np.ndarray) -> np.ndarray:
        """Return the squared lengths of ``(block - away) root``, row by row."""
        M = self.M
        if not M.size:
            return np.zeros(len(block))
        along = np.empty(block.shape, M.dtype)
        with np.errstate(over="ignore"):  # of rows without weight
            np.multiply(block, self.scale, out=along, casting="same_kind")
        less = (M.T @ (away * self.scale).astype(M.dtype))[:, None]
        if self.triangular:
            blas = scipy.linalg.blas
            multiply = blas.strmm if M.dtype == np.float32 else blas.dtrmm
            found = multiply(1.0, M, along.T, trans_a=1, overwrite_b=1)
        else:
            found = product(along, M).T
        with np.errstate(all="ignore"):
            found -= less
            return np.einsum("ij,ij->j", found, found).astype(np.float64)


def inverse_root(upper: np.ndarray, penalty: np.ndarray, *, single: bool = False) -> InverseRoot:
    """Return a root of the inverse of a matrix plus a diagonal, without null directions.

    It may be `single` where the matrix is well-conditioned.
    """
    whole = np.triu(upper) + np.triu(upper, 1).T
    whole.flat[:: len(whole) + 1] += penalty
    length = np.sqrt(whole.diagonal())
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
    whole *= scale[:, None] * scale
    try:
        lower = call_lapack(len(whole), np.linalg.cholesky, whole)
        inverse, status = scipy.linalg.lapack.dtrtri(lower, lower=1)
        least = 1.0 / np.abs(inverse).sum(axis=1).max() ** 2
        if status == 0 and least > rounding(len(whole)):
            dtype = np.float32 if single and least > _LEAST_SINGLE else np.float64
            return InverseRoot(np.asfortranarray(np.triu(inverse.T), dtype), scale, True)
    except np.linalg.LinAlgError:
        pass
    values, vectors = call_lapack(len(whole), np.linalg.eigh, whole)
    kept = values > rounding(len(values)) * values[-1]
    return InverseRoot(vectors[:, kept] / np.sqrt(values[kept]), scale, False)
