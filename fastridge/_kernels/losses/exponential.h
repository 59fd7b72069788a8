/* A fast exponential of numbers that are not positive, for losses and decays. */
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

#endif
