"""Assign the columns of a table to roles, and turn a record batch of them into numbers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fastridge._typing import Float, Matrix
from fastridge.data.batches import Remedy, ScanError, checked_folds, known_terms, quoted
from fastridge.data.batching import Chunk, Features, Where
from fastridge.data.columns import (
    CellError,
    infinite_error,
    is_finite,
    kind_of,
    missing_values,
    require_pyarrow,
)
from fastridge.data.csv_options import CsvOptions
from fastridge.data.doubtful_text import role_error, text_error
from fastridge.data.feature_encoding import Encoding, EncodingOptions, no_features
from fastridge.data.one_hot import Encoder
from fastridge.data.sparse_batch import SparseBatch
from fastridge.data.unified_types import SMALL

if TYPE_CHECKING:
    import pyarrow as pa

    from fastridge.data.tables import B, Table

#: A column by name, or by its index.
Name: TypeAlias = str | int
#: Text that is read as NaN, also if no mark is given.
_NAN = re.compile(r"\s*[+-]?nan(\(\w*\))?\s*", re.IGNORECASE)
_NULLS = ("error", "drop", "mean")


class Columns:
    """Which columns of a table are features, target, weights, fold, offset and exposure.

    Also how they are read.

    Parameters
    ----------
    names : sequence of str
        Of the table.
    features : sequence of str or None
        None takes all columns that have no other role and are no `index`.
    target, weights, fold, offset, exposure : str or None
        `target` may be several.
    options : EncodingOptions
    what : str
        What errors call the table.
    index : collection of str
        Columns that number the rows.
    keeps_all : bool
        Whether rows without a target are kept, with NaN.

    Attributes
    ----------
    all : list of str
        The columns that are read.
    others : list of str
        Those that are no features.
    encoding : Encoding or None
        How columns become features, where that is not just as numbers.
    check_target : callable or None
        Raises CellError for targets that cannot be used.
    chosen : bool
        Whether the features were given.
    droppable : list of str
        The features that `drop` may leave out.
    """

    encoding: Encoding | None = None
    check_target: Callable[[np.ndarray], None] | None = None
    _text: CsvOptions | None = None

    def __init__(
        self,
        names: Sequence[str],
        features: Sequence[Name] | None,
        target: Name | Sequence[Name] | None,
        weights: Name | None,
        fold: Name | None,
        options: EncodingOptions,
        what: str,
        index: Collection[str] = (),
        *,
        keeps_all: bool = False,
        offset: Name | None = None,
        exposure: Name | None = None,
    ) -> None:
        if options.nulls not in _NULLS:
            raise ValueError(f"nulls must be one of {', '.join(_NULLS)}, got {options.nulls!r}.")
        self._options, self._what = options, what
        self.nulls = "mean" if options.fills else options.nulls
        # Where all columns are numbers, `chunk` finds NaN.
        self._finds_nan = options.active or self.nulls != "error"

        def named(column: Name | None) -> str | None:
            return None if column is None else column_named(column, names, what)

        self.weights, self.fold = named(weights), named(fold)
        self.offset, self.exposure = named(offset), named(exposure)
        self.target: str | list[str] | None
        if target is None or isinstance(target, (str, int, np.integer)):
            self.target = named(target)
            targets = [] if self.target is None else [self.target]
        else:
            self.target = targets = [column_named(name, names, what) for name in target]
        single = self.weights, self.fold, self.offset, self.exposure
        others = [*targets, *(name for name in single if name is not None)]
        self.chosen = features is not None
        if (options.keep or options.drop) and (features is not None or options.encoding):
            given = "encoding" if options.encoding else "features"
            raise ValueError(f"{given} says which columns are used: leave out keep and drop.")
        if options.encoding is not None:
            wanted = options.encoding.names
            known = set(names)
            missing = [name for name in wanted if name not in known]
            if missing:
                raise ValueError(f"{what} has no column {missing[0]!r}, which encoding has.")
        elif features is None:
            left_out = set(options.drop)
            if not options.infer:  # schema inference itself excludes them
                left_out |= set(index) - set(options.keep)
            for name in (*options.keep, *options.drop):
                if name not in names:
                    raise unknown_column(name, names, what)
            wanted = [name for name in names if name not in others and name not in left_out]
        elif isinstance(features, str):
            raise ValueError(f"features must be a list of column names, got {features!r}.")
        else:
            wanted = [column_named(name, names, what) for name in features]
        self.features, self.targets = list(wanted), targets
        self.droppable = [] if self.chosen or options.encoding is not None else self.features
        self.others = others
        self._needed = [] if keeps_all else others
        self.all = list(dict.fromkeys([*self.features, *others]))
        known = set(names)
        for name in self.all:
            if name not in known:
                raise unknown_column(name, names, what)
        twice = set(self.features) & set(others)
        if twice:
            raise ValueError(f"column {min(twice)!r} is a feature and something else too.")
        if not self.features:
            raise no_features(what)

    def check(self, table: Table[B]) -> None:
        """Raise ScanError if a column holds no numbers, or not what its encoding needs."""
        types, self._text = table.types, table.text
        for name in self.others if self._options.active else self.all:
            dtype = types.get(name)
            if dtype is None or _is_numeric(dtype):
                continue
            labels = name in self.targets and self._options.labels
            if labels and kind_of(dtype) != "unusable":
                continue
            text = table.text if kind_of(dtype) == "text" else None
            if name not in self.others:
                raise text_error(self._what, name, dtype, text, table.position_of)
            role = f"the target {name!r}"
            if name not in self.targets:
                role = f"column {name!r} of {self._role_of(name)}"
            if kind_of(dtype) != "text":
                wanted = "labels" if labels else "numbers"
                held = {"date": "dates", "timestamp": "times"}.get(kind_of(dtype), str(dtype))
                raise ScanError(
                    f"{self._what}: {role} holds {held}, not {wanted}: convert it first, or choose "
                    "another"
                )
            raise role_error(role, name, text, table.position_of, target=name in self.targets)
        for name in self.features:
            self._options.check(name, types[name], self._what, table.text, table.position_of)

    def _role_of(self, name: str) -> str:
        roles = {self.offset: "offsets", self.exposure: "exposures", self.weights: "weights"}
        return roles.get(name, "folds")

    def use(self, encoding: Encoding) -> None:
        """Take an encoding, which may leave some of the columns out."""
        self.encoding, self.features = encoding, list(encoding.names)
        self.all = list(dict.fromkeys([*self.features, *self.others]))

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the features of a batch."""
        return self.features if self.encoding is None else self.encoding.feature_names

    @property
    def n_features(self) -> int:
        """Number of features of a batch."""
        return len(self.features) if self.encoding is None else self.encoding.n_features

    def float_type(self, types: Mapping[str, pa.DataType]) -> Float:
        """Return float32 if it holds every feature exactly, otherwise float64."""
        small = all(str(types[name]) in SMALL for name in self.features)
        return np.float32 if small else np.float64

    def complete(self, table: pa.RecordBatch | SparseBatch, where: str) -> np.ndarray | None:
        """Return which rows of a record batch are taken, None for all of them.

        Raises ScanError for a missing value where these are errors.
        """
        names = self.all if self.nulls != "mean" else self._needed
        if isinstance(table, SparseBatch) and table.is_full:
            names = self.others
        missing = {}
        for name in names:
            column = table.column(name)
            where_missing = missing_values(column) if self._finds_nan or column.null_count else None
            if where_missing is not None:
                missing[name] = where_missing
        if not missing:
            return None
        if self.nulls == "error":
            raise self._missing_error(next(iter(missing)))
        complete: np.ndarray = ~np.logical_or.reduce(list(missing.values()))
        return complete

    def _missing_error(self, name: str) -> CellError:
        return CellError(
            name,
            "has missing values",
            self._is_missing,
            Remedy("nulls", "drop", "to leave such rows out"),
            Remedy("nulls", "mean", "to fill them in"),
        )

    def _is_missing(self, text: str | None) -> bool:
        if text is None or self._text is None:
            return text is None
        return text.strip(" \t") in self._text.marks() or bool(_NAN.fullmatch(text))

    def chunk(self, table: pa.RecordBatch | SparseBatch, where: str) -> Chunk:
        """Return a batch of `all`, without rows that are not taken, as numbers.

        Columns of numbers are not copied.
        """
        if isinstance(table, SparseBatch):
            arrays = {name: table.column(name) for name in self.others}
        else:
            arrays = dict(zip(table.schema.names, table.columns, strict=True))
        X: Matrix | list[np.ndarray] | Features
        if self.encoding is None:
            X = [self._finite(arrays[name], name) for name in self.features]
        elif self.encoding.hashed or isinstance(table, SparseBatch):
            with _located(where):
                X = self.encoding.encode(table)
        else:
            X = _EncodedRows(self.encoding.encoder, table, where)
        y = None
        if isinstance(self.target, str) and self.encoding is not None:
            y = self.encoding.encoder.encode_target(arrays[self.target], self.target)
        elif isinstance(self.target, str):
            y = self._finite(arrays[self.target], self.target).astype(np.float64)
        elif self.targets:
            columns = [self._finite(arrays[name], name) for name in self.targets]
            y = np.column_stack(columns).astype(np.float64)
        if y is not None and self.check_target is not None:
            self.check_target(y)
        weight = fold = None
        if self.weights is not None:
            weight = self._finite(arrays[self.weights], self.weights).astype(np.float64)
            if (weight < 0.0).any():
                what = f"must hold weights, numbers from 0 up, not {weight.min():g}"
                raise CellError(self.weights, what, _is_negative)
        if self.fold is not None:
            fold = _folds(arrays[self.fold], self.fold)
        offset, exposure = (
            None if name is None else self._finite(arrays[name], name)
            for name in (self.offset, self.exposure)
        )
        terms = known_terms(offset, exposure, self._outside)
        return Chunk(table.num_rows, X, y, weight, fold, terms)

    def _outside(self, what: str, marked: np.ndarray, wanted: str) -> CellError:
        name = self.offset if what == "offset" else self.exposure
        assert name is not None
        return CellError(name, f"must hold {what}s, numbers {wanted}", _is_not_positive)

    def _finite(self, array: pa.Array, name: str) -> np.ndarray:
        """Return the values of an Arrow array. Raises CellError if one is infinite, or NaN."""
        values = _numbers(array)
        if values.dtype.kind == "f" and not is_finite(values):
            raise infinite_error(name) if np.isinf(values).any() else self._missing_error(name)
        return values

    def identity(self) -> dict[str, object]:
        """Return what tells these columns from others, in plain values."""
        known: dict[str, object] = {"columns": self.all, "nulls": self.nulls}
        if self.offset is not None or self.exposure is not None:
            known["offset"] = [self.offset, self.exposure]
        if self.encoding is not None:
            known["encoding"] = self.encoding.to_json()
            if self.encoding.encoder.classes is not None:
                known["classes"] = list(self.encoding.encoder.classes)
        return known


