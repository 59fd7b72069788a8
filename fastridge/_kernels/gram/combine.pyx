# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Weighted sums of rows or columns about a shift, without a shifted copy; sums along few rows."""

from cython cimport floating
from libc.math cimport isfinite

cdef extern from "combine.h":
    void fr_add_about_double(const double *a, const double *b, const double *c, const double *d,
                             const double *factor, const double *minus, Py_ssize_t n,
                             double *out) nogil
    void fr_add_about_float(const float *a, const float *b, const float *c, const float *d,
                            const double *factor, const double *minus, Py_ssize_t n,
                            double *out) nogil


cdef inline void add_about(const floating *a, const floating *b, const floating *c,
                           const floating *d, const double *factor, const double *minus,
                           Py_ssize_t n, double *out) noexcept nogil:
    if floating is double:
        fr_add_about_double(a, b, c, d, factor, minus, n, out)
    else:
        fr_add_about_float(a, b, c, d, factor, minus, n, out)


def combine_rows(const floating[:, :] X, const double[::1] shift, const double[:, ::1] left,
                 double[:, ::1] sums_out):
    """sums_out[t, j] += sum_k left[k, t] (X[k, j] - shift[j])."""
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], n_sums = left.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t i, j, k, t, begin, width
        Py_ssize_t row[4]
        double factor[4]
        const floating *x
        const double *minus = &shift[0]
        double total
    with nogil:
        if x_col == 1:
            # Four rows at a time, and some columns, so that their sums stay in a near cache.
            for begin in range(0, p, 2048):
                width = min(2048, p - begin)
                for k in range(0, n, 4):
                    for t in range(n_sums):
                        for i in range(4):
                            # Rows past the last stand for the last, and count nothing.
                            row[i] = min(k + i, n - 1)
                            factor[i] = left[k + i, t] if k + i < n else 0.0
                        add_about(&X[k, begin], &X[row[1], begin], &X[row[2], begin],
                                  &X[row[3], begin], factor, minus + begin, width,
                                  &sums_out[t, begin])
        else:
            for j in range(p):
                x = &X[0, j]
                for t in range(n_sums):
                    total = 0.0
                    for k in range(n):
                        total += left[k, t] * (<double>x[k * x_row] - minus[j])
                    sums_out[t, j] += total


def combine_columns(const floating[:, :] X, const double[::1] shift, const double[::1] coef,
                    double intercept, double[::1] sums_out):
    """sums_out[k] = intercept + sum_j coef[j] (X[k, j] - shift[j])."""
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t k, j, begin, end
        const floating *x
        double total, factor, minus
    with nogil:
        if x_col == 1:
            for k in range(n):
                x = &X[k, 0]
                total = 0.0
                for j in range(p):
                    total += coef[j] * (<double>x[j] - shift[j])
                sums_out[k] = intercept + total
        else:
            # some rows at a time, so that their sums stay in the nearest cache
            for begin in range(0, n, 1024):
                end = min(begin + 1024, n)
                for k in range(begin, end):
                    sums_out[k] = intercept
                for j in range(p):
                    x = &X[0, j]
                    factor, minus = coef[j], shift[j]
                    if x_row == 1:
                        for k in range(begin, end):
                            sums_out[k] += factor * (<double>x[k] - minus)
                    else:
                        for k in range(begin, end):
                            sums_out[k] += factor * (<double>x[k * x_row] - minus)


def predict_rows(const floating[:, :] X, const floating[::1] coef, double intercept,
                 floating[::1] predicted_out):
    """predicted_out = X coef + intercept, summed in double; False where not all are finite."""
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], k, j
        Py_ssize_t step = X.strides[1] // <Py_ssize_t>sizeof(floating)
        const floating *x
        double total
        bint finite = True
    with nogil:
        for k in range(n):
            x = &X[k, 0]
            total = 0.0
            if step == 1:
                for j in range(p):
                    total += <double>x[j] * coef[j]
            else:
                for j in range(p):
                    total += <double>x[j * step] * coef[j]
            predicted_out[k] = <floating>(total + intercept)
            finite = finite and isfinite(predicted_out[k])
    return finite
