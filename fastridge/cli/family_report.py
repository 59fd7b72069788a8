"""The report of a generalized linear model, as tables and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastridge.cli.errors import require
from fastridge.cli.family_scores import ClassScores, FamilyScores
from fastridge.cli.labels import class_labels
from fastridge.cli.predicted_rows import Group, Recalibration, groups, recalibration
from fastridge.cli.searched import searched_alpha_text
from fastridge.cli.tables import print_title

if TYPE_CHECKING:
    from rich.console import Console

    from fastridge.cli.families import Family
    from fastridge.cli.generalized import FamilyResult

_CLASSES = 6  # most that are printed
Row = tuple[str, str]


def calibrations(family: Family, scores: FamilyScores) -> list[tuple[Recalibration, list[Group]]]:
    """Return how true the predictions are: of several classes, that of each against the others."""
    return [
        (recalibration(rows.points(), family.free_model()), groups(rows.points()))
        for rows in scores.predicted
    ]


def penalty_rows(result: FamilyResult) -> list[Row]:
    """Return the lines about the penalty."""
    search = result.search
    alpha = searched_alpha_text(
        result, lambda k, at: f"deviance ({search.mean(k)[at]:.5g})" if search else ""
    )
    rows = [("alpha", alpha)]
    if result.family.classifies:
        rows.append(("C", f"{result.model.C:.4g}, the inverse of alpha times the weights' sum"))
    if result.l1_ratio > 0.0:
        n_features = np.shape(result.model.coef_)[-1]
        rows.insert(0, ("l1_ratio", f"{result.l1_ratio:g}"))
        rows.append(("nonzero", f"{result.n_nonzero} of {n_features} features"))
    return rows


def score_rows(result: FamilyResult) -> list[Row]:
    """Return the lines about held-out rows."""
    rows = []
    if result.n_test:
        rows = [(f"held-out {name}", text) for name, text in score_texts(result.evaluation)]
        rows += _calibration_rows(result)
    return rows


def score_texts(scores: FamilyScores) -> list[Row]:
    """Return the scores with those of the null model."""

    def against(value: float, null: float) -> str:
        return f"{value:.5g}, against {null:.5g} of the null model"

    rows = []
    if not math.isnan(scores.d2):
        rows.append(("D²", f"{scores.d2:.4f} of the deviance explained"))
    if not isinstance(scores, ClassScores):
        return [*rows, ("deviance", against(scores.deviance, scores.null_deviance))]
    value, error = scores.auc, scores.auc_error
    within = "" if not error > 0.0 else f" ± {error:.1g}, from bins of rows"
    of_all = "" if scores.n_classes == 2 else ", mean of each class against the others"
    baseline = f"against {scores.baseline_accuracy:.4f} of the most frequent class"
    if not math.isnan(value):
        rows.append(("AUC", f"{value:.4f}{within}{of_all}"))
    return [
        *rows,
        ("log loss", against(scores.log_loss, scores.null_log_loss)),
        ("Brier score", against(scores.brier, scores.null_brier)),
        ("accuracy", f"{scores.accuracy:.4f}, {baseline}"),
    ]


def _calibration_rows(result: FamilyResult) -> list[Row]:
    found = calibrations(result.family, result.evaluation)
    labels = class_labels(result.model) if len(found) > 1 else [""]
    rows = []
    lines = [
        f"{line.factor:.3f} with intercept {line.intercept:+.3f}" + (label and f" ({label})")
        for (line, _), label in zip(found[:_CLASSES], labels, strict=False)
        if not math.isnan(line.factor)
    ]
    if lines:
        what = "; 1 and 0 if predictions are true"
        rows.append(("calibration slope", ", ".join(lines) + what))
    if len(found) == 1:
        ratios = [g.observed / g.predicted if g.predicted else math.nan for g in found[0][1]]
        texts = " ".join(f"{ratio:.3g}" for ratio in ratios)
        rows.append(("observed/expected", f"{texts}, in groups from the least prediction up"))
    return rows


def print_candidates(console: Console, result: FamilyResult) -> None:
    """Print the penalties of each l1_ratio side by side."""
    search = result.search
    assert search is not None
    print_title(
        console,
        f"{result.name} of {result.target}: penalties by {search.n_folds}-fold deviance, of "
        f"{max(map(len, search.alphas))} alphas at most for each l1_ratio",
    )
    table = require("rich.table", "cli").Table()
    headings = "l1_ratio", "rule", "alpha", "deviance", "± error", "nonzero", "held-out deviance"
    for heading in (*headings, ""):
        table.add_column(heading, justify="left" if heading == "rule" else "right")
    for one in result.candidates:
        numbers = [f"{one.alpha:.4g}", f"{one.deviance:.5g}", f"{one.deviance_error:.2g}"]
        held_out = "" if np.isnan(one.held_out_deviance) else f"{one.held_out_deviance:.5g}"
        mark = "<- chosen" if one.chosen else ""
        table.add_row(f"{one.l1_ratio:g}", one.rule, *numbers, f"{one.n_nonzero}", held_out, mark)
    console.print(table)


def of_scores(scores: FamilyScores) -> dict[str, float]:
    """Return the scores by the names that JSON has for them."""
    names = ["d2", "deviance", "null_deviance"]
    if isinstance(scores, ClassScores):
        names += ["auc", "auc_error", "log_loss", "null_log_loss", "brier", "null_brier"]
        names += ["accuracy", "baseline_accuracy"]
    else:
        names += ["r2", "rmse", "baseline_rmse"]
    return {name: getattr(scores, name) for name in names}


def of_family(family: Family) -> dict[str, object]:
    """Return a family as plain values."""
    return {**vars(family), "ratio": family.ratios}


def of_result(result: FamilyResult) -> dict[str, object]:
    """Return what JSON has only of generalized linear models."""
    found: dict[str, object] = {
        "family": of_family(result.family),
        "alpha": result.alpha,
        "l1_ratio": result.l1_ratio,
        "rule": result.rule,
        "nonzero": result.n_nonzero,
        "null_predictor": result.null,
        "offset": result.offset,
        "exposure": result.exposure,
    }
    if result.family.classifies:
        found["C"] = result.model.C
    search = result.search
    if search is not None:
        each = range(len(search.l1_ratios))
        found["kfold"] = {
            "folds": search.n_folds,
            "l1_ratios": search.l1_ratios,
            "alphas": search.alphas,
            "deviance": [search.mean(k) for k in each],
            "deviance_error": [search.error(k) for k in each],
        }
    if result.candidates:
        found["candidates"] = [vars(candidate) for candidate in result.candidates]
    if result.n_test:
        labels: list[str | None] = [None]
        if len(result.evaluation.predicted) > 1:
            labels = [*class_labels(result.model)]
        found["calibration"] = [
            {"class": label, **line._asdict(), "groups": [group._asdict() for group in of_groups]}
            for label, (line, of_groups) in zip(
                labels, calibrations(result.family, result.evaluation), strict=True
            )
        ]
    return found
