/* Columns that lie apart, put together as rows: out[i, j] = columns[j][i].

   Some rows at a time, so that what is written stays in the first cache; within those, blocks of
   as many rows as columns are transposed in registers. */
#ifndef FASTRIDGE_INTERLEAVE_H
#define FASTRIDGE_INTERLEAVE_H

#include <stddef.h>
#include <string.h>

#include "vectors.h"

enum { FR_INTERLEAVED_ROWS = 128 };

#if FASTRIDGE_VECTORS
typedef float fr_four_floats __attribute__((vector_size(16)));
typedef int fr_four_ints __attribute__((vector_size(16)));
typedef double fr_two_doubles __attribute__((vector_size(16)));
typedef long long fr_two_longs __attribute__((vector_size(16)));

static inline void fr_transpose_block_float(const float *const *columns, ptrdiff_t i, float *out,
                                            ptrdiff_t n)
{
    fr_four_floats x[4], lo, hi;
    for (int c = 0; c < 4; c++) memcpy(&x[c], columns[c] + i, sizeof x[c]);
    for (int half = 0; half < 2; half++) {
        if (half == 0) {
            lo = FR_SHUFFLE(fr_four_ints, x[0], x[1], 0, 4, 1, 5);
            hi = FR_SHUFFLE(fr_four_ints, x[2], x[3], 0, 4, 1, 5);
        } else {
            lo = FR_SHUFFLE(fr_four_ints, x[0], x[1], 2, 6, 3, 7);
            hi = FR_SHUFFLE(fr_four_ints, x[2], x[3], 2, 6, 3, 7);
        }
        const fr_four_floats first = FR_SHUFFLE(fr_four_ints, lo, hi, 0, 1, 4, 5);
        const fr_four_floats second = FR_SHUFFLE(fr_four_ints, lo, hi, 2, 3, 6, 7);
        memcpy(out + 2 * half * n, &first, sizeof first);
        memcpy(out + (2 * half + 1) * n, &second, sizeof second);
    }
}

static inline void fr_transpose_block_double(const double *const *columns, ptrdiff_t i,
                                             double *out, ptrdiff_t n)
{
    fr_two_doubles x[2];
    for (int c = 0; c < 2; c++) memcpy(&x[c], columns[c] + i, sizeof x[c]);
    const fr_two_doubles first = FR_SHUFFLE(fr_two_longs, x[0], x[1], 0, 2);
    const fr_two_doubles second = FR_SHUFFLE(fr_two_longs, x[0], x[1], 1, 3);
    memcpy(out, &first, sizeof first);
    memcpy(out + n, &second, sizeof second);
}
#define FR_BLOCK_OF(TYPE) ((ptrdiff_t)(16 / sizeof(TYPE)))
#else
static inline void fr_transpose_block_float(const float *const *columns, ptrdiff_t i, float *out,
                                            ptrdiff_t n)
{
    (void)n;
    *out = columns[0][i];
}

static inline void fr_transpose_block_double(const double *const *columns, ptrdiff_t i,
                                             double *out, ptrdiff_t n)
{
    (void)n;
    *out = columns[0][i];
}
#define FR_BLOCK_OF(TYPE) ((ptrdiff_t)1)
#endif

/* Rows begin:end of n columns; the first of them is written to the first row of `out`. */
#define FR_INTERLEAVE(TYPE)                                                                    \
    static inline void fr_interleave_##TYPE(const TYPE *const *columns, ptrdiff_t n,           \
                                            ptrdiff_t begin, ptrdiff_t end, TYPE *out)         \
    {                                                                                          \
        const ptrdiff_t size = FR_BLOCK_OF(TYPE);                                              \
        for (ptrdiff_t first = begin; first < end; first += FR_INTERLEAVED_ROWS) {             \
            const ptrdiff_t left = end - first;                                                \
            const ptrdiff_t run = left < FR_INTERLEAVED_ROWS ? left : FR_INTERLEAVED_ROWS;     \
            const ptrdiff_t whole = run / size * size;                                         \
            TYPE *rows = out + (first - begin) * n;                                            \
            ptrdiff_t j = 0;                                                                   \
            for (; j + size <= n; j += size) {                                                 \
                for (ptrdiff_t i = 0; i < whole; i += size) {                                  \
                    FR_PREFETCH((const char *)(columns[j + i / size % size] + first + i) +     \
                                FR_INTERLEAVED_ROWS * sizeof(TYPE));                           \
                    fr_transpose_block_##TYPE(columns + j, first + i, rows + i * n + j, n);    \
                }                                                                              \
                for (ptrdiff_t i = whole; i < run; i++)                                        \
                    for (ptrdiff_t c = j; c < j + size; c++)                                   \
                        rows[i * n + c] = columns[c][first + i];                               \
            }                                                                                  \
            for (; j < n; j++)                                                                 \
                for (ptrdiff_t i = 0; i < run; i++) rows[i * n + j] = columns[j][first + i];   \
        }                                                                                      \
    }
FR_INTERLEAVE(float)
FR_INTERLEAVE(double)

#endif
