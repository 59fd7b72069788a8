/* Sums of multiples of rows, and products of rows. */
#ifndef FASTRIDGE_ROWS_H
#define FASTRIDGE_ROWS_H

#include "compat.h"

/* Rows that begin on a cache line and lengths that are multiples of eight are the quickest. */

/* out += factor row */
static inline void fr_add_row(double *FR_RESTRICT out, const double *FR_RESTRICT row,
                              double factor, ptrdiff_t n)
{
    ptrdiff_t k = 0;
#if FR_VECTORS
    for (; k + 8 <= n; k += 8) {
        fr_double8 sum, some;
        memcpy(&sum, out + k, sizeof sum);
        memcpy(&some, row + k, sizeof some);
        sum += factor * some;
        memcpy(out + k, &sum, sizeof sum);
    }
#endif
    for (; k < n; k++)
        out[k] += factor * row[k];
}

/* The same for two sums of the same rows, which are read once for both. */
static inline void fr_add_rows_twice(double *FR_RESTRICT out, double *FR_RESTRICT out2,
                                     const double *const *rows, const double *factor,
                                     const double *factor2, ptrdiff_t n)
{
    ptrdiff_t k = 0;
#if FR_VECTORS
    for (; k + 8 <= n; k += 8) {
        fr_double8 sum, sum2, x;
        memcpy(&sum, out + k, sizeof sum);
        memcpy(&sum2, out2 + k, sizeof sum2);
        FR_UNROLL for (int i = 0; i < 8; i++) {
            memcpy(&x, rows[i] + k, sizeof x);
            sum += factor[i] * x;
            sum2 += factor2[i] * x;
        }
        memcpy(out + k, &sum, sizeof sum);
        memcpy(out2 + k, &sum2, sizeof sum2);
    }
#endif
    for (; k < n; k++)
        for (int i = 0; i < 8; i++) {
            out[k] += factor[i] * rows[i][k];
            out2[k] += factor2[i] * rows[i][k];
        }
}

/* out[k] += factor row[k] for first <= k < n */
static inline void fr_add_row_from(double *FR_RESTRICT out, const double *FR_RESTRICT row,
                                   double factor, ptrdiff_t first, ptrdiff_t n)
{
#if FR_VECTORS
    const ptrdiff_t begin = first / 8 * 8;
    if (begin + 8 <= n) {
        const long long skipped = first - begin;
        const fr_long8 used = ((fr_long8){0, 1, 2, 3, 4, 5, 6, 7}) >= skipped;
        fr_double8 sum, some;
        memcpy(&sum, out + begin, sizeof sum);
        memcpy(&some, row + begin, sizeof some);
        sum += factor * FR_WHERE(used, some);
        memcpy(out + begin, &sum, sizeof sum);
        first = begin + 8;
    }
#endif
    fr_add_row(out + first, row + first, factor, n - first);
}

/* out += sum_i factor[i] rows[i], for eight rows: out is read and written once for all of them */
static inline void fr_add_rows(double *FR_RESTRICT out, const double *const *rows,
                               const double *factor, ptrdiff_t n)
{
    const double *FR_RESTRICT a = rows[0], *FR_RESTRICT b = rows[1], *FR_RESTRICT c = rows[2],
                 *FR_RESTRICT d = rows[3], *FR_RESTRICT e = rows[4], *FR_RESTRICT f = rows[5],
                 *FR_RESTRICT g = rows[6], *FR_RESTRICT h = rows[7];
    const double fa = factor[0], fb = factor[1], fc = factor[2], fd = factor[3], fe = factor[4],
                 ff = factor[5], fg = factor[6], fh = factor[7];
    ptrdiff_t k = 0;
#if FR_VECTORS
    for (; k + 8 <= n; k += 8) {
        fr_double8 sum, other, x[8];
        memcpy(&sum, out + k, sizeof sum);
        FR_UNROLL for (int i = 0; i < 8; i++) memcpy(&x[i], rows[i] + k, sizeof x[i]);
        other = fb * x[1];
        sum += fa * x[0];
        other += fd * x[3];
        sum += fc * x[2];
        other += ff * x[5];
        sum += fe * x[4];
        other += fh * x[7];
        sum += fg * x[6];
        sum += other;
        memcpy(out + k, &sum, sizeof sum);
    }
#endif
    for (; k < n; k++)
        out[k] += ((fa * a[k] + fb * b[k]) + (fc * c[k] + fd * d[k]))
                  + ((fe * e[k] + ff * f[k]) + (fg * g[k] + fh * h[k]));
}

/* x' y */
static inline double fr_dot(const double *FR_RESTRICT x, const double *FR_RESTRICT y, ptrdiff_t n)
{
    double sum = 0.0;
    for (ptrdiff_t k = 0; k < n; k++)
        sum += x[k] * y[k];
    return sum;
}

/* out[4 i + j] += a_i' b_j, for four rows of each */
static inline void fr_dots(const double *const *a, const double *const *b, double *out,
                           ptrdiff_t n)
{
    const double *FR_RESTRICT a0 = a[0], *FR_RESTRICT a1 = a[1], *FR_RESTRICT a2 = a[2],
                 *FR_RESTRICT a3 = a[3], *FR_RESTRICT b0 = b[0], *FR_RESTRICT b1 = b[1],
                 *FR_RESTRICT b2 = b[2], *FR_RESTRICT b3 = b[3];
    double s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
    double s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const double x0 = a0[k], x1 = a1[k], x2 = a2[k], x3 = a3[k];
        const double y0 = b0[k], y1 = b1[k], y2 = b2[k], y3 = b3[k];
        s00 += x0 * y0, s01 += x0 * y1, s02 += x0 * y2, s03 += x0 * y3;
        s10 += x1 * y0, s11 += x1 * y1, s12 += x1 * y2, s13 += x1 * y3;
        s20 += x2 * y0, s21 += x2 * y1, s22 += x2 * y2, s23 += x2 * y3;
        s30 += x3 * y0, s31 += x3 * y1, s32 += x3 * y2, s33 += x3 * y3;
    }
    out[0] += s00, out[1] += s01, out[2] += s02, out[3] += s03;
    out[4] += s10, out[5] += s11, out[6] += s12, out[7] += s13;
    out[8] += s20, out[9] += s21, out[10] += s22, out[11] += s23;
    out[12] += s30, out[13] += s31, out[14] += s32, out[15] += s33;
}

#endif
