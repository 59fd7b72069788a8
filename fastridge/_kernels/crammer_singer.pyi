import numpy as np

def descend_sparse(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    order: np.ndarray,
    begin: int,
    end: int,
    y: np.ndarray,
    weight: np.ndarray,
    curvature: np.ndarray,
    scale: float,
    a: np.ndarray,
    coef: np.ndarray,
    work: np.ndarray,
) -> tuple[float, float]: ...
def descend_dense(
    X: np.ndarray,
    order: np.ndarray,
    begin: int,
    end: int,
    y: np.ndarray,
    weight: np.ndarray,
    curvature: np.ndarray,
    scale: float,
    a: np.ndarray,
    coef: np.ndarray,
    work: np.ndarray,
) -> tuple[float, float]: ...
