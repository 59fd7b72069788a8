/* Rows of the data on their way into a tile: shifted, scaled, converted to double, and summed.

   tile[k, j] = z[k, j] = (x[k, j] - shift[j] - row_shift[k]) * scale[k]

   While a value is in a register it also joins sum_k scale[k] z[k, j], and sum_k e[k] z[k, j]
   for a few extra columns e: the column of ones, a single target, and one or two columns that
   would begin a panel of their own, then take no room in the tile. */
#ifndef FASTRIDGE_PACK_H
#define FASTRIDGE_PACK_H

#include "rank_k.h"
#include "rows.h"

typedef struct {
    const double *shift;     /* one a column, or NULL */
    const double *row_shift; /* one a row, or NULL */
    const double *scale;     /* one a row, or NULL */
    double *sums;            /* one a column, or NULL */
    ptrdiff_t n_extra;       /* how many of these there are: */
    const double *extra[3];  /* one a row */
    double *cross[3];        /* one a column */
} fr_terms;

enum { FR_PACK_ROWS = 8, FR_MAX_EXTRA = 3 };

#if FASTRIDGE_VECTORS
typedef float fr_f2 __attribute__((vector_size(8)));
typedef float fr_f4 __attribute__((vector_size(16)));
typedef float fr_f8 __attribute__((vector_size(32)));
typedef long long fr_i2 __attribute__((vector_size(16)));
typedef long long fr_i4 __attribute__((vector_size(32)));
typedef long long fr_i8 __attribute__((vector_size(64)));
#define FR_INLINE static inline __attribute__((always_inline))

/* LANES * NV contiguous columns of `run` rows; `weighted` and `n_extra` are constants. */
#define FR_PACK_GROUP(NAME, TYPE, IN, VEC, LANES, NV)                                          \
    FR_INLINE void NAME##_as(const TYPE *in, ptrdiff_t row_stride, ptrdiff_t run,              \
                             const double *minus, const fr_terms *terms, double *out,          \
                             ptrdiff_t width, int weighted, int n_extra)                       \
    {                                                                                          \
        VEC less[NV], sum[NV], product[FR_MAX_EXTRA][NV];                                      \
        const double *scale = terms->scale;                                                    \
        FR_UNROLL for (int v = 0; v < NV; v++) {                                               \
            memcpy(&less[v], minus + v * LANES, sizeof(VEC));                                  \
            sum[v] = (VEC){0.0};                                                               \
            FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++) product[e][v] = (VEC){0.0};       \
        }                                                                                      \
        for (ptrdiff_t k = 0; k < run; k++) {                                                  \
            FR_UNROLL for (int v = 0; v < NV; v++) {                                           \
                IN from;                                                                       \
                memcpy(&from, in + k * row_stride + v * LANES, sizeof from);                   \
                VEC z = __builtin_convertvector(from, VEC) - less[v];                          \
                if (weighted) z *= scale[k];                                                   \
                memcpy(out + k * width + v * LANES, &z, sizeof z);                             \
                sum[v] += weighted ? z * scale[k] : z;                                         \
                FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)                               \
                    if (e < n_extra) product[e][v] += z * terms->extra[e][k];                  \
            }                                                                                  \
        }                                                                                      \
        FR_UNROLL for (int v = 0; v < NV; v++)                                                 \
            for (int u = 0; u < LANES; u++) {                                                  \
                terms->sums[v * LANES + u] += sum[v][u];                                       \
                FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)                               \
                    if (e < n_extra) terms->cross[e][v * LANES + u] += product[e][v][u];       \
            }                                                                                  \
    }                                                                                          \
    static inline void NAME(const TYPE *in, ptrdiff_t row_stride, ptrdiff_t run,               \
                            const double *minus, const fr_terms *terms, double *out,           \
                            ptrdiff_t width)                                                   \
    {                                                                                          \
        switch ((terms->scale ? 4 : 0) + terms->n_extra) {                                     \
        case 0: NAME##_as(in, row_stride, run, minus, terms, out, width, 0, 0); break;         \
        case 1: NAME##_as(in, row_stride, run, minus, terms, out, width, 0, 1); break;         \
        case 2: NAME##_as(in, row_stride, run, minus, terms, out, width, 0, 2); break;         \
        case 3: NAME##_as(in, row_stride, run, minus, terms, out, width, 0, 3); break;         \
        case 4: NAME##_as(in, row_stride, run, minus, terms, out, width, 1, 0); break;         \
        case 5: NAME##_as(in, row_stride, run, minus, terms, out, width, 1, 1); break;         \
        case 6: NAME##_as(in, row_stride, run, minus, terms, out, width, 1, 2); break;         \
        default: NAME##_as(in, row_stride, run, minus, terms, out, width, 1, 3);               \
        }                                                                                      \
    }

