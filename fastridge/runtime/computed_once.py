"""Attributes that are computed when first asked for, or forgotten."""

from collections.abc import Callable
from typing import Any


class computed_once:  # noqa: N801  used as a decorator
    """`functools.cached_property` without its lock, which costs a tiny fit microseconds."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


def forget(instance: Any, *names: str) -> None:
    """Delete these attributes, where an earlier fit has left them."""
    held = instance.__dict__
    for name in names:
        held.pop(name, None)
