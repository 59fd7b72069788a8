import numpy as np

from fastridge._kernels.sgd_state import Settings, State

def array_names(settings: Settings) -> tuple[str, ...]: ...
def step_dense(
    X: np.ndarray,
    gathered: bool,
    order: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    coef: np.ndarray,
    arrays: dict[str, np.ndarray],
    settings: Settings,
    state: State,
) -> int: ...
def step_csr(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    order: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    coef: np.ndarray,
    arrays: dict[str, np.ndarray],
    settings: Settings,
    state: State,
) -> int: ...
