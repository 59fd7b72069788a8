"""The way from `fit` to the first kernel call is short enough to read."""

import sys
from threading import current_thread, main_thread

import numpy as np
import pytest

from fastridge import Ridge, RidgeCV
from fastridge.statistics import accumulate


class FirstCall:
    """A stand-in for kernels that counts the frames below `fit` at the first call of one."""

    def __init__(self, kernels):
        self._kernels, self.frames = kernels, None

    def __getattr__(self, name):
        kernel = getattr(self._kernels, name)
        if name not in ("accumulate_gram", "centred_few"):
            return kernel

        def counted(*args):
            if self.frames is None and current_thread() is main_thread():
                self.frames = count_frames(sys._getframe(1))
            return kernel(*args)

        return counted


def count_frames(frame):
    """Return the number of Python frames from this one up to `fit`, both included."""
    count = 1
    while frame.f_code.co_name != "fit":
        frame, count = frame.f_back, count + 1
    return count


@pytest.mark.parametrize("shape", [(50, 5), (300, 20), (20_000, 60)])
@pytest.mark.parametrize(("model", "most"), [(Ridge(n_threads=2), 8), (RidgeCV(n_threads=2), 9)])
def test_frames_at_the_first_kernel_call_are_few(model, most, shape, monkeypatch):
    first = FirstCall(accumulate._gram)
    monkeypatch.setattr(accumulate, "_gram", first)
    X = np.random.default_rng(0).standard_normal(shape)
    model.fit(X, X[:, 0])
    assert first.frames <= most
