import numpy as np

def factor_tridiagonal(
    diagonal: np.ndarray,
    below: np.ndarray,
    alphas: np.ndarray,
    factors_out: np.ndarray,
    pivots_out: np.ndarray,
) -> None: ...
def solve_tridiagonal(
    factors: np.ndarray, pivots: np.ndarray, right: np.ndarray, solutions_out: np.ndarray
) -> None: ...
def inverse_traces(factors: np.ndarray, pivots: np.ndarray, diagonal_out: np.ndarray) -> None: ...
def inverse_diagonal(
    basis: np.ndarray,
    factors: np.ndarray,
    pivots: np.ndarray,
    work_out: np.ndarray,
    diagonal_out: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
