"""Epochs of stochastic gradient descent: when to stop, what is reported, and divergence."""

import copy
import sys
from collections.abc import Callable, Generator, Iterator
from math import isfinite
from time import perf_counter

import numpy as np

from fastridge.solvers.sgd.averaging import take_slices
from fastridge.solvers.sgd.order import RowCount, RowOrder
from fastridge.solvers.sgd.settings import Plan, Rows
from fastridge.solvers.sgd.state import Weights

_EMPTY = np.empty(0)
TINY = float(np.finfo(float).tiny)
MOST_HALVINGS = 1000
"""If steps must be shorter still, the squares of features overflow."""
DIVERGED = 1e6
"""A mean loss that is this multiple of the null loss is divergence."""
ASTRAY = 10.0
"""Weights with a loss above this multiple of the null loss are not worth going back to."""

ScoreOf = Callable[[np.ndarray, float | np.ndarray], float]


class DivergenceError(FloatingPointError, ValueError):
    """Weights, or the loss, grew without bound: the step size is too long for the data."""


class SolverRun:
    """One solver run over rows: a model of one target, or of one class against others.

    After `slices` is exhausted, `n_iter` is the number of epochs, and `converged` says whether the
    stopping rule ended them. For each epoch, `loss_curve` holds the mean loss, each row's taken at
    the weights before its step (unweighted even if rows have weights, as in scikit-learn), plus the
    penalty on the weights at the end of the epoch.
    """

    _checks_end = False  # whether `residuals` are those of all rows

    def __init__(
        self,
        plan: Plan,
        rows: Rows,
        y: np.ndarray,
        weight: np.ndarray | None,
        weights: Weights,
        order: RowCount,
        score: ScoreOf | None = None,
        check_rows: Callable[[], None] = lambda: None,
        on_epoch: Callable[[int, float, int], None] | None = None,
    ) -> None:
        self.on_epoch = on_epoch
        self.plan, self.rows, self.y, self.weights = plan, rows, y, weights
        self.weight = _EMPTY if weight is None else weight
        self.order, self.score, self.check_rows = order, score, check_rows
        self.settings = plan.settings(rows.sparse)
        self.n_iter = self.halvings = 0
        self._halving = False  # the epoch under way is one that diverged
        self.converged = False
        self.loss_curve: list[float] = []
        self.null_loss: float | None = None
        self.best_objective, self.best_score, self.idle = np.inf, -np.inf, 0
        self.n_batches = 0  # finished batches of the current epoch of a scan; 0 for rows in memory
        self.retreat = weights.snapshot() if plan.on_divergence == "halve" else None
        self.residuals: Callable[[np.ndarray, float | np.ndarray], np.ndarray] | None = None
        self.start: tuple[np.ndarray, float | np.ndarray] | None = None  # weights, if not zero

    def begin(self) -> None:
        """Make the arrays that are needed until `end`."""

    def end(self) -> None:
        """Drop the arrays that `begin` made."""

    def slices(self) -> Iterator[None]:
        """Run epochs until a stopping rule ends them; yield after each slice of rows."""
        plan = self.plan
        started = perf_counter()
        beyond = False
        self.begin()
        try:
            while self.n_iter < plan.max_iter and not self.converged:
                if plan.verbose > 0:
                    _report(f"-- Epoch {self.n_iter + 1}")
                if not self.n_batches:
                    state = self.weights.state
                    state.loss_sum = state.penalty_sum = 0.0
                complete = yield from self._epoch()
                loss = self.weights.state.loss_sum / self.order.n_rows
                beyond = complete and (self._is_beyond(loss) or self._ends_beyond(loss))
                if (beyond or not complete) and self._can_retreat():
                    self._retreat()
                    yield
                    continue
                if not complete:
                    raise divergence(plan, self.n_iter + 1, self.halvings)
                self._judge_epoch(loss, started)
                self.after_epoch()
            if beyond:  # checked last: with a decreasing learning rate, later epochs may recover
                raise divergence(plan, self.n_iter, self.halvings)
        finally:
            self.end()

    def _judge_epoch(self, loss: float, started: float) -> None:
        """Count an epoch of this mean loss, and decide whether it is the last."""
        plan, weights = self.plan, self.weights
        self._halving = False
        if self.retreat is not None and not self._is_beyond(loss, ASTRAY):
            self.retreat = weights.snapshot()
        self.n_iter += 1
        n_rows = self.order.n_rows
        objective = loss + weights.state.penalty_sum / n_rows
        if plan.kernel == "batches":
            objective += plan.penalty_of(weights.coef)
        coef, intercept = weights.judged()
        self.loss_curve.append(loss + plan.penalty_of(coef))
        if self.on_epoch is not None:
            self.on_epoch(self.n_iter, self.loss_curve[-1], n_rows)
        score = None
        if self.score is not None:
            score = self.score(coef, intercept)
            self.idle = self.idle + 1 if score < self.best_score + plan.tol else 0
            self.best_score = max(self.best_score, score)
        else:
            better = objective <= self.best_objective - plan.tol
            self.idle = 0 if better else self.idle + 1
            self.best_objective = min(self.best_objective, objective)
        if plan.verbose > 0:
            self._report_epoch(loss, objective, score, perf_counter() - started)
        if self.idle < plan.n_iter_no_change:
            return
        least = 1e-6 * weights.state.step_factor
        if plan.learning_rate == "adaptive" and weights.state.learning_rate > least:
            weights.state.learning_rate /= 5.0
            self.idle = 0
            return
        self.converged = True
        if plan.verbose > 0:
            seconds = perf_counter() - started
            _report(f"Convergence after {self.n_iter} epochs took {seconds:.2f} seconds")

    def _epoch(self) -> Generator[None, None, bool]:
        """Take the slices of one epoch; return whether all steps were finite."""
        weights, order = self.weights, self.order
        assert isinstance(order, RowOrder)
        seen, half = 0, order.n_rows // 2
        if self.plan.auto:
            weights.restart_average()
        for n_rows, complete in take_slices(
            self.plan,
            self.rows,
            self.y,
            self.weight,
            weights,
            self.settings,
            order.epoch(),
            order.n_rows,
        ):
            if not complete:
                self.check_rows()
                return False
            if self.plan.auto and seen < half <= seen + n_rows < order.n_rows:
                weights.restart_average()  # that of the second half
            seen += n_rows
            early = self.plan.on_divergence == "halve" and seen > 0
            if early and self._is_beyond(weights.state.loss_sum / seen):
                return False
            yield
        square = weights.fold(self.settings)
        return isfinite(square + weights.intercept_sum)

    def _is_beyond(self, loss: float, times: float = DIVERGED) -> bool:
        """Return whether the loss is above `times` the null loss, and the loss at the start."""
        plan = self.plan
        if not plan.row_loss.grows_quadratically:
            return False
        if self.null_loss is None:
            self.null_loss = plan.row_loss.null_loss(self._judged(self.y))
        if loss > times * self.null_loss and self.start is not None:
            self.null_loss = max(self.null_loss, self._loss_at(*self.start))
            self.start = None
        return loss > times * max(self.null_loss, TINY)

    def _ends_beyond(self, loss: float) -> bool:
        """Return whether the loss at the end of an epoch is too large.

        The limit is `DIVERGED` times the null loss, and `ASTRAY` times for an epoch that is
        repeated with halved steps. `loss` is the mean of the losses during the epoch.
        """
        if self.residuals is None or not self._checks_end:
            return False
        if not self._halving and not self._is_beyond(loss, ASTRAY):
            return False
        times = ASTRAY if self._halving else DIVERGED
        return self._is_beyond(self._loss_at(*self.weights.judged()), times)

    def _loss_at(self, coef: np.ndarray, intercept: float | np.ndarray) -> float:
        """Return the mean loss at these weights."""
        assert self.residuals is not None
        return self.plan.row_loss.null_loss(self._judged(self.residuals(coef, intercept)))

    def _judged(self, values: np.ndarray) -> np.ndarray:
        """Return the values of the rows that the run uses."""
        order = self.order
        assert isinstance(order, RowOrder)
        return values[order.chosen] if len(order.chosen) else values

    def after_epoch(self) -> None:
        """Do nothing; subclasses write checkpoints here."""

    def _can_retreat(self) -> bool:
        """Return whether shorter steps may help; not if squares overflow under "auto"."""
        if self.retreat is None or self.halvings >= MOST_HALVINGS:
            return False
        return not self.plan.auto or bool(np.isfinite(self.weights.arrays["rate"]).all())

    def _retreat(self) -> None:
        """Go back to the start of the epoch, with steps half as long."""
        assert self.retreat is not None
        weights = self.weights
        weights.restore(self.retreat)
        weights.shorten(0.5)
        self.halvings += 1
        self._halving = True
        self.retreat = self.retreat._replace(state=copy.copy(weights.state))
        if self.plan.verbose > 0:
            factor = weights.state.step_factor
            _report(f"Divergence: steps are {factor:.3g} times as long as asked for.")

    def _report_epoch(
        self, loss: float, objective: float, score: float | None, seconds: float
    ) -> None:
        coef = self.weights.coef
        line = (
            f"Norm: {np.linalg.norm(coef):.2f}, NNZs: {np.count_nonzero(coef)}, "
            f"Bias: {self.weights.intercept_sum:.6f}, T: {self.n_iter * self.order.n_rows}, "
            f"Avg. loss: {loss:f}, Objective: {objective:f}"
        )
        if score is not None:
            line += f", Validation score: {score:f}"
        _report(line)
        _report(f"Total training time: {seconds:.2f} seconds.")


