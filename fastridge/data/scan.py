"""`scan`: one way to name rows of any size."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeGuard

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from fastridge._typing import ArrowStream, Matrix, PathLike, RowsLike
from fastridge.data.arrays import ArrayRows, Batches, IteratorRows, column_split, mapped
from fastridge.data.batches import Batch, Reading, RowSource, ScanError
from fastridge.data.column_roles import Name, named_options
from fastridge.data.csv_options import CsvOptions
from fastridge.data.feature_encoding import Encoding, EncodingOptions
from fastridge.data.file_state import FileState
from fastridge.data.scan_options import Categorical, Roles, Tabular
from fastridge.data.splitting import Split
from fastridge.data.spooling import spooled
from fastridge.runtime.prefetch import prefetched

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset

    from fastridge.data.tables import B, Table

    Source: TypeAlias = (
        PathLike
        | Sequence[PathLike]
        | RowsLike
        | pd.DataFrame
        | ArrowStream
        | pa.dataset.Dataset
        | Batches
        | Callable[[], Batches]
    )

_SVMLIGHT = (".svm", ".svmlight", ".libsvm")


class Scan:
    """Rows that are read batch by batch; made by `fastridge.scan`.

    Iterating yields one `fastridge.data.batches.Batch` after another, which a thread prefetches.
    The estimators' `fit` takes a scan in place of X and y.

    Attributes
    ----------
    n_rows : int or None
        Where it is known without reading.
    feature_names, target_names : list of str or None
    encoding : Encoding or None
        How columns of a table became features, where that is not just as numbers; its `report`
        says so in words.
    held_out : Scan or None
        The rows that a `fastridge.data.splitting.Split` holds out of these.
    """

    def __init__(self, source: RowSource, batch_rows: int | None) -> None:
        self._source = source
        self._batch_rows = batch_rows
        self._begun = False

    @property
    def n_rows(self) -> int | None:
        return self._source.n_rows

    @property
    def feature_names(self) -> list[str] | None:
        return self._source.feature_names

    @property
    def target_names(self) -> list[str] | None:
        return self._source.target_names

    @property
    def encoding(self) -> Encoding | None:
        columns = getattr(self._source, "columns", None)
        return getattr(columns, "encoding", None)

    @property
    def held_out(self) -> Scan | None:
        if getattr(self._source, "split", None) is None:
            return None
        return Scan(self._source.rows_of("held out"), self._batch_rows)  # type: ignore[attr-defined]

    @property
    def files(self) -> list[str]:
        """Paths of the files that are read."""
        return list(getattr(self._source, "files", ()))

    @property
    def has_offset(self) -> bool:
        """True if batches have known terms: offsets, or logarithms of exposures."""
        return self.has_exposure or getattr(self._source, "offset", None) is not None

    @property
    def has_exposure(self) -> bool:
        """True if batches have logarithms of exposures."""
        return getattr(self._source, "exposure", None) is not None

    def position_of_target(self, fits: Callable[[str | None], bool]) -> str | None:
        """Return file and line of the first target whose text fits; None if that is unknown."""
        table, names = getattr(self._source, "table", None), self.target_names
        return None if table is None or not names else table.position_of(names[0], fits)

    @property
    def repeatable(self) -> bool:
        """True if the rows can be read more than once."""
        return self._source.repeatable

    @property
    def decodes(self) -> bool:
        """True if reading takes a processor's time."""
        return self._source.decodes

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(
        self,
        skip: int = 0,
        *,
        seed: int | None = None,
        row_major: bool = False,
        by_fold: bool = False,
    ) -> Generator[Batch, None, None]:
        """Yield batches in the order of the rows, without the first `skip`.

        Parameters
        ----------
        skip : int, default=0
        seed : int, optional
            The seed of a random order of row groups of Parquet files, of other files, or of blocks
            of arrays and of tables in memory, four of which are mixed. Iterators, streams and
            svmlight files are always read in their own order.
        row_major : bool, default=False
            Whether rows should be contiguous if batches are copies.
        by_fold : bool, default=False
            Whether the rows of a batch may be ordered by their folds.

        Raises
        ------
        ScanError
            A ValueError: where the rows cannot be read on, or were of an iterator that is spent.
        """
        if self._begun and not self.repeatable:
            raise ScanError(
                "these rows can be read only once, and were: give a function that returns a new "
                "iterator."
            )
        self._begun = True
        return prefetched(self._read(Reading(self._batch_rows, skip, seed, row_major, by_fold)))

    def _read(self, reading: Reading) -> Iterator[Batch]:
        """Yield batches in the thread that prefetches."""
        return self._source.batches(reading)

    def identity(self) -> dict[str, object]:
        """Return what tells these rows from others, in plain values."""
        return {**self._source.identity(), "batch_rows": self._batch_rows}

    def __repr__(self) -> str:
        rows = "unknown number of" if self.n_rows is None else f"{self.n_rows:,}"
        names = self.feature_names
        features = "" if names is None else f", {len(names)} features"
        return f"<Scan of {self._source.identity()['kind']}: {rows} rows{features}>"


