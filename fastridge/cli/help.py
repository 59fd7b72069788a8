"""Texts of the help, its examples, and errors of one line."""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from fastridge.cli.errors import printable

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

DESCRIPTION = """\
Fit a linear model to a file, predict with it, and describe it: ridge regression, lasso, elastic
net, logistic regression, generalized linear models, or stochastic gradient descent.

DATA is a Parquet, CSV (also compressed), Arrow, Feather or svmlight file; its contents say which.
Rows are read in batches: the file may be larger than memory. Pipes and the standard input, -, are
copied to a temporary file first.
"""

FIT = """\
Fit a ridge regression, or the model that --model or --family names, and print the result.

DATA is a Parquet, CSV, Arrow or svmlight file, a folder of such files, or a pattern in quotes.
Folders named key=value become columns. Rows are read in batches, so DATA may be of any size.

Columns: numbers are used as they are; dates and times become days and seconds; text, dictionary
and --categorical columns are one-hot encoded, the --max-categories most frequent values each and
the rest as '(other)'. A missing number becomes the column's mean over the training rows and a
column '... missing' says where; a missing text is a category of its own; rows without the target
are left out. So are columns that are constant, number the rows or identify them, unless --keep
names them. Text that is nearly numbers or dates is refused, and the message says which option reads
it.

Each row is held out at random with probability --test-size; the others are divided into --folds
folds. --seed fixes the random numbers. After a pass for the columns, one pass gives X'X and X'y of
each fold and of the held-out rows. The command takes the penalty with the smallest k-fold error and
fits the model to all training rows. It then checks these sums against others that NumPy made of the
same rows for a random model, and the normal equations, and compares with scikit-learn's Ridge on a
sample of the training rows. With --checkpoint, for wide tables, and where the sums lack digits, the
rows are read once more.

Elastic nets (--model lasso, --model enet, --l1-ratio R; R = 1 is the lasso) minimise
|y - Xw - b|²/2n + alpha (R |w|_1 + (1 - R) |w|²/2). Their alpha is on the scale of the mean of
squares, that of ridge on the scale of their sum. The automatic grid begins at the alpha at which
all coefficients are zero. The sums, the duality gap and scikit-learn's ElasticNet check the result.

Generalized linear models (--family) are fitted by Newton's method: logistic regression to two
classes (binomial) or more (multinomial), and means with a log link to counts (poisson) or amounts
(gamma, tweedie). They minimise the mean of half the deviance plus alpha times the penalty of
elastic nets, where R is 0 unless --l1-ratio is given. The alpha of the least k-fold deviance is
taken, or --alpha, or for classes --C, the inverse of alpha times the sum of the weights. The report
compares the held-out rows with the null model: deviance explained, for classes AUC, log loss, Brier
score and accuracy, and whether predictions are true on average. Effects are factors of the odds, or
of the mean.

Stochastic gradient descent (--model sgd) minimises the mean of --loss plus --alpha times the
penalty (alpha is 0.0001 unless given; with --l1-ratio a part of the penalty is L1). Rows are kept
in memory as float32; if they would take more than a quarter of it, they are read again in every
epoch. The losses for classes take a target of labels: text, or at least two different whole
numbers. With the automatic step size no feature needs scaling; the other rules of --learning-rate
use --eta0. A terminal shows the loss as it falls; --verbose writes one line per epoch.

With --checkpoint FILE the same command resumes where it was killed; with other penalties, it takes
the statistics from FILE. Delete FILE and FILE.columns when done.
"""

CV = """\
Choose the penalty by several methods and print them side by side; with --l1-ratio, choose that of
an elastic net by k-fold.

Columns, rows and folds are those of `fastridge fit`. One pass over the training rows gives each
fold's statistics; one more gives the exact leave-one-out errors and predicts the held-out rows.
With --standardize, leave-one-out keeps the scaling of all training rows; k-fold scales each fold
by its own training rows. The time of a method excludes reading, statistics and the spectrum, which
all methods share.

With --l1-ratio R ... a path of elastic nets is fitted in each fold for each R (1 is the lasso), all
from the same one pass. For each R, the output shows the alpha of the least k-fold error and the
largest alpha within one standard error of it. The one that --selection takes is fitted to all
training rows, and --save writes that model. With --family it does the same by the deviance of a
generalized linear model.
"""

PREDICT = """\
Predict with a model that `fastridge fit --save` or `fastridge cv --save` wrote.

Write one number, or label, for each row of DATA in the same order, in a column named 'prediction':
to the standard output as CSV, or to the file of --output. With --proba the probabilities of the
classes follow; with --append all columns of DATA come first. Models with an --offset or --exposure
take it from DATA. A category that was not in the
training rows counts as '(other)' if the model has that one, and as no category otherwise. If DATA
has the target column too, the error is printed.
"""

