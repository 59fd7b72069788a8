# cython: freethreading_compatible=True
"""Which of the instruction sets that the kernels are built for this processor can run."""

cdef extern from *:
    """
    #if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__i386__))
    /* The compiler's run-time library asks cpuid, and the operating system about registers. */
    static int fr_simd_level(void)
    {
        __builtin_cpu_init();
        if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
              && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")))
            return 0;
        if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
              && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
              && __builtin_cpu_supports("avx512vl")))
            return 1;
        return 2;
    }
    #else
    static int fr_simd_level(void) { return 0; }
    #endif
    """
    int fr_simd_level() nogil


def simd_level():
    """0 for the baseline, 1 where x86-64-v3 runs, 2 where x86-64-v4 runs."""
    return fr_simd_level()
