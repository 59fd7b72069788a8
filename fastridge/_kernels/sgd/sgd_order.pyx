# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""The order in which stochastic gradient descent visits rows, and rows gathered into a tile.

A block shuffle visits blocks of neighbouring rows in random order, some at a time as a pool whose
rows are permuted: memory is read in runs, and a pool mixes rows from all over the data.
Numbers come from SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014), so that an order is the same on every machine.
"""

from cython cimport floating
from libc.stdint cimport uint32_t, uint64_t


cdef inline uint64_t draw(uint64_t *state, uint64_t bound) noexcept nogil:
    # a number below bound, which is below 2^32 (multiply and shift)
    cdef uint64_t z
    state[0] += <uint64_t>0x9E3779B97F4A7C15ULL
    z = state[0]
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EBULL
    z = z ^ (z >> 31)
    if bound <= 0xFFFFFFFFULL:
        return ((z >> 32) * bound) >> 32
    return z % bound


def permute(Py_ssize_t[::1] order, uint64_t[::1] state, Py_ssize_t begin, Py_ssize_t end):
    """Take steps `begin:end` of the ``len(order) - 1`` of a Fisher-Yates shuffle of `order`."""
    cdef Py_ssize_t i, j, kept, n = order.shape[0]
    with nogil:
        for i in range(begin, end):
            j = i + <Py_ssize_t>draw(&state[0], n - i)
            kept = order[i]
            order[i] = order[j]
            order[j] = kept


def permute_as_sklearn(Py_ssize_t[::1] order, uint32_t seed):
    """Shuffle `order` as scikit-learn's SGD does before an epoch: same seed, same order.

    Numbers come from a 32-bit xorshift generator (Marsaglia, "Xorshift RNGs", J. Stat. Softw. 8,
    2003), modulo 2^31 and modulo the number of entries left.
    """
    cdef Py_ssize_t i, j, kept, n = order.shape[0]
    cdef uint32_t state = seed if seed else 1
    with nogil:
        for i in range(n - 1):
            state ^= state << 13
            state ^= state >> 17
            state ^= state << 5
            j = i + <Py_ssize_t>((state & 0x7FFFFFFF) % <uint32_t>(n - i))
            kept = order[i]
            order[i] = order[j]
            order[j] = kept


def pool_rows(const Py_ssize_t[::1] blocks, Py_ssize_t size, Py_ssize_t pool,
              const Py_ssize_t[::1] rows, Py_ssize_t n_rows, Py_ssize_t[::1] order_out,
              uint64_t[::1] state):
    """Write the rows of `blocks`, permuted within pools of `pool` blocks; return their number.

    Block k holds ``rows[k size : (k + 1) size]``, or if `rows` is empty, the indices
    ``k size : (k + 1) size`` that are below `n_rows`.
    """
    cdef Py_ssize_t b, i, j, kept, begin, end, first, count = 0
    with nogil:
        b = 0
        while b < blocks.shape[0]:
            first = count
            for j in range(b, min(b + pool, blocks.shape[0])):
                begin = blocks[j] * size
                end = min(begin + size, n_rows)
                for i in range(begin, end):
                    order_out[count] = rows[i] if rows.shape[0] else i
                    count += 1
            for i in range(first, count - 1):
                j = i + <Py_ssize_t>draw(&state[0], count - i)
                kept = order_out[i]
                order_out[i] = order_out[j]
                order_out[j] = kept
            b += pool
    return count


def gather_rows(const floating[:, :] X, const Py_ssize_t[::1] rows, floating[:, ::1] tile_out):
    """tile_out[i] = X[rows[i]], a few columns at a time, so that memory is read in runs."""
    cdef:
        Py_ssize_t i, j, begin, n = X.shape[1], size = sizeof(floating)
        Py_ssize_t x_row = X.strides[0] // size, x_col = X.strides[1] // size
        const floating *x
        floating *out
    with nogil:
        begin = 0
        while begin + 8 <= n and rows.shape[0]:
            x = &X[0, begin]
            if x_row == 1:
                for i in range(rows.shape[0]):
                    copy_eight(x + rows[i], x_col, &tile_out[i, begin])
            else:
                for i in range(rows.shape[0]):
                    copy_eight(x + rows[i] * x_row, x_col, &tile_out[i, begin])
            begin += 8
        if begin < n:
            for i in range(rows.shape[0]):
                x = &X[rows[i], begin]
                out = &tile_out[i, begin]
                for j in range(n - begin):
                    out[j] = x[j * x_col]


cdef inline void copy_eight(const floating *x, Py_ssize_t x_col, floating *out) noexcept nogil:
    """out[j] = x[j x_col] for eight columns, without a loop."""
    cdef:
        const floating *middle = x + 4 * x_col
        Py_ssize_t twice = 2 * x_col, thrice = 3 * x_col
        floating a = x[0], b = x[x_col], c = x[twice], d = x[thrice]
        floating e = middle[0], f = middle[x_col], g = middle[twice], h = middle[thrice]
    out[0] = a
    out[1] = b
    out[2] = c
    out[3] = d
    out[4] = e
    out[5] = f
    out[6] = g
    out[7] = h
