/* What a stochastic gradient step does with one dense row, for float and for double.

   The update of one row and the margin of the next are one pass over the weights:
   w += c previous; return w' x. Long rows are summed in four runs, which the compiler keeps in
   registers of their own. */
#ifndef FASTRIDGE_SGD_ROWS_H
#define FASTRIDGE_SGD_ROWS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#define FR_RESTRICT __restrict
#define FR_FETCH(address) ((void)(address))
#else
#define FR_RESTRICT restrict
#define FR_FETCH(address) __builtin_prefetch((address), 0, 3)
#endif

enum { FR_LONG_ROW = 128, FR_LINE = 64, FR_FETCHED_LINES = 16 };

/* have the processor fetch the first lines of a row */
static inline void fr_fetch_row(const char *row, ptrdiff_t bytes)
{
    const ptrdiff_t most = FR_LINE * FR_FETCHED_LINES;
    if (bytes > most) bytes = most;
    for (ptrdiff_t k = 0; k < bytes; k += FR_LINE)
        FR_FETCH(row + k);
    FR_FETCH(row + bytes - 1);
}

/* 2^(j / 16) */
static const double fr_sixteenths[16] = {
    1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916,
    1.189207115002721, 1.241857812073484, 1.2968395546510096, 1.3542555469368927,
    1.4142135623730951, 1.4768261459394993, 1.5422108254079407, 1.6104903319492543,
    1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971474,
};

/* exp(x) for x <= 0, to some 1e-15 + |x| 1e-16; 0 below -700. 2^(k / 16) times a series. */
static inline double fr_exp(double x)
{
    if (!(x > -700.0)) return x < 0.0 ? 0.0 : x;
    const double k = rint(x * 23.083120654223414);
    const double r = x - k * 0.04332169878499658, r2 = r * r;
    const int64_t place = (int64_t)k, bits = ((place >> 4) + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    const double low = r + r2 * (0.5 + r * (1.0 / 6));
    const double high = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720);
    power *= fr_sixteenths[place & 15];
    return power + power * (low + r2 * r2 * high);
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
    /* w += c previous; w' next of the new w; *gram_out = x' next. What waits for the step of   \
       row x is then one multiplication: the margin of the next row is w' next + c_x x' next. */ \
    static inline double fr_look_ahead_##SUFFIX(REAL *FR_RESTRICT w, REAL c,                   \
                                                const REAL *previous, const REAL *x,           \
                                                const REAL *next, ptrdiff_t n, double *gram_out) \
    {                                                                                          \
        REAL sum = 0, gram = 0;                                                                \
        for (ptrdiff_t k = 0; k < n; k++) {                                                    \
            const REAL v = w[k] + c * previous[k];                                             \
            w[k] = v;                                                                          \
            sum += v * next[k];                                                                \
            gram += x[k] * next[k];                                                            \
        }                                                                                      \
        *gram_out = (double)gram;                                                              \
        return (double)sum;                                                                    \
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

/* v' x of a sparse row x of n entries, whose successor in the epoch is fetched meanwhile: the
   processor cannot know where it lies */
#define FR_SPARSE_ROWS(REAL, INDEX, SUFFIX)                                                    \
    static inline double fr_sparse_margin_##SUFFIX(                                            \
        const REAL *v, const REAL *x, const INDEX *place, ptrdiff_t n, const REAL *next,       \
        const INDEX *next_place, ptrdiff_t n_next)                                             \
    {                                                                                          \
        REAL sum = 0, s1 = 0, s2 = 0, s3 = 0;                                                  \
        ptrdiff_t k = 0;                                                                       \
        for (; k + 8 <= n; k += 8) {                                                           \
            if (k < n_next) {                                                                  \
                FR_FETCH(next + k);                                                            \
                FR_FETCH(next_place + k);                                                      \
            }                                                                                  \
            sum += v[place[k]] * x[k] + v[place[k + 4]] * x[k + 4];                            \
            s1 += v[place[k + 1]] * x[k + 1] + v[place[k + 5]] * x[k + 5];                     \
            s2 += v[place[k + 2]] * x[k + 2] + v[place[k + 6]] * x[k + 6];                     \
            s3 += v[place[k + 3]] * x[k + 3] + v[place[k + 7]] * x[k + 7];                     \
        }                                                                                      \
        for (ptrdiff_t j = k; j < n_next && j < k + 64; j += 8) {                              \
            FR_FETCH(next + j);                                                                \
            FR_FETCH(next_place + j);                                                          \
        }                                                                                      \
        for (; k < n; k++)                                                                     \
            sum += v[place[k]] * x[k];                                                         \
        return (double)((sum + s1) + (s2 + s3));                                               \
    }

FR_SPARSE_ROWS(double, int, double_int)
FR_SPARSE_ROWS(float, int, float_int)
FR_SPARSE_ROWS(double, long long, double_long)
FR_SPARSE_ROWS(float, long long, float_long)

#endif
