import numpy as np

def extend_gram(
    columns: np.ndarray, first: int, end: int, begin: int, stop: int, gram_out: np.ndarray
) -> None: ...
def subtract_columns(
    gram: np.ndarray, columns: np.ndarray, coef: np.ndarray, gradient_out: np.ndarray
) -> None: ...
def quadratic_forms(
    upper: np.ndarray, coefs: np.ndarray, work_out: np.ndarray, values_out: np.ndarray
) -> None: ...
