"""Types of columns and what they mean; their values as numbers or as text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fastridge.data.batches import Remedy, ScanError

if TYPE_CHECKING:
    import pyarrow as pa

#: Kinds of columns that become one column of numbers, and the unit of these numbers.
UNITS = {
    "number": "",
    "boolean": "0 or 1",
    "date": "days since 1970",
    "timestamp": "seconds since 1970",
    "time": "seconds since midnight",
    "duration": "seconds",
}
_ROW_NAMES = re.compile(r"__index_level_\d+__|Unnamed: 0(?:\.\d+)?|row[._]?names?|")
_DAY = 86400.0
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


#: Tells texts of values from others; None is the text of a missing value.
Fits: TypeAlias = Callable[[str | None], bool]


class CellError(ScanError):
    """A value of a column that cannot be used: the first whose text fits.

    Attributes
    ----------
    column : str
    fits : callable
    """

    def __init__(self, column: str, message: str, fits: Fits, *remedies: Remedy) -> None:
        self.column, self.fits = column, fits
        super().__init__(f"column {column!r} {message}", *remedies)


def infinite_error(column: str) -> CellError:
    """Return the error for an infinite number in a column."""
    return CellError(column, "holds an infinite number: remove or replace it", _is_infinite)


def _is_infinite(text: str | None) -> bool:
    try:
        return text is not None and math.isinf(float(text.replace(",", ".")))
    except ValueError:
        return False


def require_pyarrow() -> ModuleType:
    """Return pyarrow with the modules that are used; ImportError says how to install it."""
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.csv
        import pyarrow.dataset
        import pyarrow.fs
    except ImportError:
        raise ImportError(
            "reading tables needs pyarrow, which is not installed: pip install "
            "'fastridge-solvers[data]'."
        ) from None
    return pa


def kind_of(dtype: pa.DataType) -> str:
    """``"text"``, ``"empty"``, ``"unusable"`` or one of `UNITS` for an Arrow type."""
    types = require_pyarrow().types
    if types.is_boolean(dtype):
        return "boolean"
    if types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype):
        return "number"
    if types.is_date(dtype):
        return "date"
    for kind in ("timestamp", "time", "duration"):
        if getattr(types, f"is_{kind}")(dtype):
            return kind
    if types.is_null(dtype):
        return "empty"
    if types.is_dictionary(dtype):
        return "unusable" if kind_of(dtype.value_type) == "unusable" else "text"
    is_text = types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype)
    return "text" if is_text else "unusable"


def fits(kind: str, wanted: str, *, as_text: bool = False) -> bool:
    """Return whether values of one kind can be read as another.

    Values that are told apart by their text must be of the very kind.
    """
    if kind in (wanted, "empty"):
        return True
    return not as_text and {kind, wanted} in ({"number", "boolean"}, {"date", "timestamp"})


def index_columns(schema: pa.Schema) -> set[str]:
    """Return the columns of an Arrow schema that pandas or R wrote to number the rows."""
    found = {name for name in schema.names if _ROW_NAMES.fullmatch(name)}
    try:
        written = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        found |= {name for name in written.get("index_columns", ()) if isinstance(name, str)}
    except (ValueError, AttributeError, TypeError):  # not what pandas writes
        pass
    return found & set(schema.names)


def without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a record batch whose text can be filtered and taken: string views become strings."""
    for index, field in enumerate(batch.schema):
        if "string_view" in str(field.type) and kind_of(field.type) == "text":
            text = _without_view(batch.column(index))
            batch = batch.set_column(index, field.with_type(text.type), text)
    return batch


def _without_view(array: pa.Array) -> pa.Array:
    pa = require_pyarrow()
    if pa.types.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(array.indices, array.dictionary.cast(pa.string()))
    return array.cast(pa.string())


def to_numbers(array: pa.Array, wanted: str, name: str) -> tuple[np.ndarray, bool]:
    """Return the values of an Arrow array in the unit of `wanted`, and whether none is missing.

    They are float64, NaN where missing. Raises ScanError if the array holds something of another
    kind, or an infinity.
    """
    pa = require_pyarrow()
    kind = kind_of(array.type)
    if kind == "empty":
        return np.full(len(array), np.nan), False
    if not fits(kind, wanted):
        raise ScanError(f"column {name!r} holds {array.type} where {wanted}s are expected")
    factor = 1.0
    if kind == "date":
        array = array.cast(pa.date32()).cast(pa.int32())
    elif kind in ("timestamp", "time", "duration"):
        factor = _SECONDS[array.type.unit]
        array = array.cast(pa.int32() if array.type.bit_width == 32 else pa.int64())
    if not pa.types.is_float64(array.type):
        array = array.cast(pa.float64(), safe=False)
    values: np.ndarray = array.to_numpy(zero_copy_only=False)
    if kind != wanted and wanted == "date":
        factor /= _DAY
    elif kind != wanted and wanted == "timestamp":
        factor *= _DAY
    if factor != 1.0:
        values = values * factor
    complete = is_finite(values)
    if not complete and np.isinf(values).any():
        raise infinite_error(name)
    return values, complete


def first_row(columns: Iterable[pa.Array], fits: Fits) -> int | None:
    """Return the index of the first value that fits in arrays that follow each other."""
    row = 0
    for column in columns:
        for text in to_text(column).to_pylist():
            if fits(text):
                return row
            row += 1
    return None