def scan(
    source: Source,
    target: PathLike | ArrayLike | None = None,
    *,
    features: Sequence[Name] | ArrayLike | slice | None = None,
    weights: PathLike | ArrayLike | None = None,
    fold: PathLike | ArrayLike | Split | None = None,
    offset: PathLike | ArrayLike | None = None,
    exposure: PathLike | ArrayLike | None = None,
    batch_rows: int | None = None,
    filter: pa.dataset.Expression | None = None,
    nulls: Literal["error", "drop", "mean"] = "error",
    infer: bool = False,
    keep: Sequence[Name] | None = None,
    drop: Sequence[Name] | None = None,
    categorical: Categorical | None = None,
    max_categories: int = 100,
    hashed: Sequence[Name] | None = None,
    n_hashed: int = 1024,
    encoding: Encoding | None = None,
    n_features: int | None = None,
    zero_based: bool | Literal["auto"] = "auto",
    na_values: Sequence[str] = (),
    keep_default_na: bool = True,
    decimal: str = ".",
    thousands: str | None = None,
    date_format: str | Sequence[str] | None = None,
    numeric: Sequence[Name] = (),
    header: bool | None = None,
    skip_rows: int = 0,
    delimiter: str | None = None,
    charset: str | None = None,
) -> Scan:
    r"""Name rows of files, memory maps, arrays, tables or iterators, to be read batch by batch.

    Parameters
    ----------
    source : path, list of paths, array, table, dataset, iterable, or callable
        - A Parquet, Arrow (Feather) or CSV file, told apart by its first bytes, also compressed
          CSV with one of ``, ; tab |`` between values; a folder of such, a pattern
          ("data/*.parquet"), a list of files, or a `pyarrow.dataset.Dataset`. Folders named
          ``key=value`` are columns, if they are in the folder, the part of the pattern with
          wildcards, or the common folder of the list. Each file is read as its own types: numbers
          of all become float32 where that holds them exactly, otherwise float64; types that do not
          go together are an error.
          Of a pipe, a copy in a temporary file is read, which disappears with the scan.
        - A ``.npy`` file, which is mapped, an array, a SciPy matrix, or a pair (X, y) of such.
        - A pandas or Polars data frame, or whatever has Arrow's C stream protocol. The index of a
          pandas frame is not a feature, in files neither, unless `features` names it.
        - A svmlight file (by its first lines, or its ending .svm, .svmlight or .libsvm), whose rows
          are sparse. With `infer` it is a table with the columns "target", "1", "2", ..., whose
          batches are CSR matrices if most of its values are zero.
        - An iterable of X, (X, y), (X, y, weight) or (X, y, weight, fold), or a function that
          returns a new one for each pass. X may be data frames of the same columns.
    target : str, list of str, int, path, or array-like, default=None
        The target: for tables the name of a column or a list of names; for arrays an array of
        shape (n_rows,) or (n_rows, n_targets), a ``.npy`` file, or the index of a column of X.
    features : list of str or of int, default=None
        Columns to use; None is all that have no other role. Columns of tables are given by name or
        by index, from the end if it is negative, here as for the other roles and options; those of
        arrays by index.
    weights : str or array-like of shape (n_rows,), default=None
        Sample weights, at least 0: for tables the name of a column; None is 1 for each row.
    fold : str, Split, or array-like of shape (n_rows,), default=None
        The fold of each row for cross-validation, an integer from 0 up: for tables the name of a
        column, or a `fastridge.data.splitting.Split`, which draws folds and rows to hold out:
        those are omitted here, and are ``held_out`` of the result.
    offset : str or array-like of shape (n_rows,), default=None
        Known terms of the linear predictors of logistic regression and generalized linear models,
        which have no coefficient: for tables the name of a column; None is 0 for each row.
    exposure : str or array-like of shape (n_rows,), default=None
        Exposures above 0, such as durations, whose logarithms are added to the offset of models
        with a log link: for tables the name of a column; None is 1 for each row.
    batch_rows : int, default=None
        Most rows of a batch, at least 1; None is those of some 8 MB. What is fitted depends on it
        within rounding.
    filter : pyarrow.dataset.Expression, default=None
        For files: which rows to take; None is all.
    nulls : {"error", "drop", "mean"}, default="error"
        For tables: a missing value (null, NaN, and in CSV files an empty cell or a mark such as
        NA, of text too) is an error; or its row is omitted; or it becomes the mean of its column
        in a first pass, and a feature ``"<name> missing"`` says where (a missing text is a
        category of its own, rows without a target, weight or fold are omitted).
    infer : bool, default=False
        For tables: infer from a pass over the rows how each column becomes features, as
        ``fastridge fit`` does. Text is categorical, and `categorical` names columns of codes;
        missing values are as for ``nulls="mean"``; columns that are constant, without values, row
        indices, with too many different texts or of types that are not supported are omitted, and
        ``encoding.report`` says so. A column of a CSV file whose later values do not fit the type
        of the first ones is read again with a wider type.
    keep : list of str or of int, default=None
        For tables: columns that are features even where `infer` would leave them out, or that
        number the rows.
    drop : list of str or of int, default=None
        For tables: columns that are no features.
    categorical : "auto", list of str or of int, or dict of str to list, default=None
        For tables: columns that become one feature per category, 1 where the row is of it. Their
        categories are those of a first pass over the rows, which is made at once, or those given.
        "auto" takes all columns of text. Of numbers, the values are codes. Values are told apart
        by what they are, not by unit or width: 1, 1.0 and "1.00" are one category of a column of
        numbers, and times with a zone are those of UTC.
    max_categories : int, default=100
        Most categories found per column: the most frequent; others are one, ``"<name>=(other)"``.
    hashed : list of str or of int, default=None
        For tables: columns whose values share `n_hashed` features, by scikit-learn's
        FeatureHasher. Batches are CSR matrices then.
    n_hashed : int, default=1024
        Number of features that the columns of `hashed` share.
    encoding : Encoding, default=None
        The encoding of another scan, so that other rows become the same features. Columns must
        hold what they held there; those of CSV files are read as that ("00501" stays text).
    n_features : int, default=None
        For a svmlight file: number of features; None finds it by a first pass.
    zero_based : bool or "auto", default="auto"
        For a svmlight file: whether indices begin at 0. "auto" looks for an index 0 in a first
        pass, as scikit-learn does; no pass is needed where `n_features` and this are given.
    na_values : list of str, default=()
        For CSV files: cells that are missing values, in addition to the default marks.
    keep_default_na : bool, default=True
        For CSV files: whether blanks, NA, N/A, NaN, null, None, <NA>, \N, ?, - and . are missing
        values. Otherwise only empty cells and `na_values` are.
    decimal : str, default="."
        For CSV files: the decimal point, one character.
    thousands : str, default=None
        For CSV files: the character between thousands; None is none.
    date_format : str or list of str, default=None
        For CSV files: how dates are written, such as ``"%d/%m/%Y"``, in addition to ISO 8601. Times
        of day that are read by a format are on 1 January 1900.
    numeric : list of str or of int, default=()
        For CSV files: columns of numbers with signs of currencies or percents, or in parentheses.
    header : bool, default=None
        For CSV files: whether the first line names the columns; otherwise they are "0", "1", ...
        None takes it as names, and a first line of numbers is an error.
    skip_rows : int, default=0
        For CSV files: number of lines before the header, at least 0.
    delimiter : str, default=None
        For CSV files: the character between values; None finds it by the first lines.
    charset : str, default=None
        For CSV files: the encoding of text, such as ``"latin-1"``; None is UTF-8, or UTF-16 where
        the file begins with its mark.

    Returns
    -------
    Scan
        The rows, which the estimators' `fit` takes in place of X and y.

    Raises
    ------
    ValueError
        If a column, file or option does not exist, or holds no numbers. Reading raises
        ScanError, a ValueError that names file and rows.
    ImportError
        If pyarrow is not installed, for tables.

    See Also
    --------
    fastridge.write_predictions : Writes the predictions for a scan to a file.
    fastridge.GramStatistics : What a fit to a scan accumulates.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge import Ridge, scan
    >>> X = np.arange(12.0).reshape(6, 2) % 5
    >>> rows = scan(X, X @ [1.0, 2.0], batch_rows=4)
    >>> [batch.X.shape for batch in rows]
    [(4, 2), (2, 2)]
    >>> Ridge(alpha=1e-6).fit(rows).coef_.round(3)
    array([1., 2.])
    """
    if batch_rows is not None and (
        isinstance(batch_rows, bool) or not hasattr(batch_rows, "__index__") or batch_rows < 1
    ):
        raise ValueError(
            f"batch_rows must be None or a whole number from 1 up, got {batch_rows!r}."
        )
    if isinstance(source, Scan):
        raise ValueError("source is a Scan already: use it as it is.")
    roles = Roles(target, features, weights, fold, offset, exposure)
    encode = EncodingOptions(  # columns are named in `_table_rows`
        categorical, max_categories, hashed, n_hashed, encoding, nulls, infer,  # type: ignore[arg-type]
        keep=keep or (), drop=drop or (),  # type: ignore[arg-type]
    )  # fmt: skip
    csv = CsvOptions(
        na_values, keep_default_na, decimal, thousands, date_format, numeric, header, skip_rows,
        delimiter, charset,
    )  # fmt: skip
    tabular = Tabular(
        filter, nulls, categorical, hashed, encoding, infer or None, keep or None, drop or None, csv
    )
    return Scan(_source(source, roles, tabular, encode, n_features, zero_based), batch_rows)


