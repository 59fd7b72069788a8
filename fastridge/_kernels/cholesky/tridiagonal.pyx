# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Tridiagonal systems T + alpha I for many alphas, and the diagonal of Q (T + alpha I)^-1 Q'.

T + alpha I = L D L' with a unit bidiagonal L.
"""

cdef enum:
    ROWS = 32  # of Q at a time: their sums for all alphas stay in a near cache


def factor_tridiagonal(const double[::1] diagonal, const double[::1] below,
                       const double[::1] alphas, double[:, ::1] factors_out,
                       double[:, ::1] pivots_out):
    """L (below its diagonal) and D for every alpha, one column each."""
    cdef Py_ssize_t n = diagonal.shape[0], n_alphas = alphas.shape[0], k, a
    cdef double factor
    with nogil:
        for a in range(n_alphas):
            pivots_out[0, a] = diagonal[0] + alphas[a]
        for k in range(1, n):
            for a in range(n_alphas):
                factor = below[k - 1] / pivots_out[k - 1, a]
                factors_out[k - 1, a] = factor
                pivots_out[k, a] = diagonal[k] + alphas[a] - factor * below[k - 1]


def solve_tridiagonal(const double[:, ::1] factors, const double[:, ::1] pivots,
                      const double[::1] right, double[:, ::1] solutions_out):
    """solutions_out[:, a] = (L D L')^-1 right."""
    cdef Py_ssize_t n = pivots.shape[0], n_alphas = pivots.shape[1], k, a
    with nogil:
        for a in range(n_alphas):
            solutions_out[0, a] = right[0]
        for k in range(1, n):
            for a in range(n_alphas):
                solutions_out[k, a] = right[k] - factors[k - 1, a] * solutions_out[k - 1, a]
        for a in range(n_alphas):
            solutions_out[n - 1, a] /= pivots[n - 1, a]
        for k in range(n - 2, -1, -1):
            for a in range(n_alphas):
                solutions_out[k, a] = (solutions_out[k, a] / pivots[k, a]
                                       - factors[k, a] * solutions_out[k + 1, a])


def inverse_traces(const double[:, ::1] factors, const double[:, ::1] pivots,
                   double[:, ::1] diagonal_out):
    """diagonal_out[:, a] = diag((L D L')^-1): d_k = 1 / D_k + L_k^2 d_{k + 1}."""
    cdef Py_ssize_t n = pivots.shape[0], n_alphas = pivots.shape[1], k, a
    with nogil:
        for a in range(n_alphas):
            diagonal_out[n - 1, a] = 1.0 / pivots[n - 1, a]
        for k in range(n - 2, -1, -1):
            for a in range(n_alphas):
                diagonal_out[k, a] = (1.0 / pivots[k, a]
                                      + factors[k, a] * factors[k, a] * diagonal_out[k + 1, a])


def inverse_diagonal(const double[:, ::1] basis, const double[:, ::1] factors,
                     const double[:, ::1] pivots, double[:, :, ::1] work_out,
                     double[:, ::1] diagonal_out, Py_ssize_t begin, Py_ssize_t end):
    """diagonal_out[a, i] = q_i' (L D L')^-1 q_i for i in begin:end, q_i = basis[:, i].

    It is the sum of (L^-1 q_i)_k^2 / D_k. `work_out` holds 2 x n_alphas x 32 values.
    """
    cdef:
        Py_ssize_t n = basis.shape[0], n_alphas = pivots.shape[1], i, k, a, r, width
        double *steps
        double *sums
        const double *row
        double factor, inverse, step
    with nogil:
        i = begin
        while i < end:
            width = min(<Py_ssize_t>ROWS, end - i)
            for a in range(n_alphas):
                for r in range(ROWS):
                    work_out[0, a, r] = work_out[1, a, r] = 0.0
            for k in range(n):
                row = &basis[k, i]
                for a in range(n_alphas):
                    steps, sums = &work_out[0, a, 0], &work_out[1, a, 0]
                    factor = factors[k - 1, a] if k > 0 else 0.0
                    inverse = 1.0 / pivots[k, a]
                    if width == ROWS:
                        for r in range(ROWS):
                            step = row[r] - factor * steps[r]
                            steps[r] = step
                            sums[r] += step * step * inverse
                    else:
                        for r in range(width):
                            step = row[r] - factor * steps[r]
                            steps[r] = step
                            sums[r] += step * step * inverse
            for a in range(n_alphas):
                for r in range(width):
                    diagonal_out[a, i + r] = work_out[1, a, r]
            i += width
