"""Take the steps of an epoch slice by slice, in one thread or with parameter averaging in several.

Several threads start from the same weights, and each takes the steps of its own slices. Then their
weights, and the arrays and numbers next to these, are averaged, weighted by the number of rows
(McDonald, Hall and Mann, "Distributed training strategies for the structured perceptron",
NAACL 2010). The rows of a thread between two averagings depend only on the order of rows and on the
number of threads.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from fastridge._kernels.sgd_state import Settings
from fastridge.runtime.threads import run_slices
from fastridge.solvers.sgd.settings import Plan, Rows
from fastridge.solvers.sgd.state import STATE_FIELDS, Weights

_AVERAGINGS = 8  # the least in an epoch, if a thread takes more than one slice between them
_MOST_SLICES = 8
_SUMMED = ("loss_sum", "penalty_sum")
_COUNTED = ("t", "n_batches")


class Taken(NamedTuple):
    """The number of rows whose steps were taken, and whether all were finite."""

    n_rows: int
    complete: bool


def take_slices(
    plan: Plan,
    rows: Rows,
    y: np.ndarray,
    weight: np.ndarray,
    weights: Weights,
    settings: Settings,
    order: Iterator[np.ndarray],
    n_rows: int,
) -> Iterator[Taken]:
    """Take the steps of an epoch of `n_rows` rows; an item for each slice or averaging.

    The last item is the one that is not complete, if any is.
    """
    if plan.n_threads == 1:
        for index in order:
            done = rows.step(
                index, y, weight, weights.coef, weights.arrays, settings, weights.state
            )
            yield Taken(done, done == len(index))
            if done < len(index):
                return
        return
    workers = [(rows.apart(), weights.copy()) for _ in range(plan.n_threads)]
    n_slices = max(1, min(_MOST_SLICES, n_rows // (_AVERAGINGS * plan.n_threads * rows.slice_rows)))
    fresh = plan.auto and not weights.begun  # what the first row sets is set once
    while slices := [
        index.copy() for index in islice(order, 1 if fresh else plan.n_threads * n_slices)
    ]:
        fresh = False
        shards = [slices[k :: plan.n_threads] for k in range(min(plan.n_threads, len(slices)))]
        sizes = [sum(map(len, shard)) for shard in shards]
        taken = [0] * len(shards)

        def work(k: int, shard: list[np.ndarray], taken: list[int] = taken) -> Iterator[None]:
            own_rows, own = workers[k]
            own.restore(weights.snapshot())
            for index in shard:
                done = own_rows.step(index, y, weight, own.coef, own.arrays, settings, own.state)
                taken[k] += done
                if done < len(index):
                    return
                yield
            own.fold(settings)

        run_slices([work(k, shard) for k, shard in enumerate(shards)])
        average(weights, [own for _, own in workers[: len(shards)]], np.array(sizes, float))
        yield Taken(sum(sizes), taken == sizes)
        if taken != sizes:
            return


def average(weights: Weights, locals_: list[Weights], sizes: np.ndarray) -> None:
    """Set `weights` to the average of the workers' weights, weighted by their number of rows.

    Sums over rows are added; steps are those of one worker; arrays of indices are unchanged.
    """
    fractions = sizes / sizes.sum()
    _average_array(weights.coef, [own.coef for own in locals_], fractions)
    for name, array in weights.arrays.items():
        if array.dtype.kind == "f":
            _average_array(array, [own.arrays[name] for own in locals_], fractions)
    for name in STATE_FIELDS:
        reached = np.array([getattr(own.state, name) for own in locals_])
        if name in _SUMMED:
            value = reached.sum() - (len(locals_) - 1) * getattr(weights.state, name)
        else:
            value = reached.max() if name in _COUNTED else fractions @ reached
        setattr(weights.state, name, value)


def _average_array(total: np.ndarray, arrays: list[np.ndarray], fractions: np.ndarray) -> None:
    total[...] = fractions[0] * arrays[0]
    for fraction, own in zip(fractions[1:], arrays[1:], strict=True):
        total += fraction * own
