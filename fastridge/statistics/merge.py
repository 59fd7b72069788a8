"""Merge the statistics of several sets of rows into those of all their rows."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from fastridge._kernels import gram as _gram
from fastridge.runtime.threads import call_once_over
from fastridge.statistics.accumulate import CentredProducts, on_cache_lines, whole_lines

Pair: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Vectors of the columns and of the targets."""


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
    x_step, y_step = steps_between(a, b)
    means = moved_means(a, (x_step, y_step), sign * b.sum_weights / total)
    return _summed(
        [a, b],
        np.array([1.0, sign]),
        total,
        means,
        (x_step[None], y_step[None]),
        np.array([between]),
    )


def steps_between(a: CentredProducts, b: CentredProducts) -> Pair:
    """Return the steps from the means of `a` to those of `b`, of columns and targets.

    With what rounding took from the means: far from zero that is as large as a step.
    """
    x_step, y_step = (
        (there - here) + (there_rest - here_rest)
        for here, here_rest, there, there_rest in zip(
            (a.x_mean, a.y_mean), a.rest, (b.x_mean, b.y_mean), b.rest, strict=True
        )
    )
    return x_step, y_step


def moved_means(a: CentredProducts, steps: Pair, share: float) -> tuple[Pair, Pair]:
    """Return the means of `a`, moved by a share of steps, and what rounding takes from them."""
    (x_mean, x_rest), (y_mean, y_rest) = (
        _rounded(mean, rest + share * step)
        for mean, rest, step in zip((a.x_mean, a.y_mean), a.rest, steps, strict=True)
    )
    return (x_mean, y_mean), (x_rest, y_rest)


def _rounded(mean: np.ndarray, by: np.ndarray) -> Pair:
    """Return ``mean + by`` as float64 holds it, and the rest."""
    moved = mean + by
    return moved, (mean - moved) + by


def together(parts: Sequence[CentredProducts]) -> CentredProducts:
    """Return the statistics of the rows of up to `MOST_TERMS` statistics, in one pass over them."""
    weights = np.array([part.sum_weights for part in parts])
    total = float(weights.sum())
    first = parts[0]
    x_steps, y_steps = zip(*(steps_between(first, part) for part in parts), strict=True)
    steps = np.array(x_steps), np.array(y_steps)
    x_by, y_by = (weights @ each / total for each in steps)
    means = moved_means(first, (x_by, y_by), 1.0)
    about = steps[0] - x_by, steps[1] - y_by
    return _summed(parts, np.ones(len(parts)), total, means, about, weights)


def _summed(
    parts: Sequence[CentredProducts],
    signs: np.ndarray,
    total: float,
    means: tuple[Pair, Pair],
    steps: Pair,
    factors: np.ndarray,
) -> CentredProducts:
    """Sum the statistics times their signs, and add the terms of the steps between their means.

    `means` are those of the sum, and what rounding took from them.
    """
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
    products = CentredProducts(n_samples, total, *means[0], upper[:, :p], xy, yy)
    return products.with_rest(*means[1])
