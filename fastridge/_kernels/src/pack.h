/* Rows of the data on their way into a tile: shifted, scaled, converted to double, and summed.

   tile[k, j] = z[k, j] = (x[k, j] - shift[j] - row_shift[k]) * scale[k]

   While a value is in a register it also joins the sums that need no product of two columns,
   sum_k scale[k] z[k, j] and sum_k y[k] z[k, j]: the column of ones and a single target then
   take no room in the tile. */
#ifndef FASTRIDGE_PACK_H
#define FASTRIDGE_PACK_H

#include "rank_k.h"

typedef struct {
    const double *shift;     /* one a column, or NULL */
    const double *row_shift; /* one a row, or NULL */
    const double *scale;     /* one a row, or NULL */
    const double *y;         /* one a row, or NULL */
    double *sums;            /* one a column, or NULL */
    double *cross;           /* one a column, where y is given */
} fr_terms;

enum { FR_PACK_ROWS = 8 };

#if FASTRIDGE_VECTORS
typedef float fr_f2 __attribute__((vector_size(8)));
typedef float fr_f4 __attribute__((vector_size(16)));
typedef float fr_f8 __attribute__((vector_size(32)));
#define FR_INLINE static inline __attribute__((always_inline))

/* LANES * NV contiguous columns of `run` rows; `weighted` and `crossed` are constants. */
#define FR_PACK_GROUP(NAME, TYPE, IN, VEC, LANES, NV)                                          \
    FR_INLINE void NAME##_as(const TYPE *in, ptrdiff_t row_stride, ptrdiff_t run,              \
                             const double *minus, const double *scale, const double *y,        \
                             double *out, ptrdiff_t width, double *sums, double *cross,        \
                             int weighted, int crossed)                                        \
    {                                                                                          \
        VEC less[NV], sum[NV], product[NV];                                                    \
        FR_UNROLL for (int v = 0; v < NV; v++) {                                               \
            memcpy(&less[v], minus + v * LANES, sizeof(VEC));                                  \
            sum[v] = product[v] = (VEC){0.0};                                                  \
        }                                                                                      \
        for (ptrdiff_t k = 0; k < run; k++) {                                                  \
            FR_UNROLL for (int v = 0; v < NV; v++) {                                           \
                IN from;                                                                       \
                memcpy(&from, in + k * row_stride + v * LANES, sizeof from);                   \
                VEC z = __builtin_convertvector(from, VEC) - less[v];                          \
                if (weighted) z *= scale[k];                                                   \
                memcpy(out + k * width + v * LANES, &z, sizeof z);                             \
                sum[v] += weighted ? z * scale[k] : z;                                         \
                if (crossed) product[v] += z * y[k];                                           \
            }                                                                                  \
        }                                                                                      \
        FR_UNROLL for (int v = 0; v < NV; v++)                                                 \
            for (int u = 0; u < LANES; u++) {                                                  \
                sums[v * LANES + u] += sum[v][u];                                              \
                if (crossed) cross[v * LANES + u] += product[v][u];                            \
            }                                                                                  \
    }                                                                                          \
    static inline void NAME(const TYPE *in, ptrdiff_t row_stride, ptrdiff_t run,               \
                            const double *minus,                                               \
                     const double *scale, const double *y, double *out, ptrdiff_t width,       \
                     double *sums, double *cross)                                              \
    {                                                                                          \
        if (scale && y)                                                                        \
            NAME##_as(in, row_stride, run, minus, scale, y, out, width, sums, cross, 1, 1);    \
        else if (scale)                                                                        \
            NAME##_as(in, row_stride, run, minus, scale, y, out, width, sums, cross, 1, 0);    \
        else if (y)                                                                            \
            NAME##_as(in, row_stride, run, minus, scale, y, out, width, sums, cross, 0, 1);    \
        else                                                                                   \
            NAME##_as(in, row_stride, run, minus, scale, y, out, width, sums, cross, 0, 0);    \
    }

