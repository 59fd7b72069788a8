# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Products of CSR rows and vectors.

They are compiled for the baseline and without reordering of sums, which keeps compilers from
gathering values by vector instructions: on many processors these are slower than single loads.
"""

from cython cimport floating

ctypedef fused index:
    int
    long long


def predict_rows(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
                 const double[::1] coef, double intercept, double[::1] predicted_out):
    """predicted_out[k] = x_k' coef + intercept; `indptr` is that of these rows."""
    cdef:
        Py_ssize_t k, a
        double total
    with nogil:
        for k in range(predicted_out.shape[0]):
            total = 0.0
            for a in range(indptr[k], indptr[k + 1]):
                total += data[a] * coef[indices[a]]
            predicted_out[k] = intercept + total


def add_rows(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
             const double[::1] factors, double[::1] sums_out):
    """sums_out += sum_k factors[k] x_k; rows with a factor of zero may hold anything."""
    cdef:
        Py_ssize_t k, a
        double factor
    with nogil:
        for k in range(factors.shape[0]):
            factor = factors[k]
            if factor != 0.0:
                for a in range(indptr[k], indptr[k + 1]):
                    sums_out[indices[a]] += factor * data[a]
