"""``fastridge info``: what a saved model is."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from fastridge.cli import json_report
from fastridge.cli.coefficients import Coefficients
from fastridge.cli.labels import class_labels
from fastridge.cli.report import (
    certificate_rows,
    condition_text,
    intercept_text,
    print_coefficients,
    print_ratios,
    solution_rows,
)
from fastridge.cli.saved import SCORES, copied, encoder_of, loaded
from fastridge.cli.tables import print_pairs, print_table
from fastridge.data.one_hot import CategoricalColumn, NumericColumn
from fastridge.io.archive import read_header
from fastridge.io.model_file import describe_model


def info(args: argparse.Namespace) -> None:
    """Carry out ``fastridge info``."""
    model: Any
    args.model = copied(args.model)
    model, table = loaded(args.model, describe_model)
    writer = read_header(args.model)["writer"]
    encoder = None if table is None else encoder_of(table, args.model)
    deviation = (
        np.full(np.shape(model.coef_)[-1], np.nan) if table is None else table["feature_scale"]
    )
    names = _feature_names(model) if encoder is None else encoder.feature_names
    found = Coefficients.of(model, names, deviation)
    if args.json:
        report = {"command": "info", "file": args.model, "writer": writer}
        if table is not None and encoder is not None:
            report["target"] = table["target"]
            report["rows"] = {"training": table["n_train"]}
            report["columns"] = json_report.of_columns(encoder)
            report["held_out"] = table["held_out"]
            report["reading"] = table.get("reading", {})
            if "family" in table:
                report["family"] = table["family"]
        report |= {"model": json_report.of_model(model)} | json_report.of_coefficients(found)
        json_report.write(report)
        return
    rows = [
        ("written by", writer),
        ("parameters", repr(model)),
        ("features", f"{model.n_features_in_}"),
        *_solution_rows(model),
        ("intercept", intercept_text(found)),
    ]
    title = f"{type(model).__name__} in {args.model}"
    if table is None or encoder is None:
        print_pairs(title, rows)
        return
    rows.insert(1, ("target", table["target"]))
    rows.insert(2, ("rows", f"{table['n_train']:,} for training"))
    if table["held_out"] is not None:
        held_out = table["held_out"]
        numbers = ", ".join(
            f"{heading} {held_out[key]:.4g}"
            for heading, key in SCORES
            if held_out.get(key) is not None
        )
        rows.insert(3, ("held out", f"{held_out['n']:,} rows: {numbers}"))
    family = table.get("family") or {}
    for role in ("offset", "exposure"):
        if family.get(role) is not None:
            rows.insert(2, (role, f"column {family[role]}"))
    console = print_pairs(title, rows)
    if family.get("ratio") is not None:
        print_ratios(console, found, table["target"], 12, family["ratio"])
    else:
        print_coefficients(console, found, table["target"], 12)
    columns = ", ".join(_column_text(column) for column in encoder.columns)
    print_table(console, f"Columns of {args.model}", [("columns", columns)])


def _feature_names(model: Any) -> list[str]:
    names = getattr(model, "feature_names_in_", None)
    return [f"x{j}" for j in range(model.n_features_in_)] if names is None else list(names)


def _solution_rows(model: Any) -> list[tuple[str, str]]:
    if hasattr(model, "loss"):
        rows = [("loss", model.loss), ("epochs", f"{model.n_iter_}")]
        if hasattr(model, "classes_"):
            rows.append(("classes", ", ".join(class_labels(model))))
        return rows
    if hasattr(model, "gradient_norm_"):
        return solution_rows(model)
    if not hasattr(model, "dual_gap_"):
        return [("solver", f"{model.solver_}"), ("condition number", condition_text(model))]
    rows = []
    for heading in ("l1_ratio", "alpha"):
        if hasattr(model, f"{heading}_"):
            rows.append((heading, f"{getattr(model, f'{heading}_'):.4g} (chosen)"))
    coef = model.coef_
    rows.append(("nonzero", f"{np.count_nonzero(coef)} of {coef.size} coefficients"))
    return rows + certificate_rows(model)


def _column_text(column: NumericColumn | CategoricalColumn) -> str:
    if isinstance(column, CategoricalColumn):
        return f"{column.name} ({len(column.feature_names)} categories)"
    return f"{column.name} ({column.kind})"
