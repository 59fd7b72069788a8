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
    between = sign * a.sum_weights * b.sum_weights / total
    shift, rest, step = step_between(a, b)
    return _summed(
        [a, b],
        np.array([1.0, sign]),
        total,
        shift,
        rest + (sign * b.sum_weights / total) * step,
        step[None],
        np.array([between]),
    )


def step_between(
    a: CentredProducts, b: CentredProducts
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means of `a`, what rounding took from them, and the step to those of `b`.

    Far from zero the rounding of means is as large as a step.
    """
    (mean, rest), (other, other_rest) = a.about(), b.about()
    return mean, rest, (other - mean) + (other_rest - rest)


def together(parts: Sequence[CentredProducts]) -> CentredProducts:
    """Return the statistics of the rows of up to `MOST_TERMS` statistics, in one pass over them."""
    weights = np.array([part.sum_weights for part in parts])
    total = float(weights.sum())
    means, rests = map(np.array, zip(*(part.about() for part in parts), strict=True))
    steps = (means - means[0]) + (rests - rests[0])
    by = weights @ steps / total
    return _summed(parts, np.ones(len(parts)), total, means[0], rests[0] + by, steps - by, weights)


def _summed(
    parts: Sequence[CentredProducts],
    signs: np.ndarray,
    total: float,
    shift: np.ndarray,
    offset: np.ndarray,
    steps: np.ndarray,
    factors: np.ndarray,
) -> CentredProducts:
    """Sum the statistics times their signs, and add the terms of the steps between their means.

    The means of the sum are `shift` plus `offset`.
    """
    p = len(parts[0].upper)
    means = shift + offset
    x_steps, y_steps = np.ascontiguousarray(steps[:, :p]), steps[:, p:]
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
    return CentredProducts(
        n_samples, total, means[:p], means[p:], upper[:, :p], xy, yy,
        shift=shift, sums=offset * total,
    )  # fmt: skip
