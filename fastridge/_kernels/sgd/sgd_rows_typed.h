/* Use one dense row in a stochastic gradient step. Included by sgd_rows.h for each type of number,
   with FR_REAL as that type and FR_NAME(name) as the function's name for it. */

/* w' x */
static inline double FR_NAME(fr_dot)(const FR_REAL *FR_RESTRICT w, const FR_REAL *FR_RESTRICT x,
                                     ptrdiff_t n)
{
    FR_REAL sum = 0, s1 = 0, s2 = 0, s3 = 0;
    ptrdiff_t k = 0;
    if (n >= FR_LONG_ROW) {
        const ptrdiff_t run = n / 64 * 16;
        const FR_REAL *FR_RESTRICT w1 = w + run, *FR_RESTRICT w2 = w + 2 * run,
                      *FR_RESTRICT w3 = w + 3 * run, *FR_RESTRICT x1 = x + run,
                      *FR_RESTRICT x2 = x + 2 * run, *FR_RESTRICT x3 = x + 3 * run;
        for (; k < run; k++) {
            sum += w[k] * x[k];
            s1 += w1[k] * x1[k];
            s2 += w2[k] * x2[k];
            s3 += w3[k] * x3[k];
        }
        k = 4 * run;
    }
    for (; k < n; k++)
        sum += w[k] * x[k];
    return (double)((sum + s1) + (s2 + s3));
}

/* w += c previous; w' x of the new w */
static inline double FR_NAME(fr_step_dot)(FR_REAL *FR_RESTRICT w, FR_REAL c,
                                          const FR_REAL *FR_RESTRICT previous,
                                          const FR_REAL *FR_RESTRICT x, ptrdiff_t n)
{
    FR_REAL sum = 0, s1 = 0, s2 = 0, s3 = 0;
    ptrdiff_t k = 0;
    if (n >= FR_LONG_ROW) {
        const ptrdiff_t run = n / 64 * 16;
        FR_REAL *FR_RESTRICT w1 = w + run, *FR_RESTRICT w2 = w + 2 * run,
                *FR_RESTRICT w3 = w + 3 * run;
        const FR_REAL *FR_RESTRICT p1 = previous + run, *FR_RESTRICT p2 = previous + 2 * run,
                      *FR_RESTRICT p3 = previous + 3 * run, *FR_RESTRICT x1 = x + run,
                      *FR_RESTRICT x2 = x + 2 * run, *FR_RESTRICT x3 = x + 3 * run;
        for (; k < run; k++) {
            const FR_REAL v0 = w[k] + c * previous[k], v1 = w1[k] + c * p1[k];
            const FR_REAL v2 = w2[k] + c * p2[k], v3 = w3[k] + c * p3[k];
            w[k] = v0, w1[k] = v1, w2[k] = v2, w3[k] = v3;
            sum += v0 * x[k], s1 += v1 * x1[k], s2 += v2 * x2[k], s3 += v3 * x3[k];
        }
        k = 4 * run;
    }
    for (; k < n; k++) {
        const FR_REAL v = w[k] + c * previous[k];
        w[k] = v;
        sum += v * x[k];
    }
    return (double)((sum + s1) + (s2 + s3));
}

/* w += c previous; w' next of the new w; *gram_out = x' next. The linear predictor of the next row
   is w' next + c_x x' next, so that only one multiplication has to wait for the step of row x. */
static inline double FR_NAME(fr_step_dot_next)(FR_REAL *FR_RESTRICT w, FR_REAL c,
                                               const FR_REAL *previous, const FR_REAL *x,
                                               const FR_REAL *next, ptrdiff_t n, double *gram_out)
{
    FR_REAL sum = 0, gram = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const FR_REAL v = w[k] + c * previous[k];
        w[k] = v;
        sum += v * next[k];
        gram += x[k] * next[k];
    }
    *gram_out = (double)gram;
    return (double)sum;
}

/* x' x */
static inline double FR_NAME(fr_square)(const FR_REAL *FR_RESTRICT x, ptrdiff_t n)
{
    FR_REAL sum = 0;
    for (ptrdiff_t k = 0; k < n; k++)
        sum += x[k] * x[k];
    return (double)sum;
}

/* w += c x */
static inline void FR_NAME(fr_step)(FR_REAL *FR_RESTRICT w, FR_REAL c,
                                    const FR_REAL *FR_RESTRICT x, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++)
        w[k] += c * x[k];
}
