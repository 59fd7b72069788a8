"""Checks of the options of a parameter group."""

from collections.abc import Mapping
from numbers import Real
from typing import SupportsFloat

import numpy as np


def check_number(name: str, value: object, below: float = np.inf) -> float:
    """Return `value` as a float, or raise TypeError or ValueError unless it is in [0, below)."""
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
        raise ValueError(f"{name} must be {interval}, got {value!r}: choose a value in it.")
    return number


def check_max_norm(value: object) -> float:
    """Return the norm to clip at: at least 0, possibly infinite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"max_norm must be a number from 0 up, got {value!r}.")
    number = float(value)
    if not number >= 0.0:
        raise ValueError(f"max_norm must be a number from 0 up, got {value!r}.")
    return number


def check_norm_type(value: SupportsFloat) -> float:
    """Return the order of a norm: above 0, infinity for the largest magnitude."""
    try:
        order = float(value)
    except (TypeError, ValueError):
        order = np.nan
    if not order > 0.0:
        raise ValueError(
            f"norm_type must be a number above 0, or inf, got {value!r}: 2 is the Euclidean norm."
        )
    return order


def check_betas(value: object, where: str) -> tuple[float, float]:
    """Return the two decay rates of Adam, each in [0, 1); `where` follows their name in errors."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(
            f"betas{where} must be a pair of numbers in [0, 1), got {value!r}: give one for the "
            "mean of the gradients and one for that of their squares."
        )
    first, second = value
    return check_number(f"betas[0]{where}", first, 1.0), check_number(
        f"betas[1]{where}", second, 1.0
    )


def check_flag(name: str, value: object) -> bool:
    """Return an option that is True or False, or raise TypeError."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def check_group(group: object, options: Mapping[str, object], where: str) -> None:
    """Raise TypeError if a parameter group is not a dict, or has an unknown option."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError(
            f"{where} must be a dict with its arrays under 'params', got "
            f"{type(group).__name__}: give all groups as dicts."
        )
    for name in group:
        if name != "params" and name not in options:
            raise TypeError(
                f"{where} has an option {name!r}, which is not supported: the options are "
                f"{', '.join(map(repr, options))}."
            )


def check_step(name: str, value: SupportsFloat) -> int:
    """Return a saved number of steps as an int, or raise ValueError."""
    step = float(value)
    if not 0.0 <= step < np.inf or step != int(step):
        raise ValueError(f"{name} must be a whole number from 0 up, got {value!r}.")
    return int(step)
