# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Coordinate descent on the dual of support vector machines, row by row.

    minimise  1/2 |X'beta|^2 + 1/2 scale (1'beta)^2 - y'beta + epsilon |beta|_1
              + 1/2 ridge beta'beta    over  lower <= beta <= upper

``coef = X'beta`` and ``intercept = scale 1'beta`` are kept up to date. A row whose beta is at a
bound, or zero under epsilon, and whose derivative is further from zero than `threshold` leaves the
order (Hsieh et al., "A dual coordinate descent method for large-scale
linear SVM", 2008). A call works on a slice of the order.
"""

from cython cimport floating
from libc.math cimport fabs

cdef extern from "compat.h" nogil:
    void FR_PREFETCH(const void *address)

ctypedef fused index:
    int
    long long

cdef struct Sums:
    double intercept
    double largest    # violation of the conditions of the minimum
    double shortfall  # of the losses from their bounds by the dual, each before its step


cdef inline double step_of_row(double eta, double y, double *beta, double lower, double upper,
                               double curvature, double ridge, double epsilon, double threshold,
                               Sums *sums, bint *stays) noexcept nogil:
    # returns the change of beta; eta is the linear predictor
    cdef:
        double old = beta[0], derivative = eta - y + ridge * old, new, width, r = y - eta, loss
        double above = max(0.0, r - epsilon), below = max(0.0, -r - epsilon)
    stays[0] = True
    if ridge > 0.0:
        loss = 0.5 / ridge * ((above * above if upper > 0.0 else 0.0)
                              + (below * below if lower < 0.0 else 0.0))
    else:
        loss = upper * above - lower * below
    sums.shortfall += loss - r * old + 0.5 * ridge * old * old + epsilon * fabs(old)
    if old == lower and lower != 0.0 and derivative - epsilon > threshold:
        stays[0] = False
        return 0.0
    if old == upper and upper != 0.0 and derivative + epsilon < -threshold:
        stays[0] = False
        return 0.0
    if old == 0.0:
        if (lower == 0.0 or derivative - epsilon < -threshold) and (
                upper == 0.0 or derivative + epsilon > threshold):
            if ((lower == 0.0 and derivative + epsilon > threshold)
                    or (upper == 0.0 and derivative - epsilon < -threshold)
                    or (lower < 0.0 and upper > 0.0)):
                stays[0] = False
                return 0.0
    new, width = old - derivative / curvature, epsilon / curvature
    new = new - width if new > width else (new + width if new < -width else 0.0)
    new = min(max(new, lower), upper)
    sums.largest = max(sums.largest, fabs(new - old) * curvature)
    beta[0] = new
    return new - old


def descend_sparse(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
                   Py_ssize_t[::1] order, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t kept,
                   const double[::1] y, const double[::1] lower, const double[::1] upper,
                   const double[::1] curvature, const double[::1] ridge, double epsilon,
                   double threshold, double scale, double intercept, double[::1] beta,
                   double[::1] coef):
    """Take a step for each of the rows ``order[begin:end]``; move those that stay to `kept` on.

    `curvature` holds the squared length of each row, plus scale and ridge; `ridge` is empty where
    it is zero. Returns the new `kept` and intercept, the largest violation and the shortfall.
    """
    cdef:
        Py_ssize_t k, i, a, first, last
        double eta, other, change
        bint stays
        Sums sums
    sums.intercept, sums.largest, sums.shortfall = intercept, 0.0, 0.0
    with nogil:
        for k in range(begin, end):
            i = order[k]
            if k + 2 < end:
                FR_PREFETCH(&indptr[order[k + 2]])
            if k + 1 < end:
                first = indptr[order[k + 1]]
                FR_PREFETCH(&data[first])
                FR_PREFETCH(&indices[first])
                FR_PREFETCH(&beta[order[k + 1]])
                FR_PREFETCH(&y[order[k + 1]])
            first, last = indptr[i], indptr[i + 1]
            eta, other, a = sums.intercept, 0.0, first
            while a + 1 < last:
                eta += data[a] * coef[indices[a]]
                other += data[a + 1] * coef[indices[a + 1]]
                a += 2
            if a < last:
                eta += data[a] * coef[indices[a]]
            change = step_of_row(eta + other, y[i], &beta[i], lower[i], upper[i], curvature[i],
                                 ridge[i] if ridge.shape[0] else 0.0, epsilon, threshold, &sums,
                                 &stays)
            if stays:
                order[k], order[kept] = order[kept], i
                kept += 1
            if change != 0.0:
                sums.intercept += scale * change
                for a in range(first, last):
                    coef[indices[a]] += change * data[a]
    return kept, sums.intercept, sums.largest, sums.shortfall


def descend_dense(const floating[:, :] X, Py_ssize_t[::1] order, Py_ssize_t begin, Py_ssize_t end,
                  Py_ssize_t kept, const double[::1] y, const double[::1] lower,
                  const double[::1] upper, const double[::1] curvature, const double[::1] ridge,
                  double epsilon, double threshold, double scale, double intercept,
                  double[::1] beta, double[::1] coef):
    """Do as `descend_sparse` for dense rows."""
    cdef:
        Py_ssize_t k, i, j, p = X.shape[1]
        double change
        double eta[4]
        bint stays
        Sums sums
    sums.intercept, sums.largest, sums.shortfall = intercept, 0.0, 0.0
    with nogil:
        for k in range(begin, end):
            i = order[k]
            eta[0], eta[1], eta[2], eta[3], j = sums.intercept, 0.0, 0.0, 0.0, 0
            while j + 3 < p:
                eta[0] += X[i, j] * coef[j]
                eta[1] += X[i, j + 1] * coef[j + 1]
                eta[2] += X[i, j + 2] * coef[j + 2]
                eta[3] += X[i, j + 3] * coef[j + 3]
                j += 4
            while j < p:
                eta[0] += X[i, j] * coef[j]
                j += 1
            change = step_of_row(eta[0] + eta[1] + eta[2] + eta[3], y[i], &beta[i], lower[i],
                                 upper[i], curvature[i], ridge[i] if ridge.shape[0] else 0.0,
                                 epsilon, threshold, &sums, &stays)
            if stays:
                order[k], order[kept] = order[kept], i
                kept += 1
            if change != 0.0:
                sums.intercept += scale * change
                for j in range(p):
                    coef[j] += change * X[i, j]
    return kept, sums.intercept, sums.largest, sums.shortfall
