import numpy as np

def figure_names() -> tuple[str, ...]: ...
def optimizers() -> tuple[str, ...]: ...
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
def finish(
    coef: np.ndarray, beside: np.ndarray, figures: np.ndarray, choices: np.ndarray
) -> float: ...
