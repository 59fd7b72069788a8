"""Warn the caller of this package."""

import sys
import warnings


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, naming the line of the first caller outside this package."""
    warnings.warn(message, category, stacklevel=_frames_inside())


def _frames_inside() -> int:
    """Return the stacklevel of the first caller outside this package, for a function that warns."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("fastridge."):
        frame, level = frame.f_back, level + 1
    return level
