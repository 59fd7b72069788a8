import numpy as np

def predict_rows(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    coef: np.ndarray,
    intercept: float,
    predicted_out: np.ndarray,
) -> None: ...
def add_rows(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    factors: np.ndarray,
    sums_out: np.ndarray,
) -> None: ...
