/* Solve with a triangular matrix stored by rows, and add and remove its rows.

   U is upper triangular, and `inverse` holds the reciprocals of its diagonal. Values below the
   diagonal are not used. */
#ifndef FASTRIDGE_TRIANGULAR_H
#define FASTRIDGE_TRIANGULAR_H

#include "rank_k.h"
#include "rows.h"

/* upper <- c upper + s lower, lower <- c lower - s upper */
static inline void fr_rotate(double *FR_RESTRICT upper, double *FR_RESTRICT lower, double c,
                             double s, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++) {
        const double u = upper[k], l = lower[k];
        upper[k] = c * u + s * l;
        lower[k] = c * l - s * u;
    }
}

/* sums[i] = sum_k rows[i * ld + k] x[k], for eight rows */
static inline void fr_eight_dots(const double *rows, ptrdiff_t ld, const double *x, double *sums,
                                 ptrdiff_t n)
{
    ptrdiff_t k = 0;
    for (int i = 0; i < 8; i++)
        sums[i] = 0.0;
#if FR_VECTORS
    fr_double8 total[8];
    FR_UNROLL for (int i = 0; i < 8; i++) total[i] = (fr_double8){0.0};
    for (; k + 8 <= n; k += 8) {
        fr_double8 some, row;
        memcpy(&some, x + k, sizeof some);
        FR_UNROLL for (int i = 0; i < 8; i++) {
            memcpy(&row, rows + i * ld + k, sizeof row);
            total[i] += row * some;
        }
    }
    FR_UNROLL for (int i = 0; i < 8; i++) {
        double part[8];
        memcpy(part, &total[i], sizeof part);
        sums[i] = ((part[0] + part[1]) + (part[2] + part[3]))
                  + ((part[4] + part[5]) + (part[6] + part[7]));
    }
#endif
    for (; k < n; k++)
        for (int i = 0; i < 8; i++)
            sums[i] += rows[i * ld + k] * x[k];
}

/* Eight values of x <- U^-T x, at a block of the diagonal; `minus` these. */
static inline void fr_forward_block(const double *block, ptrdiff_t ld, const double *inverse,
                                    double *x, double *minus)
{
    double solved[8];
#if FR_VECTORS
    fr_double8 left;
    memcpy(&left, x, sizeof left);
#else
    double left[8];
    memcpy(left, x, sizeof left);
#endif
    FR_UNROLL for (int i = 0; i < 8; i++) {
        const double *row = block + i * ld;
        solved[i] = left[i] * inverse[i];
#if FR_VECTORS
        fr_double8 some;
        memcpy(&some, row, sizeof some);
        left -= solved[i] * some;
#else
        for (int c = i + 1; c < 8; c++)
            left[c] -= solved[i] * row[c];
#endif
        minus[i] = -solved[i];
    }
    memcpy(x, solved, sizeof solved);
}

/* The last values of x <- U^-T x, from `begin` on. */
static inline void fr_forward_rest(const double *U, ptrdiff_t ld, const double *inverse,
                                   double *x, ptrdiff_t begin, ptrdiff_t order)
{
    for (; begin < order; begin++) {
        x[begin] *= inverse[begin];
        for (ptrdiff_t k = begin + 1; k < order; k++)
            x[k] -= x[begin] * U[begin * ld + k];
    }
}

/* x <- U^-T x; x and the rows of U have room for `width` values, of which those past `order` are
   overwritten */
static inline void fr_forward(const double *U, ptrdiff_t ld, const double *inverse, double *x,
                              ptrdiff_t order, ptrdiff_t width)
{
    ptrdiff_t begin = 0;
    for (; begin + 8 <= order; begin += 8) {
        const double *block = U + begin * ld + begin, *rows[8];
        double minus[8];
        for (int i = 0; i < 8; i++)
            rows[i] = block + i * ld + 8;
        fr_forward_block(block, ld, inverse + begin, x + begin, minus);
        fr_add_rows(x + begin + 8, rows, minus, width - begin - 8);
    }
    fr_forward_rest(U, ld, inverse, x, begin, order);
}

/* The same for two vectors at a time. */
static inline void fr_forward_twice(const double *U, ptrdiff_t ld, const double *inverse,
                                    double *x, double *x2, ptrdiff_t order, ptrdiff_t width)
{
    ptrdiff_t begin = 0;
    for (; begin + 8 <= order; begin += 8) {
        const double *block = U + begin * ld + begin, *rows[8];
        double minus[8], minus2[8];
        for (int i = 0; i < 8; i++)
            rows[i] = block + i * ld + 8;
        fr_forward_block(block, ld, inverse + begin, x + begin, minus);
        fr_forward_block(block, ld, inverse + begin, x2 + begin, minus2);
        fr_add_rows_twice(x + begin + 8, x2 + begin + 8, rows, minus, minus2, width - begin - 8);
    }
    fr_forward_rest(U, ld, inverse, x, begin, order);
    fr_forward_rest(U, ld, inverse, x2, begin, order);
}

/* x <- U^-1 x */
static inline void fr_backward(const double *U, ptrdiff_t ld, const double *inverse, double *x,
                               ptrdiff_t order)
{
    ptrdiff_t begin = order / 8 * 8;
    for (ptrdiff_t i = order - 1; i >= begin; i--) {
        for (ptrdiff_t k = i + 1; k < order; k++)
            x[i] -= x[k] * U[i * ld + k];
        x[i] *= inverse[i];
    }
    for (begin -= 8; begin >= 0; begin -= 8) {
        const double *block = U + begin * ld + begin;
        double left[8];
        fr_eight_dots(block + 8, ld, x + begin + 8, left, order - begin - 8);
        FR_UNROLL for (int i = 0; i < 8; i++) left[i] = x[begin + i] - left[i];
        FR_UNROLL for (int k = 7; k >= 0; k--) {
            left[k] *= inverse[begin + k];
            for (int i = 0; i < k; i++)
                left[i] -= left[k] * block[i * ld + k];
        }
        memcpy(x + begin, left, sizeof left);
    }
}

/* Rows `begin` to `end` of a matrix, from column `begin` to `width`, plus what the rows of U above
   them add: U[i, j] += sum_r U[r, i] U[r, j] for r < begin. Below the diagonal, too. */
static inline void fr_add_above(double *U, ptrdiff_t ld, ptrdiff_t begin, ptrdiff_t end,
                                ptrdiff_t width)
{
    ptrdiff_t j = begin;
    if (end - begin == FR_ROWS) {
        const ptrdiff_t whole = begin + (width - begin) / FR_GRAIN * FR_GRAIN;
        while (j < whole) {
            const ptrdiff_t columns = fr_panel_width(j, whole);
            fr_pick_micro(FR_ROWS, (int)columns, 0)(begin, U + begin, ld, U + j, ld,
                                                    U + begin * ld + j, ld,
                                                    (const char *)(U + begin * ld));
            j += columns;
        }
    }
    for (ptrdiff_t i = begin; j < width && i < end; i++)
        for (ptrdiff_t r = 0; r < begin; r++)
            fr_add_row(U + i * ld + j, U + r * ld + j, U[r * ld + i], width - j);
}

#endif
