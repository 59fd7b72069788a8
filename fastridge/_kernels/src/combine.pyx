# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Weighted sums of rows about a shift, without a shifted copy of the rows."""

from cython cimport floating


def combine_rows(const floating[:, :] X, const double[::1] shift, const double[:, ::1] left,
                 double[:, ::1] sums_out):
    """sums_out[t, j] += sum_k left[k, t] (X[k, j] - shift[j])."""
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], n_sums = left.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t j, k, t, begin, end
        const floating *x
        const double *minus = &shift[0]
        double *out
        double factor, total
    with nogil:
        if x_col == 1:
            # Some columns at a time, so that their sums stay in the nearest cache.
            for begin in range(0, p, 512):
                end = min(begin + 512, p)
                for k in range(n):
                    x = &X[k, 0]
                    for t in range(n_sums):
                        factor = left[k, t]
                        out = &sums_out[t, 0]
                        for j in range(begin, end):
                            out[j] += factor * (<double>x[j] - minus[j])
        else:
            for j in range(p):
                x = &X[0, j]
                for t in range(n_sums):
                    total = 0.0
                    for k in range(n):
                        total += left[k, t] * (<double>x[k * x_row] - minus[j])
                    sums_out[t, j] += total
