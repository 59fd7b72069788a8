# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Losses with a curvature, summed over rows, with what Newton's method needs of each row."""

cimport gamma
cimport logistic
cimport poisson
cimport squared
cimport squared_hinge
cimport tweedie
cimport tweedie_identity

cdef enum:  # in the order of `smooth_losses.names`
    LOGISTIC
    SQUARED
    POISSON
    GAMMA
    TWEEDIE
    TWEEDIE_IDENTITY
    SQUARED_HINGE


cdef inline double at_row(int loss, double power, double y, double eta, double *derivative,
                          double *curvature) noexcept nogil:
    if loss == LOGISTIC:
        return logistic.value_and_derivatives(y, eta, derivative, curvature)
    if loss == POISSON:
        return poisson.value_and_derivatives(y, eta, derivative, curvature)
    if loss == GAMMA:
        return gamma.value_and_derivatives(y, eta, derivative, curvature)
    if loss == SQUARED:
        return squared.value_and_derivatives(y, eta, derivative, curvature)
    if loss == TWEEDIE:
        return tweedie.value_and_derivatives(power, y, eta, derivative, curvature)
    if loss == SQUARED_HINGE:
        return squared_hinge.value_and_derivatives(y, eta, derivative, curvature)
    return tweedie_identity.value_and_derivatives(power, y, eta, derivative, curvature)


cdef inline double over_rows(int loss, double power, const double *y, const double *eta,
                             const double *weight, Py_ssize_t n, double *derivative,
                             double *curvature) noexcept nogil:
    # weight NULL for unit weights; rows of weight zero count nothing, whatever they hold
    cdef double total = 0.0, value
    cdef Py_ssize_t k
    if weight == NULL:
        for k in range(n):
            total += at_row(loss, power, y[k], eta[k], &derivative[k], &curvature[k])
        return total
    for k in range(n):
        value = at_row(loss, power, y[k], eta[k], &derivative[k], &curvature[k])
        total += weight[k] * value if weight[k] > 0.0 else 0.0
        derivative[k] = weight[k] * derivative[k] if weight[k] > 0.0 else 0.0
        curvature[k] = weight[k] * curvature[k] if weight[k] > 0.0 else 0.0
    return total


cdef inline double loss_over_rows(int loss, double power, const double *y, const double *eta,
                                  const double *weight, Py_ssize_t n, double *derivative,
                                  double *curvature) noexcept nogil:
    # the same, in a loop of its own for each frequent loss
    if loss == LOGISTIC:
        return over_rows(LOGISTIC, power, y, eta, weight, n, derivative, curvature)
    if loss == POISSON:
        return over_rows(POISSON, power, y, eta, weight, n, derivative, curvature)
    if loss == GAMMA:
        return over_rows(GAMMA, power, y, eta, weight, n, derivative, curvature)
    if loss == TWEEDIE:
        return over_rows(TWEEDIE, power, y, eta, weight, n, derivative, curvature)
    return over_rows(loss, power, y, eta, weight, n, derivative, curvature)
