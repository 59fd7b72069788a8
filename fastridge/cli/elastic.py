"""``--l1-ratio``: elastic nets from the statistics of the folds.

`fit` takes the alpha of the least k-fold error where none is given, `cv` chooses the l1_ratio too.
Both are what `fastridge.ElasticNetCV.fit_statistics` makes of the folds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from fastridge.cli.arguments import DEFAULTS, parse_l1_ratios
from fastridge.cli.crossvalidation import HeldOutErrors
from fastridge.cli.duality import ElasticNetEvaluation, ElasticNetModel, compare_with_sklearn
from fastridge.cli.errors import CommandError
from fastridge.cli.fitting import Fitted, Run
from fastridge.cli.training import Training
from fastridge.linear_model.elastic_net import ElasticNet
from fastridge.linear_model.elastic_net_cv import ElasticNetCV, LassoCV
from fastridge.linear_model.elastic_net_options import path_alphas
from fastridge.linear_model.lasso import Lasso
from fastridge.model_selection.one_standard_error import choose, standard_error
from fastridge.solvers.coordinate_descent.problem import ElasticNetProblem


class Options(TypedDict):
    """Parameters that all estimators take."""

    standardize: bool
    positive: bool
    tol: float
    max_iter: int
    n_threads: int | None


@dataclass
class Search:
    """k-fold errors of elastic nets.

    Attributes
    ----------
    l1_ratios : list of float
    alphas : list of ndarray of shape (n_alphas,)
        In decreasing order, an array for each l1_ratio.
    mse : ndarray of shape (n_l1_ratios, n_alphas, n_folds)
    """

    l1_ratios: list[float]
    alphas: list[np.ndarray]
    mse: np.ndarray

    @property
    def n_folds(self) -> int:
        """Number of folds that have rows."""
        return int(self.mse.shape[2])

    @property
    def mean(self) -> np.ndarray:
        """Mean over the folds, of shape (n_l1_ratios, n_alphas)."""
        mean = self.mse.mean(axis=2)
        return np.where(np.isnan(mean), np.inf, mean)

    @property
    def standard_error(self) -> np.ndarray:
        """The standard error of the mean error of each alpha."""
        return standard_error(self.mse)

    @property
    def rmse(self) -> np.ndarray:
        """Root of the mean."""
        return np.sqrt(self.mean)

    @property
    def rmse_error(self) -> np.ndarray:
        """Standard error of the root, to first order."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.standard_error / (2.0 * self.rmse))

    def choices(self, ratio: int) -> tuple[int, int]:
        """Return the indices of the alpha of least error, and of the one-standard-error rule."""
        chosen = choose(self.alphas[ratio], self.mean[ratio], self.standard_error[ratio])
        return int(chosen.best), int(chosen.within)


@dataclass
class Candidate:
    """A penalty that `cv` shows; `rule` is "min" or "1se"."""

    l1_ratio: float
    rule: str
    alpha: float
    rmse: float
    rmse_error: float
    n_nonzero: int
    held_out_rmse: float
    chosen: bool


@dataclass
class ElasticNetResult(Fitted):
    """All that ``--l1-ratio`` found out.

    Attributes
    ----------
    alpha, l1_ratio : float
        Of `model`.
    rule : str
        How alpha came about: "given", "min" or "1se".
    tolerance : float
        The duality gap at which coordinate descent stops.
    search : Search or None
        Without one, alpha was given.
    candidates : list of Candidate
        Of ``fastridge cv``.
    alphas : ndarray of shape (n_alphas,)
    coef_path : ndarray of shape (n_alphas, n_features) or None
        Coefficients at each of `alphas`, if a plot was requested.
    """

    model: ElasticNetModel
    alpha: float
    l1_ratio: float
    rule: str
    tolerance: float
    search: Search | None
    candidates: list[Candidate]
    alphas: np.ndarray
    coef_path: np.ndarray | None

    @property
    def name(self) -> str:
        """Name of the kind of model."""
        return "Lasso" if self.l1_ratio == 1.0 else "Elastic net"

    @property
    def n_nonzero(self) -> int:
        """Coefficients of the model other than zero."""
        return int(np.count_nonzero(self.model.coef_))


