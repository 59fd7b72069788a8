from collections.abc import Sequence

import numpy as np

def names() -> tuple[str, ...]: ...
def loss_of_rows(
    loss: int,
    power: float,
    y: np.ndarray,
    eta: np.ndarray,
    weight: np.ndarray,
    derivative_out: np.ndarray,
    curvature_out: np.ndarray,
) -> tuple[float, float]: ...
def loss_of_dense_rows(
    loss: int,
    power: float,
    X: np.ndarray,
    shift: np.ndarray,
    coef: np.ndarray,
    intercept: float,
    y: np.ndarray,
    offset: np.ndarray,
    weight: np.ndarray,
    step: int,
    eta_out: np.ndarray,
    derivative_out: np.ndarray,
    curvature_out: np.ndarray,
    gradient_out: np.ndarray,
) -> tuple[float, float]: ...
def classes_of_rows(
    y: np.ndarray,
    eta: np.ndarray,
    weight: np.ndarray,
    derivative_out: np.ndarray,
    work: np.ndarray,
) -> float: ...
def most_folds() -> int: ...
def folds_of_dense_rows(
    loss: int,
    power: float,
    X: np.ndarray,
    shift: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
    y: np.ndarray,
    offset: np.ndarray,
    weights: Sequence[np.ndarray],
    work: np.ndarray,
    room: np.ndarray,
    eta_out: np.ndarray,
    values_out: np.ndarray,
    totals_out: np.ndarray,
    gradient_out: np.ndarray,
) -> None: ...
def classes_of_dense_rows(
    X: np.ndarray,
    shift: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
    y: np.ndarray,
    offset: np.ndarray,
    weight: np.ndarray,
    work: np.ndarray,
    room: np.ndarray,
    eta_out: np.ndarray,
    totals_out: np.ndarray,
    gradient_out: np.ndarray,
) -> float: ...
def newton_rows(derivative: np.ndarray, curvature: np.ndarray) -> None: ...
