"""Check, before the work, that outputs can be written and are no inputs."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterator

from fastridge._typing import PathLike
from fastridge.cli.errors import CommandError

_OPTIONS = ("save", "plot", "coefs", "checkpoint", "output")


def check_outputs(args: argparse.Namespace) -> None:
    """Raise CommandError if a file cannot be made, is an input too, or is named twice."""
    if [getattr(args, name, None) for name in ("model", "data", "test")].count("-") > 1:
        raise CommandError("- is given twice, but the standard input can be read only once")
    outputs = list(_outputs(args))
    for flag, path in outputs:
        _check_writable(flag, path)
    files = {_file_key(path): flag for flag, path in outputs}
    for flag, path in outputs:
        if files[_file_key(path)] != flag:
            raise CommandError(f"{flag} and {files[_file_key(path)]} name the same file, {path}")
    inputs = {known: what for known, what in _inputs(args) if known is not None}
    written = [(f"{flag} {path}", _identity(path)) for flag, path in outputs]
    if _prints_to_process_output():
        written.append(("the standard output", _identity(1)))
    for output, known in written:
        if known is not None and known in inputs:
            raise CommandError(f"{output} is {inputs[known]}: name another file")


def _check_writable(flag: str, path: str) -> None:
    """Raise CommandError if a file cannot be made at this path."""
    if path in ("", "-"):
        raise CommandError(f"{flag} {path!r} names no file")
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise CommandError(f"cannot write {path}: it is a folder")
    if not os.path.isdir(folder):
        raise CommandError(f"cannot write {path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise CommandError(f"cannot write {path}: no permission in {folder}")
    if os.path.exists(path) and not os.path.isfile(path):
        raise CommandError(f"cannot write {path}: it is not a regular file, which {flag} needs")


def _outputs(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for name in _OPTIONS:
        path = getattr(args, name, None)
        if path is not None:
            yield f"--{name}", path
            if name == "checkpoint":
                yield f"--{name}", f"{path}.columns"


def _inputs(args: argparse.Namespace) -> Iterator[tuple[tuple[int, int] | None, str]]:
    """Yield device and number of each file that is read, and what it is."""
    from fastridge.data.batches import ScanError
    from fastridge.data.listing import files_of
    from fastridge.data.spooling import is_pipe

    if args.command == "predict":
        yield _identity(args.model), f"the model, {args.model}"
    for path in (args.data, getattr(args, "test", None)):
        if path == "":
            raise CommandError("the name of a file to read is empty: give a path")
        if path == "-":
            yield _identity(0), "the standard input"
        elif path:
            try:
                files = [] if is_pipe(path) else files_of(path)[0]  # which would read a pipe
            except (ScanError, OSError):  # said when it is read
                continue
            for file in files:
                yield _identity(file), f"a file that is read, {file}"


def _identity(file: PathLike | int) -> tuple[int, int] | None:
    """Return device and number of a regular file, by path or descriptor."""
    try:
        known = os.stat(file)
    except OSError:
        return None
    return (known.st_dev, known.st_ino) if stat.S_ISREG(known.st_mode) else None


def _file_key(path: str) -> tuple[int, int] | str:
    """Return what tells files apart that may not exist yet."""
    return _identity(path) or os.path.realpath(path)


def _prints_to_process_output() -> bool:
    """Return whether what is printed goes to the process's own output."""
    try:
        return sys.stdout.fileno() == 1
    except (OSError, ValueError):
        return False
