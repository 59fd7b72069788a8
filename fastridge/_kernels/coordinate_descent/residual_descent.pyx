# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Coordinate descent for the elastic net on residuals, where a Gram would be too large.

    w_j <- clip(soft(<x_j, r> + |x_j|^2 w_j, l1_j) / (|x_j|^2 + l2_j)),  r <- r - (w_j's change) x_j

Columns are dense, a row of `columns` each, or sparse (CSC) and centred implicitly: column j is
x_j - mean_j root, and the residual r + shift root with root the unit column, to which centred
columns are orthogonal.
"""

from libc.math cimport fabs

cdef extern from "rows.h":
    void fr_add_row(double *out, const double *row, double factor, Py_ssize_t n) nogil
    double fr_dot(const double *x, const double *y, Py_ssize_t n) nogil

ctypedef fused index:
    int
    long long

# Rows of the state, as in `descent`.
cdef enum:
    COEF
    GRADIENT
    XY
    L1
    L2
    LOWER
    UPPER
    SQUARE


cdef enum:
    ALL
    SUPPORT  # only coordinates that are not zero
    GRADIENTS  # of all, and no update


cdef inline double minimiser(const double[:, ::1] state, Py_ssize_t j) noexcept nogil:
    # along coordinate j, whose gradient is up to date
    cdef double w = state[COEF, j], z = state[GRADIENT, j]
    cdef double curvature = state[SQUARE, j] + state[L2, j]
    if (w == 0.0 and fabs(z) <= state[L1, j]) or curvature <= 0.0:
        return w
    z += state[SQUARE, j] * w
    if z > state[L1, j]:
        w = (z - state[L1, j]) / curvature
    elif z < -state[L1, j]:
        w = (z + state[L1, j]) / curvature
    else:
        w = 0.0
    return min(max(w, state[LOWER, j]), state[UPPER, j])


def sweep_dense(const double[:, ::1] columns, double[:, ::1] state, double[::1] residual,
                Py_ssize_t begin, Py_ssize_t end, int mode):
    """Update coordinates `begin:end`; or (1) those not zero; or (2) only their gradients."""
    cdef Py_ssize_t j, n = columns.shape[1]
    cdef double delta
    with nogil:
        for j in range(begin, end):
            if mode == SUPPORT and state[COEF, j] == 0.0:
                continue
            state[GRADIENT, j] = fr_dot(&columns[j, 0], &residual[0], n)
            if mode == GRADIENTS:
                continue
            delta = minimiser(state, j) - state[COEF, j]
            if delta != 0.0:
                state[COEF, j] += delta
                fr_add_row(&residual[0], &columns[j, 0], -delta, n)


def sweep_sparse(const double[::1] data, const index[::1] indices, const index[::1] indptr,
                 const double[::1] mean, double[:, ::1] state, double[::1] residual,
                 double[::1] shift, Py_ssize_t begin, Py_ssize_t end, int mode):
    """`sweep_dense` of CSC columns with these means; `shift` holds one value."""
    cdef Py_ssize_t j
    cdef index k
    cdef double delta, z
    with nogil:
        for j in range(begin, end):
            if mode == SUPPORT and state[COEF, j] == 0.0:
                continue
            z = shift[0] * mean[j]
            for k in range(indptr[j], indptr[j + 1]):
                z += data[k] * residual[indices[k]]
            state[GRADIENT, j] = z
            if mode == GRADIENTS:
                continue
            delta = minimiser(state, j) - state[COEF, j]
            if delta != 0.0:
                state[COEF, j] += delta
                shift[0] += delta * mean[j]
                for k in range(indptr[j], indptr[j + 1]):
                    residual[indices[k]] -= delta * data[k]
