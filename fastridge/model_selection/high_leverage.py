"""Exact leave-one-out where the leverage h of some rows is near one, so that 1 - h cancels.

The rows with high leverage, S, are set apart and the spectrum is that of the other rows. With b its
coefficients at some alpha, B the inverse of its penalised Gram (the intercept a free column), and
W the weights of S:

    M = W^-1 + X_S B X_S',   u = M^-1 (y_S - X_S b)
    e_i / (1 - h_i) = u_i / [M^-1]_ii                        for rows of S
    e_i = y_i - x_i b - x_i B X_S' u                         for the others
    h_i / w_i = x_i B x_i' - (X_S B x_i')' M^-1 (X_S B x_i')

These are the formulas of Sherman, Morrison and Woodbury. M is a sum of positive terms, and of the
others no leverage is high. M = R'R comes from an orthogonal factorisation with sorted rows and
pivoted columns, which keeps the digits of small rows next to large ones (Cox and Higham, "Stability
of Householder QR factorization for weighted least squares problems", 1998).
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.linalg.lapack

from fastridge._typing import Index
from fastridge.designs.dense import DenseDesign
from fastridge.designs.design import Design
from fastridge.designs.sparse import DENSE_VALUES
from fastridge.runtime.threads import call_lapack, product
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.direct.primal_spectrum import unit_gram
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import CentredProducts
from fastridge.statistics.merge import merged

LEAST_LEFT = 1e-2  # 1 - leverage below this costs digits
_WIDE = 100.0  # a standard deviation above this many quartile ranges of nine rows is suspect
_FAR = 1e4  # median deviations; squares of farther rows hide the digits of the others
_HIDDEN = 1e-6  # an eigenvalue of the Gram with unit diagonal that far rows leave of the others
_ROUNDED = 10.0  # times the rounding of a sum: what may be left where the sum is zero
_SAMPLE_ROWS = 256
_BLOCK_VALUES = 1 << 19


class _Factor(NamedTuple):
    """The triangle R of M at one alpha, its columns permuted."""

    R: np.ndarray
    order: np.ndarray


def _rotated(H: np.ndarray, tau: np.ndarray, C: np.ndarray, trans: str) -> np.ndarray:
    """Return Q C or Q'C for Q in Householder vectors."""
    lwork = 64 * C.shape[1]
    out, _, info = scipy.linalg.lapack.dormqr("L", trans, H, tau, C, lwork)
    assert info == 0
    return np.asarray(out)


