"""Options that the parameters of `LogisticRegressionCV` ask for, with scikit-learn's warnings."""

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from fastridge._typing import Scoring
from fastridge.linear_model.constraints import InvalidParameterError
from fastridge.linear_model.logistic_options import check_combination
from fastridge.linear_model.user_warnings import warn_user


class CVOptions(NamedTuple):
    """The grid of a cross-validation, and how its results are stored.

    Attributes
    ----------
    penalty : {"l1", "l2", "elasticnet"}
    given_ratios : sequence or None
        The parameter `l1_ratios`.
    l1_ratios : list of float
        Shares of the L1 norm in the penalty.
    scoring : str, callable or None
    legacy : bool
        Whether attributes have scikit-learn's older form.
    """

    penalty: str
    given_ratios: Any
    l1_ratios: list[float]
    scoring: Scoring | None
    legacy: bool


def check_cv_options(estimator: BaseEstimator) -> CVOptions:
    """Return the options of an estimator. Warnings and errors are scikit-learn's."""
    given = estimator.l1_ratios
    if isinstance(given, str):
        if given != "warn":
            raise InvalidParameterError(
                f"l1_ratios must be an array-like of numbers, got {given!r}."
            )
        given = None
        warn_user(
            "The default value for l1_ratios will change from None to (0.0,) in version 1.10. From "
            "version 1.10 onwards, only array-like with values in [0, 1] will be allowed, None "
            "will be forbidden. To avoid this warning, explicitly set a value, e.g. "
            "l1_ratios=(0,).",
            FutureWarning,
        )
    penalty = _penalty_name(estimator, given)
    scoring = estimator.scoring
    if isinstance(scoring, str) and scoring == "warn":
        scoring = None
        warn_user(
            "The default value of the parameter 'scoring' will change from None, i.e. accuracy, to "
            "'neg_log_loss' in version 1.11. To silence this warning, explicitly set the scoring "
            "parameter: scoring='neg_log_loss' for the new, scoring='accuracy' or scoring=None for "
            "the old default.",
            FutureWarning,
        )
    legacy = estimator.use_legacy_attributes
    if isinstance(legacy, str):
        legacy = True
        name = type(estimator).__name__
        warn_user(
            f"The fitted attributes of {name} will be simplified in scikit-learn 1.10 to remove "
            "redundancy. Set `use_legacy_attributes=False` to enable the new behavior now, or set "
            "it to `True` to silence this warning during the transition period while keeping the "
            "deprecated behavior for the time being. The default value of use_legacy_attributes "
            "will change from True to False in scikit-learn 1.10. See the docstring of "
            f"{name} for more details.",
            FutureWarning,
        )
    check_combination(estimator, penalty)
    return CVOptions(penalty, given, _l1_ratios(estimator, penalty, given), scoring, bool(legacy))


def _penalty_name(estimator: BaseEstimator, given: Any) -> str:
    if estimator.penalty != "deprecated":
        warn_user(
            "'penalty' was deprecated in version 1.8 and will be removed in 1.10. To avoid this "
            "warning, leave 'penalty' set to its default value and use 'l1_ratios' and 'Cs' "
            "instead. Use l1_ratios=(0,) instead of penalty='l2', l1_ratios=(1,) instead of "
            "penalty='l1', l1_ratios set to floats between 0 and 1 instead of "
            "penalty='elasticnet', and Cs=(np.inf,) instead of penalty=None.",
            FutureWarning,
        )
        name: str = estimator.penalty
        return name
    if estimator.l1_ratios is None:
        warn_user(
            "'l1_ratios=None' was deprecated in version 1.8 and will trigger an error in 1.10. Use "
            "an array-like with values in [0, 1] instead.",
            FutureWarning,
        )
    if given is None:
        return "l2"
    values = np.asarray(given)
    if (values == 0).all():
        return "l2"
    return "l1" if (values == 1).all() else "elasticnet"


def _l1_ratios(estimator: BaseEstimator, penalty: str, given: Any) -> list[float]:
    if penalty == "elasticnet":
        several = given is not None and np.ndim(given) == 1 and len(given) > 0
        if not several or not all(isinstance(r, Real) and 0.0 <= float(r) <= 1.0 for r in given):
            raise ValueError(
                "l1_ratios must be an array-like of numbers between 0 and 1; got "
                f"(l1_ratios={given!r})"
            )
        return [float(ratio) for ratio in given]
    if given is None:
        return [1.0 if penalty == "l1" else 0.0]
    if estimator.penalty != "deprecated":
        warn_user(
            "l1_ratios parameter is only used when penalty is 'elasticnet'. Got "
            f"(penalty={penalty})",
            UserWarning,
        )
    if np.ndim(given) != 1 or not len(given):
        raise ValueError(
            f"l1_ratios must be an array-like of numbers between 0 and 1; got (l1_ratios={given!r})"
        )
    return [1.0 if penalty == "l1" else 0.0] * len(given)
