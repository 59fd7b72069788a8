# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Cholesky factor of a large matrix by blocks of columns, in bounded slices of work.

With N = -A, A = U'U, and k the present block of rows and columns, r those after it:

    factor_diagonal     U_kk'U_kk = -N_kk
    eliminate_columns   U_kr = U_kk^-T (-N_kr)
    update_trailing     N_rr += U_kr'U_kr

The last two, which are nearly all of the work, are the rank-k update of rank_k.h, and ranges of
their columns are independent: threads of our own share them. (OpenBLAS, which would thread
`potrf`, keeps its threads spinning for a tenth of a second after each call.)
"""

from equilibrate cimport equilibrate
from lapack cimport lacn2, potrf, potrs, trtri
from tile cimport fr_pack_double, fr_rank_k_update, fr_terms


def scale_penalised(const double[:, :] upper, const double[::1] penalty,
                    double[:, ::1] negated_out, double[::1] scale_out, double[::1] work_out):
    """negated_out = -D (G + diag(penalty)) D on and above the diagonal, D for a unit diagonal.

    Returns the 1-norm of the scaled matrix, or -1 if a diagonal value is not positive.
    `work_out` has one value per column.
    """
    cdef double norm
    with nogil:
        norm = equilibrate(upper, penalty, -1.0, negated_out, scale_out, work_out)
    return norm


def factor_diagonal(double[:, ::1] negated, Py_ssize_t order, Py_ssize_t first,
                    double[:, ::1] tile_out, double[:, ::1] work_out):
    """U_kk into the block of `negated` that begins at `first`, its inverse into the tile.

    `work_out` is square and as large as the block; the tile is as deep. Returns False where
    the block is not positive definite.
    """
    cdef:
        Py_ssize_t width = min(work_out.shape[0], order - first), i, j
        double *work = &work_out[0, 0]
        fr_terms terms
        bint definite
    with nogil:
        for i in range(width):
            for j in range(width):
                work[i * width + j] = -negated[first + i, first + j] if j >= i else 0.0
        # The row-major upper triangle is LAPACK's lower one.
        definite = potrf(c"L", <int>width, work, <int>width) == 0
        if definite:
            for i in range(width):
                for j in range(i, width):
                    negated[first + i, first + j] = work[i * width + j]
            definite = trtri(c"L", c"N", <int>width, work, <int>width) == 0
        if definite:
            terms.shift = terms.row_shift = terms.scale = NULL
            terms.sums, terms.n_extra = NULL, 0
            fr_pack_double(work, width, 1, width, 0, width, 0, &terms, &tile_out[0, 0],
                           tile_out.shape[1], order - first)
    return definite


def eliminate_columns(double[:, ::1] negated, Py_ssize_t order, Py_ssize_t first,
                      double[:, ::1] tile, Py_ssize_t col_begin, Py_ssize_t col_end):
    """U_kr for columns `col_begin:col_end`, counted from `first`, in place and in the tile."""
    cdef:
        Py_ssize_t depth = tile.shape[1], columns = order - first, i, j
        Py_ssize_t ld = negated.shape[1]
        double *rows = &negated[first, first]
        fr_terms terms
        Py_ssize_t end = min(col_end, columns)
    with nogil:
        terms.shift = terms.row_shift = terms.scale = NULL
        terms.sums, terms.n_extra = NULL, 0
        for i in range(depth):
            for j in range(col_begin, end):
                rows[i * ld + j] = -rows[i * ld + j]
        fr_pack_double(rows, ld, 1, depth, col_begin, end, 0, &terms, &tile[0, 0], depth,
                       columns)
        for i in range(depth):
            for j in range(col_begin, end):
                rows[i * ld + j] = 0.0
        # rows[:, begin:end] = (U_kk^-1)' Q
        fr_rank_k_update(&tile[0, 0], depth, depth, columns, depth, col_begin, col_end, rows, ld,
                         <const char *>rows, 0)
        fr_pack_double(rows, ld, 1, depth, col_begin, end, 0, &terms, &tile[0, 0], depth,
                       columns)


def update_trailing(double[:, ::1] negated, Py_ssize_t order, Py_ssize_t first,
                    const double[:, ::1] tile, Py_ssize_t col_begin, Py_ssize_t col_end):
    """N_rr += U_kr'U_kr for columns `col_begin:col_end`, counted from the first after block k."""
    cdef:
        Py_ssize_t depth = tile.shape[1], begin = first + depth
        double *rows = &negated[begin, begin]
    with nogil:
        fr_rank_k_update(&tile[0, 0] + depth * depth, depth, depth, order - begin,
                         order - begin, col_begin, col_end, rows, negated.shape[1],
                         <const char *>rows, 0)


cdef void solve_triangles(const double[:, ::1] U, Py_ssize_t p, double *x) noexcept nogil:
    # x <- U^-1 U^-T x
    cdef Py_ssize_t i, j
    cdef const double *row
    cdef double value
    for i in range(p):
        row = &U[i, 0]
        value = x[i] / row[i]
        x[i] = value
        for j in range(i + 1, p):
            x[j] -= value * row[j]
    for i in range(p - 1, -1, -1):
        row = &U[i, 0]
        value = 0.0
        for j in range(i + 1, p):
            value += row[j] * x[j]
        x[i] = (x[i] - value) / row[i]


def solve_eliminated(double[:, ::1] U, const double[::1] scale, double[:, ::1] coef):
    """coef[k, :] <- D (U'U)^-1 D coef[k, :] for every row."""
    cdef Py_ssize_t p = coef.shape[1], t = coef.shape[0], i, k
    with nogil:
        for k in range(t):
            for i in range(p):
                coef[k, i] *= scale[i]
        if t <= 8:
            for k in range(t):
                solve_triangles(U, p, &coef[k, 0])
        else:
            potrs(c"L", <int>p, <int>t, &U[0, 0], <int>U.shape[1], &coef[0, 0], <int>p)
        for k in range(t):
            for i in range(p):
                coef[k, i] *= scale[i]


def inverse_norm(const double[:, ::1] U, double[:, ::1] work_out, int[::1] iwork_out):
    """|(U'U)^-1|_1, estimated from below (Higham, ACM TOMS 14(4), 1988).

    `work_out` has two rows, `iwork_out` one value, for each row of U that counts.
    """
    cdef:
        int p = <int>work_out.shape[1], kase = 0
        int isave[3]
        double estimate = 0.0
    with nogil:
        while True:
            lacn2(p, &work_out[0, 0], &work_out[1, 0], &iwork_out[0], &estimate, &kase, isave)
            if kase == 0:
                break
            solve_triangles(U, p, &work_out[1, 0])
    return estimate
