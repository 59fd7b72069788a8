"""The penalised Gram's eigenvectors: every alpha follows from them.

With S the penalty of each feature beside alpha, X centred, R the roots of the weights, and the
features that no penalty touches projected out of X and y:

    primal   S^-1/2 X'WX S^-1/2 = V diag(l) V',  T = S^-1/2 V,  c = T'X'Wy
             coef(alpha) = T diag(1 / (l + alpha)) c
    dual     R X S^-1 X' R = Q diag(l) Q',  q = Q'R y
             coef(alpha) = S^-1 X' R Q diag(1 / (l + alpha)) q

Both give `energy`, the part of y'Wy along each direction (c^2 / l, or q^2), and what is left:

    RSS(alpha) = rest + sum_k energy_k (alpha / (l_k + alpha))^2
    dof(alpha) = n_free + sum_k l_k / (l_k + alpha)

Where l + alpha spans more than seven digits, the squared condition number of the Gram would eat
those that are wanted: then a triangle R with R'R = X'WX, from Cholesky of the Gram with unit
diagonal or from QR of X, gives singular values in place of eigenvalues.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from fastridge._accumulate import symmetric, written_zeros
from fastridge._threads import call_lapack, call_once_over, product
from fastridge.solvers.cholesky import ACCURATE, fit_free, free_columns, sample_gram
from fastridge.solvers.problem import RidgeProblem

_EPS = float(np.finfo(float).eps)
# Least (l + alpha) / largest l for which the Gram's eigenvalues serve; where singular values
# cost little, one digit more is kept.
_SPAN, _SPAN_SMALL, _SMALL = 1e-7, 1e-6, 400
_CHUNK_VALUES = 1 << 21  # of coefficients along the directions made at a time: 16 MB
_LEAST_SQUARES = 1e-250  # of sums of squares that have not underflowed
_TINY_REST = 1e-8  # of y'Wy: below this `rest` is formed from residuals


@dataclass
class Spectrum:
    """Eigenvalues of the penalised Gram in increasing order, and what y is along each.

    Attributes
    ----------
    problem : RidgeProblem
    values : ndarray of shape (n_directions,)
    loadings : ndarray of shape (n_directions, n_targets)
        c of the primal, q of the dual.
    directions : ndarray of shape (n_features, n_directions) or (n_samples, n_directions)
        T of the primal, Q of the dual.
    energy : ndarray of shape (n_directions, n_targets)
    rest : ndarray of shape (n_targets,)
    dual : bool
    free_directions : ndarray of shape (n_features, n_free) or None
        Of the primal: F with (X F)'W(X F) = I, for the features without a penalty.
    free_loadings : ndarray of shape (n_free, n_targets) or None
    n_free : int
        How many dimensions of the rows the features without a penalty span, about the mean.
    """

    problem: RidgeProblem
    values: np.ndarray
    loadings: np.ndarray
    directions: np.ndarray
    energy: np.ndarray
    rest: np.ndarray
    dual: bool = False
    free_directions: np.ndarray | None = None
    free_loadings: np.ndarray | None = None
    n_free: int = 0
    floor: float = 0.0  # of the dual: eigenvalues up to here are rounding

    @property
    def n_penalised(self) -> int:
        """How many features a penalty touches."""
        return int(np.count_nonzero(self.problem.scale))

    def inverse(self, alphas: np.ndarray) -> np.ndarray:
        """1 / (l + alpha), of shape (n_alphas, n_directions); 0 where lost in rounding."""
        denominator = self.values + alphas[:, None]
        top = denominator.max(axis=1, initial=0.0)[:, None]
        kept = denominator > max(self.problem.shape) * _EPS * top
        return np.divide(1.0, denominator, out=np.zeros_like(denominator), where=kept)

    def shrinkage(self, alphas: np.ndarray) -> np.ndarray:
        """l / (l + alpha), of shape (n_alphas, n_directions)."""
        return self.values * self.inverse(alphas)

    def dof(self, alphas: np.ndarray) -> np.ndarray:
        """Effective degrees of freedom of the coefficients, without the intercept's."""
        return self.n_free + self.shrinkage(alphas).sum(axis=1)

    def rss(self, alphas: np.ndarray) -> np.ndarray:
        """Weighted residual sum of squares, of shape (n_alphas, n_targets)."""
        return self.rest + (1.0 - self.shrinkage(alphas)) ** 2 @ self.energy

    def penalised_squares(self, alphas: np.ndarray) -> np.ndarray:
        """RSS + alpha |w|^2 = rest + sum energy alpha / (l + alpha), (n_alphas, n_targets)."""
        return self.rest + (1.0 - self.shrinkage(alphas)) @ self.energy

    def target_chunks(self, n_alphas: int) -> Iterator[slice]:
        """Targets, so many at a time that their coefficients along the directions are few."""
        t = self.loadings.shape[1]
        step = max(1, _CHUNK_VALUES // max(1, n_alphas * len(self.values)))
        for begin in range(0, t, step):
            yield slice(begin, min(begin + step, t))

    def shrunk(self, inverse: np.ndarray, targets: slice = slice(None)) -> np.ndarray:
        """loadings / (l + alpha) given `inverse`, of shape (n_directions, n_alphas * n_targets)."""
        some: np.ndarray = inverse.T[:, :, None] * self.loadings[:, None, targets]
        return some.reshape(len(some), -1)

    def coefs(self, alphas: np.ndarray, targets: slice = slice(None)) -> np.ndarray:
        """Coefficients, of shape (n_alphas, n_targets, n_features)."""
        # the loadings of each target in a row, for every alpha
        loadings = self.loadings[:, targets].T
        return self._expand(self._coef_inverse(alphas)[:, None, :] * loadings, targets)

    def coef(self, alpha: np.ndarray) -> np.ndarray:
        """Coefficients at one alpha a target, of shape (n_targets, n_features)."""
        shrunk = np.empty((1, len(alpha), len(self.values)))
        for some in self.target_chunks(1):
            np.multiply(self._coef_inverse(alpha[some]), self.loadings.T[some], out=shrunk[0, some])
        return self._expand(shrunk)[0]

    def _coef_inverse(self, alphas: np.ndarray) -> np.ndarray:
        """`inverse` without directions of the dual that X does not span: it only adds rounding."""
        inverse = self.inverse(alphas)
        if self.dual:
            inverse[:, self.values <= self.floor] = 0.0
        return inverse

    def _expand(self, shrunk: np.ndarray, targets: slice = slice(None)) -> np.ndarray:
        n_alphas, t, r = shrunk.shape
        p = self.problem.shape[1]
        flat = shrunk.reshape(n_alphas * t, r)
        if self.dual:
            return self._expand_dual(flat).reshape(n_alphas, t, p)
        coefs: np.ndarray = product(flat, self.directions.T).reshape(n_alphas, t, p)
        if self.free_directions is not None:
            assert self.free_loadings is not None
            coefs += (self.free_directions @ self.free_loadings[:, targets]).T
        return coefs

    def _expand_dual(self, flat: np.ndarray) -> np.ndarray:
        problem, p = self.problem, self.problem.shape[1]
        dual = product(self.directions, flat.T)
        if problem.weight is not None:
            dual *= np.sqrt(problem.weight)[:, None]
        coefs = _correlate(problem, dual)
        if self.n_penalised < p:
            t = problem.n_targets
            for begin in range(0, len(coefs), t):
                fit_free(problem, coefs[begin : begin + t])
        return coefs

    def predict_parts(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Z and Z_f, centred rows along the primal's directions and along the free ones."""
        free = None if self.free_directions is None else rows @ self.free_directions
        return product(rows, self.directions), free


def _correlate(problem: RidgeProblem, dual: np.ndarray) -> np.ndarray:
    """dual' (X - centre) S^-1, by columns of X where `dual` has so many that Ctrl-C would wait."""
    n, p = problem.shape
    inverse = problem.inverse_scale
    if problem.sparse or dual.shape[1] * p <= _CHUNK_VALUES:
        coefs: np.ndarray = problem.correlate_centred(dual) * inverse
        return coefs
    coefs = written_zeros(dual.shape[1], p)
    step = max(64, _CHUNK_VALUES // max(n, len(coefs)))
    for begin in range(0, p, step):
        some = slice(begin, begin + step)
        centred = problem.X[:, some] - problem.centre[0][some]
        np.multiply(product(dual.T, centred), inverse[some], out=coefs[:, some])
    return coefs


def spectrum_of(
    problem: RidgeProblem, least_alpha: float, how: str = "auto", *, leverage: bool = False
) -> Spectrum:
    """The spectrum, for alphas from `least_alpha` up.

    By ``"auto"``, the cheapest way that keeps the digits; ``"eigh"``, eigenvectors of the Gram
    in any case; ``"svd"``, singular values of X where it is dense. Where leverages are wanted,
    the dual begins with fewer columns: it has 1 - h without cancellation.
    """
    n, p = problem.n_counted, problem.shape[1]
    if how == "svd" and (problem.X is None or problem.sparse):
        how = "auto"
    if problem.X is not None and p >= (0.8 * n if leverage else n):
        return _dual(problem, least_alpha, how)
    return _primal(problem, least_alpha, how)


def spans(values: np.ndarray, alpha: float, order: int) -> bool:
    """Whether eigenvalues of this span are too few digits."""
    top = float(values[-1]) if len(values) else 0.0
    kept = values[values >= order * _EPS * top]
    span = _SPAN_SMALL if len(values) <= _SMALL else _SPAN
    return len(kept) > 0 and float(kept.min()) + alpha < span * top


def _primal(problem: RidgeProblem, least_alpha: float, how: str) -> Spectrum:
    upper, xy = problem.moments
    scale = problem.scale
    squares = problem.target_squares
    free = np.flatnonzero(scale == 0.0)
    if len(free):
        return call_lapack(len(scale), _primal_free, problem, free, squares)
    root = np.sqrt(scale)
    plain = bool((root == 1.0).all())
    if how == "svd":
        return _from_triangle(problem, root, squares)
    G = upper
    if not plain:
        G = upper / root / root[:, None]
        xy = xy / root[:, None]
    values, V = call_lapack(len(G), np.linalg.eigh, G, "U")
    if how == "auto" and spans(values, least_alpha, max(problem.shape)):
        spectrum = _from_factor(problem, G, xy, root, squares)
        if spectrum is None and problem.X is not None and not problem.sparse:
            spectrum = _from_triangle(problem, root, squares)
        if spectrum is not None:
            return spectrum
    V, values = _within_rank(problem, V, np.maximum(values, 0.0))
    return _complete(problem, values, V, product(V.T, xy), root, squares)


def _within_rank(
    problem: RidgeProblem, V: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Without the directions that so few rows cannot span."""
    rank = problem.n_counted - int(problem.fit_intercept)
    if rank < len(values):
        V, values = V[:, len(values) - rank :], values[len(values) - rank :]
    return V, values


def _complete(
    problem: RidgeProblem,
    values: np.ndarray,
    V: np.ndarray,
    loadings: np.ndarray,
    root: np.ndarray,
    squares: np.ndarray,
) -> Spectrum:
    energy = _energy(problem, values, loadings)
    rest = np.maximum(squares - energy.sum(axis=0), 0.0)
    T = V if (root == 1.0).all() else V / root[:, None]
    spectrum = Spectrum(problem, values, loadings, T, energy, rest)
    if problem.X is not None and (rest < _TINY_REST * squares).any():
        residual = problem.residual(spectrum.coefs(np.zeros(1))[0])
        residual *= residual
        spectrum.rest = residual.sum(0) if problem.weight is None else problem.weight @ residual
    return spectrum


def _energy(problem: RidgeProblem, values: np.ndarray, loadings: np.ndarray) -> np.ndarray:
    """c^2 / l of the primal, 0 for directions lost in rounding."""
    kept = values > max(problem.shape) * _EPS * values.max(initial=0.0)
    share = np.divide(1.0, values, out=np.zeros_like(values), where=kept)
    energy: np.ndarray = call_once_over(2 * loadings.size, np.square, loadings)
    energy *= share[:, None]
    return energy


def _from_factor(
    problem: RidgeProblem, G: np.ndarray, xy: np.ndarray, root: np.ndarray, squares: np.ndarray
) -> Spectrum | None:
    """Singular values of the Cholesky factor, where unit diagonal makes it accurate."""
    length = np.sqrt(G.diagonal())
    if not length.all():
        return None
    unit = symmetric(G) / length / length[:, None]
    factor, info = call_lapack(len(G), scipy.linalg.lapack.dpotrf, unit)
    if info:
        return None
    norm = float(np.abs(unit).sum(axis=0).max())
    rcond, info = scipy.linalg.lapack.dpocon(factor, norm)
    if info or rcond < ACCURATE:
        return None
    triangle = np.triu(factor) * length
    _, s, Vt = call_lapack(len(G), np.linalg.svd, triangle)
    V = np.ascontiguousarray(Vt[::-1].T)
    return _complete(problem, s[::-1] ** 2, V, V.T @ xy, root, squares)


def _from_triangle(problem: RidgeProblem, root: np.ndarray, squares: np.ndarray) -> Spectrum:
    from fastridge.solvers.orthogonal import triangle

    R, C = triangle(problem)
    U, s, Vt = call_lapack(len(R), np.linalg.svd, R / root, full_matrices=False)
    order = np.argsort(s)
    s, U, Vt = s[order], U[:, order], Vt[order]
    kept = s > max(problem.shape) * _EPS * s.max(initial=0.0)
    s = np.where(kept, s, 0.0)
    loadings = s[:, None] * (U.T @ C)
    return _complete(problem, s**2, np.ascontiguousarray(Vt.T), loadings, root, squares)


def _primal_free(problem: RidgeProblem, free: np.ndarray, squares: np.ndarray) -> Spectrum:
    upper, xy = problem.moments
    p = len(xy)
    G = symmetric(upper)
    rest = np.flatnonzero(problem.scale > 0.0)
    # F'G_ff F = I by eigenvectors, without the directions lost in rounding
    length = np.sqrt(G.diagonal()[free])
    length = np.where(length > 0.0, length, 1.0)
    values, V = np.linalg.eigh(G[np.ix_(free, free)] / length / length[:, None])
    kept = values > max(problem.shape) * _EPS * max(values[-1], 0.0)
    F = V[:, kept] / np.sqrt(values[kept]) / length[:, None]
    free_loadings = F.T @ xy[free]
    root = np.sqrt(problem.scale[rest])
    cross = F.T @ G[np.ix_(free, rest)]
    reduced = (G[np.ix_(rest, rest)] - cross.T @ cross) / root / root[:, None]
    right = (xy[rest] - cross.T @ free_loadings) / root[:, None]
    values, V = call_lapack(len(rest), np.linalg.eigh, reduced)
    values = np.maximum(values, 0.0)
    loadings = V.T @ right
    energy = _energy(problem, values, loadings)
    left = squares - (free_loadings**2).sum(axis=0)
    T = np.empty((p, len(rest)))
    T[rest] = V / root[:, None]
    T[free] = -F @ (cross @ T[rest])
    free_directions = np.zeros((p, F.shape[1]))
    free_directions[free] = F
    return Spectrum(
        problem,
        values,
        loadings,
        T,
        energy,
        np.maximum(left - energy.sum(axis=0), 0.0),
        free_directions=free_directions,
        free_loadings=free_loadings,
        n_free=F.shape[1],
    )


def _dual(problem: RidgeProblem, least_alpha: float, how: str) -> Spectrum:
    n = problem.shape[0]
    root = None if problem.weight is None else np.sqrt(problem.weight)
    Yc = problem.Y - problem.centre[1]
    if root is not None:
        Yc *= root[:, None]
    basis = unpenalised_basis(problem, root)
    Yc -= basis @ (basis.T @ Yc)
    if how != "svd":
        K = sample_gram(problem, problem.inverse_scale)
        K = call_once_over(2 * K.size, symmetric, K)
        squares = np.append((Yc * Yc).sum(axis=0), np.trace(K))
        if not (squares.min() > _LEAST_SQUARES and squares.max() < np.inf):
            problem.check_range()  # says what is wrong, if anything is
        values, Q = without_basis(K, basis)
        # what is lost in rounding counts here, where 1 / (l + alpha) is largest for l = 0
        order = n if least_alpha == 0.0 else 0
        if how == "auto" and spans(values, least_alpha, order) and not problem.sparse:
            how = "svd"
    if how == "svd":
        problem.check_range()
        values, Q = _row_singular_values(problem, root, basis)
    digits = (n * _EPS) ** (2 if how == "svd" else 1)
    loadings = product(Q.T, Yc)
    n_free = basis.shape[1] - int(problem.fit_intercept)
    spectrum = Spectrum(
        problem,
        values,
        loadings,
        Q,
        call_once_over(2 * loadings.size, np.square, loadings),
        np.zeros(Yc.shape[1]),
        True,
        n_free=n_free,
        floor=digits * float(values.max(initial=0.0)),
    )
    if Q.shape[1] < n - basis.shape[1]:
        spectrum.rest = np.maximum((Yc**2).sum(axis=0) - spectrum.energy.sum(axis=0), 0.0)
    return spectrum


def unpenalised_basis(problem: RidgeProblem, root: np.ndarray | None) -> np.ndarray:
    """Orthonormal columns that the intercept and the features without a penalty span."""
    n = problem.shape[0]
    parts = []
    if problem.fit_intercept:
        parts.append(np.ones((n, 1)) if root is None else root[:, None])
    free = np.flatnonzero(problem.scale == 0.0)
    if len(free):
        parts.append(free_columns(problem, free, root))
    if not parts:
        return np.empty((n, 0))
    return orthonormal(np.hstack(parts))


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns with the same span, to rounding."""
    length = np.sqrt((columns**2).sum(axis=0))
    unit = columns / np.where(length > 0.0, length, 1.0)
    U, s, _ = call_lapack(unit.shape[1], np.linalg.svd, unit, full_matrices=False)
    return U[:, s > len(columns) * _EPS * s.max(initial=0.0)]


def without_basis(K: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of K (overwritten) in the space orthogonal to `basis`."""
    f = basis.shape[1]
    if f:
        call_once_over((6 + f) * K.size, _shift_basis, K, basis)
    values, Q = call_lapack(len(K), np.linalg.eigh, K)
    return np.maximum(values[: len(K) - f], 0.0), Q[:, : len(K) - f]


def _shift_basis(K: np.ndarray, basis: np.ndarray) -> None:
    """Give `basis` the largest eigenvalues of K by far: those vectors are dropped."""
    shift = 2.0 * float(np.trace(K)) or 1.0
    K -= basis @ (basis.T @ K)
    K -= (K @ basis) @ basis.T
    K += (shift * basis) @ basis.T


def _row_singular_values(
    problem: RidgeProblem, root: np.ndarray | None, basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """l and Q from the singular values of the centred, weighted, scaled rows themselves."""
    n, f = problem.shape[0], basis.shape[1]
    column_scale = np.sqrt(problem.inverse_scale)
    rows = (problem.X, problem.centre[0], root, column_scale, basis)
    wide = call_once_over((8 + f) * problem.X.size, _with_basis, *rows)
    U, s, _ = call_lapack(n, np.linalg.svd, wide, full_matrices=wide.shape[1] < n)
    s = np.append(s, np.zeros(n - len(s)))
    Q: np.ndarray = call_once_over(4 * U.size, np.ascontiguousarray, U[:, f:][:, ::-1])
    return s[f:][::-1] ** 2, Q


def _with_basis(
    X: np.ndarray,
    centre: np.ndarray,
    root: np.ndarray | None,
    column_scale: np.ndarray,
    basis: np.ndarray,
) -> np.ndarray:
    """`basis`, and beside it the centred, weighted, scaled rows orthogonal to it."""
    Z = np.array(X, dtype=float)
    Z -= centre
    if root is not None:
        Z *= root[:, None]
    Z *= column_scale
    Z -= basis @ (basis.T @ Z)
    first = (2.0 * np.linalg.norm(Z) or 1.0) * basis  # by far the largest: those are dropped
    return np.hstack([first, Z])


def automatic_alphas(values: np.ndarray, n_alphas: int = 100) -> np.ndarray:
    """Increasing alphas from nearly no shrinkage to nearly all, by the eigenvalues.

    They reach from 1e-6 of the mean eigenvalue to 10 times the largest, evenly in the log.
    """
    top = float(values.max(initial=0.0))
    top = top if top > 0.0 else 1.0
    mean = max(float(values.mean()) if len(values) else 1.0, top * 1e-10)
    return np.geomspace(1e-6 * mean, 10.0 * top, n_alphas)
