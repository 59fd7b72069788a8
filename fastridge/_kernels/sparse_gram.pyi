import numpy as np

def accumulate_sparse_gram(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    Y: np.ndarray,
    weight: np.ndarray,
    gram_out: np.ndarray,
    target_squares_out: np.ndarray,
) -> None: ...
def csc_block_to_csr(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    cursor: np.ndarray,
    row_begin: int,
    row_end: int,
    data_out: np.ndarray,
    indices_out: np.ndarray,
    indptr_out: np.ndarray,
) -> int: ...
def scatter_rows(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    row_begin: int,
    dense_out: np.ndarray,
) -> None: ...
def correlate_columns(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    left: np.ndarray,
    products_out: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