def _source(
    source: Source,
    roles: Roles,
    tabular: Tabular,
    encode: EncodingOptions,
    n_features: int | None,
    zero_based: bool | str,
) -> RowSource:
    if not isinstance(zero_based, (bool, np.bool_)) and zero_based != "auto":
        raise ValueError(f"zero_based must be True, False or 'auto', got {zero_based!r}.")
    path = None
    if isinstance(source, (str, os.PathLike)):
        source = file = spooled(source)
        path = os.fspath(file)
    if path is not None and not encode.infer and encode.encoding is None and _is_svmlight(path):
        from fastridge.data.svmlight import SvmlightRows

        _refuse(roles._asdict() | tabular.given(), "a svmlight file")
        return SvmlightRows(file, n_features, zero_based)
    if n_features is not None:
        raise ValueError("n_features belongs to svmlight files only.")
    if zero_based != "auto":
        raise ValueError("zero_based belongs to svmlight files only.")
    arrays = _arrays(source, path, roles)
    if arrays is not None:
        _refuse(tabular.given(), "arrays")
        return arrays
    if path is not None or _is_paths(source) or type(source).__module__.startswith("pyarrow._data"):
        from fastridge.data.files import FileTable

        files = FileTable(source, encode, filter=tabular.filter, csv=tabular.csv)
        files.refuse_unused(tabular.csv)
        return _table_rows(files, roles, encode)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "iloc"):
        from fastridge.data.frames import FrameTable

        _refuse({"filter": tabular.filter} | tabular.csv.given(), "a table in memory")
        return _table_rows(FrameTable(source), roles, encode)
    if callable(source) or isinstance(source, Iterable):
        _refuse(roles._asdict() | tabular.given(), "an iterator, whose items are X, (X, y), ...")
        if callable(source):
            return IteratorRows(source, True)
        return IteratorRows(lambda: source, not isinstance(source, Iterator))
    raise ValueError(
        f"source must be a path, an array, a table or an iterable, got {type(source).__name__}."
    )


