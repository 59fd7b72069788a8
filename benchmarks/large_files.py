"""Write large Parquet files: ``python -m benchmarks.large_files FOLDER --rows 100000000``.

They have float32 features of standard normal values and a float32 target that is linear in them
plus noise. The same arguments give the same files, whichever exist already.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

GROUP_ROWS = 1 << 18


def write_files(folder: Path, n_rows: int, n_columns: int, n_files: int, seed: int) -> list[Path]:
    """Write the files that do not exist, and return all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    coef = np.random.default_rng(seed).standard_normal(n_columns).astype(np.float32)
    names = [f"x{j}" for j in range(n_columns)]
    schema = pa.schema([(name, pa.float32()) for name in [*names, "y"]])
    paths = []
    for number, rows in enumerate(_file_sizes(n_rows, n_files)):
        path = folder / f"part-{number:03}.parquet"
        paths.append(path)
        if path.exists():
            continue
        rng = np.random.default_rng([seed, number])
        unfinished = path.with_suffix(".unfinished")
        with pq.ParquetWriter(
            unfinished, schema, compression="none", use_dictionary=False, write_statistics=False
        ) as writer:
            for begin in range(0, rows, GROUP_ROWS):
                n = min(GROUP_ROWS, rows - begin)
                X = rng.standard_normal((n_columns, n), dtype=np.float32)
                y = coef @ X + rng.standard_normal(n, dtype=np.float32)
                writer.write_table(pa.table([*X, y], schema=schema))
        unfinished.rename(path)
    return paths


def _file_sizes(n_rows: int, n_files: int) -> list[int]:
    return [n_rows // n_files + (k < n_rows % n_files) for k in range(n_files)]


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_files", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = write_files(options.folder, options.rows, options.columns, options.files, options.seed)
    size = sum(path.stat().st_size for path in paths)
    print(f"{len(paths)} files, {size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
