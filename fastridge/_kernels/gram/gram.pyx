# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: freethreading_compatible=True
"""Rank-k updates of a Gram matrix by one bounded slice of rows.

With Z = sqrt(w) [X - shift | Y - y_shift] and z_0 = sqrt(w), one row per sample,
`accumulate_gram` adds Z'Z, Z'z_0 and the sum of weights. A single target, and one or two columns
that would begin a panel of their own, stay out of the tile: pack.h multiplies them.

The tile is packed in float64 whatever the dtype of X, so float32 data lose nothing.
"""

from cython cimport floating
from libc.math cimport INFINITY, NAN, fabs, isfinite

cdef extern from "rows.h":
    void fr_add_row(double *out, const double *row, double factor, Py_ssize_t n) nogil

from tile cimport (
    FR_HAS_SINGLE,
    FR_PANEL,
    fr_add_column_squares,
    fr_dot,
    fr_pack_column_double,
    fr_pack_column_float,
    fr_pack_double,
    fr_pack_float,
    fr_padded,
    fr_rank_k_update,
    fr_single_pack_double,
    fr_single_pack_float,
    fr_single_rank_k,
    fr_terms,
)

ctypedef fused target_floating:
    float
    double

ctypedef fused any_floating:
    float
    double


cdef inline void pack(const floating *x, Py_ssize_t row_stride, Py_ssize_t col_stride,
                      Py_ssize_t depth, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t offset,
                      const fr_terms *terms, double *tile, Py_ssize_t tile_depth,
                      Py_ssize_t columns) noexcept nogil:
    # tile[k, offset + j] = (x[k, j] - shift[j] - row_shift[k]) * scale[k] for begin <= j < end
    if floating is double:
        fr_pack_double(x, row_stride, col_stride, depth, begin, end, offset, terms, tile,
                       tile_depth, columns)
    else:
        fr_pack_float(x, row_stride, col_stride, depth, begin, end, offset, terms, tile,
                      tile_depth, columns)


cdef inline void pack_column(const any_floating *x, Py_ssize_t stride, Py_ssize_t depth,
                             double minus, const fr_terms *terms, double *out) noexcept nogil:
    # out[k] = (x[k] - minus) * scale[k]
    if any_floating is double:
        fr_pack_column_double(x, stride, depth, minus, terms, out, 1)
    else:
        fr_pack_column_float(x, stride, depth, minus, terms, out, 1)


def panel_width():
    """Return the columns of a full panel; column ranges given to kernels begin at its multiples."""
    return FR_PANEL


def padded_columns(Py_ssize_t columns):
    """Return the row length that the Gram matrix of `columns` columns needs."""
    return fr_padded(columns)


def extra_columns(Py_ssize_t n_features, Py_ssize_t n_targets):
    """Return how many of the last features stay out of the tile, as a single target does."""
    cdef Py_ssize_t left = n_features % FR_PANEL
    # With 400 features or more, one more panel costs little.
    return left if n_targets == 1 and left <= 2 and FR_PANEL < n_features < 400 else 0


