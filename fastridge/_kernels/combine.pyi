import numpy as np

def combine_rows(
    X: np.ndarray, shift: np.ndarray, left: np.ndarray, sums_out: np.ndarray
) -> None: ...
def combine_columns(
    X: np.ndarray, shift: np.ndarray, coef: np.ndarray, intercept: float, sums_out: np.ndarray
) -> None: ...
def combine_columns_each(
    X: np.ndarray,
    shift: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
    work: np.ndarray,
    sums_out: np.ndarray,
) -> None: ...
def predict_rows(
    X: np.ndarray, coef: np.ndarray, intercept: float, predicted_out: np.ndarray
) -> bool: ...
