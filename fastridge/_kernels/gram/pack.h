/* Pack rows of the data into a tile: shift, scale, convert to double, and sum.

   tile[k, j] = z[k, j] = (x[k, j] - shift[j] - row_shift[k]) * scale[k]

   While a value is in a register, it is also added to sum_k scale[k] z[k, j], and to
   sum_k e[k] z[k, j] for each extra column e: a single target, and one or two columns that would
   begin a panel of their own. The extra columns and the column of ones then take no room in the
   tile. */
#ifndef FASTRIDGE_PACK_H
#define FASTRIDGE_PACK_H

#include "rank_k.h"
#include "rows.h"

typedef struct {
    const double *shift;     /* one value per column, or NULL */
    const double *row_shift; /* one value per row, or NULL */
    const double *scale;     /* one value per row, or NULL */
    double *sums;            /* one value per column, or NULL */
    ptrdiff_t n_extra;       /* the number of extra columns */
    const double *extra[3];  /* an extra column: one value per row */
    double *cross[3];        /* its sums with each column: one value per column */
} fr_terms;

enum { FR_PACK_ROWS = 8, FR_MAX_EXTRA = 3 };

/* The same terms for a later row and column. */
static inline fr_terms fr_terms_at(const fr_terms *terms, ptrdiff_t row, ptrdiff_t column)
{
    fr_terms at = *terms;
    if (at.shift) at.shift += column;
    if (at.row_shift) at.row_shift += row;
    if (at.scale) at.scale += row;
    if (at.sums) at.sums += column;
    for (ptrdiff_t e = 0; e < at.n_extra; e++) {
        at.extra[e] += row;
        at.cross[e] += column;
    }
    return at;
}

/* First column of the panel that holds column `at`. */
static inline ptrdiff_t fr_panel_begin(ptrdiff_t at, ptrdiff_t columns)
{
    ptrdiff_t begin = at / FR_PANEL * FR_PANEL;
    while (begin + fr_panel_width(begin, columns) <= at) begin += fr_panel_width(begin, columns);
    return begin;
}

#if FR_VECTORS
/* Doubles in the widest vector register. */
#if defined(__AVX512F__)
#define FR_LANES 8
#elif defined(__AVX__)
#define FR_LANES 4
#else
#define FR_LANES 2
#endif

/* out[k, :] = z[:, k] for four columns, each a vector of FR_LANES rows. */
FR_INLINE void fr_transpose_four(const FR_PASTE(fr_double, FR_LANES) *z, double *out,
                                 ptrdiff_t width)
{
#if FR_LANES == 8
    const fr_double8 even01 = FR_SHUFFLE(fr_long8, z[0], z[1], 0, 8, 2, 10, 4, 12, 6, 14);
    const fr_double8 even23 = FR_SHUFFLE(fr_long8, z[2], z[3], 0, 8, 2, 10, 4, 12, 6, 14);
    const fr_double8 odd01 = FR_SHUFFLE(fr_long8, z[0], z[1], 1, 9, 3, 11, 5, 13, 7, 15);
    const fr_double8 odd23 = FR_SHUFFLE(fr_long8, z[2], z[3], 1, 9, 3, 11, 5, 13, 7, 15);
    const fr_double8 pair[4] = {FR_SHUFFLE(fr_long8, even01, even23, 0, 1, 8, 9, 4, 5, 12, 13),
                                FR_SHUFFLE(fr_long8, odd01, odd23, 0, 1, 8, 9, 4, 5, 12, 13),
                                FR_SHUFFLE(fr_long8, even01, even23, 2, 3, 10, 11, 6, 7, 14, 15),
                                FR_SHUFFLE(fr_long8, odd01, odd23, 2, 3, 10, 11, 6, 7, 14, 15)};
    FR_UNROLL for (int r = 0; r < 4; r++) {
        memcpy(out + r * width, &pair[r], 32);
        memcpy(out + (r + 4) * width, (const char *)&pair[r] + 32, 32);
    }
#elif FR_LANES == 4
    const fr_double4 even01 = FR_SHUFFLE(fr_long4, z[0], z[1], 0, 4, 2, 6);
    const fr_double4 even23 = FR_SHUFFLE(fr_long4, z[2], z[3], 0, 4, 2, 6);
    const fr_double4 odd01 = FR_SHUFFLE(fr_long4, z[0], z[1], 1, 5, 3, 7);
    const fr_double4 odd23 = FR_SHUFFLE(fr_long4, z[2], z[3], 1, 5, 3, 7);
    const fr_double4 row[4] = {FR_SHUFFLE(fr_long4, even01, even23, 0, 1, 4, 5),
                               FR_SHUFFLE(fr_long4, odd01, odd23, 0, 1, 4, 5),
                               FR_SHUFFLE(fr_long4, even01, even23, 2, 3, 6, 7),
                               FR_SHUFFLE(fr_long4, odd01, odd23, 2, 3, 6, 7)};
    FR_UNROLL for (int r = 0; r < 4; r++) memcpy(out + r * width, &row[r], 32);
#else
    FR_UNROLL for (int c = 0; c < 4; c += 2) {
        const fr_double2 first = FR_SHUFFLE(fr_long2, z[c], z[c + 1], 0, 2);
        const fr_double2 second = FR_SHUFFLE(fr_long2, z[c], z[c + 1], 1, 3);
        memcpy(out + c, &first, 16);
        memcpy(out + width + c, &second, 16);
    }
#endif
}
#endif

#define TYPE double
#include "pack_template.h"
#undef TYPE
#define TYPE float
#include "pack_template.h"
#undef TYPE

/* squares[j - begin] += sum_k tile[k, j]^2 for begin <= j < end */
static inline void fr_add_column_squares(const double *tile, ptrdiff_t depth, ptrdiff_t begin,
                                  ptrdiff_t end, ptrdiff_t tile_depth, ptrdiff_t columns,
                                  double *squares)
{
    ptrdiff_t panel = fr_panel_begin(begin, columns);
    for (ptrdiff_t j = begin; j < end;) {
        const ptrdiff_t width = fr_panel_width(panel, columns);
        const ptrdiff_t stop = panel + width < end ? panel + width : end;
        const double *in = tile + panel * tile_depth + (j - panel);
        double sum[FR_PANEL] = {0.0};
        for (ptrdiff_t k = 0; k < depth; k++)
            for (ptrdiff_t i = 0; i < stop - j; i++) {
                const double value = in[k * width + i];
                sum[i] += value * value;
            }
        for (ptrdiff_t i = 0; i < stop - j; i++) squares[j - begin + i] += sum[i];
        j = stop;
        panel += width;
    }
}

#endif
