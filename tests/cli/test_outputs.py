"""Nothing is lost: outputs that are full, closed or inputs too, and signals."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from processes import HANG
from threadpoolctl import threadpool_info

import fastridge
from fastridge.cli import fitting, main
from fastridge.io import archive, atomic
from fastridge.runtime.threads import limited_threads, resolve_threads

posix = pytest.mark.skipif(os.name != "posix", reason="no such files or signals")


def program(*words, before="", **options):
    """Run the command line in a process of its own, after some lines of Python."""
    lines = ["import sys", textwrap.dedent(before), "from fastridge.cli import main"]
    script = "\n".join([*lines, f"sys.argv = {['fastridge', *map(str, words)]!r}"])
    return subprocess.run(
        [sys.executable, "-P", "-c", f"{script}\nsys.exit(main())"],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        timeout=HANG,
        **{"stdout": subprocess.PIPE, **options},
    )


def shell(line, *words):
    """Run a line of bash in which "$@" is the command line; status of each command of the pipe."""
    line += "; echo ${PIPESTATUS[0]}"
    command = [sys.executable, "-P", "-m", "fastridge", *map(str, words)]
    return subprocess.run(
        ["bash", "-c", line, "bash", *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )


# --- what is printed ------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("json", [[], ["--json"]], ids=["tables", "json"])
def test_fit_reader_that_leaves_keeps_the_model(data, tmp_path, json):
    words = ["fit", data, "--target", "y", "--save", tmp_path / "m", *json]
    found = shell('"$@" | head -1', *words)
    assert found.stdout.splitlines()[-1] == "0"
    assert found.stderr == ""
    assert fastridge.load(tmp_path / "m").coef_.any()


@posix
@pytest.mark.parametrize(
    ("command", "where"),
    [
        *(("fit", ">/dev/full"), ("cv", ">&-"), ("predict", ">/dev/full")),
        *(("info", ">&-"), ("help", ">/dev/full"), ("version", ">&-")),
    ],
)
def test_commands_output_that_cannot_be_written_is_one_line(data, model, tmp_path, command, where):
    if where == ">/dev/full" and not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    words = {
        "fit": ["fit", data, "--target", "y", "--save", tmp_path / "kept"],
        "cv": ["cv", data, "--target", "y", "--l1-ratio", "1", "--save", tmp_path / "kept"],
        "predict": ["predict", model, data],
        "info": ["info", model],
        "help": ["fit", "--help"],
        "version": ["--version"],
    }[command]
    found = shell(f'"$@" {where}', *words)
    assert found.stdout == "2\n"
    assert "error: cannot write the standard output: " in found.stderr
    assert found.stderr.count("\n") == 1
    if command in ("fit", "cv"):
        assert fastridge.load(tmp_path / "kept").coef_.any()


@posix
def test_predict_closed_streams_do_not_become_files(data, model, tmp_path):
    output = tmp_path / "p.parquet"
    found = shell('"$@" <&- >&- 2>&-', "predict", model, data, "--output", output)
    assert found.stdout == "0\n"
    assert pq.read_table(output).num_rows == pq.read_metadata(data).num_rows


# --- files ----------------------------------------------------------------------------------------


def full(*_, **__):
    raise OSError(28, os.strerror(28))


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--save", "new"],
        ["fit", "--checkpoint", "new"],
        ["fit", "--l1-ratio", "1", "--checkpoint", "new"],
        ["fit", "--method", "sgd", "--checkpoint", "new"],
        ["cv", "--checkpoint", "new"],
        ["fit", "--coefs", "new.csv"],
        ["fit", "--plot", "new.png"],
    ],
    ids=" ".join,
)
def test_fit_full_disk_is_one_line_and_leaves_nothing(data, tmp_path, refused, monkeypatch, words):
    monkeypatch.setattr(archive.os, "fsync", full)
    monkeypatch.setattr(atomic.os, "replace", full)
    if "--plot" in words:
        figure = pytest.importorskip("matplotlib.figure")
        monkeypatch.setattr(figure.Figure, "savefig", full)
    command, *options, name = words
    before = sorted(os.listdir(tmp_path))
    line = refused(command, data, "--target", "y", *options, tmp_path / name)
    assert f"{tmp_path / 'new'}" in line
    assert "write" in line
    assert os.strerror(28) in line
    assert sorted(os.listdir(tmp_path)) == before


def test_fit_checkpoint_that_cannot_be_written_later_is_one_line(
    data, tmp_path, refused, monkeypatch
):
    replace = os.replace

    def once(old, new):
        if str(new).endswith(".columns"):
            replace(old, new)
        else:
            full()

    monkeypatch.setattr(atomic.os, "replace", once)
    for words in ([], ["--method", "sgd"]):
        path = tmp_path / f"kept{len(words)}"
        line = refused("fit", data, "--target", "y", *words, "--checkpoint", path)
        assert f"{path}: {os.strerror(28)}" in line
    assert not list(tmp_path.glob(".fastridge*"))


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather"])
def test_predict_full_disk_is_one_line_and_leaves_nothing(
    data, model, tmp_path, refused, monkeypatch, ending
):
    monkeypatch.setattr(atomic.os, "replace", full)
    before = sorted(os.listdir(tmp_path))
    line = refused("predict", model, data, "--output", tmp_path / f"p{ending}")
    assert f"cannot write {tmp_path / 'p'}{ending}: {os.strerror(28)}" in line
    assert sorted(os.listdir(tmp_path)) == before


@posix
def test_commands_output_that_is_an_input_is_refused(data, model, tmp_path, refused):
    (tmp_path / "symbolic").symlink_to(data)
    os.link(data, tmp_path / "hard.parquet")
    os.link(model, tmp_path / "model.csv")
    whole = [Path(path).read_bytes() for path in (data, model)]
    fit = ["fit", data, "--target", "y"]
    other = f"{tmp_path}/../{tmp_path.name}/data.parquet"
    for name in (data, other, tmp_path / "symbolic", tmp_path / "hard.parquet"):
        for option in ("--save", "--plot", "--coefs", "--checkpoint"):
            assert "is a file that is read" in refused(*fit, option, name)
        assert "is a file that is read" in refused("predict", model, data, "--output", name)
    assert "is a file that is read" in refused(*fit, "--test", other, "--save", data)
    pattern = ["fit", tmp_path / "*.parquet", "--target", "y"]
    assert "is a file that is read" in refused(*pattern, "--save", tmp_path / "hard.parquet")
    line = refused("predict", model, data, "--output", tmp_path / "model.csv")
    assert f"is the model, {model}" in line
    same = ["--save", tmp_path / "a", "--plot", f"{tmp_path}/./a"]
    assert "--save and --plot name the same file" in refused(*fit, *same)
    assert [Path(path).read_bytes() for path in (data, model)] == whole


@posix
def test_predict_appending_to_its_input_is_refused(data, model, tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("a\n1\n")
    found = shell(f'"$@" >> {path}', "predict", model, path)
    assert "the standard output is a file that is read" in found.stderr
    assert path.read_text() == "a\n1\n"


@posix
def test_fit_pipe_is_not_read_by_the_check_of_outputs(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("x,y\n" + "".join(f"{k % 7},{k}\n" for k in range(40)))
    found = shell(f'"$@" <(cat {path}) --target y --save {tmp_path / "m"}', "fit")
    assert found.stdout.endswith("0\n"), found.stderr


@posix
def test_fit_output_that_is_no_regular_file_is_refused(data, refused):
    line = refused("fit", data, "--target", "y", "--save", os.devnull)
    assert "is not a regular file, which --save needs" in line


# --- signals --------------------------------------------------------------------------------------

WHILE_IMPORTING = """
import os, signal
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.{signal})
sys.meta_path.insert(0, Finder())
"""
WHILE_WORKING = """
import os, signal, time
from fastridge.data.one_hot import Encoder
def encode_into(self, features_out, batch, where):
    for _ in range({times}):
        os.kill(os.getpid(), signal.{signal})
    time.sleep(3600)  # of the thread that reads, which is not waited for
