import numpy as np

class SgdFactors:
    def __init__(
        self,
        sign: float,
        weight_decay: float,
        keep: float,
        take: float,
        momentum: float,
        lr: float,
    ) -> None: ...

class AdamFactors:
    def __init__(
        self,
        sign: float,
        weight_decay: float,
        beta1: float,
        rest1: float,
        beta2: float,
        rest2: float,
        shrink: float,
        rate: float,
        correction: float,
        eps: float,
    ) -> None: ...

def sgd_step(
    param: np.ndarray,
    grad: np.ndarray,
    momentum_buffer: np.ndarray,
    factors: SgdFactors,
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
    factors: AdamFactors,
    begin: int,
    end: int,
) -> None: ...
def sum_powers(values: np.ndarray, order: float, scale: float, begin: int, end: int) -> float: ...
def largest_magnitude(values: np.ndarray, begin: int, end: int) -> float: ...
def scale_values(values: np.ndarray, factor: float, begin: int, end: int) -> None: ...
