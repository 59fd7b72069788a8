"""``--family``: generalized linear models by Newton's method.

`fit` takes the alpha of the least k-fold deviance where none is given, `cv` compares those of
several l1_ratios and may save the best. Here alpha is on the scale of the mean of the losses.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastridge.cli.arguments import parse_l1_ratios
from fastridge.cli.errors import CommandError
from fastridge.cli.families import Family, FamilyModel, predictors, predictors_of
from fastridge.cli.family_checks import GradientSums, compare_with_sklearn
from fastridge.cli.family_scores import FamilyScores
from fastridge.cli.family_training import FamilyTraining, read_family_rows
from fastridge.cli.fitting import Fitted, Run
from fastridge.cli.labels import add_unseen, restore_labels, unseen_notes
from fastridge.cli.progress import Stage
from fastridge.cli.rows import Rows
from fastridge.data.one_hot import Unfamiliar
from fastridge.model_selection.one_standard_error import choose, standard_error

_L2_ALPHAS, _L2_TOP, _L2_EPS = 25, 100.0, 1e-8
_L1_ALPHAS, _L1_EPS = 50, 1e-3


class FamilyEvaluation:
    """Scores of a model on held-out rows."""

    def __init__(self, model: FamilyModel, training: FamilyTraining) -> None:
        self._model, self._training = model, training
        self.scores, self.unseen = training.scores(), Unfamiliar()

    def add_held_out(self, rows: Rows) -> None:
        """Predict held-out rows."""
        training = self._training
        if not len(rows.y):
            return
        if training.labels is not None:
            add_unseen(self.unseen, rows.y, training.labels)
        index = training.index(rows.y)
        eta = predictors(self._model, rows)
        self.scores.add_predictors(eta, index, rows.weight, rows.offset)


@dataclass
class FamilySearch:
    """k-fold deviances of penalties.

    Attributes
    ----------
    l1_ratios : list of float
    alphas : list of ndarray of shape (n_alphas,)
        In decreasing order, an array for each l1_ratio.
    deviances : list of ndarray of shape (n_alphas, n_folds)
    """

    l1_ratios: list[float]
    alphas: list[np.ndarray]
    deviances: list[np.ndarray]

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.deviances[0].shape[1])

    def mean(self, ratio: int) -> np.ndarray:
        """Return the mean deviance of each alpha of an l1_ratio."""
        mean = self.deviances[ratio].mean(axis=1)
        return np.where(np.isnan(mean), np.inf, mean)

    def error(self, ratio: int) -> np.ndarray:
        """Return the standard error of the mean deviance of each alpha of an l1_ratio."""
        return standard_error(self.deviances[ratio])

    def choices(self, ratio: int) -> tuple[int, int]:
        """Return the indices of the alpha of least deviance, and of the one-standard-error rule."""
        chosen = choose(self.alphas[ratio], self.mean(ratio), self.error(ratio))
        return int(chosen.best), int(chosen.within)


@dataclass
class FamilyCandidate:
    """A penalty that `cv` shows; `rule` is "min" or "1se"."""

    l1_ratio: float
    rule: str
    alpha: float
    deviance: float
    deviance_error: float
    n_nonzero: int
    held_out_deviance: float
    chosen: bool


@dataclass
class FamilyResult(Fitted):
    """All that ``--family`` found out.

    Attributes
    ----------
    family : Family
    alpha, l1_ratio : float
        On the scale of the mean.
    rule : str
        How alpha came about: "given", "min" or "1se".
    null : ndarray
        Linear predictors of the null model.
    offset, exposure : str or None
        Columns.
    search : FamilySearch or None
        Without one, alpha was given.
    candidates : list of FamilyCandidate
        Of ``fastridge cv``.
    alphas : ndarray of shape (n_alphas,)
    coef_path : ndarray of shape (n_alphas, n_outputs, n_features) or None
        Coefficients at each of `alphas`, if a plot was requested.
    """

    evaluation: FamilyScores
    model: FamilyModel
    family: Family
    alpha: float
    l1_ratio: float
    rule: str
    null: np.ndarray
    offset: str | None
    exposure: str | None
    search: FamilySearch | None
    candidates: list[FamilyCandidate]
    alphas: np.ndarray
    coef_path: np.ndarray | None

    @property
    def name(self) -> str:
        """Name of the kind of model."""
        return self.family.title

    @property
    def n_nonzero(self) -> int:
        """Features with a coefficient other than zero."""
        return int(np.atleast_2d(self.model.coef_).any(axis=0).sum())


def fit_family(args: argparse.Namespace) -> FamilyResult:
    """Carry out ``fastridge fit --family``, without printing and writing files."""
    l1_ratio, search, rule = args.l1_ratio or 0.0, None, "given"
    run, training = _read(args, [l1_ratio])
    alpha = args.alpha
    if args.C is not None:
        alpha = 1.0 / (args.C * training.sum_weights)
    if alpha is None or (args.plot and len(training.folds) > 1):
        search = _search(run, training, [l1_ratio])
    if alpha is None:
        assert search is not None
        rule = "min"
        at = search.choices(0)[0]
        alpha = float(search.alphas[0][at])
        run.notes += _boundary_notes(search, 0, at, bool(run.task.alphas))
    with run.solving() as stage:
        model = training.model(alpha, l1_ratio)
        if args.C is not None:
            model.set_params(C=args.C)  # its very bits
        training.fit(model, stage)
    return _result(run, training, model, alpha, l1_ratio, rule, search, [])


def choose_family(args: argparse.Namespace) -> FamilyResult:
    """Carry out ``fastridge cv --family``, without printing and writing files."""
    try:
        l1_ratios = [0.0] if args.l1_ratio is None else parse_l1_ratios(args.l1_ratio)
    except ValueError as error:
        raise CommandError(str(error)) from None
    run, training = _read(args, l1_ratios)
    search = _search(run, training, l1_ratios)
    best = min(range(len(l1_ratios)), key=lambda k: float(search.mean(k).min()))
    candidates: list[FamilyCandidate] = []
    models: list[FamilyModel] = []
    with run.solving():
        for k, l1_ratio in enumerate(l1_ratios):
            for rule, at in zip(("min", "1se"), search.choices(k), strict=True):
                alpha = float(search.alphas[k][at])
                model = training.fit(training.model(alpha, l1_ratio))
                models.append(model)
                candidates.append(
                    FamilyCandidate(
                        l1_ratio,
                        rule,
                        alpha,
                        float(search.mean(k)[at]),
                        float(search.error(k)[at]),
                        int(np.atleast_2d(model.coef_).any(axis=0).sum()),
                        math.nan,
                        k == best and rule == args.selection,
                    )
                )
    at = next(k for k, one in enumerate(candidates) if one.chosen)
    one = candidates[at]
    chosen = search.choices(best)[args.selection == "1se"]
    run.notes += _boundary_notes(search, best, chosen, bool(run.task.alphas))
    others = [FamilyEvaluation(model, training) for model in models]
    result = _result(
        run, training, models[at], one.alpha, one.l1_ratio, one.rule, search, candidates, others
    )
    for candidate, evaluation in zip(candidates, others, strict=True):
        candidate.held_out_deviance = evaluation.scores.deviance
    return result


def _read(args: argparse.Namespace, l1_ratios: Sequence[float]) -> tuple[Run, FamilyTraining]:
    family, run = Family.of(args), Run(args)
    check = family.check_target(args.target)
    for rows in (run.task.rows, run.task.test_rows):
        if rows is not None:
            rows.columns.check_target = check
    with run.in_options():
        return run, read_family_rows(family, run, l1_ratios)


def _result(
    run: Run,
    training: FamilyTraining,
    model: FamilyModel,
    alpha: float,
    l1_ratio: float,
    rule: str,
    search: FamilySearch | None,
    candidates: list[FamilyCandidate],
    others: Sequence[FamilyEvaluation] = (),
) -> FamilyResult:
    """Score and check a model, and return it with the labels of the files."""
    args = run.args
    alphas, coef_path = np.empty(0), None
    if args.plot:
        if search is None:
            alphas = _grid(run, training, l1_ratio, training.top())
        else:
            alphas = search.alphas[search.l1_ratios.index(l1_ratio)]
        with run.solving("path") as stage:
            coef_path = training.path(alphas, l1_ratio, None, stage)[0]
    evaluation = FamilyEvaluation(model, training)
    checks = []
    if args.command == "fit" and args.check:
        gradient, sample = GradientSums(model, training, alpha, l1_ratio), run.sample()
        n_test = run.read_again([evaluation], [sample, gradient])
        checks.append(gradient.check())
        compared = compare_with_sklearn(sample, training, alpha, l1_ratio)
        checks += [] if compared is None else [compared]
    else:
        n_test = run.read_again([evaluation, *others])
    if training.labels is not None:
        restore_labels(model, run.schema.encoder, run.task.rows.table, args.target)
        named = run.schema.encoder.unseen_labels  # those of text
        unseen = named if named.total else evaluation.unseen
        run.notes += unseen_notes(unseen, args.target, left_out=True)
    fitted = run.fitted(model, evaluation.scores, np.sqrt(training.variance), n_test, checks)
    return FamilyResult(
        **fitted,
        family=Family.of_model(model) or training.family,
        alpha=alpha,
        l1_ratio=l1_ratio,
        rule=rule,
        null=training.null,
        offset=args.offset,
        exposure=args.exposure,
        search=search,
        candidates=candidates,
        alphas=alphas,
        coef_path=coef_path,
    )


def _grid(run: Run, training: FamilyTraining, l1_ratio: float, top: float) -> np.ndarray:
    """Return penalties in decreasing order: those given, or an automatic grid."""
    if run.task.alphas:
        return np.array(run.task.alphas[::-1])
    given = run.args.n_alphas, run.args.eps
    if l1_ratio > 0.0:
        n_alphas, eps = given[0] or _L1_ALPHAS, given[1] or _L1_EPS
        return np.geomspace(top / l1_ratio, eps * top / l1_ratio, n_alphas)
    n_alphas, eps = given[0] or _L2_ALPHAS, given[1] or _L2_EPS
    return np.geomspace(_L2_TOP * top, _L2_TOP * top * eps, n_alphas)


def _search(run: Run, training: FamilyTraining, l1_ratios: list[float]) -> FamilySearch:
    """Return the deviances outside of each fold, of fits that start from their neighbours."""
    training.require_folds()
    with run.solving("folds") as stage:
        top = 0.0 if run.task.alphas else training.top()
        if not top > 0.0 and not run.task.alphas:
            raise CommandError("no feature has an effect: give --alpha")
        alphas = [_grid(run, training, l1_ratio, top) for l1_ratio in l1_ratios]
        deviances = [np.empty((len(grid), len(training.folds))) for grid in alphas]
        for j, fold in enumerate(training.folds):
            stage.describe(f"fold {j + 1} of {len(training.folds)}")
            for k, l1_ratio in enumerate(l1_ratios):
                deviances[k][:, j] = _deviances(training, alphas[k], l1_ratio, fold, stage)
    return FamilySearch(l1_ratios, alphas, deviances)


def _deviances(
    training: FamilyTraining, alphas: np.ndarray, l1_ratio: float, fold: int, stage: Stage
) -> np.ndarray:
    """Return the deviance in a fold of models that were fitted to the other rows."""
    coefs, intercepts = training.path(alphas, l1_ratio, fold, stage)
    scores = [training.scores() for _ in alphas]
    for rows in training.of_fold(fold):
        index = training.index(rows.y)
        for one, coef, intercept in zip(scores, coefs, intercepts, strict=True):
            eta = predictors_of(coef, intercept, rows)
            one.add_predictors(eta, index, rows.weight, rows.offset, keep=False)
    return np.array([one.deviance for one in scores])


def _boundary_notes(search: FamilySearch, ratio: int, at: int, given: bool) -> list[str]:
    alphas = search.alphas[ratio]
    if len(alphas) < 2 or at not in (0, len(alphas) - 1):
        return []
    side = "largest" if at == 0 else "smallest"
    remedy = "" if given or side == "largest" else ": a smaller --eps tries smaller ones"
    return [f"the best penalty is the {side} of the {len(alphas)} tried{remedy}"]