/* Groups of a whole panel, and of the narrow widths that its remainders are made of. */
#if defined(__AVX512F__)
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_24_##TYPE, TYPE, IN8, fr_v8, 8, 3)                                   \
    FR_PACK_GROUP(fr_pack_8_##TYPE, TYPE, IN8, fr_v8, 8, 1)                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN4, fr_v4, 4, 1)
#define FR_WIDEST(TYPE) fr_pack_24_##TYPE
#elif defined(__AVX__)
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_12_##TYPE, TYPE, IN4, fr_v4, 4, 3)                                   \
    FR_PACK_GROUP(fr_pack_8_##TYPE, TYPE, IN4, fr_v4, 4, 2)                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN4, fr_v4, 4, 1)
#define FR_WIDEST(TYPE) fr_pack_12_##TYPE
#elif defined(__aarch64__)
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_8_##TYPE, TYPE, IN2, fr_v2, 2, 4)                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN2, fr_v2, 2, 2)
#define FR_WIDEST(TYPE) fr_pack_8_##TYPE
#else
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN2, fr_v2, 2, 2)
#define FR_WIDEST(TYPE) fr_pack_4_##TYPE
#endif
FR_PACK_GROUPS(double, fr_v8, fr_v4, fr_v2)
FR_PACK_GROUPS(float, fr_f8, fr_f4, fr_f2)
#endif

/* Any column; every row `in` of it one stride after the other. */
#define FR_PACK_COLUMN(TYPE)                                                                   \
    static inline void fr_pack_column_##TYPE(const TYPE *restrict in, ptrdiff_t row_stride,    \
                                             ptrdiff_t run, double minus,                      \
                                             const fr_terms *terms, double *restrict out,      \
                                             ptrdiff_t width)                                  \
    {                                                                                          \
        const double *scale = terms->scale, *more = terms->row_shift;                          \
        double sum = 0.0;                                                                      \
        if (!scale && !more)                                                                   \
            for (ptrdiff_t k = 0; k < run; k++) {                                              \
                const double z = (double)in[k * row_stride] - minus;                           \
                out[k * width] = z;                                                            \
                sum += z;                                                                      \
            }                                                                                  \
        else                                                                                   \
            for (ptrdiff_t k = 0; k < run; k++) {                                              \
                const double by = scale ? scale[k] : 1.0;                                      \
                const double less = more ? more[k] : 0.0;                                      \
                const double z = ((double)in[k * row_stride] - minus - less) * by;             \
                out[k * width] = z;                                                            \
                sum += z * by;                                                                 \
            }                                                                                  \
        *terms->sums += sum;                                                                   \
        for (ptrdiff_t e = 0; e < terms->n_extra; e++) {                                       \
            const double *extra = terms->extra[e];                                             \
            double product = 0.0;                                                              \
            for (ptrdiff_t k = 0; k < run; k++) product += out[k * width] * extra[k];          \
            *terms->cross[e] += product;                                                       \
        }                                                                                      \
    }
FR_PACK_COLUMN(double)
FR_PACK_COLUMN(float)

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

#if FASTRIDGE_VECTORS
/* Four columns whose rows are contiguous, as many rows at a time as a vector holds: each column
   is a register, which TRANSPOSE turns into rows. `weighted`, `shifted` and `n_extra` are
   constants. The rows that come next are asked for meanwhile. */
