/* Steps of optimisers: one pass over a parameter, its gradient and what is kept of earlier ones.

   The flags are constants where a loop is called, so that each combination is a loop of its own
   that the compiler turns into vector code. A flag that is off leaves its term out: multiplied by
   zero, an infinity would turn into NaN. */
#ifndef FASTRIDGE_OPTIMIZER_STEPS_H
#define FASTRIDGE_OPTIMIZER_STEPS_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_MSC_VER)
#define FR_RESTRICT __restrict
#define FR_INLINE static __forceinline
#else
#define FR_RESTRICT restrict
#define FR_INLINE static inline __attribute__((always_inline))
#endif

/* Asks for what comes 2 KiB after the next FR_BLOCK bytes of an array, a cache line at a time.
   Steps on arrays that no near cache holds then take some seven eighths of the time. */
enum { FR_BLOCK = 256, FR_AHEAD = 2048 };
#if defined(__GNUC__)
FR_INLINE void fr_fetch(const void *at)
{
    for (int byte = 0; byte < FR_BLOCK; byte += 64)
        __builtin_prefetch((const void *)((uintptr_t)at + FR_AHEAD + byte), 1, 3);
}
#else
FR_INLINE void fr_fetch(const void *at) { (void)at; }
#endif

/* The larger one; NaN, once it is there, stays. */
#define FR_LARGER(new, old) ((new) > (old) || (new) != (new) ? (new) : (old))

/* Zero in place of what is too small for a normal number. Where gradients are zero from some step
   on, a mean would shrink to the least denormals and stay there, for 0.9 times four of them rounds
   to four; every step on such numbers takes some six times as long. */
#define FR_NORMAL(value, least) ((value) < (least) && (value) > -(least) ? 0 : (value))

/* d = sign g + weight_decay p
   buffer <- keep buffer + take d;  d <- nesterov ? d + momentum buffer : buffer
   p <- p - lr d */
typedef struct {
    double sign, weight_decay, keep, take, momentum, lr;
} fr_sgd_factors;

#define FR_SGD(TYPE, LEAST)                                                                    \
    FR_INLINE void fr_sgd_as_##TYPE(TYPE *FR_RESTRICT p, const TYPE *FR_RESTRICT g,            \
                                    TYPE *FR_RESTRICT buffer, const fr_sgd_factors *by,        \
                                    ptrdiff_t n, int penalised, int averaged, int nesterov)    \
    {                                                                                          \
        const TYPE sign = (TYPE)by->sign, weight_decay = (TYPE)by->weight_decay;               \
        const TYPE keep = (TYPE)by->keep, take = (TYPE)by->take;                               \
        const TYPE momentum = (TYPE)by->momentum, lr = (TYPE)by->lr;                           \
        for (ptrdiff_t k = 0; k < n; k++) {                                                    \
            TYPE d = sign * g[k];                                                              \
            if (penalised) d += weight_decay * p[k];                                           \
            if (averaged) {                                                                    \
                TYPE kept = keep * buffer[k] + take * d;                                       \
                kept = FR_NORMAL(kept, LEAST);                                                 \
                buffer[k] = kept;                                                              \
                d = nesterov ? d + momentum * kept : kept;                                     \
            }                                                                                  \
            p[k] -= lr * d;                                                                    \
        }                                                                                      \
    }                                                                                          \
    FR_INLINE void fr_sgd_over_##TYPE(TYPE *p, const TYPE *g, TYPE *buffer,                    \
                                      const fr_sgd_factors *by, ptrdiff_t n, int penalised,    \
                                      int averaged, int nesterov)                              \
    {                                                                                          \
        const ptrdiff_t block = FR_BLOCK / sizeof(TYPE);                                       \
        ptrdiff_t k = 0;                                                                       \
        for (; k + block <= n; k += block) {                                                   \
            fr_fetch(p + k);                                                                   \
            fr_fetch(g + k);                                                                   \
            if (averaged) fr_fetch(buffer + k);                                                \
            fr_sgd_as_##TYPE(p + k, g + k, averaged ? buffer + k : NULL, by, block, penalised, \
                             averaged, nesterov);                                              \
        }                                                                                      \
        fr_sgd_as_##TYPE(p + k, g + k, averaged ? buffer + k : NULL, by, n - k, penalised,     \
                         averaged, nesterov);                                                  \
    }                                                                                          \
    static inline void fr_sgd_##TYPE(TYPE *p, const TYPE *g, TYPE *buffer,                     \
                                     const fr_sgd_factors *by, ptrdiff_t n, int nesterov)      \
    {                                                                                          \
        switch ((by->weight_decay != 0.0 ? 3 : 0) + (buffer ? 1 + (nesterov != 0) : 0)) {      \
        case 0: fr_sgd_over_##TYPE(p, g, NULL, by, n, 0, 0, 0); break;                         \
        case 1: fr_sgd_over_##TYPE(p, g, buffer, by, n, 0, 1, 0); break;                       \
        case 2: fr_sgd_over_##TYPE(p, g, buffer, by, n, 0, 1, 1); break;                       \
        case 3: fr_sgd_over_##TYPE(p, g, NULL, by, n, 1, 0, 0); break;                         \
        case 4: fr_sgd_over_##TYPE(p, g, buffer, by, n, 1, 1, 0); break;                       \
        default: fr_sgd_over_##TYPE(p, g, buffer, by, n, 1, 1, 1);                             \
        }                                                                                      \
    }
