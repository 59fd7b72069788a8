"""An epoch as rounds: one slice of rows, or one in each thread on weights of its own.

With several threads a round is: each takes the steps of its slice from the same weights, and the
weights that they come to, with all that is kept beside them, are averaged by their numbers of rows
(McDonald, Hall and Mann, "Distributed training strategies for the structured perceptron",
NAACL 2010). Which rows meet in a round depends on the order and the number of threads only.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from fastridge.runtime.threads import run_slices
from fastridge.solvers.sgd.settings import FIGURES, Plan, Rows
from fastridge.solvers.sgd.state import Weights

_ROUNDS = 8  # of an epoch, at least, before a round has more than one slice a thread
_MOST_SLICES = 8
_SUMS = [FIGURES["loss_sum"], FIGURES["penalty_sum"]]
_COUNTS = [FIGURES["t"], FIGURES["steps"]]


class Round(NamedTuple):
    """How many rows a round has, and whether all their steps were finite."""

    n_rows: int
    complete: bool


def rounds(
    plan: Plan,
    rows: Rows,
    y: np.ndarray,
    weight: np.ndarray,
    weights: Weights,
    choices: np.ndarray,
    order: Iterator[np.ndarray],
    n_rows: int,
) -> Iterator[Round]:
    """Take the steps of an epoch of `n_rows` rows.

    The last round is the one that is not complete, if any is.
    """
    if plan.n_threads == 1:
        for part in order:
            done = rows.step(
                part, y, weight, weights.coef, weights.beside, weights.figures, choices
            )
            yield Round(done, done == len(part))
            if done < len(part):
                return
        return
    locals_ = [(rows.apart(), weights.copy()) for _ in range(plan.n_threads)]
    slices = max(1, min(_MOST_SLICES, n_rows // (_ROUNDS * plan.n_threads * rows.slice_rows)))
    fresh = plan.auto and not weights.beside.any()  # what the first row sets is set once
    while parts := [part.copy() for part in islice(order, 1 if fresh else plan.n_threads * slices)]:
        fresh = False
        shares = [parts[k :: plan.n_threads] for k in range(min(plan.n_threads, len(parts)))]
        sizes = [sum(map(len, share)) for share in shares]
        taken = [0] * len(shares)

        def descend(k: int, share: list[np.ndarray], taken: list[int] = taken) -> Iterator[None]:
            own_rows, own = locals_[k]
            own.restore(weights.copy_state())
            for part in share:
                arrays = own.coef, own.beside, own.figures
                done = own_rows.step(part, y, weight, *arrays, choices)
                taken[k] += done
                if done < len(part):
                    return
                yield
            own.fold(choices)

        run_slices([descend(k, share) for k, share in enumerate(shares)])
        average(weights, [own for _, own in locals_[: len(shares)]], np.array(sizes, float))
        yield Round(sum(sizes), taken == sizes)
        if taken != sizes:
            return


def average(weights: Weights, locals_: list[Weights], sizes: np.ndarray) -> None:
    """Have `weights` be the mean of what models came to from them, by their numbers of rows.

    Sums over rows are added, steps are those of one.
    """
    shares = sizes / sizes.sum()
    figures = np.array([own.figures for own in locals_])
    sums = figures[:, _SUMS].sum(axis=0) - (len(locals_) - 1) * weights.figures[_SUMS]
    for name in ("coef", "beside"):
        total = getattr(weights, name)
        total[...] = shares[0] * getattr(locals_[0], name)
        for share, own in zip(shares[1:], locals_[1:], strict=True):
            total += share * getattr(own, name)
    weights.figures[:] = shares @ figures
    weights.figures[_SUMS] = sums
    counts = [place for place in _COUNTS if place < figures.shape[1]]
    weights.figures[counts] = figures[:, counts].max(axis=0)
