"""Leave-one-out of rows that are read batch by batch, when some leverage is near one.

See `high_leverage`; here the statistics of the other rows are used instead of rows in memory.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fastridge.designs.dense import DenseDesign
from fastridge.designs.sparse import DENSE_VALUES
from fastridge.losses.squared import SquaredLoss
from fastridge.model_selection.high_leverage import determines_less
from fastridge.model_selection.leave_one_out import MAX_ROUNDS, LeaveOneOut
from fastridge.penalties.l2 import L2Penalty
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import Problem, problem_of
from fastridge.statistics.gram_statistics import GramStatistics

Batches = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]


def with_rows_apart(spectrum: Spectrum, alphas: np.ndarray, batches: Batches) -> LeaveOneOut | None:
    """Leave-one-out errors of all rows, with the rows of high leverage set apart.

    Parameters
    ----------
    spectrum : Spectrum
        Primal, of the statistics of all rows, which have no weights.
    alphas : ndarray of shape (n_alphas,)
    batches : callable
        Begins a reading of the rows: features and targets, both 2-dimensional, in the same order
        every time.

    Returns
    -------
    LeaveOneOut or None
        None where the other rows determine less than all rows do, which are too many to hold.
    """
    least = float(alphas.min())
    some = _high_rows(LeaveOneOut(spectrum, alphas), batches, np.empty(0, dtype=np.intp))
    for _ in range(MAX_ROUNDS):
        stats, apart = _divided(batches, some)
        if stats.n_samples <= spectrum.problem.design.shape[1]:
            return _of_held_rows(spectrum, alphas, batches)
        penalty = L2Penalty(factors=spectrum.problem.scale)
        intercept = spectrum.problem.design.fit_intercept
        problem = problem_of(stats._held(), penalty, fit_intercept=intercept)
        others = spectrum_of(problem, least)
        if determines_less(others, spectrum, least):
            return _of_held_rows(spectrum, alphas, batches)
        more = _high_rows(LeaveOneOut(others, alphas), batches, some)
        if not len(more):
            break
        some = np.sort(np.append(some, more))
    loo = LeaveOneOut(others, alphas, apart=(*apart, None))
    loo.add(loo.errors_apart.copy(), None)
    begin = 0
    for X, Y in batches():
        rest = _others(some, begin, len(X))
        begin += len(X)
        loo.add(loo.errors(X[rest], Y[rest], None), None)
    return loo


def _of_held_rows(spectrum: Spectrum, alphas: np.ndarray, batches: Batches) -> LeaveOneOut | None:
    """Compute leave-one-out of rows in memory, if they are few enough to fit again."""
    whole = spectrum.problem
    n, p = whole.design.shape
    if n * p > DENSE_VALUES:
        return None
    X, Y = (np.concatenate(parts) for parts in zip(*batches(), strict=True))
    design = DenseDesign(X, None, whole.design.fit_intercept)
    problem = Problem(design, SquaredLoss(Y), L2Penalty(factors=whole.scale))
    return LeaveOneOut(spectrum_of(problem, float(alphas.min()), leverage=True), alphas).run()


def _others(some: np.ndarray, begin: int, n_rows: int) -> np.ndarray:
    """Return whether each row of a batch is one of the others."""
    rest = np.ones(n_rows, dtype=bool)
    rest[some[(some >= begin) & (some < begin + n_rows)] - begin] = False
    return rest


def _high_rows(loo: LeaveOneOut, batches: Batches, known: np.ndarray) -> np.ndarray:
    found = [np.empty(0, dtype=np.intp)]
    begin = 0
    for X, _ in batches():
        high = loo.is_high(X, None) & _others(known, begin, len(X))
        found.append(begin + np.flatnonzero(high))
        begin += len(X)
    return np.concatenate(found)


def _divided(
    batches: Batches, some: np.ndarray
) -> tuple[GramStatistics, tuple[np.ndarray, np.ndarray]]:
    """Return the statistics of the other rows, and the rows set apart."""
    stats = GramStatistics()
    X_apart, Y_apart = [], []
    begin = 0
    for X, Y in batches():
        rest = _others(some, begin, len(X))
        begin += len(X)
        if rest.any():
            stats.update(X[rest], Y[rest])
        X_apart.append(X[~rest])
        Y_apart.append(Y[~rest])
    return stats, (np.concatenate(X_apart), np.concatenate(Y_apart))
