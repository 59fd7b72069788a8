/* C[i, :] += sum_k a[k, i] b[k, :]  for i < ROWS and COLUMNS columns, in vectors of LANES values of
   type CELL; C holds doubles. The function is called NAME_ROWSxCOLUMNS. */
#define VECTOR FR_PASTE(FR_PASTE(fr_, CELL), LANES)
#define WIDE FR_PASTE(fr_double, LANES)

static void FR_PASTE(FR_PASTE(NAME, ROWS), FR_PASTE(x, COLUMNS))(
    ptrdiff_t depth, const CELL *a, ptrdiff_t a_step, const CELL *b, ptrdiff_t b_step,
    double *c, ptrdiff_t ldc, const char *next_rows)
{
    enum { N_VECTORS = COLUMNS / LANES };
    VECTOR acc[ROWS][N_VECTORS];
    FR_UNROLL for (int i = 0; i < ROWS; i++)
        FR_UNROLL for (int v = 0; v < N_VECTORS; v++) acc[i][v] = (VECTOR){0};
    for (ptrdiff_t k = 0; k < depth; k++) {
        VECTOR row[N_VECTORS];
        FR_PREFETCH(next_rows + 64 * k);
        FR_UNROLL for (int v = 0; v < N_VECTORS; v++)
            memcpy(&row[v], b + v * LANES, sizeof row[v]);
        FR_UNROLL for (int i = 0; i < ROWS; i++)
            FR_UNROLL for (int v = 0; v < N_VECTORS; v++) acc[i][v] += a[i] * row[v];
        a += a_step;
        b += b_step;
    }
    FR_UNROLL for (int i = 0; i < ROWS; i++)
        FR_UNROLL for (int v = 0; v < N_VECTORS; v++) {
            WIDE out;
            memcpy(&out, c + i * ldc + v * LANES, sizeof out);
            out += __builtin_convertvector(acc[i][v], WIDE);
            memcpy(c + i * ldc + v * LANES, &out, sizeof out);
        }
}

#undef VECTOR
#undef WIDE
#undef ROWS
#undef LANES
#undef COLUMNS
