"""Checks of the options of a parameter group."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np


def check_number(name: str, value: Any, below: float = np.inf) -> float:
    """`value` as a float; TypeError or ValueError unless it is a number in [0, below)."""
    if type(value) is float and 0.0 <= value < below:
        return value
    interval = f"a number in [0, {below:g})"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {interval}, got {value!r}: give a Python number.")
    try:
        number = float(value)
    except OverflowError:  # an integer of many digits
        number = np.inf
    if not 0.0 <= number < below:
        raise ValueError(f"{name} must be {interval}, got {value!r}: choose a value from there.")
    return number


def check_max_norm(value: Any) -> float:
    """The norm to clip at: from 0 up, infinity included."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"max_norm must be a number from 0 up, got {value!r}.")
    number = float(value)
    if not number >= 0.0:
        raise ValueError(f"max_norm must be a number from 0 up, got {value!r}.")
    return number


def check_norm_type(value: Any) -> float:
    """The order of a norm: above 0, and infinity for the largest magnitude."""
    try:
        order = float(value)
    except (TypeError, ValueError):
        order = np.nan
    if not order > 0.0:
        raise ValueError(
            f"norm_type must be a number above 0, or inf, got {value!r}: 2 is the Euclidean norm."
        )
    return order


def check_betas(value: Any, where: str) -> tuple[float, float]:
    """The two decay rates of Adam's means, each in [0, 1); `where` follows their name."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(
            f"betas{where} must be a pair of numbers in [0, 1), got {value!r}: give one for the "
            "mean of the gradients and one for that of their squares."
        )
    first, second = value
    return check_number(f"betas[0]{where}", first, 1.0), check_number(
        f"betas[1]{where}", second, 1.0
    )


def check_flag(name: str, value: Any) -> bool:
    """TypeError where an option is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def check_group(group: Any, offered: Mapping[str, Any], where: str) -> None:
    """TypeError where a parameter group is no dict, or has an option that is not offered."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(
            f"{where} must be a dict with its arrays under 'params', got "
            f"{type(group).__name__}: give all groups as dicts."
        )
    for name in group:
        if name != "params" and name not in offered:
            raise TypeError(
                f"{where} has an option {name!r}, which is not offered: there are "
                f"{', '.join(map(repr, offered))}."
            )


def check_step(name: str, value: Any) -> int:
    """A saved number of steps as an int; ValueError unless it is a whole number from 0 up."""
    step = float(value)
    if not 0.0 <= step < np.inf or step != int(step):
        raise ValueError(f"{name} must be a whole number from 0 up, got {value!r}.")
    return int(step)
