"""Half the gamma deviance with a log link, but for a constant: ``eta + y exp(-eta)``.

`losses.pxd` says what the functions return.
"""

from exponential cimport fr_exp_any


cdef inline double value_and_derivatives(double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    cdef double quotient = y * fr_exp_any(-eta)
    derivative[0] = 1.0 - quotient
    curvature[0] = quotient
    return eta + quotient
