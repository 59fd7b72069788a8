"""Sufficient statistics of the squared loss: all the data that a ridge solver needs."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastridge._docstrings import documented
from fastridge._typing import RowsLike
from fastridge._validation import check_rows, check_weight
from fastridge.io.archive import read_archive, write_archive
from fastridge.io.parameter_texts import LOAD, SAVE
from fastridge.runtime.threads import resolve_threads
from fastridge.statistics.accumulate import CentredProducts, symmetric
from fastridge.statistics.checked_products import products_of_rows
from fastridge.statistics.merge import merged
from fastridge.statistics.parameter_texts import STATISTICS

_ARRAYS = ("x_mean", "y_mean", "upper", "xy", "yy")


def _array(name: str) -> Any:
    """Return the property that gives an array of the statistics held."""
    return property(lambda stats: getattr(stats._held(), name))


@documented(STATISTICS)
class GramStatistics:
    """Accumulate the weighted sums that a linear model with squared loss needs.

    The statistics are the number of rows, the sum of weights, the means, and X'X, X'Y and
    diag(Y'Y) about the means. Those of disjoint rows are additive: `a + b` equals the result of one
    pass over all rows, to rounding. Ridge at every alpha, cross-validation and inference are
    computed from them without reading the data again.

    Parameters
    ----------
    feature_names, target_names
    n_threads : int, default=None
        Number of threads for each pass; None is ``FASTRIDGE_NUM_THREADS`` or all usable cores.
        Sums are bitwise reproducible for a given number.

    Attributes
    ----------
    n_samples : int
        Number of rows; rows of weight zero do not count.
    sum_weights : float
        Sum of the sample weights; equal to `n_samples` without weights.
    n_features : int
        Number of columns of X.
    n_targets : int
        Number of columns of y.
    x_mean : ndarray of shape (n_features,)
        Weighted means of the columns of X.
    y_mean : ndarray of shape (n_targets,)
        Weighted means of the targets.
    xx : ndarray of shape (n_features, n_features)
        Weighted Gram matrix of the centred columns of X, a new array on each access.
    xy : ndarray of shape (n_features, n_targets)
        Weighted cross-products of the centred columns of X with the centred targets.
    yy : ndarray of shape (n_targets,)
        Weighted sums of squares of the centred targets.

    See Also
    --------
    fastridge.Ridge.fit_statistics : Fits ridge to them.

    Notes
    -----
    Memory is O(n_features^2 + n_features n_targets) and one tile of rows per thread; X is neither
    copied nor written. Rows are summed in float64 about a pilot shift, so neither float32 input nor
    means that are large compared with the standard deviations cost any digits. Statistics merge by
    the formula of Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The
    American Statistician 37 (1983).

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import GramStatistics, Ridge
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0]])
    >>> y = np.array([1.0, 2.0, 6.0, 7.0])
    >>> stats = GramStatistics.from_data(X[:2], y[:2]) + GramStatistics.from_data(X[2:], y[2:])
    >>> stats.n_samples, stats.x_mean
    (4, array([1.5, 1.5]))
    >>> bool(np.allclose(Ridge().fit_statistics(stats).coef_, Ridge().fit(X, y).coef_))
    True
    """

    x_mean: np.ndarray = _array("x_mean")
    y_mean: np.ndarray = _array("y_mean")
    xy: np.ndarray = _array("xy")
    yy: np.ndarray = _array("yy")

    def __init__(
        self,
        *,
        feature_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
        n_threads: int | None = None,
    ) -> None:
        resolve_threads(n_threads)
        self.feature_names = None if feature_names is None else [str(s) for s in feature_names]
        self.target_names = None if target_names is None else [str(s) for s in target_names]
        self.n_threads = n_threads
        self.y_ndim = 1
        self._products: CentredProducts | None = None

    @classmethod
    @documented(STATISTICS)
    def from_data(
        cls,
        X: RowsLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        n_threads: int | None = None,
        *,
        feature_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
    ) -> Self:
        """Return the statistics of rows.

        Parameters: X, y, sample_weight, n_threads, feature_names, target_names

        Returns
        -------
        GramStatistics
            New statistics.

        Raises
        ------
        ValueError
            If X or y is not finite or does not fit the other, or if X'X overflows.
        """
        stats = cls(feature_names=feature_names, target_names=target_names, n_threads=n_threads)
        return stats.update(X, y, sample_weight)

    @classmethod
    def _from_products(cls, products: CentredProducts, y_ndim: int) -> Self:
        stats = cls()
        stats._products = products
        stats.y_ndim = y_ndim
        return stats

    @documented(STATISTICS)
    def update(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Add rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features, of any layout and numeric dtype, read in place. A batch without rows, or
            with weights of zero only, adds nothing (but must not come first).
        y, sample_weight

        Returns: Self

        Raises
        ------
        ValueError
            If X or y is not finite, does not fit the other or earlier rows, or if X'X
            overflows. The statistics are unchanged then.
        """
        return self._absorb(X, y, sample_weight, 1)

    @documented(STATISTICS)
    def remove(self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Remove rows that were added before, for instance for a sliding window.

        Each removal costs the digits by which the sums shrink: accumulate again from time to time.

        Parameters
        ----------
        X, y
        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights with which the rows were added; None is 1 for each.

        Returns: Self

        Raises
        ------
        ValueError
            If the rows cannot have been part of these statistics.
        """
        return self._absorb(X, y, sample_weight, -1)

    def _absorb(
        self, X: RowsLike, y: ArrayLike, sample_weight: ArrayLike | None, sign: int
    ) -> Self:
        names = getattr(X, "columns", None)
        before = self._products
        X, y = check_rows(X, y, allow_empty=before is not None)
        weight = check_weight(sample_weight, X, allow_zero=before is not None)
        if before is None and sign < 0:
            raise ValueError("remove takes rows from statistics that hold none: update first.")
        names = self._check_names(names, X.shape[1])
        t = 1 if y.ndim == 1 else y.shape[1]
        self._check_targets(t)
        if before is not None:
            self._check_shape(X.shape[1], t)
            if X.shape[0] == 0 or (weight is not None and not weight.any()):
                return self
        rows = products_of_rows(X, y, weight, resolve_threads(self.n_threads))
        if before is None:
            after: CentredProducts | None = rows
            self.y_ndim = y.ndim
        elif sign > 0:
            after = merged(before, rows)
        else:
            after = self._without(rows)
        self.feature_names = names
        self._products = after
        return self

    def _without(self, rows: CentredProducts) -> CentredProducts | None:
        held = self._held()
        left = held.sum_weights - rows.sum_weights
        if rows.n_samples == held.n_samples and abs(left) <= 1e-12 * held.sum_weights:
            return None
        if rows.n_samples >= held.n_samples or left <= 0.0:
            raise ValueError(
                f"remove was given {rows.n_samples} rows of weight {rows.sum_weights:g}, but "
                f"the statistics hold {held.n_samples} rows of weight {held.sum_weights:g}."
            )
        after = merged(held, rows, -1)
        diagonal = after.upper.diagonal()
        slack = 1e-8 * (held.upper.diagonal() + rows.upper.diagonal())
        if (diagonal < -slack).any() or (after.yy < -1e-8 * (held.yy + rows.yy)).any():
            raise ValueError(
                "remove was given rows that cannot be part of these statistics: a sum of "
                "squares would become negative."
            )
        p = len(diagonal)
        after.upper[range(p), range(p)] = np.maximum(diagonal, 0.0)
        np.maximum(after.yy, 0.0, out=after.yy)
        return after

    def _check_names(self, columns: Iterable[object] | None, n_features: int) -> list[str] | None:
        names = self.feature_names
        if columns is not None:
            given = [str(c) for c in columns]
            if names is None and self._products is None:
                return given
            if names is not None and given != names:
                raise ValueError(
                    f"X has columns {given[:5]}..., but these statistics are of columns "
                    f"{names[:5]}...: give the same columns in the same order."
                )
        if names is not None and len(names) != n_features:
            raise ValueError(
                f"feature_names has {len(names)} names, but X has {n_features} columns."
            )
        return names

    def _check_targets(self, n_targets: int) -> None:
        if self.target_names is not None and len(self.target_names) != n_targets:
            raise ValueError(
                f"target_names has {len(self.target_names)} names, but y has {n_targets} columns."
            )

    def _check_shape(self, n_features: int, n_targets: int) -> None:
        if (n_features, n_targets) != (self.n_features, self.n_targets):
            raise ValueError(
                f"X has {n_features} features and y {n_targets} targets, but the statistics "
                f"hold {self.n_features} features and {self.n_targets} targets."
            )

    @documented(STATISTICS)
    def merge(self, other: "GramStatistics") -> Self:
        """Add the rows of `other` to these, in place; `a + b` changes neither.

        Parameters
        ----------
        other : GramStatistics
            Statistics of other rows with the same features and targets; they stay as they are.

        Returns: Self

        Raises
        ------
        TypeError
            If `other` is not GramStatistics.
        ValueError
            If names or numbers of features or targets differ.
        """
        if not isinstance(other, GramStatistics):
            raise TypeError(f"merge takes GramStatistics, got {type(other).__name__}.")
        if other._products is None:
            return self
        for mine, theirs in (
            (self.feature_names, other.feature_names),
            (self.target_names, other.target_names),
        ):
            if mine is not None and theirs is not None and mine != theirs:
                raise ValueError(f"names differ: {mine[:5]}... and {theirs[:5]}...")
        if self._products is None:
            self._products = other.copy()._products
            self.y_ndim = other.y_ndim
        else:
            self._check_shape(other.n_features, other.n_targets)
            self._products = merged(self._products, other._products)
        self.feature_names = self.feature_names or other.feature_names
        self.target_names = self.target_names or other.target_names
        return self

    def __add__(self, other: "GramStatistics") -> "GramStatistics":
        if not isinstance(other, GramStatistics):
            return NotImplemented
        return self.copy().merge(other)

    def __radd__(self, other: object) -> "GramStatistics":
        if other == 0:  # so that sum() works
            return self.copy()
        return NotImplemented

    def copy(self) -> "GramStatistics":
        """Return a copy that shares no memory with these statistics.

        Returns
        -------
        GramStatistics
            New statistics.
        """
        new = GramStatistics(
            feature_names=self.feature_names,
            target_names=self.target_names,
            n_threads=self.n_threads,
        )
        new.y_ndim = self.y_ndim
        if self._products is not None:
            new._products = self._products._replace(
                **{name: getattr(self._products, name).copy() for name in _ARRAYS}
            )
        return new

    @documented(SAVE)
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the statistics to a checksummed file that runs no code when loaded.

        Parameters: path

        Raises
        ------
        ValueError
            If the statistics hold no rows.
        OSError
        """
        self._held()
        meta, arrays = self._to_archive()
        meta |= {"feature_names": self.feature_names, "target_names": self.target_names}
        write_archive(path, "GramStatistics", meta, arrays)

    @classmethod
    @documented(LOAD)
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read statistics that `save` wrote.

        Parameters: path

        Returns
        -------
        GramStatistics
            Statistics with the sums and names that were saved.

        Raises
        ------
        ValueError
            If the file is damaged or foreign.
        OSError
        """
        meta, arrays = read_archive(path, "GramStatistics")
        stats = cls(feature_names=meta["feature_names"], target_names=meta["target_names"])
        stats._from_archive(meta, arrays)
        return stats

    def _to_archive(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """Return the sums, without names, as plain values and arrays."""
        held = self._products
        if held is None:
            return {"n_samples": None, "y_ndim": self.y_ndim}, {}
        meta = {
            "n_samples": int(held.n_samples),
            "sum_weights": float(held.sum_weights).hex(),
            "y_ndim": self.y_ndim,
        }
        arrays = {name: getattr(held, name) for name in _ARRAYS}
        return meta, {**arrays, "upper": np.triu(held.upper)}

    def _from_archive(self, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Take the sums that `_to_archive` returned."""
        self.y_ndim = int(meta["y_ndim"])
        if meta["n_samples"] is not None:
            self._products = CentredProducts(
                int(meta["n_samples"]),
                float.fromhex(meta["sum_weights"]),
                x_mean=arrays["x_mean"],
                y_mean=arrays["y_mean"],
                upper=arrays["upper"],
                xy=arrays["xy"],
                yy=arrays["yy"],
            )

    def _state(self) -> dict[str, object]:
        """Return the values that a model file holds of these statistics."""
        return {
            "products": tuple(self._held()),
            "y_ndim": self.y_ndim,
            "feature_names": self.feature_names,
            "target_names": self.target_names,
            "n_threads": self.n_threads,
        }

    @classmethod
    def _from_state(cls, state: Mapping[str, Any]) -> Self:
        stats = cls._from_products(CentredProducts(*state["products"]), state["y_ndim"])
        stats.feature_names = state["feature_names"]
        stats.target_names = state["target_names"]
        stats.n_threads = state["n_threads"]
        return stats

    def _held(self) -> CentredProducts:
        if self._products is None:
            raise ValueError("these statistics hold no rows yet: call update first.")
        return self._products

    def __repr__(self) -> str:
        if self._products is None:
            return "GramStatistics(no rows)"
        return (
            f"GramStatistics({self.n_samples} rows, {self.n_features} features, "
            f"{self.n_targets} target{'s' if self.n_targets > 1 else ''})"
        )

    @property
    def n_samples(self) -> int:
        return 0 if self._products is None else self._products.n_samples

    @property
    def sum_weights(self) -> float:
        return 0.0 if self._products is None else self._products.sum_weights

    @property
    def n_features(self) -> int:
        return len(self._held().x_mean)

    @property
    def n_targets(self) -> int:
        return len(self._held().y_mean)

    @property
    def xx(self) -> np.ndarray:
        return symmetric(self._held().upper)