def fit_elastic_net(args: argparse.Namespace) -> ElasticNetResult:
    """Carry out ``fastridge fit --l1-ratio``, without printing and writing files."""
    if args.alpha is None or args.plot:
        _check_ridge([args.l1_ratio], args)
    run = Run(args)
    training = run.read_training(run.watch)
    alpha, search, path = args.alpha, None, None
    if alpha is None:
        training.require_folds(": give --alpha")
    with run.solving():
        if training.n_folds > 1 and (alpha is None or args.plot):
            search, chooser = _search(run, training, [args.l1_ratio])
            alpha = chooser.alpha_ if alpha is None else alpha
        model = training.fit(_model(args, alpha))
        if args.plot:
            grid = _grid(run, model, training) if search is None else search.alphas[0]
            path = grid, _coef_path(model, training, grid, args.l1_ratio)
    if search is not None and args.alpha is None:
        run.notes += _edge_notes(model, alpha, search.alphas[0], bool(run.task.alphas))
    evaluation = ElasticNetEvaluation(model, training, alpha, args.l1_ratio)
    n_test, checks = run.checked(
        evaluation, training, lambda sample: compare_with_sklearn(sample, model)
    )
    alphas, coef_path = (np.empty(0), None) if path is None else path
    return ElasticNetResult(
        **run.fitted(model, evaluation, training.deviations, n_test, checks),
        alpha=alpha,
        l1_ratio=args.l1_ratio,
        rule="min" if args.alpha is None else "given",
        tolerance=model.tol * training.target_square,
        search=search,
        candidates=[],
        alphas=alphas,
        coef_path=coef_path,
    )


def choose_elastic_net(args: argparse.Namespace) -> ElasticNetResult:
    """Carry out ``fastridge cv --l1-ratio``, without printing and writing files."""
    try:
        l1_ratios = parse_l1_ratios(args.l1_ratio)
    except ValueError as error:
        raise CommandError(str(error)) from None
    _check_ridge(l1_ratios, args)
    run = Run(args)
    training = run.read_training()
    training.require_folds()
    with run.solving():
        search, model = _search(run, training, l1_ratios)
        paths = [
            _coef_path(model, training, alphas, ratio)
            for alphas, ratio in zip(search.alphas, l1_ratios, strict=True)
        ]
        coefs, candidates = _candidates(search, model, paths)
    alpha, l1_ratio = model.alpha_, getattr(model, "l1_ratio_", 1.0)
    chosen = l1_ratios.index(l1_ratio)
    run.notes += _edge_notes(model, alpha, search.alphas[chosen], bool(run.task.alphas))
    evaluation = ElasticNetEvaluation(model, training, alpha, l1_ratio)
    held_out = HeldOutErrors(coefs, training)
    n_test = run.read_again([evaluation, held_out])
    for one, rmse in zip(candidates, held_out.rmse, strict=True):
        one.held_out_rmse = float(rmse)
    return ElasticNetResult(
        **run.fitted(model, evaluation, training.deviations, n_test),
        alpha=alpha,
        l1_ratio=l1_ratio,
        rule=args.selection,
        tolerance=model.tol * training.target_square,
        search=search,
        candidates=candidates,
        alphas=search.alphas[chosen],
        coef_path=paths[chosen],
    )


def _check_ridge(l1_ratios: Sequence[float], args: argparse.Namespace) -> None:
    if 0.0 in l1_ratios and not args.alphas:
        raise CommandError(
            "argument --l1-ratio: with 0 there is no automatic grid: give --alphas, or leave out "
            "--l1-ratio (0 is ridge regression)"
        )


def _options(args: argparse.Namespace) -> Options:
    return {
        "standardize": args.standardize,
        "positive": args.positive,
        "tol": DEFAULTS["tol"] if args.tol is None else args.tol,
        "max_iter": args.max_iter or int(DEFAULTS["max_iter"]),
        "n_threads": args.n_threads,
    }