class RowsApart:
    """Rows of high leverage, seen by the fit to the other rows.

    Parameters
    ----------
    spectrum : Spectrum
        Primal, of the other rows.
    alphas : ndarray of shape (n_alphas,)
    X, Y, weight
        The rows set apart; weights are positive, or None.

    Attributes
    ----------
    errors : ndarray of shape (n_apart, n_alphas, n_targets)
        Leave-one-out errors of these rows.
    left : ndarray of shape (n_apart, n_alphas)
        Their 1 - h.
    shrunk : ndarray of shape (n_directions, n_alphas, n_targets)
        Coefficients of the fit to all rows along the directions of the others.
    free : ndarray of shape (n_alphas, n_free, n_targets) or None
        The same along the free directions.
    shift : ndarray of shape (n_alphas, n_targets)
        Its intercept, about the centre of the others.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        alphas: np.ndarray,
        X: np.ndarray,
        Y: np.ndarray,
        weight: np.ndarray | None,
    ) -> None:
        problem = spectrum.problem
        (x_centre, y_centre), (x_rest, y_rest) = problem.centre, problem.centre_rest
        s, n_alphas = len(X), len(alphas)
        rows = np.asarray(X, dtype=float)
        Z, free = spectrum.predict_parts(rows - x_centre - x_rest)
        Z = without_rounding(spectrum, Z, rows, np.zeros(s, dtype=bool))
        target = np.asarray(Y, dtype=float) - y_centre - y_rest
        kept = spectrum.inverse(alphas)
        # A direction that the other rows do not span has the penalty alone.
        lost = (kept == 0.0) & (alphas > 0.0)[:, None]
        inverse = np.divide(1.0, alphas[:, None], out=kept.copy(), where=lost)
        self._spectrum = spectrum
        self._inverse, self._Z, self._free = inverse, Z, free
        self._root = np.ones(s) if weight is None else np.sqrt(weight)
        self._share = 1.0 / problem.design.sum_weights if problem.design.fit_intercept else 0.0
        self._factors: list[_Factor] = []
        t = target.shape[1]
        self.errors = np.empty((s, n_alphas, t))
        self.left = np.empty((s, n_alphas))
        self.shrunk = np.empty((Z.shape[1], n_alphas, t))
        self.free = None if free is None else np.empty((n_alphas, free.shape[1], t))
        self.shift = np.empty((n_alphas, t))
        for a, d in enumerate(inverse):
            along = np.sqrt(kept[a])[:, None] * spectrum.loadings
            solved, diagonal, coef = self._solve(d, along, target * self._root[:, None])
            self.errors[:, a] = solved / (self._root * diagonal)[:, None]
            self.left[:, a] = diagonal
            self.shrunk[:, a] = np.sqrt(d)[:, None] * coef[: len(d)]
            if self.free is not None:
                self.free[a] = coef[len(d) : -1]
            self.shift[a] = np.sqrt(self._share) * coef[-1]

    def _solve(
        self, d: np.ndarray, along: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return M^-1 (y_S - X_S b), the diagonal of M^-1, and B^-1/2 times the full coefficients.

        They are solution and residual of least squares with the matrix F = (B^1/2 X_S', I), for
        which F'F = M. Neither b, by which rows far away are predicted far off, is formed, nor the
        products of these rows with the solution, which cancel. Rows here are times W^1/2.
        """
        s, t = target.shape
        parts, known = [self._Z * np.sqrt(d)], [-along]
        if self._free is not None:
            parts.append(self._free)
            known.append(-np.asarray(self._spectrum.free_loadings))
        parts.append(np.full((s, 1), np.sqrt(self._share)))
        F = np.vstack([(np.hstack(parts) * self._root[:, None]).T, np.eye(s)])
        right = np.vstack([*known, np.zeros((1, t)), target])
        order = np.argsort(-np.abs(F).max(axis=1))
        (H, tau), R, columns = call_lapack(
            s, scipy.linalg.qr, F[order], mode="raw", pivoting=True, check_finite=False
        )
        R = R[:s]
        rotated = _rotated(H, tau, right[order], "T")
        solved, diagonal = np.empty((s, t)), np.empty(s)
        solved[columns] = scipy.linalg.solve_triangular(R, rotated[:s])
        inverse = scipy.linalg.solve_triangular(R, np.eye(s))
        diagonal[columns] = (inverse**2).sum(axis=1)
        rotated[:s] = 0.0
        residual = np.empty_like(right)
        residual[order] = _rotated(H, tau, rotated, "N")
        self._factors.append(_Factor(R, columns))
        return solved, diagonal, -residual[:-s]

    def leverage_taken(self, Z: np.ndarray, free: np.ndarray | None) -> np.ndarray:
        """Return by how much these rows lower h / w of other rows, of shape (n_rows, n_alphas)."""
        taken = np.empty((len(Z), len(self._inverse)))
        for a, (d, factor) in enumerate(zip(self._inverse, self._factors, strict=True)):
            cross = product(Z, (d * self._Z).T)
            if free is not None:
                cross += free @ np.asarray(self._free).T
            cross += self._share
            cross *= self._root
            half = scipy.linalg.solve_triangular(factor.R, cross[:, factor.order].T, trans="T")
            np.einsum("ij,ij->j", half, half, out=taken[:, a])
        return taken


