/* What differs between compilers: restrict, inlining, prefetching and vector types.

   Some headers are templates over a type: `x_template.h` is included once for each, with TYPE
   defined, and FR_TYPED(name) is the name of a function for that type. */
#ifndef FASTRIDGE_COMPAT_H
#define FASTRIDGE_COMPAT_H

#include <stddef.h>
#include <string.h>

#define FR_PASTE_EXPANDED(a, b) a##b
#define FR_PASTE(a, b) FR_PASTE_EXPANDED(a, b)
#define FR_TYPED(name) FR_PASTE(FR_PASTE(name, _), TYPE)

#if defined(_MSC_VER)
#define FR_RESTRICT __restrict
#define FR_INLINE static __forceinline
#else
#define FR_RESTRICT restrict
#define FR_INLINE static inline __attribute__((always_inline))
#endif

#if defined(__GNUC__) || defined(__clang__)
#define FR_VECTORS 1
#define FR_UNROLL _Pragma("GCC unroll 8")
#define FR_PREFETCH(address) __builtin_prefetch((address), 0, 2)
#define FR_PREFETCH_TO_WRITE(address) __builtin_prefetch((address), 1, 3)
#else
#define FR_VECTORS 0
#define FR_UNROLL
#define FR_PREFETCH(address) ((void)(address))
#define FR_PREFETCH_TO_WRITE(address) ((void)(address))
#endif

#if FR_VECTORS
/* fr_double4 is a vector of four doubles; masks and the indices of shuffles are of integers. */
typedef double fr_double2 __attribute__((vector_size(16)));
typedef double fr_double4 __attribute__((vector_size(32)));
typedef double fr_double8 __attribute__((vector_size(64)));
typedef double fr_double16 __attribute__((vector_size(128)));
typedef float fr_float2 __attribute__((vector_size(8)));
typedef float fr_float4 __attribute__((vector_size(16)));
typedef float fr_float8 __attribute__((vector_size(32)));
typedef float fr_float16 __attribute__((vector_size(64)));
typedef int fr_int4 __attribute__((vector_size(16)));
typedef long long fr_long2 __attribute__((vector_size(16)));
typedef long long fr_long4 __attribute__((vector_size(32)));
typedef long long fr_long8 __attribute__((vector_size(64)));

/* Values of eight doubles where the mask is set, otherwise zero. */
#define FR_WHERE(mask, a) ((fr_double8)((fr_long8)(a) & (mask)))

/* Values of a and b at constant indices, which count on from a to b; INDICES is their type. */
#if defined(__clang__) || __GNUC__ >= 12
#define FR_SHUFFLE(INDICES, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FR_SHUFFLE(INDICES, a, b, ...) __builtin_shuffle(a, b, (INDICES){__VA_ARGS__})
#endif
#endif

#endif