/* Packs the most columns that one group takes, of `count` >= 4; returns how many. */
#if defined(__AVX512F__)
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_24_##TYPE, TYPE, IN8, fr_v8, 8, 3)                                   \
    FR_PACK_GROUP(fr_pack_8_##TYPE, TYPE, IN8, fr_v8, 8, 1)                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN4, fr_v4, 4, 1)
#define FR_WIDE 24
#define FR_WIDEST(TYPE) fr_pack_24_##TYPE
#elif defined(__AVX__)
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_12_##TYPE, TYPE, IN4, fr_v4, 4, 3)                                   \
    FR_PACK_GROUP(fr_pack_8_##TYPE, TYPE, IN4, fr_v4, 4, 2)                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN4, fr_v4, 4, 1)
#define FR_WIDE 12
#define FR_WIDEST(TYPE) fr_pack_12_##TYPE
#elif defined(__aarch64__)
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_8_##TYPE, TYPE, IN2, fr_v2, 2, 4)                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN2, fr_v2, 2, 2)
#define FR_WIDE 8
#define FR_WIDEST(TYPE) fr_pack_8_##TYPE
#else
#define FR_PACK_GROUPS(TYPE, IN8, IN4, IN2)                                                    \
    FR_PACK_GROUP(fr_pack_4_##TYPE, TYPE, IN2, fr_v2, 2, 2)
#define FR_WIDE 4
#define FR_WIDEST(TYPE) fr_pack_4_##TYPE
#endif
FR_PACK_GROUPS(double, fr_v8, fr_v4, fr_v2)
FR_PACK_GROUPS(float, fr_f8, fr_f4, fr_f2)
#endif

/* Any column; every row `in` of it one stride after the other. */
#define FR_PACK_COLUMN(TYPE)                                                                   \
    static inline void fr_pack_column_##TYPE(const TYPE *restrict in, ptrdiff_t row_stride,           \
                                      ptrdiff_t run, double minus, const double *row_shift,    \
                                      const double *scale, const double *y,                    \
                                      double *restrict out, ptrdiff_t width, double *sums,     \
                                      double *cross)                                           \
    {                                                                                          \
        double sum = 0.0, product = 0.0;                                                       \
        if (!row_shift && !scale && y)                                                         \
            for (ptrdiff_t k = 0; k < run; k++) {                                              \
                const double z = (double)in[k * row_stride] - minus;                           \
                out[k * width] = z;                                                            \
                sum += z;                                                                      \
                product += z * y[k];                                                           \
            }                                                                                  \
        else                                                                                   \
            for (ptrdiff_t k = 0; k < run; k++) {                                              \
                const double by = scale ? scale[k] : 1.0;                                      \
                const double more = row_shift ? row_shift[k] : 0.0;                            \
                const double z = ((double)in[k * row_stride] - minus - more) * by;             \
                out[k * width] = z;                                                            \
                sum += z * by;                                                                 \
                product += y ? z * y[k] : 0.0;                                                 \
            }                                                                                  \
        *sums += sum;                                                                          \
        if (y) *cross += product;                                                              \
    }
FR_PACK_COLUMN(double)
FR_PACK_COLUMN(float)

/* Columns begin:end of x, which are columns offset + begin of the tile and on. Strides count
   elements. Rows that are contiguous and long are read a few at a time for all panels, so that
   a page is read once. */
#define FR_PACK(TYPE)                                                                          \
    static inline void fr_pack_##TYPE(const TYPE *x, ptrdiff_t row_stride, ptrdiff_t col_stride,      \
                               ptrdiff_t depth, ptrdiff_t begin, ptrdiff_t end,                \
                               ptrdiff_t offset, const fr_terms *terms, double *tile,          \
                               ptrdiff_t tile_depth, ptrdiff_t columns)                        \
    {                                                                                          \
        const ptrdiff_t block = col_stride == 1 && end - begin > 256 ? FR_PACK_ROWS : depth;   \
        double unheeded[FR_PANEL];                                                             \
        if (begin >= end) return;                                                              \
        for (ptrdiff_t first = 0; first < depth; first += block) {                             \
            const ptrdiff_t run = depth - first < block ? depth - first : block;               \
            const double *scale = terms->scale ? terms->scale + first : NULL;                  \
            const double *more = terms->row_shift ? terms->row_shift + first : NULL;           \
            const double *y = terms->y ? terms->y + first : NULL;                              \
            ptrdiff_t panel = fr_panel_begin(offset + begin, columns);                         \
            for (ptrdiff_t j = begin; j < end;) {                                              \
                const ptrdiff_t width = fr_panel_width(panel, columns);                        \
                const ptrdiff_t at = offset + j - panel;                                       \
                ptrdiff_t count = width - at < end - j ? width - at : end - j;                 \
                const TYPE *in = x + first * row_stride + j * col_stride;                      \
                double *out = tile + panel * tile_depth + first * width + at;                  \
                double *sums = terms->sums ? terms->sums + j : unheeded;                       \
                double *cross = y ? terms->cross + j : NULL;                                   \
                double minus[FR_PANEL] = {0.0};                                                \
                if (!terms->sums) memset(unheeded, 0, sizeof unheeded);                        \
                if (terms->shift) memcpy(minus, terms->shift + j, count * sizeof(double));     \
                if (at + count == width) panel += width;                                       \
                j += count;                                                                    \
                ptrdiff_t done = 0;                                                            \
                FR_PACK_CONTIGUOUS(TYPE)                                                       \
                for (; done < count; done++)                                                   \
                    fr_pack_column_##TYPE(in + done * col_stride, row_stride, run,             \
                                          minus[done], more, scale, y, out + done, width,      \
                                          sums + done, cross ? cross + done : NULL);           \
            }                                                                                  \
        }                                                                                      \
    }

#if FASTRIDGE_VECTORS
#define FR_PACK_SOME(NAME, WIDTH)                                                              \
    for (; count - done >= WIDTH; done += WIDTH)                                               \
        NAME(in + done, row_stride, run, minus + done, scale, y, out + done, width,            \
             sums + done, cross ? cross + done : NULL);
#if defined(__AVX__)
#define FR_PACK_NARROW(TYPE)                                                                   \
    FR_PACK_SOME(fr_pack_8_##TYPE, 8)                                                          \
    FR_PACK_SOME(fr_pack_4_##TYPE, 4)
#else
#define FR_PACK_NARROW(TYPE) FR_PACK_SOME(fr_pack_4_##TYPE, 4)
#endif
#define FR_PACK_CONTIGUOUS(TYPE)                                                               \
    if (col_stride == 1 && !more) {                                                            \
        FR_PACK_SOME(FR_WIDEST(TYPE), FR_WIDE)                                                 \
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

/* sum_k value[k]^2 */
static inline double fr_square_sum(const double *value, ptrdiff_t n)
{
    double sum = 0.0;
    for (ptrdiff_t k = 0; k < n; k++) sum += value[k] * value[k];
    return sum;
}

#endif
