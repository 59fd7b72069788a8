"""Checks of a fitted model and of arguments for the inference of generalized linear models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

COV_TYPES = ("nonrobust", "HC0", "HC1", "cluster")
_MOST_UNKNOWNS = 10_000


def check_model(model: Any, cov_type: str) -> None:
    """Raise ValueError if the model is not fitted, or has no inference of this kind."""
    if cov_type not in COV_TYPES:
        raise ValueError(
            f"cov_type must be one of {', '.join(map(repr, COV_TYPES))}, got {cov_type!r}."
        )
    check_is_fitted(model, "coef_")
    if getattr(model, "status_", "converged") == "separated":
        raise ValueError(
            "inference is not supported where the likelihood has no maximum (status_ is "
            "'separated'): fit with a penalty, such as bias_reduction='firth', or without the "
            "features that the warning named."
        )
    strength, l1_ratio = chosen_penalty(model)
    if strength > 0.0 and l1_ratio > 0.0:
        raise ValueError(
            "inference is not supported with an L1 penalty, which sets coefficients to zero: fit "
            "with l1_ratio=0."
        )
    if model.bounds is not None:
        raise ValueError(
            "inference is not supported with bounds, at which coefficients have no normal "
            "distribution: fit with bounds=None."
        )
    factors = model.penalty_factors
    if factors is not None and np.isinf(np.asarray(factors, dtype=float)).any():
        raise ValueError(
            "inference is not supported if penalty_factors excludes features: fit a model without "
            "their columns."
        )
    size = int(np.prod(np.shape(model.coef_)))
    if size > _MOST_UNKNOWNS:
        raise ValueError(
            f"inference needs matrices of {size} x {size}; it is supported up to {_MOST_UNKNOWNS} "
            "coefficients."
        )


def chosen_penalty(model: Any) -> tuple[float, float]:
    """Return the strength of the penalty of a fitted model, and the share of the L1 norm in it."""
    if hasattr(model, "alpha"):
        return float(model.alpha), float(model.l1_ratio)
    if hasattr(model, "C_"):  # it was chosen
        l1_ratio = np.ravel(model.l1_ratio_)[0]
        return 1.0 / float(np.ravel(model.C_)[0]), float(l1_ratio or 0.0)
    if model.penalty is None or np.isinf(model.C) or model.bias_reduction is not None:
        return 0.0, 0.0
    l1_ratio = {"l1": 1.0, "l2": 0.0}.get(model.penalty, model.l1_ratio)
    return 1.0 / float(model.C), float(l1_ratio or 0.0)


def check_groups(groups: ArrayLike | None, cov_type: str, weight: np.ndarray) -> np.ndarray | None:
    """Return the index of the group of each row, for clusters; rows without weight count not."""
    if (groups is not None) != (cov_type == "cluster"):
        raise ValueError("groups are given with cov_type='cluster', and only then.")
    if groups is None:
        return None
    labels = np.asarray(groups)
    if labels.shape != weight.shape:
        raise ValueError(f"groups must have shape {weight.shape}, got {labels.shape}.")
    counted = weight > 0.0
    found, index = np.unique(labels[counted], return_inverse=True)
    if len(found) < 2:
        raise ValueError("groups must be at least two: use cov_type='HC1' for rows by themselves.")
    whole = np.zeros(len(weight), dtype=np.intp)
    whole[counted] = index
    return whole


def feature_names(model: Any) -> list[str]:
    """Return the names of the features; x0, x1, ... where the fit had none."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return [f"x{j}" for j in range(np.shape(model.coef_)[-1])]
    return [str(name) for name in names]


def feature_indices(model: Any, features: Sequence[int | str] | int | str) -> list[int]:
    """Return the indices of features given by name or index."""
    names = feature_names(model)
    given = [features] if isinstance(features, str | int | np.integer) else list(features)
    index = []
    for feature in given:
        if isinstance(feature, str):
            if feature not in names:
                raise ValueError(f"features must be names or indices of features, got {feature!r}.")
            index.append(names.index(feature))
        else:
            if not 0 <= feature < len(names):
                raise ValueError(f"features must be below {len(names)}, got {feature!r}.")
            index.append(int(feature))
    if not index or len(set(index)) < len(index):
        raise ValueError("features must name at least one feature, each of them once.")
    return index
