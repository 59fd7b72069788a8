"""The loss ``max(0, |eta - y| - epsilon)``; `losses.pxd` says what the functions return."""

from libc.math cimport fabs


cdef inline double value(double epsilon, double y, double eta) noexcept nogil:
    return max(0.0, fabs(eta - y) - epsilon)


cdef inline double derivative(double epsilon, double y, double eta) noexcept nogil:
    cdef double z = eta - y
    return 1.0 if z > epsilon else (-1.0 if z < -epsilon else 0.0)


cdef inline double displacement(double epsilon, double y, double eta, double time) noexcept nogil:
    cdef double z = y - eta, distance = min(time, max(0.0, fabs(z) - epsilon))
    return distance if z > 0.0 else -distance
