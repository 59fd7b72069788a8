"""The `Spectrum` of a problem with more features than rows, from the rows' own Gram.

The cheapest way that keeps the digits for the least alpha: eigenvectors of K = R X S^-1 X' R;
singular values of the rows; and where lengths of columns differ so much that these lose digits,
singular values to high relative accuracy (`graded_svd`).
"""

import numpy as np

from fastridge.designs.sparse import DENSE_VALUES
from fastridge.runtime.threads import call_lapack, call_once_over, product
from fastridge.solvers.direct.cholesky import project_out, row_gram, weighted_targets
from fastridge.solvers.direct.graded_svd import graded_svd, rounding
from fastridge.solvers.direct.spectrum import Spectrum, shortest_square, spans
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import symmetric

_EPS = float(np.finfo(float).eps)
_LEAST_SQUARES = 1e-250  # of sums of squares that have not underflowed
_GRADED = 1e-3  # the shortest column over the longest, below which each counts by its length


def dual_spectrum(problem: Problem, least_alpha: float, how: str) -> Spectrum:
    """Return the spectrum by ``"auto"``, ``"eigh"`` or ``"svd"``; see `spectrum.spectrum_of`."""
    n, p = problem.design.n_counted, problem.design.shape[1]
    basis, errors = _unpenalised_basis(problem)
    Yc = weighted_targets(problem)
    Yc -= basis @ (basis.T @ Yc)
    if how != "svd":
        K = row_gram(problem)
        K = call_once_over(2 * K.size, symmetric, K)
        squares = np.append((Yc * Yc).sum(axis=0), np.trace(K))
        if not (squares.min() > _LEAST_SQUARES and squares.max() < np.inf):
            problem.check_range()  # says what is wrong, if anything is
        before = float(np.trace(K))
        values, Q = without_basis(K, basis)
        # projecting out the features without a penalty has left rounding
        free = basis.shape[1] > int(problem.design.fit_intercept)
        top = before * float(errors.max()) if free else 0.0
        dense = not problem.design.sparse or n * p <= DENSE_VALUES
        if not spans(values, least_alpha, top) or not dense:
            return _spectrum(problem, values, Q, Yc, basis, n * _EPS)
    problem.check_range()
    if shortest_square(problem) < _GRADED**2 * _longest_square(problem):
        return _graded(problem, basis, errors, Yc)
    values, Q, directions, longest = _row_singular_values(problem, basis, errors)
    # a direction in which no more than rounding of the columns is left is none
    longest = max(longest, float(values.max(initial=0.0)))
    null = values <= rounding(n) ** 2 * longest
    values[null], directions[:, null] = 0.0, 0.0
    spectrum = _spectrum(problem, values, Q, Yc, basis, rounding(n) ** 2)
    spectrum.feature_directions, spectrum.solver = directions, "svd"
    return spectrum


def _spectrum(
    problem: Problem,
    values: np.ndarray,
    Q: np.ndarray,
    Yc: np.ndarray,
    basis: np.ndarray,
    digits: float,
) -> Spectrum:
    """Return the spectrum given its eigenvalues, with the components of y along its directions."""
    loadings = product(Q.T, Yc)
    spectrum = Spectrum(
        problem,
        values,
        loadings,
        problem.design.among_all_rows(Q),
        call_once_over(2 * loadings.size, np.square, loadings),
        np.zeros(Yc.shape[1]),
        True,
        n_free=basis.shape[1] - int(problem.design.fit_intercept),
        floor=digits * float(values.max(initial=0.0)),
    )
    if Q.shape[1] < len(Yc) - basis.shape[1]:
        spectrum.rest = np.maximum((Yc**2).sum(axis=0) - spectrum.energy.sum(axis=0), 0.0)
    return spectrum


def _longest_square(problem: Problem) -> float:
    """Return the largest squared length of a penalised column, centred, over its penalty."""
    return float((problem.design.squares * problem.inverse_scale).max(initial=0.0))


def _graded(problem: Problem, basis: np.ndarray, errors: np.ndarray, Yc: np.ndarray) -> Spectrum:
    """Return the spectrum by `graded_svd` of the rows orthogonal to `basis`."""
    n, p = problem.design.n_counted, problem.design.shape[1]
    f = basis.shape[1]
    column_scale = np.sqrt(problem.inverse_scale)
    Z = call_once_over(4 * n * p, _scaled_rows, problem, column_scale)
    # H with H basis in its first rows: the others are the rows orthogonal to it
    H = np.linalg.qr(basis, mode="complete")[0].T if f else np.eye(n)
    lengths = np.sqrt(problem.design.squares) * column_scale
    lengths = _rounded_lengths(product(basis.T, Z), errors, lengths)
    rows = product(H, Z)[f:]
    svd = call_once_over(rows.size, graded_svd, rows, lengths, rounding(max(n, p)))
    r, order = len(svd.values), n - f
    values = np.zeros(order)
    values[order - r :] = svd.values**2
    left = np.hstack([svd.left[:, r:], svd.left[:, :r]])
    spectrum = _spectrum(problem, values, product(H[f:].T, left), Yc, basis, 0.0)
    directions = np.zeros((p, order))
    directions[:, order - r :] = svd.right * svd.values * column_scale[:, None]
    spectrum.feature_directions, spectrum.solver = directions, "svd"
    spectrum.rcond = svd.rcond
    return spectrum


