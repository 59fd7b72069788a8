"""Read mutated files by `scan` and by the command line, as many as requested.

    python tests/soak_mutated_files.py --files 100000 --first 0

Not collected by pytest. A file is its number, the seed of its kind and its changes. Files that take
long, that the readers read differently, or that raise something else than one line are printed.
"""

import argparse
import os
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "data"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from test_mutated_files import files, mutated_file, outcomes

from fastridge.data import csv_file

MOST_SECONDS = 20
KINDS = files()


class TooLongError(Exception):
    """Reading a file takes long."""


def too_long(number, frame):
    raise TooLongError


def problem(number, folder):
    """Return what is wrong with the reading of a file; None if nothing is."""
    case, csv_file.CSV_BLOCK = mutated_file(number, KINDS, folder)
    signal.alarm(MOST_SECONDS)
    try:
        found = outcomes(*case)
    except TooLongError:
        return f"takes more than {MOST_SECONDS} s"
    except Exception:  # noqa: BLE001
        return traceback.format_exc()
    finally:
        signal.alarm(0)
        case[0].unlink()
    return None if found[0] == found[1] else f"is read differently: {found}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, too_long)
    warnings.simplefilter("ignore")
    n_wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.first, args.first + args.files):
            wrong = problem(number, Path(folder))
            if wrong is not None:
                n_wrong += 1
                print(f"file {number} {wrong}", flush=True)
            if number % 1000 == 999:
                print(f"{number + 1 - args.first} files, {n_wrong} wrong", flush=True)
    return os.EX_OK if not n_wrong else 1


if __name__ == "__main__":
    sys.exit(main())
