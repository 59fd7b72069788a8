# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The scaling that both Cholesky factors begin with."""

from libc.math cimport fabs, sqrt


cdef inline double equilibrate(const double[:, :] upper, const double[::1] penalty, double sign,
                               double[:, ::1] out, double[::1] scale,
                               double[::1] work) noexcept nogil:
    # out = sign D (G + diag(penalty)) D on and above the diagonal, D for a unit diagonal.
    # Returns the 1-norm of out, or -1 if a diagonal value is not positive. `work` has one value
    # per column.
    cdef:
        Py_ssize_t p = penalty.shape[0], i, j
        double value, total, norm = 0.0
        bint definite = True
    for i in range(p):
        value = upper[i, i] + penalty[i]
        definite = definite and value > 0.0
        scale[i] = 1.0 / sqrt(value) if value > 0.0 else 0.0
        work[i] = 1.0
    for i in range(p):
        out[i, i] = sign
        value = sign * scale[i]
        total = 0.0
        for j in range(i + 1, p):
            out[i, j] = value * upper[i, j] * scale[j]
            total += fabs(out[i, j])
            work[j] += fabs(out[i, j])
        work[i] += total
    for i in range(p):
        norm = max(norm, work[i])
    return norm if definite else -1.0