def _scaled_rows(problem: Problem, column_scale: np.ndarray) -> np.ndarray:
    """Return the rows with weight, centred, weighted and scaled; 0 in constant columns."""
    design = problem.design
    Z = np.array(design.dense(design.counted), dtype=float)
    Z -= design.centre
    Z[:, design.squares == 0.0] = 0.0
    if design.root is not None:
        Z *= design.root[design.counted, None]
    Z *= column_scale
    return Z


def _rounded_lengths(along: np.ndarray, errors: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the lengths that rounding is relative to once a basis was projected out of columns.

    A column with these components along the basis has taken over as much of the errors.
    """
    if not len(errors):
        return lengths
    larger: np.ndarray = np.maximum(lengths, (np.abs(along) * errors[:, None]).max(axis=0))
    return larger


def _unpenalised_basis(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return an orthonormal basis of the intercept and the features without a penalty.

    Also the errors of its directions, as multiples of the rounding of columns of length one.
    """
    design, parts = problem.design, []
    n, root = design.shape[0], design.root
    if design.fit_intercept:
        parts.append(np.ones((n, 1)) if root is None else root[:, None])
    free = np.flatnonzero(problem.scale == 0.0)
    if len(free):
        parts.append(design.centred_columns(free, root))
    if not parts:
        return np.empty((design.n_counted, 0)), np.empty(0)
    columns = np.hstack(parts)[design.counted]
    if not np.isfinite(columns).all():
        problem.check_range()  # says what is wrong
    return orthonormal(columns)


def orthonormal(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return orthonormal columns with the same span, to rounding, and by what it is multiplied."""
    length = np.sqrt((columns**2).sum(axis=0))
    unit = columns / np.where(length > 0.0, length, 1.0)
    U, s, _ = call_lapack(unit.shape[1], np.linalg.svd, unit, full_matrices=False)
    kept = s > rounding(len(columns)) * s.max(initial=0.0)
    return U[:, kept], s.max(initial=0.0) / s[kept]


def without_basis(K: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues and vectors of K (overwritten) in the space orthogonal to `basis`."""
    f = basis.shape[1]
    none = not K.any()  # no feature has a penalty: eigenvalues would be rounding of the shift
    if f:
        call_once_over((6 + f) * K.size, _shift_basis, K, basis)
    values, Q = call_lapack(len(K), np.linalg.eigh, K)
    values = values[: len(K) - f]
    return np.zeros_like(values) if none else np.maximum(values, 0.0), Q[:, : len(K) - f]


def _shift_basis(K: np.ndarray, basis: np.ndarray) -> None:
    """Give `basis` the largest eigenvalues of K by far: those vectors are dropped."""
    shift = 2.0 * float(np.trace(K)) or 1.0
    project_out(K, basis)
    K += (shift * basis) @ basis.T


def _row_singular_values(
    problem: Problem, basis: np.ndarray, errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return l, Q and S^-1 X'R Q from singular values of the scaled rows orthogonal to `basis`.

    Also the square of the longest length that rounding is relative to.
    """
    n, p, f = problem.design.n_counted, problem.design.shape[1], basis.shape[1]
    column_scale = np.sqrt(problem.inverse_scale)
    wide, longest = call_once_over(
        (8 + f) * n * p, _with_basis, problem, column_scale, basis, errors
    )
    U, s, Vt = call_lapack(n, np.linalg.svd, wide, full_matrices=wide.shape[1] < n)
    s = np.append(s, np.zeros(n - len(s)))
    Q: np.ndarray = call_once_over(4 * U.size, np.ascontiguousarray, U[:, f:][:, ::-1])
    directions = np.zeros((p, n - f))
    r = min(n, len(Vt))
    along = Vt[f:r, f:].T * s[f:r] * column_scale[:, None]
    directions[:, n - r :] = along[:, ::-1]
    directions[problem.design.squares == 0.0] = 0.0  # exactly: other rows may be far along them
    return s[f:][::-1] ** 2, Q, directions, longest


def _with_basis(
    problem: Problem, column_scale: np.ndarray, basis: np.ndarray, errors: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return `basis` and next to it the scaled rows orthogonal to it, and the longest square."""
    Z = _scaled_rows(problem, column_scale)
    length = _rounded_lengths(basis.T @ Z, errors, np.sqrt(np.einsum("ij,ij->j", Z, Z)))
    for _ in range(2):  # twice: the first result may be hardly more than rounding
        Z -= basis @ (basis.T @ Z)
    # columns that the basis spans leave rounding, which is not orthogonal to it
    Z[:, np.sqrt(np.einsum("ij,ij->j", Z, Z)) <= rounding(len(Z)) * length] = 0.0
    first = (2.0 * np.linalg.norm(Z) or 1.0) * basis  # by far the largest: those are dropped
    return np.hstack([first, Z]), float(length.max(initial=0.0)) ** 2
