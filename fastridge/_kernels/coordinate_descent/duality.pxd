"""Primal and dual objective of the elastic net from correlations with the residual r = y - X w.

    P(w) = |r|^2 / 2 + sum_j g_j(w_j),  g_j(w) = l1_j |w| + l2_j w^2 / 2 in lower_j <= w <= upper_j

Without bounds it is a lasso on rows extended by sqrt(l2), and s (r, -sqrt(l2) w) is dual feasible
where s |<x_j, r> - l2_j w_j| <= l1_j. Else, by Fenchel's duality,

    D(s) = s <r, y> - s^2 |r|^2 / 2 - sum_j g_j^*(s <x_j, r>)

with s so small that g_j^* is finite where neither a bound nor l2 keeps it so. A coefficient without
any penalty or bound is taken to be within 2 |w_j| + |y| / |x_j| of zero. Without bounds, where l1
is less than the rounding of correlations, s would be rounding: Fenchel's bound needs none.
"""

from coordinates cimport elastic_net
from libc.math cimport INFINITY, fabs, sqrt


cdef extern from "coordinates.h":
    ctypedef struct fr_terms_of_gap:
        double correlated
        double fitted
        double penalty
        double ridge
        double largest
        double without_l2
        int limited
    fr_terms_of_gap fr_sum_terms(const double *coef, const double *gradient, const double *xy,
                                 const double *l1, const double *l2, const double *lower,
                                 const double *upper, Py_ssize_t n) nogil


cdef struct objective:
    double primal
    double dual


cdef inline double limit_towards(const elastic_net *e, Py_ssize_t j, double z) noexcept nogil:
    return e.upper[j] if z > 0.0 else -e.lower[j]


cdef inline double conjugate(const elastic_net *e, Py_ssize_t j, double z,
                             double length) noexcept nogil:
    # sup_w z w - g_j(w); `length` is sum_k |x_k| |w_k| + |y|
    cdef double excess = fabs(z) - e.l1[j], limit, w
    if excess <= 0.0:
        return 0.0
    limit = limit_towards(e, j, z)
    if e.l2[j] > 0.0:
        w = min(limit, excess / e.l2[j])
        return excess * w - 0.5 * e.l2[j] * w * w
    if limit < INFINITY:
        return excess * limit
    if e.l1[j] > 0.0:  # |z| <= l1 but for rounding
        return 0.0
    if e.square[j] <= 0.0 or excess <= 1e-15 * sqrt(e.square[j]) * length:
        return 0.0
    return excess * (2.0 * fabs(e.coef[j]) + sqrt(e.target_square / e.square[j]))


cdef inline double best_scale(double residual_target, double square, double most) noexcept nogil:
    # of 0 <= s <= most, where s <r, y> - s^2 square / 2 is largest
    cdef double s = residual_target / square if square > 0.0 else 1.0
    return max(0.0, min(s, most))


cdef inline double size_of_terms(const elastic_net *e) noexcept nogil:
    # |y| + sum_j |x_j| |w_j|
    cdef:
        Py_ssize_t j
        double size = sqrt(e.target_square)
    for j in range(e.n_features):
        if e.coef[j] != 0.0:
            size += sqrt(e.square[j]) * fabs(e.coef[j])
    return size


cdef inline bint doubtful(const elastic_net *e) noexcept nogil:
    # whether rounding may hide more of the gap than that of |y|^2
    cdef:
        Py_ssize_t j
        double size = size_of_terms(e), error, least = 3e-8, ratio
    if not size <= 9.0 * sqrt(e.target_square):
        return True
    error = 9e-16 * size
    ratio = error / least
    ratio = ratio * ratio
    for j in range(e.n_features):
        if e.upper[j] <= e.lower[j]:
            continue
        if e.l1[j] > 0.0:
            if ratio * e.square[j] > e.l1[j] * e.l1[j]:
                return True
        elif e.l2[j] == 0.0 and not (e.lower[j] == -INFINITY and e.upper[j] == INFINITY):
            return True
        if (e.l2[j] > 0.0 and (e.lower[j] > -INFINITY or e.upper[j] < INFINITY)
                and error * error * e.square[j] > 1e-15 * e.l2[j] * e.target_square):
            return True
    return False


cdef inline bint exceeds(const elastic_net *e, double error) noexcept nogil:
    # whether a coordinate that can move exceeds its l1 by more than an error times its length
    cdef:
        Py_ssize_t j
        double z, excess
    for j in range(e.n_features):
        z = e.gradient[j] - e.l2[j] * e.coef[j]
        excess = fabs(z) - e.l1[j]
        if (excess > 0.0 and excess > error * sqrt(e.square[j])
                and limit_towards(e, j, z) == INFINITY):
            return True
    return False


cdef inline double fenchel(const elastic_net *e, double residual_target,
                           double square) noexcept nogil:
    # the dual value at r, where no coordinate exceeds l1 by more than rounding; else -infinity
    cdef:
        Py_ssize_t j
        double dual = residual_target - 0.5 * square, most = 1e-10 * sqrt(e.target_square), excess
    if not most > 0.0 or exceeds(e, most):
        return -INFINITY
    if exceeds(e, 9e-16 * size_of_terms(e)):
        return -INFINITY
    for j in range(e.n_features):
        excess = fabs(e.gradient[j]) - e.l1[j]
        if excess > 0.0 and e.l2[j] == 0.0 and limit_towards(e, j, e.gradient[j]) == INFINITY:
            return -INFINITY
        dual -= conjugate(e, j, e.gradient[j], 0.0)
    return dual


cdef inline objective evaluate(const elastic_net *e) noexcept nogil:
    cdef:
        Py_ssize_t j
        double most = INFINITY, most_extended = INFINITY
        double residual_target, square, s, length
        fr_terms_of_gap terms = fr_sum_terms(e.coef, e.gradient, e.xy, e.l1, e.l2, e.lower,
                                             e.upper, e.n_features)
        objective out
    if terms.largest > 0.0:
        most_extended = 1.0 / terms.largest
    if terms.without_l2 > 0.0:
        most = 1.0 / terms.without_l2
    residual_target = e.target_square - terms.correlated
    square = max(0.0, residual_target - terms.fitted)
    out.primal = 0.5 * square + terms.penalty
    if not terms.limited:
        s = best_scale(residual_target, square + terms.ridge, most_extended)
        out.dual = s * residual_target - 0.5 * s * s * (square + terms.ridge)
        if terms.largest > 1.0001:
            out.dual = max(out.dual, fenchel(e, residual_target, square))
    else:
        s = min(1.0, most)
        out.dual = s * residual_target - 0.5 * s * s * square
        length = size_of_terms(e)
        for j in range(e.n_features):
            out.dual -= conjugate(e, j, s * e.gradient[j], length)
    return out
