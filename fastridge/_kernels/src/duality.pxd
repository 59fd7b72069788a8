"""Primal and dual objective of the elastic net from correlations with the residual r = y - X w.

    P(w) = |r|^2 / 2 + sum_j g_j(w_j),  g_j(w) = l1_j |w| + l2_j w^2 / 2 in lower_j <= w <= upper_j

Without bounds it is a lasso on rows extended by sqrt(l2), and s (r, -sqrt(l2) w) is dual feasible
where s |<x_j, r> - l2_j w_j| <= l1_j. Else, by Fenchel's duality,

    D(s) = s <r, y> - s^2 |r|^2 / 2 - sum_j g_j^*(s <x_j, r>)

with s so small that g_j^* is finite where neither a bound nor l2 keeps it so. A coefficient without
any penalty or bound is taken to be within 2 |w_j| + |y| / |x_j| of zero.
"""

from libc.math cimport INFINITY, fabs, sqrt


cdef extern from "descent.h":
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


cdef struct elastic_net:
    Py_ssize_t n_features
    const double *coef
    const double *gradient  # <x_j, r>
    const double *xy  # <x_j, y>
    const double *l1
    const double *l2
    const double *lower
    const double *upper
    const double *square  # |x_j|^2
    double target_square  # |y|^2


cdef struct objective:
    double primal
    double dual


cdef inline double conjugate(const elastic_net *e, Py_ssize_t j, double z,
                             double length) noexcept nogil:
    # sup_w z w - g_j(w); `length` is sum_k |x_k| |w_k| + |y|
    cdef double excess = fabs(z) - e.l1[j], limit, w
    if excess <= 0.0:
        return 0.0
    limit = e.upper[j] if z > 0.0 else -e.lower[j]
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
    else:
        s = min(1.0, most)
        out.dual = s * residual_target - 0.5 * s * s * square
        length = sqrt(e.target_square)
        for j in range(e.n_features):
            if e.coef[j] != 0.0:
                length += sqrt(e.square[j]) * fabs(e.coef[j])
        for j in range(e.n_features):
            out.dual -= conjugate(e, j, s * e.gradient[j], length)
    return out