def counted_rows(rows: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return rows with zeros where the weight is zero, whose squares may overflow."""
    if weight is None or weight.all():
        return rows
    return np.where(weight[:, None] > 0.0, rows, 0.0)


def without_rounding(
    spectrum: Spectrum, Z: np.ndarray, rows: np.ndarray, fitted: np.ndarray
) -> np.ndarray:
    """Return Z, the rows along the directions, with exact zeros where it is rounding only.

    Along a direction in which the fitted rows do not vary there is only a small penalty, and next
    to it the rounding of long rows would count.
    """
    null = spectrum.values == 0.0
    if null.any():
        design, T, others = spectrum.problem.design, spectrum.directions[:, null], ~fitted
        size = (np.abs(rows[others]) + np.abs(design.centre)) @ np.abs(T)
        cut = _ROUNDED * design.gram_loss * rounding(len(T))
        along = Z[np.ix_(others, null)]
        along[np.abs(along) <= cut * size] = 0.0
        Z[:, null] = 0.0
        Z[np.ix_(others, null)] = along
    return Z


def spectrum_without(
    problem: Problem, apart: np.ndarray, least_alpha: float, how: str = "auto"
) -> Spectrum:
    """Return the spectrum without some rows, whose weight becomes 0; ``"svd"`` also if sparse."""
    design, (n, p) = problem.design, problem.design.shape
    weight = design.row_weights.copy()
    weight[apart] = 0.0
    others = problem.reweighted(weight)
    if how == "svd" and design.sparse and n * p <= DENSE_VALUES:
        dense = DenseDesign(design.dense(), weight, design.fit_intercept, design.n_threads)
        others = Problem(dense, others.loss, others.penalty)
    return spectrum_of(others, least_alpha, how)


def without_row(products: CentredProducts, design: Design, y: np.ndarray) -> CentredProducts:
    """Return statistics without one row; a column that varied only in that row becomes constant."""
    row = design.with_threads(1).accumulate(y)
    others = merged(products, row, -1)
    diagonal = others.upper.diagonal()
    flat = diagonal <= 1e-12 * products.upper.diagonal()
    if flat.any():
        others.upper[flat] = 0.0
        others.upper[:, flat] = 0.0
        others.xy[flat] = 0.0
    return others


def may_have_far_rows(problem: Problem) -> bool:
    """Return whether a standard deviation is far above the one expected from a few rows."""
    design = problem.design
    step = max(1, design.n_counted // 9)
    some: Index = slice(None, 9 * step, step)
    if not isinstance(design.counted, slice):
        some = design.counted[some]
    rows = np.array(design.dense(some)[:9], dtype=float)
    if len(rows) < 9:
        return len(rows) > 2
    rows.sort(axis=0)
    quartiles = rows[6] - rows[2]
    bound = problem.design.sum_weights * (_WIDE * quartiles) ** 2
    held = problem.accumulated().design.statistics
    assert held is not None
    diagonal = held.upper.diagonal()
    return bool(((diagonal > bound) & (quartiles > 0.0)).any())


def hides_rows(problem: Problem, n_null: int) -> bool:
    """Return whether unit columns are so nearly dependent that far rows hide the others.

    A few large cells make their column long, which costs no digits; rows that are far in many
    columns leave these nearly parallel.
    """
    unit, used, length = unit_gram(problem.accumulated())
    values = call_lapack(len(unit), np.linalg.eigvalsh, unit)
    null = n_null - (len(length) - len(used))
    return int(np.count_nonzero(values < _HIDDEN)) > max(null, 0)


def far_rows(problem: Problem) -> np.ndarray:
    """Return the indices of rows so far away that a common Gram loses the others' digits.

    Several of them may share the leverage, so that it is not near one for any.
    """
    none = np.empty(0, dtype=np.intp)
    n, p = problem.design.shape
    design = problem.design
    counted = np.arange(n) if design.weight is None else np.flatnonzero(design.weight)
    sample = design.dense(counted[:: max(1, len(counted) // _SAMPLE_ROWS)])
    sample = np.asarray(sample, dtype=float)
    middle = np.median(sample, axis=0)
    deviation = np.median(np.abs(sample - middle), axis=0)
    columns = (deviation > 0.0) & (np.sqrt(problem.design.variances) > 5.0 * deviation)
    if not columns.any():
        return none
    found = [none]
    step = max(1, _BLOCK_VALUES // p)
    design = design.by_rows()
    for begin in range(0, n, step):
        rows = design.dense(slice(begin, begin + step))[:, columns] - middle[columns]
        far = (np.abs(rows) > _FAR * deviation[columns]).any(axis=1)
        found.append(begin + np.flatnonzero(far))
    far = np.intersect1d(np.concatenate(found), counted)
    return far if len(far) <= min(2 * p, len(counted) // 4) else none


def dominant_rows(problem: Problem, left: float) -> np.ndarray:
    """Return whether each row holds all but `left` of the sum of squares of some column."""
    n, p = problem.design.shape
    whole, total = problem.design.variances * problem.design.sum_weights, problem.design.sum_weights
    held = np.zeros(n, dtype=bool)
    step = max(1, _BLOCK_VALUES // p)
    design = problem.design.by_rows()
    for begin in range(0, n, step):
        squares = (design.dense(slice(begin, begin + step)) - problem.design.mean) ** 2
        w = np.ones(len(squares))
        if problem.design.weight is not None:
            w = problem.design.weight[begin : begin + step]
            squares[w == 0.0] = 0.0
        # without the row the sum of squares falls by w d^2 W / (W - w)
        part = (w * np.divide(total, total - w, out=np.ones(len(w)), where=total > w))[:, None]
        held[begin : begin + step] = (part * squares > (1.0 - left) * whole).any(axis=1)
    return held


def determines_less(others: Spectrum, whole: Spectrum, least_alpha: float) -> bool:
    """Return whether some coefficient is determined by all rows, but not by the others."""
    if others.n_free < whole.n_free:
        return True
    if least_alpha > 0.0:
        return False
    ranks = [np.count_nonzero(one.inverse(np.zeros(1))) for one in (others, whole)]
    return bool(ranks[0] < ranks[1])
