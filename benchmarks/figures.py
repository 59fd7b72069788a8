"""The plots: time of each rival over ours by case, and memory by layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .cases import FASTRIDGE, SKLEARN
from .compare import CaseResult
from .processes import MEGABYTE, Peak

_DOTS_PER_INCH = 110


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def plot_speed(results: list[CaseResult], path: Path, against: tuple[str, ...]) -> None:
    """Draw each rival's seconds over ours, a line per case; must and aim are `against` a rival."""
    plt = _pyplot()
    timed = [r for r in results if (ours := r.row(FASTRIDGE)) is not None and ours.by_threads][::-1]
    names = sorted({row.rival for result in timed for row in result.rows} - {FASTRIDGE})
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.45 * len(timed)), layout="constrained")
    colours = dict(zip(names, plt.get_cmap("tab10").colors, strict=False))
    for name in names:
        points = [
            (row.seconds / ours.seconds, height)
            for height, result in enumerate(timed)
            if (row := result.row(name)) is not None and (ours := result.row(FASTRIDGE)) is not None
        ]
        marker = "D" if name == SKLEARN else "o"
        axes.plot(
            *zip(*points, strict=True), marker, color=colours.get(name), label=name, alpha=0.85
        )
    for height, result in enumerate(timed):
        goal = result.case.goal
        if goal.against in against:
            axes.plot([goal.must] * 2, [height - 0.35, height + 0.35], color="0.2", lw=1.5)
            axes.plot([goal.aim] * 2, [height - 0.35, height + 0.35], color="0.6", lw=1.5)
    axes.axvline(1.0, color="C3", lw=1, label=FASTRIDGE)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="x", which="minor", labelbottom=False)
    axes.set_yticks(range(len(timed)), [result.case.title for result in timed])
    axes.set_xlabel(
        "time / time of fastridge, each at its best thread setting\n"
        f"dark bar: must, light bar: aim, both against {' or '.join(against)}"
    )
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small", frameon=False)
    _save(figure, path, plt)


def plot_memory(peaks: list[Peak], path: Path) -> None:
    """Draw the memory of a fit in addition to the data, by layout, and of our `RidgeCV`."""
    plt = _pyplot()
    layouts = list(dict.fromkeys(peak.layout for peak in peaks))
    libraries = list(dict.fromkeys(peak.library for peak in peaks))
    figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
    width = 0.8 / len(libraries)
    for shift, library in enumerate(libraries):
        # on a logarithmic axis a bar needs a height above zero
        own = [peak for peak in peaks if peak.library == library]
        heights = [max(peak.extra / MEGABYTE, 0.1) for peak in own]
        offset = (shift - (len(libraries) - 1) / 2) * width
        positions = [layouts.index(peak.layout) + offset for peak in own]
        axes.bar(positions, heights, width, label=library)
    axes.axhline(16, color="0.6", lw=1.5, label="aim of fit")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(range(len(layouts)), [name.replace(" ", "\n") for name in layouts])
    axes.set_ylabel("MB in addition to the data")
    axes.legend(fontsize="small", frameon=False)
    _save(figure, path, plt)


def _save(figure: Any, path: Path, plt: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)
