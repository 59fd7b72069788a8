"""Which columns of a table have which part, and a record batch of them as numbers."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np

from fastridge.data.batches import ScanError, checked_folds
from fastridge.data.batching import Piece
from fastridge.data.columns import missing_values, require_pyarrow, without_views
from fastridge.data.encoded import Encoding, EncodingOptions
from fastridge.data.unified_types import SMALL

_NULLS = ("error", "drop", "mean")


class Columns:
    """Which columns of a table are features, target, weights and fold, and how they are read.

    `features` None takes all that have no other part and are no `index`. `encoding` says how they
    become features, where that is not just as numbers.
    """

    encoding: Encoding | None = None

    def __init__(
        self,
        names: Sequence[str],
        features: Sequence[str] | None,
        target: str | Sequence[str] | None,
        weights: str | None,
        fold: str | None,
        encode: EncodingOptions,
        what: str,
        index: Collection[str] = (),
    ) -> None:
        if encode.nulls not in _NULLS:
            raise ValueError(f"nulls must be one of {', '.join(_NULLS)}, got {encode.nulls!r}.")
        fills = encode.encoding is not None and encode.encoding.fills
        self.nulls = "mean" if fills else encode.nulls
        # NaN among nothing but numbers is refused by what sums them up, without a pass here.
        self._finds_nan = encode.active or self.nulls != "error"
        self.target = target
        targets = [] if target is None else [target] if isinstance(target, str) else list(target)
        others = [*targets, *(name for name in (weights, fold) if name is not None)]
        if features is None:
            features = [name for name in names if name not in others and name not in index]
        elif isinstance(features, str):
            raise ValueError(f"features must be a list of column names, got {features!r}.")
        self.features, self.targets = list(features), targets
        self.weights, self.fold = weights, fold
        self._others = others
        self.all = list(dict.fromkeys([*self.features, *others]))
        for name in self.all:
            if not isinstance(name, str):
                raise ValueError(
                    f"columns of a table are chosen by name, got {name!r}: there are "
                    f"{_some(names)}."
                )
            if name not in names:
                raise ValueError(f"{what} has no column {name!r}; there are {_some(names)}.")
        twice = set(self.features) & set(others)
        if twice:
            raise ValueError(f"column {min(twice)!r} is a feature and something else too.")
        if not self.features:
            raise ValueError(f"{what} has no column that is left as a feature.")
        if encode.encoding is not None:
            self.features = list(encode.encoding.names)
            self.all = list(dict.fromkeys([*self.features, *others]))
            missing = [name for name in self.features if name not in names]
            if missing:
                raise ValueError(f"{what} has no column {missing[0]!r}, which encoding has.")

    def encode(
        self,
        options: EncodingOptions,
        types: dict[str, Any],
        what: str,
        batches: Callable[[], Iterable[Any]],
    ) -> None:
        """Find `encoding`, if columns are to be more than numbers; `batches` has all rows."""
        self.check_types(types, what, self._others if options.active else self.all)
        for name in self.features:
            options.check(name, types[name], what)
        if options.active:
            self.encoding = options.encoding_of(self.features, types, what, batches)

    def check_types(self, types: dict[str, Any], what: str, names: Sequence[str]) -> None:
        """ScanError for the first of these columns that holds no numbers."""
        for name in names:
            if name in types and not _is_numeric(types[name]):
                raise ScanError(
                    f"{what}: column {name!r} holds {types[name]}, which is not a number: leave "
                    "it out with features=, or encode it with categorical= or hashed=."
                )

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the features of a batch."""
        return self.features if self.encoding is None else self.encoding.feature_names

    @property
    def n_features(self) -> int:
        """Number of features of a batch."""
        return len(self.features) if self.encoding is None else self.encoding.n_features

    def float_type(self, types: dict[str, Any]) -> Any:
        """float32 where it holds every feature exactly, else float64."""
        small = all(str(types[name]) in SMALL for name in self.features)
        return np.float32 if small else np.float64

    def without_nulls(self, table: Any, where: str) -> Any:
        """The rows of a record batch that are taken; ScanError where nulls are errors."""
        table = without_views(table)
        names = self.all if self.nulls != "mean" else self._others
        missing = {}
        for name in names:
            column = table.column(name)
            where_missing = missing_values(column) if self._finds_nan or column.null_count else None
            if where_missing is not None:
                missing[name] = where_missing
        if not missing:
            return table
        if self.nulls == "error":
            name, where_missing = next(iter(missing.items()))
            raise ScanError(
                f"{where}: column {name!r} has {np.count_nonzero(where_missing)} missing values: "
                "nulls='drop' leaves such rows out, 'mean' fills them in."
            )
        keep = ~np.logical_or.reduce(list(missing.values()))
        return table.filter(require_pyarrow().array(keep))

    def piece(self, table: Any, where: str) -> Piece:
        """A record batch of `all` as numbers; rows with a null are refused, left out or filled in.

        Columns of numbers are not copied.
        """
        table = self.without_nulls(table, where)
        arrays = dict(zip(self.all, table.columns, strict=True))
        X: Any
        if self.encoding is not None:
            X = self.encoding.encode(table)
        else:
            X = [_numbers(arrays[name]) for name in self.features]
        y = None
        if isinstance(self.target, str):
            y = _numbers(arrays[self.target]).astype(np.float64)
        elif self.targets:
            columns = [_numbers(arrays[name]) for name in self.targets]
            y = np.column_stack(columns).astype(np.float64)
        weight = fold = None
        if self.weights is not None:
            weight = _numbers(arrays[self.weights]).astype(np.float64)
        if self.fold is not None:
            fold = checked_folds(_numbers(arrays[self.fold]), where)
        return Piece(table.num_rows, X, y, weight, fold)

    def identity(self) -> dict[str, Any]:
        """What tells these columns from others, in plain values."""
        known: dict[str, Any] = {"columns": self.all, "nulls": self.nulls}
        if self.encoding is not None:
            known["encoding"] = self.encoding.to_json()
        return known


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:20]))
    return listed + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _is_numeric(dtype: Any) -> bool:
    types = require_pyarrow().types
    return bool(
        types.is_integer(dtype)
        or types.is_floating(dtype)
        or types.is_boolean(dtype)
        or types.is_decimal(dtype)
        or types.is_null(dtype)
    )


def _numbers(array: Any) -> np.ndarray:
    pa = require_pyarrow()
    try:
        return np.asarray(array.to_numpy())
    except pa.ArrowInvalid:  # it must be made anew
        if array.null_count or pa.types.is_decimal(array.type) or pa.types.is_null(array.type):
            array = array.cast(pa.float64())
        return np.asarray(array.to_numpy(zero_copy_only=False))
