"""Number of Python functions between a fit of the lasso and the first kernel."""

import sys
from types import ModuleType

import numpy as np

from fastridge import Lasso, _kernels

MOST_FRAMES = 9


def frames_up_to(function):
    """Frames of the caller's stack up to and including that of `function`."""
    frame, count = sys._getframe(2), 1
    while frame.f_code is not function.__code__:
        frame, count = frame.f_back, count + 1
    return count


def test_lasso_fit_reaches_kernel_within_nine_frames(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 5)), rng.standard_normal(50)
    found = []

    def counted(name, kernel):
        def call(*args):
            found.append((name, frames_up_to(Lasso.fit)))
            return kernel(*args)

        return call

    for module in vars(_kernels).values():
        if isinstance(module, ModuleType) and module.__name__.startswith("fastridge._kernels."):
            for name, kernel in list(vars(module).items()):
                if "function" in type(kernel).__name__:
                    monkeypatch.setattr(module, name, counted(name, kernel))
    Lasso(alpha=0.1).fit(X, y)
    assert found[0][1] <= MOST_FRAMES
    assert dict(found)["centred_few"] <= MOST_FRAMES, "the first that works on rows"
    assert dict(found)["follow"] <= MOST_FRAMES
