"""Ridge regression with kernels, with scikit-learn's names."""

import importlib

_PUBLIC = {"KernelRidge": "kernel_ridge", "KernelRidgeCV": "kernel_ridge_cv"}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'fastridge.kernel_ridge' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fastridge.kernel_ridge.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_PUBLIC))
