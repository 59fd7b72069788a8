/* The symmetric rank-k update of a tile of rows, which is the arithmetic of GramStatistics.

   A tile holds `depth` rows of Z, shifted and weighted, as a sequence of column panels; a
   panel of width W stores its rows one after the other, W values each (pack.h fills it).
   rank_k_update adds Z'Z to C (row-major, columns `>=` rows filled, plus some entries
   below the diagonal inside diagonal blocks, which the caller ignores).

   The micro-kernel is that of Goto and van de Geijn, "Anatomy of high-performance matrix
   multiplication", ACM TOMS 34(3), 2008: MR x W sums are kept in registers, and each step adds
   one row of the tile. Each step also prefetches one cache line of the rows that come next, so
   that reading memory and arithmetic overlap. */
#ifndef FASTRIDGE_RANK_K_H
#define FASTRIDGE_RANK_K_H

#include "compat.h"

/* Panel width and rows of a register block, by the size and number of registers. */
#if FR_VECTORS && defined(__AVX512F__)
enum { FR_PANEL = 24, FR_ROWS = 8 };
#elif FR_VECTORS && defined(__AVX__)
enum { FR_PANEL = 12, FR_ROWS = 4 };
#elif FR_VECTORS && defined(__aarch64__)
enum { FR_PANEL = 8, FR_ROWS = 4 };
#else
enum { FR_PANEL = 4, FR_ROWS = 4 };
#endif
enum { FR_GRAIN = 4 }; /* panel widths are multiples of this */

typedef void (*fr_micro)(ptrdiff_t depth, const double *a, ptrdiff_t a_step, const double *b,
                         ptrdiff_t b_step, double *c, ptrdiff_t ldc, const char *next_rows);

#define CELL double
#define NAME fr_micro_
#if FR_VECTORS && defined(__AVX512F__)
#define ROWS 8
#define LANES 8
#define COLUMNS 24
#include "micro_template.h"
#define ROWS 8
#define LANES 8
#define COLUMNS 16
#include "micro_template.h"
#define ROWS 8
#define LANES 8
#define COLUMNS 8
#include "micro_template.h"
#define ROWS 8
#define LANES 4
#define COLUMNS 4
#include "micro_template.h"
#define ROWS 4
#define LANES 4
#define COLUMNS 4
#include "micro_template.h"
#define COLUMNS 24
#include "micro_diagonal_template.h"
#define COLUMNS 16
#include "micro_diagonal_template.h"
#define COLUMNS 8
#include "micro_diagonal_template.h"
#elif FR_VECTORS && defined(__AVX__)
#define ROWS 4
#define LANES 4
#define COLUMNS 12
#include "micro_template.h"
#define ROWS 4
#define LANES 4
#define COLUMNS 8
#include "micro_template.h"
#define ROWS 4
#define LANES 4
#define COLUMNS 4
#include "micro_template.h"
#elif FR_VECTORS
#define ROWS 4
#define LANES 2
#define COLUMNS 8
#include "micro_template.h"
#define ROWS 4
#define LANES 2
#define COLUMNS 4
#include "micro_template.h"
#else
static void fr_micro_4x4(ptrdiff_t depth, const double *a, ptrdiff_t a_step, const double *b,
                         ptrdiff_t b_step, double *c, ptrdiff_t ldc, const char *next_rows)
{
    double acc[4][4] = {{0.0}};
    (void)next_rows;
    for (ptrdiff_t k = 0; k < depth; k++, a += a_step, b += b_step)
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                acc[i][j] += a[i] * b[j];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            c[i * ldc + j] += acc[i][j];
}
#endif
#undef CELL
#undef NAME

static fr_micro fr_pick_micro(int rows, int width, int diagonal)
{
#if FR_VECTORS && defined(__AVX512F__)
    if (rows == 4) return fr_micro_4x4;
    if (diagonal)
        return width == 24 ? fr_diagonal_8x24 : width == 16 ? fr_diagonal_8x16 : fr_diagonal_8x8;
    switch (width) {
    case 24: return fr_micro_8x24;
    case 16: return fr_micro_8x16;
    case 8: return fr_micro_8x8;
    default: return fr_micro_8x4;
    }
#elif FR_VECTORS && defined(__AVX__)
    (void)rows;
    (void)diagonal;
    switch (width) {
    case 12: return fr_micro_4x12;
    case 8: return fr_micro_4x8;
    default: return fr_micro_4x4;
    }
#elif FR_VECTORS
    (void)rows;
    (void)diagonal;
    return width == 8 ? fr_micro_4x8 : fr_micro_4x4;
#else
    (void)rows;
    (void)width;
    (void)diagonal;
    return fr_micro_4x4;
#endif
}

/* Width of the panel that starts at column `begin` of `columns`. */
static inline ptrdiff_t fr_panel_width(ptrdiff_t begin, ptrdiff_t columns)
{
    ptrdiff_t left = columns - begin;
    if (left >= FR_PANEL) return FR_PANEL;
    left = (left + FR_GRAIN - 1) / FR_GRAIN * FR_GRAIN;
    if (left > FR_ROWS) left = left / FR_ROWS * FR_ROWS; /* 20 -> 16 + 4 where FR_ROWS is 8 */
    return left;
}

/* Columns of C that a tile of `columns` columns touches (also the tile's row length). */
static inline ptrdiff_t fr_padded(ptrdiff_t columns)
{
    return (columns + FR_GRAIN - 1) / FR_GRAIN * FR_GRAIN;
}

/* C[:n_left, begin:end] += (Z'Z)[:n_left, begin:end], on and above the diagonal.
   `begin` and `end` are panel boundaries. `next_rows` points to the `next_bytes` bytes of the
   rows that are packed next. */
static inline void fr_rank_k_update(const double *tile, ptrdiff_t depth, ptrdiff_t tile_depth,
                             ptrdiff_t columns, ptrdiff_t n_left, ptrdiff_t begin,
                             ptrdiff_t end, double *c, ptrdiff_t ldc, const char *next_rows,
                             ptrdiff_t next_bytes)
{
    const char *next_end = next_rows + next_bytes;
    for (ptrdiff_t j = begin; j < end;) {
        const ptrdiff_t width = fr_panel_width(j, columns);
        const double *b = tile + j * tile_depth;
        for (ptrdiff_t i0 = 0; i0 <= j && i0 < n_left;) {
            const ptrdiff_t a_width = fr_panel_width(i0, columns);
            const double *a = tile + i0 * tile_depth;
            const ptrdiff_t step = a_width < FR_ROWS ? a_width : FR_ROWS;
            for (ptrdiff_t g = 0; g < a_width && i0 + g < n_left; g += step) {
                const ptrdiff_t skip = i0 == j ? g : 0;
                fr_pick_micro((int)step, (int)(width - skip), i0 == j)(
                    depth, a + g, a_width, b + skip, width, c + (i0 + g) * ldc + j + skip,
                    ldc, next_rows);
                if (next_rows + 64 * depth < next_end) next_rows += 64 * depth;
            }
            i0 += a_width;
        }
        j += width;
    }
}

#endif