#define FR_PACK_FOUR(TYPE, IN, VEC, LANES, TRANSPOSE)                                          \
    FR_INLINE ptrdiff_t fr_pack_four_##TYPE##_as(                                              \
        const TYPE *in, ptrdiff_t col_stride, ptrdiff_t run, const double *minus,              \
        const fr_terms *terms, double *out, ptrdiff_t width, int weighted, int shifted,        \
        int n_extra)                                                                           \
    {                                                                                          \
        VEC sum[4], product[FR_MAX_EXTRA][4];                                                  \
        ptrdiff_t k = 0;                                                                       \
        FR_UNROLL for (int c = 0; c < 4; c++) {                                                \
            sum[c] = (VEC){0.0};                                                               \
            FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++) product[e][c] = (VEC){0.0};       \
        }                                                                                      \
        for (; k + LANES <= run; k += LANES) {                                                 \
            VEC z[4], by, less;                                                                \
            if (weighted) memcpy(&by, terms->scale + k, sizeof by);                            \
            if (shifted) memcpy(&less, terms->row_shift + k, sizeof less);                     \
            FR_UNROLL for (int c = 0; c < 4; c++) {                                            \
                IN from;                                                                       \
                memcpy(&from, in + k + c * col_stride, sizeof from);                           \
                FR_PREFETCH((const char *)(in + k + c * col_stride + run));                    \
                z[c] = __builtin_convertvector(from, VEC) - minus[c];                          \
                if (shifted) z[c] -= less;                                                     \
                if (weighted) z[c] *= by;                                                      \
                sum[c] += weighted ? z[c] * by : z[c];                                         \
            }                                                                                  \
            FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)                                   \
                if (e < n_extra) {                                                             \
                    VEC extra;                                                                 \
                    memcpy(&extra, terms->extra[e] + k, sizeof extra);                         \
                    FR_UNROLL for (int c = 0; c < 4; c++) product[e][c] += z[c] * extra;       \
                }                                                                              \
            TRANSPOSE(z, out + k * width, width)                                               \
        }                                                                                      \
        FR_UNROLL for (int c = 0; c < 4; c++)                                                  \
            for (int u = 0; u < LANES; u++) {                                                  \
                terms->sums[c] += sum[c][u];                                                   \
                FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)                               \
                    if (e < n_extra) terms->cross[e][c] += product[e][c][u];                   \
            }                                                                                  \
        return k;                                                                              \
    }                                                                                          \
    static inline void fr_pack_four_##TYPE(const TYPE *in, ptrdiff_t col_stride,               \
                                           ptrdiff_t run, const double *minus,                 \
                                           const fr_terms *terms, double *out,                 \
                                           ptrdiff_t width)                                    \
    {                                                                                          \
        ptrdiff_t done = 0;                                                                    \
        fr_terms rest;                                                                         \
        switch ((terms->row_shift ? 8 : 0) + (terms->scale ? 4 : 0) + terms->n_extra) {        \
        case 0: done = FR_FOUR_AS(TYPE, 0, 0, 0); break;                                       \
        case 1: done = FR_FOUR_AS(TYPE, 0, 0, 1); break;                                       \
        case 2: done = FR_FOUR_AS(TYPE, 0, 0, 2); break;                                       \
        case 3: done = FR_FOUR_AS(TYPE, 0, 0, 3); break;                                       \
        case 4: done = FR_FOUR_AS(TYPE, 1, 0, 0); break;                                       \
        case 5: done = FR_FOUR_AS(TYPE, 1, 0, 1); break;                                       \
        case 6: done = FR_FOUR_AS(TYPE, 1, 0, 2); break;                                       \
        case 7: done = FR_FOUR_AS(TYPE, 1, 0, 3); break;                                       \
        case 12: done = FR_FOUR_AS(TYPE, 1, 1, 0); break;                                      \
        default: break; /* row by row, below */                                                \
        }                                                                                      \
        rest = fr_terms_at(terms, done, 0);                                                    \
        for (int c = 0; c < 4 && done < run; c++) {                                            \
            fr_pack_column_##TYPE(in + done + c * col_stride, 1, run - done, minus[c], &rest,  \
                                  out + done * width + c, width);                              \
            rest = fr_terms_at(&rest, 0, 1);                                                   \
        }                                                                                      \
    }
#define FR_FOUR_AS(TYPE, WEIGHTED, SHIFTED, N_EXTRA)                                           \
    fr_pack_four_##TYPE##_as(in, col_stride, run, minus, terms, out, width, WEIGHTED, SHIFTED, \
                             N_EXTRA)

