"""The compiled kernels, built for several instruction sets; one is picked here, at import.

``FASTRIDGE_SIMD=baseline``, ``v3`` or ``v4`` forces one. ``column_products``, ``combine``,
``coordinate_descent``, ``eliminate``, ``gram``, ``kernel_matrix``, ``newton_in_cache``,
``optimizer_steps``, ``residual_sweeps``, ``sgd``, ``sgd_auto``, ``sgd_batches``, ``smooth_losses``,
``sparse_form``, ``sparse_gram``, ``sparse_products`` and ``tridiagonal`` are the picked modules;
``simd`` names the set and ``available`` lists those this machine can run.
"""

import importlib
import importlib.util
import os

_LEVELS = ("baseline", "v3", "v4")


def _runnable():
    try:
        cpu = importlib.import_module(f"{__name__}.cpu")
    except ImportError as error:
        raise ImportError(
            f"fastridge's compiled kernels cannot be loaded ({error}). If this is a source "
            "checkout, build and install it first with `pip install .`, and do not import it "
            "from the source folder."
        ) from error
    levels = _LEVELS[: cpu.simd_level() + 1]
    return tuple(s for s in levels if importlib.util.find_spec(f"{__name__}.{s}") is not None)


def _pick(available):
    forced = os.environ.get("FASTRIDGE_SIMD", "")
    if not forced:
        return available[-1]
    if forced not in available:
        raise ImportError(
            f"FASTRIDGE_SIMD={forced!r} cannot be used: this build and machine offer "
            f"{', '.join(available)}. Unset it, or set it to one of these."
        )
    return forced


available = _runnable()
simd = _pick(available)
column_products = importlib.import_module(f"{__name__}.{simd}.column_products")
combine = importlib.import_module(f"{__name__}.{simd}.combine")
coordinate_descent = importlib.import_module(f"{__name__}.{simd}.coordinate_descent")
eliminate = importlib.import_module(f"{__name__}.{simd}.eliminate")
gram = importlib.import_module(f"{__name__}.{simd}.gram")
kernel_matrix = importlib.import_module(f"{__name__}.{simd}.kernel_matrix")
newton_in_cache = importlib.import_module(f"{__name__}.{simd}.newton_in_cache")
optimizer_steps = importlib.import_module(f"{__name__}.{simd}.optimizer_steps")
residual_sweeps = importlib.import_module(f"{__name__}.{simd}.residual_sweeps")
sgd = importlib.import_module(f"{__name__}.{simd}.sgd")
sgd_auto = importlib.import_module(f"{__name__}.{simd}.sgd_auto")
sgd_batches = importlib.import_module(f"{__name__}.{simd}.sgd_batches")
smooth_losses = importlib.import_module(f"{__name__}.{simd}.smooth_losses")
sparse_form = importlib.import_module(f"{__name__}.{simd}.sparse_form")
sparse_gram = importlib.import_module(f"{__name__}.{simd}.sparse_gram")
tridiagonal = importlib.import_module(f"{__name__}.{simd}.tridiagonal")
cholesky = importlib.import_module(f"{__name__}.cholesky")
interleave = importlib.import_module(f"{__name__}.interleave")
jacobi = importlib.import_module(f"{__name__}.jacobi")
losses = importlib.import_module(f"{__name__}.losses")
sgd_order = importlib.import_module(f"{__name__}.sgd_order")
sgd_state = importlib.import_module(f"{__name__}.sgd_state")
