"""``--json``: what a command prints, as one JSON object.

docs/command_line.md documents the keys. A number that is not finite is null, as JSON has none.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from fastridge.cli.coefficients import Coefficients
from fastridge.cli.labels import class_labels
from fastridge.runtime.memory import peak_memory

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from fastridge.cli.crossvalidation import Comparison
    from fastridge.cli.elastic import ElasticNetResult
    from fastridge.cli.fitting import Fitted
    from fastridge.cli.rows import Schema
    from fastridge.data.one_hot import Encoder

SCORES = ("r2", "rmse", "baseline_rmse", "accuracy", "baseline_accuracy", "log_loss")


_SOLUTION = (
    "solver", "status", "n_iter", "alpha", "l1_ratio", "gradient_norm", "dual_gap", "rcond",
)  # fmt: skip


def write(report: Mapping[str, object], file: TextIO | None = None) -> None:
    """Write an object as JSON in ASCII, to the standard output by default."""
    text = json.dumps(plain(report), allow_nan=False, indent=2)
    print(text, file=sys.stdout if file is None else file)


def plain(value: object) -> Any:
    """Return a value as JSON has it: arrays are lists, a number that is not finite is null."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def of_result(
    result: Comparison | Fitted, command: str, written: Mapping[str, str]
) -> dict[str, object]:
    """Return what `fit` or `cv` found."""
    from fastridge.cli.crossvalidation import Comparison

    about: dict[str, object] = {"command": command, "data": result.path, "target": result.target}
    about |= _of_schema(result.schema, result.n_test)
    own = _comparison(result) if isinstance(result, Comparison) else _fitted(result)
    return {
        **about,
        **own,
        "notes": result.notes,
        "seconds": result.stages.seconds,
        "peak_memory_bytes": peak_memory(),
        "written": written,
    }


def _of_schema(schema: Schema, n_test: int) -> dict[str, object]:
    """Return the numbers of rows, the columns, and what was decided about them."""
    counts = schema.counts
    return {
        "rows": {
            "training": counts.n_train,
            "held_out": n_test,
            "without_target": counts.n_without_target,
        },
        "columns": of_columns(schema.encoder),
        "column_choices": dict(schema.choices),
    }


def of_columns(encoder: Encoder) -> list[dict[str, object]]:
    """Return the columns and their features."""
    return [
        {"name": column.name, "kind": column.kind, "features": encoder.features_of[column.name]}
        for column in encoder.columns
    ]


def of_model(model: BaseEstimator) -> dict[str, object]:
    """Return the class, the parameters and the solution of a model, without coefficients."""
    about = {"class": type(model).__name__, "parameters": model.get_params(deep=False)}
    for name in _SOLUTION:
        if hasattr(model, f"{name}_"):
            about[name] = getattr(model, f"{name}_")
    if "rcond" in about:
        rcond = about["rcond"]
        about["condition_number"] = 1.0 / np.min(rcond) if rcond is not None and rcond else None
    if hasattr(model, "classes_"):
        about["classes"] = class_labels(model)
    return about


def of_coefficients(found: Coefficients) -> dict[str, object]:
    """Return intercepts and coefficients: numbers, or lists with one of each class."""
    several = len(found.coef) > 1

    def each(values: np.ndarray) -> object:
        return values if several else values[0]

    return {
        "intercept": each(found.intercept),
        "coefficients": [
            {
                "feature": name,
                "coefficient": each(found.coef[:, j]),
                "standard_deviation": found.deviation[j],
            }
            for j, name in enumerate(found.names)
        ],
    }


def _fitted(result: Fitted) -> dict[str, object]:
    from fastridge.cli import family_report
    from fastridge.cli.elastic import ElasticNetResult
    from fastridge.cli.fitting import FitResult
    from fastridge.cli.generalized import FamilyResult
    from fastridge.cli.sgd import SGDResult

    evaluation = result.evaluation
    found: dict[str, object] = {"model": of_model(result.model)}
    if isinstance(result, FitResult | SGDResult):
        found["alpha"] = result.model.alpha
    if isinstance(result, FitResult) and result.kfold is not None:
        kfold = result.kfold
        found["kfold"] = {
            "folds": kfold.mse.shape[1],
            "alphas": result.alphas,
            "rmse": np.sqrt(kfold.mean),
        }
    if isinstance(result, ElasticNetResult):
        found |= _elastic_net(result)
    if isinstance(result, SGDResult):
        found["loss_curve"] = result.model.loss_curve_
    names = result.schema.encoder.feature_names
    scores = {name: getattr(evaluation, name, math.nan) for name in SCORES}
    if isinstance(result, FamilyResult):
        found |= family_report.of_result(result)
        scores = family_report.of_scores(result.evaluation)
    return {
        **found,
        "held_out": scores if result.n_test else None,
        **of_coefficients(Coefficients.of(result.model, names, result.feature_scale)),
        "checks": [
            {"text": one.text, "value": one.value, "limit": one.limit, "passed": one.passed}
            for one in result.checks
        ],
    }


def _elastic_net(result: ElasticNetResult) -> dict[str, object]:
    found: dict[str, object] = {
        "alpha": result.alpha,
        "l1_ratio": result.l1_ratio,
        "rule": result.rule,
        "nonzero": result.n_nonzero,
        "dual_gap_tolerance": result.tolerance,
    }
    search = result.search
    if search is not None:
        found["kfold"] = {
            "folds": search.n_folds,
            "l1_ratios": search.l1_ratios,
            "alphas": search.alphas,
            "rmse": search.rmse,
            "rmse_error": search.rmse_error,
        }
    if result.candidates:
        found["candidates"] = [vars(candidate) for candidate in result.candidates]
    return found


def _comparison(result: Comparison) -> dict[str, object]:
    names = ("method", "alpha", "rmse", "held_out_rmse", "seconds")
    return {
        "alphas": result.alphas,
        "methods": [{name: getattr(one, name) for name in names} for one in result.choices],
    }
