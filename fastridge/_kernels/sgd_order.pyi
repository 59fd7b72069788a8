import numpy as np

def permute(order: np.ndarray, state: np.ndarray, begin: int, end: int) -> None: ...
def permute_as_sklearn(order: np.ndarray, seed: int) -> None: ...
def pool_rows(
    blocks: np.ndarray,
    size: int,
    pool: int,
    rows: np.ndarray,
    n_rows: int,
    order_out: np.ndarray,
    state: np.ndarray,
) -> int: ...
def gather_rows(X: np.ndarray, rows: np.ndarray, tile_out: np.ndarray) -> None: ...
