"""Draw the margin of a linear support vector machine in two dimensions.

    python examples/margin.py margin.png

Two classes overlap. Each picture has the boundary, the two lines at which rows are as far inside
their class as the margin, and the rows that decide: those beyond their line, or on it.
The smaller C, the wider the margin. Ridge regression on -1 and 1 is drawn next to them: all of its
rows decide, so a class that reaches far to one side pulls the boundary.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from fastridge import LinearSVC, RidgeClassifier

ON_THE_LINE = 1.0 + 1e-6  # rows on their line, to rounding, decide


def two_classes(n_rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make two clouds, of which the second has a part that reaches far."""
    rng = np.random.default_rng(seed)
    first = rng.normal((-1.2, 0.0), 0.7, size=(n_rows, 2))
    second = rng.normal((1.0, 0.4), 0.7, size=(n_rows, 2))
    second[: n_rows // 5] += (4.0, -3.5)
    return np.vstack([first, second]), np.repeat([0, 1], n_rows)


def main(path: str | Path, n_rows: int = 60) -> dict[str, int]:
    """Draw the picture; return the number of rows that decide, for each model."""
    X, y = two_classes(n_rows)
    free = {"loss": "hinge", "penalize_intercept": False, "tol": 1e-10}
    models = {
        "LinearSVC, C = 0.01": LinearSVC(C=0.01, **free),
        "LinearSVC, C = 10": LinearSVC(C=10.0, **free),
        "RidgeClassifier": RidgeClassifier(),
    }
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.5), sharey=True, layout="constrained")
    grid = np.linspace(X.min(axis=0) - 0.5, X.max(axis=0) + 0.5, 200)
    first, second = np.meshgrid(grid[:, 0], grid[:, 1])
    found = {}
    for axis, (name, model) in zip(axes, models.items(), strict=True):
        model.fit(X, y)
        decides = np.ones(len(y), dtype=bool)
        if isinstance(model, LinearSVC):
            decides = np.where(y == 1, 1.0, -1.0) * model.decision_function(X) <= ON_THE_LINE
        found[name] = int(decides.sum())
        scores = model.decision_function(np.column_stack([first.ravel(), second.ravel()]))
        axis.contour(
            first, second, scores.reshape(first.shape), [-1.0, 0.0, 1.0],
            colors="0.3", linestyles=["--", "-", "--"],
        )  # fmt: skip
        for label, colour in enumerate(("tab:blue", "tab:orange")):
            rows = y == label
            axis.scatter(*X[rows & ~decides].T, s=16, color=colour, alpha=0.35)
            axis.scatter(*X[rows & decides].T, s=30, color=colour, edgecolor="black")
        width = 2.0 / np.linalg.norm(model.coef_)
        axis.set_title(f"{name}\n{found[name]} of {len(y)} rows decide, width {width:.1f}")
        print(f"{name}: {found[name]} rows decide, accuracy {model.score(X, y):.3f}")
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return found


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "margin.png")
