/* Blocks of a kernel matrix, k(a_i, b_j) for rows of two tiles.

   A tile holds rows of X as its columns, packed in panels (pack.h). The inner products of a block
   come from the micro-kernels of the Gram matrix (rank_k.h), and become kernel values while they
   are in the nearest cache:

   linear      a'b                      rbf            exp(-gamma |a - b|^2)
   polynomial  (gamma a'b + coef0)^d    laplacian      exp(-gamma |a - b|_1)
   sigmoid     tanh(gamma a'b + coef0)  chi2           exp(-gamma sum (a - b)^2 / (a + b))
                                        additive_chi2  -sum (a - b)^2 / (a + b) */
#ifndef FASTRIDGE_KERNEL_BLOCK_H
#define FASTRIDGE_KERNEL_BLOCK_H

#include "exponential.h"
#include "pack.h"

enum {
    FR_LINEAR, FR_POLYNOMIAL, FR_SIGMOID, FR_RBF, FR_LAPLACIAN, FR_CHI2, FR_ADDITIVE_CHI2,
};

typedef struct {
    int name;        /* one of the above */
    int power;       /* the degree of a polynomial if it is a small integer, otherwise -1 */
    int raw;         /* stop at inner products or distances; gamma is the largest to come */
    double gamma, coef0, degree;
} fr_kernel;

/* Rows of one side of a block. */
typedef struct {
    const double *tile;
    ptrdiff_t depth, columns; /* of the tile: features, and rows of X */
    const double *squares;    /* |x|^2 of each, padded with zeros; for rbf only */
    const double *scale;      /* what its kernel values are multiplied by, padded; or NULL */
} fr_side;

static inline double fr_whole_power(double x, int power)
{
    double out = 1.0;
    for (; power; power >>= 1, x *= x)
        if (power & 1) out *= x;
    return out;
}

/* v[:n] become kernel values; they were inner products, or distances for an exponential of these. */
static inline void fr_kernel_values(const fr_kernel *kernel, double *FR_RESTRICT v, ptrdiff_t n)
{
    const double gamma = kernel->gamma, coef0 = kernel->coef0, degree = kernel->degree;
    const int power = kernel->power;
    switch (kernel->name) {
    case FR_LINEAR:
        break;
    case FR_POLYNOMIAL:
        if (power == 3)
            for (ptrdiff_t j = 0; j < n; j++) {
                const double x = gamma * v[j] + coef0;
                v[j] = x * x * x;
            }
        else if (power >= 0)
            for (ptrdiff_t j = 0; j < n; j++) v[j] = fr_whole_power(gamma * v[j] + coef0, power);
        else
            for (ptrdiff_t j = 0; j < n; j++) v[j] = pow(gamma * v[j] + coef0, degree);
        break;
    case FR_SIGMOID:
        for (ptrdiff_t j = 0; j < n; j++) v[j] = tanh(gamma * v[j] + coef0);
        break;
    case FR_ADDITIVE_CHI2:
        for (ptrdiff_t j = 0; j < n; j++) v[j] = -v[j];
        break;
    default:
        for (ptrdiff_t j = 0; j < n; j++) v[j] = fr_exp_any(-gamma * v[j]);
    }
}

/* v[j] += sum_k |a_k - b_kj|, or of (a_k - b_kj)^2 / (a_k + b_kj), for one panel of b. */
FR_INLINE void fr_sum_distances(int absolute, ptrdiff_t depth, const double *a, ptrdiff_t a_step,
                                const double *b, ptrdiff_t width, double *v)
{
    double sum[FR_PANEL] = {0.0};
    for (ptrdiff_t k = 0; k < depth; k++, a += a_step, b += width)
        for (ptrdiff_t j = 0; j < width; j++) {
            const double less = *a - b[j], both = *a + b[j];
            if (absolute) sum[j] += fabs(less);
            else sum[j] += both > 0.0 ? less * less / both : 0.0;
        }
    for (ptrdiff_t j = 0; j < width; j++) v[j] += sum[j];
}

