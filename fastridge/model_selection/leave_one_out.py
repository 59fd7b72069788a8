"""Exact leave-one-out errors of ridge at every alpha from one spectrum.

The error of row i, predicted by the model that is fitted without it, is e_i / (1 - h_i), with the
residual e_i and the leverage h_i of the model fitted to all rows (Allen, "The relationship between
variable selection and data augmentation and a method for prediction", Technometrics 16, 1974). In
the eigenbasis of `spectrum`, two matrix multiplications give these for all alphas at once:

    primal   Z = X T:    e = y - Z diag(1/(l + alpha)) c,   h = w (1/W + (Z * Z) 1/(l + alpha))
    dual     e / (1 - h) = R^-1 Q diag(1/(l + alpha)) q  /  (Q * Q) 1/(l + alpha)

The dual's quotient loses no digits where h is near one. In the primal, rows with such leverage are
set apart (`high_leverage`), which takes a spectrum of the other rows. Rows are processed in blocks,
so the memory needed in addition to the data is that of one block.
"""

from collections.abc import Iterator

import numpy as np

from fastridge.model_selection.fold_penalty import SplitModel
from fastridge.model_selection.graded_dual import graded_errors, is_graded
from fastridge.model_selection.high_leverage import (
    LEAST_LEFT,
    RowsApart,
    counted_rows,
    determines_less,
    dominant_rows,
    far_rows,
    hides_rows,
    may_have_far_rows,
    spectrum_without,
    without_rounding,
    without_row,
)
from fastridge.model_selection.kfold import predictions
from fastridge.model_selection.kfold_dual import dual_predictions
from fastridge.model_selection.splits import consecutive_folds
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import product
from fastridge.solvers.direct.dual_spectrum import dual_spectrum
from fastridge.solvers.direct.spectrum import Spectrum

_BLOCK_VALUES = 1 << 19  # of a block's rows, or of its errors at all alphas
_EPS = float(np.finfo(float).eps)
_REFIT_FLOPS = 2e10  # of fitting again without each row, where nothing else keeps the digits
_LOST = 1e-9  # of an error, as rounding
MAX_ROUNDS = 30  # of setting rows apart, since each may uncover others
_SPARE_ROWS = 1.1  # times the columns: with fewer other rows the dual is used


