"""The multinomial loss ``log(sum_k exp(eta_k)) - eta_y``, of as many outputs as classes."""

from libc.math cimport exp, log, log1p


cdef inline double value_and_derivatives(int y, double *eta, int n_outputs) noexcept nogil:
    # the loss; eta[k] becomes its derivative, exp(eta_k) / sum - (k == y), and never 1 minus
    # something: of a row that is fitted well, all digits are in the other classes
    cdef double largest = eta[0], own, others = 0.0, loss
    cdef int k
    for k in range(n_outputs):
        largest = max(largest, eta[k])
    loss = largest - eta[y]
    own = exp(eta[y] - largest)
    for k in range(n_outputs):
        if k != y:
            eta[k] = exp(eta[k] - largest)
            others += eta[k]
    eta[y] = -others
    for k in range(n_outputs):
        eta[k] /= own + others
    return loss + (log1p(others) if own == 1.0 else log(own + others))
