import numpy as np

def sweep_dense(
    columns: np.ndarray,
    state: np.ndarray,
    residual: np.ndarray,
    begin: int,
    end: int,
    mode: int,
) -> None: ...
def sweep_sparse(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    mean: np.ndarray,
    state: np.ndarray,
    residual: np.ndarray,
    shift: np.ndarray,
    begin: int,
    end: int,
    mode: int,
) -> None: ...
