"""Compute scores of cross-validation: from squared errors if these suffice, else by a scorer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring

from fastridge._typing import Scoring
from fastridge.linear_model.routing import is_routing
from fastridge.model_selection.kfold import FoldErrors

# Scores that follow from each fold's sums of squares.
FROM_SQUARES = ("neg_mean_squared_error", "neg_root_mean_squared_error", "r2")


class Predictions(RegressorMixin, BaseEstimator):
    """An estimator that predicts its input, so that scorers can score predictions."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return X itself."""
        return X


def scoring_label(scoring: Scoring | None, default: str) -> str:
    """Return the name of a score, as in `FROM_SQUARES`."""
    if scoring is None:
        return default
    if isinstance(scoring, str):
        return scoring
    name: str = getattr(scoring, "__name__", repr(scoring))
    return repr(scoring) if name in FROM_SQUARES else name  # a function that has such a name


def scorer_of(estimator: BaseEstimator, scoring: Scoring | None) -> Callable[..., float] | None:
    """Return scikit-learn's scorer for `scoring`, or None. Raises ValueError if it is unknown."""
    return None if scoring is None else check_scoring(estimator=estimator, scoring=scoring)


def fold_scores(errors: FoldErrors, label: str) -> np.ndarray:
    """Return scores of every alpha, split and target, (n_alphas, n_splits, n_targets)."""
    mse = errors.squared / errors.weight[:, None]
    if label == "neg_mean_squared_error":
        return -mse
    if label == "neg_root_mean_squared_error":
        return -np.sqrt(mse)
    squares = errors.target_squares
    with np.errstate(divide="ignore", invalid="ignore"):
        score: np.ndarray = 1.0 - errors.squared / squares
    # as r2_score: a constant target is explained or it is not
    flat = squares == 0.0
    if flat.any():
        score = np.where(flat, np.where(errors.squared == 0.0, 1.0, 0.0), score)
    single = errors.n_rows < 2
    if single.any():
        warnings.warn(
            "R^2 is not defined on test rows of fewer than two samples: use "
            "scoring='neg_mean_squared_error', or fewer folds.",
            UndefinedMetricWarning,
            stacklevel=5,
        )
        score[:, single] = np.nan
    return score


def score_predictions(
    scorer: Callable[..., float],
    predicted: np.ndarray,
    y: np.ndarray,
    per_target: bool,
    params: Mapping[str, object],
) -> float | list[float]:
    """Return the score of predictions in the shape of y, or one per target if `per_target`."""
    if not per_target:
        return float(scorer(Predictions(), predicted, y, **params))
    columns = zip(predicted.T, y.T, strict=True)
    return [float(scorer(Predictions(), f, true, **params)) for f, true in columns]


def routed_scorer(estimator: BaseEstimator, scoring: Scoring | None) -> Callable[..., float] | None:
    """Return the scorer that metadata is routed to: by default weighted R^2 or accuracy."""
    from sklearn.metrics import get_scorer

    if scoring is None:
        scorer = get_scorer("accuracy" if is_classifier(estimator) else "r2")
        return scorer.set_score_request(sample_weight=True) if is_routing() else scorer
    return scorer_of(estimator, scoring)


def of_rows(value: Any, rows: np.ndarray | slice, n_samples: int) -> Any:
    """Return the part of metadata that belongs to some rows; all of it where it has no rows."""
    from sklearn.utils import _safe_indexing

    if isinstance(value, str) or not (hasattr(value, "__len__") or hasattr(value, "shape")):
        return value
    shape = value.shape if hasattr(value, "shape") else (len(value),)
    if not shape or shape[0] != n_samples:
        return value
    return _safe_indexing(value, np.arange(n_samples)[rows])


def score_params(
    estimator: BaseEstimator, sample_weight: np.ndarray | None, routed: dict[str, object]
) -> dict[str, object]:
    """Return what the scorer is given next to predictions, as scikit-learn's RidgeCV routes it.

    `routed` is the scorer's metadata where routing is switched on.
    """
    if is_routing():
        return routed
    if sample_weight is None:
        return {}
    scorer = scorer_of(estimator, estimator.scoring)
    if scorer is not None and not _accepts_weight(scorer):
        warnings.warn(
            f"scoring={scorer} does not take sample_weight: rows are weighted in fitting, but not "
            "in scoring.",
            UserWarning,
            stacklevel=6,
        )
        return {}
    return {"sample_weight": sample_weight}


def _accepts_weight(scorer: Callable[..., float]) -> bool:
    from inspect import signature

    if hasattr(scorer, "_accept_sample_weight"):
        return bool(scorer._accept_sample_weight())
    try:
        return "sample_weight" in signature(scorer).parameters or hasattr(scorer, "_score_func")
    except (TypeError, ValueError):
        return False
