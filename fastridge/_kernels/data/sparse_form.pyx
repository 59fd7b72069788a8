# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Check how the entries of a compressed sparse matrix are stored: sorted, repeated, zero."""

from cython cimport floating

ctypedef fused index:
    int
    long long

cdef enum:
    BLOCK = 8192  # entries that are counted at a time, in a 32-bit sum


cdef int steps_back(const index *indices, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    # the number of indices that are not above the one before
    cdef Py_ssize_t k
    cdef int count = 0
    for k in range(begin, end):
        count += indices[k] <= indices[k - 1]
    return count


cdef bint has_zero(const floating *data, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    cdef Py_ssize_t k
    cdef int count = 0
    for k in range(begin, end):
        count += data[k] == 0.0
    return count > 0


def stored_form(const floating[::1] data, const index[::1] indices, const index[::1] indptr):
    """Return two flags: whether entries are unsorted or repeated, and whether any is zero.

    `indptr` must not decrease, and must end within `data` and `indices`. One pass counts every
    index that is not above the one before, and compares the count with those where a row begins.
    """
    cdef:
        Py_ssize_t first, last, row, begin, n = indptr[indptr.shape[0] - 1]
        Py_ssize_t back = 0, allowed = 0
        bint zeros = False
    with nogil:
        first = 0
        while first < n:
            last = min(first + BLOCK, n)
            back += steps_back(&indices[0], max(first, 1), last)
            zeros = zeros or has_zero(&data[0], first, last)
            first = last
        begin = 0
        for row in range(1, indptr.shape[0] - 1):
            if begin < indptr[row] < n:
                begin = indptr[row]
                allowed += indices[begin] <= indices[begin - 1]
    return back > allowed, bool(zeros)
