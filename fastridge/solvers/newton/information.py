"""The Fisher information of a loss, and sums of the outer products of its scores.

Unknowns are the coefficients of the columns about the centre and the intercept, of each class.
"""

from collections.abc import Callable

import numpy as np

from fastridge.designs.design import Design
from fastridge.statistics.accumulate import symmetric

_BLOCK = 4096  # rows whose scores are made at a time


def products_with_ones(design: Design, weight: np.ndarray) -> np.ndarray:
    """Return the Gram matrix of the columns about the centre and a column of ones.

    Weights may be negative.
    """
    p = design.shape[1]
    whole = np.zeros((p + 1, p + 1))
    for sign in (1.0, -1.0):
        part = np.maximum(sign * weight, 0.0)
        if part.any():
            held = design.reweighted(part).accumulate(np.zeros(len(part)))
            away, total = held.x_mean - design.centre, held.sum_weights
            whole[:p, :p] += sign * (symmetric(held.upper) + total * np.outer(away, away))
            whole[:p, p] += sign * total * away
            whole[p, p] += sign * total
    whole[p, :p] = whole[:p, p]
    return whole


def outer_sum(
    design: Design, n_classes: int, weight: Callable[[int, int], np.ndarray]
) -> np.ndarray:
    """Return ``sum_i weight_i(k, m) z_i z_i'`` for all pairs of classes, z = (x - centre, 1)."""
    q = design.shape[1] + 1
    whole = np.zeros((n_classes, q, n_classes, q))
    for k in range(n_classes):
        for m in range(k, n_classes):
            block = products_with_ones(design, weight(k, m))
            whole[k, :, m, :] = whole[m, :, k, :] = block
    return whole.reshape(n_classes * q, n_classes * q)


def sums_by_group(design: Design, derivative: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the sums of the scores ``derivative_ik z_i`` of each group, one row per group."""
    n, K = derivative.shape
    q = design.shape[1] + 1
    out = np.zeros((int(group.max()) + 1, K, q))
    for begin in range(0, n, _BLOCK):
        rows = slice(begin, min(begin + _BLOCK, n))
        z = np.ones((rows.stop - begin, q))
        z[:, :-1] = design.dense(rows) - design.centre
        np.add.at(out, group[rows], derivative[rows, :, None] * z[:, None, :])
    return out.reshape(len(out), K * q)
