import numpy as np

def scale_penalised(
    upper: np.ndarray,
    penalty: np.ndarray,
    negated_out: np.ndarray,
    scale_out: np.ndarray,
    work_out: np.ndarray,
) -> float: ...
def factor_diagonal(
    negated: np.ndarray, order: int, first: int, tile_out: np.ndarray, work_out: np.ndarray
) -> bool: ...
def eliminate_columns(
    negated: np.ndarray, order: int, first: int, tile: np.ndarray, col_begin: int, col_end: int
) -> None: ...
def update_trailing(
    negated: np.ndarray, order: int, first: int, tile: np.ndarray, col_begin: int, col_end: int
) -> None: ...
def solve_eliminated(U: np.ndarray, scale: np.ndarray, coef: np.ndarray) -> None: ...
def inverse_norm(U: np.ndarray, work_out: np.ndarray, iwork_out: np.ndarray) -> float: ...
