import numpy as np

FIELDS: tuple[str, ...]
POINT: np.dtype[np.void]

class Schedule:
    budget: float
    max_iterations: int
    drops: int
    members_per_drop: int
    drops_one_at_a_time: int
    unbroken_steps: int
    cg_steps: int
    changes: int
    members_per_change: int
    sweeps_in_a_row: int
    updates_per_iteration: int
    settling_sweeps: int
    ignored_share: float
    refresh: int
    def __init__(self, budget: float, max_iterations: int = 1000) -> None: ...

class Progress:
    target_square: float
    tolerance: float
    primal: float
    dual: float
    iterations: int
    near: bool
    sweep_next: bool
    one_at_a_time: bool
    sweeps_in_a_row: int
    unbroken_steps: int
    updates: int
    settling_sweeps: int
    point: int
    begun: bool
    order: int
    factored: int
    raised: int
    dependent: int
    borrowed: float
    def __init__(self, target_square: float) -> None: ...

def descend(
    gram: np.ndarray,
    n_features: int,
    fields: np.ndarray,
    factor_out: np.ndarray,
    member_out: np.ndarray,
    position_out: np.ndarray,
    progress: Progress,
    schedule: Schedule,
) -> bool: ...
def follow(
    gram: np.ndarray,
    fields: np.ndarray,
    factor_out: np.ndarray,
    member_out: np.ndarray,
    position_out: np.ndarray,
    points: np.ndarray,
    coefs_out: np.ndarray,
    progress: Progress,
    schedule: Schedule,
) -> bool: ...
def duality(fields: np.ndarray, n_features: int, target_square: float) -> tuple[float, float]: ...
def hides(fields: np.ndarray, n_features: int, target_square: float) -> bool: ...
