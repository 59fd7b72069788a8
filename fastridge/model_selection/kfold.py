"""Exact cross-validation of ridge at every alpha, from statistics or from the rows.

The rows that a split trains on give a spectrum, and so the coefficients at every alpha; the error
on its test rows is a quadratic form in their own statistics:

    sum_i w_i (y_i - x_i coef - b)^2
        = yy - 2 coef xy + coef xx coef' + W (y_mean - x_mean coef' - b)^2

Where that cancels, or where there are fewer test rows than columns or than asked alphas and
targets make cheap, residuals of the test rows themselves are formed instead. With fewer training
rows than columns the dual is used (`kfold_dual`); of large sparse rows, conjugate gradients
(`kfold_iterative`).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fastridge._typing import Index
from fastridge.designs.design import Design
from fastridge.model_selection.fold_penalty import SplitModel
from fastridge.model_selection.kfold_dual import dual_predictions
from fastridge.model_selection.kfold_iterative import (
    is_direct_affordable,
    iterated_predictions,
    iterates,
)
from fastridge.model_selection.splits import GroupedRows, Split, all_but_one, n_rows, row_sections
from fastridge.runtime.threads import product
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.problem import Problem
from fastridge.statistics.accumulate import CentredProducts, symmetric
from fastridge.statistics.gram_statistics import GramStatistics

_CANCELS = 1e-5  # of the terms of the quadratic form: below this, residuals keep more digits
_PREDICTED_VALUES = 1 << 21  # of predictions held at a time: 16 MB


class KFoldPath(NamedTuple):
    """Validation errors of every alpha in every fold."""

    alphas: np.ndarray  # (n_alphas,)
    mse: np.ndarray  # (n_alphas, n_folds, n_targets)
    mean: np.ndarray  # (n_alphas,), over folds and targets
    standard_error: np.ndarray  # (n_alphas,), of the mean over folds
    best: int


class FoldErrors(NamedTuple):
    """Squared errors of every alpha on the test rows of every split."""

    squared: np.ndarray  # (n_alphas, n_splits, n_targets), summed over rows
    weight: np.ndarray  # (n_splits,), of the rows
    n_rows: np.ndarray  # (n_splits,)
    target_squares: np.ndarray  # (n_splits, n_targets), of the test rows about their means


def statistics_errors(
    fold_stats: Sequence[GramStatistics], alphas: np.ndarray, model: SplitModel
) -> FoldErrors:
    """`FoldErrors` of folds known by their statistics."""
    empty = [k for k, stats in enumerate(fold_stats) if not stats.n_samples]
    if empty:
        raise ValueError(f"fold {empty[0]} is empty: use fewer folds, or more rows.")
    if len(fold_stats) < 2:
        raise ValueError(f"cross-validation needs at least 2 folds, got {len(fold_stats)}.")
    folds = [stats._held() for stats in fold_stats]
    squared = []
    for test, others in zip(folds, all_but_one(folds), strict=True):
        assert others is not None
        spectrum, summed = model.spectrum(others, alphas)
        squared.append(_quadratic_error(spectrum, summed, test)[0])
    return _collect(squared, folds)


def _collect(squared: list[np.ndarray], tests: Sequence[CentredProducts]) -> FoldErrors:
    return FoldErrors(
        np.stack(squared, axis=1),
        np.array([test.sum_weights for test in tests]),
        np.array([test.n_samples for test in tests]),
        np.array([test.yy for test in tests]),
    )


def row_errors(rows: GroupedRows, alphas: np.ndarray, model: SplitModel) -> FoldErrors:
    """`FoldErrors` of rows in memory."""
    design, y = rows.design, rows.y
    p = design.shape[1]
    t = 1 if y.ndim == 1 else y.shape[1]
    if iterates(rows, len(alphas)) or is_wide(rows):
        return _predicted_errors(rows, alphas, model)
    squared, tests = [], []
    for split, (train, test) in zip(rows.splits, rows.split_products(), strict=True):
        spectrum, summed = model.spectrum(train, alphas)
        # predicting costs 2 m p (p + A t), the quadratic form 4 A t p^2
        by_rows = n_rows(split.test) * (p + len(alphas) * t) < 2 * len(alphas) * t * p
        if not by_rows:
            errors, by_rows = _quadratic_error(spectrum, summed, test)
        if by_rows:
            errors = np.zeros((len(alphas), t))
            for some, targets, predicted in predictions(spectrum, summed, design, split.test):
                true = y[some].reshape(len(predicted), 1, t)[:, :, targets]
                np.subtract(true, predicted, out=predicted)
                errors[:, targets] += _weighted_squares(predicted, rows.design.weight, some)
        squared.append(errors)
        tests.append(test)
    return _collect(squared, tests)


def is_wide(rows: GroupedRows) -> bool:
    """Return whether some split has too few training rows for the Gram of the columns."""
    return too_few_rows(rows.design.shape, rows.splits, rows.design.weight)


def too_few_rows(
    shape: tuple[int, int], splits: Sequence[Split], weight: np.ndarray | None
) -> bool:
    """Return whether some split trains on no more rows than there are columns."""
    n, p = shape
    least = min(split.n_train(n) for split in splits)
    if least > p and weight is not None and not weight.all():
        least = min(int(np.count_nonzero(weight[split.train_rows(n)])) for split in splits)
    return least <= p


def _quadratic_error(
    spectrum: Spectrum, alphas: np.ndarray, test: CentredProducts
) -> tuple[np.ndarray, bool]:
    """Compute squared errors from the Gram of the test rows, of shape (n_alphas, n_targets).

    The second value says whether its terms cancelled more than residuals would.
    """
    G = symmetric(test.upper)
    squared = np.empty((len(alphas), len(test.yy)))
    cancels = False
    for targets in spectrum.target_chunks(len(alphas)):
        coefs = spectrum.coefs(alphas, targets)
        squared[:, targets], lost = coef_errors(coefs, spectrum.problem, test, G, targets)
        cancels = cancels or lost
    return squared, cancels


def coef_errors(
    coefs: np.ndarray,
    problem: Problem,
    test: CentredProducts,
    G: np.ndarray,
    targets: slice = slice(None),
    quadratic: np.ndarray | None = None,
) -> tuple[np.ndarray, bool]:
    """`_quadratic_error` of coefficients of shape (n_alphas, n_targets, n_features).

    `problem` is that of the rows they are fitted to, G the whole of ``test.upper``. `quadratic`,
    the terms ``coef G coef'`` of shape (n_alphas, n_targets), may be known.
    """
    shape, flat = coefs.shape[:2], coefs.reshape(-1, len(G))
    if quadratic is None:
        quadratic = np.einsum("ij,ij->i", product(flat, G), flat).reshape(shape)
    if shape[1] == 1:
        linear = (flat @ test.xy[:, targets]).reshape(shape)
    else:
        linear = np.einsum("atj,jt->at", coefs, test.xy[:, targets])
    total = test.yy[targets] - 2.0 * linear + quadratic
    # the quadratic form itself may be a difference of large terms
    largest = (np.abs(flat) @ np.sqrt(G.diagonal())).reshape(shape) ** 2
    cancels = bool((total < _CANCELS * (test.yy[targets] + largest)).any())
    # y_mean - x_mean coef' - b
    means, rest = test.about()
    step = (means - np.concatenate(problem.centre)) + (rest - np.concatenate(problem.centre_rest))
    shift = step[len(G) :][targets] - coefs @ step[: len(G)]
    return np.maximum(total, 0.0) + test.sum_weights * shift**2, cancels


def predictions(
    spectrum: Spectrum, alphas: np.ndarray, design: Design, rows: Index
) -> Iterator[tuple[Index, slice, np.ndarray]]:
    """Yield some rows, some targets, and the predictions of a primal's models for them.

    Predictions have shape (n_rows, n_alphas, n_targets).
    """
    (x_mean, y_mean), (x_rest, _) = spectrum.problem.centre, spectrum.problem.centre_rest
    inverse = spectrum.inverse(alphas)
    chunks = list(spectrum.target_chunks(len(alphas)))
    width = max(design.shape[1], len(alphas) * (chunks[0].stop - chunks[0].start))
    held = [spectrum.shrunk(inverse, chunks[0])] if len(chunks) == 1 else []
    for some in row_sections(rows, design.shape[1], max(1, _PREDICTED_VALUES // width)):
        centred = design.dense(some) - x_mean
        centred -= x_rest
        Z, free = spectrum.predict_parts(centred)
        for targets in chunks:
            shrunk = held[0] if held else spectrum.shrunk(inverse, targets)
            predicted = product(Z, shrunk).reshape(len(Z), len(alphas), -1)
            predicted += y_mean[targets]
            if free is not None:
                assert spectrum.free_loadings is not None
                predicted += (free @ spectrum.free_loadings[:, targets])[:, None, :]
            yield some, targets, predicted


def _predicted_errors(rows: GroupedRows, alphas: np.ndarray, model: SplitModel) -> FoldErrors:
    splits = rows.splits
    Y = rows.y.reshape(len(rows.y), -1).astype(float, copy=False)
    squared = np.zeros((len(alphas), len(splits), Y.shape[1]))
    for k, some, predicted in each_prediction(rows, alphas, model):
        np.subtract(Y[some][:, None, :], predicted, out=predicted)
        squared[:, k] += _weighted_squares(predicted, rows.design.weight, some)
    count, total, squares = [], [], []
    for _, test in splits:
        w = np.ones(n_rows(test)) if rows.design.weight is None else rows.design.weight[test]
        if not w.any():
            raise ValueError(
                "sample_weight is zero for all test rows of a split: use fewer splits."
            )
        count.append(np.count_nonzero(w))
        total.append(w.sum())
        squares.append(squares_about_mean(Y[test], w))
    return FoldErrors(squared, np.array(total), np.array(count), np.array(squares))


def _weighted_squares(errors: np.ndarray, weight: np.ndarray | None, rows: Index) -> np.ndarray:
    """Return sum_i w_i e_i^2, of shape (n_alphas, n_targets); `errors` is overwritten."""
    flat = errors.reshape(len(errors), -1)
    if weight is None:
        total = np.einsum("ij,ij->j", flat, flat)
    else:
        w = weight[rows]
        flat[w == 0.0] = 0.0  # their squares may overflow
        total = np.einsum("ij,ij,i->j", flat, flat, w)
    return total.reshape(errors.shape[1:])


def squares_about_mean(Y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted sums of squares of targets about their means, of rows with weight."""
    if not weight.all():
        Y, weight = Y[weight > 0.0], weight[weight > 0.0]
    squares: np.ndarray = weight @ (Y - weight @ Y / weight.sum()) ** 2
    return squares