def to_text(array: pa.Array, *, canonical: bool = True) -> pa.StringArray:
    """Return the values of an Arrow array as an Arrow array of strings, null where missing.

    Equal values have one text, whatever the unit, scale, width or time zone of their type: numbers
    the fewest digits that tell them from others of their type, timestamps those of UTC, durations
    seconds. That of encodings of older files is not `canonical`: it depends on the type.
    """
    pa = require_pyarrow()
    if pa.types.is_dictionary(array.type):
        if str(array.type.value_type) == "string_view":
            array = _without_view(array)
        array = array.dictionary_decode()
    if canonical:
        if kind_of(array.type) in ("timestamp", "time", "duration"):
            return _text_of_times(array, kind_of(array.type))
        if pa.types.is_decimal(array.type):
            return _text_of_decimals(array)
        if pa.types.is_float16(array.type):
            array = _widened(array)
        elif pa.types.is_date64(array.type):
            array = array.cast(pa.date32())
    if not pa.types.is_floating(array.type):
        return array.cast(pa.string())
    pc = require_pyarrow().compute
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    array = pc.if_else(pc.is_nan(array), None, array)
    is_whole = pc.and_(pc.equal(array, pc.floor(array)), pc.less(pc.abs(array), 2.0**63))
    whole = pc.if_else(is_whole, array, 0.0).cast(pa.int64(), safe=False)
    return pc.if_else(is_whole, whole.cast(pa.string()), array.cast(pa.string()))


def has_few_values(array: pa.Array) -> bool:
    """Return whether an Arrow array is of codes for values that are not more than its codes."""
    is_coded = require_pyarrow().types.is_dictionary(array.type)
    return is_coded and len(array.dictionary) <= len(array)


def codes_of(array: pa.DictionaryArray) -> np.ndarray:
    """Return the index of each value in the dictionary, and after its last one where missing."""
    pa = require_pyarrow()
    codes = array.indices.cast(pa.int64())
    if codes.null_count:
        codes = codes.fill_null(len(array.dictionary))
    return np.asarray(codes.to_numpy(zero_copy_only=False))


def text_counts(array: pa.Array) -> tuple[pa.StringArray, np.ndarray]:
    """Return the different texts of an Arrow array, and how often each comes.

    A text may come twice.
    """
    pa = require_pyarrow()
    if not has_few_values(array):
        pairs = pa.compute.value_counts(to_text(array).drop_null())
        return pairs.field(0), pairs.field(1).to_numpy()
    text = to_text(array.dictionary)
    counts = np.bincount(codes_of(array), minlength=len(text))[: len(text)]
    there = (counts > 0) & text.is_valid().to_numpy(zero_copy_only=False)
    return text.filter(pa.array(there)), counts[there]


def missing_values(array: pa.Array) -> np.ndarray | None:
    """Return where the values of an Arrow array are null or NaN, None if none is."""
    pa = require_pyarrow()
    dtype = array.type
    if pa.types.is_dictionary(dtype):
        if missing_values(array.dictionary) is not None:
            return missing_values(array.dictionary_decode())
    elif pa.types.is_floating(dtype):
        values = array.to_numpy(zero_copy_only=False)
        if is_finite(values):
            return None
        missing: np.ndarray = np.isnan(values)
        return missing if missing.any() else None
    if not array.null_count:
        return None
    return ~array.is_valid().to_numpy(zero_copy_only=False)


def is_finite(values: np.ndarray) -> bool:
    """Return whether all numbers are finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def _text_of_times(array: pa.Array, kind: str) -> pa.StringArray:
    pa = require_pyarrow()
    per_second = round(1 / _SECONDS[array.type.unit])
    counts = array.cast(pa.int32() if array.type.bit_width == 32 else pa.int64())
    coded = counts.cast(pa.int64()).dictionary_encode()
    values = coded.dictionary.to_numpy()
    signs = ["-" if kind == "duration" and value < 0 else "" for value in values]
    values = np.abs(values) if kind == "duration" else values
    seconds, rests = np.divmod(values, per_second)
    whole = pa.array(seconds, pa.int64())
    if kind == "timestamp":
        whole = whole.cast(pa.timestamp("s"))
    elif kind == "time":
        whole = whole.cast(pa.int32()).cast(pa.time32("s"))
    digits = len(str(per_second)) - 1
    texts = [
        sign
        + (f"{second} s" if text.startswith("<") else text)  # no date that Arrow can write
        + (f".{rest:0{digits}d}".rstrip("0") if rest else "")
        for sign, text, second, rest in zip(
            signs, whole.cast(pa.string()).to_pylist(), seconds, rests.tolist(), strict=True
        )
    ]
    return pa.array(texts, pa.string()).take(coded.indices)


def _text_of_decimals(array: pa.Array) -> pa.StringArray:
    """Return the text of decimals: that of the float64 if no other decimal has the same float64."""
    pa = require_pyarrow()
    texts, floats = [], []
    for value in array.to_pylist():
        text = None if value is None else format(value, "f")
        if text is not None and "." in text:
            text = text.rstrip("0").rstrip(".")
        is_short = text is not None and ("." in text or abs(value) >= 2**63)
        is_same = is_short and Decimal(repr(float(value))) == value
        texts.append("0" if text == "-0" else text)
        floats.append(float(value) if is_same else None)
    same = to_text(pa.array(floats, pa.float64()))
    return pa.compute.coalesce(same, pa.array(texts, pa.string()))


def _widened(array: pa.HalfFloatArray) -> pa.DoubleArray:
    """Return halves as the float64 with the same shortest digits; whole numbers are unchanged."""
    values, index = np.unique(array.to_numpy(zero_copy_only=False), return_inverse=True)
    wide = [float(v) if v == np.floor(v) else float(str(v)) for v in values]
    made = np.array(wide, dtype=float)[index]
    return require_pyarrow().array(made, mask=np.isnan(made))
