"""Tables for the tests of the command line, and its documented encoding in plain Python."""

import datetime
import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.feather as pf
import pyarrow.parquet as pq
from sklearn.linear_model import Ridge as SklearnRidge

import fastridge
from fastridge.data.splitting import Split

N = 400


def make_table(n=N, seed=0):
    """Numbers, numbers with gaps, text with gaps, truths, dates and times, and a target."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = 1e4 + rng.normal(size=n)
    city = rng.choice(["Ōsaka", "São Paulo", "x,y", "rare"], p=[0.5, 0.3, 0.18, 0.02], size=n)
    flag = rng.random(n) < 0.3
    day = rng.integers(15000, 15400, size=n)
    y = a - 2 * (b - 1e4) + 3.0 * (city == "Ōsaka") + flag + 0.01 * day
    y += 0.1 * rng.normal(size=n)
    gaps = rng.random(n) < 0.1
    return pa.table(
        {
            "a": a,
            "b": pa.array(b, mask=gaps),
            "city": pa.array(city, mask=rng.random(n) < 0.05),
            "flag": flag,
            "day": pa.array(day.astype(np.int32)).cast(pa.date32()),
            "code": rng.integers(0, 5, size=n),
            "y": pa.array(y, mask=rng.random(n) < 0.02),
        }
    )


def load(path):
    return fastridge.load(path)


def columns_of(table, *, rows=slice(None)):
    return {
        name: np.array(table[name].to_pylist(), dtype=object)[rows] for name in table.schema.names
    }


def reference_features(table, train, most=100):
    """The documented encoding of `make_table`, in plain Python."""
    columns = columns_of(table)
    blocks = []
    for name in ("a", "b", "city", "flag", "day", "code"):
        values = columns[name]
        missing = np.array([value is None for value in values])
        if name == "city":
            counts = {}
            for value in values[train & ~missing]:
                counts[value] = counts.get(value, 0) + 1
            levels = sorted(counts, key=lambda value: (-counts[value], value))
            blocks += [values == level for level in levels[:most]]
            if len(levels) > most:
                blocks.append(~missing & ~np.isin(values, levels[:most]))
            if missing[train].any():
                blocks.append(missing)
            continue
        if name == "day":
            values = [(value - datetime.date(1970, 1, 1)).days for value in values]
        numbers = np.array([np.nan if value is None else float(value) for value in values])
        mean = np.nanmean(numbers[train])
        blocks.append(np.where(missing, mean, numbers))
        if missing[train].any():
            blocks.append(missing)
    return np.column_stack(blocks).astype(float)


def parts_of(table, seed=0, test_size=0.2, n_folds=5):
    part = Split(seed, test_size, n_folds).start().draw(len(table))
    y = np.array([np.nan if value is None else value for value in table["y"].to_pylist()])
    there = ~np.isnan(y)
    return part, y, there


def sklearn_fit(X, y, alpha, standardize):
    """Coefficients and intercept in the units of X."""
    mean, scale = X.mean(axis=0), X.std(axis=0) if standardize else np.ones(X.shape[1])
    scale = np.where(scale > 0, scale, 1.0)
    fitted = SklearnRidge(alpha, solver="svd").fit((X - mean) / scale, y)
    coef = fitted.coef_ / scale
    return coef, fitted.intercept_ - mean @ coef


def write_as(table, path, kind):
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=50)
    elif kind == "feather":
        pf.write_feather(table, str(path), chunksize=37)
    elif kind == "arrow stream":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=41)
    else:
        buffer = io.BytesIO()
        pcsv.write_csv(table, buffer)
        text = buffer.getvalue()
        if kind == "csv.gz":
            text = gzip.compress(text)
        elif kind == "csv.zst":
            text = pa.compress(text, "zstd", asbytes=True)
        elif kind == "csv semicolon":
            buffer = io.BytesIO()
            pcsv.write_csv(table, buffer, pcsv.WriteOptions(delimiter=";"))
            text = buffer.getvalue()
        elif kind == "csv bom":
            text = b"\xef\xbb\xbf" + text
        elif kind == "csv crlf":
            text = text.replace(b"\n", b"\r\n")
        path.write_bytes(text)


def csv_text(rows, header="x,c,y"):
    return "\n".join([header, *rows]) + "\n"


def small(tmp_path, **columns):
    path = tmp_path / "small.parquet"
    pq.write_table(pa.table(columns), path)
    return path
