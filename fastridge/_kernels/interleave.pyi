import numpy as np

def interleave(
    columns: list[np.ndarray],
    begin: int,
    end: int,
    rows_out: np.ndarray,
    addresses_out: np.ndarray,
) -> bool: ...
