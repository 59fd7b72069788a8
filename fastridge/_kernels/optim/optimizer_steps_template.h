/* The functions of optimizer_steps.h for one TYPE, float or double, with its square root SQRT and
   its least normal number LEAST. */

/* d = sign g + weight_decay p, the second term if `penalised` */
FR_INLINE TYPE FR_TYPED(fr_direction)(TYPE sign, TYPE g, TYPE weight_decay, TYPE p, int penalised)
{
    TYPE d = sign * g;
    if (penalised) d += weight_decay * p;
    return d;
}

/* d = sign g + weight_decay p
   buffer <- keep buffer + take d;  d <- nesterov ? d + momentum buffer : buffer
   p <- p - lr d */
FR_INLINE void FR_TYPED(fr_sgd_as)(TYPE *FR_RESTRICT p, const TYPE *FR_RESTRICT g,
                                   TYPE *FR_RESTRICT buffer, const fr_sgd_factors *by,
                                   ptrdiff_t n, int penalised, int averaged, int nesterov)
{
    const TYPE sign = (TYPE)by->sign, weight_decay = (TYPE)by->weight_decay;
    const TYPE keep = (TYPE)by->keep, take = (TYPE)by->take;
    const TYPE momentum = (TYPE)by->momentum, lr = (TYPE)by->lr;
    for (ptrdiff_t k = 0; k < n; k++) {
        TYPE d = FR_TYPED(fr_direction)(sign, g[k], weight_decay, p[k], penalised);
        if (averaged) {
            TYPE kept = keep * buffer[k] + take * d;
            kept = FR_NORMAL(kept, LEAST);
            buffer[k] = kept;
            d = nesterov ? d + momentum * kept : kept;
        }
        p[k] -= lr * d;
    }
}

FR_INLINE void FR_TYPED(fr_sgd_over)(TYPE *p, const TYPE *g, TYPE *buffer,
                                     const fr_sgd_factors *by, ptrdiff_t n, int penalised,
                                     int averaged, int nesterov)
{
    const ptrdiff_t block = FR_BLOCK / sizeof(TYPE);
    ptrdiff_t k = 0;
    for (; k + block <= n; k += block) {
        fr_fetch(p + k);
        fr_fetch(g + k);
        if (averaged) fr_fetch(buffer + k);
        FR_TYPED(fr_sgd_as)(p + k, g + k, averaged ? buffer + k : NULL, by, block, penalised,
                            averaged, nesterov);
    }
    FR_TYPED(fr_sgd_as)(p + k, g + k, averaged ? buffer + k : NULL, by, n - k, penalised,
                        averaged, nesterov);
}

static inline void FR_TYPED(fr_sgd)(TYPE *p, const TYPE *g, TYPE *buffer,
                                    const fr_sgd_factors *by, ptrdiff_t n, int nesterov)
{
    switch ((by->weight_decay != 0.0 ? 3 : 0) + (buffer ? 1 + (nesterov != 0) : 0)) {
    case 0: FR_TYPED(fr_sgd_over)(p, g, NULL, by, n, 0, 0, 0); break;
    case 1: FR_TYPED(fr_sgd_over)(p, g, buffer, by, n, 0, 1, 0); break;
    case 2: FR_TYPED(fr_sgd_over)(p, g, buffer, by, n, 0, 1, 1); break;
    case 3: FR_TYPED(fr_sgd_over)(p, g, NULL, by, n, 1, 0, 0); break;
    case 4: FR_TYPED(fr_sgd_over)(p, g, buffer, by, n, 1, 1, 0); break;
    default: FR_TYPED(fr_sgd_over)(p, g, buffer, by, n, 1, 1, 1);
    }
}

/* d = sign g + weight_decay p
   exp_avg <- beta1 exp_avg + rest1 d
   exp_avg_sq <- beta2 exp_avg_sq + rest2 d^2
   max_exp_avg_sq <- max(max_exp_avg_sq, exp_avg_sq), and with amsgrad in place of exp_avg_sq below
   p <- shrink p - rate exp_avg / (sqrt(exp_avg_sq) correction + eps) */
