from enum import IntEnum

import numpy as np

class Visit(IntEnum):
    ALL = 0
    SUPPORT = 1
    GRADIENTS = 2

def sweep_dense(
    columns: np.ndarray,
    fields: np.ndarray,
    residual: np.ndarray,
    begin: int,
    end: int,
    visit: Visit,
) -> None: ...
def sweep_sparse(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    mean: np.ndarray,
    fields: np.ndarray,
    residual: np.ndarray,
    shift: float,
    begin: int,
    end: int,
    visit: Visit,
) -> float: ...
