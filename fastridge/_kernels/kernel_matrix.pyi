import numpy as np

NAMES: tuple[str, ...]

class KernelFunction:
    def __init__(
        self, name: int, gamma: float, coef0: float, degree: float, power: int, raw: bool
    ) -> None: ...
    def values(self, values: np.ndarray) -> None: ...

class PackedRows:
    n_rows: int
    def __init__(
        self, n_rows: int, tile: np.ndarray, squares: np.ndarray, scale: np.ndarray
    ) -> None: ...
    def pack(self, X: np.ndarray, shift: np.ndarray, begin: int, end: int) -> None: ...

def fill_upper(
    kernel: KernelFunction,
    left: PackedRows,
    right: PackedRows,
    first: bool,
    last: bool,
    diagonal: np.ndarray,
    upper_out: np.ndarray,
    sums_out: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
def multiply(
    kernel: KernelFunction,
    left: PackedRows,
    right: PackedRows,
    vectors: np.ndarray,
    work_out: np.ndarray,
    products_out: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
def multiply_twice(
    kernel: KernelFunction,
    left: PackedRows,
    right: PackedRows,
    vectors: np.ndarray,
    targets: np.ndarray,
    weight: np.ndarray,
    work_out: np.ndarray,
    products_out: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
def multiply_symmetric(
    kernel: KernelFunction,
    rows: PackedRows,
    vectors: np.ndarray,
    work_out: np.ndarray,
    products_out: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
def block(
    kernel: KernelFunction,
    left: PackedRows,
    right: PackedRows,
    block_out: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
