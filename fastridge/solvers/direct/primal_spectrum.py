"""The `Spectrum` of a problem with no more features than rows, or known by its Gram alone.

The cheapest way that keeps the digits for the least alpha:

1. eigenvectors of the penalised Gram G;
2. a root M with M'M = X'WX from the eigenvectors of the Gram with unit diagonal, which units of the
   features do not reach, and the singular values of M S^-1/2 (`graded_svd`);
3. as 2., with a triangle M from QR of X, where the squares have lost what the rows still tell.

Features without a penalty come first in M and are projected out of the others.
"""

import numpy as np

from fastridge.designs.sparse import DENSE_VALUES
from fastridge.runtime.threads import call_lapack, call_once_over, product
from fastridge.solvers.direct.cholesky import ACCURATE
from fastridge.solvers.direct.graded_svd import graded_svd, pivoted_qr, rounding
from fastridge.solvers.direct.spectrum import Spectrum, spans
from fastridge.solvers.direct.triangle import triangle
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import symmetric

_EPS = float(np.finfo(float).eps)
_TINY_REST = 1e-8  # of y'Wy: below this `rest` is formed from residuals
_SQUARES = 1e-6  # least eigenvalue of that matrix for which squares serve if there are rows
_NULL = 10.0  # times p eps: an eigenvalue of the Gram with unit diagonal up to here may be zero


def primal_spectrum(problem: Problem, least_alpha: float, how: str) -> Spectrum:
    """Return the spectrum by ``"auto"``, ``"eigh"`` or ``"svd"``; see `spectrum.spectrum_of`."""
    if how != "svd":
        problem = problem.accumulated()
        some_free = problem.penalty.factors is not None and bool((problem.scale == 0.0).any())
        by_gram = _from_gram_with_free if some_free else _from_gram
        spectrum = by_gram(problem, least_alpha)
        if spectrum is not None:
            return spectrum
        design = problem.design
        n, p = design.shape
        at_hand = design.has_rows and (not design.sparse or n * p <= DENSE_VALUES)
        # a feature that free ones nearly span keeps no digits in squares
        root = _root_of_gram(problem, check=at_hand and (how == "auto" or some_free))
        if root is not None:
            return spectrum_of_root(problem, *root, "eigh")
    return spectrum_of_root(problem, *triangle(problem))


def _from_gram(problem: Problem, least_alpha: float) -> Spectrum | None:
    """Return the spectrum from eigenvectors of G, or None if they have too few digits."""
    upper, xy = problem.design.gram, problem.xy
    G, plain = upper, problem.penalty.is_uniform
    if not plain:
        root = np.sqrt(problem.scale)
        G = np.triu(upper) / root / root[:, None]  # below the diagonal there may be anything
        xy = xy / root[:, None]
    values, V, constant = _eigenvectors(G)
    rank = problem.design.n_counted - int(problem.design.fit_intercept)
    null = max(0, len(values) - rank)  # so few rows cannot span more directions
    known = max(null, constant)
    if spans(values[null:], least_alpha):
        return None
    values = np.maximum(values, 0.0)
    loadings = product(V.T, xy)
    values[:known], loadings[:known] = 0.0, 0.0
    energy = call_once_over(2 * loadings.size, np.square, loadings)
    energy *= np.divide(1.0, values, out=np.zeros_like(values), where=values > 0.0)[:, None]
    T = V if plain else V / root[:, None]
    return _with_rest(Spectrum(problem, values, loadings, T, energy, problem.target_squares))


