"""The arguments of the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from fastridge.cli import help as texts
from fastridge.cli.reading import add_keep_and_drop, add_reading

DEFAULTS = {"tol": 1e-4, "max_iter": 1000, "n_alphas": 100, "eps": 1e-3}  # of the elastic net

METHODS = ("loo", "gcv", "kfold", "em", "marginal_likelihood")
FAMILIES = ("gaussian", "binomial", "multinomial", "poisson", "gamma", "tweedie")


def _number(wanted: str, fits: Callable[[float], bool]) -> Callable[[str], float]:
    def parse(word: str) -> float:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not fits(value):
            raise argparse.ArgumentTypeError(f"{wanted}, not {word!r}")
        return value

    return parse


_penalty = _number("a penalty is a number from 0 up", lambda value: 0.0 <= value < math.inf)
_tolerance = _number("a tolerance is a number from 0 up", lambda value: 0.0 <= value < math.inf)
_fraction = _number("a fraction is a number from 0 to below 1", lambda value: 0.0 <= value < 1.0)
_ratio = _number("a number from 0 to 1", lambda value: 0.0 <= value <= 1.0)
_one_ratio = _number(
    "one number from 0 to 1 (`fastridge cv` takes several)", lambda value: 0.0 <= value <= 1.0
)
_inverse = _number("the inverse of a penalty is a number above 0", lambda value: value > 0.0)
_power = _number("a power is a number", math.isfinite)
_step = _number("a step size is a number above 0", lambda value: 0.0 < value < math.inf)
_eps = _number("a number above 0 and below 1", lambda value: 0.0 < value < 1.0)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``fastridge fit``, ``cv``, ``predict`` and ``info``."""
    from fastridge._version import __version__

    examples = [first for first, *_ in texts.EXAMPLES.values()]
    parser = texts.Parser("fastridge", texts.DESCRIPTION, examples)
    parser.add_argument("--version", action="version", version=f"fastridge {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=texts.Parser
    )

    def command(name: str, help: str, usage: str, description: str) -> argparse.ArgumentParser:
        usage = f"fastridge {name} {usage} [options]"
        return commands.add_parser(
            name, help=help, usage=usage, description=description, examples=texts.EXAMPLES[name]
        )

    _add_fit(command("fit", "fit a model to a file", "DATA --target COL", texts.FIT))
    _add_cv(command("cv", "compare choices of the penalty", "DATA --target COL", texts.CV))
    _add_predict(command("predict", "predict with a saved model", "MODEL DATA", texts.PREDICT))
    _add_info(command("info", "describe a saved model", "MODEL", texts.INFO))
    return parser


def _add_predict(predict: argparse.ArgumentParser) -> None:
    predict.add_argument("model", metavar="MODEL", help="file written by fit or cv --save")
    predict.add_argument(
        "data", metavar="DATA", help="file with the model's columns, - for the standard input"
    )
    output = predict.add_argument_group("output")
    output.add_argument(
        "--output", metavar="FILE", help="write to FILE: .csv, .parquet, .feather or .arrow"
    )
    output.add_argument(
        "--proba", action="store_true", help="write the probability of each class too"
    )
    output.add_argument(
        "--append", action="store_true", help="write all columns of DATA, and the prediction last"
    )
    _add_json(output, "the summary as JSON, to the standard output if --output is given")
    add_reading(predict)


def _add_info(info: argparse.ArgumentParser) -> None:
    info.add_argument(
        "model", metavar="MODEL", help="file written by fit or cv --save, or fastridge.save"
    )
    _add_json(info)


def _add_json(
    group: argparse._ActionsContainer, what: str = "print JSON instead of tables"
) -> None:
    group.add_argument("--json", action="store_true", help=what)


def _add_coefs(output: argparse._ArgumentGroup) -> None:
    output.add_argument(
        "--coefs", metavar="FILE.csv", help="write the intercept and all coefficients to this file"
    )


def _add_fit(fit: argparse.ArgumentParser) -> None:
    _add_columns(fit)
    model = fit.add_argument_group("model")
    penalty = model.add_mutually_exclusive_group()
    penalty.add_argument("--alpha", metavar="A", type=_penalty, help="penalty to use as it is")
    penalty.add_argument(
        "--alphas",
        metavar="A,A,...",
        action="append",
        help="penalties to choose from by k-fold (default: an automatic grid)",
    )
    penalty.add_argument(
        "--C", metavar="C", type=_inverse, help="inverse of the penalty, of classes; inf is none"
    )
    _add_standardize(model)
    _add_family(fit)
    _add_elastic_net(
        fit,
        type=_one_ratio,
        help="fit an elastic net whose penalty has this share of L1; 1 is the lasso",
    )
    _add_sgd(fit)
    validation = _add_validation(fit)
    validation.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="check the result against the rows and scikit-learn (default: yes)",
    )

    _add_checkpoint(fit)
    output = fit.add_argument_group("output")
    output.add_argument("--save", metavar="MODEL", help="write the model to this file")
    _add_coefs(output)
    output.add_argument(
        "--top",
        metavar="N",
        type=_count(0),
        default=12,
        help="strongest coefficients to print (default: %(default)s)",
    )
    _add_drawing(output)