class MemoryRun(SolverRun):
    """A solver run over rows in memory; targets and order are there from `begin` to `end` only.

    Parameters
    ----------
    targets : callable
        Gives the targets of all rows, and their weights or None.
    order : callable
        The order for such weights.
    """

    _checks_end = True

    def __init__(
        self,
        plan: Plan,
        rows: Rows,
        targets: Callable[[], tuple[np.ndarray, np.ndarray | None]],
        weights: Weights,
        order: Callable[[np.ndarray | None], RowOrder],
        score: ScoreOf | None,
        check_rows: Callable[[], None],
        on_epoch: Callable[[int, float, int], None] | None,
    ) -> None:
        no_rows = RowCount(0)
        super().__init__(plan, rows, _EMPTY, None, weights, no_rows, score, check_rows, on_epoch)
        self._targets, self._order = targets, order

    def begin(self) -> None:
        """See `SolverRun`."""
        self.y, weight = self._targets()
        self.weight = _EMPTY if weight is None else weight
        self.order = self._order(weight)

    def end(self) -> None:
        """See `SolverRun`."""
        self.y = self.weight = _EMPTY
        self.order = RowCount(0)


def one_epoch(
    plan: Plan,
    rows: Rows,
    y: np.ndarray,
    weight: np.ndarray | None,
    weights: Weights,
    order: Iterator[np.ndarray],
    check_rows: Callable[[], None] = lambda: None,
    n_rows: int | None = None,
) -> Iterator[None]:
    """Take the steps of one pass over `n_rows` rows, without summing the objective."""
    settings = plan.settings(rows.sparse, sums=False)
    given = _EMPTY if weight is None else weight
    complete = True
    n_rows = rows.n_rows if n_rows is None else n_rows
    try:
        for taken in take_slices(plan, rows, y, given, weights, settings, order, n_rows):
            if not taken.complete:
                check_rows()
                complete = False
                break
            yield
    finally:
        square = weights.fold(settings)
    if not complete or not isfinite(square + weights.intercept_sum):
        raise divergence(plan, 1)


