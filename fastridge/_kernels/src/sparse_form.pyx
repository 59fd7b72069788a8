# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""How the entries of a compressed sparse matrix are stored."""

from cython cimport floating

ctypedef fused index:
    int
    long long


def stored_form(const floating[::1] data, const index[::1] indices, const index[::1] indptr):
    """Whether entries are unsorted or repeated, and whether some are zero, as two flags.

    `indptr` must not decrease, and must end within `data` and `indices`. One pass: steps back from
    one entry to the next are counted in one run, and compared with those where a row begins.
    """
    cdef:
        Py_ssize_t k, row, begin, n = indptr[indptr.shape[0] - 1]
        Py_ssize_t back = 0, allowed = 0
        Py_ssize_t zeros = 0
    with nogil:
        for k in range(1, n):
            back += indices[k] <= indices[k - 1]
        for k in range(n):
            zeros += data[k] == 0.0
        begin = 0
        for row in range(1, indptr.shape[0] - 1):
            if begin < indptr[row] < n:
                begin = indptr[row]
                allowed += indices[begin] <= indices[begin - 1]
    return back > allowed, zeros > 0
