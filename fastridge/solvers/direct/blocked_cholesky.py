"""Cholesky factors on our own threads, for systems too large for one slice of work."""

from collections.abc import Iterator

import numpy as np

from fastridge._kernels import eliminate as _kernel
from fastridge._kernels import gram as _gram
from fastridge.runtime.threads import call_once_over, run_slices
from fastridge.statistics.accumulate import SLICE_FLOPS, split_borders, written_zeros

_BLOCK = 96  # rows a block: a multiple of every panel, and few enough for LAPACK's own threads
_THREADED_FLOPS = 2e7  # of one update; below this waking a second thread costs more


def factor_scaled(
    upper: np.ndarray, penalty: np.ndarray, scale_out: np.ndarray, n_threads: int
) -> tuple[np.ndarray, float]:
    """Return U with U'U = D (G + diag(penalty)) D, and the reciprocal condition number of that.

    G is given on and above its diagonal, and so is U, from the left of an array with longer
    rows. The second value is not positive where the matrix is not positive definite.
    """
    p = len(penalty)
    panel = _gram.panel_width()
    U = written_zeros(p + panel, _gram.padded_columns(p) + panel)
    scale = (upper, penalty, U, scale_out, np.empty(p))
    norm = call_once_over(p * p, _kernel.scale_penalised, *scale)
    return U, factor_negated(U, p, norm, n_threads) if norm >= 0.0 else -1.0


def factor_negated(negated: np.ndarray, order: int, norm: float, n_threads: int) -> float:
    """Turn the upper triangle N of an array into U with U'U = -N, |N|_1 = norm.

    The array has a panel more of rows and columns. Return the reciprocal condition number, or -1
    where -N is not positive definite.
    """
    if not _factor(negated, order, n_threads):
        return -1.0
    work, iwork = np.empty((2, order)), np.empty(order, dtype=np.intc)
    inverse = call_once_over(10 * order * order, _kernel.inverse_norm, negated, work, iwork)
    return 1.0 / (norm * inverse) if np.isfinite(norm) and inverse > 0.0 else 0.0


def _factor(negated: np.ndarray, order: int, n_threads: int) -> bool:
    tile = written_zeros(_gram.padded_columns(order) + 1, _BLOCK)
    work = np.empty((_BLOCK, _BLOCK))
    for first in range(0, order, _BLOCK):
        if not _kernel.factor_diagonal(negated, order, first, tile, work):
            return False
        columns = order - first
        rest = columns - _BLOCK
        if rest <= 0:
            break

        def eliminate(begin: int, end: int) -> Iterator[None]:
            for col in range(_BLOCK + begin, _BLOCK + end, _BLOCK):
                stop = min(col + _BLOCK, _BLOCK + end)
                _kernel.eliminate_columns(negated, order, first, tile, col, stop)  # noqa: B023
                yield

        def update(begin: int, end: int) -> Iterator[None]:
            width = _gram.panel_width()
            step = max(1, int(SLICE_FLOPS / (2.0 * _BLOCK * max(end, 1) * width))) * width
            for col in range(begin, end, step):
                stop = min(col + step, end)
                _kernel.update_trailing(negated, order, first, tile, col, stop)  # noqa: B023
                yield

        threads = n_threads if _BLOCK * float(rest) * rest >= _THREADED_FLOPS else 1
        padded = _gram.padded_columns(rest)
        for job, power in ((eliminate, 1.0), (update, 0.5)):
            borders = split_borders(padded, threads, power, _gram.panel_width())
            run_slices([job(borders[k], borders[k + 1]) for k in range(threads)])
    return True