INFO = "Describe a file written by fastridge: the model, its columns and its held-out error."

EXAMPLES = {
    "fit": (
        "fastridge fit houses.csv --target price --save houses.fastridge",
        "fastridge fit 'flights/*.parquet' --target ArrDelay --features Month,DepTime,Origin "
        "--categorical Month",
        "fastridge fit houses.csv --target price --model lasso --coefs coefficients.csv",
        "fastridge fit mail.csv --target spam --family binomial --save mail.fastridge",
        "fastridge fit claims.csv --target claims --family poisson --exposure years",
    ),
    "cv": (
        "fastridge cv houses.csv --target price",
        "fastridge cv houses.csv --target price --l1-ratio 0.1,0.5,1 --selection 1se "
        "--save houses.fastridge",
    ),
    "predict": (
        "fastridge predict houses.fastridge new.csv > prices.csv",
        "fastridge predict houses.fastridge new.csv --append --output new_with_prices.parquet",
        "fastridge predict mail.fastridge new.csv --proba",
    ),
    "info": (
        "fastridge info houses.fastridge",
        "fastridge info houses.fastridge --json > houses.json",
    ),
}

_WIDEST = 100


class HelpFormatter(argparse.HelpFormatter):
    """Help of the terminal's width: paragraphs are filled, indented commands are continued."""

    def __init__(self, prog: str, **options: object) -> None:
        width = min(shutil.get_terminal_size().columns - 2, _WIDEST)
        super().__init__(prog, **{**options, "width": width})  # type: ignore[arg-type]

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = (_filled(block, width) for block in text.strip().split("\n\n"))
        return "\n\n".join(paragraphs) + "\n"


def _filled(block: str, width: int) -> str:
    if not block.startswith("  "):
        return textwrap.fill(" ".join(block.split()), width, break_on_hyphens=False)
    return "\n".join(_continued(line, width) for line in block.splitlines())


def _continued(command: str, width: int) -> str:
    """Return a command that a shell reads, broken before its options where it is too long."""
    lines = [""]
    for word in re.split(r" (?=--|>)", command.strip()):
        if lines[-1] and len(lines[-1]) + len(word) + 5 > width:
            lines[-1] += " \\"
            lines.append("  " + word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\n".join("  " + line for line in lines)


class Parser(argparse.ArgumentParser):
    """A parser of one command, whose errors are one line.

    The value of an option may begin with a dash, as in ``--target -y``, unless it is an option too.
    """

    def __init__(
        self, prog: str, description: str, examples: Sequence[str], **options: str
    ) -> None:
        commands = "\n".join("  " + example for example in examples)
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"Examples:\n\n{commands}",
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            **options,  # type: ignore[arg-type]
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the words of a command, of which all must be known."""
        words = self._with_values(sys.argv[1:] if args is None else args)
        known, unknown = super().parse_known_args(words, namespace)
        if unknown:
            self.error(self._about(unknown[0]))
        if not hasattr(known, "given"):  # a command has set it
            known.given = self._given(words)
        return known, unknown

    def _given(self, words: Sequence[str]) -> frozenset[str]:
        """Return the options among the words; one that takes a single value may not be repeated."""
        flags = [word.partition("=")[0] for word in words]
        given = [flag for flag in flags if flag in self._option_string_actions]
        for flag, n in Counter(given).items():
            if n > 1 and type(self._option_string_actions[flag]) is self._registry_get(
                "action", "store"
            ):
                self.error(f"argument {flag}: given {n} times")
        return frozenset(given)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print help, version or error; that it cannot be written is an error, hidden otherwise."""
        (sys.stderr if file is None else file).write(message)

    def _with_values(self, words: Sequence[str]) -> list[str]:
        """Return the words, with values that begin with a dash joined to their options."""
        flags = self._option_string_actions
        joined: list[str] = []
        for word in words:
            before = joined[-1] if joined else ""
            takes_one = before in flags and flags[before].nargs is None
            is_value = word.startswith("-") and word.partition("=")[0] not in flags
            if takes_one and is_value and word not in ("-", "--"):
                joined[-1] = f"{before}={word}"
            else:
                joined.append(word)
        return joined

    def _about(self, word: str) -> str:
        """Return what is wrong with a word that no argument takes."""
        if not word.startswith("-"):
            return (
                f"unexpected {word!r}: separate the values of an option by commas, "
                "as in --features a,b, and put a pattern of files in quotes"
            )
        flag = word.partition("=")[0]
        near = difflib.get_close_matches(flag, self._option_string_actions, n=1)
        return f"there is no option {flag}" + (f": did you mean {near[0]}?" if near else "")

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, in one line, and exit."""
        self.exit(2, f"{self.prog}: error: {printable(message)} (see {self.prog} --help)\n")
