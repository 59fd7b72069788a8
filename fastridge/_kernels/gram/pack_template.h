/* The functions of pack.h for one TYPE of data, float or double. */

/* Any column; every row `in` of it one stride after the other. */
static inline void FR_TYPED(fr_pack_column)(const TYPE *FR_RESTRICT in, ptrdiff_t row_stride,
                                            ptrdiff_t run, double minus, const fr_terms *terms,
                                            double *FR_RESTRICT out, ptrdiff_t width)
{
    const double *scale = terms->scale, *more = terms->row_shift;
    double sum = 0.0;
    if (!scale && !more)
        for (ptrdiff_t k = 0; k < run; k++) {
            const double z = (double)in[k * row_stride] - minus;
            out[k * width] = z;
            sum += z;
        }
    else
        for (ptrdiff_t k = 0; k < run; k++) {
            const double by = scale ? scale[k] : 1.0;
            const double less = more ? more[k] : 0.0;
            const double z = ((double)in[k * row_stride] - minus - less) * by;
            out[k * width] = z;
            sum += z * by;
        }
    *terms->sums += sum;
    for (ptrdiff_t e = 0; e < terms->n_extra; e++) {
        const double *extra = terms->extra[e];
        double product = 0.0;
        for (ptrdiff_t k = 0; k < run; k++) product += out[k * width] * extra[k];
        *terms->cross[e] += product;
    }
}

#if FR_VECTORS
/* Groups of a whole panel, and of the narrow widths that its remainders are made of. */
#if defined(__AVX512F__)
#define LANES 8
#define N_VECTORS 3
#include "pack_group_template.h"
#define LANES 8
#define N_VECTORS 1
#include "pack_group_template.h"
#define LANES 4
#define N_VECTORS 1
#include "pack_group_template.h"
#elif defined(__AVX__)
#define LANES 4
#define N_VECTORS 3
#include "pack_group_template.h"
#define LANES 4
#define N_VECTORS 2
#include "pack_group_template.h"
#define LANES 4
#define N_VECTORS 1
#include "pack_group_template.h"
#else
#if defined(__aarch64__)
#define LANES 2
#define N_VECTORS 4
#include "pack_group_template.h"
#endif
#define LANES 2
#define N_VECTORS 2
#include "pack_group_template.h"
#endif

/* Columns from `done` on by groups of `columns` of them; returns how many are done then. */
FR_INLINE ptrdiff_t FR_TYPED(fr_pack_groups_of)(
    ptrdiff_t columns,
    void (*pack)(const TYPE *, ptrdiff_t, ptrdiff_t, const double *, const fr_terms *, double *,
                 ptrdiff_t),
    ptrdiff_t done, const TYPE *in, ptrdiff_t row_stride, ptrdiff_t run, const double *minus,
    fr_terms *here, double *out, ptrdiff_t width, ptrdiff_t count)
{
    for (; count - done >= columns; done += columns) {
        pack(in + done, row_stride, run, minus + done, here, out + done, width);
        *here = fr_terms_at(here, 0, columns);
    }
    return done;
}

/* Columns that are contiguous in each row, as many as groups take; returns how many. */
static inline ptrdiff_t FR_TYPED(fr_pack_groups)(const TYPE *in, ptrdiff_t row_stride,
                                                 ptrdiff_t run, const double *minus,
                                                 fr_terms *here, double *out, ptrdiff_t width,
                                                 ptrdiff_t count)
{
    ptrdiff_t done = 0;
#define GROUPS_OF(COLUMNS, NAME)                                                           \
    done = FR_TYPED(fr_pack_groups_of)(COLUMNS, FR_TYPED(NAME), done, in, row_stride, run, \
                                       minus, here, out, width, count)
#if defined(__AVX512F__)
    GROUPS_OF(24, fr_pack_8x3);
    GROUPS_OF(8, fr_pack_8x1);
    GROUPS_OF(4, fr_pack_4x1);
#elif defined(__AVX__)
    GROUPS_OF(12, fr_pack_4x3);
    GROUPS_OF(8, fr_pack_4x2);
    GROUPS_OF(4, fr_pack_4x1);
#else
#if defined(__aarch64__)
    GROUPS_OF(8, fr_pack_2x4);
#endif
    GROUPS_OF(4, fr_pack_2x2);
#endif
#undef GROUPS_OF
    return done;
}

/* Four columns whose rows are contiguous, as many rows at a time as a vector holds: each column
   is a register, and they are transposed into rows. `weighted`, `shifted` and `n_extra` are
   constants. The rows that come next are prefetched meanwhile. */
