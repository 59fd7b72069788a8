"""Singular values of A = B D to high relative accuracy, for any lengths D of the columns.

The usual SVD has errors of eps times the largest singular value, so a column that is 1e16 times
shorter than another is lost in it, and one that is 1e8 times shorter has lost half of its digits.
Units of features make such columns. Here every column counts by its own length:

    A P = Q R                   pivoted QR; a column that depends on the pivots is set to zero below
    R' = Q_2 T,  T = W S U'     one-sided Jacobi rotations (`_kernels.jacobi`)
    A = (Q U) S V',  V = P R^+ U S = P R' U S^-1

The first form of V has small errors relative to s_k / d_j, the second relative to d_j / s_k (d_j
the length of column j), so each entry takes the form with the smaller one. With B well
conditioned all results are right to some 14 digits for lengths of 2^-200 to 2^200.

Sources: Drmac and Veselic, "New fast and accurate Jacobi SVD algorithm", SIAM J. Matrix Anal.
Appl. 29 (2008); Demmel et al., "Computing the singular value decomposition with high relative
accuracy", Linear Algebra and its Applications 299 (1999).
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from fastridge._kernels import jacobi as _kernel
from fastridge.runtime.threads import call_interruptibly, call_lapack

_EPS = float(np.finfo(float).eps)
_LEAST_ORDER = 30
_ALIKE = 1e-3  # the shortest column over the longest, above which the usual SVD may do
_SHORT_ORDER = 128  # up to here the rotations take a few ms


@dataclass
class GradedSVD:
    """A = left[:, :r] diag(values) right'.

    Attributes
    ----------
    left : ndarray of shape (m, m)
        Orthogonal; the columns from r on are orthogonal to A.
    values : ndarray of shape (r,)
        Singular values, increasing.
    right : ndarray of shape (n, r)
    rcond : float
        Reciprocal condition number of the independent directions, each counted by its length.
    factors : PivotedQR or None
        None if the columns are certainly independent.
    """

    left: np.ndarray
    values: np.ndarray
    right: np.ndarray
    rcond: float
    factors: "PivotedQR | None"

    def null_space(self) -> np.ndarray:
        """Return orthonormal columns N with A N = 0."""
        if self.factors is None:
            return np.empty((len(self.right), 0))
        return self.factors.null_space()


@dataclass
class PivotedQR:
    """A[:, order] = Q[:, :r] R, R of shape (r, n) with r independent columns first."""

    Q: np.ndarray  # (m, m)
    R: np.ndarray
    order: np.ndarray

    @property
    def rank(self) -> int:
        return len(self.R)

    def pseudo_inverse(self, right: np.ndarray) -> np.ndarray:
        """Return A^+ Q[:, :r] right, with rows in the order of A's columns."""
        r = self.rank
        pivots = self.R[:, :r]
        solved = _solve(pivots, right)
        if r < self.R.shape[1]:
            # The dependent columns are pivots times N; A^+ = [I; N'] (I + N N')^-1 R_1^-1 Q'.
            N = _solve(pivots, self.R[:, r:])
            if r:  # before 1.14 SciPy solves no empty system
                factor = call_lapack(r, scipy.linalg.cho_factor, np.eye(r) + N @ N.T)
                solved = scipy.linalg.cho_solve(factor, solved)
            solved = np.vstack([solved, N.T @ solved])
        return self._unpivoted(solved)

    def rounded_lengths(self, along: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the lengths that rounding is relative to after columns were projected out.

        `along` holds the components of the others in Q[:, :r], and `lengths` their lengths. The
        direction of a pivot i has an error of the pivot's length over R_ii, and a column has taken
        over as much of that as it had along that direction.
        """
        r = self.rank
        if not r:
            return lengths
        pivots = np.sqrt(np.square(self.R[:, :r]).sum(axis=0))
        taken = np.abs(along) * (pivots / np.abs(np.diagonal(self.R)))[:, None]
        larger: np.ndarray = np.maximum(lengths, taken.max(axis=0))
        return larger

    def null_space(self) -> np.ndarray:
        """Return orthonormal columns N with A N = 0, of shape (n, n - r)."""
        r, n = self.R.shape
        dependent = _solve(self.R[:, :r], self.R[:, r:])
        along = np.vstack([-dependent, np.eye(n - r)])
        factor = call_lapack(n - r, np.linalg.cholesky, np.eye(n - r) + dependent.T @ dependent)
        return self._unpivoted(_solve(factor, along.T, lower=True).T)

    def _unpivoted(self, rows: np.ndarray) -> np.ndarray:
        out = np.empty_like(rows)
        out[self.order] = rows
        return out


def _solve(triangle: np.ndarray, right: np.ndarray, *, lower: bool = False) -> np.ndarray:
    if not triangle.size or not right.size:
        return np.zeros(right.shape)
    solve = scipy.linalg.solve_triangular
    options = {"lower": lower, "check_finite": False}
    solved: np.ndarray = call_lapack(len(triangle), solve, triangle, right, **options)
    return solved


def column_lengths(A: np.ndarray) -> np.ndarray:
    """Return the norms of the columns, without overflow or underflow inside."""
    largest = np.abs(A).max(axis=0, initial=0.0)
    unit = np.where(largest > 0.0, largest, 1.0)
    lengths: np.ndarray = unit * np.sqrt(np.square(A / unit).sum(axis=0))
    return lengths


def rounding(order: int) -> float:
    """Return the relative error of sums of `order` terms: a length below it counts as zero."""
    return max(order, _LEAST_ORDER) * _EPS


def pivoted_qr(A: np.ndarray, lengths: np.ndarray, cut: float) -> PivotedQR:
    """Compute QR with column pivoting by length; `A` is overwritten.

    Parameters
    ----------
    A : ndarray of shape (m, n)
    lengths : ndarray of shape (n,)
        What a column's rounding errors are relative to: its length before anything was
        projected out of it. Where less than `cut` of that is left, nothing is.
    cut : float
        `rounding`, or more where A was not made from the rows.
    """
    A[:, (column_lengths(A) <= cut * lengths) | (lengths == 0.0)] = 0.0
    m, n = A.shape
    if not A.any():
        return PivotedQR(np.eye(m), np.empty((0, n)), np.arange(n))
    Q, R, pivots = call_lapack(
        min(m, n), scipy.linalg.qr, A, pivoting=True, mode="full", check_finite=False
    )
    R = R[: min(m, n)]
    diagonal = np.abs(np.diagonal(R))
    if diagonal.all():
        rounded = _rounded_from(R, diagonal, lengths[pivots])
        if (diagonal > cut * np.diagonal(rounded)).all():
            _clear_rounding(R, rounded, cut)
            return PivotedQR(Q, R, pivots)
    return _pivoted_qr_with_cut(A, lengths, cut)


def _rounded_from(R: np.ndarray, diagonal: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the size that each column has been rounded from when a row's pivot is chosen.

    Its length; but the direction of pivot i has an error of its length over R_ii, and a column
    has taken over as much of that as it has along that direction.
    """
    taken = np.abs(R) * (lengths[: len(R)] / diagonal)[:, None]
    return np.maximum.accumulate(np.vstack([lengths, taken[:-1]]), axis=0)


def _clear_rounding(R: np.ndarray, rounded: np.ndarray, cut: float) -> None:
    """Set to zero what a column that depends on the first k pivots has left below row k."""
    unit = R / np.where(rounded[0] > 0.0, rounded[0], 1.0)
    left = np.sqrt(np.cumsum(np.square(unit)[::-1], axis=0)[::-1])
    R[left * rounded[0] <= cut * rounded] = 0.0


def _pivoted_qr_with_cut(A: np.ndarray, lengths: np.ndarray, cut: float) -> PivotedQR:
    """Compute Householder QR in which the rest of dependent columns is zero, not rounding."""
    m, n = A.shape
    Q, order, lengths, rounded = np.eye(m), np.arange(n), lengths.copy(), lengths.copy()
    for k in range(min(m, n) + 1):
        left = column_lengths(A[k:, k:])
        nothing = left <= cut * rounded[k:]
        A[k:, k:][:, nothing], left[nothing] = 0.0, 0.0
        if not left.any():
            break
        pivot = k + int(left.argmax())
        for values in (order, lengths, rounded):
            values[[k, pivot]] = values[[pivot, k]]
        A[:, [k, pivot]] = A[:, [pivot, k]]
        # A <- (I - v v' / |v_0|) A with v = a / |a| + sign(a_0) e_0
        v = A[k:, k] / left[pivot - k]
        sign = -1.0 if v[0] < 0.0 else 1.0
        v[0] += sign
        scaled = v / abs(v[0])
        A[k:, k + 1 :] -= np.outer(scaled, v @ A[k:, k + 1 :])
        A[k, k], A[k + 1 :, k] = -sign * left[pivot - k], 0.0
        taken = np.abs(A[k]) * (lengths[k] / left[pivot - k])  # see `_rounded_from`
        np.maximum(rounded, taken, out=rounded)
        Q[:, k:] -= np.outer(Q[:, k:] @ scaled, v)
    else:
        k = min(m, n)
    return PivotedQR(Q, A[:k], order)


def graded_svd(A: np.ndarray, lengths: np.ndarray, cut: float) -> GradedSVD:
    """Return the singular values and vectors of `A`, which is overwritten; see `pivoted_qr`."""
    m, n = A.shape
    if m >= n > 0 and lengths.min() > _ALIKE * lengths.max():
        U, s, Vt = call_lapack(n, np.linalg.svd, A, full_matrices=m > n)
        if s[-1] > 0.1 * _ALIKE * max(s[0], lengths.max()):  # nothing of a column is rounding
            order = np.r_[n - 1 : -1 : -1, n:m]
            return GradedSVD(U[:, order], s[::-1], Vt[::-1].T, float(s[-1] / s[0]), None)
    factors = pivoted_qr(A, lengths, cut)
    Q, R, r = factors.Q, factors.R, factors.rank
    if not r:
        return GradedSVD(Q, np.empty(0), np.empty((A.shape[1], 0)), 0.0, factors)
    T = call_lapack(r, np.linalg.qr, R.T, mode="r")
    unit = call_lapack(r, np.linalg.svd, T / column_lengths(T), compute_uv=False)
    values, U = _jacobi(T)
    values, U = values[::-1], U[:, ::-1]
    left = Q.copy()
    left[:, :r] = Q[:, :r] @ U
    right = factors.pseudo_inverse(U) * values
    column = column_lengths(R)
    other = np.empty_like(right)
    other[factors.order] = R.T @ U
    short = np.empty(len(right))
    short[factors.order] = column
    short_entries = short[:, None] < values
    np.divide(other, values, out=right, where=short_entries)
    return GradedSVD(left, values, right, float(unit[-1] / unit[0]), factors)


def _jacobi(T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the decreasing singular values of square T, and its right singular vectors."""
    n = len(T)
    values, right = np.empty(n), np.empty((n, n), order="F")
    work, iwork = np.empty(2 * n * n + 8 * n + 8), np.empty(4 * n, dtype=np.intc)
    a = np.array(T, order="F")
    arguments = (a, values, right, work, iwork)
    if n <= _SHORT_ORDER:
        info = _kernel.singular_values(*arguments)
    else:
        info = call_interruptibly(_kernel.singular_values, *arguments)
    if info:  # T is not finite: rotations of finite columns converge
        raise np.linalg.LinAlgError(f"singular values were not found (gejsv: {info}).")
    return values, right