cdef void add_rows(const floating[:, :] X, const target_floating[:, :] Y,
                   const double[::1] shift, const double[::1] root_weight,
                   double[:, ::1] tile_out, double[:, ::1] gram_out,
                   double[:, ::1] moments_out, Py_ssize_t pack_begin, Py_ssize_t col_begin,
                   Py_ssize_t col_end) noexcept nogil:
    # See `accumulate_gram`.
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], t = Y.shape[1]
        Py_ssize_t left_out = moments_out.shape[0] - 2
        Py_ssize_t inside = p - left_out
        Py_ssize_t columns = inside + t if t > 1 else inside
        Py_ssize_t tile_depth = tile_out.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t y_row = Y.strides[0] // <Py_ssize_t>sizeof(target_floating)
        Py_ssize_t y_col = Y.strides[1] // <Py_ssize_t>sizeof(target_floating)
        Py_ssize_t row, depth, following, next_bytes, e, f
        Py_ssize_t n_extra = left_out + 1 if t == 1 else 0
        Py_ssize_t x_begin = min(inside, col_begin), x_end = min(inside, col_end)
        Py_ssize_t y_begin = max(col_begin - p, 0), y_end = min(col_end - p, t)
        Py_ssize_t index_of[3]
        double *tile = &tile_out[0, 0]
        double *sums = &moments_out[0, 0]
        double *squares = &moments_out[1, 0]
        double ignored = 0.0
        fr_terms terms
    # The extra columns are y and the last columns of X.
    index_of[0], index_of[1], index_of[2] = p, inside, inside + 1
    for e in range(n_extra):
        terms.extra[e] = &tile_out[tile_out.shape[0] - 3 + e, 0]
        terms.cross[e] = &moments_out[1 + e, 0]
    row = 0
    while row < n:
        depth = min(tile_depth, n - row)
        terms.row_shift = NULL
        terms.scale = &root_weight[row] if root_weight.shape[0] else NULL
        terms.n_extra = 0
        if col_begin == 0:
            # sums[p + t] += sum of weights
            if root_weight.shape[0]:
                sums[p + t] += fr_dot(terms.scale, terms.scale, depth)
            else:
                sums[p + t] += depth
        for e in range(n_extra):
            terms.sums = &sums[index_of[e]] if col_begin == 0 else &ignored
            if e == 0:
                pack_column(&Y[row, 0], y_row, depth, shift[p], &terms,
                            <double *>terms.extra[0])
            else:
                pack_column(&X[row, index_of[e]], x_row, depth, shift[index_of[e]], &terms,
                            <double *>terms.extra[e])
            if col_begin == 0:
                for f in range(e + 1):
                    terms.cross[f][index_of[e]] += fr_dot(terms.extra[f], terms.extra[e], depth)
        terms.shift = &shift[0]
        terms.sums = NULL
        pack(&X[row, 0], x_row, x_col, depth, pack_begin, x_begin, 0, &terms, tile,
             tile_depth, columns)
        terms.sums = sums
        terms.n_extra = n_extra
        pack(&X[row, 0], x_row, x_col, depth, x_begin, x_end, 0, &terms, tile, tile_depth,
             columns)
        if t > 1 and y_end > 0:
            terms.shift = &shift[p]
            terms.sums = NULL
            pack(&Y[row, 0], y_row, y_col, depth, max(pack_begin - p, 0), y_begin, p,
                 &terms, tile, tile_depth, columns)
            terms.sums = sums + p
            pack(&Y[row, 0], y_row, y_col, depth, y_begin, y_end, p, &terms, tile,
                 tile_depth, columns)
            fr_add_column_squares(tile, depth, p + y_begin, p + y_end, tile_depth, columns,
                                  squares + p + y_begin)
        following = min(tile_depth, n - row - depth)
        next_bytes = 0
        if x_col == 1 and x_row >= p:
            next_bytes = following * x_row * <Py_ssize_t>sizeof(floating)
        # gram[:inside] += Z'Z
        fr_rank_k_update(tile, depth, tile_depth, columns, inside, col_begin, col_end,
                         &gram_out[0, 0], gram_out.shape[1],
                         <const char *>&X[row + depth if following > 0 else row, 0],
                         next_bytes)
        row += depth


def accumulate_gram(const floating[:, :] X, const target_floating[:, :] Y,
                    const double[::1] shift, const double[::1] root_weight,
                    double[:, ::1] tile_out, double[:, ::1] gram_out,
                    double[:, ::1] moments_out, Py_ssize_t pack_begin, Py_ssize_t col_begin,
                    Py_ssize_t col_end):
    """Add columns `col_begin:col_end` of Z'Z for the rows of X and Y.

    The columns of Z are those of X, without the last `moments_out.shape[0] - 2`, and those of Y
    if it has several. `moments_out` has p + t + 1 columns. Its first row receives the sums of the
    columns of X and Y and of the weights; its second row X'y if Y has one column, and diag(Y'Y);
    its other rows the last columns of X multiplied with X and y. `tile_out` is workspace: one row
    per column, padded with zeros, and three more. It already holds the columns before
    `pack_begin`, from a call with the same few rows. `root_weight` is empty for unit weights.
    """
    with nogil:
        add_rows(X, Y, shift, root_weight, tile_out, gram_out, moments_out, pack_begin,
                 col_begin, col_end)


def accumulate_outer(const floating[:, :] X, const double[::1] row_shift,
                     const double[::1] row_scale, double[:, ::1] tile_out,
                     double[:, ::1] gram_out, Py_ssize_t pack_begin, Py_ssize_t col_begin,
                     Py_ssize_t col_end):
    """Add columns `col_begin:col_end` of Z'Z, Z[k, j] = (X[k, j] - row_shift[k]) row_scale[k].

    Given rows of X' (one row per feature) this is the dual Gram matrix of centred, scaled data.
    `tile_out` and `pack_begin` are those of `accumulate_gram`.
    """
    cdef:
        Py_ssize_t n = X.shape[0], columns = X.shape[1]
        Py_ssize_t tile_depth = tile_out.shape[1]
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t x_col = X.strides[1] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t row, depth
        double *tile = &tile_out[0, 0]
        fr_terms terms
    with nogil:
        terms.shift = terms.sums = NULL
        terms.n_extra = 0
        row = 0
        while row < n:
            depth = min(tile_depth, n - row)
            terms.row_shift = &row_shift[row]
            terms.scale = &row_scale[row]
            pack(&X[row, 0], x_row, x_col, depth, pack_begin, min(columns, col_end), 0, &terms,
                 tile, tile_depth, columns)
            # gram += Z'Z
            fr_rank_k_update(tile, depth, tile_depth, columns, columns, col_begin, col_end,
                             &gram_out[0, 0], gram_out.shape[1], <const char *>tile, 0)
            row += depth


