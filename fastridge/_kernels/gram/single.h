/* The tile of pack.h and its rank-k update in single precision, for Hessians that only have to be
   near: twice the values in a register. The sums of a tile are added in double precision, and so
   are those of the columns and their products with extra columns.

   Each value is multiplied by a factor of its column, so that its square does not overflow. */
#ifndef FASTRIDGE_SINGLE_H
#define FASTRIDGE_SINGLE_H

#include "pack.h"

#if FR_VECTORS && defined(__AVX512F__)
enum { FR_HAS_SINGLE = 1, FR_SINGLE_PANEL = 48, FR_SINGLE_ROWS = 8, FR_SINGLE_LANES = 16 };
#elif FR_VECTORS && defined(__AVX__)
enum { FR_HAS_SINGLE = 1, FR_SINGLE_PANEL = 24, FR_SINGLE_ROWS = 4, FR_SINGLE_LANES = 8 };
#else
enum { FR_HAS_SINGLE = 0 };
#endif

#if FR_VECTORS && defined(__AVX__)
typedef void (*fr_single_micro)(ptrdiff_t depth, const float *a, ptrdiff_t a_step, const float *b,
                                ptrdiff_t b_step, double *c, ptrdiff_t ldc, const char *next_rows);

#define CELL float
#define NAME fr_single_
#if defined(__AVX512F__)
#define ROWS 8
#define LANES 16
#define COLUMNS 48
#include "micro_template.h"
#define ROWS 8
#define LANES 16
#define COLUMNS 32
#include "micro_template.h"
#define ROWS 8
#define LANES 16
#define COLUMNS 16
#include "micro_template.h"
#define ROWS 8
#define LANES 8
#define COLUMNS 8
#include "micro_template.h"
#else
#define ROWS 4
#define LANES 8
#define COLUMNS 24
#include "micro_template.h"
#define ROWS 4
#define LANES 8
#define COLUMNS 16
#include "micro_template.h"
#define ROWS 4
#define LANES 8
#define COLUMNS 8
#include "micro_template.h"
#endif
#undef CELL
#undef NAME

static fr_single_micro fr_pick_single_micro(ptrdiff_t width)
{
    switch (width) {
#if defined(__AVX512F__)
    case 48: return fr_single_8x48;
    case 32: return fr_single_8x32;
    case 16: return fr_single_8x16;
    default: return fr_single_8x8;
#else
    case 24: return fr_single_4x24;
    case 16: return fr_single_4x16;
    default: return fr_single_4x8;
#endif
    }
}

/* Width of the panel that starts at column `begin` of `columns`: of vectors, or of half of one. */
static inline ptrdiff_t fr_single_width(ptrdiff_t begin, ptrdiff_t columns)
{
    ptrdiff_t left = columns - begin;
    if (left >= FR_SINGLE_PANEL) return FR_SINGLE_PANEL;
    left = (left + 7) / 8 * 8;
    if (left > FR_SINGLE_LANES) left = left / FR_SINGLE_LANES * FR_SINGLE_LANES;
    return left;
}

/* Eight columns times `n_vectors`; that and `n_extra` are constants. */
#define TYPE double
#include "single_pack_template.h"
#undef TYPE
#define TYPE float
#include "single_pack_template.h"
#undef TYPE

/* C[:n_left] += Z'Z on and above the diagonal, for the whole tile; see fr_rank_k_update. */
static inline void fr_single_rank_k(const float *tile, ptrdiff_t depth, ptrdiff_t tile_depth,
                                    ptrdiff_t columns, double *c, ptrdiff_t ldc,
                                    const char *next_rows, ptrdiff_t next_bytes)
{
    const char *next_end = next_rows + next_bytes;
    for (ptrdiff_t j = 0; j < columns;) {
        const ptrdiff_t width = fr_single_width(j, columns);
        const float *b = tile + j * tile_depth;
        for (ptrdiff_t i0 = 0; i0 <= j;) {
            const ptrdiff_t a_width = fr_single_width(i0, columns);
            const float *a = tile + i0 * tile_depth;
            for (ptrdiff_t g = 0; g < a_width && i0 + g < columns; g += FR_SINGLE_ROWS) {
                const ptrdiff_t skip = i0 == j ? g / FR_SINGLE_LANES * FR_SINGLE_LANES : 0;
                fr_pick_single_micro(width - skip)(depth, a + g, a_width, b + skip, width,
                                                   c + (i0 + g) * ldc + j + skip, ldc, next_rows);
                if (next_rows + 64 * depth < next_end) next_rows += 64 * depth;
            }
            i0 += a_width;
        }
        j += width;
    }
}
#else
#define FR_NO_SINGLE(TYPE)                                                                       \
    static inline void FR_PASTE(fr_single_pack_, TYPE)(                                          \
        const TYPE *x, ptrdiff_t row_stride, ptrdiff_t depth, ptrdiff_t columns,                 \
        const fr_terms *terms, const double *unit, float *tile, ptrdiff_t tile_depth)            \
    {                                                                                            \
        (void)x, (void)row_stride, (void)depth, (void)columns, (void)terms, (void)unit;          \
        (void)tile, (void)tile_depth;                                                            \
    }
FR_NO_SINGLE(double)
FR_NO_SINGLE(float)
static inline void fr_single_rank_k(const float *tile, ptrdiff_t depth, ptrdiff_t tile_depth,
                                    ptrdiff_t columns, double *c, ptrdiff_t ldc,
                                    const char *next_rows, ptrdiff_t next_bytes)
{
    (void)tile, (void)depth, (void)tile_depth, (void)columns, (void)c, (void)ldc;
    (void)next_rows, (void)next_bytes;
}
#endif

#endif
