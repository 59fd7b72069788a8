"""Solvers of kernel ridge: (K + alpha I) c = y, directly, from some rows, and by iteration."""
