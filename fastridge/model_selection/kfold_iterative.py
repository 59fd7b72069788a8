"""Cross-validation of sparse rows that are too many and too wide for a Gram matrix of either side.

Conjugate gradients solve for all alphas and targets of a split together: one multiplication with
the training rows serves all of them, and only a few vectors are kept in addition to X.
"""

import operator
from collections.abc import Iterator

import numpy as np

from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.fold_penalty import SplitModel
from fastridge.model_selection.splits import GroupedRows, Split
from fastridge.runtime.memory import memory_size
from fastridge.runtime.threads import call_once_over
from fastridge.solvers.iterative.conjugate_gradients import Found, normal_equations
from fastridge.solvers.iterative.equilibrated import Equilibrated
from fastridge.solvers.iterative.ridge import (
    ACCURACY,
    inaccurate,
    largest_eigenvalue,
    scaled_problem,
)
from fastridge.solvers.problem import Problem

_LEAST_ORDER = 1000  # of the smaller side from which iterations may pay
_MOST_ORDER = 4000  # of dense matrices: five of this order take 640 MB
_VECTOR_VALUES = 1 << 20  # of vectors as long as a row and a column together: 8 MB for each kind
_EIGEN_ARRAYS = 5  # of this order, where eigenvectors are found
_TYPICAL_STEPS = 100
_SPARSE_COST = 4.0  # of a sparse multiplication, in those of an eigenvector routine
_EIGEN_COST = 25.0  # multiplications for the eigenvectors, over the cube of the order


def iterates(rows: GroupedRows, n_alphas: int) -> bool:
    """Return whether to fit the splits by conjugate gradients instead of eigenvectors."""
    if not rows.design.sparse:
        return False
    order = _order(rows)
    if order <= _LEAST_ORDER:
        return False
    return order > _MOST_ORDER or _direct_steps(rows, n_alphas, order) > _TYPICAL_STEPS


def is_direct_affordable(rows: GroupedRows) -> bool:
    """Return whether eigenvectors may replace iterations that do not converge."""
    return _order(rows) <= _MOST_ORDER


def _order(rows: GroupedRows) -> int:
    n, p = rows.design.shape
    return min(max(split.n_train(n) for split in rows.splits), p)


def _direct_steps(rows: GroupedRows, n_alphas: int, order: int) -> float:
    """Return the number of conjugate gradient steps that cost as much as eigenvectors."""
    t = 1 if rows.y.ndim == 1 else rows.y.shape[1]
    step = (
        _SPARSE_COST * n_alphas * t * (8.0 * rows.design.n_values + 20.0 * sum(rows.design.shape))
    )
    return _EIGEN_COST * float(order) ** 3 / step


def check_affordable(problem: Problem, asked: str) -> None:
    """Raise ValueError if sparse X needs the eigenvectors of a matrix too large for memory."""
    if not problem.design.sparse:
        return
    order = min(problem.design.n_counted, problem.design.shape[1])
    need = _EIGEN_ARRAYS * 8 * order**2
    if order > _LEAST_ORDER and need > memory_size():
        raise ValueError(
            f"{asked} needs the eigenvectors of a dense {order} x {order} matrix, "
            f"{need / 1e9:.0f} GB, and this machine has {memory_size() / 1e9:.0f} GB: use "
            "RidgeCV(method='kfold') or Ridge, which solve sparse X of this size by iterations."
        )


def spectrum_top(problem: Problem) -> float:
    """Return the largest eigenvalue of the penalised Gram, by iterations."""
    scaled = Equilibrated(problem, np.ones(1), np.zeros(1, dtype=np.intp))
    lengths = scaled.penalty_lengths()
    scaled.measure_by(lengths)
    penalised = problem.scale > 0.0
    if not penalised.any():
        return 0.0

    def apply(V: np.ndarray) -> np.ndarray:
        return scaled.backward(scaled.forward(V.T * penalised[:, None])).T * penalised

    scale = float(problem.scale[penalised][0])
    squares = (scaled.squares / lengths[:, 0] ** 2)[penalised]
    top = largest_eigenvalue(apply, problem.design.shape[1], float(squares.sum()))
    return max(top, 0.0) * float(lengths[penalised][0, 0] ** 2) / scale


def iterated_predictions(
    rows: GroupedRows,
    split: Split,
    alphas: np.ndarray,
    model: SplitModel,
) -> tuple[np.ndarray, str | None]:
    """Return predictions of shape (n_rows, n_alphas, n_targets) for the test rows of a split.

    The second value says what did not converge.
    """
    whole = rows.design
    train = split.train_rows(whole.shape[0])
    design = call_once_over(8 * whole.n_values, whole.rows, train)
    if not design.n_counted:
        raise ValueError(
            "sample_weight is zero for all training rows of a split: use fewer splits, or "
            "splits that hold rows with weight."
        )
    problem = Problem(design, SquaredLoss(rows.y[train]), model.penalty)
    limit = 10 * max(problem.design.shape)
    if is_direct_affordable(rows):
        limit = min(limit, int(max(200.0, _direct_steps(rows, len(alphas), _order(rows)))))
    test = whole.rows(split.test)
    x_mean, y_mean = problem.centre
    t = problem.loss.n_targets
    predicted = np.empty((test.shape[0], len(alphas) * t))
    error, note = -1.0, None
    for vectors, scaled, found in _solutions(problem, problem.on_sums(alphas), limit):
        coef = scaled.coef(found.V)
        shift = y_mean[vectors % t] - coef @ x_mean
        work = test.n_values * len(vectors)
        fitted = call_once_over(work, operator.matmul, test.X, coef.T.copy())
        predicted[:, vectors] = fitted + shift
        said = inaccurate(found, limit)
        if said is not None and float(found.error.max()) > error:
            error, note = float(found.error.max()), said
    return predicted.reshape(len(predicted), len(alphas), t), note


def _solutions(
    problem: Problem, alphas: np.ndarray, limit: int
) -> Iterator[tuple[np.ndarray, Equilibrated, Found]]:
    """Yield indices of vectors, alpha by alpha and target by target, and their solutions."""
    t = problem.loss.n_targets
    number = np.arange(len(alphas) * t)
    # alphas that are alike take about as many steps
    order = number[np.argsort(-alphas[number // t], kind="stable")]
    step = max(1, _VECTOR_VALUES // sum(problem.design.shape))
    for begin in range(0, len(order), step):
        vectors = order[begin : begin + step]
        scaled = scaled_problem(problem, alphas[vectors // t], vectors % t)
        yield vectors, scaled, normal_equations(scaled, ACCURACY, limit, ACCURACY)
