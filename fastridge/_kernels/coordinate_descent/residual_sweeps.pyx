# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Sweeps of coordinate descent for the elastic net on residuals, where a Gram would be too large.

    w_j <- clip(soft(<x_j, r> + |x_j|^2 w_j, l1_j) / (|x_j|^2 + l2_j)),  r <- r - (w_j's change) x_j

Columns are dense, a row of `columns` each, or sparse (CSC) and centred implicitly: column j is
x_j - mean_j root, and the residual r + shift root with root the unit column, to which centred
columns are orthogonal.
"""

from coordinates cimport elastic_net, minimiser, open_net

cdef extern from "rows.h":
    void fr_add_row(double *out, const double *row, double factor, Py_ssize_t n) nogil
    double fr_dot(const double *x, const double *y, Py_ssize_t n) nogil

ctypedef fused index:
    int
    long long


cpdef enum Visit:
    ALL  # update all coordinates
    SUPPORT  # update those that are not zero
    GRADIENTS  # write the gradients of all, and update none


cdef inline double step(elastic_net *e, Py_ssize_t j) noexcept nogil:
    # move coordinate j, whose gradient is up to date, to its minimum; returns by how much
    cdef double delta = minimiser(e, j) - e.coef[j]
    if delta != 0.0:
        e.coef[j] += delta
    return delta


def sweep_dense(const double[:, ::1] columns, double[:, ::1] fields, double[::1] residual,
                Py_ssize_t begin, Py_ssize_t end, Visit visit):
    """Visit coordinates `begin:end`; rows of `fields` are those of `coordinate_descent.FIELDS`."""
    cdef:
        Py_ssize_t j, n = columns.shape[1]
        double delta
        elastic_net net = open_net(fields, fields.shape[1], 0.0)
    with nogil:
        for j in range(begin, end):
            if visit == SUPPORT and net.coef[j] == 0.0:
                continue
            net.gradient[j] = fr_dot(&columns[j, 0], &residual[0], n)
            if visit == GRADIENTS:
                continue
            delta = step(&net, j)
            if delta != 0.0:
                fr_add_row(&residual[0], &columns[j, 0], -delta, n)


def sweep_sparse(const double[::1] data, const index[::1] indices, const index[::1] indptr,
                 const double[::1] mean, double[:, ::1] fields, double[::1] residual,
                 double shift, Py_ssize_t begin, Py_ssize_t end, Visit visit):
    """`sweep_dense` of CSC columns with these means. Returns the new `shift`."""
    cdef:
        Py_ssize_t j
        index k
        double delta, z
        elastic_net net = open_net(fields, fields.shape[1], 0.0)
    with nogil:
        for j in range(begin, end):
            if visit == SUPPORT and net.coef[j] == 0.0:
                continue
            z = shift * mean[j]
            for k in range(indptr[j], indptr[j + 1]):
                z += data[k] * residual[indices[k]]
            net.gradient[j] = z
            if visit == GRADIENTS:
                continue
            delta = step(&net, j)
            if delta != 0.0:
                shift += delta * mean[j]
                for k in range(indptr[j], indptr[j + 1]):
                    residual[indices[k]] -= delta * data[k]
    return shift
