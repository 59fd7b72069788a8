"""Put what estimators say into the words of the command line: options, and names of features."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fastridge.cli.errors import CommandError
from fastridge.data.batches import ScanError

_PHRASES = (
    (
        r"times shorter than asked for\. .*",
        "times shorter than asked for: give --standardize, or a smaller --eta0",
    ),
    (
        r"Floating-point under-/overflow occurred at epoch #(\d+)\. .*?SGD diverges: ",
        r"SGD diverges in epoch \1: ",
    ),
    (r"\. Set (a smaller eta0|learning_rate=)", r": give \1"),
    (r", as standardize=True does, and start from .*", ", as --standardize does"),
    (
        r"Maximum number of iteration reached before convergence\. .*",
        "the loss still got better in the last of the epochs: give more --epochs",
    ),
    (r"Objective did not converge\. .* At alpha=", "the elastic net did not converge: at alpha="),
    (r" of max_iter=\d+ iterations\. That is .*", " iterations, as near as rounding allows"),
    (r" of max_iter=(\d+) iterations\.", r" iterations: give more --max-iter than \1"),
    (
        r"X'X or X'y overflows float64 although .*",
        "squares overflow, of numbers above 1e150: rescale them",
    ),
    (
        r"[.:] (?:Rescale it|Divide it by a number of their size).*",
        ": divide it by a number of its size",
    ),
    (r"(?<=\d )of sparse X", "of X"),
    (r"^X is too large", "The table is too large"),
    (r"values in X", "the features"),
    (
        r"^the mean of y is .* needs it above 0 .*",
        "no training row outside one of the folds has a target above 0: give --alpha, or fewer "
        "--folds",
    ),
    (
        r"^This solver needs samples of at least 2 classes .*",
        "a class has training rows in one fold only: give --alpha, or fewer --folds",
    ),
    (r", or bias_reduction='firth'", ""),
    (r"such as C=1\.0", "such as --C 1"),
    (r"such as alpha=([\d.e-]+)", r"such as --alpha \1"),
    (r"Increase alpha", "Give a larger --alpha"),
    (
        r"^checkpoint is supported only for one target.*",
        "--checkpoint is supported for one target or two classes only: leave it out",
    ),
    (r"Delete the file, or name another", "delete the file, or name another"),
)
_FLAGS = {
    "learning_rate": "--learning-rate",
    "eta0": "--eta0",
    "max_iter": "--max-iter",
    "n_alphas": "--n-alphas",
    "l1_ratio": "--l1-ratio",
    "checkpoint_every": "--checkpoint-every",
    "checkpoint": "--checkpoint",
    "standardize": "--standardize",
    "alphas": "--alphas",
    "tol": "--tol",
    "eps": "--eps",
    "loss": "--loss",
}
_SEPARATED = " separated "
_PARAMETER = re.compile(
    rf"(?<![\w-])(?:({'|'.join(_FLAGS)})=('[^']*'|[\w.+-]+)|(eta0|max_iter|tol)\b)"
)


def in_options(text: str, features: Sequence[str]) -> str:
    """Return the first line of what an estimator says.

    Parameters
    ----------
    text : str
        It names parameters, and columns by their index.
    features : sequence of str
        The names of the columns.

    Examples
    --------
    >>> from fastridge.cli.wording import in_options
    >>> in_options("column 1 of X is far away. Set a smaller eta0.", ["a", "b"])
    "feature 'b' is far away: give a smaller --eta0"
    """
    words = text.splitlines()[0] if text else ""
    for pattern, instead in _PHRASES:
        words = re.sub(pattern, instead, words)
    words = re.sub(
        r"column (\d+) of X\b", lambda found: f"feature {features[int(found[1])]!r}", words
    )
    if _SEPARATED in words:  # features are named by their index, classes by theirs
        words = re.sub(r" in class [^)]*", "", words)
        words = re.sub(r"\bx(\d+) \(", lambda found: f"{features[int(found[1])]!r} (", words)
    return _PARAMETER.sub(_flag, words).rstrip(".")


def _flag(found: re.Match[str]) -> str:
    if found[3]:
        return "--" + found[3].replace("_", "-")
    value = found[2].strip("'")
    return _FLAGS[found[1]] if value == "True" else f"{_FLAGS[found[1]]} {value}"


@contextmanager
def said_in_options(features: Sequence[str]) -> Iterator[None]:
    """Raise what estimators refuse in a ``with`` block as a CommandError."""
    try:
        yield
    except ScanError:
        raise
    except (FloatingPointError, ValueError) as error:
        raise CommandError(in_options(str(error), features)) from None
