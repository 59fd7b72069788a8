"""A first look at the training rows: what each column holds, and how it will be encoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fastridge.cli.errors import CommandError, require
from fastridge.cli.reading import Source, TypesChangedError
from fastridge.cli.splitting import HELD_OUT, Split
from fastridge.data.columns import kind_of, to_numbers, to_text
from fastridge.data.encoding import Encoder
from fastridge.data.schema import FirstLook, Numbers, Texts

MAX_CLASSES = 100


@dataclass
class Survey:
    """What a first pass over the training rows found.

    Attributes
    ----------
    encoder : Encoder
    n_rows : int
        Rows of the file.
    n_without_target : int
        Rows left out because the target is missing, in all parts.
    n_train, n_test : int
    choices : list of (str, str)
        What was decided about the columns, as heading and text.
    """

    encoder: Encoder
    n_rows: int
    n_without_target: int
    n_train: int
    n_test: int
    choices: list[tuple[str, str]]


def survey_columns(
    source: Source,
    target: str,
    features: Sequence[str] | None,
    categorical: Sequence[str],
    max_categories: int,
    split: Split,
    advance: Callable[[int], None],
    restart: Callable[[], None],
    *,
    labels: bool = False,
) -> Survey:
    """Read the training rows once and decide how each column is encoded.

    With `labels` the values of the target are text, its classes.

    A CSV file whose later rows do not fit the types of the first ones is read again from the
    start with wider types, after a call of `restart`.
    """
    source.check_columns([target, *(features or []), *categorical])
    if features is not None and target in features:
        raise CommandError(f"the target {target!r} is among the --features")
    chosen = features is not None
    names = list(dict.fromkeys(features)) if features else [n for n in source.types if n != target]
    for name in categorical:
        if name not in names:
            raise CommandError(f"--categorical names {name!r}, which is not among the features")
    while True:
        try:
            return _survey(
                source, target, names, chosen, set(categorical), max_categories, split, advance,
                labels,
            )  # fmt: skip
        except TypesChangedError:
            restart()


def _survey(
    source: Source,
    target: str,
    names: list[str],
    chosen: bool,
    categorical: set[str],
    max_categories: int,
    split: Split,
    advance: Callable[[int], None],
    labels: bool,
) -> Survey:
    check_target_type(source, target, labels=labels)
    look = FirstLook(source.types, names, categorical, chosen=chosen, index=source.index)
    parts = split.start()
    n_rows = n_without_target = n_train = n_test = 0
    target_range = Texts("text") if labels else Numbers(target, "number")
    for batch in source.batches([target, *look.names]):
        part = parts.draw(batch.num_rows)
        if labels:
            there = to_text(batch.column(target)).is_valid()
            has_target = there.to_numpy(zero_copy_only=False)
        else:
            has_target = ~np.isnan(to_numbers(batch.column(target), "number", target))
        train = has_target & (part != HELD_OUT)
        n_rows += batch.num_rows
        n_without_target += int(np.count_nonzero(~has_target))
        n_train += int(np.count_nonzero(train))
        n_test += int(np.count_nonzero(has_target & (part == HELD_OUT)))
        rows = batch.filter(require("pyarrow", "cli").array(train))
        target_range.add(rows.column(target))
        look.add(rows)
        advance(batch.num_rows)

    if n_rows == 0:
        raise CommandError(f"{source.path} has no rows")
    if n_train == 0:
        raise CommandError(
            f"no training rows: {n_without_target} of {n_rows} rows have no {target!r} and "
            f"{n_test} are held out"
        )
    classes = _classes(target_range, target, n_train)
    encoder, choices = look.encoder(max_categories)
    if not encoder.columns:
        raise CommandError(f"no usable features: every column but {target!r} was left out")
    encoder = dataclasses.replace(encoder, classes=classes)
    return Survey(encoder, n_rows, n_without_target, n_train, n_test, choices)


def _classes(found: Numbers | Texts, target: str, n_train: int) -> list[str] | None:
    """The labels of the target in order, None for numbers. CommandError if it is constant."""
    if isinstance(found, Numbers):
        constant, value = found.least == found.most, f"{found.most:g}"
    else:
        constant, value = len(found.counts) == 1, next(iter(found.counts))
        if len(found.counts) > MAX_CLASSES:
            raise CommandError(
                f"the target {target!r} has more than {MAX_CLASSES} labels: choose another target"
            )
    if constant:
        raise CommandError(
            f"the target {target!r} is constant ({value}) over the {n_train} training rows: "
            "there is nothing to explain"
        )
    return None if isinstance(found, Numbers) else sorted(found.counts)


def check_target_type(source: Source, target: str, *, labels: bool = False) -> None:
    """Raise CommandError unless the target is a column of numbers, or with `labels` of text."""
    source.check_columns([target])
    dtype = source.types[target]
    if labels:
        if kind_of(dtype) == "unusable":
            raise CommandError(f"the target {target!r} holds {dtype}, not labels")
        return
    if kind_of(dtype) not in ("number", "boolean", "empty"):
        what = "text" if kind_of(dtype) == "text" else str(dtype)
        raise CommandError(f"the target {target!r} holds {what}, not numbers")
