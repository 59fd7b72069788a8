"""Options that do not go together, or that a command would not use, are refused."""

from __future__ import annotations

import argparse

from fastridge.cli.arguments import METHODS
from fastridge.cli.families import check_family, uses_newton
from fastridge.statistics.fold_statistics import MOST_FOLDS

_MIXED = 0.5  # l1_ratio of ``--model enet``


def check_options(args: argparse.Namespace) -> str | None:
    """Return what is wrong with options that do not go together, or None."""
    if args.estimator is not None:
        problem = _use_model(args)
        if problem is not None:
            return problem
    if args.checkpoint_every is not None and args.checkpoint is None:
        return "argument --checkpoint-every: give --checkpoint, the file to write"
    if args.folds > MOST_FOLDS:
        return f"argument --folds: at most {MOST_FOLDS:,} are supported, not {args.folds:,}"
    given = {
        "--n-alphas": args.n_alphas is not None,
        "--eps": args.eps is not None,
        "--positive": args.positive,
        "--tol": args.tol is not None,
        "--max-iter": args.max_iter is not None,
        "--save": args.command == "cv" and args.save is not None,
        "--coefs": args.command == "cv" and args.coefs is not None,
    }
    problem = check_family(args)
    if problem is not None:
        return problem
    if args.command == "fit":
        problem = _check_sgd(args, given)
        if problem is not None or args.method == "sgd":
            return problem
    penalty = next((f"--{n}" for n in ("alpha", "C") if getattr(args, n, None) is not None), None)
    if "--folds" in args.given and penalty is not None and not args.plot:
        return f"argument --folds: with {penalty} there are no folds, but with --plot"
    if (
        args.command == "cv"
        and "--folds" in args.given
        and "kfold" not in (args.methods or METHODS)
    ):
        return "argument --folds: of the methods, kfold alone uses them"
    if args.l1_ratio is None and not uses_newton(args):
        for option, there in given.items():
            if there and option in ("--save", "--coefs"):
                return (
                    f"argument {option}: cv compares methods for ridge and makes no model: "
                    f"use `fastridge fit {option}`, or give --l1-ratio"
                )
            if there:
                return (
                    f"argument {option}: it is for the elastic net: "
                    "leave it out, or give --l1-ratio (1 is the lasso)"
                )
        return None
    if args.command == "cv" and args.methods is not None:
        return (
            "argument --methods: an elastic net is chosen by k-fold alone: "
            "leave out --methods or --l1-ratio"
        )
    for option in ("--n-alphas", "--eps"):
        if given[option] and args.alphas:
            return f"argument {option}: not allowed with argument --alphas"
        if given[option] and penalty is not None and not args.plot:
            return f"argument {option}: with {penalty} there is no grid, but with --plot"
    return None


def _check_sgd(args: argparse.Namespace, given: dict[str, bool]) -> str | None:
    """Return what is wrong with the options of ``--method sgd``, given with or without it."""
    own = {
        "--loss": args.loss is not None,
        "--epsilon": args.epsilon is not None,
        "--learning-rate": args.learning_rate is not None,
        "--eta0": args.eta0 is not None,
        "--epochs": args.epochs is not None,
        "--average": args.average,
        "--verbose": args.verbose,
    }
    if args.method is None:
        for option, there in own.items():
            if there:
                return f"argument {option}: it is for --method sgd: leave it out, or give that"
        return None
    others = {option: given[option] for option in ("--n-alphas", "--eps", "--positive")}
    others |= {"--alphas": bool(args.alphas), "--max-iter": given["--max-iter"]}
    others |= {option: option in args.given for option in ("--folds", "--check")}
    for option, there in others.items():
        if there:
            instead = {
                "--max-iter": ": give --epochs",
                "--alphas": ": give --alpha",
                "--folds": ", which chooses no penalty: leave it out",
                "--check": ", whose result has no check: leave it out",
            }
            return f"argument {option}: not supported with --method sgd{instead.get(option, '')}"
    if args.epsilon is not None and "epsilon" not in f"{args.loss}" and args.loss != "huber":
        return "argument --epsilon: it is for --loss huber and the epsilon-insensitive ones"
    if args.average and args.learning_rate in (None, "auto"):
        return "argument --average: with --learning-rate auto the weights are a mean already"
    if args.learning_rate == "optimal" and args.alpha == 0.0:
        return "argument --alpha: it must be above 0 with --learning-rate optimal"
    if args.eta0 is not None and args.learning_rate in (None, "auto", "optimal"):
        return "argument --eta0: give --learning-rate constant, invscaling or adaptive as well"
    return None


def _use_model(args: argparse.Namespace) -> str | None:
    """Set the options that ``--model`` stands for; return what is wrong with those given."""
    name, several = args.estimator, args.command == "cv"
    given = args.l1_ratio if several or args.l1_ratio is None else [args.l1_ratio]
    if getattr(args, "method", None) == "sgd" and name != "sgd":
        return f"argument --method: --model {name} is not sgd: leave one of them out"
    if name == "sgd":
        args.method = "sgd"
        return None
    if given is not None and (name == "ridge" or (name == "lasso" and set(given) - {1.0, "1"})):
        return f"argument --l1-ratio: --model {name} has none to choose: give --model enet"
    if name == "ridge" or given is not None:
        return None
    ratio = 1.0 if name == "lasso" else _MIXED
    args.l1_ratio = [f"{ratio:g}"] if several else ratio
    return None
