# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Rank-k updates of a Gram matrix by one bounded slice of rows.

With Z = sqrt(w) [X - shift | 1 | Y - y_shift], one row a sample, `accumulate_gram` adds to

    gram   += (Z'Z)[:p + 1, :]      on and above the diagonal
    target_squares += diag(Y'Y)     shifted and weighted like Z

The tile is packed in float64 whatever the dtype of X, so float32 data lose nothing.
"""

from cython cimport floating
from libc.math cimport INFINITY, NAN, fabs, isfinite

ctypedef fused target_floating:
    float
    double

cdef extern from "rank_k.h" nogil:
    const Py_ssize_t FR_PANEL
    Py_ssize_t fr_padded(Py_ssize_t columns)
    void fr_rank_k_update(const double *tile, Py_ssize_t depth, Py_ssize_t tile_depth,
                          Py_ssize_t columns, Py_ssize_t n_left, Py_ssize_t begin,
                          Py_ssize_t end, double *c, Py_ssize_t ldc, const char *ahead,
                          Py_ssize_t ahead_bytes)
    void fr_pack_double(const double *x, Py_ssize_t row_stride, Py_ssize_t col_stride,
                        Py_ssize_t depth, Py_ssize_t n_columns, Py_ssize_t offset,
                        const double *shift, const double *row_shift, const double *scale,
                        double *tile, Py_ssize_t tile_depth, Py_ssize_t columns)
    void fr_pack_float(const float *x, Py_ssize_t row_stride, Py_ssize_t col_stride,
                       Py_ssize_t depth, Py_ssize_t n_columns, Py_ssize_t offset,
                       const double *shift, const double *row_shift, const double *scale,
                       double *tile, Py_ssize_t tile_depth, Py_ssize_t columns)
    void fr_pack_ones(Py_ssize_t depth, Py_ssize_t offset, const double *scale, double *tile,
                      Py_ssize_t tile_depth, Py_ssize_t columns)
    void fr_add_column_squares(const double *tile, Py_ssize_t depth, Py_ssize_t begin,
                               Py_ssize_t end, Py_ssize_t tile_depth, Py_ssize_t columns,
                               double *squares)


cdef inline void pack(const floating *x, Py_ssize_t row_stride, Py_ssize_t col_stride,
                      Py_ssize_t depth, Py_ssize_t n_columns, Py_ssize_t offset,
                      const double *shift, const double *row_shift, const double *scale,
                      double *tile, Py_ssize_t tile_depth, Py_ssize_t columns) noexcept nogil:
    # tile[k, offset + j] = (x[k, j] - shift[j] - row_shift[k]) * scale[k]
    if floating is double:
        fr_pack_double(x, row_stride, col_stride, depth, n_columns, offset, shift, row_shift,
                       scale, tile, tile_depth, columns)
    else:
        fr_pack_float(x, row_stride, col_stride, depth, n_columns, offset, shift, row_shift,
                      scale, tile, tile_depth, columns)


def panel_width():
    """Columns in a full panel: column ranges given to the kernels begin at its multiples."""
    return FR_PANEL


def padded_columns(Py_ssize_t columns):
    """Row length that a Gram of `columns` columns needs."""
    return fr_padded(columns)


def accumulate_gram(const floating[:, :] X, const target_floating[:, :] Y,
                    const double[::1] shift, const double[::1] root_weight,
                    double[:, ::1] tile_out, double[:, ::1] gram_out,
                    double[::1] target_squares_out, Py_ssize_t col_begin, Py_ssize_t col_end):
    """Add columns `col_begin:col_end` of Z'Z for the rows of X and Y.

    `tile_out` is workspace of shape (padded columns, tile depth), zero where Z has no
    column; `root_weight` is empty for unit weights.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], t = Y.shape[1]
        Py_ssize_t columns = p + 1 + t
        Py_ssize_t tile_depth = tile_out.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t y_row = Y.strides[0] // <Py_ssize_t>sizeof(target_floating)
        Py_ssize_t y_col = Y.strides[1] // <Py_ssize_t>sizeof(target_floating)
        Py_ssize_t ldc = gram_out.shape[1]
        Py_ssize_t row, depth, following, ahead_bytes
        Py_ssize_t x_columns = min(p, col_end)
        Py_ssize_t y_begin = max(col_begin, p + 1), y_end = min(col_end, columns)
        const double *scale
        double *tile = &tile_out[0, 0]
    with nogil:
        row = 0
        while row < n:
            depth = min(tile_depth, n - row)
            scale = &root_weight[row] if root_weight.shape[0] else NULL
            pack(&X[row, 0], x_row, x_col, depth, x_columns, 0, &shift[0], NULL, scale,
                 tile, tile_depth, columns)
            if col_end > p:
                fr_pack_ones(depth, p, scale, tile, tile_depth, columns)
            if y_end > p + 1:
                pack(&Y[row, 0], y_row, y_col, depth, y_end - p - 1, p + 1, &shift[p], NULL,
                     scale, tile, tile_depth, columns)
                fr_add_column_squares(tile, depth, y_begin, y_end, tile_depth, columns,
                                      &target_squares_out[y_begin - p - 1])
            following = min(tile_depth, n - row - depth)
            ahead_bytes = 0
            if x_col == 1 and x_row >= p:
                ahead_bytes = following * x_row * <Py_ssize_t>sizeof(floating)
            # gram[:p + 1] += Z'Z
            fr_rank_k_update(tile, depth, tile_depth, columns, p + 1, col_begin, col_end,
                             &gram_out[0, 0], ldc,
                             <const char *>&X[row + depth if following > 0 else row, 0],
                             ahead_bytes)
            row += depth


def accumulate_outer(const floating[:, :] X, const double[::1] row_shift,
                     const double[::1] row_scale, double[:, ::1] tile_out,
                     double[:, ::1] gram_out, Py_ssize_t col_begin, Py_ssize_t col_end):
    """Add columns `col_begin:col_end` of Z'Z, Z[k, j] = (X[k, j] - row_shift[k]) row_scale[k].

    Given rows of X' (one row a feature) this is the dual Gram of centred, scaled data.
    """
    cdef:
        Py_ssize_t n = X.shape[0], columns = X.shape[1]
        Py_ssize_t tile_depth = tile_out.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t row, depth
        double *tile = &tile_out[0, 0]
    with nogil:
        row = 0
        while row < n:
            depth = min(tile_depth, n - row)
            pack(&X[row, 0], x_row, x_col, depth, min(columns, col_end), 0, NULL,
                 &row_shift[row], &row_scale[row], tile, tile_depth, columns)
            # gram += Z'Z
            fr_rank_k_update(tile, depth, tile_depth, columns, columns, col_begin, col_end,
                             &gram_out[0, 0], gram_out.shape[1], <const char *>tile, 0)
            row += depth


def centre_gram(double[:, ::1] gram, double[::1] mean_out, double[::1] target_squares,
                Py_ssize_t n_features):
    """Turn Z'Z about the shift into products about the means, in place.

    With W = gram[p, p] and d = gram[:, p] / W (`mean_out`, features then targets):
    gram[i, j] -= W d[i] d[j] on and above the diagonal, target_squares[j] -= W d[j]^2.
    Returns the largest W d[i]^2 / gram[i, i] over the features (digits lost are its log10),
    and the least of the diagonal and target_squares, NaN where any result is not finite.
    """
    cdef:
        Py_ssize_t p = n_features, t = target_squares.shape[0], i, j
        double weight = gram[p, p], worst = 0.0, total = 0.0, lost
        double least = INFINITY
    with nogil:
        for i in range(p):
            mean_out[i] = gram[i, p] / weight
        for j in range(t):
            mean_out[p + j] = gram[p, p + 1 + j] / weight
        for i in range(p):
            lost = weight * mean_out[i]
            for j in range(i, p):
                gram[i, j] -= lost * mean_out[j]
            for j in range(t):
                gram[i, p + 1 + j] -= lost * mean_out[p + j]
                total += fabs(gram[i, p + 1 + j])
            # |x_i x_j| <= (x_i^2 + x_j^2) / 2: the diagonal shows what the rest holds.
            total += fabs(gram[i, i]) + fabs(mean_out[i])
            lost = lost * mean_out[i]
            gram[i, i] = max(gram[i, i], 0.0)
            least = min(least, gram[i, i])
            if lost > 0.0 and not lost <= worst * gram[i, i]:
                worst = lost / gram[i, i] if gram[i, i] > 0.0 else 1e300
        for j in range(t):
            target_squares[j] -= weight * mean_out[p + j] * mean_out[p + j]
            total += fabs(target_squares[j]) + fabs(mean_out[p + j])
            target_squares[j] = max(target_squares[j], 0.0)
            least = min(least, target_squares[j])
    return worst, least if isfinite(total) else NAN


def mirror_upper(const double[:, :] upper, double[:, ::1] full_out):
    """Write the symmetric matrix whose upper triangle is given (n, n from the left of `upper`)."""
    cdef Py_ssize_t n = full_out.shape[0], i, j, ib, jb
    with nogil:
        for ib in range(0, n, 32):
            for jb in range(ib, n, 32):
                for i in range(ib, min(ib + 32, n)):
                    for j in range(max(jb, i), min(jb + 32, n)):
                        full_out[i, j] = upper[i, j]
                        full_out[j, i] = upper[i, j]
