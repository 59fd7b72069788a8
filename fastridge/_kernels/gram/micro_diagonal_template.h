/* The product of micro_template.h for 8 rows on the diagonal and COLUMNS columns, without the
   4 x 4 block below it: rows 4 to 7 begin at column 4, with half a vector. */
static void FR_PASTE(fr_diagonal_8x, COLUMNS)(ptrdiff_t depth, const double *a, ptrdiff_t a_step,
                                              const double *b, ptrdiff_t b_step, double *c,
                                              ptrdiff_t ldc, const char *next_rows)
{
    enum { N_VECTORS = COLUMNS / 8 };
    fr_double8 upper[4][N_VECTORS], lower[4][N_VECTORS];
    fr_double4 half[4];
    FR_UNROLL for (int i = 0; i < 4; i++) {
        FR_UNROLL for (int v = 0; v < N_VECTORS; v++) upper[i][v] = lower[i][v] = (fr_double8){0.0};
        half[i] = (fr_double4){0.0};
    }
    for (ptrdiff_t k = 0; k < depth; k++) {
        fr_double8 row[N_VECTORS];
        fr_double4 part;
        FR_PREFETCH(next_rows + 64 * k);
        FR_UNROLL for (int v = 0; v < N_VECTORS; v++) memcpy(&row[v], b + v * 8, sizeof row[v]);
        memcpy(&part, b + 4, sizeof part);
        FR_UNROLL for (int i = 0; i < 4; i++) {
            FR_UNROLL for (int v = 0; v < N_VECTORS; v++) upper[i][v] += a[i] * row[v];
            FR_UNROLL for (int v = 1; v < N_VECTORS; v++) lower[i][v] += a[4 + i] * row[v];
            half[i] += a[4 + i] * part;
        }
        a += a_step;
        b += b_step;
    }
    FR_UNROLL for (int i = 0; i < 4; i++) {
        double *below = c + (4 + i) * ldc;
        fr_double4 four;
        FR_UNROLL for (int v = 0; v < N_VECTORS; v++) {
            fr_double8 out;
            memcpy(&out, c + i * ldc + v * 8, sizeof out);
            out += upper[i][v];
            memcpy(c + i * ldc + v * 8, &out, sizeof out);
        }
        FR_UNROLL for (int v = 1; v < N_VECTORS; v++) {
            fr_double8 out;
            memcpy(&out, below + v * 8, sizeof out);
            out += lower[i][v];
            memcpy(below + v * 8, &out, sizeof out);
        }
        memcpy(&four, below + 4, sizeof four);
        four += half[i];
        memcpy(below + 4, &four, sizeof four);
    }
}

#undef COLUMNS
