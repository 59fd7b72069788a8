"""The loss ``max(0, |eta - y| - epsilon)^2``; `losses.pxd` says what the functions return."""

from exponential cimport part_gone
from libc.math cimport fabs


cdef inline double value(double epsilon, double y, double eta) noexcept nogil:
    cdef double z = max(0.0, fabs(eta - y) - epsilon)
    return z * z


cdef inline double derivative(double epsilon, double y, double eta) noexcept nogil:
    cdef double z = eta - y
    return 2.0 * (z - min(max(z, -epsilon), epsilon))


cdef inline double displacement(double epsilon, double y, double eta, double time) noexcept nogil:
    cdef double z = y - eta
    cdef double distance = max(0.0, fabs(z) - epsilon) * part_gone(time, 2.0)
    return distance if z > 0.0 else -distance