#define IN_VECTOR FR_PASTE(fr_, FR_PASTE(TYPE, FR_LANES))
#define VECTOR FR_PASTE(fr_double, FR_LANES)
FR_INLINE ptrdiff_t FR_TYPED(fr_pack_four_as)(
    const TYPE *in, ptrdiff_t col_stride, ptrdiff_t run, const double *minus,
    const fr_terms *terms, double *out, ptrdiff_t width, int weighted, int shifted,
    int n_extra)
{
    VECTOR sum[4], product[FR_MAX_EXTRA][4];
    ptrdiff_t k = 0;
    FR_UNROLL for (int c = 0; c < 4; c++) {
        sum[c] = (VECTOR){0.0};
        FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++) product[e][c] = (VECTOR){0.0};
    }
    for (; k + FR_LANES <= run; k += FR_LANES) {
        VECTOR z[4], by, less;
        if (weighted) memcpy(&by, terms->scale + k, sizeof by);
        if (shifted) memcpy(&less, terms->row_shift + k, sizeof less);
        FR_UNROLL for (int c = 0; c < 4; c++) {
            IN_VECTOR from;
            memcpy(&from, in + k + c * col_stride, sizeof from);
            FR_PREFETCH((const char *)(in + k + c * col_stride + run));
            z[c] = __builtin_convertvector(from, VECTOR) - minus[c];
            if (shifted) z[c] -= less;
            if (weighted) z[c] *= by;
            sum[c] += weighted ? z[c] * by : z[c];
        }
        FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)
            if (e < n_extra) {
                VECTOR extra;
                memcpy(&extra, terms->extra[e] + k, sizeof extra);
                FR_UNROLL for (int c = 0; c < 4; c++) product[e][c] += z[c] * extra;
            }
        fr_transpose_four(z, out + k * width, width);
    }
    FR_UNROLL for (int c = 0; c < 4; c++)
        for (int u = 0; u < FR_LANES; u++) {
            terms->sums[c] += sum[c][u];
            FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)
                if (e < n_extra) terms->cross[e][c] += product[e][c][u];
        }
    return k;
}

static inline void FR_TYPED(fr_pack_four)(const TYPE *in, ptrdiff_t col_stride, ptrdiff_t run,
                                          const double *minus, const fr_terms *terms, double *out,
                                          ptrdiff_t width)
{
    ptrdiff_t done = 0;
    fr_terms rest;
#define AS(WEIGHTED, SHIFTED, N_EXTRA)                                                     \
    FR_TYPED(fr_pack_four_as)(in, col_stride, run, minus, terms, out, width, WEIGHTED, SHIFTED, \
                              N_EXTRA)
    switch ((terms->row_shift ? 8 : 0) + (terms->scale ? 4 : 0) + terms->n_extra) {
    case 0: done = AS(0, 0, 0); break;
    case 1: done = AS(0, 0, 1); break;
    case 2: done = AS(0, 0, 2); break;
    case 3: done = AS(0, 0, 3); break;
    case 4: done = AS(1, 0, 0); break;
    case 5: done = AS(1, 0, 1); break;
    case 6: done = AS(1, 0, 2); break;
    case 7: done = AS(1, 0, 3); break;
    case 12: done = AS(1, 1, 0); break;
    default: break; /* row by row, below */
    }
#undef AS
    rest = fr_terms_at(terms, done, 0);
    for (int c = 0; c < 4 && done < run; c++) {
        FR_TYPED(fr_pack_column)(in + done + c * col_stride, 1, run - done, minus[c], &rest,
                                 out + done * width + c, width);
        rest = fr_terms_at(&rest, 0, 1);
    }
}
#undef IN_VECTOR
#undef VECTOR
#endif

/* Columns begin:end of x, which are columns offset + begin of the tile and on. Strides count
   elements. Rows that are contiguous and long are read a few at a time for all panels, so that
   a page is read once. */
static inline void FR_TYPED(fr_pack)(const TYPE *x, ptrdiff_t row_stride, ptrdiff_t col_stride,
                                     ptrdiff_t depth, ptrdiff_t begin, ptrdiff_t end,
                                     ptrdiff_t offset, const fr_terms *terms, double *tile,
                                     ptrdiff_t tile_depth, ptrdiff_t columns)
{
    const ptrdiff_t block = col_stride == 1 && end - begin > 256 ? FR_PACK_ROWS : depth;
    double unused[FR_PANEL] = {0.0};
    if (begin >= end) return;
    for (ptrdiff_t first = 0; first < depth; first += block) {
        const ptrdiff_t run = depth - first < block ? depth - first : block;
        ptrdiff_t panel = fr_panel_begin(offset + begin, columns);
        for (ptrdiff_t j = begin; j < end;) {
            const ptrdiff_t width = fr_panel_width(panel, columns);
            const ptrdiff_t at = offset + j - panel;
            ptrdiff_t count = width - at < end - j ? width - at : end - j;
            const TYPE *in = x + first * row_stride + j * col_stride;
            double *out = tile + panel * tile_depth + first * width + at;
            double minus[FR_PANEL] = {0.0};
            fr_terms here = fr_terms_at(terms, first, j);
            if (here.shift) memcpy(minus, here.shift, count * sizeof(double));
            if (!here.sums) here.sums = unused;
            if (at + count == width) panel += width;
            j += count;
            ptrdiff_t done = 0;
#if FR_VECTORS
            if (col_stride == 1 && !here.row_shift)
                done = FR_TYPED(fr_pack_groups)(in, row_stride, run, minus, &here, out, width,
                                                count);
            for (; row_stride == 1 && count - done >= 4; done += 4) {
                FR_TYPED(fr_pack_four)(in + done * col_stride, col_stride, run, minus + done, &here,
                                       out + done, width);
                here = fr_terms_at(&here, 0, 4);
            }
#endif
            for (; done < count; done++) {
                FR_TYPED(fr_pack_column)(in + done * col_stride, row_stride, run, minus[done],
                                         &here, out + done, width);
                here = fr_terms_at(&here, 0, 1);
            }
        }
    }
}
