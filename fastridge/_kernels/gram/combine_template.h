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
