# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Coordinate descent on the dual of Crammer and Singer's support vector machine, row by row.

    minimise  1/2 sum_k |X'a_k|^2 + sum_ik [k != y_i] a_ik
    over  a_ik <= v_i [k = y_i],  sum_k a_ik = 0

The minimum over the multipliers of one row is exact (Crammer and Singer, "On the algorithmic
implementation of multiclass kernel-based vector machines", 2001; Keerthi et al., "A sequential dual
method for large scale multi-class linear SVMs", 2008). Coefficients are kept by feature, each with
the values of all classes next to each other, the intercepts last.
"""

from cython cimport floating
from libc.math cimport fabs

ctypedef fused index:
    int
    long long


cdef inline double minimum_of_row(Py_ssize_t own, double weight, double curvature, Py_ssize_t K,
                                  double *a, const double *eta, double *work,
                                  double *changes) noexcept nogil:
    # sets the changes of the multipliers; returns the largest violation of the minimum before
    cdef:
        double *derivative = work
        double *sorted_ = work + K
        double value, total, largest = 0.0
        Py_ssize_t k, r
    for k in range(K):
        derivative[k] = eta[k] - curvature * a[k] + (0.0 if k == own else 1.0)
        value = derivative[k] + (curvature * weight if k == own else 0.0)
        r = k
        while r > 0 and sorted_[r - 1] < value:
            sorted_[r] = sorted_[r - 1]
            r -= 1
        sorted_[r] = value
    total, r = sorted_[0] - curvature * weight, 1
    while r < K and total < r * sorted_[r]:
        total += sorted_[r]
        r += 1
    total /= r
    for k in range(K):
        value = min((total - derivative[k]) / curvature, weight if k == own else 0.0)
        changes[k] = value - a[k]
        a[k] = value
        largest = max(largest, curvature * fabs(changes[k]))
    return largest


cdef inline double shortfall_of_row(Py_ssize_t own, double weight, Py_ssize_t K, const double *a,
                                    const double *eta) noexcept nogil:
    cdef double loss = 0.0, total = -a[own]
    cdef Py_ssize_t k
    for k in range(K):
        loss = max(loss, eta[k] - eta[own] + (0.0 if k == own else 1.0))
        total += a[k] * eta[k]
    return weight * loss + total


def descend_sparse(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
                   const Py_ssize_t[::1] order, Py_ssize_t begin, Py_ssize_t end,
                   const Py_ssize_t[::1] y, const double[::1] weight,
                   const double[::1] curvature, double scale, double[:, ::1] a,
                   double[:, ::1] coef, double[:, ::1] work):
    """Minimise over each of the rows ``order[begin:end]``.

    `work` has four rows of a value for each class. Returns the largest violation and the sum of the
    shortfalls, each before its step.
    """
    cdef:
        Py_ssize_t K = a.shape[1], p = coef.shape[0] - 1, n, i, k, t
        double x, largest = 0.0, shortfall = 0.0
        double *eta = &work[2, 0]
        double *changes = &work[3, 0]
        const double *w
        double *out
    with nogil:
        for n in range(begin, end):
            i = order[n]
            for k in range(K):
                eta[k] = coef[p, k]
            for t in range(indptr[i], indptr[i + 1]):
                x, w = data[t], &coef[indices[t], 0]
                for k in range(K):
                    eta[k] += x * w[k]
            shortfall += shortfall_of_row(y[i], weight[i], K, &a[i, 0], eta)
            largest = max(largest, minimum_of_row(y[i], weight[i], curvature[i], K, &a[i, 0], eta,
                                                  &work[0, 0], changes))
            for t in range(indptr[i], indptr[i + 1]):
                x, out = data[t], &coef[indices[t], 0]
                for k in range(K):
                    out[k] += x * changes[k]
            for k in range(K):
                coef[p, k] += scale * changes[k]
    return largest, shortfall


def descend_dense(const floating[:, :] X, const Py_ssize_t[::1] order, Py_ssize_t begin,
                  Py_ssize_t end, const Py_ssize_t[::1] y, const double[::1] weight,
                  const double[::1] curvature, double scale, double[:, ::1] a,
                  double[:, ::1] coef, double[:, ::1] work):
    """Do as `descend_sparse` for dense rows."""
    cdef:
        Py_ssize_t K = a.shape[1], p = coef.shape[0] - 1, n, i, k, j
        double x, largest = 0.0, shortfall = 0.0
        double *eta = &work[2, 0]
        double *changes = &work[3, 0]
        const double *w
        double *out
    with nogil:
        for n in range(begin, end):
            i = order[n]
            for k in range(K):
                eta[k] = coef[p, k]
            for j in range(p):
                x, w = X[i, j], &coef[j, 0]
                for k in range(K):
                    eta[k] += x * w[k]
            shortfall += shortfall_of_row(y[i], weight[i], K, &a[i, 0], eta)
            largest = max(largest, minimum_of_row(y[i], weight[i], curvature[i], K, &a[i, 0], eta,
                                                  &work[0, 0], changes))
            for j in range(p):
                x, out = X[i, j], &coef[j, 0]
                for k in range(K):
                    out[k] += x * changes[k]
            for k in range(K):
                coef[p, k] += scale * changes[k]
    return largest, shortfall
