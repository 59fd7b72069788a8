"""What ``--checkpoint`` keeps of the first look at the columns, beside the sums of the rows."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastridge.cli.errors import CommandError
from fastridge.cli.reading import Source
from fastridge.cli.rows import declare_types
from fastridge.cli.splitting import Split
from fastridge.cli.survey import Survey
from fastridge.data.encoding import Encoder
from fastridge.io.archive import read_archive, write_archive
from fastridge.linear_model.streamed import difference

_KIND = "checkpoint of columns"


def kept_survey(
    args: argparse.Namespace,
    source: Source,
    features: Sequence[str] | None,
    categorical: Sequence[str],
    split: Split,
    labels: bool,
    make: Callable[[], Survey],
) -> Survey:
    """The survey that `make` gives, or that of the file beside the checkpoint, where it is.

    Raises CommandError where the file is damaged, or of other data or columns.
    """
    if args.checkpoint is None:
        return make()
    path = Path(args.checkpoint + ".columns")
    identity: dict[str, Any] = {
        "files": [list(known) for known in source.identity()],
        "target": args.target,
        "features": None if features is None else list(features),
        "categorical": list(categorical),
        "max_categories": args.max_categories,
        "labels": labels,
        "split": dataclasses.asdict(split),
    }
    if not path.exists():
        survey = make()
        kept = {
            "identity": identity,
            "columns": survey.encoder.to_json(),
            "classes": survey.encoder.classes,
            "rows": [survey.n_rows, survey.n_without_target, survey.n_train, survey.n_test],
            "choices": [list(choice) for choice in survey.choices],
        }
        write_archive(path, _KIND, kept, {})
        return survey
    try:
        meta: Any = read_archive(str(path), _KIND)[0]
        encoder = dataclasses.replace(Encoder.from_json(meta["columns"]), classes=meta["classes"])
    except (ValueError, OSError) as error:
        raise CommandError(str(error)) from None
    if meta["identity"] != identity:
        raise CommandError(
            f"--checkpoint {args.checkpoint} is of other data or columns: "
            f"{difference(meta['identity'], identity)}: delete it and {path.name}, or name another"
        )
    declare_types(source, encoder, args.target)
    n_rows, n_without_target, n_train, n_test = map(int, meta["rows"])
    choices = [(str(heading), str(text)) for heading, text in meta["choices"]]
    return Survey(encoder, n_rows, n_without_target, n_train, n_test, choices)
