"""Fitted attributes that no longer hold."""

from typing import Any


def forget(instance: Any, *names: str) -> None:
    """Delete these attributes, where an earlier fit has left them."""
    held = instance.__dict__
    for name in names:
        held.pop(name, None)
