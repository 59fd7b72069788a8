"""Scores of cross-validation: from squared errors where that is all they need, else by a scorer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import check_scoring

from fastridge.solvers.kfold import FoldErrors

# Scores that follow from each fold's sums of squares.
FROM_SQUARES = ("neg_mean_squared_error", "neg_root_mean_squared_error", "r2")


class Predictions(RegressorMixin, BaseEstimator):
    """An estimator whose predictions are what it is given, so that scorers take predictions."""

    def predict(self, X: Any) -> Any:
        """X itself."""
        return X


def scoring_label(scoring: Any, default: str) -> str:
    """The name of a score, by which `FROM_SQUARES` knows it."""
    if scoring is None:
        return default
    return scoring if isinstance(scoring, str) else getattr(scoring, "__name__", repr(scoring))


def scorer_of(estimator: Any, scoring: Any) -> Any:
    """scikit-learn's scorer for `scoring`, or None where that is None; ValueError if unknown."""
    return None if scoring is None else check_scoring(estimator=estimator, scoring=scoring)


def fold_scores(errors: FoldErrors, label: str) -> np.ndarray:
    """Scores of every alpha, split and target, (n_alphas, n_splits, n_targets)."""
    mse = errors.squared / errors.weight[:, None]
    if label == "neg_mean_squared_error":
        return -mse
    if label == "neg_root_mean_squared_error":
        return -np.sqrt(mse)
    spread = errors.spread
    with np.errstate(divide="ignore", invalid="ignore"):
        score: np.ndarray = 1.0 - errors.squared / spread
    # as r2_score: a constant target is explained or it is not
    flat = spread == 0.0
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
    scorer: Any,
    predicted: np.ndarray,
    y: np.ndarray,
    per_target: bool,
    params: Mapping[str, Any],
) -> Any:
    """The scorer's word on predictions shaped as y; one value a target with `per_target`."""
    if not per_target:
        return float(scorer(Predictions(), predicted, y, **params))
    columns = zip(predicted.T, y.T, strict=True)
    return [float(scorer(Predictions(), f, true, **params)) for f, true in columns]


def routed_scorer(estimator: Any, scoring: Any) -> Any:
    """The scorer that metadata goes to: R^2, weighted, where none was asked for."""
    from sklearn.metrics import get_scorer

    if scoring is None:
        return get_scorer("r2").set_score_request(sample_weight=True)
    return scorer_of(estimator, scoring)


def score_params(estimator: Any, sample_weight: Any, params: Mapping[str, Any]) -> Any:
    """What the scorer is given beside predictions, as scikit-learn's RidgeCV routes it."""
    from sklearn import get_config
    from sklearn.utils.metadata_routing import process_routing

    if get_config().get("enable_metadata_routing", False):
        given = dict(params)
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
        return process_routing(estimator, "fit", **given).scorer.score
    if params:
        raise ValueError(
            f"fit got {', '.join(params)}, which only goes to the scorer with metadata routing: "
            "switch it on with sklearn.set_config(enable_metadata_routing=True)."
        )
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


def _accepts_weight(scorer: Any) -> bool:
    from inspect import signature

    if hasattr(scorer, "_accept_sample_weight"):
        return bool(scorer._accept_sample_weight())
    try:
        return "sample_weight" in signature(scorer).parameters or hasattr(scorer, "_score_func")
    except (TypeError, ValueError):
        return False
