"""Leave-one-out of the dual where rows are of very different size.

    G = R X S^-1 X'R + alpha I,  P = G^-1 - G^-1 U (U'G^-1 U)^-1 U'G^-1
    e_i / (1 - h_i) = (P R y)_i / (P_ii R_i),   1 - h_i = alpha P_ii

with the roots R of the weights and the columns U of intercept and features without a penalty.
Eigenvectors have the digits of the largest row only. G = T'T from an orthogonal factorisation of
(S^-1/2 X'R, alpha^1/2 I), with sorted rows and pivoted columns, keeps those of every row, and no
centre that an outlier has moved is needed. It costs a factorisation an alpha.
"""

import numpy as np
import scipy.linalg

from fastridge.runtime.threads import call_lapack
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.problem import Problem

_FAR = 1e3  # median lengths, of columns of unit length, above which a row is far from the others
_SPAN = 1e-12  # of l + alpha: above this eigenvectors have digits enough
_MOST_FLOPS = 2e11
_MOST_VALUES = 1 << 24  # of a dense copy of X


def is_graded(spectrum: Spectrum, alphas: np.ndarray) -> bool:
    """Return whether eigenvectors lose too many digits and these factorisations are affordable."""
    values, (n, p) = spectrum.values, spectrum.problem.design.shape
    least = float(alphas.min())
    if not len(values) or least == 0.0 or values[0] + least > _SPAN * values[-1]:
        return False
    if n * p > _MOST_VALUES or (4.0 * len(alphas) * n + 2.0 * p) * n * n > _MOST_FLOPS:
        return False
    # singular values to high relative accuracy serve columns of any length, but not rows
    return _has_far_rows(spectrum.problem)


def _has_far_rows(problem: Problem) -> bool:
    X = np.array(problem.design.dense(problem.design.counted), dtype=float)
    if problem.design.fit_intercept:  # a mean would be moved by such rows
        X -= np.median(X, axis=0)
    length = np.sqrt(problem.design.squares)
    X *= np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
    squares = np.einsum("ij,ij->i", X, X)
    return bool(squares.max() > _FAR**2 * np.median(squares))


def graded_errors(problem: Problem, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return errors (n, n_alphas, n_targets) and 1 - h (n, n_alphas), of the rows with weight."""
    n, t = problem.design.shape[0], problem.loss.n_targets
    weight = np.ones(n) if problem.design.weight is None else problem.design.weight
    rows = np.flatnonzero(weight)
    X, Y = np.array(problem.design.dense(), dtype=float), problem.loss.Y
    U = X[:, problem.scale == 0.0]
    if problem.design.fit_intercept:
        X -= np.median(X[rows], axis=0)
        Y = Y - np.median(Y[rows], axis=0)
        U = np.hstack([np.ones((n, 1)), X[:, problem.scale == 0.0]])
    length = np.sqrt((U[rows] ** 2 * weight[rows, None]).sum(axis=0))
    U /= np.where(length > 0.0, length, 1.0)
    X *= np.sqrt(problem.inverse_scale)
    root = np.sqrt(weight[rows])[:, None]
    Z, right = X[rows] * root, np.hstack([Y, U])[rows] * root
    R, order = _sorted_triangle(Z.T)
    triangle = np.empty_like(R)
    triangle[:, order] = R
    errors, left = np.empty((n, len(alphas), t)), np.ones((n, len(alphas)))
    for a, alpha in enumerate(alphas):
        T, order = _sorted_triangle(np.vstack([triangle, np.sqrt(alpha) * np.eye(len(rows))]))
        inverse = np.empty_like(T)
        inverse[order] = scipy.linalg.solve_triangular(T, np.eye(len(T)))
        solved = inverse @ (inverse.T @ right)
        diagonal = (inverse**2).sum(axis=1)
        dual, G_U = solved[:, :t], solved[:, t:]
        if U.shape[1]:
            cross = scipy.linalg.pinvh(right[:, t:].T @ G_U)
            dual = dual - G_U @ (cross @ (right[:, t:].T @ dual))
            diagonal = diagonal - np.einsum("ij,ij->i", G_U @ cross, G_U)
        errors[rows, a] = dual / (diagonal[:, None] * root)
        left[rows, a] = alpha * diagonal
    return errors, left


def _sorted_triangle(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return T with T'T = A'A, its columns permuted, and their order."""
    A = A[np.argsort(-np.abs(A).max(axis=1, initial=0.0))]
    T, order = call_lapack(A.shape[1], scipy.linalg.qr, A, mode="r", pivoting=True)
    return T[: min(A.shape)], order
