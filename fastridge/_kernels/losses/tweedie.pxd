"""Half the Tweedie deviance of a power with a log link, but for a constant.

``exp((2 - power) eta) / (2 - power) - y exp((1 - power) eta) / (1 - power)``, for powers other than
1 (Poisson) and 2 (gamma). `losses.pxd` says what the functions return.
"""

cimport cython
from exponential cimport fr_exp_any


@cython.cdivision(True)
cdef inline double value_and_derivatives(double power, double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    # the curvature expected of y, where that of this y may be negative
    cdef double first = fr_exp_any((2.0 - power) * eta)
    cdef double second = y * fr_exp_any((1.0 - power) * eta)
    derivative[0] = first - second
    curvature[0] = (2.0 - power) * first + (power - 1.0) * second if 1.0 < power < 2.0 else first
    return first / (2.0 - power) - second / (1.0 - power)
