"""The same rows as every kind of source of a scan."""

import numpy as np
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

from fastridge import scan

N, P = 103, 3


def problem(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, P))
    return X, X @ [1.0, -2.0, 0.5] + rng.standard_normal(N)


def table(X, y, **more):
    return pa.table({**{f"x{j}": X[:, j] for j in range(P)}, "y": y, **more})


def gathered(rows):
    batches = list(rows)
    X = np.concatenate([np.asarray(b.X.todense() if sp.issparse(b.X) else b.X) for b in batches])
    return X, *(
        None if batches[0][k] is None else np.concatenate([b[k] for b in batches])
        for k in (1, 2, 3)
    )


def sources(folder, X, y):
    """Every kind of source of the same rows."""
    t = table(X, y)
    pq.write_table(t, folder / "one.parquet", row_group_size=30)
    pyarrow.feather.write_feather(t, folder / "one.feather")
    pyarrow.csv.write_csv(t, folder / "one.csv")
    (folder / "parts").mkdir()
    for k, begin in enumerate(range(0, N, 40)):
        pq.write_table(t.slice(begin, 40), folder / "parts" / f"{k}.parquet")
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    np.save(folder / "Xy.npy", np.column_stack([X, y]))
    dump_svmlight_file(X, y, str(folder / "one.svm"))
    half = N // 2
    return {
        "parquet": scan(folder / "one.parquet", "y", batch_rows=16),
        "feather": scan(folder / "one.feather", "y", batch_rows=16),
        "csv": scan(str(folder / "one.csv"), "y", batch_rows=16),
        "folder": scan(folder / "parts", "y", batch_rows=16),
        "pattern": scan(str(folder / "parts" / "*.parquet"), "y"),
        "list": scan([folder / "parts" / f"{k}.parquet" for k in range(3)], "y"),
        "dataset": scan(pa.dataset.dataset(folder / "one.parquet"), "y"),
        "npy": scan(folder / "X.npy", folder / "y.npy", batch_rows=16),
        "npy pair": scan((folder / "X.npy", folder / "y.npy")),
        "column of npy": scan(folder / "Xy.npy", -1, batch_rows=50),
        "arrays": scan(X, y, batch_rows=16),
        "F order": scan(np.asfortranarray(X), y, batch_rows=16),
        "big-endian": scan(X.astype(">f8"), y, batch_rows=16),
        "pair": scan((X, y)),
        "csr": scan(sp.csr_matrix(X), y, batch_rows=16),
        "csc": scan(sp.csc_matrix(X), y, batch_rows=16),
        "pandas": scan(t.to_pandas(), "y", batch_rows=16),
        "arrow": scan(t, "y", batch_rows=16),
        "polars": scan(polars.from_arrow(t), "y", batch_rows=16),
        "svmlight": scan(folder / "one.svm", batch_rows=16),
        "list of batches": scan([(X[:half], y[:half]), (X[half:], y[half:])]),
        "function": scan(lambda: iter([(X[:half], y[:half]), (X[half:], y[half:])]), batch_rows=9),
    }
