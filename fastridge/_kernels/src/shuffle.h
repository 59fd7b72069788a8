/* Lanes of two vectors, chosen by constant numbers, for every compiler with vector types. */
#ifndef FASTRIDGE_SHUFFLE_H
#define FASTRIDGE_SHUFFLE_H

#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define FR_SHUFFLE(INDICES, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FR_SHUFFLE(INDICES, a, b, ...) __builtin_shuffle(a, b, (INDICES){__VA_ARGS__})
#endif

#endif
