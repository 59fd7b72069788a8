"""The penalty that a search over a grid found, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastridge.cli.elastic import ElasticNetResult
    from fastridge.cli.generalized import FamilyResult


def searched_alpha_text(
    result: ElasticNetResult | FamilyResult, error: Callable[[int, int], str]
) -> str:
    """Return which alpha of a grid was chosen and why; ``error(k, at)`` is its mean error."""
    search = result.search
    if search is None or result.rule == "given":
        return f"{result.alpha:.4g} (given)"
    k = search.l1_ratios.index(result.l1_ratio)
    grid, at = search.alphas[k], search.choices(k)[result.rule == "1se"]
    what = "largest within one standard error" if result.rule == "1se" else "best"
    return (
        f"{result.alpha:.4g}, {what} of {len(grid)} from {grid[-1]:.3g} to {grid[0]:.3g} "
        f"by {search.n_folds}-fold {error(k, at)}"
    )
