"""Clipping of gradients by their joint norm."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf, isfinite

import numpy as np

from fastridge._kernels import optimizer_steps
from fastridge._validation import LEAST_SQUARE
from fastridge.optim.arrays import Extents, arrays_of, check_in_place, flat, slices, threads_for
from fastridge.optim.options import check_flag, check_max_norm, check_norm_type
from fastridge.runtime.threads import resolve_threads, run_slices, run_to_end

_ADDED = 1e-6  # to the norm that is divided by, as in PyTorch
_LARGEST_SCALE = 1e300


def clip_grad_norm_(
    grads: Iterable[np.ndarray | None] | np.ndarray,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    *,
    n_threads: int | None = None,
) -> float:
    """Scale gradients in place so that their norm as one vector is at most `max_norm`.

    All are multiplied by ``min(1, max_norm / (norm + 1e-6))``, as in
    ``torch.nn.utils.clip_grad_norm_``.

    Parameters
    ----------
    grads : iterable of ndarray or None, or ndarray
        Contiguous float32 or float64 arrays; None stands for no gradient.
    max_norm : float
        Largest norm after clipping, at least 0. With infinity nothing is scaled.
    norm_type : float, default=2.0
        Order of the norm, above 0; infinity for the largest magnitude.
    error_if_nonfinite : bool, default=False
        Raise RuntimeError if the norm is NaN or infinite, and leave the gradients unchanged.
        Otherwise such a norm makes them zero or NaN, as in PyTorch.
    n_threads : int or None, default=None
        Number of threads for large arrays. None uses ``FASTRIDGE_NUM_THREADS`` if that is set,
        otherwise all cores. The result does not depend on it.

    Returns
    -------
    float
        The norm before scaling, summed in float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid. Nothing changes then.
    RuntimeError
        If the norm is not finite and `error_if_nonfinite` is True.

    See Also
    --------
    Optimizer.step : Takes the gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from fastridge.optim import clip_grad_norm_
    >>> grads = [np.array([3.0, 0.0]), np.array([[4.0]])]
    >>> clip_grad_norm_(grads, max_norm=1.0)
    5.0
    >>> grads[0].round(3), grads[1].round(3)
    (array([0.6, 0. ]), array([[0.8]]))
    """
    max_norm, order = check_max_norm(max_norm), check_norm_type(norm_type)
    refuse = check_flag("error_if_nonfinite", error_if_nonfinite)
    threads = resolve_threads(n_threads)
    given = {k: grad for k, grad in enumerate(arrays_of(grads, "grads")) if grad is not None}
    for k, grad in given.items():
        check_in_place(grad, f"grads[{k}]")
    Extents(given, "gradient")
    arrays = [flat(grad) for grad in given.values()]
    threads = threads_for(arrays, threads)
    norm = _norm(arrays, order, threads)
    if refuse and not isfinite(norm):
        raise RuntimeError(
            f"the norm of order {order:g} of the gradients is {norm}, so they cannot be clipped: "
            "find out what made them infinite or NaN, or use error_if_nonfinite=False."
        )
    factor = max_norm / (norm + _ADDED)
    if max_norm < inf and not factor >= 1.0:
        scale = optimizer_steps.scale_values
        run_to_end(
            [(scale, x, factor, *bounds) for x in arrays for bounds in slices(x.size)], threads
        )
    return norm


def _norm(arrays: Sequence[np.ndarray], order: float, n_threads: int) -> float:
    """Compute (sum |x|^order)^(1 / order) without intermediate overflow or underflow."""
    if order < inf:
        total = sum(_by_slice(arrays, _sum_powers(order, 1.0), n_threads))
        if LEAST_SQUARE < total < inf:
            return float(total ** (1.0 / order))
    largest = float(np.max(_by_slice(arrays, optimizer_steps.largest_magnitude, n_threads)))
    if order == inf or largest == 0.0 or not isfinite(largest):
        return largest
    scale = min(1.0 / largest, _LARGEST_SCALE)
    total = sum(_by_slice(arrays, _sum_powers(order, scale), n_threads))
    return float(total ** (1.0 / order) / scale)


def _sum_powers(order: float, scale: float) -> Callable[[np.ndarray, int, int], float]:
    def kernel(values: np.ndarray, begin: int, end: int) -> float:
        return optimizer_steps.sum_powers(values, order, scale, begin, end)

    return kernel


def _by_slice(
    arrays: Sequence[np.ndarray], kernel: Callable[[np.ndarray, int, int], float], n_threads: int
) -> list[float]:
    """Return the result of a kernel for each slice of the arrays, in order."""
    tasks = [(values, *bounds) for values in arrays for bounds in slices(values.size)]
    results = [0.0] * max(len(tasks), 1)

    def job(first: int) -> Iterator[None]:
        for k in range(first, len(tasks), n_threads):
            results[k] = kernel(*tasks[k])
            yield

    run_slices([job(k) for k in range(n_threads)])
    return results
