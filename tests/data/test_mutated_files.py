"""Mutated files: both readers make the same of each, or refuse it alike, whatever is in it.

`tests/soak_mutated_files.py` reads as many as requested.
"""

import random
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("rich")

from both_readers import words_of

from fastridge import scan
from fastridge.cli.arguments import build_parser
from fastridge.cli.errors import CommandError
from fastridge.cli.fitting import prepare
from fastridge.cli.progress import Stages
from fastridge.cli.reading import as_option
from fastridge.data.batches import ScanError
from fastridge.data.scan import Scan
from fastridge.data.splitting import Split

N = 40
N_FILES = 150
FOUND = (779231,)  # damaged in a column that is not needed
CELLS = [
    *(b"NA", b"-", b"abc", b'"', b"\n", b"\r\n", b",", b";", b"\t", b" ", b"\xe9", b"\x00"),
    *(b"1e999", b"inf", b"nan", b"9" * 30, b"1,5", b"$3", b"\xff\xfe", b"\xef\xbb\xbf", b"{"),
    *(b"#", b"\n\n", b'""', b"2020-13-45", b"01/02/2020", b":", b"0:1", b"-1:2", b"true", b"5%"),
]
OPTIONS = [
    *({"categorical": ["x"]}, {"drop": ["x"]}, {"keep": ["c"]}, {"numeric": ["x"]}),
    *({"na_values": ["abc"]}, {"keep_default_na": False}, {"thousands": ","}, {"decimal": ","}),
    *({"header": False, "drop": ["1"]}, {"header": True}, {"skip_rows": 1}, {"delimiter": ","}),
    *({"charset": "latin-1"}, {"date_format": "%d/%m/%Y"}, {"drop": [0, -2]}, {"keep": [-3]}),
    {"drop": ["1", "2"]},
]


def parquet(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def arrow(table, new=pa.ipc.new_file):
    sink = pa.BufferOutputStream()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def files():
    """Return a file of each kind, by name."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, N)).round(3)
    rows = range(N)
    table = pa.table({"x": x, "c": ["a", "b"] * (N // 2), "y": y})
    days = [f"2020-01-{k % 28 + 1:02d}" for k in rows]
    return {
        "csv": b"x,c,d,y\n" + "".join(f"{x[k]},c{k % 2},{days[k]},{y[k]}\n" for k in rows).encode(),
        "quoted": b"x;c;y\r\n"
        + "".join(f'{x[k]};"q""{k % 3}\r\n";{y[k]}\r\n' for k in rows).encode(),
        "blanks": b"x c y\n" + "".join(f"{x[k]}  {k % 3} {y[k]}\n" for k in rows).encode(),
        "svmlight": "".join(f"{y[k]} 1:{x[k]} {2 + k % 3}:1\n" for k in rows).encode(),
        "parquet": parquet(table),
        "arrow": arrow(table),
        "stream": arrow(table, pa.ipc.new_stream),
    }


def mutated(content, rng):
    """Return content with a few changes: bytes, cells, parts left out or repeated."""
    made = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        k, kind = rng.randrange(len(made) + 1), rng.randrange(5)
        if kind == 0 and made:
            made[k % len(made)] = rng.randrange(256)
        elif kind == 1:
            made[k:k] = rng.choice(CELLS)
        elif kind == 2:
            del made[k : k + rng.choice([1, 2, 10, 200])]
        elif kind == 3:
            begin = rng.randrange(len(made) + 1)
            made[k:k] = made[begin : begin + rng.choice([1, 5, 50])]
        else:
            made[k : k + rng.choice([1, 4])] = rng.choice(CELLS)
    return bytes(made)


def read_by_scan(path, target, options):
    return scan(path, target, infer=True, fold=Split(0, 0.2, 5), **options)


def read_by_command(path, target, options):
    words = ["fit", str(path), f"--target={target}", *words_of(options)]
    return Scan(prepare(build_parser().parse_args(words), Stages()).rows.rows_of("training"), None)


def outcome(read, path, target, options):
    """Return the rows that a reader gives, in bytes, or that it refuses them, in one line."""
    try:
        rows = read(path, target, options)
        parts = [np.column_stack([batch.X, batch.y]) for batch in rows]
        return rows.feature_names, np.concatenate(parts).tobytes() if parts else b""
    except ScanError as error:
        line = error.worded(as_option)
    except (CommandError, ValueError) as error:
        line = str(error)
    assert "\n" not in line
    return "refused"


def mutated_file(number, kinds, folder):
    """Write the file of a number; return path, target and options, and the size of blocks."""
    kind = list(kinds)[number % len(kinds)]
    path, seed = folder / f"{number}", number // len(kinds)
    path.write_bytes(mutated(kinds[kind], random.Random(f"{kind} {seed}")))
    target = "target" if kind == "svmlight" else "y"
    options = {} if seed % 2 else OPTIONS[seed // 2 % len(OPTIONS)]
    return (path, target, options), 256 if seed % 4 < 2 else 1 << 20


def outcomes(path, target, options):
    return [outcome(read, path, target, options) for read in (read_by_scan, read_by_command)]


@pytest.mark.parametrize("first", range(7))
def test_readers_mutated_files_are_read_or_refused_alike(tmp_path, monkeypatch, first):
    kinds = files()
    for number in [*range(first, N_FILES, 7), *FOUND[first::7]]:
        case, block = mutated_file(number, kinds, tmp_path)
        monkeypatch.setattr("fastridge.data.csv_file.CSV_BLOCK", block)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = outcomes(*case)
        assert found[0] == found[1], number