def divergence(plan: Plan, epoch: int, halvings: int | None = None) -> DivergenceError:
    """Return the error to raise if the steps of an epoch grew without bound.

    `halvings` is how often `fit` halved its steps, and None in `partial_fit`.
    """
    if plan.learning_rate in ("constant", "invscaling", "adaptive"):
        cause = f"eta0={plan.eta0!r} is too long a step"
        remedy = "Set a smaller eta0"
    elif plan.auto:
        cause = "the squares of values in X, or sums of them, overflow"
        remedy = "Divide such features by a number of their size"
    else:
        cause = f"the steps of learning_rate={plan.learning_rate!r} are too long"
        remedy = "Set learning_rate='invscaling' with a small eta0"
    advice = f"{cause} for features as large as these. {remedy}"
    if halvings:
        advice = (
            f"steps 2^{halvings} times shorter than requested do not end it. Divide features by "
            "numbers of their size, as standardize=True does, and start from smaller coefficients "
            "if any were given"
        )
    elif halvings is None:
        advice += "; partial_fit does not go back to shorten its steps, as fit can"
    elif plan.on_divergence == "raise":
        advice += ", or on_divergence='halve', which goes back and halves the steps"
    return DivergenceError(
        f"Floating-point under-/overflow occurred at epoch #{epoch}. "
        "Scaling input data with StandardScaler or MinMaxScaler might help. "
        f"SGD diverges: {advice}."
    )


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")
