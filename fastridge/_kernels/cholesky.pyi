import numpy as np

def factor_penalised(
    upper: np.ndarray,
    penalty: np.ndarray,
    factor_out: np.ndarray,
    scale_out: np.ndarray,
    work_out: np.ndarray,
    iwork_out: np.ndarray,
) -> float: ...
def solve_factored(factor: np.ndarray, scale: np.ndarray, coef: np.ndarray) -> int: ...
