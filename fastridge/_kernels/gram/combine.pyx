# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Weighted sums of rows or columns about a shift, without a shifted copy; sums along few rows."""

from cython cimport floating
from libc.math cimport isfinite

cdef extern from "combine.h":
    void fr_add_about_double(const double *a, const double *b, const double *c,
                             const double *d, const double *factor, const double *minus,
                             Py_ssize_t n, double *out) nogil
    void fr_add_four_about_double(const double *a, const double *b, const double *c,
                                  const double *d, const double *factor, const double *minus,
                                  Py_ssize_t n, Py_ssize_t step, double *out) nogil
    void fr_dot_four_about_double(const double *a, const double *b, const double *c,
                                  const double *d, const double *minus, Py_ssize_t n,
                                  const double *coef, const double *intercept,
                                  Py_ssize_t n_vectors, double *work, Py_ssize_t step,
                                  double *out) nogil
    void fr_add_about_float(const float *a, const float *b, const float *c,
                            const float *d, const double *factor, const double *minus,
                            Py_ssize_t n, double *out) nogil
    void fr_add_four_about_float(const float *a, const float *b, const float *c,
                                 const float *d, const double *factor, const double *minus,
                                 Py_ssize_t n, Py_ssize_t step, double *out) nogil
    void fr_dot_four_about_float(const float *a, const float *b, const float *c,
                                 const float *d, const double *minus, Py_ssize_t n,
                                 const double *coef, const double *intercept,
                                 Py_ssize_t n_vectors, double *work, Py_ssize_t step,
                                 double *out) nogil


cdef inline void add_about(const floating *a, const floating *b, const floating *c,
                           const floating *d, const double *factor, const double *minus,
                           Py_ssize_t n, double *out) noexcept nogil:
    if floating is double:
        fr_add_about_double(a, b, c, d, factor, minus, n, out)
    else:
        fr_add_about_float(a, b, c, d, factor, minus, n, out)


cdef inline void add_four_about(const floating *a, const floating *b, const floating *c,
                                const floating *d, const double *factor, const double *minus,
                                Py_ssize_t n, Py_ssize_t step, double *out) noexcept nogil:
    if floating is double:
        fr_add_four_about_double(a, b, c, d, factor, minus, n, step, out)
    else:
        fr_add_four_about_float(a, b, c, d, factor, minus, n, step, out)


def combine_rows(const floating[:, :] X, const double[::1] shift, const double[:, ::1] left,
                 double[:, ::1] sums_out):
    """sums_out[t, j] += sum_k left[k, t] (X[k, j] - shift[j])."""
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], n_sums = left.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t i, j, k, t, s, begin, width
        Py_ssize_t row[4]
        double factor[16]
        const floating *x
        const double *minus = &shift[0]
        double total
    with nogil:
        if x_col == 1:
            # Four rows at a time, and some columns, so that their sums stay in a near cache.
            for begin in range(0, p, 2048):
                width = min(2048, p - begin)
                for k in range(0, n, 4):
                    for i in range(4):  # rows past the last stand for the last, and count nothing
                        row[i] = min(k + i, n - 1)
                    t = 0
                    while t < n_sums:
                        for s in range(4 if t + 4 <= n_sums else 1):
                            for i in range(4):
                                factor[4 * s + i] = left[k + i, t + s] if k + i < n else 0.0
                        if t + 4 <= n_sums:
                            add_four_about(&X[k, begin], &X[row[1], begin], &X[row[2], begin],
                                           &X[row[3], begin], factor, minus + begin, width, p,
                                           &sums_out[t, begin])
                            t += 4
                        else:
                            add_about(&X[k, begin], &X[row[1], begin], &X[row[2], begin],
                                      &X[row[3], begin], factor, minus + begin, width,
                                      &sums_out[t, begin])
                            t += 1
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


def combine_columns_each(const floating[:, :] X, const double[::1] shift,
                         const double[:, ::1] coef, const double[::1] intercept,
                         double[::1] work, double[:, ::1] sums_out):
    """sums_out[t, k] = intercept[t] + sum_j coef[t, j] (X[k, j] - shift[j]).

    Rows of X are contiguous; `work` has room for four of them.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], n_vectors = coef.shape[0], k, i, t
        const floating *row[4]
        double last[4]
    with nogil:
        for k in range(0, n - n % 4, 4):
            if floating is double:
                fr_dot_four_about_double(&X[k, 0], &X[k + 1, 0], &X[k + 2, 0], &X[k + 3, 0],
                                         &shift[0], p, &coef[0, 0], &intercept[0], n_vectors,
                                         &work[0], n, &sums_out[0, k])
            else:
                fr_dot_four_about_float(&X[k, 0], &X[k + 1, 0], &X[k + 2, 0], &X[k + 3, 0],
                                        &shift[0], p, &coef[0, 0], &intercept[0], n_vectors,
                                        &work[0], n, &sums_out[0, k])
        k = n - n % 4
        for i in range(4):  # rows past the last stand for the last
            row[i] = &X[min(k + i, n - 1), 0]
        for t in range(n_vectors if k < n else 0):
            if floating is double:
                fr_dot_four_about_double(row[0], row[1], row[2], row[3], &shift[0], p, &coef[t, 0],
                                         &intercept[t], 1, &work[0], 4, last)
            else:
                fr_dot_four_about_float(row[0], row[1], row[2], row[3], &shift[0], p, &coef[t, 0],
                                        &intercept[t], 1, &work[0], 4, last)
            for i in range(n - k):
                sums_out[t, k + i] = last[i]


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
