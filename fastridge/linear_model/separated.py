"""Fits whose loss has no minimum: which features separate the rows, and what to say."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import xlogy

from fastridge._typing import Matrix
from fastridge.designs.passes import Passes
from fastridge.linear_model.smooth_models import Rows, minimum, warn_not_converged
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows, SmoothLoss
from fastridge.solvers.newton.iterate import Weights
from fastridge.solvers.newton.margins import Margins, margins_of, may_be_separated
from fastridge.solvers.newton.problem import NewtonResult
from fastridge.solvers.newton.separation import (
    Cone,
    Separation,
    find_in_rows,
    find_separation,
)
from fastridge.solvers.newton.solve import solve_rows
from fastridge.solvers.newton.streamed_separation import find_streamed_separation
from fastridge.solvers.newton.streamed_sums import SumsOfBatch, Totals

FIRST_STEPS = 30
"""Steps after which a fit that has not converged may be one without a minimum."""
_STEPS_TO_A_MINIMUM = 5  # of all rows, after those of a sample
_MOST_ROWS = 3000  # of a system that is solved
_SMALL_PENALTY = 1e-6  # of the squares of a column
_SEPARATED = 1e-8  # of the null loss: less is left only where the classes are separable
_MOST_NAMES = 5
_SMALL = 1e-3  # of the largest coefficient of a direction: not named


def minimum_or_separation(
    estimator: Any,
    X: Matrix,
    rows: Rows,
    loss: LossOfRows | ClassesOfRows,
    solve: Callable[..., NewtonResult],
    start: Weights | None,
) -> tuple[NewtonResult, Separation | None]:
    """Return what the solver finds, and a direction of separation if there is one.

    With separation it stops early, if `max_iter` is large.
    """
    max_iter = int(estimator.max_iter)
    if not rows.unbounded:
        return minimum(estimator, X, solve, start, rows.l1), None
    unlimited = rows.bounds is None and bool(rows.free.all())
    if unlimited and rows.design.n_counted <= min(_MOST_ROWS, rows.design.shape[1] - 1):
        found = _margins(rows, loss)
        separation = None if found is None else find_in_rows(rows.design, found[0])
        if separation is not None:  # the largest margin is the limit of small penalties
            small = partial(solve_rows, rows.design, loss, _SMALL_PENALTY * rows.design.squares)
            return minimum(estimator, X, small, start, None)._replace(gap=None), separation
    first = min(max_iter, FIRST_STEPS)
    result = minimum(estimator, X, solve, start, rows.l1, first)
    separation = separation_of(rows, loss, result)
    if separation is None and result.not_converged is not None and first < max_iter:
        start = Weights(result.coef, result.intercept)
        result = minimum(estimator, X, solve, start, rows.l1, max_iter - first)
        result = result._replace(n_iter=result.n_iter + first)
        separation = separation_of(rows, loss, result)
    return result, separation


def separation_of(
    rows: Rows, loss: LossOfRows | ClassesOfRows, result: NewtonResult
) -> Separation | None:
    """Return a direction along which coefficients without a penalty grow, or None."""
    if not rows.unbounded:
        return None
    found = _margins(rows, loss)
    if found is None:
        return None
    margins, usual = found
    design, free = rows.design, np.flatnonzero(rows.free)
    coef, intercept = np.atleast_2d(result.coef), np.atleast_1d(result.intercept)
    with np.errstate(all="ignore"):
        eta = design.predict(coef) + (intercept + coef @ design.centre)
        if loss.offset is not None:
            eta += loss.offset.reshape(eta.shape)
    if len(free) < design.shape[1]:
        design, coef = design.columns(free), coef[:, free]
    several = margins.kinds > 1
    separation = find_separation(
        design,
        margins,
        eta if several else eta[:, 0],
        Weights(coef, intercept),
        result.decrement,
        usual,
        _cone_of(rows, free, margins.kinds),
    )
    return _of_all_features(separation, free, result)


def separation_of_passes(
    passes: Passes,
    work: SumsOfBatch,
    totals: Totals,
    rows: Rows,
    result: NewtonResult,
    loss: SmoothLoss,
) -> Separation | None:
    """Return a direction along which coefficients without a penalty grow, or None.

    Rows are read for it where the fit took more steps than one with a minimum does: coefficients
    that grow without bound need many.
    """
    if not rows.unbounded or not may_be_separated(loss):
        return None
    if result.not_converged is None and result.n_iter <= _STEPS_TO_A_MINIMUM:
        return None
    free = np.flatnonzero(rows.free)
    weights = Weights(result.coef, result.intercept + result.coef @ work.pilot)
    separation = find_streamed_separation(
        passes, work, totals, free, weights, result.decrement, _cone_of(rows, free, 1)
    )
    return _of_all_features(separation, free, result)


def _of_all_features(
    separation: Separation | None, free: np.ndarray, result: NewtonResult
) -> Separation | None:
    """Return a separation by free features as one by all."""
    if separation is None or len(free) == result.coef.shape[-1]:
        return separation
    whole = np.zeros(result.coef.shape)
    whole[..., free] = separation.coef
    return separation._replace(coef=whole)


def _cone_of(rows: Rows, features: np.ndarray, kinds: int) -> Cone | None:
    """Return which coefficients of some features may fall and rise without end."""
    if rows.bounds is None:
        return None
    ends = np.isinf(rows.bounds)[..., features]
    return Cone(*np.broadcast_to(ends.reshape(2, -1, len(features)), (2, kinds, len(features))))


def status_of(result: NewtonResult, separation: Separation | None) -> str:
    """Return how a fit ended."""
    if separation is not None:
        return "separated"
    return "converged" if result.not_converged is None else "not converged"


def say_how_it_ended(
    model: Any,
    rows: Rows,
    result: NewtonResult,
    separation: Separation | None,
    not_converged: str | None,
) -> None:
    """Set `status_`; warn of a separation, or else in these words, if there are any."""
    model.status_ = status_of(result, separation)
    if separation is not None:
        warn_not_converged(separation_words(model, rows, separation, result.n_iter))
    elif not_converged is not None:
        warn_not_converged(not_converged)


def all_separated(rows: Rows, result: NewtonResult, totals: np.ndarray) -> bool:
    """Return whether next to nothing is left of the null loss of classes, without the rows.

    `totals` are the sums of the weights of the classes.
    """
    null_loss = -float(xlogy(totals, totals / totals.sum()).sum())
    return rows.unbounded and result.objective < _SEPARATED * null_loss


def all_separated_words(n_iter: int) -> str:
    """Return a warning for classes that are separated in rows that were only read."""
    return (
        "the classes are separated by the features without a penalty: the likelihood has no "
        f"maximum, and their coefficients grow without bound. Those after {n_iter} iterations "
        "mean nothing but the direction: give a penalty, such as C=1.0."
    )


def _margins(rows: Rows, loss: LossOfRows | ClassesOfRows) -> tuple[Margins, float] | None:
    """Return what may grow without bound, and the usual size of a loss; None if nothing may."""
    design = rows.design

    def mean() -> float:
        return float(design.sum_over_rows(np.maximum(loss.y, 0.0)) / design.sum_weights)

    return margins_of(loss, design.row_weights, mean)


def separation_words(estimator: Any, rows: Rows, separation: Separation, n_iter: int) -> str:
    """Return a warning that names the features and the direction, and says what to do."""
    coef = np.atleast_2d(rows.kept.coef(separation.coef))
    classes = getattr(estimator, "classes_", None)
    named = _named(estimator, coef, classes)
    counts = f"{separation.n_separated} of the {separation.n_rows} rows"
    if classes is None:
        what = f"targets of zero are separated from the others in {counts} by {named}"
        remedy = "give a penalty, such as alpha=1e-3, or leave these features out"
    else:
        what = f"the classes are separated in {counts} by {named}"
        remedy = "give a penalty, such as C=1.0"
        if len(classes) == 2 and estimator.bounds is None:
            remedy += ", or bias_reduction='firth'"
    return (
        f"{what}: the likelihood has no maximum, and the coefficients of these features grow "
        f"without bound. Those after {n_iter} iterations mean nothing but the direction: {remedy}."
    )


def _named(estimator: Any, coef: np.ndarray, classes: np.ndarray | None) -> str:
    """Return the features of a direction with their coefficients per standard deviation."""
    names = getattr(estimator, "feature_names_in_", None)
    size = np.abs(coef)
    order = np.argsort(-size.max(axis=0), kind="stable")
    order = order[size.max(axis=0)[order] > _SMALL]
    texts = []
    for j in order[:_MOST_NAMES]:
        k = int(size[:, j].argmax())
        name = f"x{j}" if names is None else str(names[j])
        of_class = f" in class {classes[k]}" if classes is not None and len(coef) > 1 else ""
        texts.append(f"{name} ({coef[k, j]:+.2g}{of_class})")
    if len(order) > _MOST_NAMES:
        texts.append(f"{len(order) - _MOST_NAMES} more")
    if len(texts) == 1:
        return f"feature {texts[0]}"
    return f"features {', '.join(texts[:-1])} and {texts[-1]}"