def each_prediction(
    rows: GroupedRows, alphas: np.ndarray, model: SplitModel
) -> Iterator[tuple[int, Index, np.ndarray]]:
    """Yield (split, test rows, predictions of shape (n_rows, n_alphas, n_targets))."""
    if not iterates(rows, len(alphas)):
        yield from _direct_predictions(rows, alphas, model)
        return
    for k, split in enumerate(rows.splits):
        predicted, note = iterated_predictions(rows, split, alphas, model)
        if note is not None and is_direct_affordable(rows):
            one = GroupedRows(rows.design, rows.y, [split])
            for _, some, predicted in _direct_predictions(one, alphas, model):
                yield k, some, predicted
            continue
        if note is not None:
            model.notes.append("in cross-validation, " + note)
        yield k, split.test, predicted


def _direct_predictions(
    rows: GroupedRows, alphas: np.ndarray, model: SplitModel
) -> Iterator[tuple[int, Index, np.ndarray]]:
    """`each_prediction` by eigenvectors."""
    if is_wide(rows):
        yield from dual_predictions(rows.design, rows.y, rows.splits, alphas, model)
        return
    products = rows.split_products()
    for k, (split, (train, _)) in enumerate(zip(rows.splits, products, strict=True)):
        spectrum, summed = model.spectrum(train, alphas)
        t = spectrum.loadings.shape[1]
        whole = np.empty((0, 0, 0))
        for some, targets, predicted in predictions(spectrum, summed, rows.design, split.test):
            if targets == slice(0, t):
                yield k, some, predicted
                continue
            if targets.start == 0:
                whole = np.empty((len(predicted), len(alphas), t))
            whole[:, :, targets] = predicted
            if targets.stop == t:
                yield k, some, whole
