from collections.abc import Sequence

import numpy as np

def panel_width() -> int: ...
def padded_columns(columns: int) -> int: ...
def extra_columns(n_features: int, n_targets: int) -> int: ...
def accumulate_gram(
    X: np.ndarray,
    Y: np.ndarray,
    shift: np.ndarray,
    root_weight: np.ndarray,
    tile_out: np.ndarray,
    gram_out: np.ndarray,
    moments_out: np.ndarray,
    pack_begin: int,
    col_begin: int,
    col_end: int,
) -> None: ...
def has_single() -> bool: ...
def accumulate_single(
    X: np.ndarray,
    y: np.ndarray,
    shift: np.ndarray,
    root_weight: np.ndarray,
    unit: np.ndarray,
    tile_out: np.ndarray,
    gram_out: np.ndarray,
    moments_out: np.ndarray,
) -> None: ...
def accumulate_outer(
    X: np.ndarray,
    row_shift: np.ndarray,
    row_scale: np.ndarray,
    tile_out: np.ndarray,
    gram_out: np.ndarray,
    pack_begin: int,
    col_begin: int,
    col_end: int,
) -> None: ...
def centre_gram(
    gram: np.ndarray,
    xy: np.ndarray,
    sums: np.ndarray,
    target_squares: np.ndarray,
    mean_out: np.ndarray,
) -> tuple[float, float]: ...
def sum_upper(
    terms: Sequence[np.ndarray],
    signs: np.ndarray,
    steps: np.ndarray,
    factors: np.ndarray,
    upper_out: np.ndarray,
) -> None: ...
def most_terms() -> int: ...
def mirror_upper(upper: np.ndarray, full_out: np.ndarray) -> None: ...
def centred_few(
    X: np.ndarray,
    Y: np.ndarray,
    root_weight: np.ndarray,
    pilot: int,
    tile_out: np.ndarray,
    gram_out: np.ndarray,
    vectors_out: np.ndarray,
) -> tuple[float, float]: ...
