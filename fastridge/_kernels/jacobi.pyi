import numpy as np

def singular_values(
    a: np.ndarray,
    values_out: np.ndarray,
    right_out: np.ndarray,
    work_out: np.ndarray,
    iwork_out: np.ndarray,
) -> int: ...
