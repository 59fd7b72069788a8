"""Pipes and the standard input: the same features as of a file, and nothing is left behind."""

import contextlib
import gzip
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("rich")

from both_readers import K, N, X, Y, both, lines
from processes import HANG

from fastridge import Ridge, scan
from fastridge.cli import main
from fastridge.cli.arguments import build_parser
from fastridge.cli.fitting import prepare
from fastridge.cli.progress import Stages
from fastridge.data.batches import ScanError
from fastridge.data.scan import Scan
from fastridge.data.splitting import Split
from fastridge.data.spooling import STANDARD_INPUT

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
TEXT = lines(lambda k: f"{X[k]},{K[k]},{Y[k]}")


def pipe(path, content):
    """Make a named pipe that gives this content to one reader."""
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
    return path


def contents():
    table = pa.table({"x": X, "z": K, "y": Y})
    parquet, arrow = pa.BufferOutputStream(), pa.BufferOutputStream()
    pq.write_table(table, parquet)
    with pa.ipc.new_stream(arrow, table.schema) as writer:
        writer.write_table(table)
    return {
        "CSV": TEXT,
        "gzip": gzip.compress(TEXT),
        "Parquet": parquet.getvalue().to_pybytes(),
        "Arrow": arrow.getvalue().to_pybytes(),
    }


@pytest.mark.parametrize("kind", list(contents()))
def test_readers_a_pipe_gives_the_rows_of_its_file(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "copies"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "copies").mkdir()
    path = tmp_path / "file"
    path.write_bytes(contents()[kind])
    wanted, names, y, _ = both(path)
    rows = scan(pipe(tmp_path / "one", contents()[kind]), "y", infer=True, fold=Split(3, 0.2, 5))
    words = ["fit", str(pipe(tmp_path / "two", contents()[kind])), "--target=y", "--seed=3"]
    task = prepare(build_parser().parse_args(words), Stages())
    for found in (rows, Scan(task.rows.rows_of("training"), None)):
        assert_array_equal(np.concatenate([batch.X for batch in found]), wanted)
        assert_array_equal(np.concatenate([batch.y for batch in found]), y)
        assert found.feature_names == names
    assert not list((tmp_path / "copies").iterdir())


def test_scan_pipes_of_sparse_rows_and_lists_are_read(tmp_path):
    text = "".join(f"{Y[k]} {1 + K[k]}:1\n" for k in range(N))
    (tmp_path / "file").write_text(text)
    X_pipe = scan(pipe(tmp_path / "pipe", text.encode()))
    X_file = scan(tmp_path / "file")
    for one, other in zip(X_pipe, X_file, strict=True):
        assert_array_equal(one.X.toarray(), other.X.toarray())
    (tmp_path / "a.csv").write_bytes(TEXT)
    rows = scan([tmp_path / "a.csv", pipe(tmp_path / "other", TEXT)], "y")
    assert_array_equal(np.concatenate([batch.y for batch in rows]), np.tile(Y, 2))
    os.mkfifo(tmp_path / "b.csv")  # and nobody writes to it
    assert sum(len(batch.y) for batch in scan(tmp_path, "y")) == N


def test_scan_a_checkpoint_of_a_pipe_resumes_with_the_same_content(tmp_path):
    file = tmp_path / "a.checkpoint"
    first, again = (
        Ridge().fit(scan(pipe(tmp_path / name, TEXT), "y"), checkpoint=file) for name in "ab"
    )
    assert_array_equal(first.coef_, again.coef_)
    other = scan(pipe(tmp_path / "other", TEXT + b"1,2,3\n"), "y")
    with pytest.raises(ValueError, match="checkpoint"):
        Ridge().fit(other, checkpoint=file)


def test_scan_errors_of_a_pipe_name_it(tmp_path):
    text = TEXT.replace(f"{X[9]},".encode(), b"abc,")
    with pytest.raises(ScanError, match=r"pipe, line 11: column 'x' holds 'abc'"):
        scan(pipe(tmp_path / "pipe", text), "y", infer=True)
    with pytest.raises(ScanError, match=r"none is empty"):
        scan(pipe(tmp_path / "none", b""), "y")
    with pytest.raises(ScanError, match=r"/dev/zero is a device"):
        scan("/dev/zero", "y")


