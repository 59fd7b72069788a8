# cython: freethreading_compatible=True
"""The processor: which of the instruction sets built it can run, and where this thread runs."""

cdef extern from *:
    """
    #if defined(__linux__)
    #include <sched.h>
    static int fr_current_cpu(void) { return sched_getcpu(); }
    #else
    static int fr_current_cpu(void) { return -1; }
    #endif
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
    int fr_current_cpu() nogil


def simd_level():
    """Return 0 for the baseline, 1 if x86-64-v3 runs, 2 if x86-64-v4 runs."""
    return fr_simd_level()


def current_cpu():
    """Return the number of the processor that runs the calling thread, or -1 if unknown."""
    return fr_current_cpu()
