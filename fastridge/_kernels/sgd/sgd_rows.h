/* Use one row in a stochastic gradient step, for float and for double.

   The update of one row and the linear predictor of the next are one pass over the weights:
   w += c previous; return w' x. Long rows are summed in four runs, which the compiler keeps in
   registers of their own. */
#ifndef FASTRIDGE_SGD_ROWS_H
#define FASTRIDGE_SGD_ROWS_H

#include <stddef.h>

#if defined(_MSC_VER)
#define FR_RESTRICT __restrict
#define FR_FETCH(address) ((void)(address))
#else
#define FR_RESTRICT restrict
#define FR_FETCH(address) __builtin_prefetch((address), 0, 3)
#endif

enum { FR_LONG_ROW = 128, FR_LINE = 64, FR_FETCHED_LINES = 16 };

/* prefetch the first cache lines of a row */
static inline void fr_prefetch_row(const char *row, ptrdiff_t bytes)
{
    const ptrdiff_t most = FR_LINE * FR_FETCHED_LINES;
    if (bytes > most) bytes = most;
    for (ptrdiff_t k = 0; k < bytes; k += FR_LINE)
        FR_FETCH(row + k);
    FR_FETCH(row + bytes - 1);
}

#define FR_REAL double
#define FR_NAME(name) name##_double
#include "sgd_rows_typed.h"
#undef FR_NAME
#define FR_INDEX int
#define FR_NAME(name) name##_double_int
#include "sgd_sparse_rows_typed.h"
#undef FR_NAME
#undef FR_INDEX
#define FR_INDEX long long
#define FR_NAME(name) name##_double_long
#include "sgd_sparse_rows_typed.h"
#undef FR_NAME
#undef FR_INDEX
#undef FR_REAL

#define FR_REAL float
#define FR_NAME(name) name##_float
#include "sgd_rows_typed.h"
#undef FR_NAME
#define FR_INDEX int
#define FR_NAME(name) name##_float_int
#include "sgd_sparse_rows_typed.h"
#undef FR_NAME
#undef FR_INDEX
#define FR_INDEX long long
#define FR_NAME(name) name##_float_long
#include "sgd_sparse_rows_typed.h"
#undef FR_NAME
#undef FR_INDEX
#undef FR_REAL

#endif
