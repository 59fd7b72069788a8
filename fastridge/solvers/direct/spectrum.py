"""Solve for any alpha from the eigenvectors of the penalised Gram matrix.

S holds the penalty factors, X is centred, R holds the roots of the weights, and the features
without a penalty are projected out of X and y:

    primal   S^-1/2 X'WX S^-1/2 = V diag(l) V',  T = S^-1/2 V,  c = T'X'Wy
             coef(alpha) = T diag(1 / (l + alpha)) c
    dual     R X S^-1 X' R = Q diag(l) Q',  q = Q'R y
             coef(alpha) = S^-1 X' R Q diag(1 / (l + alpha)) q

Both give `energy`, the part of y'Wy along each direction (c^2 / l, or q^2), and `rest` beyond them:

    RSS(alpha) = rest + sum_k energy_k (alpha / (l_k + alpha))^2
    dof(alpha) = n_free + sum_k l_k / (l_k + alpha)

`primal_spectrum` and `dual_spectrum` make them, from eigenvectors of the Gram where all wanted
l + alpha are within some digits of the largest (`_SPANS`), else from singular values to high
relative accuracy (`graded_svd`), so that units of features decide nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastridge.runtime.threads import product
from fastridge.solvers.direct.cholesky import fit_free
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import written_zeros

# Least (l + alpha) / largest l for which the Gram's eigenvalues serve, by the number of directions
# up to which it holds; where singular values cost little, more digits are kept.
_SPANS = ((32, 1e-4), (400, 1e-6), (np.inf, 1e-7))
_CHUNK_VALUES = 1 << 21  # of coefficients along the directions made at a time: 16 MB
_ABOVE_ROUNDING = 1e3  # times the rounding of eigenvalues: an alpha that it does not change
_GRID_STEPS = 8  # of an automatic grid, for each factor of ten, at least


@dataclass
class Spectrum:
    """Eigenvalues of the penalised Gram in increasing order, and what y is along each.

    Attributes
    ----------
    problem : Problem
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
    floor : float
        Of the dual: eigenvalues up to here are rounding.
    feature_directions : ndarray of shape (n_features, n_directions) or None
        Of the dual, where the rows cannot give them to the last digit: S^-1 X'R Q.
    solver : {"eigh", "svd"}
        Whether eigenvectors of a Gram or singular values of the rows gave the directions.
    rcond : float or None
        Reciprocal condition number of the directions, where each counts by its own length.
    """

    problem: Problem
    values: np.ndarray
    loadings: np.ndarray
    directions: np.ndarray
    energy: np.ndarray
    rest: np.ndarray
    dual: bool = False
    free_directions: np.ndarray | None = None
    free_loadings: np.ndarray | None = None
    n_free: int = 0
    floor: float = 0.0
    feature_directions: np.ndarray | None = None
    solver: str = "eigh"
    rcond: float | None = None

    @property
    def n_penalised(self) -> int:
        """The number of features with a penalty."""
        return int(np.count_nonzero(self.problem.scale))

    @property
    def top(self) -> float:
        """The largest eigenvalue."""
        return float(self.values.max(initial=0.0))

    def inverse(self, alphas: np.ndarray) -> np.ndarray:
        """Return 1 / (l + alpha), of shape (n_alphas, n_directions); 0 where both are 0."""
        denominator = self.values + alphas[:, None]
        inverse = np.zeros_like(denominator)
        return np.divide(1.0, denominator, out=inverse, where=denominator > 0.0)

    def shrinkage(self, alphas: np.ndarray) -> np.ndarray:
        """Return l / (l + alpha), of shape (n_alphas, n_directions)."""
        return self.values * self.inverse(alphas)

    def dof(self, alphas: np.ndarray) -> np.ndarray:
        """Return the effective degrees of freedom of the coefficients, without the intercept's."""
        return self.n_free + self.shrinkage(alphas).sum(axis=1)

    def unexplained(self, alphas: np.ndarray) -> np.ndarray:
        """Return alpha / (l + alpha), of shape (n_alphas, n_directions); 1 where both are 0."""
        denominator = self.values + alphas[:, None]
        share = np.ones_like(denominator)
        return np.divide(alphas[:, None], denominator, out=share, where=denominator > 0.0)

    def rss(self, alphas: np.ndarray) -> np.ndarray:
        """Return the weighted residual sum of squares, of shape (n_alphas, n_targets)."""
        return self.rest + self.unexplained(alphas) ** 2 @ self.energy

    def penalised_squares(self, alphas: np.ndarray) -> np.ndarray:
        """RSS + alpha |w|^2 = rest + sum energy alpha / (l + alpha), (n_alphas, n_targets)."""
        return self.rest + self.unexplained(alphas) @ self.energy

    def target_chunks(self, n_alphas: int) -> Iterator[slice]:
        """Yield slices of targets, small enough that their coefficients take little memory."""
        t = self.loadings.shape[1]
        step = max(1, _CHUNK_VALUES // max(1, n_alphas * len(self.values)))
        for begin in range(0, t, step):
            yield slice(begin, min(begin + step, t))

    def shrunk(self, inverse: np.ndarray, targets: slice = slice(None)) -> np.ndarray:
        """loadings / (l + alpha) given `inverse`, of shape (n_directions, n_alphas * n_targets)."""
        some: np.ndarray = inverse.T[:, :, None] * self.loadings[:, None, targets]
        return some.reshape(len(some), some.shape[1] * some.shape[2])

    def coefs(self, alphas: np.ndarray, targets: slice = slice(None)) -> np.ndarray:
        """Return the coefficients, of shape (n_alphas, n_targets, n_features)."""
        # the loadings of each target in a row, for every alpha
        loadings = self.loadings[:, targets].T
        return self._expand(self._coef_inverse(alphas)[:, None, :] * loadings, targets)

    def coef(self, alpha: np.ndarray) -> np.ndarray:
        """Return coefficients at one alpha per target, of shape (n_targets, n_features)."""
        shrunk = np.empty((1, len(alpha), len(self.values)))
        for some in self.target_chunks(1):
            np.multiply(self._coef_inverse(alpha[some]), self.loadings.T[some], out=shrunk[0, some])
        return self._expand(shrunk)[0]

    def _coef_inverse(self, alphas: np.ndarray) -> np.ndarray:
        """Return `inverse` without directions of the dual that a small alpha leaves to rounding."""
        inverse = self.inverse(alphas)
        if self.dual:
            small = alphas <= _ABOVE_ROUNDING * self.floor
            inverse[np.ix_(small, self.values <= self.floor)] = 0.0
        return inverse

    def _expand(self, shrunk: np.ndarray, targets: slice = slice(None)) -> np.ndarray:
        n_alphas, t, r = shrunk.shape
        p = self.problem.design.shape[1]
        flat = shrunk.reshape(n_alphas * t, r)
        if self.dual:
            return self._expand_dual(flat).reshape(n_alphas, t, p)
        coefs: np.ndarray = product(flat, self.directions.T).reshape(n_alphas, t, p)
        if self.free_directions is not None:
            assert self.free_loadings is not None
            coefs += (self.free_directions @ self.free_loadings[:, targets]).T
        return coefs

    def _expand_dual(self, flat: np.ndarray) -> np.ndarray:
        problem, p = self.problem, self.problem.design.shape[1]
        if self.feature_directions is not None:
            coefs: np.ndarray = product(flat, self.feature_directions.T)
        else:
            dual = product(self.directions, flat.T)
            if problem.design.root is not None:
                dual *= problem.design.root[:, None]
            coefs = _correlate(problem, dual)
        if self.n_penalised < p:
            t = problem.loss.n_targets
            for begin in range(0, len(coefs), t):
                fit_free(problem, coefs[begin : begin + t])
        return coefs

    def predict_parts(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return Z and Z_f, the centred rows along the penalised and the free directions."""
        free = None if self.free_directions is None else rows @ self.free_directions
        return product(rows, self.directions), free


def _correlate(problem: Problem, dual: np.ndarray) -> np.ndarray:
    """Return dual' (X - centre) S^-1, by columns of X if the work is too long for one slice."""
    n, p = problem.design.shape
    inverse = problem.inverse_scale
    if problem.design.sparse or dual.shape[1] * p <= _CHUNK_VALUES:
        coefs: np.ndarray = problem.design.correlate(dual) * inverse
        return coefs
    coefs = written_zeros(dual.shape[1], p)
    step = max(64, _CHUNK_VALUES // max(n, len(coefs)))
    for begin in range(0, p, step):
        some = slice(begin, begin + step)
        centred = problem.design.dense_columns(some) - problem.design.centre[some]
        np.multiply(product(dual.T, centred), inverse[some], out=coefs[:, some])
    return coefs


def spans(values: np.ndarray, alpha: float, top: float = 0.0) -> bool:
    """Return whether increasing eigenvalues of a Gram have too few digits for this least alpha.

    `top` is the size of the matrix that they were computed from, if it is larger than they are.
    """
    if not len(values):
        return False
    span = next(least for most, least in _SPANS if len(values) <= most)
    return float(values[0]) + alpha < span * max(float(values[-1]), top)


def shortest_square(problem: Problem) -> float:
    """Return the least squared length, about the centre, of a penalised column over its penalty."""
    squares = problem.design.squares
    kept = (squares > 0.0) & (problem.scale > 0.0) & (problem.scale < np.inf)
    return float((squares[kept] * problem.inverse_scale[kept]).min(initial=np.inf))


def least_automatic_alpha(problem: Problem) -> float:
    """Return the first alpha of an automatic grid: 1e-6 of `shortest_square`."""
    shortest = shortest_square(problem)
    return 1e-6 * shortest if np.isfinite(shortest) else 1e-6


def automatic_alphas(problem: Problem, top: float, n_alphas: int | None = None) -> np.ndarray:
    """Return increasing alphas from nearly no shrinkage of any feature to nearly all of every one.

    They reach from 1e-6 of the least squared length of a penalised column to 10 times the
    largest eigenvalue `top`, evenly in the log: the grid follows the units of the features.
    There are 100 unless told, more where these units need it: eight for each factor of ten.
    """
    least = least_automatic_alpha(problem)
    most = 10.0 * max(top, 1e6 * least)
    if n_alphas is None:
        n_alphas = max(100, int(np.ceil(_GRID_STEPS * (np.log10(most) - np.log10(least)))))
    return np.geomspace(least, most, n_alphas)
