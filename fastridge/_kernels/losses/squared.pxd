"""The squared loss ``(eta - y)^2 / 2``; `losses.pxd` says what the functions return."""

from exponential cimport part_gone


cdef inline double value(double y, double eta) noexcept nogil:
    return 0.5 * (eta - y) * (eta - y)


cdef inline double derivative(double y, double eta) noexcept nogil:
    return eta - y


cdef inline double value_and_derivatives(double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    derivative[0] = eta - y
    curvature[0] = 1.0
    return 0.5 * (eta - y) * (eta - y)


cdef inline double displacement(double y, double eta, double time) noexcept nogil:
    return (y - eta) * part_gone(time, 1.0)
