"""Half the Tweedie deviance of a power with an identity link, but for a constant.

With ``mean = eta``: infinite where a mean at or below 0 has no deviance. `losses.pxd` says what the
functions return.
"""

cimport cython
from libc.math cimport INFINITY, log, pow


@cython.cdivision(True)
cdef inline double value_and_derivatives(double power, double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    # the curvature expected of y, where that of this y may be negative
    cdef double scale
    if not eta > 0.0:
        derivative[0], curvature[0] = -1.0, 1.0
        return INFINITY
    scale = pow(eta, -power)
    derivative[0] = scale * (eta - y)
    curvature[0] = scale
    if 1.0 <= power <= 2.0 and y > 0.0:
        curvature[0] = max(scale * ((1.0 - power) + power * y / eta), 1e-3 * scale)
    if power == 1.0:
        return eta - y * log(eta)
    if power == 2.0:
        return log(eta) + y / eta
    return scale * eta * (eta / (2.0 - power) - y / (1.0 - power))
