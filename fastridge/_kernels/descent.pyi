import numpy as np

def count_names() -> tuple[str, ...]: ...
def state_rows() -> tuple[str, ...]: ...
def descend(
    gram: np.ndarray,
    n_features: int,
    state: np.ndarray,
    factor_out: np.ndarray,
    places: np.ndarray,
    figures: np.ndarray,
    counts: np.ndarray,
    max_sweeps: int,
    budget: float,
) -> bool: ...
def follow(
    gram: np.ndarray,
    n_features: int,
    state: np.ndarray,
    factor_out: np.ndarray,
    places: np.ndarray,
    figures: np.ndarray,
    counts: np.ndarray,
    path: np.ndarray,
    max_sweeps: int,
    budget: float,
) -> bool: ...
def duality(state: np.ndarray, target_square: float) -> tuple[float, float]: ...
def hides(state: np.ndarray, target_square: float) -> bool: ...
