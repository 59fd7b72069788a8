"""Newton's method on a cluster: each pass sums over the partitions, on the workers."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fastridge._kernels.attributes import forget
from fastridge._validation import check_finite, check_weight
from fastridge.data.batches import Batch, known_terms
from fastridge.designs.distributed import values_of
from fastridge.designs.passes import Sums, Work, added
from fastridge.linear_model import glm_streamed, logistic_streamed
from fastridge.linear_model.glm import GeneralizedLinearModel
from fastridge.linear_model.logistic_streamed import Labels, labels_of, merged
from fastridge.linear_model.smooth_streamed import (
    SAMPLED_VALUES,
    UNKNOWN_SHARE,
    Sample,
    TargetError,
    check_features,
    rows_to_sample,
    stacked,
)
from fastridge.runtime.sparse_indices import in_canonical_form, refuse_malformed

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_FAN_IN = 8  # sums that one task adds
_SAMPLED_PARTITIONS = 4


class _Rows(NamedTuple):
    """The first rows of a partition, and whether there are more."""

    batch: Batch
    is_cut: bool


class DaskPasses:
    """Passes over partitions, whose sums are added in a tree, in the order of the partitions."""

    note: object = None

    def __init__(self, partitions: list[tuple[Any, ...]], *, labels: bool) -> None:
        import dask

        self._dask, self._partitions, self._labels = dask, partitions, labels
        self.n_passes = 0

    def total(self, point: Sums, work: Work) -> tuple[Sums, Sums]:
        """See `fastridge.designs.passes.Passes`."""
        delayed = self._dask.delayed
        make, merge = delayed(_sums), delayed(_merged)
        both = delayed((point, work))
        parts = [
            make(both, position, self._labels, *partition)
            for position, partition in enumerate(self._partitions)
        ]
        while len(parts) > 1:
            parts = [
                merge(parts[begin : begin + _FAN_IN]) for begin in range(0, len(parts), _FAN_IN)
            ]
        sums: Sums | None = self._dask.compute(parts[0])[0]
        if sums is None:
            raise ValueError("X has no rows: at least one is needed.")
        self.n_passes += 1
        return point, sums

    def restart(self, note: object) -> None:
        """Forget the passes so far."""
        self.n_passes, self.note = 0, note

    def labels(self) -> Labels:
        """Return the labels of all rows, from a pass over them."""
        count = self._dask.delayed(_labels)
        found = self._dask.compute(
            *[count(position, *part) for position, part in enumerate(self._partitions)]
        )
        return merged([one for one in found if len(one.labels)])

    def sample(self) -> Sample:
        """Return the first rows of some partitions."""
        n_all = len(self._partitions)
        some = np.unique(np.linspace(0, n_all - 1, min(n_all, _SAMPLED_PARTITIONS)).round())
        chosen = some.astype(int).tolist()
        complete = len(chosen) == n_all
        head = self._dask.delayed(_head)
        while True:
            tasks = [head(len(chosen), k, self._labels, *self._partitions[k]) for k in chosen]
            found = [rows for rows in self._dask.compute(*tasks) if rows.batch.X.shape[0]]
            if found or complete:
                break
            chosen, complete = list(range(n_all)), True
        if not found:
            raise ValueError("X has no rows: at least one is needed.")
        batches = [rows.batch for rows in found]
        widths = {batch.X.shape[1] for batch in batches}
        if len(widths) > 1 or len({sp.issparse(batch.X) for batch in batches}) > 1:
            raise ValueError("all partitions of X must have the same columns and layout.")
        X, y, weight, _, offset = (stacked(values) for values in zip(*batches, strict=True))
        check_features(X.shape[1])
        return Sample(X, y, weight, offset, complete and not any(rows.is_cut for rows in found))


def fit_newton(
    model: BaseEstimator,
    partitions: list[tuple[Any, ...]],
    names: list[str] | None,
    begins: list[int] | None,
) -> BaseEstimator:
    """Carry out `fit` of LogisticRegression and the generalized linear models."""
    is_glm = isinstance(model, GeneralizedLinearModel)
    exposed = partitions[0][5] is not None
    if exposed and not is_glm:
        raise ValueError("exposure needs a log link: give an offset instead.")
    passes = DaskPasses(partitions, labels=not is_glm)
    sample = passes.sample()
    share = UNKNOWN_SHARE if begins is None else sample.X.shape[0] / max(begins[-1], 1)
    how = passes, sample, 1.0 if sample.complete else share, 1
    if is_glm:
        model._fit_passes(functools.partial(glm_streamed.minimum, model, *how, exposed=exposed))
    else:
        model._fit_passes(
            functools.partial(logistic_streamed.fit_passes, model, *how, labels=passes.labels)
        )
    model.n_features_in_ = sample.X.shape[1]
    forget(model, "feature_names_in_", "encoding_")
    if names is not None:
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def _batch(position: int, labels: bool, *parts: Any) -> Batch:
    """Return a partition as a batch."""
    X, y, weight, _, offset, exposure = map(values_of, parts)
    n = X.shape[0]
    given = {"y": y, "sample_weight": weight, "offset": offset, "exposure": exposure}
    for what, values in given.items():
        if values is not None and len(values) != n:
            raise ValueError(f"a partition of {what} has {len(values)} rows, that of X has {n}.")
    X = X.astype(np.float32 if X.dtype == np.float32 else np.float64, copy=False)
    if sp.issparse(X):
        refuse_malformed(X)
        X = in_canonical_form(X.tocsr(), zeros=False)
    y = np.asarray(y)
    if not labels or y.dtype.kind == "f":
        y = y.astype(np.float64)
        check_finite(y, "y")
    weight = None if weight is None or not n else check_weight(weight, X, allow_zero=True)

    def refuse(what: str, marked: np.ndarray, wanted: str) -> ValueError:
        row = int(np.flatnonzero(marked.reshape(n, -1).any(axis=1))[0])
        return ValueError(f"partition {position}, row {row}: {what} must be {wanted}.")

    return Batch(X, y, weight, None, known_terms(offset, exposure, refuse))


def _sums(both: tuple[Sums, Work], position: int, labels: bool, *parts: Any) -> Sums | None:
    """Return the sums of a partition; None if it has no rows. Runs on a worker."""
    batch = _batch(position, labels, *parts)
    if not batch.X.shape[0]:
        return None
    point, work = both
    try:
        return work(point, batch)
    except TargetError as error:
        raise ValueError(f"partition {position}, row {error.row}: {error}.") from None


def _merged(parts: list[Sums | None]) -> Sums | None:
    """Return the sum of sums, in their order."""
    total: Sums | None = None
    for part in parts:
        if part is not None:
            total = added(total, part)
    return total


def _labels(position: int, *parts: Any) -> Labels:
    """Return the labels of a partition."""
    batch = _batch(position, True, *parts)
    if not batch.X.shape[0]:
        return Labels(np.empty(0), np.empty(0))
    assert batch.y is not None
    return labels_of(batch.y, batch.weight)


def _head(n_partitions: int, position: int, labels: bool, *parts: Any) -> _Rows:
    """Return the first rows of a partition, one of some."""
    batch = _batch(position, labels, *parts)
    n, p = batch.X.shape
    values_of_row = max(1, round(batch.X.size / n)) if n else 1
    wanted = -(-rows_to_sample(p, SAMPLED_VALUES // values_of_row) // n_partitions)
    kept: Any = (None if part is None else part[:wanted] for part in batch)
    return _Rows(Batch(*kept), wanted < n)
