"""The squared hinge loss, straight below ``y eta = -1``: Huber's loss modified for classes.

`losses.pxd` says what the functions return.
"""

from exponential cimport part_gone


cdef inline double value(double y, double eta) noexcept nogil:
    cdef double z = y * eta
    if z >= 1.0:
        return 0.0
    return (1.0 - z) * (1.0 - z) if z >= -1.0 else -4.0 * z


cdef inline double derivative(double y, double eta) noexcept nogil:
    cdef double z = y * eta
    if z >= 1.0:
        return 0.0
    return -2.0 * y * (1.0 - z) if z >= -1.0 else -4.0 * y


cdef inline double displacement(double y, double eta, double time) noexcept nogil:
    cdef double z = y * eta
    cdef double until = max(0.0, (-1.0 - z) / 4.0)  # time on the straight part
    if z >= 1.0:
        return 0.0
    if time <= until:
        return 4.0 * y * time
    return y * (4.0 * until + (1.0 - max(z, -1.0)) * part_gone(time - until, 2.0))
