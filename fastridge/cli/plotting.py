"""``--plot``: the coefficient path and the error of every penalty, side by side."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastridge.cli.crossvalidation import Comparison
from fastridge.cli.elastic import ElasticNetResult
from fastridge.cli.errors import CommandError, printable, reason, require
from fastridge.cli.fitting import FitResult, Fitted
from fastridge.cli.generalized import FamilyResult
from fastridge.cli.labels import class_labels
from fastridge.cli.sgd import SGDResult
from fastridge.display import AlphaSelectionDisplay, RegularizationPathDisplay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELLED = 8
_MARKS = (("least error", "--", None, 4), ("1-SE rule", ":", "white", 3))
_FORMATS = (".png", ".svg", ".pdf")


def check_plot(path: str) -> None:
    """Raise CommandError, before the work, if no plot could be written to this file."""
    if os.path.splitext(path)[1].lower() not in _FORMATS:
        raise CommandError(f"--plot {path}: the name must end in {', '.join(_FORMATS)}")
    require("matplotlib", "plot")


def draw(result: Comparison | Fitted, path: str) -> None:
    """Draw what a command found to a file, without a display."""
    if isinstance(result, Comparison):
        _draw_comparison(result, path)
    elif isinstance(result, FitResult):
        _draw_fit(result, path)
    elif isinstance(result, SGDResult):
        _draw_sgd(result, path)
    elif isinstance(result, FamilyResult):
        _draw_family(result, path)
    else:
        assert isinstance(result, ElasticNetResult)
        _draw_elastic_net(result, path)


def _draw_fit(result: FitResult, path: str) -> None:
    """Draw what `fastridge fit` found to a file, without a display."""
    assert result.alphas is not None
    assert result.coef_path is not None
    figure, path_axes, error_axes = _panels()
    names = result.schema.encoder.feature_names
    chosen = float(result.model.alpha)
    _draw_path(
        path_axes, result.alphas, result.coef_path, names, result.feature_scale, result.target,
        chosen,
    )  # fmt: skip
    kfold = result.kfold
    if kfold is not None:
        rmse = np.sqrt(kfold.mean)
        error = kfold.standard_error / (2.0 * rmse)  # of the root, to first order
        display = _errors(result.alphas, rmse, error)
        display.alpha_min, display.alpha_1se = chosen, None
        display.plot(error_axes)
        error_axes.set_title(f"{kfold.mse.shape[1]}-fold RMSE")
    _save(figure, path)


def _draw_comparison(result: Comparison, path: str) -> None:
    """Draw what `fastridge cv` found to a file, without a display."""
    figure, path_axes, error_axes = _panels()
    _draw_path(
        path_axes, result.alphas, result.coef_path, result.feature_names, result.feature_scale,
        result.target, None,
    )  # fmt: skip
    colors = require("matplotlib", "plot").rcParams["axes.prop_cycle"].by_key()["color"]
    for k, one in enumerate(result.choices):
        color, label = colors[k % len(colors)], f"{one.method}: alpha = {one.alpha:.3g}"
        if one.curve is None:
            if np.isfinite(one.alpha):
                style = {"color": color, "linestyle": "-.", "linewidth": 1.2, "label": label}
                error_axes.axvline(one.alpha, **style)
            continue
        display = _errors(result.alphas, one.curve, one.curve_error)
        display.alpha_min, display.alpha_1se = one.alpha, None
        display.plot(error_axes, label=label, color=color)
    error_axes.set_ylabel("root mean squared error")
    error_axes.set_title("Error by each method, and the penalty it chose")
    if error_axes.get_legend_handles_labels()[0]:
        error_axes.legend(fontsize="small")
    _save(figure, path)


def _draw_elastic_net(result: ElasticNetResult, path: str) -> None:
    """Draw what ``--l1-ratio`` found to a file, without a display."""
    assert result.coef_path is not None
    figure, path_axes, error_axes = _panels()
    names = result.schema.encoder.feature_names
    _draw_path(
        path_axes, result.alphas, result.coef_path, names, result.feature_scale, result.target,
        result.alpha, nonzeros=True,
    )  # fmt: skip
    path_axes.set_title(f"Coefficients, l1_ratio = {result.l1_ratio:g}")
    search = result.search
    if search is None:
        error_axes.set_axis_off()
        _save(figure, path)
        return
    several = len(search.l1_ratios) > 1
    palette = require("matplotlib", "plot").colormaps["viridis"]
    colors = palette(np.linspace(0.0, 0.85, len(search.l1_ratios)))
    for k, l1_ratio in enumerate(search.l1_ratios):
        alphas, rmse = search.alphas[k], search.rmse[k]
        display = _errors(alphas, rmse, search.rmse_error[k])
        if several:
            step = max(1, len(alphas) // 16)
            first = k * step // len(search.l1_ratios)
            label = f"l1_ratio = {l1_ratio:g}"
            display.plot(error_axes, label=label, color=colors[k], bars=(first, step))
        else:
            display.plot(error_axes, bars=True)
        color = display.line_.get_color()
        for at, (*_, face, order) in zip(search.choices(k), _MARKS, strict=True):
            error_axes.plot(
                alphas[at], rmse[at], "o", color=color, markersize=6, mfc=face or color,
                zorder=order,
            )  # fmt: skip
    k = search.l1_ratios.index(result.l1_ratio)
    for at, (name, style, *_) in zip(search.choices(k), _MARKS, strict=True):
        alpha = search.alphas[k][at]
        label = f"{name}: alpha = {alpha:.3g}"
        error_axes.axvline(alpha, label=label, color="0.3", lw=1.2, linestyle=style, zorder=0)
    if several:
        error_axes.plot([], [], "o", color="0.3", label="least error of each")
        error_axes.plot([], [], "o", color="0.3", mfc="white", label="1-SE rule of each")
    error_axes.set_title(f"{search.n_folds}-fold RMSE ± standard error")
    error_axes.legend(fontsize="small")
    _save(figure, path)


def _draw_family(result: FamilyResult, path: str) -> None:
    """Draw what ``--family`` found to a file, without a display."""
    assert result.coef_path is not None
    figure, path_axes, error_axes = _panels()
    names, scale = result.schema.encoder.feature_names, result.feature_scale
    coefs = result.coef_path.reshape(len(result.alphas), -1)
    n_outputs = result.coef_path.shape[1]
    if n_outputs > 1:
        labels = class_labels(result.model)
        names = [f"{name} ({label})" for label in labels for name in names]
        scale = np.tile(scale, n_outputs)
    _draw_path(
        path_axes, result.alphas, coefs, names, scale, result.target, result.alpha,
        nonzeros=result.l1_ratio > 0.0,
    )  # fmt: skip
    path_axes.set_ylabel("change of the linear predictor per standard deviation")
    search = result.search
    if search is None:
        error_axes.set_axis_off()
        _save(figure, path)
        return
    several = len(search.l1_ratios) > 1
    for k, l1_ratio in enumerate(search.l1_ratios):
        label: dict[str, Any] = {"label": f"l1_ratio = {l1_ratio:g}"} if several else {}
        display = _errors(search.alphas[k], search.mean(k), search.error(k))
        display.plot(error_axes, **label)
    error_axes.axvline(
        result.alpha, label=f"alpha = {result.alpha:.3g}", color="0.3", lw=1.2, zorder=0
    )
    error_axes.set_ylabel("mean deviance")
    error_axes.set_title(f"{search.n_folds}-fold deviance ± standard error")
    error_axes.legend(fontsize="small")
    _save(figure, path)


def _draw_sgd(result: SGDResult, path: str) -> None:
    """Draw the loss of each epoch, of each class where there are several."""
    plt = require("matplotlib.pyplot", "plot")
    curves = result.model.loss_curve_
    figure, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    several = isinstance(curves[0], list)
    for k, curve in enumerate(curves if several else [curves]):
        label = _literal(str(result.model.classes_[k])) if several else None
        axes.plot(np.arange(1, len(curve) + 1), curve, "o-", label=label)
    axes.set(
        xlabel="epoch", ylabel=f"{result.model.loss} and penalty", title=_literal(result.target)
    )
    if several:
        axes.legend(title="class")
    _save(figure, path)


def _panels() -> tuple[Figure, Axes, Axes]:
    figure = require("matplotlib.figure", "plot").Figure(figsize=(13, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    return figure, left, right


def _draw_path(
    axes: Axes,
    alphas: np.ndarray,
    coefs: np.ndarray,
    names: list[str],
    scale: np.ndarray,
    target: str,
    alpha: float | None,
    *,
    nonzeros: bool = False,
) -> None:
    counts = np.count_nonzero(coefs, axis=1) if nonzeros else None
    display = RegularizationPathDisplay(
        alphas=alphas,
        coefs=coefs,
        n_nonzero=counts,
        feature_names=[printable(name) for name in names],
        alpha=alpha,
    )
    label = _literal(target)
    display.plot(
        axes, n_labels=_LABELLED, scale=scale, ylabel=f"change of {label} per standard deviation"
    )
    axes.set_title("Coefficients")


def _errors(
    alphas: np.ndarray, rmse: np.ndarray, error: np.ndarray | None
) -> AlphaSelectionDisplay:
    return AlphaSelectionDisplay(
        alphas=alphas,
        mean_scores=-rmse,
        standard_errors=error,
        scoring="neg_root_mean_squared_error",
    )


def _literal(text: str) -> str:
    """Return text that is drawn as it is."""
    return printable(text).replace("$", r"\$")


def _save(figure: Figure, path: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # of a name, missing from the font
            figure.savefig(path, dpi=150)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {reason(error)}") from None