FR_SGD(double, DBL_MIN)
FR_SGD(float, FLT_MIN)

/* d = sign g + weight_decay p
   exp_avg <- beta1 exp_avg + rest1 d
   exp_avg_sq <- beta2 exp_avg_sq + rest2 d^2
   max_exp_avg_sq <- max(max_exp_avg_sq, exp_avg_sq), and with amsgrad in place of exp_avg_sq below
   p <- shrink p - rate exp_avg / (sqrt(exp_avg_sq) correction + eps) */
typedef struct {
    double sign, weight_decay, beta1, rest1, beta2, rest2, shrink, rate, correction, eps;
} fr_adam_factors;

#define FR_ADAM(TYPE, SQRT, LEAST)                                                             \
    FR_INLINE void fr_adam_as_##TYPE(                                                          \
        TYPE *FR_RESTRICT p, const TYPE *FR_RESTRICT g, TYPE *FR_RESTRICT exp_avg,             \
        TYPE *FR_RESTRICT exp_avg_sq, TYPE *FR_RESTRICT max_exp_avg_sq,                        \
        const fr_adam_factors *by, ptrdiff_t n, int penalised, int amsgrad)                    \
    {                                                                                          \
        const TYPE sign = (TYPE)by->sign, weight_decay = (TYPE)by->weight_decay;               \
        const TYPE beta1 = (TYPE)by->beta1, rest1 = (TYPE)by->rest1;                           \
        const TYPE beta2 = (TYPE)by->beta2, rest2 = (TYPE)by->rest2;                           \
        const TYPE shrink = (TYPE)by->shrink, rate = (TYPE)by->rate;                           \
        const TYPE correction = (TYPE)by->correction, eps = (TYPE)by->eps;                     \
        for (ptrdiff_t k = 0; k < n; k++) {                                                    \
            TYPE d = sign * g[k];                                                              \
            if (penalised) d += weight_decay * p[k];                                           \
            TYPE m = beta1 * exp_avg[k] + rest1 * d;                                           \
            TYPE s = beta2 * exp_avg_sq[k] + rest2 * (d * d);                                  \
            m = FR_NORMAL(m, LEAST);                                                           \
            s = FR_NORMAL(s, LEAST);                                                           \
            exp_avg[k] = m;                                                                    \
            exp_avg_sq[k] = s;                                                                 \
            if (amsgrad) {                                                                     \
                s = FR_LARGER(s, max_exp_avg_sq[k]);                                           \
                max_exp_avg_sq[k] = s;                                                         \
            }                                                                                  \
            p[k] = shrink * p[k] - rate * m / (SQRT(s) * correction + eps);                    \
        }                                                                                      \
    }                                                                                          \
    FR_INLINE void fr_adam_over_##TYPE(TYPE *p, const TYPE *g, TYPE *m, TYPE *s, TYPE *top,    \
                                       const fr_adam_factors *by, ptrdiff_t n, int penalised,  \
                                       int amsgrad)                                            \
    {                                                                                          \
        const ptrdiff_t block = FR_BLOCK / sizeof(TYPE);                                       \
        ptrdiff_t k = 0;                                                                       \
        for (; k + block <= n; k += block) {                                                   \
            fr_fetch(p + k);                                                                   \
            fr_fetch(g + k);                                                                   \
            fr_fetch(m + k);                                                                   \
            fr_fetch(s + k);                                                                   \
            if (amsgrad) fr_fetch(top + k);                                                    \
            fr_adam_as_##TYPE(p + k, g + k, m + k, s + k, amsgrad ? top + k : NULL, by, block, \
                              penalised, amsgrad);                                             \
        }                                                                                      \
        fr_adam_as_##TYPE(p + k, g + k, m + k, s + k, amsgrad ? top + k : NULL, by, n - k,     \
                          penalised, amsgrad);                                                 \
    }                                                                                          \
    static inline void fr_adam_##TYPE(TYPE *p, const TYPE *g, TYPE *exp_avg, TYPE *exp_avg_sq, \
                                      TYPE *max_exp_avg_sq, const fr_adam_factors *by,         \
                                      ptrdiff_t n)                                             \
    {                                                                                          \
        TYPE *m = exp_avg, *s = exp_avg_sq, *top = max_exp_avg_sq;                             \
        switch ((by->weight_decay != 0.0 ? 2 : 0) + (top != NULL)) {                           \
        case 0: fr_adam_over_##TYPE(p, g, m, s, NULL, by, n, 0, 0); break;                     \
        case 1: fr_adam_over_##TYPE(p, g, m, s, top, by, n, 0, 1); break;                      \
        case 2: fr_adam_over_##TYPE(p, g, m, s, NULL, by, n, 1, 0); break;                     \
        default: fr_adam_over_##TYPE(p, g, m, s, top, by, n, 1, 1);                            \
        }                                                                                      \
    }
