"""Huber's loss: ``(eta - y)^2 / 2`` up to a distance of epsilon, straight beyond.

`losses.pxd` says what the functions return.
"""

from exponential cimport part_gone
from libc.math cimport fabs


cdef inline double value(double epsilon, double y, double eta) noexcept nogil:
    cdef double distance = fabs(eta - y)
    if distance <= epsilon:
        return 0.5 * distance * distance
    return epsilon * (distance - 0.5 * epsilon)


cdef inline double derivative(double epsilon, double y, double eta) noexcept nogil:
    return min(max(eta - y, -epsilon), epsilon)


cdef inline double displacement(double epsilon, double y, double eta, double time) noexcept nogil:
    cdef double z = y - eta, distance = fabs(z)
    cdef double until = max(0.0, (distance - epsilon) / epsilon) if epsilon > 0.0 else time
    if time <= until:
        distance = epsilon * time
    else:
        distance = epsilon * until + min(distance, epsilon) * part_gone(time - until, 1.0)
    return distance if z > 0.0 else -distance
