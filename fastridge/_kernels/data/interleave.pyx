# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Columns of a table that lie apart, put together as rows."""

from cython cimport floating


cdef extern from "interleave.h":
    void fr_interleave_float(const float *const *columns, Py_ssize_t n, Py_ssize_t begin,
                             Py_ssize_t end, float *out) nogil
    void fr_interleave_double(const double *const *columns, Py_ssize_t n, Py_ssize_t begin,
                              Py_ssize_t end, double *out) nogil


def interleave(list columns, Py_ssize_t begin, Py_ssize_t end, floating[:, ::1] rows_out,
               Py_ssize_t[::1] addresses_out):
    """rows_out[i, j] = columns[j][begin + i] for as many rows as `end` - `begin`.

    Each column is a contiguous array of the type of `rows_out`; `addresses_out` is workspace with
    one value for each. Returns False, and writes no row, where a column has fewer rows than `end`
    or the other arrays do not fit.
    """
    cdef:
        const floating[::1] column
        Py_ssize_t j, n = len(columns)
    if not (0 <= begin <= end <= begin + rows_out.shape[0] and rows_out.shape[1] == n
            and addresses_out.shape[0] >= n):
        return False
    if begin == end or n == 0:
        return True
    for j in range(n):
        column = columns[j]
        if column.shape[0] < end:
            return False
        addresses_out[j] = <Py_ssize_t>&column[0]
    with nogil:
        if floating is float:
            fr_interleave_float(<const float **>&addresses_out[0], n, begin, end, &rows_out[0, 0])
        else:
            fr_interleave_double(<const double **>&addresses_out[0], n, begin, end,
                                 &rows_out[0, 0])
    return True
