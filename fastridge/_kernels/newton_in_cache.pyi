import numpy as np

def minimise(
    X: np.ndarray,
    y: np.ndarray,
    offset: np.ndarray,
    weight: np.ndarray,
    loss: int,
    power: float,
    penalty: np.ndarray,
    fit_intercept: bool,
    goals: dict[str, float],
    max_iter: int,
    weights: np.ndarray,
    gradient_out: np.ndarray,
    columns: np.ndarray,
    squares: np.ndarray,
) -> tuple[float, float, float, int, bool] | None: ...
