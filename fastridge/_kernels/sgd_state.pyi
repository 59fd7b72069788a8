from typing import Protocol, TypeAlias

import numpy as np

class Settings:
    loss: int
    epsilon: float
    has_l1: bool
    has_l2: bool
    l1: float
    l2: float
    alpha: float
    schedule: int
    eta0: float
    power_t: float
    optimal_t0: float
    intercept_factor: float
    average_from: float
    sums_losses: bool
    sums_penalties: bool
    optimizer: int
    decoupled: bool
    lazy: bool
    batch_size: float
    beta1: float
    beta2: float
    tiny: float

class State:
    t: float
    learning_rate: float
    step_factor: float
    intercept: float
    average_intercept: float
    loss_sum: float
    penalty_sum: float
    loss_after: float
    scale: float
    average_offset: float
    average_divisor: float
    l1_owed_so_far: float
    n_averaged: float
    n_rows_seen: float
    n_in_batch: float
    n_batches: float
    decay_product: float
    l1_owed: float
    n_touched: float

def state_fields() -> tuple[str, ...]: ...

# The types of functions that `sgd`, `sgd_auto` and `sgd_batches` have in common.

Arrays: TypeAlias = dict[str, np.ndarray]

class StepDense(Protocol):
    def __call__(
        self,
        X: np.ndarray,
        gathered: bool,
        order: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        coef: np.ndarray,
        arrays: Arrays,
        settings: Settings,
        state: State,
    ) -> int: ...

class StepCsr(Protocol):
    def __call__(
        self,
        data: np.ndarray,
        indices: np.ndarray,
        indptr: np.ndarray,
        order: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray,
        coef: np.ndarray,
        arrays: Arrays,
        settings: Settings,
        state: State,
    ) -> int: ...

class Finish(Protocol):
    def __call__(
        self, coef: np.ndarray, arrays: Arrays, settings: Settings, state: State
    ) -> float: ...