#if defined(__AVX512F__)
#define FR_TRANSPOSE(z, out, width)                                                            \
    {                                                                                          \
        const fr_v8 even01 = FR_SHUFFLE(fr_i8, z[0], z[1], 0, 8, 2, 10, 4, 12, 6, 14);         \
        const fr_v8 even23 = FR_SHUFFLE(fr_i8, z[2], z[3], 0, 8, 2, 10, 4, 12, 6, 14);         \
        const fr_v8 odd01 = FR_SHUFFLE(fr_i8, z[0], z[1], 1, 9, 3, 11, 5, 13, 7, 15);          \
        const fr_v8 odd23 = FR_SHUFFLE(fr_i8, z[2], z[3], 1, 9, 3, 11, 5, 13, 7, 15);          \
        const fr_v8 pair[4] = {                                                                \
            FR_SHUFFLE(fr_i8, even01, even23, 0, 1, 8, 9, 4, 5, 12, 13),                       \
            FR_SHUFFLE(fr_i8, odd01, odd23, 0, 1, 8, 9, 4, 5, 12, 13),                         \
            FR_SHUFFLE(fr_i8, even01, even23, 2, 3, 10, 11, 6, 7, 14, 15),                     \
            FR_SHUFFLE(fr_i8, odd01, odd23, 2, 3, 10, 11, 6, 7, 14, 15)};                      \
        FR_UNROLL for (int r = 0; r < 4; r++) {                                                \
            memcpy((out) + r * (width), &pair[r], 32);                                         \
            memcpy((out) + (r + 4) * (width), (const char *)&pair[r] + 32, 32);                \
        }                                                                                      \
    }
FR_PACK_FOUR(double, fr_v8, fr_v8, 8, FR_TRANSPOSE)
FR_PACK_FOUR(float, fr_f8, fr_v8, 8, FR_TRANSPOSE)
#elif defined(__AVX__)
#define FR_TRANSPOSE(z, out, width)                                                            \
    {                                                                                          \
        const fr_v4 even01 = FR_SHUFFLE(fr_i4, z[0], z[1], 0, 4, 2, 6);                        \
        const fr_v4 even23 = FR_SHUFFLE(fr_i4, z[2], z[3], 0, 4, 2, 6);                        \
        const fr_v4 odd01 = FR_SHUFFLE(fr_i4, z[0], z[1], 1, 5, 3, 7);                         \
        const fr_v4 odd23 = FR_SHUFFLE(fr_i4, z[2], z[3], 1, 5, 3, 7);                         \
        const fr_v4 row[4] = {FR_SHUFFLE(fr_i4, even01, even23, 0, 1, 4, 5),                   \
                              FR_SHUFFLE(fr_i4, odd01, odd23, 0, 1, 4, 5),                     \
                              FR_SHUFFLE(fr_i4, even01, even23, 2, 3, 6, 7),                   \
                              FR_SHUFFLE(fr_i4, odd01, odd23, 2, 3, 6, 7)};                    \
        FR_UNROLL for (int r = 0; r < 4; r++) memcpy((out) + r * (width), &row[r], 32);        \
    }
FR_PACK_FOUR(double, fr_v4, fr_v4, 4, FR_TRANSPOSE)
FR_PACK_FOUR(float, fr_f4, fr_v4, 4, FR_TRANSPOSE)
#else
#define FR_TRANSPOSE(z, out, width)                                                            \
    FR_UNROLL for (int c = 0; c < 4; c += 2) {                                                 \
        const fr_v2 first = FR_SHUFFLE(fr_i2, z[c], z[c + 1], 0, 2);                           \
        const fr_v2 second = FR_SHUFFLE(fr_i2, z[c], z[c + 1], 1, 3);                          \
        memcpy((out) + c, &first, 16);                                                         \
        memcpy((out) + (width) + c, &second, 16);                                              \
    }
FR_PACK_FOUR(double, fr_v2, fr_v2, 2, FR_TRANSPOSE)
FR_PACK_FOUR(float, fr_f2, fr_v2, 2, FR_TRANSPOSE)
#endif
#define FR_PACK_COLUMNS(TYPE)                                                                  \
    for (; row_stride == 1 && count - done >= 4; done += 4) {                                  \
        fr_pack_four_##TYPE(in + done * col_stride, col_stride, run, minus + done, &here,      \
                            out + done, width);                                                \
        here = fr_terms_at(&here, 0, 4);                                                       \
    }
