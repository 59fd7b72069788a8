# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Take steps of SGD and Adam with weight decay, in place and in one pass; norms of gradients.

Every function works on entries begin:end of its arrays; the entries are independent.
"""

from cython cimport floating

cdef extern from "optimizer_steps.h":
    ctypedef struct fr_sgd_factors:
        double sign, weight_decay, keep, take, momentum, lr
    ctypedef struct fr_adam_factors:
        double sign, weight_decay, beta1, rest1, beta2, rest2, shrink, rate, correction, eps
    void fr_sgd_double(double *, const double *, double *, const fr_sgd_factors *, Py_ssize_t,
                       bint) nogil
    void fr_sgd_float(float *, const float *, float *, const fr_sgd_factors *, Py_ssize_t,
                      bint) nogil
    void fr_adam_double(double *, const double *, double *, double *, double *,
                        const fr_adam_factors *, Py_ssize_t) nogil
    void fr_adam_float(float *, const float *, float *, float *, float *,
                       const fr_adam_factors *, Py_ssize_t) nogil
    double fr_sum_powers_double(const double *, double, double, Py_ssize_t) nogil
    double fr_sum_powers_float(const float *, double, double, Py_ssize_t) nogil
    double fr_largest_double(const double *, Py_ssize_t) nogil
    double fr_largest_float(const float *, Py_ssize_t) nogil
    void fr_scale_double(double *, double, Py_ssize_t) nogil
    void fr_scale_float(float *, double, Py_ssize_t) nogil


cdef class SgdFactors:
    """Factors of a step of `sgd_step`: `optimizer_steps.h` describes them."""

    cdef fr_sgd_factors by

    def __cinit__(self, double sign, double weight_decay, double keep, double take,
                  double momentum, double lr):
        self.by = fr_sgd_factors(sign, weight_decay, keep, take, momentum, lr)


cdef class AdamFactors:
    """Factors of a step of `adam_step`: `optimizer_steps.h` describes them."""

    cdef fr_adam_factors by

    def __cinit__(self, double sign, double weight_decay, double beta1, double rest1,
                  double beta2, double rest2, double shrink, double rate, double correction,
                  double eps):
        self.by = fr_adam_factors(sign, weight_decay, beta1, rest1, beta2, rest2, shrink, rate,
                                  correction, eps)


def sgd_step(floating[::1] param, const floating[::1] grad, floating[::1] momentum_buffer,
             SgdFactors factors not None, bint nesterov, Py_ssize_t begin, Py_ssize_t end):
    """Take a step of stochastic gradient descent with L2 penalty and momentum.

        d = sign grad + weight_decay param
        momentum_buffer <- keep momentum_buffer + take d
        param <- param - lr (d + momentum momentum_buffer if nesterov else momentum_buffer)

    Without momentum the buffer is empty, and d is used instead of it.
    """
    cdef:
        const fr_sgd_factors *by = &factors.by
        floating *buffer = NULL
    if begin >= end:
        return
    if momentum_buffer.shape[0] > 0:
        buffer = &momentum_buffer[begin]
    with nogil:
        if floating is double:
            fr_sgd_double(&param[begin], &grad[begin], buffer, by, end - begin, nesterov)
        else:
            fr_sgd_float(&param[begin], &grad[begin], buffer, by, end - begin, nesterov)


def adam_step(floating[::1] param, const floating[::1] grad, floating[::1] exp_avg,
              floating[::1] exp_avg_sq, floating[::1] max_exp_avg_sq,
              AdamFactors factors not None, Py_ssize_t begin, Py_ssize_t end):
    """Take a step of Adam with L2 penalty (weight_decay) or weight decay (shrink).

        d = sign grad + weight_decay param
        exp_avg <- beta1 exp_avg + rest1 d
        exp_avg_sq <- beta2 exp_avg_sq + rest2 d^2
        param <- shrink param - rate exp_avg / (sqrt(exp_avg_sq) correction + eps)

    With AMSGrad, max_exp_avg_sq <- max(max_exp_avg_sq, exp_avg_sq) replaces exp_avg_sq in the
    last line; without AMSGrad it is empty.
    """
    cdef:
        const fr_adam_factors *by = &factors.by
        floating *largest = NULL
    if begin >= end:
        return
    if max_exp_avg_sq.shape[0] > 0:
        largest = &max_exp_avg_sq[begin]
    with nogil:
        if floating is double:
            fr_adam_double(&param[begin], &grad[begin], &exp_avg[begin], &exp_avg_sq[begin],
                           largest, by, end - begin)
        else:
            fr_adam_float(&param[begin], &grad[begin], &exp_avg[begin], &exp_avg_sq[begin],
                          largest, by, end - begin)


def sum_powers(const floating[::1] values, double order, double scale, Py_ssize_t begin,
               Py_ssize_t end):
    """sum_k |scale values[k]|^order in double, for a finite order above zero."""
    cdef double total = 0.0
    if begin >= end:
        return total
    with nogil:
        if floating is double:
            total = fr_sum_powers_double(&values[begin], order, scale, end - begin)
        else:
            total = fr_sum_powers_float(&values[begin], order, scale, end - begin)
    return total


def largest_magnitude(const floating[::1] values, Py_ssize_t begin, Py_ssize_t end):
    """max_k |values[k]|, NaN where one is NaN, 0 where there are none."""
    cdef double largest = 0.0
    if begin >= end:
        return largest
    with nogil:
        if floating is double:
            largest = fr_largest_double(&values[begin], end - begin)
        else:
            largest = fr_largest_float(&values[begin], end - begin)
    return largest


def scale_values(floating[::1] values, double factor, Py_ssize_t begin, Py_ssize_t end):
    """values <- factor values, with the factor in the values' precision."""
    if begin >= end:
        return
    with nogil:
        if floating is double:
            fr_scale_double(&values[begin], factor, end - begin)
        else:
            fr_scale_float(&values[begin], factor, end - begin)
