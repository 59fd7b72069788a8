/* The function of interleave.h for one TYPE, float or double. */

#if !FR_VECTORS
static inline void FR_TYPED(fr_transpose_block)(const TYPE *const *columns, ptrdiff_t i, TYPE *out,
                                                ptrdiff_t n)
{
    (void)n;
    *out = columns[0][i];
}
#endif

/* Rows begin:end of n columns; the first of them is written to the first row of `out`. */
static inline void FR_TYPED(fr_interleave)(const TYPE *const *columns, ptrdiff_t n,
                                           ptrdiff_t begin, ptrdiff_t end, TYPE *out)
{
    const ptrdiff_t size = FR_TYPED(FR_BLOCK);
    for (ptrdiff_t first = begin; first < end; first += FR_INTERLEAVED_ROWS) {
        const ptrdiff_t left = end - first;
        const ptrdiff_t run = left < FR_INTERLEAVED_ROWS ? left : FR_INTERLEAVED_ROWS;
        const ptrdiff_t whole = run / size * size;
        TYPE *rows = out + (first - begin) * n;
        ptrdiff_t j = 0;
        for (; j + size <= n; j += size) {
            for (ptrdiff_t i = 0; i < whole; i += size) {
                FR_PREFETCH((const char *)(columns[j + i / size % size] + first + i)
                            + FR_INTERLEAVED_ROWS * sizeof(TYPE));
                FR_TYPED(fr_transpose_block)(columns + j, first + i, rows + i * n + j, n);
            }
            for (ptrdiff_t i = whole; i < run; i++)
                for (ptrdiff_t c = j; c < j + size; c++)
                    rows[i * n + c] = columns[c][first + i];
        }
        for (; j < n; j++)
            for (ptrdiff_t i = 0; i < run; i++) rows[i * n + j] = columns[j][first + i];
    }
}
