"""Fixtures of the command line's tests; without its extra they are not collected."""

import importlib.util
import sys
from pathlib import Path

import pytest

from fastridge.cli import main

sys.path.insert(0, str(Path(__file__).parent))  # `cli_tables`, under every import mode of pytest

if any(importlib.util.find_spec(name) is None for name in ("pyarrow", "rich")):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def _width_of_a_pipe(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def table():
    from cli_tables import make_table

    return make_table()


@pytest.fixture
def data(tmp_path, table):
    import pyarrow.parquet as pq

    path = tmp_path / "data.parquet"
    pq.write_table(table, path)
    return str(path)


@pytest.fixture
def model(data, tmp_path, run):
    path = str(tmp_path / "model.fastridge")
    run("fit", data, "--target", "y", "--save", path)
    return path


@pytest.fixture
def run(capsys):
    """Run the command line, which must succeed; what it printed."""

    def run(*argv):
        status = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        assert status == 0, err
        assert "\x1b" not in out
        return out

    return run


@pytest.fixture
def refused(capsys):
    """Run the command line, which must refuse; its one line."""

    def refused(*argv, status=2):
        assert main([str(word) for word in argv]) == status
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert err.count("\n") == 1, err
        assert err.startswith("fastridge")
        return err

    return refused
