/* The product with one sparse row. Included by sgd_rows.h for each type of number and of index,
   with FR_REAL, FR_INDEX and FR_NAME(name). */

/* v' x of n entries; meanwhile the next row of the epoch is prefetched, since the processor cannot
   guess its address */
static inline double FR_NAME(fr_sparse_dot)(const FR_REAL *v, const FR_REAL *x,
                                            const FR_INDEX *index, ptrdiff_t n,
                                            const FR_REAL *next, const FR_INDEX *next_index,
                                            ptrdiff_t n_next)
{
    FR_REAL sum = 0, s1 = 0, s2 = 0, s3 = 0;
    ptrdiff_t k = 0;
    for (; k + 8 <= n; k += 8) {
        if (k < n_next) {
            FR_FETCH(next + k);
            FR_FETCH(next_index + k);
        }
        sum += v[index[k]] * x[k] + v[index[k + 4]] * x[k + 4];
        s1 += v[index[k + 1]] * x[k + 1] + v[index[k + 5]] * x[k + 5];
        s2 += v[index[k + 2]] * x[k + 2] + v[index[k + 6]] * x[k + 6];
        s3 += v[index[k + 3]] * x[k + 3] + v[index[k + 7]] * x[k + 7];
    }
    for (ptrdiff_t j = k; j < n_next && j < k + 64; j += 8) {
        FR_FETCH(next + j);
        FR_FETCH(next_index + j);
    }
    for (; k < n; k++)
        sum += v[index[k]] * x[k];
    return (double)((sum + s1) + (s2 + s3));
}
