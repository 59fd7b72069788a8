"""Ridge by factorisation: Cholesky, orthogonal, spectral; all alphas from one."""
