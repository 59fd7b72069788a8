"""Number of Python frames between a call and the first kernel that it reaches."""

import sys

import numpy as np

from fastridge import SGDClassifier
from fastridge._kernels import sgd, sgd_order

X = np.random.default_rng(0).standard_normal((200, 5))


def frames_at_kernels(monkeypatch, kernels, call):
    """Frames on the stack at each call of these functions, from that of `call` on, inclusive."""
    depths = []
    here = sys._getframe()

    def wrapped(kernel):
        def count(*args, **options):
            frame, depth = sys._getframe(1), 0
            while frame is not here:
                frame, depth = frame.f_back, depth + 1
            depths.append(depth - 1)  # without that of `call` itself
            return kernel(*args, **options)

        return count

    for module, name in kernels:
        monkeypatch.setattr(module, name, wrapped(getattr(module, name)))
    call()
    return depths


def test_sgd_classifier_fit_reaches_kernel_within_eight_frames(monkeypatch):
    kernels = [(sgd, "step_dense"), (sgd_order, "permute"), (sgd_order, "pool_rows")]
    model = SGDClassifier(random_state=0)
    depths = frames_at_kernels(monkeypatch, kernels, lambda: model.fit(X, X[:, 0] > 0.0))
    assert len(depths) > 2
    assert max(depths) <= 8
