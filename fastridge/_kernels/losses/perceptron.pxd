"""The perceptron's loss ``max(0, -y eta)``; `losses.pxd` says what the functions return."""


cdef inline double value(double y, double eta) noexcept nogil:
    return max(0.0, -y * eta)


cdef inline double derivative(double y, double eta) noexcept nogil:
    return -y if y * eta <= 0.0 else 0.0


cdef inline double displacement(double y, double eta, double time) noexcept nogil:
    cdef double distance = 0.0 - y * eta
    return y * min(time, distance) if distance > 0.0 else 0.0
