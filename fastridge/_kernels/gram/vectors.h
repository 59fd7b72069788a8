/* What compilers with vector types offer: shuffles by constant numbers, and prefetching. */
#ifndef FASTRIDGE_VECTORS_H
#define FASTRIDGE_VECTORS_H

#if defined(__GNUC__) || defined(__clang__)
#define FASTRIDGE_VECTORS 1
#define FR_PREFETCH(address) __builtin_prefetch((address), 0, 2)
#else
#define FASTRIDGE_VECTORS 0
#define FR_PREFETCH(address) ((void)(address))
#endif

#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define FR_SHUFFLE(INDICES, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FR_SHUFFLE(INDICES, a, b, ...) __builtin_shuffle(a, b, (INDICES){__VA_ARGS__})
#endif

#endif
