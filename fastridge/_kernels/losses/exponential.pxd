"""Exponentials that several losses need."""

from libc.math cimport expm1

cdef extern from "exponential.h" nogil:
    double fr_exp(double x)
    double fr_exp_any(double x)
    double fr_log1p(double u)


cdef inline double part_gone(double time, double curvature) noexcept nogil:
    # 1 - exp(-curvature time): the part of a distance gone after this time at this rate
    return -expm1(-time * curvature)
