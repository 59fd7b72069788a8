"""Scores of kernel ridge on folds: one reduction of each training matrix for every alpha."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fastridge._typing import Matrix
from fastridge.designs.kernel_functions import Kernel
from fastridge.designs.kernel_products import kernel_products
from fastridge.kernel_ridge.kernel_model import matrix_of
from fastridge.linear_model.scoring import (
    FROM_SQUARES,
    fold_scores,
    of_rows,
    score_predictions,
)
from fastridge.model_selection.kernel_leave_one_out import all_dual_coefs
from fastridge.model_selection.kfold import FoldErrors, squares_about_mean
from fastridge.model_selection.splits import Split
from fastridge.solvers.kernel.direct import square_matrix
from fastridge.solvers.kernel.tridiagonal import Tridiagonal


class FoldRows(NamedTuple):
    """Rows, and the splits of them."""

    X: Matrix
    y: np.ndarray
    weight: np.ndarray | None
    splits: Sequence[Split]


class FoldScoring(NamedTuple):
    """A score, and what its scorer takes."""

    label: str
    scorer: Callable[..., float] | None
    params: dict[str, object]
    per_target: bool


def scores_on_folds(
    kernel: Kernel, rows: FoldRows, alphas: np.ndarray, scoring: FoldScoring, n_threads: int
) -> np.ndarray:
    """Return the scores of every alpha and split, (n_alphas, n_splits, n_targets or 1)."""
    y, n_targets = rows.y, rows.y[:1].size
    width = n_targets if scoring.per_target else 1
    scores = np.empty((len(alphas), len(rows.splits), width))
    squared, weights, counts, totals = [], [], [], []
    for k, (test, predicted) in enumerate(_predictions(kernel, rows, alphas, n_threads)):
        true = y[test].reshape(predicted.shape[1:])
        weight = np.ones(len(test)) if rows.weight is None else rows.weight[test]
        if scoring.label in FROM_SQUARES:
            squared.append(np.einsum("i,aij->aj", weight, (true - predicted) ** 2))
            weights.append(weight.sum())
            counts.append(np.count_nonzero(weight))
            totals.append(squares_about_mean(true, weight))
            continue
        assert scoring.scorer is not None
        given = {name: of_rows(value, test, len(y)) for name, value in scoring.params.items()}
        for a, values in enumerate(predicted):
            shaped = values.reshape(y[test].shape)
            scores[a, k] = score_predictions(
                scoring.scorer, shaped, y[test], scoring.per_target, given
            )
    if scoring.label in FROM_SQUARES:
        errors = FoldErrors(
            np.stack(squared, axis=1), np.array(weights), np.array(counts), np.array(totals)
        )
        scores = fold_scores(errors, scoring.label)
    return scores if scoring.per_target else scores.mean(axis=2, keepdims=True)


def _predictions(
    kernel: Kernel, rows: FoldRows, alphas: np.ndarray, n_threads: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the indices of test rows, and predictions of shape (n_alphas, n_rows, n_targets)."""
    n, X, weight = len(rows.y), rows.X, rows.weight
    targets = rows.y.reshape(n, -1).T
    for split in rows.splits:
        train, test = split.train_rows(n), np.arange(n)[split.test]
        if weight is not None:
            train = train[weight[train] > 0.0]
            if not len(train) or not weight[test].any():
                raise ValueError("cv gives a split without weight in its training or test rows.")
        root = np.ones(len(train)) if weight is None else np.sqrt(weight[train])
        some = X[train]
        given = kernel.name == "precomputed"
        matrix = matrix_of(kernel, some[:, train] if given else some)
        system = Tridiagonal(square_matrix(matrix, root, n_threads)[0])
        coefs = all_dual_coefs(system, targets[:, train], root, alphas)
        vectors = coefs.reshape(-1, len(train))
        if given:
            products = vectors @ X[test][:, train].T
        else:
            products = kernel_products(kernel, X[test], some, vectors, n_threads)
        shape = (len(targets), len(alphas), len(test))
        yield test, products.reshape(shape).transpose(1, 2, 0)