Encoder.encode_into = encode_into
"""
WHILE_INFERRING = """
import os, signal, time
from fastridge.data.table_rows import TableRows
def tables(self, *parts):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(3600)
    yield None
TableRows._tables = tables
"""
STATUS = {"SIGINT": (130, "interrupted"), "SIGTERM": (143, "terminated")}


@posix
@pytest.mark.parametrize(
    ("name", "module"),
    [("SIGINT", "fastridge.cli.arguments"), ("SIGINT", "pyarrow"), ("SIGTERM", "sklearn.base")],
)
def test_program_signal_while_importing_ends_in_one_line(data, tmp_path, name, module):
    before = WHILE_IMPORTING.format(module=module, signal=name)
    words = ["fit", data, "--target", "y", "--save", tmp_path / "m"]
    found = program(*words, before=before)
    status, word = STATUS[name]
    assert (found.returncode, found.stdout) == (status, "")
    assert found.stderr == f"fastridge: {word}\n"


@posix
@pytest.mark.parametrize(
    ("name", "times", "command"),
    [("SIGINT", 3, "fit"), ("SIGTERM", 1, "fit"), ("SIGINT", 1, "predict")],
)
def test_program_signal_while_working_leaves_nothing(data, model, tmp_path, name, times, command):
    words = {
        "fit": ["fit", data, "--target", "y", "--save", tmp_path / "new"],
        "predict": ["predict", model, data, "--output", tmp_path / "new.csv"],
    }[command]
    before = sorted(os.listdir(tmp_path))
    found = program(*words, before=WHILE_WORKING.format(times=times, signal=name))
    status, word = STATUS[name]
    assert (found.returncode, found.stdout) == (status, "")
    assert found.stderr == f"fastridge {command}: {word}\n"
    assert sorted(os.listdir(tmp_path)) == before


@posix
@pytest.mark.parametrize("ending", ["csv", "parquet", "svm"])
def test_program_signal_in_the_first_pass_waits_for_no_batch(tmp_path, ending):
    columns = {"1": np.arange(9.0), "target": np.arange(9.0) % 4}
    path = tmp_path / f"d.{ending}"
    if ending == "svm":
        path.write_text("".join(f"{k % 4} 1:{k}\n" for k in range(9)))
    elif ending == "csv":
        pcsv.write_csv(pa.table(columns), path)
    else:
        pq.write_table(pa.table(columns), path)
    found = program("fit", path, "--target", "target", before=WHILE_INFERRING)
    assert (found.returncode, found.stdout) == (130, "")
    assert found.stderr == "fastridge fit: interrupted\n"


@posix
def test_program_signals_that_are_ignored_stay_so(data, tmp_path):
    before = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    before += WHILE_IMPORTING.format(module="pyarrow", signal="SIGINT")
    words = ["fit", data, "--target", "y", "--save", tmp_path / "m"]
    assert program(*words, before=before).returncode == 0
    assert (tmp_path / "m").exists()


def test_main_called_from_python_leaves_signals_alone(data):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert main(["fit", data, "--target", "y"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


# --- threads --------------------------------------------------------------------------------------


def threads_of_libraries():
    return [library["num_threads"] for library in threadpool_info()]


def test_limited_threads_hold_in_the_block_alone():
    before = threads_of_libraries(), resolve_threads(None)
    with limited_threads(1):
        assert set(threads_of_libraries()) == {1}
        assert resolve_threads(None) == 1
    assert (threads_of_libraries(), resolve_threads(None)) == before
    with limited_threads(None):
        assert (threads_of_libraries(), resolve_threads(None)) == before


def test_fit_n_threads_limits_blas_and_pyarrow(data, run, monkeypatch):

    before, right, seen = (pa.cpu_count(), pa.io_thread_count()), fitting.fit, []

    def fit(args):
        seen.extend([*threads_of_libraries(), pa.cpu_count(), resolve_threads(None)])
        return right(args)

    monkeypatch.setattr(fitting, "fit", fit)
    run("fit", data, "--target", "y", "--n-threads", 1)
    assert set(seen) == {1}
    assert (pa.cpu_count(), pa.io_thread_count()) == before
