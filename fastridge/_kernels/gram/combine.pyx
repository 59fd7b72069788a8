# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Weighted sums of rows or columns about a shift, without a shifted copy; sums along few rows."""

from combined_rows cimport add_rows_each, combine_each, combine_one
from cython cimport floating
from libc.math cimport isfinite


def combine_rows(const floating[:, :] X, const double[::1] shift, const double[:, ::1] left,
                 double[:, ::1] sums_out):
    """sums_out[t, j] += sum_k left[k, t] (X[k, j] - shift[j])."""
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], n_sums = left.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t j, k, t
        const floating *x
        double total
    with nogil:
        if x_col == 1:
            add_rows_each(&X[0, 0], x_row, n, p, &shift[0], &left[0, 0], n_sums, 1, n_sums,
                          &sums_out[0, 0])
        else:
            for j in range(p):
                x = &X[0, j]
                for t in range(n_sums):
                    total = 0.0
                    for k in range(n):
                        total += left[k, t] * (<double>x[k * x_row] - shift[j])
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
        double factor, minus
    with nogil:
        if x_col == 1:
            combine_one(&X[0, 0], x_row, n, p, &shift[0], &coef[0], intercept, &sums_out[0])
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


def combine_columns_each(const floating[:, :] X, const double[::1] shift,
                         const double[:, ::1] coef, const double[::1] intercept,
                         double[::1] work, double[:, ::1] sums_out):
    """sums_out[t, k] = intercept[t] + sum_j coef[t, j] (X[k, j] - shift[j]).

    Rows of X are contiguous; `work` has room for four of them.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
    with nogil:
        combine_each(&X[0, 0], x_row, n, p, &shift[0], &coef[0, 0], &intercept[0], coef.shape[0],
                     &work[0], &sums_out[0, 0], n)


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