class _EncodedRows(Features):
    """Rows of a record batch whose features an encoder writes."""

    def __init__(self, encoder: Encoder, table: pa.RecordBatch, where: str) -> None:
        self._encoder, self._table, self._from = encoder, table, where

    def __len__(self) -> int:
        return self._encoder.n_features

    def write(self, features_out: np.ndarray, begin: int, end: int, where: Where) -> None:
        """See `Features`."""
        with _located(self._from):
            self._encoder.encode_into(features_out, self._table.slice(begin, end - begin), where)


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Say in an error where the rows are, unless the value is to be searched."""
    try:
        yield
    except CellError:
        raise
    except ScanError as error:
        raise ScanError(f"{where}: {error.message}", *error.remedies) from None


def column_named(column: Name, names: Sequence[str], what: str) -> str:
    """Return the name of a column that may be given by its index, from the end if negative.

    Blanks around a name in the table need not be given.
    """
    if isinstance(column, str) and (column in names or not re.fullmatch(r"-?\d+", column)):
        near = [name for name in names if name.strip() == column.strip()]
        return near[0] if column not in names and len(near) == 1 else column
    if isinstance(column, bool) or not isinstance(column, (str, int, np.integer)):
        raise ValueError(
            f"columns of a table are chosen by name, got {column!r}: there are {_some(names)}."
        )
    k = int(column)
    within = -len(names) <= k < len(names)
    if str(k) in names and (not within or names[k] != str(k)):
        if not within:
            return str(k)
        raise ValueError(
            f"{what} has a column {str(k)!r}, and its column with the index {k} is "
            f"{names[k]!r}: give {str(k)!r} or {names[k]!r}."
        )
    if not within:
        raise unknown_column(str(column), names, what)
    return names[k]


def named_options(options: EncodingOptions, names: Sequence[str], what: str) -> EncodingOptions:
    """Return options with the names of the columns that they give by index."""

    def named(columns: Iterable[Name]) -> list[str]:
        return [column_named(column, names, what) for column in columns]

    categorical, hashed = options.categorical, options.hashed
    if isinstance(categorical, Mapping):
        categorical = dict(zip(named(categorical), categorical.values(), strict=True))
    elif categorical is not None and not isinstance(categorical, str):
        categorical = named(categorical)
    return replace(
        options,
        categorical=categorical,
        hashed=None if hashed is None else named(hashed),
        keep=named(options.keep),
        drop=named(options.drop),
    )


def unknown_column(name: str, names: Sequence[str], what: str) -> ScanError:
    """Return the error for a column that a table does not have."""
    if len(names) == 1 and (found := _ends_with(names[0], name)):
        return ScanError(
            f"{what} has no column {quoted(name)}, but a single one, {quoted(names[0])}",
            Remedy("delimiter", found[1], "if that separates columns"),
        )
    near = [one for one in names if one.casefold() == name.casefold()]
    near = near or difflib.get_close_matches(name, list(names), n=1)
    hint = f" (did you mean {quoted(near[0])}?)" if near else ""
    return ScanError(f"{what} has no column {quoted(name)}{hint}; there are {_some(names)}.")


def _ends_with(header: str, name: str) -> re.Match[str] | None:
    """Return the one character that separates a name from the rest of a header."""
    before = re.search(rf"[^\W_][\"']?([^\w\"'])[\"']?{re.escape(name)}[\"']?$", header)
    return before or re.search(rf"^[\"']?{re.escape(name)}[\"']?([^\w\"'])[\"']?[^\W_]", header)


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(map(quoted, names[:20]))
    return listed + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _is_numeric(dtype: pa.DataType) -> bool:
    types = require_pyarrow().types
    return bool(
        types.is_integer(dtype)
        or types.is_floating(dtype)
        or types.is_boolean(dtype)
        or types.is_decimal(dtype)
        or types.is_null(dtype)
    )


def _is_negative(text: str | None) -> bool:
    return text is not None and text.strip().startswith("-") and text.strip(" -0.") != ""


def _is_not_positive(text: str | None) -> bool:
    return text is not None and (_is_negative(text) or text.strip(" +-0.,") == "")


def _folds(array: pa.Array, name: str) -> np.ndarray:
    try:
        return checked_folds(_numbers(array), name)
    except ScanError:
        message = "must hold folds, whole numbers from 0 up"
        raise CellError(name, message, lambda text: not str(text).isdecimal()) from None


def _numbers(array: pa.Array) -> np.ndarray:
    pa = require_pyarrow()
    try:
        return np.asarray(array.to_numpy())
    except pa.ArrowInvalid:  # it must be copied
        if array.null_count or pa.types.is_decimal(array.type) or pa.types.is_null(array.type):
            array = array.cast(pa.float64())
        return np.asarray(array.to_numpy(zero_copy_only=False))
