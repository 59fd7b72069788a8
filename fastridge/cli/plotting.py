"""``--plot``: the coefficient path and the validation curve."""

from __future__ import annotations

import os

import numpy as np

from fastridge.cli.errors import CommandError, require
from fastridge.cli.fitting import FitResult

_LABELLED = 8
_FORMATS = (".png", ".svg", ".pdf")


def check_plot(path: str) -> None:
    """Raise CommandError, before the work, if no plot could be written to this file."""
    if os.path.splitext(path)[1].lower() not in _FORMATS:
        raise CommandError(f"--plot {path}: the name must end in {', '.join(_FORMATS)}")
    require("matplotlib", "plot")


def draw_plot(result: FitResult, path: str) -> None:
    """Draw coefficients and k-fold error over the penalties, side by side, without a display."""
    figure = require("matplotlib.figure", "plot").Figure(figsize=(12, 4.5), layout="constrained")
    path_axes, error_axes = figure.subplots(1, 2)
    alphas, coef_path, kfold = result.alphas, result.coef_path, result.kfold
    assert alphas is not None
    assert coef_path is not None

    effect = coef_path * result.feature_scale
    order = np.argsort(-np.abs(effect).max(axis=0), kind="stable")
    names = result.survey.encoder.feature_names
    path_axes.plot(alphas, effect[:, order[_LABELLED:]], color="0.8", linewidth=0.7)
    for j in order[:_LABELLED]:
        path_axes.plot(alphas, effect[:, j], label=_plain(names[j]), linewidth=1.6)
    path_axes.set_ylabel(f"change of {_plain(result.target)} per standard deviation")
    path_axes.set_title("Coefficients")
    path_axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))

    if kfold is not None:
        rmse = np.sqrt(kfold.mean)
        error = kfold.standard_error / (2.0 * rmse)  # of the root, to first order
        error_axes.fill_between(alphas, rmse - error, rmse + error, alpha=0.25, linewidth=0)
        error_axes.plot(alphas, rmse)
    error_axes.set_ylabel(f"{0 if kfold is None else kfold.mse.shape[1]}-fold RMSE")
    error_axes.set_title("Validation (band: standard error over the folds)")
    for axes in (path_axes, error_axes):
        if (alphas > 0).all():
            axes.set_xscale("log")
        else:
            axes.set_xscale("symlog", linthresh=alphas[alphas > 0].min(initial=1.0))
        axes.axvline(result.model.alpha, color="0.3", linestyle="--", linewidth=1)
        axes.set_xlabel("alpha (dashed: chosen)")
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None


def _plain(text: str) -> str:
    """Text for a label: dollar signs start no formula, a leading underscore does not hide it."""
    return " " + text.replace("$", r"\$") if text.startswith("_") else text.replace("$", r"\$")
