"""Exact leave-one-out errors of ridge at every alpha from one spectrum.

The error of row i, predicted by the model that is fitted without it, is e_i / (1 - h_i), with the
residual e_i and the leverage h_i of the model fitted to all rows (Allen, "The relationship between
variable selection and data augmentation and a method for prediction", Technometrics 16, 1974). In
the eigenbasis of `spectrum` two products of matrices give these for all alphas at once:

    primal   Z = X T:    e = y - Z diag(1/(l + alpha)) c,   h = w (1/W + (Z * Z) 1/(l + alpha))
    dual     e / (1 - h) = R^-1 Q diag(1/(l + alpha)) q  /  (Q * Q) 1/(l + alpha)

The dual's quotient loses no digits where h is near one. Rows go in blocks, so memory beside the
data is that of a block.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastridge._accumulate import CentredProducts
from fastridge._threads import product
from fastridge.solvers.folds import consecutive_folds
from fastridge.solvers.kfold import Penalty, predictions
from fastridge.solvers.kfold_dual import dual_predictions
from fastridge.solvers.spectrum import Spectrum
from fastridge.statistics import merged, products_of_rows

_BLOCK_VALUES = 1 << 19  # of a block's rows, or of its errors at all alphas


class LeaveOneOut:
    """Sums of the squared leave-one-out errors of the blocks of rows that were added.

    Parameters
    ----------
    spectrum : Spectrum
        Of the problem that holds all rows; it may be known from statistics alone.
    alphas : ndarray of shape (n_alphas,)

    Attributes
    ----------
    n_samples : int
    total : ndarray of shape (n_alphas, n_targets)
        Sum of w_i e_i^2.
    total_of_squares : ndarray of shape (n_alphas, n_targets)
        Sum of (w_i e_i^2)^2, for the standard error.
    row_squares : ndarray of shape (n_alphas,)
        Sum of the squares of each row's sum over the targets of `share` w_i e_i^2.
    """

    def __init__(
        self, spectrum: Spectrum, alphas: np.ndarray, share: np.ndarray | None = None
    ) -> None:
        self._spectrum = spectrum
        self._alphas = alphas
        problem = spectrum.problem
        self._inverse = spectrum.inverse(alphas)
        self._inverse_t = np.ascontiguousarray(self._inverse.T)
        t = spectrum.loadings.shape[1]
        self._chunks = list(spectrum.target_chunks(len(alphas)))
        self._held = spectrum.shrunk(self._inverse) if len(self._chunks) == 1 else None
        self._mean_share = 1.0 / problem.sum_weights if problem.fit_intercept else 0.0
        self._share = np.full(t, 1.0 / t) if share is None else share
        self._row_loss: np.ndarray | None = None
        self.n_samples = 0
        self.total = np.zeros((len(alphas), t))
        self.total_of_squares = np.zeros((len(alphas), t))
        self.row_squares = np.zeros(len(alphas))

    def errors(self, X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Errors of dense rows X and targets Y, of shape (n_rows, n_alphas, n_targets).

        Predicted by the model without the row, in the units of Y; of the primal only.
        """
        parts = [part for _, part in self._errors_by_targets(X, Y, weight)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def _shrunk(self, targets: slice) -> np.ndarray:
        if self._held is not None:
            return self._held
        return self._spectrum.shrunk(self._inverse, targets)

    def _errors_by_targets(
        self, X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        spectrum = self._spectrum
        x_centre, y_centre = spectrum.problem.centre
        Z, free = spectrum.predict_parts(X - x_centre)
        leverage = product(Z * Z, self._inverse_t)
        target = Y - y_centre
        if free is not None:
            assert spectrum.free_loadings is not None
            target = target - free @ spectrum.free_loadings
            leverage += (free * free).sum(axis=1)[:, None]
        leverage += self._mean_share
        if weight is not None:
            leverage *= weight[:, None]
        np.subtract(1.0, leverage, out=leverage)
        for targets in self._chunks:
            errors = product(Z, self._shrunk(targets)).reshape(len(X), len(self._alphas), -1)
            np.subtract(target[:, None, targets], errors, out=errors)
            with np.errstate(divide="ignore", invalid="ignore"):
                errors /= leverage[:, :, None]
            yield targets, errors

    def _dual_errors(self, rows: slice) -> Iterator[tuple[slice, np.ndarray]]:
        spectrum = self._spectrum
        Q = spectrum.directions[rows]
        weight = spectrum.problem.weight
        divisor = product(Q * Q, self._inverse_t)
        if weight is not None:
            divisor *= np.sqrt(weight[rows])[:, None]
        for targets in self._chunks:
            errors = product(Q, self._shrunk(targets)).reshape(len(Q), len(self._alphas), -1)
            with np.errstate(divide="ignore", invalid="ignore"):
                errors /= divisor[:, :, None]
            if weight is not None and not weight[rows].all():
                self._without_weight(errors, rows, targets)
            yield targets, errors

    def _without_weight(self, errors: np.ndarray, rows: slice, targets: slice) -> None:
        """Rows of weight zero change nothing by being left out: their plain residuals."""
        spectrum = self._spectrum
        problem = spectrum.problem
        assert problem.weight is not None
        some = np.flatnonzero(problem.weight[rows] == 0.0)
        for a, coef in enumerate(spectrum.coefs(self._alphas)):
            residual = problem.Y[rows][some] - problem.X[rows][some] @ coef.T
            errors[some, a] = (residual - problem.intercept(coef))[:, targets]

    def add(
        self, errors: np.ndarray, weight: np.ndarray | None, targets: slice = slice(None)
    ) -> None:
        """Count errors of rows, for some targets or all in their order; they are overwritten."""
        errors *= errors
        if weight is not None:
            errors *= weight[:, None, None]
        shape = errors.shape[1:]
        flat = errors.reshape(len(errors), -1)
        self.total[:, targets] += flat.sum(axis=0).reshape(shape)
        squares = np.einsum("ij,ij->j", flat, flat).reshape(shape)
        self.total_of_squares[:, targets] += squares
        t = self.total.shape[1]
        if t > 1:
            loss = errors @ self._share[targets]
            self._row_loss = loss if self._row_loss is None else self._row_loss + loss
        if targets.stop is not None and targets.stop < t:
            return
        self.n_samples += len(errors)
        if self._row_loss is not None:
            self.row_squares += np.einsum("ij,ij->j", self._row_loss, self._row_loss)
            self._row_loss = None
        else:
            self.row_squares = self._share[0] ** 2 * self.total_of_squares[:, 0]

    def blocks(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Rows, targets and their errors, for all rows of the spectrum's problem.

        With `standardize` each row gets a model of its own, for it changes the scaling.
        """
        problem = self._spectrum.problem
        if problem.standardize:
            yield from self._refitted()
            return
        n, p = problem.shape
        first = self._chunks[0]
        wide = max(n if self._spectrum.dual else p, len(self._alphas) * (first.stop - first.start))
        step = max(1, _BLOCK_VALUES // wide)
        for begin in range(0, n, step):
            rows = slice(begin, min(begin + step, n))
            if self._spectrum.dual:
                for targets, errors in self._dual_errors(rows):
                    yield rows, targets, errors
                continue
            X = problem.X[rows]
            X = X.toarray() if problem.sparse else X
            weight = None if problem.weight is None else problem.weight[rows]
            for targets, errors in self._errors_by_targets(X, problem.Y[rows], weight):
                yield rows, targets, errors

    def _refitted(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        problem = self._spectrum.problem
        n, p = problem.shape
        penalty = Penalty(problem.fit_intercept, problem.standardize, problem.factors)
        if p >= n - 1:
            splits = consecutive_folds(n, n)
            parts = (problem.X, problem.Y, problem.weight, splits, self._alphas, penalty)
            for i, _, predicted in dual_predictions(*parts, problem.n_threads):
                errors = problem.Y[i : i + 1, None, :] - predicted
                yield slice(i, i + 1), slice(0, problem.n_targets), errors
            return
        X = problem.X.tocsr() if problem.sparse else problem.X
        for i in range(n):
            row = slice(i, i + 1)
            weight = None if problem.weight is None else problem.weight[row]
            others = problem.products
            if weight is None or weight[0] > 0.0:
                others = without_row(others, X[row], problem.Y[row], weight)
            spectrum, _ = penalty.spectrum(others, self._alphas)
            for _, targets, predicted in predictions(spectrum, self._alphas, X, row):
                yield row, targets, problem.Y[row, None, targets] - predicted

    def run(self) -> "LeaveOneOut":
        """Count all rows of the problem."""
        weight = self._spectrum.problem.weight
        for rows, targets, errors in self.blocks():
            self.add(errors, None if weight is None else weight[rows], targets)
        return self


def without_row(
    products: CentredProducts, X: Any, y: np.ndarray, weight: np.ndarray | None
) -> CentredProducts:
    """Products without one row; a column that only that row made vary is then constant."""
    row = products_of_rows(X, y, weight, 1)
    others = merged(products, row, -1)
    diagonal = others.upper.diagonal()
    flat = diagonal <= 1e-12 * products.upper.diagonal()
    if flat.any():
        others.upper[flat] = 0.0
        others.upper[:, flat] = 0.0
        others.xy[flat] = 0.0
    return others
