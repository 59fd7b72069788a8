/* What coordinate descent asks of all coordinates at once. */
#ifndef FASTRIDGE_COORDINATES_H
#define FASTRIDGE_COORDINATES_H

#include "rows.h"

#include <math.h>

/* ---- eight coordinates at a time; what these say no to is looked at one by one ---- */

#if FR_VECTORS
/* Whether any of the eight is set. */
static inline int fr_any(const fr_long8 *mask)
{
    long long part[8];
    memcpy(part, mask, sizeof part);
    return ((part[0] | part[1]) | (part[2] | part[3]) | (part[4] | part[5]) | (part[6] | part[7]))
           != 0;
}
#endif

/* Whether no update would move a coefficient, times its length, by more than `ignored`. */
static inline int fr_eight_idle(const double *coef, const double *gradient, const double *l1,
                                const double *l2, const double *square, double ignored)
{
#if FR_VECTORS
    fr_double8 w, z, one, two, curvature, off;
    memcpy(&w, coef, sizeof w);
    memcpy(&z, gradient, sizeof z);
    memcpy(&one, l1, sizeof one);
    memcpy(&two, l2, sizeof two);
    memcpy(&curvature, square, sizeof curvature);
    curvature += two;
    z -= two * w;
    const fr_long8 zero = w == 0.0;
    off = FR_WHERE((w > 0.0) | (zero & (z > one)), z - one)
          + FR_WHERE((w < 0.0) | (zero & (z < -one)), z + one);
    const fr_long8 busy = ~(off * off <= (ignored * ignored) * curvature);
    return !fr_any(&busy);
#else
    for (int i = 0; i < 8; i++) {
        const double w = coef[i], z = gradient[i] - l2[i] * w;
        const double over = fabs(z) - l1[i];
        const double off = w > 0.0 ? z - l1[i] : w < 0.0 ? z + l1[i] : over > 0.0 ? over : 0.0;
        if (!(off * off <= ignored * ignored * (square[i] + l2[i]))) return 0;
    }
    return 1;
#endif
}

/* Whether any that is zero has a gradient above its l1. */
static inline int fr_any_of_eight_enters(const double *coef, const double *gradient,
                                         const double *l1)
{
#if FR_VECTORS
    fr_double8 w, z, one;
    memcpy(&w, coef, sizeof w);
    memcpy(&z, gradient, sizeof z);
    memcpy(&one, l1, sizeof one);
    const fr_long8 enters = (w == 0.0) & ((z > one) | (z < -one));
    return fr_any(&enters);
#else
    int enters = 0;
    for (int i = 0; i < 8; i++)
        enters |= (coef[i] == 0.0) & (fabs(gradient[i]) > l1[i]);
    return enters;
#endif
}

/* now <- now + further (now - last), and last <- now as it was */
static inline void fr_extrapolate(double *FR_RESTRICT now, double *FR_RESTRICT last, double further,
                                  ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++) {
        const double value = now[k];
        now[k] += further * (value - last[k]);
        last[k] = value;
    }
}

/* The same of eight coefficients without bounds, where each keeps its sign or stays zero; else 0,
   and nothing is changed. */
static inline int fr_extrapolate_eight(double *FR_RESTRICT now, double *FR_RESTRICT last,
                                       double further, const double *lower, const double *upper)
{
#if FR_VECTORS
    fr_double8 w, before, goal, low, high;
    memcpy(&w, now, sizeof w);
    memcpy(&before, last, sizeof before);
    memcpy(&low, lower, sizeof low);
    memcpy(&high, upper, sizeof high);
    goal = w + further * (w - before);
    const fr_long8 kept = (goal * w > 0.0) | ((w == 0.0) & (goal == 0.0));
    const fr_long8 bent = ~(kept & (low == -INFINITY) & (high == INFINITY));
    if (fr_any(&bent)) return 0;
    memcpy(last, &w, sizeof w);
    memcpy(now, &goal, sizeof goal);
    return 1;
#else
    (void)now, (void)last, (void)further, (void)lower, (void)upper;
    return 0;
#endif
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
    double largest = 0.0, without_l2 = 0.0;
    int limited = 0;
    ptrdiff_t j = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const double w = coef[k], square = l2[k] * w * w;
        correlated += w * xy[k];
        fitted += w * gradient[k];
        penalty += l1[k] * fabs(w) + 0.5 * square;
        ridge += square;
    }
#if FR_VECTORS
    fr_double8 most = (fr_double8){0.0}, most_alone = (fr_double8){0.0};
    fr_long8 bounded = (fr_long8){0};
    for (; j + 8 <= n; j += 8) {
        fr_double8 w, g, one, two, low, high, z, share, alone;
        memcpy(&w, coef + j, sizeof w);
        memcpy(&g, gradient + j, sizeof g);
        memcpy(&one, l1 + j, sizeof one);
        memcpy(&two, l2 + j, sizeof two);
        memcpy(&low, lower + j, sizeof low);
        memcpy(&high, upper + j, sizeof high);
        z = g - two * w;
        /* eight coordinates of which one may meet a bound, or has no l1, are looked at below */
        const fr_long8 plain = (low == -INFINITY) & (high == INFINITY) & (one > 0.0);
        bounded |= ~plain;
        share = FR_WHERE(z > 0.0, z) - FR_WHERE(z < 0.0, z);
        share = FR_WHERE(plain, share / one);
        alone = FR_WHERE(two == 0.0, share);
        most = FR_WHERE(share > most, share) + FR_WHERE(share <= most, most);
        most_alone = FR_WHERE(alone > most_alone, alone)
                     + FR_WHERE(alone <= most_alone, most_alone);
    }
    for (int i = 0; i < 8; i++) {
        largest = most[i] > largest ? most[i] : largest;
        without_l2 = most_alone[i] > without_l2 ? most_alone[i] : without_l2;
        limited |= bounded[i] != 0;
    }
    if (limited) /* each coordinate by itself */
        j = 0, largest = 0.0, without_l2 = 0.0, limited = 0;
#endif
    for (; j < n; j++) {
        const double z = gradient[j] - l2[j] * coef[j], limit = z > 0.0 ? upper[j] : -lower[j];
        if (limit == INFINITY && l1[j] > 0.0) {
            const double share = fabs(z) / l1[j];
            if (share > largest) largest = share;
            if (l2[j] == 0.0 && share > without_l2) without_l2 = share;
        } else if (z != 0.0 && limit != 0.0)
            limited = 1;
    }
    return (fr_terms_of_gap){correlated, fitted,     penalty, ridge,
                             largest,    without_l2, limited};
}

#endif