def has_single():
    """Return whether `accumulate_single` can be called: the instruction set has vectors for it."""
    return bool(FR_HAS_SINGLE)


def accumulate_single(const floating[:, :] X, const double[::1] y, const double[::1] shift,
                      const double[::1] root_weight, const double[::1] unit,
                      double[:, ::1] tile_out, double[:, ::1] gram_out,
                      double[:, ::1] moments_out):
    """Do as `accumulate_gram`, with Z'Z summed in single precision and exact moments.

    Column j of Z is multiplied by `unit[j]`, but not in the moments. Rows of X are contiguous, and
    there is one target. Rows of `gram_out` hold a multiple of eight values.
    """
    cdef:
        Py_ssize_t n = X.shape[0], p = X.shape[1], tile_depth = tile_out.shape[1]
        Py_ssize_t inside = p - (moments_out.shape[0] - 2)
        Py_ssize_t x_row = X.strides[0] // <Py_ssize_t>sizeof(floating)
        Py_ssize_t row = 0, depth, following, next_bytes, e, f
        Py_ssize_t index_of[3]
        double *sums = &moments_out[0, 0]
        float *tile = <float *>&tile_out[0, 0]
        fr_terms terms
    index_of[0], index_of[1], index_of[2] = p, inside, inside + 1
    with nogil:
        terms.row_shift = NULL
        for e in range(moments_out.shape[0] - 1):
            terms.extra[e] = &tile_out[tile_out.shape[0] - 3 + e, 0]
            terms.cross[e] = &moments_out[1 + e, 0]
        while row < n:
            depth = min(tile_depth, n - row)
            terms.scale, terms.n_extra = &root_weight[row], 0
            sums[p + 1] += fr_dot(terms.scale, terms.scale, depth)
            for e in range(moments_out.shape[0] - 1):  # the target, and the last columns of X
                terms.sums = &sums[index_of[e]]
                if e == 0:
                    fr_pack_column_double(&y[row], 1, depth, shift[p], &terms,
                                          <double *>terms.extra[0], 1)
                else:
                    pack_column(&X[row, index_of[e]], x_row, depth, shift[index_of[e]], &terms,
                                <double *>terms.extra[e])
                for f in range(e + 1):
                    terms.cross[f][index_of[e]] += fr_dot(terms.extra[f], terms.extra[e], depth)
            terms.shift, terms.sums, terms.n_extra = &shift[0], sums, moments_out.shape[0] - 1
            if floating is double:
                fr_single_pack_double(&X[row, 0], x_row, depth, inside, &terms, &unit[0], tile,
                                      tile_depth)
            else:
                fr_single_pack_float(&X[row, 0], x_row, depth, inside, &terms, &unit[0], tile,
                                     tile_depth)
            following = min(tile_depth, n - row - depth)
            next_bytes = 0
            if x_row >= p:
                next_bytes = following * x_row * <Py_ssize_t>sizeof(floating)
            fr_single_rank_k(tile, depth, tile_depth, inside, &gram_out[0, 0], gram_out.shape[1],
                             <const char *>&X[row + depth if following > 0 else row, 0],
                             next_bytes)
            row += depth


cdef double centre(double *gram, Py_ssize_t ld, double *xy, Py_ssize_t xy_row,
                   Py_ssize_t xy_col, const double *sums, double *target_squares,
                   double *mean_out, Py_ssize_t p, Py_ssize_t t,
                   double *least_out) noexcept nogil:
    # see centre_gram
    cdef:
        Py_ssize_t i, j
        double weight = sums[p + t], worst = 0.0, total = 0.0, lost
        double least = INFINITY
        double *row
    for i in range(p + t):
        mean_out[i] = sums[i] / weight
    for i in range(p):
        lost = weight * mean_out[i]
        row = gram + i * ld
        for j in range(i, p):
            row[j] -= lost * mean_out[j]
        for j in range(t):
            xy[i * xy_row + j * xy_col] -= lost * mean_out[p + j]
            total += fabs(xy[i * xy_row + j * xy_col])
        # |x_i x_j| <= (x_i^2 + x_j^2) / 2: the diagonal shows what the rest holds.
        total += fabs(row[i]) + fabs(mean_out[i])
        lost = lost * mean_out[i]
        row[i] = max(row[i], 0.0)
        least = min(least, row[i])
        if lost > 0.0 and not lost <= worst * row[i]:
            worst = lost / row[i] if row[i] > 0.0 else 1e300
    for j in range(t):
        target_squares[j] -= weight * mean_out[p + j] * mean_out[p + j]
        total += fabs(target_squares[j]) + fabs(mean_out[p + j])
        target_squares[j] = max(target_squares[j], 0.0)
        least = min(least, target_squares[j])
    least_out[0] = least if isfinite(total) else NAN
    return worst


