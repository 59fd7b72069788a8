"""The same dense values in every layout that a fit must read: each takes X and a folder."""

import numpy as np


def memmap(X, folder):
    path = folder / "X.dat"
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


def strided(X, _):
    wide = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan, dtype=X.dtype)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def read_only(X, _):
    X = X.copy()
    X.flags.writeable = False
    return X


def misaligned(X, _):
    buffer = np.zeros(X.nbytes + 1, dtype=np.uint8)
    view = buffer[1:].view(X.dtype).reshape(X.shape)
    view[:] = X
    assert not view.flags.aligned
    return view


LAYOUTS = {
    "C": lambda X, _: np.ascontiguousarray(X),
    "F": lambda X, _: np.asfortranarray(X),
    "strided": strided,
    "strided F": lambda X, _: strided(np.ascontiguousarray(X.T), None).T,
    "negative rows": lambda X, _: X[::-1].copy()[::-1],
    "negative columns": lambda X, _: X[:, ::-1].copy()[:, ::-1],
    "negative both, F": lambda X, _: np.asfortranarray(X[::-1, ::-1])[::-1, ::-1],
    "rows of a wider matrix": lambda X, _: np.hstack([X, X])[:, : X.shape[1]],
    "rows of a taller F matrix": lambda X, _: np.asfortranarray(np.vstack([X, X]))[: len(X)],
    "read-only": read_only,
    "memmap": memmap,
    "misaligned": misaligned,
    "big-endian": lambda X, _: X.astype(X.dtype.newbyteorder(">")),
}
