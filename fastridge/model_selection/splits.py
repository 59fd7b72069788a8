"""Compute statistics of the training and test rows of each split, without a second pass.

Index that are in the same training and test sets of every split form a group. The groups'
statistics are gathered once, and a split's are sums of them: for k folds, prefix and suffix sums,
so nothing is ever subtracted. Splits that overlap so much that there would be many groups get
passes of their own.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge._typing import Index
from fastridge.designs.design import Design
from fastridge.runtime.threads import run_slices
from fastridge.statistics.accumulate import CentredProducts
from fastridge.statistics.merge import MOST_TERMS, merged, together

_GATHERED_VALUES = 1 << 20  # of rows that are copied together at a time: 8 MB
_SMALL_PRODUCTS = 4e8  # of a group, rows times columns squared: some 10 ms of one core
_MAX_GROUPS = 4  # groups a split for which statistics of groups are worth it


class Split(NamedTuple):
    """Training and test rows; `train` is None if it is all rows but the test rows."""

    train: np.ndarray | None
    test: Index

    def n_train(self, n: int) -> int:
        """Return how many of `n` rows are training rows."""
        return n - n_rows(self.test) if self.train is None else len(self.train)

    def train_rows(self, n: int) -> np.ndarray:
        """Return the indices of the training rows among `n` rows."""
        if self.train is not None:
            return self.train
        left = np.ones(n, dtype=bool)
        left[self.test] = False
        return np.flatnonzero(left)


def n_rows(rows: Index) -> int:
    """Return the number of rows."""
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def consecutive_folds(n: int, k: int) -> list[Split]:
    """Return k folds of consecutive rows; the first ones have one row more if needed."""
    size, longer = divmod(n, k)
    borders = [j * size + min(j, longer) for j in range(k + 1)]
    return [Split(None, slice(a, b)) for a, b in pairwise(borders)]


def planned_split(train: np.ndarray, test: np.ndarray, n: int) -> Split:
    """Return a split of row indices, as slices where possible."""
    rows: Index = test
    if len(test) and test[-1] - test[0] == len(test) - 1 and (test[1:] > test[:-1]).all():
        rows = slice(int(test[0]), int(test[-1]) + 1)
    if len(train) + len(test) != n or not (train[1:] > train[:-1]).all():
        return Split(train, rows)
    # the train indices increase and there are n - len(test): they may be all other rows
    if isinstance(rows, slice):
        before, after = rows.start, rows.stop
        others = (before == 0 or train[before - 1] == before - 1) and (
            after == n or train[before] == after
        )
    else:
        tested = np.zeros(n, dtype=bool)
        tested[test] = True
        others = not tested[train].any()
    return Split(None if others else train, rows)


def row_sections(rows: Index, p: int, most: int | None = None) -> Iterator[Index]:
    """Yield a slice as it is, or indices some at a time; at most `most` rows at once."""
    count = n_rows(rows)
    if isinstance(rows, slice):
        step = most or max(count, 1)
        for begin in range(rows.start, rows.stop, step):
            yield slice(begin, min(begin + step, rows.stop))
        return
    step = max(64, _GATHERED_VALUES // max(p, 1))
    step = step if most is None else min(step, most)
    for begin in range(0, count, step):
        yield rows[begin : begin + step]


def gathered_products(design: Design, y: np.ndarray, rows: Index) -> CentredProducts | None:
    """Return statistics of some rows, copied a section at a time; None if their weight is zero."""
    total: CentredProducts | None = None
    for section in row_sections(rows, design.shape[1]):
        part = design.rows(section)
        if part.n_counted:
            some = part.accumulate(y[section])
            total = some if total is None else merged(total, some)
    return total


class SplitProducts(NamedTuple):
    """Products of a split's training rows and of its test rows."""

    train: CentredProducts
    test: CentredProducts


