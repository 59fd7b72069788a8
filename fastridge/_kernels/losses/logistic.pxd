"""The logistic loss ``log(1 + exp(-y eta))``; `losses.pxd` says what the functions return."""

cimport cython
from exponential cimport fr_exp, fr_exp_any, fr_log1p
from libc.math cimport copysign, exp, fabs, log, log1p


cdef inline double value(double y, double eta) noexcept nogil:
    cdef double z = y * eta
    return max(0.0, -z) + log1p(fr_exp(-fabs(z)))


cdef inline double derivative_at(double y, double z, double power) noexcept nogil:
    # -y / (1 + exp(z)) where power = exp(-|z|), without a branch on the sign of z = y eta
    cdef double right = 0.5 + copysign(0.5, z)
    return -y * (1.0 - right + right * power) / (1.0 + power)


cdef inline double derivative(double y, double eta) noexcept nogil:
    return derivative_at(y, y * eta, fr_exp(-fabs(eta)))


@cython.cdivision(True)
cdef inline double value_and_derivatives(double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    cdef double z = y * eta, power = fr_exp_any(-fabs(z)), part = 1.0 / (1.0 + power)
    derivative[0] = -y * (power if z > 0.0 else 1.0) * part
    curvature[0] = power * part * part
    return 0.5 * (fabs(z) - z) + fr_log1p(power)


cdef inline double displacement(double y, double eta, double time) noexcept nogil:
    # dz = time / (1 + exp(z)): Newton's method on z + exp(z) + time = new + exp(new)
    cdef double z = y * eta, target, new, power = exp(min(z, 30.0)), change
    cdef int _k
    if z > 30.0:
        return y * (time * exp(-z))
    target = z + power + time
    if time < 0.5 * (1.0 + power):
        new = z + time / (1.0 + power)
    else:
        new = target if target < 0.5 else log(target)
    for _k in range(8):
        power = exp(new)
        change = (new + power - target) / (1.0 + power)
        new -= change
        if fabs(change) < 1e-10:
            break
    return y * max(0.0, new - z)
