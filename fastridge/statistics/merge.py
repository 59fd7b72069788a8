"""Merge the statistics of several sets of rows into those of all their rows."""

from collections.abc import Sequence

import numpy as np

from fastridge._kernels import gram as _gram
from fastridge.runtime.threads import call_once_over
from fastridge.statistics.accumulate import CentredProducts, on_cache_lines, whole_lines


def by_rows(upper: np.ndarray) -> np.ndarray:
    """Return the matrix itself if its rows are contiguous, otherwise a copy."""
    inside = upper.strides[1] == upper.itemsize
    return upper if inside else np.ascontiguousarray(upper)


MOST_TERMS = _gram.most_terms()


def merged(a: CentredProducts, b: CentredProducts, sign: int = 1) -> CentredProducts:
    """Return the statistics of the rows of `a` and `b`, or with `sign=-1` of `a` without `b`.

    This is the update of Chan, Golub and LeVeque (1983) with weights.
    """
    total = a.sum_weights + sign * b.sum_weights
    x_step = b.x_mean - a.x_mean
    y_step = b.y_mean - a.y_mean
    between = sign * a.sum_weights * b.sum_weights / total
    share = sign * b.sum_weights / total
    return _summed(
        [a, b],
        np.array([1.0, sign]),
        total,
        (a.x_mean + share * x_step, a.y_mean + share * y_step),
        (x_step[None], y_step[None]),
        np.array([between]),
    )


def together(parts: Sequence[CentredProducts]) -> CentredProducts:
    """Return the statistics of the rows of up to `MOST_TERMS` statistics, in one pass over them."""
    weights = np.array([part.sum_weights for part in parts])
    total = float(weights.sum())
    x_means = np.array([part.x_mean for part in parts])
    y_means = np.array([part.y_mean for part in parts])
    x_mean, y_mean = (
        means[0] + weights @ (means - means[0]) / total for means in (x_means, y_means)
    )
    return _summed(
        parts,
        np.ones(len(parts)),
        total,
        (x_mean, y_mean),
        (x_means - x_mean, y_means - y_mean),
        weights,
    )


def _summed(
    parts: Sequence[CentredProducts],
    signs: np.ndarray,
    total: float,
    means: tuple[np.ndarray, np.ndarray],
    steps: tuple[np.ndarray, np.ndarray],
    factors: np.ndarray,
) -> CentredProducts:
    """Sum the statistics times their signs, and add the terms of the steps between their means."""
    x_steps, y_steps = np.ascontiguousarray(steps[0]), steps[1]
    p = len(parts[0].upper)
    upper = on_cache_lines(p, whole_lines(p))
    call_once_over(
        upper.size,
        _gram.sum_upper,
        [by_rows(part.upper) for part in parts],
        signs,
        x_steps,
        factors,
        upper,
    )
    xy, yy = x_steps.T @ (factors[:, None] * y_steps), factors @ y_steps**2
    n_samples = 0
    for part, sign in zip(parts, signs, strict=True):
        n_samples += int(sign) * part.n_samples
        xy += sign * part.xy
        yy += sign * part.yy
    return CentredProducts(n_samples, total, *means, upper[:, :p], xy, yy)
