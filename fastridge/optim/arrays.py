"""Checks of the arrays that optimizers update, and flat views of them for the kernels."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
SLICE_VALUES = 1 << 17  # values of an array per kernel call: some 0.3 ms
_THREADED_VALUES = 1 << 18  # below this one thread is faster than waking a second


def arrays_of(values: object, name: str) -> list[Any]:
    """Return one array or several as a list, or raise TypeError for anything else."""
    if isinstance(values, np.ndarray):
        return [values]
    if isinstance(values, Iterable) and not isinstance(values, (Mapping, str, bytes)):
        return list(values)
    raise TypeError(f"{name} must be an array or a list of arrays, got {type(values).__name__}.")


def check_in_place(array: object, name: str) -> None:
    """Raise TypeError or ValueError if a kernel cannot update the array in place."""
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be a NumPy array, got {type(array).__name__}: it is updated in place, so "
            "make an array of it once and keep using that."
        )
    if array.dtype not in _FLOATS:
        raise TypeError(
            f"{name} must have dtype float32 or float64 of native byte order, got "
            f"{array.dtype.str!r}: it is updated in place, so convert it once with astype and "
            "keep using the result."
        )
    flags = array.flags
    if not (flags.c_contiguous or flags.f_contiguous):
        raise ValueError(
            f"{name} must be contiguous (C or Fortran order), got strides {array.strides} for "
            f"shape {array.shape}: it is updated in place, so copy it once with "
            "numpy.ascontiguousarray and keep using the copy."
        )
    if not flags.writeable:
        raise ValueError(
            f"{name} is read-only, but it is updated in place: give a writeable array, such as "
            "its copy()."
        )
    if not flags.aligned:
        raise ValueError(
            f"{name} is not aligned to its item size: copy it once with its copy() and keep "
            "using the copy."
        )


def flat(array: np.ndarray) -> np.ndarray:
    """Return a one-dimensional view of a contiguous array, in memory order."""
    array = np.asarray(array)
    return array.reshape(-1) if array.flags.c_contiguous else array.T.reshape(-1)


_EMPTY = {dtype: np.empty(0, dtype) for dtype in _FLOATS}


def empty_of(param: np.ndarray) -> np.ndarray:
    """Return an empty array of the dtype of a parameter, by which a kernel knows there is none."""
    return _EMPTY[param.dtype]


def flat_gradient(grad: object, param: np.ndarray, name: str) -> np.ndarray:
    """Return the values of `grad` in the memory order of `param`, as a view if possible."""
    if not isinstance(grad, np.ndarray):
        raise TypeError(
            f"{name} must be a NumPy array or None, got {type(grad).__name__}: give an array of "
            "the parameter's shape and dtype."
        )
    if grad.dtype != param.dtype:
        raise TypeError(
            f"{name} has dtype {grad.dtype.str!r}, its parameter {param.dtype.str!r}: convert one "
            "of them with astype."
        )
    if grad.shape != param.shape:
        raise ValueError(
            f"{name} has shape {grad.shape}, its parameter {param.shape}: give the gradients in "
            "the order of the parameters, None for one without a gradient."
        )
    if not grad.flags.aligned:
        grad = grad.copy()
    if param.flags.c_contiguous:
        return np.asarray(grad, order="C").reshape(-1)
    return np.asarray(grad, order="F").T.reshape(-1)


def _zeros_for(param: np.ndarray) -> np.ndarray:
    """Return zeros in the layout of a parameter."""
    return np.zeros(param.shape, param.dtype, order="C" if param.flags.c_contiguous else "F")


def kept_array(state: Mapping[str, object], name: str, param: np.ndarray) -> np.ndarray:
    """Return an array of the state or zeros, or raise ValueError if it does not fit `param`."""
    array = state.get(name)
    if array is None:
        return _zeros_for(param)
    if (
        not isinstance(array, np.ndarray)
        or array.shape != param.shape
        or array.dtype != param.dtype
        or not (array.flags.c_contiguous if param.flags.c_contiguous else array.flags.f_contiguous)
        or not array.flags.writeable
    ):
        raise ValueError(
            f"the state's {name} is not a writeable array with the layout of its parameter: change "
            "its values in place, or set it by load_state_dict."
        )
    return array


def saved_array(values: ArrayLike, param: np.ndarray, name: str) -> np.ndarray:
    """Copy saved values into the layout of a parameter, or raise ValueError if they do not fit."""
    values = np.asarray(values)
    if values.shape != param.shape or values.dtype.kind != "f":
        raise ValueError(
            f"{name} has shape {values.shape} and dtype {values.dtype}, its parameter "
            f"{param.shape} and {param.dtype}: load the state of an optimizer of these parameters."
        )
    array = _zeros_for(param)
    array[...] = values
    return array


class Extents:
    """The address ranges of numbered arrays. Two that overlap raise ValueError."""

    def __init__(self, arrays: Mapping[int, np.ndarray], what: str) -> None:
        ranges = sorted((*_extent(array), k) for k, array in arrays.items() if array.size)
        for (_, end, i), (begin, _, k) in pairwise(ranges):
            if begin < end:
                raise ValueError(
                    f"{what} {min(i, k)} and {what} {max(i, k)} share memory, and each would be "
                    "changed: give each array once."
                )
        self._begins = [begin for begin, _, _ in ranges]
        self._ends = [end for _, end, _ in ranges]
        self._numbers = [k for _, _, k in ranges]

    def shared_with(self, array: np.ndarray) -> int | None:
        """Return the number of an array that this contiguous one overlaps, or None."""
        if not array.size:
            return None
        begin, end = _extent(array)
        k = bisect_left(self._begins, end) - 1  # the last that begins before the end
        return self._numbers[k] if k >= 0 and self._ends[k] > begin else None


def _extent(array: np.ndarray) -> tuple[int, int]:
    begin = array.__array_interface__["data"][0]
    return begin, begin + array.nbytes


def slices(size: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the slices for kernel calls; they do not depend on the threads."""
    for begin in range(0, size, SLICE_VALUES):
        yield begin, min(begin + SLICE_VALUES, size)


def threads_for(arrays: Sequence[np.ndarray], n_threads: int) -> int:
    """Return the number of threads for a pass over these arrays."""
    return n_threads if sum(array.size for array in arrays) >= _THREADED_VALUES else 1