def _add_cv(cv: argparse.ArgumentParser) -> None:
    _add_columns(cv)
    model = cv.add_argument_group("model")
    model.add_argument(
        "--methods",
        metavar="M,M,...",
        action="extend",
        type=_methods,
        help=f"methods to compare, of {', '.join(METHODS)} (default: all)",
    )
    model.add_argument(
        "--selection",
        choices=("min", "1se"),
        default="min",
        help="least error, or largest penalty within one standard error (default: %(default)s)",
    )
    model.add_argument(
        "--alphas",
        metavar="A,A,...",
        action="append",
        help="penalties above 0 to choose from (default: an automatic grid)",
    )
    _add_standardize(model)
    _add_family(cv)
    _add_elastic_net(
        cv,
        action="append",
        metavar="R,R,...",
        help="compare elastic nets whose penalty has these shares of L1; 1 is the lasso",
    )
    _add_validation(cv)
    _add_checkpoint(cv)
    output = cv.add_argument_group("output")
    output.add_argument(
        "--save", metavar="MODEL", help="write the chosen elastic net, or model of --family, here"
    )
    _add_coefs(output)
    _add_drawing(output)


def _add_columns(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", metavar="DATA", help="file, folder, pattern (in quotes), or -")
    command.add_argument(
        "--target", metavar="COL", help="column to predict (not needed for svmlight files)"
    )
    command.add_argument("--weights", metavar="COL", help="column of weights of the rows")
    is_fit = command.prog.endswith("fit")
    models = ("ridge", "lasso", "enet", "sgd") if is_fit else ("ridge", "lasso", "enet")
    command.add_argument(
        "--model",
        dest="estimator",
        choices=models,
        metavar="MODEL",
        help=f"one of {', '.join(models)} (default: ridge); lasso is --l1-ratio 1, enet is "
        "--l1-ratio 0.5 unless that is given" + (", sgd is --method sgd" if is_fit else ""),
    )
    columns = command.add_argument_group("columns")
    columns.add_argument(
        "--features",
        metavar="COL,COL,...",
        action="append",
        help="columns to predict from, also patterns such as 'x*'; may be given several times "
        "(default: all others)",
    )
    columns.add_argument(
        "--categorical",
        metavar="COL,COL,...",
        action="append",
        default=[],
        help="columns of numbers that are codes, to be one-hot encoded",
    )
    add_keep_and_drop(columns)
    columns.add_argument(
        "--max-categories",
        metavar="N",
        type=_count(1),
        default=100,
        help="most categories of a column, the most frequent ones (default: %(default)s)",
    )
    add_reading(command)


def _add_standardize(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="penalise the coefficients of columns of unit variance (default: yes, but for sgd)",
    )


def _add_family(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("generalized linear models")
    group.add_argument(
        "--family",
        choices=FAMILIES,
        metavar="FAMILY",
        help=f"distribution of the target, one of {', '.join(FAMILIES)} (default: gaussian)",
    )
    group.add_argument(
        "--power", metavar="P", type=_power, help="power of --family tweedie (default: 1.5)"
    )
    group.add_argument(
        "--link",
        choices=("identity", "log", "logit"),
        metavar="LINK",
        help="identity, log or logit (default: that of the family: of poisson, gamma and tweedie "
        "log)",
    )
    group.add_argument(
        "--offset", metavar="COL", help="column of known terms of the linear predictor"
    )
    group.add_argument(
        "--exposure",
        metavar="COL",
        help="column of exposures, such as durations, with a log link: the mean is in proportion",
    )


def _add_elastic_net(
    command: argparse.ArgumentParser,
    help: str,
    type: Callable[[str], float | str] = str,
    action: str = "store",
    metavar: str = "R",
) -> None:
    group = command.add_argument_group("elastic net (--model lasso or enet)")
    group.add_argument("--l1-ratio", metavar=metavar, type=type, action=action, help=help)
    group.add_argument(
        "--n-alphas",
        metavar="N",
        type=_count(1),
        help="number of penalties in the automatic grid (default: 100; with --family 50, or 25 "
        "without L1)",
    )
    group.add_argument(
        "--eps",
        metavar="E",
        type=_eps,
        help="smallest penalty of that grid, as a fraction of its largest (default: 0.001; with "
        "--family without L1 1e-8)",
    )
    group.add_argument("--positive", action="store_true", help="no negative coefficients")
    group.add_argument(
        "--tol",
        metavar="T",
        type=_tolerance,
        help="duality gap to reach, as a fraction of |y|²/n (default: 0.0001); with --family the "
        "gradient, as a fraction of its scale (default: 1e-6 or less); with sgd, the least "
        "improvement of the loss in 5 epochs (default: 0.001)",
    )
    group.add_argument(
        "--max-iter",
        metavar="N",
        type=_count(1),
        help="most iterations for each alpha (default: 1000, with --family 100)",
    )


def _add_sgd(command: argparse.ArgumentParser) -> None:
    from fastridge.losses.registry import LOSSES

    group = command.add_argument_group("stochastic gradient descent")
    group.add_argument("--method", choices=("sgd",), help="fit by stochastic gradient descent")
    group.add_argument("--loss", metavar="LOSS", choices=LOSSES, help=f"one of {', '.join(LOSSES)}")
    group.add_argument(
        "--epsilon",
        metavar="E",
        type=_tolerance,
        help="threshold of huber and the epsilon-insensitive losses (default: 0.1)",
    )
    group.add_argument(
        "--learning-rate",
        metavar="RULE",
        choices=("auto", "constant", "optimal", "invscaling", "adaptive"),
        help="auto (default), constant, optimal, invscaling or adaptive",
    )
    group.add_argument("--eta0", metavar="E", type=_step, help="step size (default: 0.01)")
    group.add_argument(
        "--epochs", metavar="N", type=_count(1), help="most passes over the rows (default: 1000)"
    )
    group.add_argument("--average", action="store_true", help="average the weights of all steps")
    group.add_argument("--verbose", action="store_true", help="write one line per epoch")


def _add_validation(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    validation = command.add_argument_group("validation")
    held_out = validation.add_mutually_exclusive_group()
    held_out.add_argument(
        "--test-size",
        metavar="F",
        type=_fraction,
        default=0.2,
        help="fraction of the rows to hold out, 0 for none (default: %(default)s)",
    )
    held_out.add_argument("--test", metavar="DATA", help="file of rows to hold out instead")
    validation.add_argument(
        "--folds",
        metavar="K",
        type=_count(2),
        default=5,
        help="number of folds that choose the penalty (default: %(default)s)",
    )
    validation.add_argument(
        "--seed",
        metavar="N",
        type=_count(0),
        default=0,
        help="seed of the random split (default: %(default)s)",
    )
    return validation


def _add_checkpoint(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("long runs")
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keep the state of the fit in FILE and FILE.columns: if it was killed, the same "
        "command resumes from there",
    )
    group.add_argument(
        "--checkpoint-every",
        metavar="N",
        type=_count(1),
        help="rows between two checkpoints (default: 10 million; sgd writes after each epoch too)",
    )


def _add_drawing(output: argparse._ArgumentGroup) -> None:
    output.add_argument(
        "--plot",
        metavar="FILE",
        help="draw coefficient path and validation curve to FILE (.png, .svg, .pdf)",
    )
    output.add_argument(
        "--n-threads", metavar="N", type=_count(1), help="threads to use (default: all cores)"
    )
    _add_json(output)


def parse_alphas(words: list[str] | None) -> list[float] | None:
    """Return the penalties of ``--alphas`` in increasing order; None if the grid is automatic."""
    try:
        alphas = sorted({_penalty(word) for word in split_commas(words or [])})
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"argument --alphas: {error}") from None
    if words and not alphas:
        raise ValueError("argument --alphas: a number from 0 up is missing")
    return alphas or None


def parse_l1_ratios(words: list[str]) -> list[float]:
    """Return the numbers of ``--l1-ratio`` in increasing order."""
    try:
        ratios = sorted({_ratio(word) for word in split_commas(words)})
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"argument --l1-ratio: {error}") from None
    if not ratios:
        raise ValueError("argument --l1-ratio: a number from 0 to 1 is missing")
    return ratios


def _methods(word: str) -> list[str]:
    names = split_commas([word])
    if not names:
        raise argparse.ArgumentTypeError("a method is missing")
    for name in names:
        if name not in METHODS:
            raise argparse.ArgumentTypeError(f"the methods are {', '.join(METHODS)}, not {name!r}")
    return names


def split_commas(words: list[str]) -> list[str]:
    """Return the words that commas separate."""
    return [part.strip() for word in words for part in word.split(",") if part.strip()]


def _count(least: int) -> Callable[[str], int]:
    def parse(word: str) -> int:
        try:
            value = int(word)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"a whole number from {least} up, not {word!r}")
        return value

    return parse
