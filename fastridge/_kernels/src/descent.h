/* What a descent asks of all coordinates at once. */
#ifndef FASTRIDGE_DESCENT_H
#define FASTRIDGE_DESCENT_H

#include <math.h>
#include <stddef.h>

/* Whether none of eight coordinates would move by an update that gains more than a half of
   `negligible`; only where no bound matters. */
static inline int fr_idle(const double *coef, const double *gradient, const double *l1,
                          const double *l2, const double *square, double negligible)
{
    int busy = 0;
    for (int i = 0; i < 8; i++) {
        const double w = coef[i], z = gradient[i] - l2[i] * w;
        const double over = fabs(z) - l1[i];
        const double off = w > 0.0 ? z - l1[i] : w < 0.0 ? z + l1[i] : over > 0.0 ? over : 0.0;
        busy |= !(off * off <= negligible * (square[i] + l2[i]));
    }
    return busy == 0;
}

/* What the objective and its dual need of all coordinates. */

typedef struct {
    double correlated; /* sum w xy */
    double fitted;     /* sum w gradient */
    double penalty;
    double ridge;      /* sum l2 w^2 */
    double largest;    /* |gradient - l2 w| over l1, where there is an l1 and no bound */
    double without_l2; /* the same where l2 is zero as well */
    int limited;       /* whether a gradient other than zero meets a bound, or no l1 */
} fr_terms_of_gap;

static inline fr_terms_of_gap fr_sum_terms(const double *coef, const double *gradient,
                                           const double *xy, const double *l1, const double *l2,
                                           const double *lower, const double *upper, ptrdiff_t n)
{
    double correlated = 0.0, fitted = 0.0, penalty = 0.0, ridge = 0.0;
    double largest = 0.0, without_l2 = 0.0, limited = 0.0;
    for (ptrdiff_t j = 0; j < n; j++) {
        const double w = coef[j], square = l2[j] * w * w;
        correlated += w * xy[j];
        fitted += w * gradient[j];
        penalty += l1[j] * fabs(w) + 0.5 * square;
        ridge += square;
    }
    for (ptrdiff_t j = 0; j < n; j++) {
        const double z = gradient[j] - l2[j] * coef[j], limit = z > 0.0 ? upper[j] : -lower[j];
        const int plain = (limit == INFINITY) & (l1[j] > 0.0);
        const double share = plain ? fabs(z) / l1[j] : 0.0;
        const double alone = l2[j] == 0.0 ? share : 0.0;
        largest = share > largest ? share : largest;
        without_l2 = alone > without_l2 ? alone : without_l2;
        limited += !plain & (z != 0.0) & (limit != 0.0) ? 1.0 : 0.0;
    }
    return (fr_terms_of_gap){correlated, fitted,     penalty,       ridge,
                             largest,    without_l2, limited != 0.0};
}

#endif
