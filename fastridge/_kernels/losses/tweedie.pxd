"""Half the Tweedie deviance of a power with a log link, but for a constant.

``exp((2 - power) eta) / (2 - power) - y exp((1 - power) eta) / (1 - power)``, for powers other than
1 (Poisson) and 2 (gamma). `losses.pxd` says what the functions return.
"""

cimport cython
from exponential cimport fr_exp_any
from libc.math cimport INFINITY


@cython.cdivision(True)
cdef inline double value_and_derivatives(double power, double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    # at least a tenth of the curvature that is expected of y
    cdef double first = fr_exp_any((2.0 - power) * eta)
    cdef double second = y * fr_exp_any((1.0 - power) * eta)
    derivative[0] = first - second
    curvature[0] = max((2.0 - power) * first - (1.0 - power) * second, 0.1 * first)
    if max((1.0 - power) * eta, (2.0 - power) * eta) > 700.0:  # the exponentials end there
        return INFINITY
    return first / (2.0 - power) - second / (1.0 - power)
