/* Steps of optimisers: one pass over a parameter, its gradient and the optimizer state.

   The flags are constants where a loop is called, so that each combination is a loop of its own
   that the compiler turns into vector code. A flag that is off leaves its term out: multiplied by
   zero, an infinity would turn into NaN. */
#ifndef FASTRIDGE_OPTIMIZER_STEPS_H
#define FASTRIDGE_OPTIMIZER_STEPS_H

#include <float.h>
#include <math.h>
#include <stdint.h>

#include "compat.h"

/* Asks for what comes 2 KiB after the next FR_BLOCK bytes of an array, a cache line at a time.
   Steps on arrays that no near cache holds then take some seven eighths of the time. */
enum { FR_BLOCK = 256, FR_PREFETCH_DISTANCE = 2048 };
FR_INLINE void fr_fetch(const void *at)
{
    for (int byte = 0; byte < FR_BLOCK; byte += 64)
        FR_PREFETCH_TO_WRITE((const void *)((uintptr_t)at + FR_PREFETCH_DISTANCE + byte));
}

/* The larger one; NaN, once it is there, stays. */
#define FR_LARGER(new, old) ((new) > (old) || (new) != (new) ? (new) : (old))

/* Replace denormal numbers by zero. If gradients are zero from some step on, a mean would shrink to
   the least denormals and stay there, because 0.9 times four of them rounds to four; a step on such
   numbers takes some six times as long. */
#define FR_NORMAL(value, least) ((value) < (least) && (value) > -(least) ? 0 : (value))

/* Factors of a step, whose equation the template has. */
typedef struct {
    double sign;         /* of the gradient: -1 to maximise */
    double weight_decay; /* L2 penalty */
    double keep;         /* share of the momentum buffer that stays */
    double take;         /* share of the direction that joins it */
    double momentum;     /* of the buffer in a step of Nesterov's */
    double lr;           /* learning rate */
} fr_sgd_factors;

typedef struct {
    double sign;         /* of the gradient: -1 to maximise */
    double weight_decay; /* L2 penalty */
    double beta1, rest1; /* shares of the mean that stays, and of the gradient that joins it */
    double beta2, rest2; /* the same for the mean of squares */
    double shrink;       /* of the parameter, by decoupled weight decay */
    double rate;         /* learning rate over the bias of the mean */
    double correction;   /* 1 over the root of the bias of the mean of squares */
    double eps;          /* added to the root of the mean of squares */
} fr_adam_factors;

enum { FR_SUMS = 256 }; /* sums side by side, so that no vector width changes their order */

/* |value|^order, with an order of 1 or 2 known while compiling as `whole` */
FR_INLINE double fr_power(double value, double order, int whole)
{
    return whole == 2 ? value * value : whole == 1 ? fabs(value) : pow(fabs(value), order);
}

#define TYPE double
#define SQRT sqrt
#define LEAST DBL_MIN
#include "optimizer_steps_template.h"
#undef TYPE
#undef SQRT
#undef LEAST
#define TYPE float
#define SQRT sqrtf
#define LEAST FLT_MIN
#include "optimizer_steps_template.h"
#undef TYPE
#undef SQRT
#undef LEAST

#endif
