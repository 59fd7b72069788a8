/* Interleave separate columns into rows: out[i, j] = columns[j][i].

   Rows are written some at a time, so that they stay in the first cache; within those, square
   blocks are transposed in registers. */
#ifndef FASTRIDGE_INTERLEAVE_H
#define FASTRIDGE_INTERLEAVE_H

#include "compat.h"

enum { FR_INTERLEAVED_ROWS = 128 };

#if FR_VECTORS
enum { FR_BLOCK_float = 4, FR_BLOCK_double = 2 };

static inline void fr_transpose_block_float(const float *const *columns, ptrdiff_t i, float *out,
                                            ptrdiff_t n)
{
    fr_float4 x[4], lo, hi;
    for (int c = 0; c < 4; c++) memcpy(&x[c], columns[c] + i, sizeof x[c]);
    for (int half = 0; half < 2; half++) {
        if (half == 0) {
            lo = FR_SHUFFLE(fr_int4, x[0], x[1], 0, 4, 1, 5);
            hi = FR_SHUFFLE(fr_int4, x[2], x[3], 0, 4, 1, 5);
        } else {
            lo = FR_SHUFFLE(fr_int4, x[0], x[1], 2, 6, 3, 7);
            hi = FR_SHUFFLE(fr_int4, x[2], x[3], 2, 6, 3, 7);
        }
        const fr_float4 first = FR_SHUFFLE(fr_int4, lo, hi, 0, 1, 4, 5);
        const fr_float4 second = FR_SHUFFLE(fr_int4, lo, hi, 2, 3, 6, 7);
        memcpy(out + 2 * half * n, &first, sizeof first);
        memcpy(out + (2 * half + 1) * n, &second, sizeof second);
    }
}

static inline void fr_transpose_block_double(const double *const *columns, ptrdiff_t i,
                                             double *out, ptrdiff_t n)
{
    fr_double2 x[2];
    for (int c = 0; c < 2; c++) memcpy(&x[c], columns[c] + i, sizeof x[c]);
    const fr_double2 first = FR_SHUFFLE(fr_long2, x[0], x[1], 0, 2);
    const fr_double2 second = FR_SHUFFLE(fr_long2, x[0], x[1], 1, 3);
    memcpy(out, &first, sizeof first);
    memcpy(out + n, &second, sizeof second);
}
#else
enum { FR_BLOCK_float = 1, FR_BLOCK_double = 1 };
#endif

#define TYPE float
#include "interleave_template.h"
#undef TYPE
#define TYPE double
#include "interleave_template.h"
#undef TYPE

#endif