def _model(args: argparse.Namespace, alpha: float) -> ElasticNet:
    if args.l1_ratio == 1.0:
        return Lasso(alpha, **_options(args))
    return ElasticNet(alpha, l1_ratio=args.l1_ratio, **_options(args))


def _alphas(run: Run) -> list[float] | int:
    """Return the given alphas, or how many to use."""
    return run.task.alphas or run.args.n_alphas or int(DEFAULTS["n_alphas"])


def _eps(args: argparse.Namespace) -> float:
    return DEFAULTS["eps"] if args.eps is None else float(args.eps)


def _search(
    run: Run, training: Training, l1_ratios: list[float]
) -> tuple[Search, ElasticNetCV | LassoCV]:
    """Return the errors, and the fitted estimator that chose by them."""
    args = run.args
    model: ElasticNetCV | LassoCV
    if l1_ratios == [1.0]:
        model = LassoCV(**_options(args))
    else:
        ratio = l1_ratios if len(l1_ratios) > 1 else l1_ratios[0]
        model = ElasticNetCV(l1_ratio=ratio, **_options(args))
    model.set_params(alphas=_alphas(run), eps=_eps(args))
    if args.command == "cv":
        model.set_params(selection=args.selection)
    training.choose(model)
    shape = len(l1_ratios), model.alphas_.shape[-1]
    alphas = list(np.broadcast_to(model.alphas_, shape))
    mse = model.mse_path_.reshape(*shape, training.n_folds)
    return Search(l1_ratios, alphas, mse), model


def _problem(model: ElasticNetModel, training: Training) -> ElasticNetProblem:
    problem = training.problem
    return model._elastic_net_problem(problem.design, problem.loss).accumulated()


def _grid(run: Run, model: ElasticNetModel, training: Training) -> np.ndarray:
    problem = _problem(model, training)
    return path_alphas(problem, _alphas(run), run.args.l1_ratio, _eps(run.args))


def _coef_path(
    model: ElasticNetModel, training: Training, alphas: np.ndarray, l1_ratio: float
) -> np.ndarray:
    """Return coefficients of shape (n_alphas, n_features)."""
    coefs = np.zeros((len(alphas), training.problem.design.shape[1]))
    with np.errstate(all="ignore"):  # as the estimators do
        points = _problem(model, training).path([alphas], l1_ratio)[0]
    for row, point in zip(coefs, points, strict=True):
        row[point.features] = point.coef
    return coefs


def _candidates(
    search: Search, model: ElasticNetCV | LassoCV, paths: list[np.ndarray]
) -> tuple[np.ndarray, list[Candidate]]:
    """Return the best alpha of each l1_ratio, that of the 1-SE rule, and their coefficients."""
    wanted = getattr(model, "l1_ratio_", 1.0), "1se" if model.selection == "1se" else "min"
    coefs, candidates = [], []
    for k, l1_ratio in enumerate(search.l1_ratios):
        for rule, at in zip(("min", "1se"), search.choices(k), strict=True):
            chosen = (l1_ratio, rule) == wanted
            coef = model.coef_ if chosen else paths[k][at]
            coefs.append(coef)
            candidates.append(
                Candidate(
                    l1_ratio,
                    rule,
                    float(search.alphas[k][at]),
                    float(search.rmse[k, at]),
                    float(search.rmse_error[k, at]),
                    int(np.count_nonzero(coef)),
                    np.nan,
                    chosen,
                )
            )
    return np.array(coefs), candidates


def _edge_notes(model: ElasticNetModel, alpha: float, alphas: np.ndarray, given: bool) -> list[str]:
    if len(alphas) < 2 or alpha not in (alphas[0], alphas[-1]):
        return []
    if not model.coef_.any():
        return [f"every coefficient is zero at the best of the {len(alphas)} penalties tried"]
    side = "largest" if alpha == alphas[0] else "smallest"
    remedy = "" if given or side == "largest" else ": a smaller --eps tries smaller ones"
    return [f"the best penalty is the {side} of the {len(alphas)} tried{remedy}"]
