"""The most memory that NumPy holds during a call, and what X takes."""

import tracemalloc

import scipy.sparse


def peak_of(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def size_of(X):
    return X.data.nbytes + X.indices.nbytes if scipy.sparse.issparse(X) else X.nbytes
