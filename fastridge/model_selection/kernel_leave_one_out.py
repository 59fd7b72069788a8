"""Scores of every alpha for kernel ridge, from one reduction of the kernel matrix.

With G = S K S + alpha I and c = G^-1 S y, the error of row i when it is left out is
c_i / (S_i [G^-1]_ii), a quotient whose denominator is a sum of positive terms. Generalised
cross-validation is n |c|^2 / tr(G^-1)^2, and the log evidence -(n log(y'S c / n) + log |G / alpha|)
/ 2.
"""

import numpy as np

from fastridge.solvers.kernel.tridiagonal import Shifted, Tridiagonal


class KernelScores:
    """The errors and criteria of one kernel at every alpha.

    Parameters
    ----------
    system : Tridiagonal
        Of S K S.
    Y : ndarray of shape (n_targets, n)
    root : ndarray of shape (n,)
        The roots of the weights.
    alphas : ndarray of shape (n_alphas,)
    """

    def __init__(
        self, system: Tridiagonal, Y: np.ndarray, root: np.ndarray, alphas: np.ndarray
    ) -> None:
        self._system, self._root = system, root
        self._shifted = Shifted(system, alphas)
        self._rotated = system.rotated(root * Y)
        self._solved = self._shifted.solved(self._rotated)

    def leave_one_out(self, n_threads: int) -> np.ndarray:
        """Return the errors of the rows left out, of shape (n_alphas, n_targets, n)."""
        t, n_alphas, n = self._solved.shape
        inverse = self._root * self._shifted.inverse_diagonals(n_threads)
        errors = self._system.rotated_back(self._solved.reshape(-1, n)).reshape(t, n_alphas, n)
        errors = errors.transpose(1, 0, 2) / inverse[:, None]
        errors[~self._shifted.definite] = np.nan
        return errors

    def gcv(self) -> np.ndarray:
        """Return the criterion of generalised cross-validation, (n_alphas, n_targets)."""
        squares = np.einsum("tan,tan->at", self._solved, self._solved)
        score = self._system.n * squares / self._shifted.traces()[:, None] ** 2
        score[~self._shifted.definite] = np.nan
        return score

    def log_evidence(self) -> np.ndarray:
        """Return the log marginal likelihood up to a constant, (n_alphas, n_targets)."""
        n, alphas = self._system.n, self._shifted.alphas
        determinant = self._shifted.log_determinants() - n * np.log(alphas)
        squares = np.einsum("tan,tn->at", self._solved, self._rotated) * alphas[:, None]
        evidence = -0.5 * (n * np.log(squares / n) + determinant[:, None])
        evidence[~self._shifted.definite] = np.nan
        return evidence


def dual_coef(
    system: Tridiagonal, Y: np.ndarray, root: np.ndarray, alpha: np.ndarray
) -> np.ndarray:
    """Return the dual coefficients of each target at its alpha."""
    alphas, index = np.unique(alpha, return_inverse=True)
    rotated = system.rotated(root * Y)
    solved = np.empty_like(rotated)
    for k in range(len(alphas)):
        targets = np.flatnonzero(index == k)
        solved[targets] = Shifted(system, alphas[k : k + 1]).solved(rotated[targets])[:, 0]
    return root * system.rotated_back(solved)


def all_dual_coefs(
    system: Tridiagonal, Y: np.ndarray, root: np.ndarray, alphas: np.ndarray
) -> np.ndarray:
    """Return the dual coefficients at every alpha, (n_targets, n_alphas, n); NaN if indefinite."""
    shifted = Shifted(system, alphas)
    solved = shifted.solved(system.rotated(root * Y))
    coefs = root * system.rotated_back(solved.reshape(-1, system.n)).reshape(solved.shape)
    coefs[:, ~shifted.definite] = np.nan
    return coefs