def test_scan_without_room_for_the_copy_of_a_pipe_says_so(tmp_path, monkeypatch):
    path = pipe(tmp_path / "pipe", TEXT)

    def full(descriptor, part):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ScanError, match="cannot copy .*pipe .*No space left on device: let TMPDIR"):
        scan(path, "y")


def command(folder, *words, **options):
    folder.mkdir(exist_ok=True)
    script = "import sys; from fastridge.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "ignore", "-c", script, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
        **options,
    )


@contextlib.contextmanager
def standard_input(content):
    """Give this content to the standard input."""
    reads, writes = os.pipe()
    kept = os.dup(0)
    os.dup2(reads, 0)
    os.close(reads)

    def write():
        with contextlib.suppress(BrokenPipeError), os.fdopen(writes, "wb") as file:
            file.write(content)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        thread.join()


def test_commands_read_the_standard_input(tmp_path, capsys):
    path, model, found = tmp_path / "a.csv", str(tmp_path / "m"), str(tmp_path / "p.csv")
    path.write_bytes(TEXT)
    with standard_input(gzip.compress(TEXT)):
        assert main(["fit", "-", "--target=y", "--save", model, "--no-check"]) == 0
    note = f"note: {STANDARD_INPUT} is read to its end into a temporary file first\n"
    assert capsys.readouterr().err == note
    for words in (["cv", "-"], ["fit", str(path), "--test", "-"]):
        with standard_input(TEXT):
            assert main([*words, "--target=y"]) == 0
    with standard_input(TEXT):
        assert main(["predict", model, "-", "--output", found]) == 0
    capsys.readouterr()
    assert main(["predict", model, str(path)]) == 0
    predicted = np.array(capsys.readouterr().out.split()[1:], dtype=float)
    assert_array_equal(predicted, np.loadtxt(found, skiprows=1))
    for words in (["predict", "-", str(path)], ["info", "-"]):
        with standard_input((tmp_path / "m").read_bytes()):
            assert main(words) == 0
    capsys.readouterr()
    with standard_input(TEXT + b"1,2,3,4\n"):
        assert main(["fit", "-", "--target=y"]) == 2
    where = f"{STANDARD_INPUT}, line {N + 2}: Expected 3 columns"
    assert where in capsys.readouterr().err


def test_a_command_deletes_the_copy_of_its_standard_input(tmp_path):
    run = command(tmp_path / "copies", "fit", "-", "--target=y", "--no-check")
    _, err = run.communicate(TEXT, timeout=HANG)
    assert run.returncode == 0, err
    assert not list((tmp_path / "copies").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_commands_that_are_stopped_leave_no_copy_of_the_standard_input(tmp_path, number):
    run = command(tmp_path / "copies", "fit", "-", "--target=y")
    run.stdin.write(50 * TEXT)  # more than a pipe holds, so that it is being copied afterwards
    run.stdin.flush()
    assert b"read to its end" in run.stderr.readline()
    run.send_signal(number)
    run.communicate(timeout=HANG)
    assert run.returncode != 0
    if os.path.isdir("/proc/self/fd") or number == signal.SIGINT:
        assert not list((tmp_path / "copies").iterdir())


def test_predict_appends_to_the_columns_of_a_pipe(tmp_path, capsys):
    path, model = tmp_path / "d.csv", str(tmp_path / "m")
    path.write_bytes(TEXT)
    assert main(["fit", str(path), "--target", "y", "--save", model]) == 0
    capsys.readouterr()
    assert main(["predict", model, str(path), "--append"]) == 0
    wanted = capsys.readouterr().out
    assert main(["predict", model, str(pipe(tmp_path / "pipe", TEXT)), "--append"]) == 0
    assert capsys.readouterr().out == wanted
