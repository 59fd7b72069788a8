/* Fast exponentials and a logarithm, for losses and decays. */
#ifndef FASTRIDGE_EXPONENTIAL_H
#define FASTRIDGE_EXPONENTIAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* 2^(j / 16) */
static const double fr_sixteenths[16] = {
    1.0, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916,
    1.189207115002721, 1.241857812073484, 1.2968395546510096, 1.3542555469368927,
    1.4142135623730951, 1.4768261459394993, 1.5422108254079407, 1.6104903319492543,
    1.681792830507429, 1.7562521603732995, 1.8340080864093424, 1.9152065613971474,
};

/* exp(x) for x <= 0, to some 1e-15 + |x| 1e-16; 0 below -700. 2^(k / 16) times a series. */
static inline double fr_exp(double x)
{
    if (!(x > -700.0)) return x < 0.0 ? 0.0 : x;
    const double k = rint(x * 23.083120654223414);
    const double r = x - k * 0.04332169878499658, r2 = r * r;
    const int64_t sixteenths = (int64_t)k, bits = ((sixteenths >> 4) + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    const double low = r + r2 * (0.5 + r * (1.0 / 6));
    const double high = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720);
    power *= fr_sixteenths[sixteenths & 15];
    return power + power * (low + r2 * r2 * high);
}

/* exp(r) - 1 for |r| up to log(2) / 2 */
static inline double fr_expm1_small(double r)
{
    double sum = 1.0 / 6227020800;
    sum = sum * r + 1.0 / 479001600;
    sum = sum * r + 1.0 / 39916800;
    sum = sum * r + 1.0 / 3628800;
    sum = sum * r + 1.0 / 362880;
    sum = sum * r + 1.0 / 40320;
    sum = sum * r + 1.0 / 5040;
    sum = sum * r + 1.0 / 720;
    sum = sum * r + 1.0 / 120;
    sum = sum * r + 1.0 / 24;
    sum = sum * r + 1.0 / 6;
    sum = sum * r + 0.5;
    return r + r * r * sum;
}

/* 2^k for a whole k from -1022 to 1023 */
static inline double fr_power_of_two(double k)
{
    const int64_t bits = (int64_t)((int32_t)k + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* exp(x) for any x, to some 1e-15 + |x| 1e-16; 0 below -708, and at most exp(709). A loop of it is
   vectorised, unlike one of `fr_exp`. */
static inline double fr_exp_any(double x)
{
    const double bounded = x < -708.0 ? -708.0 : (x > 709.0 ? 709.0 : x);
    const double k = rint(bounded * 1.4426950408889634);
    const double r = (bounded - k * 0.6931471803691238) - k * 1.9082149292705877e-10;
    const double power = fr_power_of_two(k);
    return x < -708.0 ? 0.0 : power + power * fr_expm1_small(r);
}

/* tanh(x) to some 1e-15 of itself, from exp(-2|x|) - 1; a loop of it is vectorised. */
static inline double fr_tanh(double x)
{
    const double size = fabs(x), bounded = size > 20.0 ? 20.0 : size;
    const double k = rint(bounded * -2.8853900817779268);
    const double r = (-2.0 * bounded - k * 0.6931471803691238) - k * 1.9082149292705877e-10;
    const double power = fr_power_of_two(k);
    const double small = fr_expm1_small(r); /* apart, since compilers reorder sums */
    const double less = k == 0.0 ? small : (power - 1.0) + power * small;
    const double value = -less / (2.0 + less);
    return x < 0.0 ? -value : (x == x ? value : x);
}

/* log(1 + u) for 0 <= u <= 1, to 3e-16, also relative to u: 2 artanh(u / (2 + u)) */
static inline double fr_log1p(double u)
{
    const double s = u / (2.0 + u), s2 = s * s;
    double sum = 1.0 / 33;
    sum = sum * s2 + 1.0 / 31;
    sum = sum * s2 + 1.0 / 29;
    sum = sum * s2 + 1.0 / 27;
    sum = sum * s2 + 1.0 / 25;
    sum = sum * s2 + 1.0 / 23;
    sum = sum * s2 + 1.0 / 21;
    sum = sum * s2 + 1.0 / 19;
    sum = sum * s2 + 1.0 / 17;
    sum = sum * s2 + 1.0 / 15;
    sum = sum * s2 + 1.0 / 13;
    sum = sum * s2 + 1.0 / 11;
    sum = sum * s2 + 1.0 / 9;
    sum = sum * s2 + 1.0 / 7;
    sum = sum * s2 + 1.0 / 5;
    sum = sum * s2 + 1.0 / 3;
    return 2.0 * (s + s * s2 * sum);
}

#endif