def centre_gram(double[:, :] gram, double[:, :] xy, const double[::1] sums,
                double[::1] target_squares, double[::1] mean_out):
    """Turn second moments about the shift into those about the means, in place.

    `sums` holds the sums of the columns of X and Y, and W, the sum of the weights. With
    d = sums / W (`mean_out`): gram[i, j] -= W d[i] d[j] on and above the diagonal, and the same
    for `xy` and `target_squares`. Returns the largest W d[i]^2 / gram[i, i] over the features
    (its log10 is the number of digits lost), and the least value of the diagonal and of
    `target_squares`, or NaN if any result is not finite.
    """
    cdef:
        Py_ssize_t size = sizeof(double)
        double worst, least
    with nogil:
        worst = centre(&gram[0, 0], gram.strides[0] // size, &xy[0, 0], xy.strides[0] // size,
                       xy.strides[1] // size, &sums[0], &target_squares[0], &mean_out[0],
                       gram.shape[0], xy.shape[1], &least)
    return worst, least


def centred_few(const double[:, :] X, const double[:, :] Y, const double[::1] root_weight,
                Py_ssize_t pilot, double[:, ::1] tile_out, double[:, ::1] gram_out,
                double[:, ::1] vectors_out):
    """Accumulate a few rows about row `pilot` and centre: `accumulate_gram`, then `centre_gram`.

    `vectors_out`, with p + t + 1 columns, receives the shift, the means, and two rows of moments.
    The cross-products of several targets are in columns p:p + t of `gram_out`.
    """
    cdef:
        Py_ssize_t p = X.shape[1], t = Y.shape[1], ld = gram_out.shape[1], j
        double *xy = &vectors_out[3, 0] if t == 1 else &gram_out[0, p]
        double worst, least
    with nogil:
        for j in range(p):
            vectors_out[0, j] = X[pilot, j]
        for j in range(t):
            vectors_out[0, p + j] = Y[pilot, j]
        add_rows(X, Y, vectors_out[0], root_weight, tile_out, gram_out, vectors_out[2:], 0, 0, ld)
        worst = centre(&gram_out[0, 0], ld, xy, 1 if t == 1 else ld, 1, &vectors_out[2, 0],
                       &vectors_out[3, p], &vectors_out[1, 0], p, t, &least)
        for j in range(p + t):
            vectors_out[1, j] += vectors_out[0, j]
    return worst, least


cdef enum:
    MOST_TERMS = 8


def sum_upper(terms, const double[::1] signs, const double[:, ::1] steps,
              const double[::1] factors, double[:, ::1] upper_out):
    """upper_out = sum_k signs[k] terms[k] + sum_k factors[k] steps[k] steps[k]', upper triangles.

    `terms` holds at most `most_terms` matrices with contiguous rows.
    """
    cdef:
        Py_ssize_t p = steps.shape[1], n = min(<Py_ssize_t>MOST_TERMS, signs.shape[0]), i, j, k
        Py_ssize_t ld[MOST_TERMS]
        const double *first[MOST_TERMS]
        const double[:, :] term
        const double *row
        double *out
        double factor
    for k in range(n):
        term = terms[k]
        first[k], ld[k] = &term[0, 0], term.strides[0] // sizeof(double)
    with nogil:
        for i in range(p):
            out = &upper_out[i, 0]
            row, factor = first[0] + i * ld[0], signs[0]
            for j in range(i, p):
                out[j] = factor * row[j]
            for k in range(1, n):
                row, factor = first[k] + i * ld[k], signs[k]
                fr_add_row(out + i, row + i, factor, p - i)
            for k in range(steps.shape[0]):
                fr_add_row(out + i, &steps[k, i], factors[k] * steps[k, i], p - i)


def most_terms():
    """Return the largest number of matrices that `sum_upper` adds up at once."""
    return MOST_TERMS


def mirror_upper(const double[:, :] upper, double[:, ::1] full_out):
    """Write the full symmetric matrix of which `upper` holds the upper triangle, on its left."""
    cdef Py_ssize_t n = full_out.shape[0], i, j, ib, jb
    with nogil:
        for ib in range(0, n, 32):
            for jb in range(ib, n, 32):
                for i in range(ib, min(ib + 32, n)):
                    for j in range(max(jb, i), min(jb + 32, n)):
                        full_out[i, j] = upper[i, j]
                        full_out[j, i] = upper[i, j]
