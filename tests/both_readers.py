"""A file read by `scan` and by the command line: the same features, or the same error."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastridge import scan
from fastridge.cli import main
from fastridge.cli.arguments import build_parser
from fastridge.cli.fitting import prepare
from fastridge.cli.progress import Stages
from fastridge.data.batches import ScanError
from fastridge.data.scan import Scan
from fastridge.data.splitting import Split

N = 300
RNG = np.random.default_rng(0)
X = RNG.standard_normal(N).round(4)
Y = (2 * X + 0.1 * RNG.standard_normal(N)).round(4)
K = np.arange(N) % 3


def lines(row, header="x,z,y"):
    """Return a CSV file of rows that a function of their index gives."""
    body = [row(k) for k in range(N)]
    return "\n".join([*([] if header is None else [header]), *body, ""]).encode()


def with_cell(cell, at=150):
    return lines(lambda k: f"{cell if k == at else X[k]},{K[k]},{Y[k]}")


def gathered(rows):
    X, y, _, fold, _ = zip(*rows, strict=True)
    return np.concatenate(X), np.concatenate(y), np.concatenate(fold)


def words_of(options):
    """Return options of `scan` as the command line has them."""
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if name == "header":
            words.append("--header" if value else "--no-header")
        elif name == "keep_default_na":
            words.append("--no-default-na")
        elif name == "target":
            continue
        else:
            flag = "--encoding" if name == "charset" else flag
            values = value if isinstance(value, list) else [value]
            words += [word for one in values for word in (flag, str(one))]
    return words


def both(path, **options):
    """Return the features of the training rows, their names and y, which both readers give."""
    target = options.get("target", "y")
    own = {name: value for name, value in options.items() if name != "target"}
    rows = scan(path, target, infer=True, fold=Split(3, 0.2, 5), **own)
    words = ["fit", str(path), f"--target={target}", "--seed", "3", *words_of(own)]
    task = prepare(build_parser().parse_args(words), Stages())
    found = gathered(rows)
    for one, other in zip(found, gathered(Scan(task.rows.rows_of("training"), None)), strict=True):
        assert_array_equal(one, other)
    assert rows.feature_names == task.rows.feature_names
    assert rows.encoding.report == [c for c in task.schema.choices if c[0] != "files"]
    return found[0], rows.feature_names, found[1], dict(rows.encoding.report)


def refused(path, capsys, *messages, **options):
    """Check that both readers refuse a file, in one line that holds these messages."""
    target = options.get("target", "y")
    own = {name: value for name, value in options.items() if name != "target"}
    with pytest.raises(ScanError) as caught:
        list(scan(path, target, infer=True, **own))
    assert main(["fit", str(path), f"--target={target}", *words_of(own)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for message in messages:
        spoken, written = message if isinstance(message, tuple) else (message, message)
        assert spoken in str(caught.value)
        assert written in err


def train(values, seed=3):
    return np.asarray(values, dtype=float)[Split(seed, 0.2, 5).start().draw(N) >= 0]
