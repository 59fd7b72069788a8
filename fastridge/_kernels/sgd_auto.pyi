import numpy as np

def move(loss: int, epsilon: float, y: float, margin: float, time: float) -> float: ...
def descend_rows(
    X: np.ndarray,
    order: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    coef: np.ndarray,
    beside: np.ndarray,
    figures: np.ndarray,
    choices: np.ndarray,
) -> int: ...
def descend_sparse(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    order: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    coef: np.ndarray,
    beside: np.ndarray,
    figures: np.ndarray,
    choices: np.ndarray,
) -> int: ...