class LeaveOneOut:
    """Sums of the squared leave-one-out errors of the blocks of rows that were added.

    Parameters
    ----------
    spectrum : Spectrum
        Of the problem that holds all rows; it may be known from statistics alone.
    alphas : ndarray of shape (n_alphas,)
    share : ndarray of shape (n_targets,), optional
        Weight of each target in `row_squares`; by default they are equal.
    apart : (X, Y, weight), optional
        Rows of high leverage. `spectrum` is then that of the other rows, and `errors` must be given
        only those other rows.

    Attributes
    ----------
    n_samples : int
        Rows with weight that were added.
    least_left : float
        The least 1 - h among the rows that `errors` was given. If this is below `LEAST_LEFT`,
        digits are lost: set apart the rows for which `is_high` is True.
    left : ndarray of shape (n_rows, n_alphas)
        1 - h of the rows of the last block; not where each row has a model of its own.
    total : ndarray of shape (n_alphas, n_targets)
        Sum of w_i e_i^2.
    total_of_squares : ndarray of shape (n_alphas, n_targets)
        Sum of (w_i e_i^2)^2, for the standard error.
    row_squares : ndarray of shape (n_alphas,)
        Sum over the rows of (sum over the targets of `share` w_i e_i^2)^2.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        alphas: np.ndarray,
        share: np.ndarray | None = None,
        apart: tuple[np.ndarray, np.ndarray, np.ndarray | None] | None = None,
    ) -> None:
        self._alphas = alphas
        self._least = int(alphas.argmin())
        t = spectrum.loadings.shape[1]
        self._share = np.full(t, 1.0 / t) if share is None else share
        self._use_spectrum(spectrum, apart)
        self._begin()

    def _use_spectrum(
        self,
        spectrum: Spectrum,
        apart: tuple[np.ndarray, np.ndarray, np.ndarray | None] | None = None,
    ) -> None:
        """Use this spectrum from here on."""
        self._spectrum = spectrum
        problem = spectrum.problem
        self._inverse = spectrum.inverse(self._alphas)
        self._limits = np.flatnonzero(self._alphas == 0.0)
        if not spectrum.dual or self._inverse[self._least].all():
            self._limits = self._limits[:0]
        # at alpha = 0 with lost directions, hold the limit of alpha / (l + alpha): 1 along them
        self._inverse[self._limits] = self._inverse[self._limits] == 0.0
        self._rounding = (1e3 * len(spectrum.values) * _EPS) ** 2
        self._inverse_t = np.ascontiguousarray(self._inverse.T)
        self._mean_share = 1.0 / problem.design.sum_weights if problem.design.fit_intercept else 0.0
        self._apart = None if apart is None else RowsApart(spectrum, self._alphas, *apart)
        self._chunks = list(spectrum.target_chunks(len(self._alphas)))
        self._held = None
        if len(self._chunks) == 1:
            self._held = self._shrunk(self._chunks[0])

    def _begin(self) -> None:
        """Forget the rows that were added."""
        shape = self._share.shape
        self._row_loss: np.ndarray | None = None
        self.n_samples = 0
        self.least_left = np.inf
        self.total = np.zeros((len(self._alphas), *shape))
        self.total_of_squares = np.zeros((len(self._alphas), *shape))
        self.row_squares = np.zeros(len(self._alphas))

    def errors(self, X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Return the errors of dense rows X and targets Y, of shape (n_rows, n_alphas, n_targets).

        Predicted by the model without the row, in the units of Y; of the primal only.
        """
        parts = [part for _, part in self._errors_by_targets(X, Y, weight)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def is_high(self, X: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Return whether the leverage of each row is so near one that it is to be set apart."""
        Z, free = self._along(X, weight)
        Z = counted_rows(Z, weight)
        leverage = product(Z * Z, self._inverse_t[:, self._least]) + self._mean_share
        if free is not None:
            free = counted_rows(free, weight)
            leverage += (free * free).sum(axis=1)
        if weight is not None:
            leverage *= weight
        return ~(1.0 - leverage > LEAST_LEFT)

    def _along(
        self, X: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the rows along the directions; exactly zero along those that are not spanned."""
        spectrum = self._spectrum
        centred = X - spectrum.problem.design.centre
        centred -= spectrum.problem.centre_rest[0]
        Z, free = spectrum.predict_parts(centred)
        fitted = np.ones(len(X), dtype=bool) if weight is None else weight > 0.0
        return without_rounding(spectrum, Z, X, fitted), free

    @property
    def errors_apart(self) -> np.ndarray:
        """Errors of the rows set apart, of shape (n_apart, n_alphas, n_targets)."""
        assert self._apart is not None
        return self._apart.errors

    def _shrunk(self, targets: slice) -> np.ndarray:
        if self._held is not None:
            return self._held
        if not len(self._spectrum.values):
            return np.empty((0, len(self._alphas) * (targets.stop - targets.start)))
        if self._apart is not None:
            some = self._apart.shrunk[:, :, targets]
            return some.reshape(len(some), -1)
        return self._spectrum.shrunk(self._inverse, targets)

    def _errors_by_targets(
        self, X: np.ndarray, Y: np.ndarray, weight: np.ndarray | None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        spectrum = self._spectrum
        Z, free = self._along(X, weight)
        counted, counted_free = counted_rows(Z, weight), None
        leverage = product(counted * counted, self._inverse_t)
        target = Y - spectrum.problem.y_centre
        target -= spectrum.problem.centre_rest[1]
        if free is not None:
            assert spectrum.free_loadings is not None
            counted_free = counted_rows(free, weight)
            if self._apart is None:
                target = target - free @ spectrum.free_loadings
            leverage += (counted_free * counted_free).sum(axis=1)[:, None]
        leverage += self._mean_share
        apart = self._apart
        if apart is not None:
            leverage -= apart.leverage_taken(counted, counted_free)
        if weight is not None:
            leverage *= weight[:, None]
        self.left = np.subtract(1.0, leverage, out=leverage)
        self.least_left = np.minimum(self.least_left, leverage[:, self._least].min(initial=np.inf))
        for targets in self._chunks:
            shape = (len(X), len(self._alphas), targets.stop - targets.start)
            errors = product(Z, self._shrunk(targets)).reshape(shape)
            np.subtract(target[:, None, targets], errors, out=errors)
            if apart is not None:
                errors -= apart.shift[:, targets]
                if free is not None and apart.free is not None:
                    errors -= np.matmul(free, apart.free[:, :, targets]).transpose(1, 0, 2)
            with np.errstate(divide="ignore", invalid="ignore"):
                errors /= leverage[:, :, None]
            yield targets, errors

    def _dual_errors(self, rows: slice) -> Iterator[tuple[slice, np.ndarray]]:
        spectrum = self._spectrum
        Q = spectrum.directions[rows]
        weight = spectrum.problem.design.weight
        divisor = product(Q * Q, self._inverse_t)
        self.left = divisor * self._alphas
        self.left[:, self._limits] = divisor[:, self._limits]
        # rows without a component along the lost directions: their leverage is one
        at_one = divisor[:, self._limits[:1]] <= self._rounding
        at_one = np.flatnonzero(at_one)
        if len(at_one):
            self.left[np.ix_(at_one, self._limits)] = 0.0
            inverse = spectrum.inverse(np.zeros(1))[0]
            divisor[np.ix_(at_one, self._limits)] = (Q[at_one] ** 2 @ inverse)[:, None]
        if weight is not None:
            divisor *= np.sqrt(weight[rows])[:, None]
        for targets in self._chunks:
            shape = (len(Q), len(self._alphas), targets.stop - targets.start)
            errors = product(Q, self._shrunk(targets)).reshape(shape)
            if len(at_one):
                limit = Q[at_one] @ (inverse[:, None] * spectrum.loadings[:, targets])
                errors[np.ix_(at_one, self._limits)] = limit[:, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                errors /= divisor[:, :, None]
            if weight is not None and not weight[rows].all():
                self._without_weight(errors, rows, targets)
            yield targets, errors

    def _without_weight(self, errors: np.ndarray, rows: slice, targets: slice) -> None:
        """Set the errors of rows of weight zero to their residuals: the fit ignores them."""
        spectrum = self._spectrum
        problem = spectrum.problem
        assert problem.design.weight is not None
        some = np.flatnonzero(problem.design.weight[rows] == 0.0)
        for a, coef in enumerate(spectrum.coefs(self._alphas)):
            residual = problem.loss.Y[rows][some] - problem.design.X[rows][some] @ coef.T
            errors[some, a] = (residual - problem.intercept(coef))[:, targets]

    def add(
        self, errors: np.ndarray, weight: np.ndarray | None, targets: slice = slice(None)
    ) -> None:
        """Add errors of rows to the sums, targets in increasing order; `errors` is overwritten."""
        if weight is not None:
            errors[weight == 0.0] = 0.0  # their squares may overflow
        errors *= errors
        if weight is not None:
            errors *= weight[:, None, None]
        shape = errors.shape[1:]
        flat = errors.reshape(len(errors), shape[0] * shape[1])  # of no rows too
        self.total[:, targets] += flat.sum(axis=0).reshape(shape)
        squares = np.einsum("ij,ij->j", flat, flat).reshape(shape)
        self.total_of_squares[:, targets] += squares
        t = self.total.shape[1]
        if t > 1:
            loss = errors @ self._share[targets]
            self._row_loss = loss if self._row_loss is None else self._row_loss + loss
        if targets.stop is not None and targets.stop < t:
            return
        self.n_samples += len(errors) if weight is None else int(np.count_nonzero(weight))
        if self._row_loss is not None:
            self.row_squares += np.einsum("ij,ij->j", self._row_loss, self._row_loss)
            self._row_loss = None
        else:
            self.row_squares = self._share[0] ** 2 * self.total_of_squares[:, 0]

    def blocks(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield rows, targets and their errors, for all rows of the spectrum's problem.

        With `standardize` each row gets a model of its own, because leaving it out changes the
        scaling. If a leverage near one is found, the sums are reset and all rows are yielded again.
        """
        problem = self._spectrum.problem
        if problem.penalty.standardize:
            yield from self._refitted()
            return
        if self._spectrum.dual:
            yield from self._dual_blocks()
            return
        far = np.empty(0, dtype=np.intp)
        if may_have_far_rows(problem):
            n_null = int(np.count_nonzero(self._spectrum.values == 0.0))
            far = far_rows(problem) if hides_rows(problem, n_null) else far
        if not len(far):
            for block in self._primal_blocks():
                if not self.least_left > LEAST_LEFT:
                    break
                yield block
            else:
                return
        self._begin()
        yield from self._blocks_with_rows_apart(far)

    def _steps(self) -> Iterator[slice]:
        n, p = self._spectrum.problem.design.shape
        first = self._chunks[0]
        wide = max(n if self._spectrum.dual else p, len(self._alphas) * (first.stop - first.start))
        step = max(1, _BLOCK_VALUES // wide)
        for begin in range(0, n, step):
            yield slice(begin, min(begin + step, n))

    def _dual_blocks(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        spectrum, weight = self._spectrum, self._spectrum.problem.design.weight
        n, p = spectrum.problem.design.n_counted, spectrum.problem.design.shape[1]
        lost = self._lost_rows()
        if 20.0 * len(lost) * min(n, p) ** 2 * max(n, p) > _REFIT_FLOPS:
            lost = lost[:0]
        refitted = {int(i): self._error_without(int(i)) for i in lost}
        if is_graded(spectrum, self._alphas):
            yield from self._graded_blocks(refitted)
            return
        for rows in self._steps():
            alone: dict[int, np.ndarray] = {}
            if spectrum.n_free:
                # rows that a feature without a penalty fits whatever the others are
                squares = (spectrum.directions[rows] ** 2).sum(axis=1)
                alone = {
                    int(i): self._error_without(rows.start + int(i))
                    for i in np.flatnonzero(squares <= self._rounding)
                    if weight is None or weight[rows.start + i] > 0.0
                }
            for targets, errors in self._dual_errors(rows):
                for i, error in alone.items():
                    errors[i], self.left[i] = error[:, targets], 0.0
                for i, error in refitted.items():
                    if rows.start <= i < rows.stop:
                        errors[i - rows.start] = error[:, targets]
                yield rows, targets, errors

    def _lost_rows(self) -> np.ndarray:
        """Return the indices of rows with weight whose errors are lost in rounding.

        A row that is nearly alone along a long direction has a leverage near one. Rounding along
        short directions, where 1 / (l + alpha) is large, hides its component along the long one.
        """
        spectrum, alpha = self._spectrum, float(self._alphas[self._least])
        problem, Q = spectrum.problem, spectrum.directions
        inverse = self._inverse[self._least]
        left = alpha * product(Q * Q, inverse)
        shrunk = inverse[:, None] * spectrum.loadings
        rounding = 4.0 * _EPS * np.abs(shrunk).max(axis=0, initial=0.0)
        share = np.abs(product(Q, shrunk))
        lost = (left < LEAST_LEFT) & (rounding > _LOST * share).any(axis=1)
        if problem.design.weight is not None:
            lost &= problem.design.weight > 0.0
        return np.flatnonzero(lost)

    def _graded_blocks(
        self, refitted: dict[int, np.ndarray]
    ) -> Iterator[tuple[slice, slice, np.ndarray]]:
        weight = self._spectrum.problem.design.weight
        errors, left = graded_errors(self._spectrum.problem, self._alphas)
        for i, error in refitted.items():
            errors[i] = error
        for rows in self._steps():
            self.left = left[rows]
            for targets in self._chunks:
                some = errors[rows, :, targets].copy()
                if weight is not None and not weight[rows].all():
                    self._without_weight(some, rows, targets)
                yield rows, targets, some

    def _primal_blocks(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        problem = self._spectrum.problem
        for rows in self._steps():
            weight = None if problem.design.weight is None else problem.design.weight[rows]
            for targets, errors in self._errors_by_targets(
                problem.design.dense(rows), problem.loss.Y[rows], weight
            ):
                yield rows, targets, errors

    def _blocks_with_rows_apart(self, far: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """`blocks` where some rows are far from the others, or have leverage near one."""
        whole = self._spectrum
        problem = whole.problem
        n, p = problem.design.shape
        least = float(self._alphas[self._least])
        some = far if len(far) else self._high_rows(np.zeros(n, dtype=bool))
        for last in [False] * MAX_ROUNDS + [True]:
            if problem.design.n_counted - len(some) < _SPARE_ROWS * p + 1:
                self._use_spectrum(dual_spectrum(problem, least, "auto"))
                yield from self._dual_blocks()
                return
            others = spectrum_without(problem, some, least)
            if determines_less(others, whole, least):
                self._use_spectrum(whole)
                yield from self._refitted_some(some)
                return
            self._use_spectrum(others)
            apart = np.zeros(n, dtype=bool)
            apart[some] = True
            more = some[:0] if last else self._high_rows(apart)
            if not len(more):
                break
            some = np.sort(np.append(some, more))
        weight = None if problem.design.weight is None else problem.design.weight[some]
        self._use_spectrum(others, (problem.design.dense(some), problem.loss.Y[some], weight))
        assert self._apart is not None
        yield from self._with_errors(
            self.errors_apart, self._apart.left, some, problem.design.weight
        )

    def _high_rows(self, known: np.ndarray) -> np.ndarray:
        """Return the indices of rows whose leverage is near one, without those known."""
        problem = self._spectrum.problem
        found = [np.empty(0, dtype=np.intp)]
        for rows in self._steps():
            weight = None if problem.design.weight is None else problem.design.weight[rows]
            high = self.is_high(problem.design.dense(rows), weight) & ~known[rows]
            found.append(rows.start + np.flatnonzero(high))
        return np.concatenate(found)

    def _with_errors(
        self, errors: np.ndarray, left: np.ndarray, some: np.ndarray, weight: np.ndarray | None
    ) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield blocks of all rows; the errors and 1 - h of some of them are given."""
        problem = self._spectrum.problem
        for rows in self._steps():
            w = None if weight is None else weight[rows]
            inside = slice(*np.searchsorted(some, [rows.start, rows.stop]))
            for targets, block in self._errors_by_targets(
                problem.design.dense(rows), problem.loss.Y[rows], w
            ):
                block[some[inside] - rows.start] = errors[inside, :, targets]
                self.left[some[inside] - rows.start] = left[inside]
                yield rows, targets, block

    def _refitted_some(self, some: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield blocks of all rows; for each of `some`, the other rows are fitted again.

        These are rows without which a coefficient is not determined.
        """
        errors = np.array([self._error_without(int(i)) for i in some])
        weight = self._spectrum.problem.design.weight
        yield from self._with_errors(errors, np.zeros(errors.shape[:2]), some, weight)

    def _error_without(self, i: int) -> np.ndarray:
        """Return the error of row i by fitting the others again, (n_alphas, n_targets)."""
        problem = self._spectrum.problem
        least = float(self._alphas[self._least])
        # by singular values: the row may be far along a direction that the Gram rounds away
        others = spectrum_without(problem, np.array([i]), least, "svd")
        x_centre, y_centre = others.problem.centre
        x = problem.design.dense(slice(i, i + 1))[0] - x_centre
        error: np.ndarray = problem.loss.Y[i] - y_centre - others.coefs(self._alphas) @ x
        return error

    def _refitted(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        problem = self._spectrum.problem
        n, p = problem.design.shape
        penalty = L2Penalty(
            standardize=problem.penalty.standardize, factors=problem.penalty.factors
        )
        model = SplitModel(penalty, problem.design.fit_intercept)
        least = float(self._alphas[self._least])
        if p >= problem.design.n_counted - 1:
            splits = consecutive_folds(n, n)
            parts = (problem.design, problem.loss.Y, splits, self._alphas, model)
            for i, _, predicted in dual_predictions(*parts):
                errors = problem.loss.Y[i : i + 1, None, :] - predicted
                yield slice(i, i + 1), slice(0, problem.loss.n_targets), errors
            return
        products = problem.accumulated().design.statistics
        assert products is not None
        design = problem.design.by_rows()
        # with leverage near one, a difference of matrix products would lose its digits
        high = np.ones(n, dtype=bool)
        if not self._spectrum.dual:
            high = dominant_rows(problem, LEAST_LEFT)
            high[self._high_rows(high)] = True
        for i in range(n):
            row = slice(i, i + 1)
            weight = None if problem.design.weight is None else problem.design.weight[row]
            if weight is not None and weight[0] == 0.0:
                spectrum = self._spectrum
                if spectrum.dual:
                    spectrum, _ = model.spectrum(products, self._alphas)
            elif high[i]:
                spectrum = spectrum_without(problem, np.array([i]), least, "svd")
            else:
                others = without_row(products, design.rows(row), problem.loss.Y[row])
                spectrum, _ = model.spectrum(others, self._alphas)
            for _, targets, predicted in predictions(spectrum, self._alphas, design, row):
                yield row, targets, problem.loss.Y[row, None, targets] - predicted

    def run(self) -> "LeaveOneOut":
        """Add the errors of all rows of the problem to the sums; return this object."""
        weight = self._spectrum.problem.design.weight
        for rows, targets, errors in self.blocks():
            self.add(errors, None if weight is None else weight[rows], targets)
        return self
