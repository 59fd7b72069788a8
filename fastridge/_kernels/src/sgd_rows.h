/* What a stochastic gradient step does with one dense row, for float and for double.

   The update of one row and the margin of the next are one pass over the weights:
   w += c previous; return w' x. Long rows are summed in four runs, which the compiler keeps in
   registers of their own. */
#ifndef FASTRIDGE_SGD_ROWS_H
#define FASTRIDGE_SGD_ROWS_H

#include <stddef.h>

#if defined(_MSC_VER)
#define FR_RESTRICT __restrict
#define FR_FETCH(address) ((void)(address))
#else
#define FR_RESTRICT restrict
#define FR_FETCH(address) __builtin_prefetch((address), 0, 3)
#endif

enum { FR_LONG_ROW = 128, FR_LINE = 64, FR_FETCHED_LINES = 64 };

/* have the processor fetch the first lines of a row */
static inline void fr_fetch_row(const char *row, ptrdiff_t bytes)
{
    const ptrdiff_t most = FR_LINE * FR_FETCHED_LINES;
    if (bytes > most) bytes = most;
    for (ptrdiff_t k = 0; k < bytes; k += FR_LINE)
        FR_FETCH(row + k);
}

#define FR_SGD_ROWS(REAL, SUFFIX)                                                              \
    /* w' x */                                                                                 \
    static inline double fr_margin_##SUFFIX(const REAL *FR_RESTRICT w,                         \
                                            const REAL *FR_RESTRICT x, ptrdiff_t n)            \
    {                                                                                          \
        REAL sum = 0, s1 = 0, s2 = 0, s3 = 0;                                                  \
        ptrdiff_t k = 0;                                                                       \
        if (n >= FR_LONG_ROW) {                                                                \
            const ptrdiff_t run = n / 64 * 16;                                                 \
            const REAL *FR_RESTRICT w1 = w + run, *FR_RESTRICT w2 = w + 2 * run,               \
                       *FR_RESTRICT w3 = w + 3 * run, *FR_RESTRICT x1 = x + run,               \
                       *FR_RESTRICT x2 = x + 2 * run, *FR_RESTRICT x3 = x + 3 * run;           \
            for (; k < run; k++) {                                                             \
                sum += w[k] * x[k];                                                            \
                s1 += w1[k] * x1[k];                                                           \
                s2 += w2[k] * x2[k];                                                           \
                s3 += w3[k] * x3[k];                                                           \
            }                                                                                  \
            k = 4 * run;                                                                       \
        }                                                                                      \
        for (; k < n; k++)                                                                     \
            sum += w[k] * x[k];                                                                \
        return (double)((sum + s1) + (s2 + s3));                                               \
    }                                                                                          \
    /* w += c previous; w' x of the new w */                                                   \
    static inline double fr_step_margin_##SUFFIX(REAL *FR_RESTRICT w, REAL c,                  \
                                                 const REAL *FR_RESTRICT previous,             \
                                                 const REAL *FR_RESTRICT x, ptrdiff_t n)       \
    {                                                                                          \
        REAL sum = 0, s1 = 0, s2 = 0, s3 = 0;                                                  \
        ptrdiff_t k = 0;                                                                       \
        if (n >= FR_LONG_ROW) {                                                                \
            const ptrdiff_t run = n / 64 * 16;                                                 \
            REAL *FR_RESTRICT w1 = w + run, *FR_RESTRICT w2 = w + 2 * run,                     \
                 *FR_RESTRICT w3 = w + 3 * run;                                                \
            const REAL *FR_RESTRICT p1 = previous + run, *FR_RESTRICT p2 = previous + 2 * run, \
                       *FR_RESTRICT p3 = previous + 3 * run, *FR_RESTRICT x1 = x + run,        \
                       *FR_RESTRICT x2 = x + 2 * run, *FR_RESTRICT x3 = x + 3 * run;           \
            for (; k < run; k++) {                                                             \
                const REAL v0 = w[k] + c * previous[k], v1 = w1[k] + c * p1[k];                \
                const REAL v2 = w2[k] + c * p2[k], v3 = w3[k] + c * p3[k];                     \
                w[k] = v0, w1[k] = v1, w2[k] = v2, w3[k] = v3;                                 \
                sum += v0 * x[k], s1 += v1 * x1[k], s2 += v2 * x2[k], s3 += v3 * x3[k];        \
            }                                                                                  \
            k = 4 * run;                                                                       \
        }                                                                                      \
        for (; k < n; k++) {                                                                   \
            const REAL v = w[k] + c * previous[k];                                             \
            w[k] = v;                                                                          \
            sum += v * x[k];                                                                   \
        }                                                                                      \
        return (double)((sum + s1) + (s2 + s3));                                               \
    }                                                                                          \
    /* x' x */                                                                                 \
    static inline double fr_square_##SUFFIX(const REAL *FR_RESTRICT x, ptrdiff_t n)            \
    {                                                                                          \
        REAL sum = 0;                                                                          \
        for (ptrdiff_t k = 0; k < n; k++)                                                      \
            sum += x[k] * x[k];                                                                \
        return (double)sum;                                                                    \
    }                                                                                          \
    /* w += c x */                                                                             \
    static inline void fr_step_##SUFFIX(REAL *FR_RESTRICT w, REAL c,                           \
                                        const REAL *FR_RESTRICT x, ptrdiff_t n)                \
    {                                                                                          \
        for (ptrdiff_t k = 0; k < n; k++)                                                      \
            w[k] += c * x[k];                                                                  \
    }

FR_SGD_ROWS(double, double)
FR_SGD_ROWS(float, float)

#endif