class GroupedRows:
    """Index in memory and the products of their groups, gathered when first needed.

    Parameters
    ----------
    design : Design
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
    splits : sequence of Split
    """

    def __init__(self, design: Design, y: np.ndarray, splits: Sequence[Split]) -> None:
        self.design, self.y, self.splits = design.by_rows(), y, splits
        self._groups = row_groups(splits, design.shape[0])

    @computed_once
    def _group_products(self) -> list[CentredProducts | None]:
        assert self._groups is not None
        groups, (_, p) = self._groups[0], self.design.shape
        longest = max(n_rows(rows) for rows in groups)
        if len(groups) >= self.design.n_threads > 1 and longest * p * p <= _SMALL_PRODUCTS:
            return self._gathered_apart(groups)
        return [gathered_products(self.design, self.y, rows) for rows in groups]

    def _gathered_apart(self, groups: Sequence[Index]) -> list[CentredProducts | None]:
        """Return each group's statistics, one thread per group: small passes do not split well."""
        found: list[CentredProducts | None] = [None] * len(groups)
        waiting = deque(enumerate(groups))
        design, y = self.design.with_threads(1), self.y

        def work() -> Iterator[None]:
            while waiting:
                try:
                    k, rows = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                with np.errstate(all="ignore"):  # as the caller's, which threads do not share
                    found[k] = gathered_products(design, y, rows)
                yield

        run_slices([work() for _ in range(self.design.n_threads)])
        return found

    @computed_once
    def _others(self) -> list[CentredProducts | None] | None:
        """For folds, the products of all rows outside each."""
        assert self._groups is not None
        if not _complementary(self._groups[1]):
            return None
        return all_but_one(self._group_products, self.design.n_threads)

    def total(self) -> CentredProducts | None:
        """Return the statistics of all rows, if those of the groups give them."""
        if self._groups is None:
            return None
        products = self._group_products
        if self._others is None:
            return _sum_of(products)
        return _sum_of([self._others[0], products[0]])

    def split_products(self) -> Iterator[SplitProducts]:
        """Yield the statistics of each split in turn."""
        if self._groups is None:
            for split in self.splits:
                train = split.train_rows(self.design.shape[0])
                yield SplitProducts(
                    _required(gathered_products(self.design, self.y, train), "training"),
                    _required(gathered_products(self.design, self.y, split.test), "test"),
                )
            return
        products, members = self._group_products, self._groups[1]
        others = self._others
        for k, (train_groups, test_groups) in enumerate(members):
            if others is not None:
                fitted, tested = others[k], products[k]
            else:
                fitted = _sum_of([products[g] for g in train_groups])
                tested = _sum_of([products[g] for g in test_groups])
            yield SplitProducts(_required(fitted, "training"), _required(tested, "test"))


def _required(products: CentredProducts | None, kind: str) -> CentredProducts:
    if products is None:
        raise ValueError(
            f"sample_weight is zero for all {kind} rows of a split: use fewer splits, or splits "
            "that hold rows with weight."
        )
    return products


def _sum_of(parts: Sequence[CentredProducts | None]) -> CentredProducts | None:
    some = [part for part in parts if part is not None]
    while len(some) > 1:
        some = [
            together(some[k : k + MOST_TERMS]) if k + 1 < len(some) else some[k]
            for k in range(0, len(some), MOST_TERMS)
        ]
    return some[0] if some else None


Members = list[tuple[list[int], list[int]]]


def row_groups(splits: Sequence[Split], n: int) -> tuple[list[Index], Members] | None:
    """Return the rows of each group, and the groups of each split's training and test rows.

    The k-th group of k folds is the k-th fold. None where there would be too many, or where a
    split holds a row twice.
    """
    if _are_folds(splits, n):
        k = len(splits)
        members: Members = [([g for g in range(k) if g != j], [j]) for j in range(k)]
        return [split.test for split in splits], members
    code = np.zeros(n, dtype=np.int64)
    for split in splits:
        role = np.zeros(n, dtype=np.int64)
        train = split.train_rows(n)
        role[train] = 1
        if np.count_nonzero(role) != len(train):
            return None
        role[split.test] += 2
        if np.count_nonzero(role >= 2) != n_rows(split.test):
            return None
        _, code = np.unique(code * 4 + role, return_inverse=True)
        if code.max() + 1 > _MAX_GROUPS * len(splits):
            return None
    n_groups = int(code.max()) + 1
    order = np.argsort(code, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(code, minlength=n_groups))[:-1])
    first = np.array([rows[0] for rows in groups])
    members = []
    for split in splits:
        in_train, in_test = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        in_train[split.train_rows(n)], in_test[split.test] = True, True
        members.append(
            (np.flatnonzero(in_train[first]).tolist(), np.flatnonzero(in_test[first]).tolist())
        )
    return [*groups], members


def _are_folds(splits: Sequence[Split], n: int) -> bool:
    """Return whether every row is tested once, and each split trains on all others."""
    if len(splits) < 2 or sum(n_rows(split.test) for split in splits) != n:
        return False
    if any(split.train is not None for split in splits):
        return False
    tested = np.zeros(n, dtype=bool)
    for split in splits:
        tested[split.test] = True
    return bool(tested.all())


def _complementary(members: Members) -> bool:
    return (
        all(
            test == [k] and len(train) == len(members) - 1
            for k, (train, test) in enumerate(members)
        )
        and len(members) >= 2
    )


def all_but_one(
    folds: Sequence[CentredProducts | None], n_threads: int = 1
) -> list[CentredProducts | None]:
    """Return the statistics of all folds but one, for each; of many by prefix and suffix sums."""
    if len(folds) <= MOST_TERMS + 1:
        sums: list[CentredProducts | None] = [None] * len(folds)

        def work(first: int) -> Iterator[None]:
            for k in range(first, len(folds), n_threads):
                sums[k] = _sum_of([*folds[:k], *folds[k + 1 :]])
                yield

        run_slices([work(first) for first in range(n_threads)])
        return sums
    prefix, suffix = [folds[0]], [folds[-1]]
    for fold in folds[1:-1]:
        prefix.append(_sum_of([prefix[-1], fold]))
    for fold in folds[-2:0:-1]:
        suffix.append(_sum_of([suffix[-1], fold]))
    suffix.reverse()
    middle = [_sum_of(pair) for pair in zip(prefix[:-1], suffix[1:], strict=True)]
    return [suffix[0], *middle, prefix[-1]]