FR_ADAM(double, sqrt, DBL_MIN)
FR_ADAM(float, sqrtf, FLT_MIN)

enum { FR_SUMS = 256 }; /* sums side by side, so that no vector width changes their order */

/* |value|^order, with an order of 1 or 2 known while compiling as `whole` */
FR_INLINE double fr_power(double value, double order, int whole)
{
    return whole == 2 ? value * value : whole == 1 ? fabs(value) : pow(fabs(value), order);
}

/* sum_k |scale x[k]|^order in double; max_k |x[k]|; x <- factor x */
#define FR_NORMS(TYPE)                                                                         \
    FR_INLINE double fr_sum_powers_as_##TYPE(const TYPE *x, double order, double scale,        \
                                             ptrdiff_t n, int whole)                           \
    {                                                                                          \
        double sums[FR_SUMS] = {0.0}, total = 0.0;                                             \
        for (ptrdiff_t k = 0; k < n; k += FR_SUMS) {                                           \
            const ptrdiff_t count = n - k < FR_SUMS ? n - k : FR_SUMS;                         \
            for (ptrdiff_t u = 0; u < count; u++)                                              \
                sums[u] += fr_power(scale * (double)x[k + u], order, whole);                   \
        }                                                                                      \
        for (int u = 0; u < FR_SUMS; u++) total += sums[u];                                    \
        return total;                                                                          \
    }                                                                                          \
    static inline double fr_sum_powers_##TYPE(const TYPE *x, double order, double scale,       \
                                              ptrdiff_t n)                                     \
    {                                                                                          \
        if (order == 2.0) return fr_sum_powers_as_##TYPE(x, order, scale, n, 2);               \
        if (order == 1.0) return fr_sum_powers_as_##TYPE(x, order, scale, n, 1);               \
        return fr_sum_powers_as_##TYPE(x, order, scale, n, 0);                                 \
    }                                                                                          \
    static inline double fr_largest_##TYPE(const TYPE *x, ptrdiff_t n)                         \
    {                                                                                          \
        TYPE tops[FR_SUMS] = {0}, largest = 0;                                                 \
        for (ptrdiff_t k = 0; k < n; k += FR_SUMS) {                                           \
            const ptrdiff_t count = n - k < FR_SUMS ? n - k : FR_SUMS;                         \
            for (ptrdiff_t u = 0; u < count; u++) {                                            \
                const TYPE value = x[k + u] < 0 ? -x[k + u] : x[k + u];                        \
                tops[u] = FR_LARGER(value, tops[u]);                                           \
            }                                                                                  \
        }                                                                                      \
        for (int u = 0; u < FR_SUMS; u++) largest = FR_LARGER(tops[u], largest);               \
        return (double)largest;                                                                \
    }                                                                                          \
    static inline void fr_scale_##TYPE(TYPE *x, double factor, ptrdiff_t n)                    \
    {                                                                                          \
        const TYPE by = (TYPE)factor;                                                          \
        for (ptrdiff_t k = 0; k < n; k++) x[k] *= by;                                          \
    }
FR_NORMS(double)
FR_NORMS(float)

#endif
