/* LANES * N_VECTORS contiguous columns of `run` rows, for TYPE; `weighted` and `n_extra` are
   constants where the first of these functions is called. */
#define NAME FR_TYPED(FR_PASTE(FR_PASTE(fr_pack_, LANES), FR_PASTE(x, N_VECTORS)))
#define IN_VECTOR FR_PASTE(fr_, FR_PASTE(TYPE, LANES))
#define VECTOR FR_PASTE(fr_double, LANES)

FR_INLINE void FR_PASTE(NAME, _as)(const TYPE *in, ptrdiff_t row_stride, ptrdiff_t run,
                                   const double *minus, const fr_terms *terms, double *out,
                                   ptrdiff_t width, int weighted, int n_extra)
{
    VECTOR less[N_VECTORS], sum[N_VECTORS], product[FR_MAX_EXTRA][N_VECTORS];
    const double *scale = terms->scale;
    FR_UNROLL for (int v = 0; v < N_VECTORS; v++) {
        memcpy(&less[v], minus + v * LANES, sizeof less[v]);
        sum[v] = (VECTOR){0.0};
        FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++) product[e][v] = (VECTOR){0.0};
    }
    for (ptrdiff_t k = 0; k < run; k++) {
        FR_UNROLL for (int v = 0; v < N_VECTORS; v++) {
            IN_VECTOR from;
            memcpy(&from, in + k * row_stride + v * LANES, sizeof from);
            VECTOR z = __builtin_convertvector(from, VECTOR) - less[v];
            if (weighted) z *= scale[k];
            memcpy(out + k * width + v * LANES, &z, sizeof z);
            sum[v] += weighted ? z * scale[k] : z;
            FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)
                if (e < n_extra) product[e][v] += z * terms->extra[e][k];
        }
    }
    FR_UNROLL for (int v = 0; v < N_VECTORS; v++)
        for (int u = 0; u < LANES; u++) {
            terms->sums[v * LANES + u] += sum[v][u];
            FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)
                if (e < n_extra) terms->cross[e][v * LANES + u] += product[e][v][u];
        }
}

static inline void NAME(const TYPE *in, ptrdiff_t row_stride, ptrdiff_t run, const double *minus,
                        const fr_terms *terms, double *out, ptrdiff_t width)
{
#define AS(WEIGHTED, N_EXTRA) \
    FR_PASTE(NAME, _as)(in, row_stride, run, minus, terms, out, width, WEIGHTED, N_EXTRA)
    switch ((terms->scale ? 4 : 0) + terms->n_extra) {
    case 0: AS(0, 0); break;
    case 1: AS(0, 1); break;
    case 2: AS(0, 2); break;
    case 3: AS(0, 3); break;
    case 4: AS(1, 0); break;
    case 5: AS(1, 1); break;
    case 6: AS(1, 2); break;
    default: AS(1, 3);
    }
#undef AS
}

#undef NAME
#undef IN_VECTOR
#undef VECTOR
#undef LANES
#undef N_VECTORS
