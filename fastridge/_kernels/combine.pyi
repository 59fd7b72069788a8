import numpy as np

def combine_rows(
    X: np.ndarray, shift: np.ndarray, left: np.ndarray, sums_out: np.ndarray
) -> None: ...
