"""Cross-validation with more columns than training rows: every split from one Gram of the rows.

With K = X S^-1 X' over all rows, about any centre, a split's own centre is put in afterwards:

    omega = w / W over the training rows
    Kc[a, b] = K[a, b] - (K omega)[a] - (K omega)[b] + omega' K omega

so X is read once. If each split standardises the columns by its own rows, each has its own S and K.
"""

import operator
from collections.abc import Iterator, Sequence

import numpy as np

from fastridge._typing import Index, Matrix
from fastridge.designs.design import Design
from fastridge.designs.sparse import DENSE_VALUES
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.fold_penalty import SplitModel
from fastridge.model_selection.splits import Split
from fastridge.penalties.l2 import L2Penalty
from fastridge.runtime.threads import call_lapack, call_once_over, product
from fastridge.solvers.direct.dual_spectrum import orthonormal, without_basis
from fastridge.solvers.direct.graded_svd import rounding
from fastridge.solvers.direct.spectrum import spans
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import symmetric

_EPS = float(np.finfo(float).eps)
_CHUNK_VALUES = 1 << 21  # of dual coefficients made at a time: 16 MB


def dual_predictions(
    rows: Design,
    y: np.ndarray,
    splits: Sequence[Split],
    alphas: np.ndarray,
    model: SplitModel,
) -> Iterator[tuple[int, Index, np.ndarray]]:
    """Yield (split, rows, predictions), with predictions of shape (n_rows, n_alphas, n_targets)."""
    p, weight = rows.shape[1], rows.weight
    penalty, fit_intercept = model.penalty, model.fit_intercept
    # about the mean of all rows, which is near every split's
    design = rows.with_intercept(True)
    whole = Problem(design, SquaredLoss(y), L2Penalty(factors=penalty.factors))
    whole.check_range()
    Y = whole.loss.Y
    K: np.ndarray | None = None
    if not penalty.standardize:
        K = _whole(design.outer_gram(whole.inverse_scale))
    free = np.flatnonzero(np.zeros(p) if penalty.factors is None else penalty.factors == 0.0)
    for k, split in enumerate(splits):
        train, test = split.train_rows(len(y)), split.test
        w = np.ones(len(train)) if weight is None else weight[train]
        if not w.any():
            raise ValueError(
                "sample_weight is zero for all training rows of a split: use fewer splits, or "
                "splits that hold rows with weight."
            )
        if not w.all():  # rows without weight would be directions of their own
            train, w = train[w > 0.0], w[w > 0.0]
        kernel = K
        if kernel is None:
            own = _training_rows(whole, train, model)
            # exactly: other rows may be far along columns that are constant here
            inverse = np.where(own.design.squares > 0.0, own.inverse_scale, 0.0)
            kernel = _whole(design.outer_gram(inverse, centre=own.design.centre))
        origin = design.mean if K is not None else None
        omega = w / w.sum()
        if fit_intercept:
            Kc = call_once_over(6 * kernel.size, _centred, kernel, train, omega)
        else:
            Kc = call_once_over(2 * kernel.size, operator.getitem, kernel, (slice(None), train))
            if origin is not None:  # about zero, not about the mean
                along = _about_zero(rows.X, origin, whole.inverse_scale, train)
                shift = call_once_over(2 * kernel.size, np.add.outer, *along)
                Kc = call_once_over(2 * kernel.size, operator.iadd, Kc, shift)
        y_mean = omega @ Y[train] if fit_intercept else np.zeros(Y.shape[1])
        F = np.asarray(rows.dense_columns(free), dtype=float)
        if fit_intercept:
            flat = (F[train] == F[train[0]]).all(axis=0)
            for _ in range(2):  # what the mean's rounding left goes the second time
                F = F - omega @ F[train]
            F[:, flat] = 0.0
        length = np.sqrt(w @ F[train] ** 2)  # units decide no rank
        F = F * np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
        summed = alphas * w.sum() if penalty.alpha_scale == "mean" else alphas
        K_train = call_once_over(2 * Kc.size, operator.getitem, Kc, train)
        parts = (K_train, Y[train] - y_mean, w, F[train], fit_intercept)
        fitted = call_lapack(len(train), _DualModel, *parts)
        least = float(summed.min())
        some = len(train) * p <= DENSE_VALUES
        if spans(fitted.values, least, fitted.top) and (some or not design.sparse):
            # too few digits in the Gram: from singular values of the training rows
            own = _training_rows(whole, train, model)
            coefs = spectrum_of(own, least).coefs(summed)
            predicted = np.asarray(product(rows.X[test], coefs.reshape(-1, p).T))
            yield k, test, predicted.reshape(-1, *coefs.shape[:2]) + own.intercept(coefs)
            continue
        yield k, test, fitted.predict(Kc[test], F[test], summed) + y_mean


