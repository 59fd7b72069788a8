# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Columns of a table that lie apart, put together as rows."""

from cython cimport floating
from libc.stdlib cimport free, malloc


cdef extern from "interleave.h":
    void fr_interleave_float(const float *const *columns, Py_ssize_t n, Py_ssize_t begin,
                             Py_ssize_t end, float *out) nogil
    void fr_interleave_double(const double *const *columns, Py_ssize_t n, Py_ssize_t begin,
                              Py_ssize_t end, double *out) nogil


def interleave(list columns, Py_ssize_t begin, Py_ssize_t end, floating[:, ::1] rows_out):
    """rows_out[i, j] = columns[j][begin + i] for as many rows as `end` - `begin`.

    Each column is a contiguous array of the type of `rows_out`, with `end` rows at least.
    """
    cdef:
        const floating[::1] column
        const floating **places
        Py_ssize_t j, n = len(columns)
    if not (0 <= begin <= end <= begin + rows_out.shape[0] and rows_out.shape[1] == n):
        raise ValueError("rows_out does not fit the columns")
    if begin == end or n == 0:
        return
    places = <const floating **>malloc(n * sizeof(void *))
    if places == NULL:
        raise MemoryError()
    try:
        for j in range(n):
            column = columns[j]
            if column.shape[0] < end:
                raise ValueError(f"column {j} has {column.shape[0]} rows, not {end}")
            places[j] = &column[0]
        with nogil:
            if floating is float:
                fr_interleave_float(places, n, begin, end, &rows_out[0, 0])
            else:
                fr_interleave_double(places, n, begin, end, &rows_out[0, 0])
    finally:
        free(places)