#else
#define FR_PACK_COLUMNS(TYPE)
#endif

/* Columns begin:end of x, which are columns offset + begin of the tile and on. Strides count
   elements. Rows that are contiguous and long are read a few at a time for all panels, so that
   a page is read once. */
#define FR_PACK(TYPE)                                                                          \
    static inline void fr_pack_##TYPE(const TYPE *x, ptrdiff_t row_stride,                     \
                                      ptrdiff_t col_stride, ptrdiff_t depth, ptrdiff_t begin,  \
                                      ptrdiff_t end, ptrdiff_t offset, const fr_terms *terms,  \
                                      double *tile, ptrdiff_t tile_depth, ptrdiff_t columns)   \
    {                                                                                          \
        const ptrdiff_t block = col_stride == 1 && end - begin > 256 ? FR_PACK_ROWS : depth;   \
        double unheeded[FR_PANEL] = {0.0};                                                     \
        if (begin >= end) return;                                                              \
        for (ptrdiff_t first = 0; first < depth; first += block) {                             \
            const ptrdiff_t run = depth - first < block ? depth - first : block;               \
            ptrdiff_t panel = fr_panel_begin(offset + begin, columns);                         \
            for (ptrdiff_t j = begin; j < end;) {                                              \
                const ptrdiff_t width = fr_panel_width(panel, columns);                        \
                const ptrdiff_t at = offset + j - panel;                                       \
                ptrdiff_t count = width - at < end - j ? width - at : end - j;                 \
                const TYPE *in = x + first * row_stride + j * col_stride;                      \
                double *out = tile + panel * tile_depth + first * width + at;                  \
                double minus[FR_PANEL] = {0.0};                                                \
                fr_terms here = fr_terms_at(terms, first, j);                                  \
                if (here.shift) memcpy(minus, here.shift, count * sizeof(double));             \
                if (!here.sums) here.sums = unheeded;                                          \
                if (at + count == width) panel += width;                                       \
                j += count;                                                                    \
                ptrdiff_t done = 0;                                                            \
                FR_PACK_CONTIGUOUS(TYPE)                                                       \
                FR_PACK_COLUMNS(TYPE)                                                          \
                for (; done < count; done++) {                                                 \
                    fr_pack_column_##TYPE(in + done * col_stride, row_stride, run,             \
                                          minus[done], &here, out + done, width);              \
                    here = fr_terms_at(&here, 0, 1);                                           \
                }                                                                              \
            }                                                                                  \
        }                                                                                      \
    }

#if FASTRIDGE_VECTORS
#define FR_PACK_SOME(NAME, WIDTH)                                                              \
    for (; count - done >= WIDTH; done += WIDTH) {                                             \
        NAME(in + done, row_stride, run, minus + done, &here, out + done, width);              \
        here = fr_terms_at(&here, 0, WIDTH);                                                   \
    }
#if defined(__AVX__)
#define FR_PACK_NARROW(TYPE)                                                                   \
    FR_PACK_SOME(fr_pack_8_##TYPE, 8)                                                          \
    FR_PACK_SOME(fr_pack_4_##TYPE, 4)
#else
#define FR_PACK_NARROW(TYPE) FR_PACK_SOME(fr_pack_4_##TYPE, 4)
#endif
#define FR_PACK_CONTIGUOUS(TYPE)                                                               \
    if (col_stride == 1 && !here.row_shift) {                                                  \
        FR_PACK_SOME(FR_WIDEST(TYPE), FR_PANEL)                                                \
        FR_PACK_NARROW(TYPE)                                                                   \
    }
#else
#define FR_PACK_CONTIGUOUS(TYPE)
#endif

/* First column of the panel that holds column `at`. */
static inline ptrdiff_t fr_panel_begin(ptrdiff_t at, ptrdiff_t columns)
{
    ptrdiff_t begin = at / FR_PANEL * FR_PANEL;
    while (begin + fr_panel_width(begin, columns) <= at) begin += fr_panel_width(begin, columns);
    return begin;
}

FR_PACK(double)
FR_PACK(float)

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
