import numpy as np

def sgd_step(
    param: np.ndarray,
    grad: np.ndarray,
    momentum_buffer: np.ndarray,
    factors: np.ndarray,
    nesterov: bool,
    begin: int,
    end: int,
) -> None: ...
def adam_step(
    param: np.ndarray,
    grad: np.ndarray,
    exp_avg: np.ndarray,
    exp_avg_sq: np.ndarray,
    max_exp_avg_sq: np.ndarray,
    factors: np.ndarray,
    begin: int,
    end: int,
) -> None: ...
def sum_powers(values: np.ndarray, order: float, scale: float, begin: int, end: int) -> float: ...
def largest_magnitude(values: np.ndarray, begin: int, end: int) -> float: ...
def scale_values(values: np.ndarray, factor: float, begin: int, end: int) -> None: ...