def _eigenvectors(G: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the eigenvalues and eigenvectors of an upper triangle, and the number of zero columns.

    These come first, as eigenvectors of the eigenvalue zero: rounding would mix them with others,
    and rows that are not of the Gram may be far along them.
    """
    used = G.diagonal() != 0.0
    if used.all():
        return *call_lapack(len(G), np.linalg.eigh, G, "U"), 0
    constant = int(np.count_nonzero(~used))
    values, V = np.zeros(len(G)), np.zeros(G.shape)
    V[~used, :constant] = np.eye(constant)
    if constant < len(G):
        inside = np.ix_(used, used)
        values[constant:], V[used, constant:] = call_lapack(
            len(G) - constant, np.linalg.eigh, G[inside], "U"
        )
    return values, V, constant


def _with_rest(spectrum: Spectrum) -> Spectrum:
    """Subtract the part of y along the directions from `rest`, which holds y'Wy."""
    problem, squares = spectrum.problem, spectrum.rest
    left = squares - spectrum.energy.sum(axis=0)
    if spectrum.free_loadings is not None:
        left = left - (spectrum.free_loadings**2).sum(axis=0)
    spectrum.rest = np.maximum(left, 0.0)
    if problem.design.has_rows and (spectrum.rest < _TINY_REST * squares).any():
        residual = problem.residual(spectrum.coefs(np.zeros(1))[0])
        residual *= residual
        spectrum.rest = problem.design.sum_over_rows(residual)
    return spectrum


def _from_gram_with_free(problem: Problem, least_alpha: float) -> Spectrum | None:
    """Do as `_from_gram`, with the features without a penalty projected out of the Gram."""
    upper, xy = problem.design.gram, problem.xy
    p = len(xy)
    G = symmetric(upper)
    free, rest = np.flatnonzero(problem.scale == 0.0), np.flatnonzero(problem.scale > 0.0)
    length = np.sqrt(G.diagonal()[free])
    if not length.all():
        return None
    unit = G[np.ix_(free, free)] / length / length[:, None]
    values, V = call_lapack(len(free), np.linalg.eigh, unit)
    if values[0] < ACCURATE:
        return None
    F = V / np.sqrt(values) / length[:, None]  # F'G_ff F = I
    free_loadings = F.T @ xy[free]
    root = np.sqrt(problem.scale[rest])
    cross = F.T @ G[np.ix_(free, rest)]
    reduced = G[np.ix_(rest, rest)] - cross.T @ cross
    least = ACCURATE * problem.design.gram_loss
    if (reduced.diagonal() < least * G.diagonal()[rest]).any():
        return None  # cancelled
    right = (xy[rest] - cross.T @ free_loadings) / root[:, None]
    values, V, constant = _eigenvectors(reduced / root / root[:, None])
    if spans(values, least_alpha):
        return None
    loadings = V.T @ right
    loadings[:constant] = 0.0
    T = np.empty((p, len(rest)))
    T[rest] = V / root[:, None]
    T[free] = -F @ (cross @ T[rest])
    free_directions = np.zeros((p, F.shape[1]))
    free_directions[free] = F
    spectrum = Spectrum(
        problem,
        np.maximum(values, 0.0),
        loadings,
        T,
        loadings**2 / np.where(values > 0.0, values, np.inf)[:, None],
        problem.target_squares,
        free_directions=free_directions,
        free_loadings=free_loadings,
        n_free=F.shape[1],
    )
    return _with_rest(spectrum)


def unit_gram(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the Gram with unit diagonal, the indices of its columns, and all columns' lengths."""
    length = np.sqrt(problem.design.squares)
    used = np.flatnonzero(length > 0.0)
    G = symmetric(problem.design.gram)[np.ix_(used, used)]
    return G / length[used] / length[used][:, None], used, length


def _root_of_gram(problem: Problem, *, check: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Return M and C with M'M = X'WX and M'C = X'WY, by eigenvectors of the scaled Gram.

    With `check`, None where an eigenvalue is so small that the rows tell more than their squares.
    """
    xy = problem.xy
    G, used, length = unit_gram(problem)
    values, W = call_lapack(len(G), np.linalg.eigh, G)
    null = values <= _NULL * len(G) * _EPS * problem.design.gram_loss
    if check:
        if (values[~null] < _SQUARES * problem.design.gram_loss).any():
            return None
        if null.any() and not _are_null(problem, W[:, null], used, length):
            return None
    rank = problem.design.n_counted - int(problem.design.fit_intercept)
    null[: max(0, len(values) - rank)] = True
    root = np.sqrt(values[~null])
    M = np.zeros((len(root), len(length)))
    M[:, used] = root[:, None] * W[:, ~null].T * length[used]
    return M, W[:, ~null].T @ (xy[used] / length[used][:, None]) / root[:, None]


def _are_null(problem: Problem, W: np.ndarray, used: np.ndarray, length: np.ndarray) -> bool:
    """Return whether the rows are constant to rounding along W, in columns of unit length."""
    directions = np.zeros((W.shape[1], len(length)))
    directions[:, used] = (W / length[used][:, None]).T
    along = problem.design.predict(directions)
    along *= along
    squares = problem.design.sum_over_rows(along)
    return bool((squares <= (_NULL * len(length) * _EPS) ** 2).all())


def spectrum_of_root(
    problem: Problem, M: np.ndarray, C: np.ndarray, solver: str = "svd"
) -> Spectrum:
    """Return the spectrum from singular values of M S^-1/2, with M'M = X'WX and M'C = X'WY.

    `solver` is ``"eigh"`` where M comes from a Gram, which knows squares only.
    """
    if solver == "eigh":
        cut = float(np.sqrt(_NULL * M.shape[1] * _EPS * problem.design.gram_loss))
    else:
        cut = rounding(max(problem.design.n_counted, M.shape[1]))
    p = M.shape[1]
    scale, length = problem.scale, np.sqrt(problem.design.squares)
    free, rest = np.flatnonzero(scale == 0.0), np.flatnonzero(scale > 0.0)
    root = np.sqrt(scale[rest])
    A, n_free, cross = M[:, rest], 0, np.empty((0, len(rest)))
    F, kept = np.empty((len(free), 0)), length[rest]
    if len(free):
        # by length, so that dependent columns have least coefficients in no units
        unit = np.divide(1.0, length[free], out=np.zeros(len(free)), where=length[free] > 0.0)
        factors = pivoted_qr(M[:, free] * unit, length[free] * unit, cut)
        n_free = factors.rank
        F = factors.pseudo_inverse(np.eye(n_free)) * unit[:, None]
        A, C = factors.Q.T @ A, factors.Q.T @ C
        A, cross = A[n_free:], A[:n_free]
        kept = factors.rounded_lengths(cross, kept)
    svd = graded_svd(A / root, kept / root, cut)
    r, null = len(svd.values), len(rest) - len(svd.values)
    values, along = np.zeros(len(rest)), np.zeros((len(rest), C.shape[1]))
    values[null:] = svd.values
    along[null:] = svd.left[:, :r].T @ C[n_free:]
    T = np.zeros((p, len(rest)))
    T[rest, :null] = svd.null_space() / root[:, None]
    T[rest, null:] = svd.right / root[:, None]
    T[free] = -F @ (cross @ T[rest])
    free_directions = np.zeros((p, n_free))
    free_directions[free] = F
    spectrum = Spectrum(
        problem,
        values**2,
        values[:, None] * along,
        T,
        along**2,
        problem.target_squares,
        free_directions=free_directions if len(free) else None,
        free_loadings=C[:n_free] if len(free) else None,
        n_free=n_free,
        solver=solver,
        rcond=svd.rcond,
    )
    return _with_rest(spectrum)