/* Inner products to squared distances. Squares of long rows cancel in the distance of near ones:
   those of rows longer than 20 length scales and 8 times nearer than long are summed again. */
static inline void fr_squared_distances(double gamma, const double *a, ptrdiff_t a_step,
                                        const double *b, ptrdiff_t width, ptrdiff_t depth,
                                        double square, const double *FR_RESTRICT squares,
                                        double *FR_RESTRICT v)
{
    int cancelled = 0;
    for (ptrdiff_t j = 0; j < width; j++) {
        const double both = square + squares[j], distance = both - 2.0 * v[j];
        v[j] = distance > 0.0 ? distance : (distance <= 0.0 ? 0.0 : distance);
        cancelled |= (gamma * both > 500.0) & (distance < both / 64.0);
    }
    if (!cancelled) return;
    for (ptrdiff_t j = 0; j < width; j++) {
        if (!(v[j] < (square + squares[j]) / 64.0)) continue;
        double sum = 0.0;
        for (ptrdiff_t k = 0; k < depth; k++) {
            const double less = a[k * a_step] - b[k * width + j];
            sum += less * less;
        }
        v[j] = sum;
    }
}

/* Which parts of the features a call works on, if the tiles hold some of them only. */
typedef struct {
    int first, last;
} fr_features;

/* Kernel values of the rows of the left panel that begins at `i` and the right panels from `begin`
   to `end`, into `out`, whose rows are `ld` apart and begin with column `begin`. */
static inline void fr_kernel_rows(const fr_kernel *kernel, const fr_side *left, ptrdiff_t i,
                                  const fr_side *right, ptrdiff_t begin, ptrdiff_t end,
                                  fr_features part, double *out, ptrdiff_t ld)
{
    const ptrdiff_t depth = left->depth, height = fr_panel_width(i, left->columns);
    const double *a = left->tile + i * depth;
    const int sums = kernel->name >= FR_LAPLACIAN;
    for (ptrdiff_t j = begin; j < end;) {
        const ptrdiff_t width = fr_panel_width(j, right->columns);
        const double *b = right->tile + j * depth;
        double *block = out + (j - begin);
        const ptrdiff_t step = height < FR_ROWS ? height : FR_ROWS;
        if (part.first)
            for (ptrdiff_t r = 0; r < height; r++)
                memset(block + r * ld, 0, width * sizeof(double));
        for (ptrdiff_t r = 0; r < height && !sums; r += step)
            for (ptrdiff_t at = 0; at < width;) {
                const ptrdiff_t columns = step < FR_ROWS ? FR_GRAIN : width;
                fr_pick_micro((int)step, (int)columns, 0)(depth, a + r, height, b + at, width,
                                                          block + r * ld + at, ld,
                                                          (const char *)b);
                at += columns;
            }
        for (ptrdiff_t r = 0; r < height; r++) {
            double *v = block + r * ld;
            if (sums) {
                if (width == FR_PANEL)
                    kernel->name == FR_LAPLACIAN
                        ? fr_sum_distances(1, depth, a + r, height, b, FR_PANEL, v)
                        : fr_sum_distances(0, depth, a + r, height, b, FR_PANEL, v);
                else
                    fr_sum_distances(kernel->name == FR_LAPLACIAN, depth, a + r, height, b, width, v);
            }
            if (!part.last) continue;
            if (kernel->name == FR_RBF)
                fr_squared_distances(part.first ? kernel->gamma : 0.0, a + r, height, b, width,
                                     depth, left->squares[i + r], right->squares + j, v);
            if (!kernel->raw) fr_kernel_values(kernel, v, width);
            if (left->scale)
                for (ptrdiff_t c = 0; c < width; c++)
                    v[c] *= left->scale[i + r] * right->scale[j + c];
        }
        j += width;
    }
}

#endif
