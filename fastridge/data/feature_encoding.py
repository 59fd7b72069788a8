"""Decide which columns of `scan` are encoded one-hot, hashed or as numbers, and encode them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
import scipy.sparse as sp

from fastridge._typing import Matrix
from fastridge.data.batches import ScanError
from fastridge.data.columns import (
    fits,
    kind_of,
    missing_values,
    require_pyarrow,
    to_text,
)
from fastridge.data.csv_options import CsvOptions
from fastridge.data.doubtful_text import Position, kind_error, text_error
from fastridge.data.levels import checked_levels, is_code, level_texts
from fastridge.data.one_hot import CategoricalColumn, Encoder
from fastridge.data.schema import SchemaInference

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Encoding", "EncodingOptions"]

_LONG = re.compile(r"-?\d{16,}")


class EncodingJson(TypedDict):
    """An encoding as plain values; see `Encoding` for what they mean."""

    columns: list[dict[str, Any]]
    hashed: list[str]
    n_hashed: int
    fills: bool
    hashed_kinds: NotRequired[list[str]]
    canonical: NotRequired[bool]


@dataclass(frozen=True)
class Encoding:
    """The features that the columns of a table become.

    That of a scan, `Scan.encoding`, is given to the scans of other tables of the same columns, so
    that theirs are the same features.

    Attributes
    ----------
    encoder : Encoder
        Columns that become a feature or some of their own.
    hashed : tuple of str
        Columns whose values share `n_hashed` features, by scikit-learn's FeatureHasher.
    n_hashed : int
    fills : bool
        Whether missing values become the mean of their column.
    report : list of (str, str)
        What was decided, as heading and text.
    hashed_kinds : tuple of str
        What the hashed columns hold: text, numbers, ... Empty where it is not known.
    canonical : bool
        Whether hashed values are written as `to_text` writes them; those of older files depend on
        the type.
    """

    encoder: Encoder
    hashed: tuple[str, ...] = ()
    n_hashed: int = 0
    fills: bool = False
    report: list[tuple[str, str]] = field(default_factory=list, compare=False)
    hashed_kinds: tuple[str, ...] = ()
    canonical: bool = True

    @property
    def has_empty_text(self) -> bool:
        """True if an empty cell of a CSV file is text and not missing, as of older files."""
        columns = self.encoder.columns
        of_text = [c for c in columns if isinstance(c, CategoricalColumn) and c.kind == "text"]
        return not all([self.canonical, *(column.canonical for column in of_text)])

    @property
    def names(self) -> list[str]:
        """The columns that are used."""
        return [*self.encoder.names, *self.hashed]

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the features; None where some are hashed."""
        return None if self.hashed else self.encoder.feature_names

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.encoder.n_features + self.n_hashed

    def kind(self, name: str) -> tuple[str | None, bool]:
        """Return what a column must hold, None for anything, and whether its text matters."""
        return self._kinds.get(name, (None, False))

    @cached_property
    def _kinds(self) -> dict[str, tuple[str | None, bool]]:
        hashed = zip_longest(self.hashed, self.hashed_kinds[: len(self.hashed)])
        return {
            **{c.name: (c.kind, isinstance(c, CategoricalColumn)) for c in self.encoder.columns},
            **{name: (kind, True) for name, kind in hashed},
        }

    def parsed_type(self, name: str, dtype: pa.DataType) -> pa.DataType:
        """Return the type to read a column of a CSV file as, which looks like one of `dtype`."""
        pa = require_pyarrow()
        kind, as_text = self.kind(name)
        found = kind_of(dtype)
        if kind is None:
            return dtype
        if kind == "boolean" and as_text and pa.types.is_integer(dtype):
            return pa.bool_()
        if kind == "text" or not fits(found, kind, as_text=as_text):
            return _type_of_kind(kind) or dtype
        if found == "empty" and kind == "timestamp":
            return pa.timestamp("ns")
        if found not in ("number", "empty") or name in self.hashed:
            return dtype  # what fits in another way: flags among numbers, times among dates
        return pa.int64() if name in self._long_codes else _type_of_kind(kind) or dtype

    @cached_property
    def _long_codes(self) -> set[str]:
        """Columns with codes that float64 does not tell apart."""
        columns = [c for c in self.encoder.columns if isinstance(c, CategoricalColumn)]
        return {c.name for c in columns if any(_LONG.fullmatch(level) for level in c.levels)}

    def encode(self, batch: pa.RecordBatch) -> Matrix:
        """Return the features of a record batch: dense float64, or CSR if some are hashed."""
        dense = self.encoder.encode(batch)
        if not self.hashed:
            return dense
        from sklearn.feature_extraction import FeatureHasher

        texts = [
            to_text(batch.column(name), canonical=self.canonical).to_pylist()
            for name in self.hashed
        ]
        rows = (
            [f"{name}={text}" for name, text in zip(self.hashed, row, strict=True)]
            for row in zip(*texts, strict=True)
        )
        hashed = FeatureHasher(self.n_hashed, input_type="string").transform(rows)
        return sp.hstack([sp.csr_matrix(dense), hashed], format="csr")

    def to_json(self) -> EncodingJson:
        """Return plain values that identify this encoding."""
        values: EncodingJson = {
            "columns": self.encoder.to_json(),
            "hashed": list(self.hashed),
            "n_hashed": self.n_hashed,
            "fills": self.fills,
        }
        if self.hashed_kinds:
            values["hashed_kinds"] = list(self.hashed_kinds)
        if self.hashed and self.canonical:
            values["canonical"] = True
        return values

    @classmethod
    def from_json(cls, values: EncodingJson) -> Encoding:
        """Return the encoding of `to_json`. Raises ValueError if the values are not one."""
        try:
            hashed, n_hashed = tuple(values["hashed"]), int(values["n_hashed"])
            encoder, kinds = Encoder.from_json(values["columns"]), values.get("hashed_kinds", ())
            canonical = bool(values.get("canonical", not hashed))
            fills = values["fills"]
            return cls(encoder, hashed, n_hashed, fills, [], tuple(kinds), canonical)
        except (KeyError, TypeError):
            raise ValueError(f"no encoding can be made of {values!r}") from None