class _DualModel:
    """Eigenvectors of the training rows' Gram, and from them predictions for other rows."""

    def __init__(
        self, K: np.ndarray, Y: np.ndarray, w: np.ndarray, F: np.ndarray, intercept: bool
    ) -> None:
        self._root = np.sqrt(w)
        self._F, self._Y, self._K = F, Y, K
        parts = [self._root[:, None]] if intercept else []
        parts.append(F * self._root[:, None])
        basis = orthonormal(np.hstack(parts))[0]
        weighted = Y * self._root[:, None]
        weighted -= basis @ (basis.T @ weighted)
        K = K * self._root * self._root[:, None]
        # projecting out the features without a penalty has left rounding
        self.top = float(np.abs(K).sum(axis=1).max()) if F.shape[1] else 0.0
        self.values, self._Q = without_basis(K, basis)
        self._loadings = self._Q.T @ weighted

    def predict(self, K: np.ndarray, F: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return predictions of shape (n_rows, n_alphas, n_targets), about the training mean."""
        denominator = self.values + alphas[:, None]
        # directions that the rows do not span only add rounding
        kept = self.values > K.shape[1] * _EPS * self.values.max(initial=self.top)
        inverse = np.divide(
            1.0, denominator, out=np.zeros_like(denominator), where=kept & (denominator > 0.0)
        )
        n_alphas, t = len(alphas), self._loadings.shape[1]
        predicted = np.empty((len(K), n_alphas, t))
        step = max(1, _CHUNK_VALUES // (n_alphas * max(1, len(self._root))))
        for begin in range(0, t, step):
            targets = slice(begin, begin + step)
            part = self._predict(K, F, inverse, targets)
            predicted[:, :, targets] = part.reshape(len(K), n_alphas, -1)
        return predicted

    def _predict(
        self, K: np.ndarray, F: np.ndarray, inverse: np.ndarray, targets: slice
    ) -> np.ndarray:
        shrunk = inverse.T[:, :, None] * self._loadings[:, None, targets]  # (r, A, t)
        shrunk = shrunk.reshape(len(shrunk), shrunk.shape[1] * shrunk.shape[2])
        dual = self._root[:, None] * product(self._Q, shrunk)
        predicted: np.ndarray = product(K, dual)
        f = self._F.shape[1]
        if f:
            left = np.repeat(self._Y[:, None, targets], len(inverse), axis=1)
            left = left.reshape(len(dual), -1) - product(self._K, dual)
            left *= self._root[:, None]
            weighted = self._F * self._root[:, None]
            cut = rounding(len(weighted))
            predicted += F @ call_lapack(f, np.linalg.lstsq, weighted, left, cut)[0]
        return predicted


def _whole(upper: np.ndarray) -> np.ndarray:
    full: np.ndarray = call_once_over(2 * upper.size, symmetric, upper)
    return full


def _centred(K: np.ndarray, train: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """Return the training rows, centred about their mean omega'X."""
    Kc: np.ndarray = K[:, train]
    part = Kc @ omega
    Kc -= part[:, None]
    Kc -= part[train]
    Kc += omega @ part[train]
    return Kc


def _training_rows(whole: Problem, train: np.ndarray, model: SplitModel) -> Problem:
    """Return the problem of a split's training rows, which are copied."""
    given = whole.design
    rows = call_once_over(4 * given.n_values, given.rows, train)
    return Problem(rows.with_intercept(model.fit_intercept), whole.loss.rows(train), model.penalty)


def _about_zero(
    X: Matrix, mean: np.ndarray, inverse: np.ndarray, train: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the terms that turn (x_a - m)'S(x_b - m) into x_a'S x_b, for rows and columns."""
    along = X @ (inverse * mean)
    return along, along[train] - float(mean @ (inverse * mean))