def _is_svmlight(path: str) -> bool:
    """Return whether a file is one of svmlight, by its name or its first lines."""
    from fastridge.data.csv_sniffing import SNIFFED, is_svmlight
    from fastridge.data.opening import first_bytes

    if path.lower().endswith(_SVMLIGHT):
        return True
    return os.path.isfile(path) and is_svmlight(first_bytes(path, SNIFFED))


def _table_rows(table: Table[B], roles: Roles, encode: EncodingOptions) -> RowSource:
    from fastridge.data.table_rows import TableRows

    encode = named_options(encode, table.names, table.name)
    if not isinstance(roles.fold, Split):
        return TableRows(table, **roles._asdict(), options=encode)
    columns = roles._replace(fold=None)._asdict()
    return TableRows(table, **columns, options=encode, split=roles.fold).rows_of("training")


def _refuse(options: Mapping[str, object], what: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{name} is not supported for {what}; got {name}={value!r}.")


def _is_paths(source: object) -> TypeGuard[Sequence[PathLike]]:
    return (
        isinstance(source, (list, tuple))
        and len(source) > 0
        and all(isinstance(item, (str, os.PathLike)) for item in source)
    )


def _is_array(value: object) -> TypeGuard[Matrix]:
    return isinstance(value, np.ndarray) or sp.issparse(value)


def _array(value: PathLike | RowsLike) -> Matrix:
    """Return an array as it is, or that of a .npy file."""
    if isinstance(value, (str, os.PathLike)):
        return mapped(value)
    return value if sp.issparse(value) else np.asarray(value)


def _is_mapped(value: object) -> TypeGuard[PathLike]:
    return isinstance(value, (str, os.PathLike)) and os.fspath(value).lower().endswith(".npy")


def _arrays(source: Source, path: str | None, roles: Roles) -> ArrayRows | None:
    target, features, weights, fold, offset, exposure = roles
    if isinstance(source, tuple) and len(source) == 2:
        if not all(_is_array(part) or _is_mapped(part) for part in source):
            return None
        if target is not None:
            raise ValueError("target is not supported together with a pair (X, y).")
        source, target = source
    if not _is_array(source) and not _is_mapped(source):
        return None
    parts = (source, target, weights, fold, offset, exposure)
    states = [FileState(part) for part in parts if isinstance(part, (str, os.PathLike))]
    X = _array(source)
    if X.ndim == 2 and isinstance(target, (int, np.integer)):
        if sp.issparse(X):
            raise ValueError("target must be an array where X is sparse.")
        target, features = column_split(X, int(target), features)
    elif target is not None:
        target = _array(target)
    weights, fold, offset, exposure = (
        None if value is None else _array(value) for value in (weights, fold, offset, exposure)
    )
    if features is not None and not isinstance(features, slice):
        features = np.asarray(features)
        if features.dtype.kind not in "iu" or features.ndim != 1:
            raise ValueError("features must be column numbers where the source is an array.")
    terms = {"offset": offset, "exposure": exposure}
    return ArrayRows(X, target, weights, fold, features, path or "X", states, **terms)