FR_INLINE void FR_TYPED(fr_adam_as)(TYPE *FR_RESTRICT p, const TYPE *FR_RESTRICT g,
                                    TYPE *FR_RESTRICT exp_avg, TYPE *FR_RESTRICT exp_avg_sq,
                                    TYPE *FR_RESTRICT max_exp_avg_sq, const fr_adam_factors *by,
                                    ptrdiff_t n, int penalised, int amsgrad)
{
    const TYPE sign = (TYPE)by->sign, weight_decay = (TYPE)by->weight_decay;
    const TYPE beta1 = (TYPE)by->beta1, rest1 = (TYPE)by->rest1;
    const TYPE beta2 = (TYPE)by->beta2, rest2 = (TYPE)by->rest2;
    const TYPE shrink = (TYPE)by->shrink, rate = (TYPE)by->rate;
    const TYPE correction = (TYPE)by->correction, eps = (TYPE)by->eps;
    for (ptrdiff_t k = 0; k < n; k++) {
        const TYPE d = FR_TYPED(fr_direction)(sign, g[k], weight_decay, p[k], penalised);
        TYPE m = beta1 * exp_avg[k] + rest1 * d;
        TYPE s = beta2 * exp_avg_sq[k] + rest2 * (d * d);
        m = FR_NORMAL(m, LEAST);
        s = FR_NORMAL(s, LEAST);
        exp_avg[k] = m;
        exp_avg_sq[k] = s;
        if (amsgrad) {
            s = FR_LARGER(s, max_exp_avg_sq[k]);
            max_exp_avg_sq[k] = s;
        }
        p[k] = shrink * p[k] - rate * m / (SQRT(s) * correction + eps);
    }
}

FR_INLINE void FR_TYPED(fr_adam_over)(TYPE *p, const TYPE *g, TYPE *m, TYPE *s, TYPE *top,
                                      const fr_adam_factors *by, ptrdiff_t n, int penalised,
                                      int amsgrad)
{
    const ptrdiff_t block = FR_BLOCK / sizeof(TYPE);
    ptrdiff_t k = 0;
    for (; k + block <= n; k += block) {
        fr_fetch(p + k);
        fr_fetch(g + k);
        fr_fetch(m + k);
        fr_fetch(s + k);
        if (amsgrad) fr_fetch(top + k);
        FR_TYPED(fr_adam_as)(p + k, g + k, m + k, s + k, amsgrad ? top + k : NULL, by, block,
                             penalised, amsgrad);
    }
    FR_TYPED(fr_adam_as)(p + k, g + k, m + k, s + k, amsgrad ? top + k : NULL, by, n - k,
                         penalised, amsgrad);
}

static inline void FR_TYPED(fr_adam)(TYPE *p, const TYPE *g, TYPE *exp_avg, TYPE *exp_avg_sq,
                                     TYPE *max_exp_avg_sq, const fr_adam_factors *by,
                                     ptrdiff_t n)
{
    TYPE *m = exp_avg, *s = exp_avg_sq, *top = max_exp_avg_sq;
    switch ((by->weight_decay != 0.0 ? 2 : 0) + (top != NULL)) {
    case 0: FR_TYPED(fr_adam_over)(p, g, m, s, NULL, by, n, 0, 0); break;
    case 1: FR_TYPED(fr_adam_over)(p, g, m, s, top, by, n, 0, 1); break;
    case 2: FR_TYPED(fr_adam_over)(p, g, m, s, NULL, by, n, 1, 0); break;
    default: FR_TYPED(fr_adam_over)(p, g, m, s, top, by, n, 1, 1);
    }
}

/* sum_k |scale x[k]|^order in double */
FR_INLINE double FR_TYPED(fr_sum_powers_as)(const TYPE *x, double order, double scale,
                                            ptrdiff_t n, int whole)
{
    double sums[FR_SUMS] = {0.0}, total = 0.0;
    for (ptrdiff_t k = 0; k < n; k += FR_SUMS) {
        const ptrdiff_t count = n - k < FR_SUMS ? n - k : FR_SUMS;
        for (ptrdiff_t u = 0; u < count; u++)
            sums[u] += fr_power(scale * (double)x[k + u], order, whole);
    }
    for (int u = 0; u < FR_SUMS; u++) total += sums[u];
    return total;
}

static inline double FR_TYPED(fr_sum_powers)(const TYPE *x, double order, double scale,
                                             ptrdiff_t n)
{
    if (order == 2.0) return FR_TYPED(fr_sum_powers_as)(x, order, scale, n, 2);
    if (order == 1.0) return FR_TYPED(fr_sum_powers_as)(x, order, scale, n, 1);
    return FR_TYPED(fr_sum_powers_as)(x, order, scale, n, 0);
}

/* max_k |x[k]| */
static inline double FR_TYPED(fr_largest)(const TYPE *x, ptrdiff_t n)
{
    TYPE tops[FR_SUMS] = {0}, largest = 0;
    for (ptrdiff_t k = 0; k < n; k += FR_SUMS) {
        const ptrdiff_t count = n - k < FR_SUMS ? n - k : FR_SUMS;
        for (ptrdiff_t u = 0; u < count; u++) {
            const TYPE value = x[k + u] < 0 ? -x[k + u] : x[k + u];
            tops[u] = FR_LARGER(value, tops[u]);
        }
    }
    for (int u = 0; u < FR_SUMS; u++) largest = FR_LARGER(tops[u], largest);
    return (double)largest;
}

/* x <- factor x */
static inline void FR_TYPED(fr_scale)(TYPE *x, double factor, ptrdiff_t n)
{
    const TYPE by = (TYPE)factor;
    for (ptrdiff_t k = 0; k < n; k++) x[k] *= by;
}