@dataclass(frozen=True)
class EncodingOptions:
    """The options of `scan` about columns; the others are for the command line.

    Attributes
    ----------
    keep, drop : sequence of str
        Columns that are features whatever is inferred, and that are none.
    labels : bool
        Whether the target is labels of classes, as text.
    empty_is_missing : bool
        Whether empty cells of CSV files are missing for older encodings too.
    """

    categorical: str | Sequence[str] | Mapping[str, Sequence[object]] | None
    max_categories: int
    hashed: Sequence[str] | None
    n_hashed: int
    encoding: Encoding | None
    nulls: str
    infer: bool = False
    labels: bool = False
    empty_is_missing: bool = False
    keep: Sequence[str] = ()
    drop: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.categorical, str) and self.categorical != "auto":
            raise ValueError(
                "categorical must be 'auto', a list of column names, or a dictionary of columns "
                f"and their categories, got {self.categorical!r}."
            )
        if isinstance(self.categorical, Mapping):
            given = {name: checked_levels(name, of) for name, of in self.categorical.items()}
            object.__setattr__(self, "categorical", given)
        for name in ("max_categories", "n_hashed"):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
                raise ValueError(f"{name} must be a whole number from 1 up, got {value!r}.")
        for name in ("hashed", "keep", "drop"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise ValueError(f"{name} must be a list of column names, got {value!r}.")
        both = set(self.keep) & set(self.drop)
        if both:
            raise ValueError(f"keep and drop both name {min(both)!r}.")
        if self.infer and (self.hashed is not None or isinstance(self.categorical, Mapping)):
            raise ValueError(
                "infer finds the categories of columns: leave out hashed, and give categorical as "
                "a list of columns."
            )
        if self.encoding is not None:
            if not isinstance(self.encoding, Encoding):
                raise ValueError(
                    "encoding must be that of another scan, its `encoding`, got "
                    f"{type(self.encoding).__name__}."
                )
            if self.categorical is not None or self.hashed is not None or self.nulls == "mean":
                raise ValueError(
                    "encoding says how columns are encoded: leave out categorical, hashed and "
                    "nulls='mean'."
                )

    @property
    def active(self) -> bool:
        """True if features are other than the numbers of columns."""
        given = (self.categorical, self.hashed, self.encoding)
        return any(one is not None for one in given) or self.fills

    @property
    def fills(self) -> bool:
        """True if missing values become the mean of their column."""
        return self.infer or self.nulls == "mean" or getattr(self.encoding, "fills", False)

    def as_text(self, name: str) -> bool:
        """Return whether the values of a column are told apart by their text."""
        if self.encoding is not None:
            return self.encoding.kind(name)[1]
        named = () if isinstance(self.categorical, str) else self.categorical or ()
        return name in named or name in (self.hashed or ())

    def takes_text(self, name: str) -> bool:
        """Return whether a column may hold text."""
        return self.as_text(name) or self.categorical == "auto" or self.infer

    def parsed_type(self, name: str, dtype: pa.DataType) -> pa.DataType:
        """Return the type to read a column of a CSV file as, which looks like one of `dtype`.

        Codes such as 00501 look like numbers where no other has a letter.
        """
        pa = require_pyarrow()
        if self.encoding is not None:
            dtype = self.encoding.parsed_type(name, dtype)
        given = self.categorical.get(name, ()) if isinstance(self.categorical, Mapping) else ()
        if not pa.types.is_integer(dtype):
            return dtype
        if any(map(is_code, given)):
            return pa.string()
        return dtype if self.as_text(name) else pa.float64()  # as later values may have fractions

    @property
    def has_empty_text(self) -> bool:
        """True if an empty cell of a CSV file is text; see `Encoding.has_empty_text`."""
        if self.encoding is None or self.empty_is_missing:
            return False
        return self.encoding.has_empty_text

    def check_marks(self, marks: Collection[str]) -> None:
        """Raise ValueError if a category that was given marks missing values in CSV files."""
        given = self.categorical if isinstance(self.categorical, Mapping) else {}
        for name, levels in given.items():
            for level in levels:
                if isinstance(level, str) and level in marks:
                    raise ValueError(
                        f"categorical: {level!r} cannot be a value of column {name!r}, as it marks "
                        "a missing value in CSV files: leave it out, or give the rows as a table."
                    )

    def check(
        self, name: str, dtype: pa.DataType, what: str, text: CsvOptions | None, found: Position
    ) -> None:
        """Raise ScanError if a column holds something else than in the rows of `encoding`.

        `found` returns file and line of the first value of a column that fits.
        """
        kind, as_text = (None, False) if self.encoding is None else self.encoding.kind(name)
        if kind is not None and not fits(kind_of(dtype), kind, as_text=as_text):
            raise kind_error(what, name, dtype, kind, text, found)

    def encoding_of(
        self,
        features: Sequence[str],
        types: Mapping[str, pa.DataType],
        what: str,
        tables: Callable[
            [Sequence[str]], Generator[tuple[pa.RecordBatch, np.ndarray | None], None, None]
        ],
        *,
        chosen: bool = True,
        index: Collection[str] = (),
        text: CsvOptions | None = None,
        position_of: Position,
    ) -> Encoding:
        """Return the encoding of these columns, from a pass over the rows where one is needed.

        Parameters
        ----------
        features : sequence of str
        types : mapping of str to pyarrow.DataType
        what : str
            What errors call the table.
        tables : callable
            Given names of columns, returns record batches and which of their rows to take, None
            for all.
        chosen, index, text
            See `SchemaInference`; where nothing is inferred, all columns are chosen.
        position_of : callable
            Returns file and line of the first value of a column that fits.
        """
        if self.encoding is not None:
            return self.encoding
        given = dict(self.categorical) if isinstance(self.categorical, Mapping) else {}
        hashed = tuple(self.hashed or ())
        asked = [] if isinstance(self.categorical, str) else list(self.categorical or ())
        self._check_names(features, types, what, asked, hashed, text, position_of)
        rest = [name for name in features if name not in hashed and name not in given]
        inference = SchemaInference(
            types, rest, what, asked, chosen=chosen or not self.infer, keep=self.keep,
            index=index if self.infer else (), text=text,
        )  # fmt: skip
        needs_rows = self.fills or any(
            name in asked or kind_of(types[name]) == "text" for name in rest
        )
        missing = Counter({name: 0 for name in given if self.fills})
        if needs_rows:
            with closing(tables([*inference.names, *missing])) as batches:
                for batch, rows in batches:
                    inference.add(batch, rows)
                    for name in missing:
                        found = missing_values(batch.column(name))
                        if found is not None:
                            missing[name] += int((found if rows is None else found[rows]).sum())
        encoder, report = inference.encoder(
            self.max_categories, position_of, keep_all=not self.infer, has_rows=needs_rows
        )
        columns = {column.name: column for column in encoder.columns}
        for name, levels in given.items():
            texts, kind = level_texts(name, levels, types[name]), _kind(types[name])
            columns[name] = CategoricalColumn(name, kind, texts, False, missing[name] > 0)
        encoder = Encoder([columns[name] for name in features if name in columns])
        if not encoder.columns and not hashed:
            raise no_features(what)
        if given:
            report.append(("given", ", ".join(f"{n} ({len(v)})" for n, v in given.items())))
        marked_too = [f"{name} ({n:,} are a category)" for name, n in missing.items() if n]
        if marked_too:
            known = dict(report)
            others = [known["missing"]] if known["missing"] != "none" else []
            report = list({**known, "missing": ", ".join([*others, *marked_too])}.items())
        if hashed:
            report.append(("hashed", f"{', '.join(hashed)}: {self.n_hashed} features"))
        n_hashed = self.n_hashed if hashed else 0
        kinds = tuple(_kind(types[name]) for name in hashed)
        return Encoding(encoder, hashed, n_hashed, self.fills, report, kinds)

    def _check_names(
        self,
        features: Sequence[str],
        types: Mapping[str, pa.DataType],
        what: str,
        asked: Sequence[str],
        hashed: Sequence[str],
        text: CsvOptions | None,
        position_of: Position,
    ) -> None:
        """Raise ValueError if options name no feature, or a column needs them."""
        for option, names in (("categorical", asked), ("hashed", hashed)):
            for name in names:
                if name not in features:
                    raise ValueError(f"{option}: {name!r} is not among the features of {what}.")
        both = set(hashed) & set(asked)
        if both:
            raise ValueError(f"column {min(both)!r} is hashed and categorical too.")
        for name in () if self.infer else features:
            kind = kind_of(types[name])
            if self.as_text(name) and (kind != "unusable" or name not in asked):
                continue
            if kind == "unusable" or (kind == "text" and self.categorical != "auto"):
                own = text if kind == "text" else None
                raise text_error(what, name, types[name], own, position_of)


def no_features(what: str) -> ScanError:
    """Return the error where no column is left as a feature."""
    return ScanError(
        f"{what} has no usable features: every column was left out or has another role."
    )


def _type_of_kind(kind: str) -> pa.DataType | None:
    """Return the type that cells of a CSV file are read as, None for whatever they look like."""
    pa = require_pyarrow()
    types = {
        "text": pa.string(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "time": pa.time32("s"),
    }
    return types.get(kind)


def _kind(dtype: pa.DataType) -> str:
    kind = kind_of(dtype)
    return "text" if kind in ("empty", "unusable") else kind
