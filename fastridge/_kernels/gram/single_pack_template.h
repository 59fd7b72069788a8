/* The functions of single.h for one TYPE of data, float or double, with contiguous rows. */
#define IN_VECTOR FR_PASTE(fr_, FR_PASTE(TYPE, 8))

FR_INLINE void FR_TYPED(fr_single_pack_as)(const TYPE *in, ptrdiff_t row_stride, ptrdiff_t depth,
                                           const fr_terms *terms, const double *unit, float *out,
                                           ptrdiff_t width, int n_vectors, int n_extra)
{
    fr_double8 less[3], by[3], sum[3], product[FR_MAX_EXTRA][3];
    const double *scale = terms->scale;
    FR_UNROLL for (int v = 0; v < 3; v++) {
        if (v < n_vectors) {
            memcpy(&less[v], terms->shift + 8 * v, sizeof less[v]);
            memcpy(&by[v], unit + 8 * v, sizeof by[v]);
        }
        sum[v] = (fr_double8){0.0};
        FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++) product[e][v] = (fr_double8){0.0};
    }
    for (ptrdiff_t k = 0; k < depth; k++)
        FR_UNROLL for (int v = 0; v < 3; v++)
            if (v < n_vectors) {
                IN_VECTOR from;
                memcpy(&from, in + k * row_stride + 8 * v, sizeof from);
                const fr_double8 z = (__builtin_convertvector(from, fr_double8) - less[v]) * scale[k];
                const fr_float8 stored = __builtin_convertvector(z * by[v], fr_float8);
                memcpy(out + k * width + 8 * v, &stored, sizeof stored);
                sum[v] += z * scale[k];
                FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)
                    if (e < n_extra) product[e][v] += z * terms->extra[e][k];
            }
    FR_UNROLL for (int v = 0; v < 3; v++)
        for (int u = 0; v < n_vectors && u < 8; u++) {
            terms->sums[8 * v + u] += sum[v][u];
            FR_UNROLL for (int e = 0; e < FR_MAX_EXTRA; e++)
                if (e < n_extra) terms->cross[e][8 * v + u] += product[e][v][u];
        }
}

static inline void FR_TYPED(fr_single_pack_vectors)(const TYPE *in, ptrdiff_t row_stride,
                                                    ptrdiff_t depth, const fr_terms *terms,
                                                    const double *unit, float *out,
                                                    ptrdiff_t width, int n_vectors)
{
#define AS(N_VECTORS, N_EXTRA) \
    FR_TYPED(fr_single_pack_as)(in, row_stride, depth, terms, unit, out, width, N_VECTORS, N_EXTRA)
    switch ((n_vectors == 3 ? 4 : 0) + (int)terms->n_extra) {
    case 1: AS(1, 1); break;
    case 2: AS(1, 2); break;
    case 3: AS(1, 3); break;
    case 5: AS(3, 1); break;
    case 6: AS(3, 2); break;
    default: AS(3, 3);
    }
#undef AS
}

/* tile[k, j] = (x[k, j] - shift[j]) * scale[k] * unit[j] for all columns, of 1 to 3 extra ones. */
static inline void FR_TYPED(fr_single_pack)(const TYPE *x, ptrdiff_t row_stride, ptrdiff_t depth,
                                            ptrdiff_t columns, const fr_terms *terms,
                                            const double *unit, float *tile, ptrdiff_t tile_depth)
{
    for (ptrdiff_t panel = 0; panel < columns;) {
        const ptrdiff_t width = fr_single_width(panel, columns);
        const ptrdiff_t count = width < columns - panel ? width : columns - panel;
        float *out = tile + panel * tile_depth;
        ptrdiff_t done = 0;
        while (count - done >= 8) {
            const int n_vectors = count - done >= 24 ? 3 : 1;
            const fr_terms here = fr_terms_at(terms, 0, panel + done);
            FR_TYPED(fr_single_pack_vectors)(x + panel + done, row_stride, depth, &here,
                                             unit + panel + done, out + done, width, n_vectors);
            done += 8 * n_vectors;
        }
        for (; done < count; done++) {
            const fr_terms here = fr_terms_at(terms, 0, panel + done);
            for (ptrdiff_t k = 0; k < depth; k++) {
                const double z = ((double)x[k * row_stride + panel + done] - *here.shift) * here.scale[k];
                out[k * width + done] = (float)(z * unit[panel + done]);
                *here.sums += z * here.scale[k];
                for (ptrdiff_t e = 0; e < here.n_extra; e++) *here.cross[e] += z * here.extra[e][k];
            }
        }
        panel += width;
    }
}

#undef IN_VECTOR
