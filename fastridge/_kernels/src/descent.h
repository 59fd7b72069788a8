/* Sums of multiples of rows, which the compiler turns into vector code. */
#ifndef FASTRIDGE_DESCENT_H
#define FASTRIDGE_DESCENT_H

#include <stddef.h>

#if defined(_MSC_VER)
#define FR_RESTRICT __restrict
#else
#define FR_RESTRICT restrict
#endif

/* out += factor row */
static inline void fr_add_row(double *FR_RESTRICT out, const double *FR_RESTRICT row,
                              double factor, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++)
        out[k] += factor * row[k];
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
    for (ptrdiff_t k = 0; k < n; k++)
        out[k] += ((fa * a[k] + fb * b[k]) + (fc * c[k] + fd * d[k]))
                  + ((fe * e[k] + ff * f[k]) + (fg * g[k] + fh * h[k]));
}

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

/* x' y */
static inline double fr_dot(const double *FR_RESTRICT x, const double *FR_RESTRICT y, ptrdiff_t n)
{
    double sum = 0.0;
    for (ptrdiff_t k = 0; k < n; k++)
        sum += x[k] * y[k];
    return sum;
}

#endif
