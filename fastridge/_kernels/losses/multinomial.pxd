"""The multinomial loss ``log(sum_k exp(eta_k)) - eta_y``, of as many outputs as classes."""

from libc.math cimport exp, log


cdef inline double value_and_derivatives(int y, double *eta, int n_outputs) noexcept nogil:
    # the loss; eta[k] becomes its derivative, exp(eta_k) / sum - (k == y)
    cdef double largest = eta[0], total = 0.0, loss
    cdef int k
    for k in range(n_outputs):
        largest = max(largest, eta[k])
    loss = largest - eta[y]
    for k in range(n_outputs):
        eta[k] = exp(eta[k] - largest)
        total += eta[k]
    for k in range(n_outputs):
        eta[k] = eta[k] / total - (1.0 if k == y else 0.0)
    return loss + log(total)
