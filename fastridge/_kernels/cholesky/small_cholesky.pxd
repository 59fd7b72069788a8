# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Cholesky of a matrix so small that calling LAPACK takes longer than the work."""

from libc.math cimport fabs, sqrt


cdef inline bint factor_few(double *a, Py_ssize_t p) noexcept nogil:
    # U'U = A in place, in the upper triangle; False where A is not positive definite
    cdef:
        Py_ssize_t i, j, k
        double value, inverse
    for k in range(p):
        value = a[k * p + k]
        for i in range(k):
            value -= a[i * p + k] * a[i * p + k]
        if not value > 0.0:
            return False
        a[k * p + k] = sqrt(value)
        inverse = 1.0 / a[k * p + k]
        for j in range(k + 1, p):
            value = a[k * p + j]
            for i in range(k):
                value -= a[i * p + k] * a[i * p + j]
            a[k * p + j] = value * inverse
    return True


cdef inline void solve_few(const double *a, Py_ssize_t p, double *x) noexcept nogil:
    # x <- (U'U)^-1 x
    cdef:
        Py_ssize_t i, k
        double value
    for k in range(p):
        value = x[k]
        for i in range(k):
            value -= a[i * p + k] * x[i]
        x[k] = value / a[k * p + k]
    for k in range(p - 1, -1, -1):
        value = x[k]
        for i in range(k + 1, p):
            value -= a[k * p + i] * x[i]
        x[k] = value / a[k * p + k]


cdef inline double rcond_few(const double *a, Py_ssize_t p, double norm,
                             double *column) noexcept nogil:
    # 1 / (|A|_1 |A^-1|_1), `column` being scratch
    cdef:
        Py_ssize_t i, j
        double total, largest = 0.0
    for j in range(p):
        for i in range(p):
            column[i] = 0.0
        column[j] = 1.0
        solve_few(a, p, column)
        total = 0.0
        for i in range(p):
            total += fabs(column[i])
        largest = max(largest, total)
    return 1.0 / (norm * largest)
