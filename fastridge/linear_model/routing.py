"""Route metadata that `fit` is given to a splitter or a scorer, and refuse the rest."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, NamedTuple

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import metadata_routing

from fastridge.linear_model.constraints import InvalidParameterError

UNROUTED_FIT = {
    "checkpoint": metadata_routing.UNUSED,
    "checkpoint_every": metadata_routing.UNUSED,
}
"""Arguments of `fit` that are options of the call, not metadata of its rows."""


class Routed(NamedTuple):
    """Metadata for ``splitter.split`` and for the scorer."""

    split: dict[str, object]
    score: dict[str, object]


def is_routing() -> bool:
    """Return whether scikit-learn's metadata routing is switched on."""
    from sklearn import get_config

    return bool(get_config().get("enable_metadata_routing", False))


def routed_metadata(
    estimator: BaseEstimator,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None,
    params: Mapping[str, object],
) -> Routed:
    """Return the metadata for the splitter and the scorer of a cross-validated estimator.

    Raises ValueError or TypeError if neither takes what is given.
    """
    if is_routing():
        from sklearn.utils.metadata_routing import process_routing

        given = dict(params)
        if groups is not None:
            given["groups"] = groups
        if sample_weight is not None:
            given["sample_weight"] = sample_weight
        if not given:
            return Routed({}, {})
        routed = process_routing(estimator, "fit", **given)
        score = dict(routed.scorer.score) if "scorer" in routed else {}
        return Routed(dict(routed.splitter.split), score)
    if params:
        names = ", ".join(map(repr, params))
        raise ValueError(
            f"fit got {names}, which it does not know: correct the name. Metadata for a scorer or "
            "a splitter is only supported if enable_metadata_routing=True, as "
            "sklearn.set_config(enable_metadata_routing=True) sets it."
        )
    if groups is None:
        return Routed({}, {})
    _refuse_groups(estimator.cv)
    return Routed({"groups": groups}, {})


def _refuse_groups(cv: Any) -> None:
    """Raise ValueError, which is a TypeError too, if `cv` makes its splits without groups."""
    if hasattr(cv, "split"):
        if not type(cv).__module__.startswith("sklearn."):
            return  # a splitter of the user's own knows itself
        if "groups" in cv.get_metadata_routing().split.requests:
            return
    name = repr(cv) if cv is None or isinstance(cv, Integral) else f"a {type(cv).__name__}"
    raise InvalidParameterError(
        f"groups is given, but cv={name} takes none: leave groups out, or give a splitter such as "
        "sklearn.model_selection.GroupKFold. With any other it is only supported if "
        "enable_metadata_routing=True."
    )


def refuse_metadata_of_scan(groups: object, params: Mapping[str, object]) -> None:
    """Raise ValueError if metadata is given for the rows of a scan."""
    if groups is not None:
        raise ValueError("groups is not supported for a scan: give scan(..., fold=).")
    if params:
        raise ValueError(
            f"fit got {', '.join(map(repr, params))}, which it does not know, or which is not "
            "supported for a scan."
        )
