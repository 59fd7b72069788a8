/* out[j] += factor[0] (a[j] - minus[j]) + ... + factor[3] (d[j] - minus[j]), for one TYPE */
static inline void FR_TYPED(fr_add_about)(const TYPE *FR_RESTRICT a, const TYPE *FR_RESTRICT b,
                                          const TYPE *FR_RESTRICT c, const TYPE *FR_RESTRICT d,
                                          const double *factor, const double *FR_RESTRICT minus,
                                          ptrdiff_t n, double *FR_RESTRICT out)
{
    const double fa = factor[0], fb = factor[1], fc = factor[2], fd = factor[3];
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] += (fa * (a[j] - minus[j]) + fb * (b[j] - minus[j]))
                  + (fc * (c[j] - minus[j]) + fd * (d[j] - minus[j]));
}

/* The same for four sums at once: factor[4 t + i] is that of row i in sum t */
static inline void FR_TYPED(fr_add_four_about)(const TYPE *FR_RESTRICT a, const TYPE *FR_RESTRICT b,
                                               const TYPE *FR_RESTRICT c, const TYPE *FR_RESTRICT d,
                                               const double *factor,
                                               const double *FR_RESTRICT minus, ptrdiff_t n,
                                               ptrdiff_t step, double *out)
{
    double *FR_RESTRICT first = out;
    double *FR_RESTRICT second = out + step;
    double *FR_RESTRICT third = out + 2 * step;
    double *FR_RESTRICT fourth = out + 3 * step;
    double f[16];
    for (int k = 0; k < 16; k++)
        f[k] = factor[k];
    for (ptrdiff_t j = 0; j < n; j++) {
        const double x = a[j] - minus[j], y = b[j] - minus[j];
        const double z = c[j] - minus[j], w = d[j] - minus[j];
        first[j] += (f[0] * x + f[1] * y) + (f[2] * z + f[3] * w);
        second[j] += (f[4] * x + f[5] * y) + (f[6] * z + f[7] * w);
        third[j] += (f[8] * x + f[9] * y) + (f[10] * z + f[11] * w);
        fourth[j] += (f[12] * x + f[13] * y) + (f[14] * z + f[15] * w);
    }
}

/* out[k step + i] = intercept[k] + sum_j coef[k n + j] (row_i[j] - minus[j]) of four rows, whose
   values about the shift are kept in `work`, of 4 n values */
static inline void FR_TYPED(fr_dot_four_about)(const TYPE *a, const TYPE *b, const TYPE *c,
                                               const TYPE *d, const double *FR_RESTRICT minus,
                                               ptrdiff_t n, const double *FR_RESTRICT coef,
                                               const double *intercept, ptrdiff_t n_vectors,
                                               double *FR_RESTRICT work, ptrdiff_t step,
                                               double *out)
{
    double *FR_RESTRICT x = work;
    double *FR_RESTRICT y = work + n;
    double *FR_RESTRICT z = work + 2 * n;
    double *FR_RESTRICT w = work + 3 * n;
    for (ptrdiff_t j = 0; j < n; j++) {
        x[j] = a[j] - minus[j];
        y[j] = b[j] - minus[j];
        z[j] = c[j] - minus[j];
        w[j] = d[j] - minus[j];
    }
    for (ptrdiff_t k = 0; k < n_vectors; k++) {
        const double *FR_RESTRICT v = coef + k * n;
        double first = 0.0, second = 0.0, third = 0.0, fourth = 0.0;
        for (ptrdiff_t j = 0; j < n; j++) {
            first += v[j] * x[j];
            second += v[j] * y[j];
            third += v[j] * z[j];
            fourth += v[j] * w[j];
        }
        out[k * step] = intercept[k] + first;
        out[k * step + 1] = intercept[k] + second;
        out[k * step + 2] = intercept[k] + third;
        out[k * step + 3] = intercept[k] + fourth;
    }
}
