"""Half the Poisson deviance with a log link, but for a constant: ``exp(eta) - y eta``.

`losses.pxd` says what the functions return.
"""

from exponential cimport fr_exp_any


cdef inline double value_and_derivatives(double y, double eta, double *derivative,
                                         double *curvature) noexcept nogil:
    cdef double mean = fr_exp_any(eta)
    derivative[0] = mean - y
    curvature[0] = mean
    return mean - y * eta
