"""Axes, the scale of alpha, and labels, shared by all displays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


def new_axes(
    ax: Axes | None, *, width: float = 6.4, height: float = 4.4
) -> tuple[Axes, Figure | SubFigure]:
    """Return the given axes and their figure, or new ones.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax, ax.figure
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "displays need matplotlib, which is not installed: run  "
            "pip install 'fastridge-solvers[plot]'"
        ) from error
    figure, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax, figure


def scale_alpha(ax: Axes, alphas: np.ndarray) -> None:
    """Make the axis of alpha logarithmic, and linear near zero if zero is among the alphas."""
    if (alphas > 0.0).all():
        ax.set_xscale("log")
    else:
        ax.set_xscale("symlog", linthresh=float(alphas[alphas > 0.0].min(initial=1.0)))
        ax.autoscale_view(scaley=False)  # the margins were computed for a linear axis
    ax.set_xlabel("alpha")


def plain(text: str) -> str:
    """Escape text for a label, so that ``$`` starts no formula and ``_`` does not hide it."""
    text = text.replace("$", r"\$")
    return " " + text if text.startswith("_") else text


def checked_alphas(alphas: ArrayLike) -> np.ndarray:
    """Return alphas as float64 of shape (n_alphas,), or raise ValueError."""
    try:
        values = np.asarray(alphas, dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or not len(values) or not ((values >= 0.0) & np.isfinite(values)).all():
        raise ValueError(f"alphas must be a sequence of finite numbers from 0 up, got {alphas!r}.")
    return values


def checked_target(target: int, n_targets: int) -> int:
    """Return the index of a target, or raise ValueError if there is no such target."""
    if not 0 <= target < n_targets:
        raise ValueError(f"target must be from 0 to {n_targets - 1}, got {target!r}.")
    return target


def names_of(given: Sequence[str] | None, source: object, n_features: int) -> list[str]:
    """Return feature names: those given, or of a fitted estimator or DataFrame, or x0, x1, ..."""
    if given is None:
        given = getattr(source, "feature_names_in_", None)
    if given is None:
        given = getattr(source, "columns", None)
    if given is None:
        return [f"x{j}" for j in range(n_features)]
    names = [str(name) for name in given]
    if len(names) != n_features:
        raise ValueError(f"feature_names has {len(names)} names, but there are {n_features}.")
    return names
