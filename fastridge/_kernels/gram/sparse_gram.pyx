# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Products of sparse rows, for a dense Gram and for solving with implicit centring.

Rows are CSR; column-major input is turned into CSR a block of rows at a time
(`csc_block_to_csr`), so no second copy of the data stands in memory.
"""

from cython cimport floating

ctypedef fused index:
    int
    long long


def accumulate_sparse_gram(const floating[::1] data, const index[::1] indices,
                           const index[::1] indptr, const double[:, :] Y,
                           const double[::1] weight, double[:, ::1] gram_out,
                           double[::1] target_squares_out):
    """gram_out += [X | 1]' W [X | 1 | Y] on and above the diagonal, for some rows of CSR X.

    `indptr` is that of these rows, into all of `data`. Columns within a row must be sorted and
    unique. `weight` is empty for unit weights.
    """
    cdef:
        Py_ssize_t t = Y.shape[1], p = gram_out.shape[0] - 1
        Py_ssize_t row, a, b, j, begin, end
        double w, left
        double *out
    with nogil:
        for row in range(Y.shape[0]):
            w = weight[row] if weight.shape[0] else 1.0
            begin, end = indptr[row], indptr[row + 1]
            if w == 0.0:  # squares may overflow; NaN and infinity must reach the sums
                for a in range(begin, end):
                    gram_out[indices[a], p] += w * data[a]
                for j in range(t):
                    gram_out[p, p + 1 + j] += w * Y[row, j]
                continue
            for a in range(begin, end):
                # gram[i, i:] += w x_i x_j,  gram[i, 1] += w x_i,  gram[i, Y] += w x_i y
                left = w * data[a]
                out = &gram_out[indices[a], 0]
                for b in range(a, end):
                    out[indices[b]] += left * data[b]
                out[p] += left
                for j in range(t):
                    out[p + 1 + j] += left * Y[row, j]
            gram_out[p, p] += w
            for j in range(t):
                gram_out[p, p + 1 + j] += w * Y[row, j]
                target_squares_out[j] += w * Y[row, j] * Y[row, j]


def csc_block_to_csr(const floating[::1] data, const index[::1] indices,
                     const index[::1] indptr, index[::1] cursor, Py_ssize_t row_begin,
                     Py_ssize_t row_end, floating[::1] data_out, index[::1] indices_out,
                     index[::1] indptr_out):
    """Write rows `row_begin:row_end` of a CSC matrix as CSR; `cursor` moves on in each column.

    Returns the number of entries; where it exceeds `data_out.shape[0]` nothing was written
    but `indptr_out`, and the cursor stands where it stood.
    """
    cdef:
        Py_ssize_t p = indptr.shape[0] - 1, rows = row_end - row_begin
        Py_ssize_t j, k, row, count
        index at, running
    with nogil:
        for row in range(rows + 1):
            indptr_out[row] = 0
        for j in range(p):
            for k in range(cursor[j], indptr[j + 1]):
                if indices[k] >= row_end:
                    break
                indptr_out[indices[k] - row_begin + 1] += 1
        for row in range(rows):
            indptr_out[row + 1] += indptr_out[row]
        count = indptr_out[rows]
        if count <= data_out.shape[0]:
            for j in range(p):
                k = cursor[j]
                while k < indptr[j + 1] and indices[k] < row_end:
                    at = indptr_out[indices[k] - row_begin]
                    data_out[at] = data[k]
                    indices_out[at] = <index>j
                    indptr_out[indices[k] - row_begin] = at + 1
                    k += 1
                cursor[j] = <index>k
            running = 0
            for row in range(rows):
                at = indptr_out[row]
                indptr_out[row] = running
                running = at
            indptr_out[rows] = running
    return count


def scatter_rows(const floating[::1] data, const index[::1] indices, const index[::1] indptr,
                 Py_ssize_t row_begin, double[:, ::1] dense_out):
    """dense_out[k, :] = row `row_begin + k` of CSR X, for as many rows as `dense_out` has."""
    cdef Py_ssize_t k, a, n = dense_out.shape[0]
    with nogil:
        for k in range(n):
            dense_out[k, :] = 0.0
            for a in range(indptr[row_begin + k], indptr[row_begin + k + 1]):
                dense_out[k, indices[a]] = data[a]


def correlate_columns(const floating[::1] data, const index[::1] indices,
                      const index[::1] indptr, const double[:, ::1] left,
                      double[:, ::1] products_out, Py_ssize_t begin, Py_ssize_t end):
    """products_out[t, j] = sum_i left[i, t] X[i, j] for columns `begin:end` of CSC X."""
    cdef:
        Py_ssize_t j, t, n_vectors = left.shape[1]
        index k
        double total
    with nogil:
        for j in range(begin, end):
            for t in range(n_vectors):
                total = 0.0
                for k in range(indptr[j], indptr[j + 1]):
                    total += data[k] * left[indices[k], t]
                products_out[t, j] = total
