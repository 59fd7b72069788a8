"""The squared hinge loss ``max(0, 1 - y eta)^2``; `losses.pxd` says what the functions return."""

from exponential cimport part_gone


cdef inline double value(double y, double eta) noexcept nogil:
    cdef double z = max(0.0, 1.0 - y * eta)
    return z * z


cdef inline double derivative(double y, double eta) noexcept nogil:
    return -2.0 * y * max(0.0, 1.0 - y * eta)


cdef inline double value_and_derivatives(double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    cdef double z = max(0.0, 1.0 - y * eta)
    derivative[0] = -2.0 * y * z
    curvature[0] = 2.0 if z > 0.0 else 0.0
    return z * z


cdef inline double displacement(double y, double eta, double time) noexcept nogil:
    return y * max(0.0, 1.0 - y * eta) * part_gone(time, 2.0)
