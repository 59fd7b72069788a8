"""Losses of rows at their linear predictors: values, derivatives and Hessians of columns in use."""

from typing import Any

import numpy as np

from fastridge._kernels.attributes import computed_once
from fastridge.designs.design import Design
from fastridge.losses.multinomial import ClassesOfRows
from fastridge.losses.smooth import LossOfRows
from fastridge.solvers.newton.columns_in_use import DenseColumns, SparseColumns

_LEAST_CURVATURE = 1e-9  # of the largest: less would make targets that only rounding tells apart


def expand(loss: LossOfRows | ClassesOfRows, design: Design, eta: np.ndarray) -> Any:
    """Return the losses at linear predictors (n_predictors, n_samples), without offsets."""
    if loss.offset is not None:
        eta = eta + loss.offset.T
    if isinstance(loss, ClassesOfRows):
        return OfClasses(loss, design, eta)
    return OfOne(loss, design, eta)


def null_intercept(loss: LossOfRows | ClassesOfRows, design: Design) -> np.ndarray:
    """Return the intercepts of the null model, without regard to offsets."""
    if isinstance(loss, ClassesOfRows):
        if not design.fit_intercept:
            return np.zeros(loss.n_classes)
        totals = np.bincount(loss.y, design.weight, loss.n_classes)
        logs = np.log(np.maximum(totals, 1e-300))
        return logs - logs.mean()
    if not design.fit_intercept:
        return np.zeros(1)
    mean = float(design.sum_over_rows(loss.y)) / design.sum_weights
    return np.array([loss.loss.null_predictor(mean)])


def least_value(loss: LossOfRows | ClassesOfRows, design: Design) -> float:
    """Return the sum of the least losses that linear predictors can give."""
    if isinstance(loss, ClassesOfRows):
        return 0.0
    return float(design.sum_over_rows(loss.loss.saturated(loss.y)))


class OfOne:
    """Losses of one linear predictor."""

    def __init__(self, loss: LossOfRows, design: Design, eta: np.ndarray) -> None:
        self._loss, self._design, self._eta = loss, design, eta
        n = eta.shape[1]
        self.derivative, self._curvature = np.empty((1, n)), np.empty(n)
        with np.errstate(all="ignore"):
            self.value, total = loss.expand(
                eta[0], design.weight, self.derivative[0], self._curvature
            )
        self.totals = np.array([total if design.fit_intercept else 0.0])

    @computed_once
    def curvature(self) -> np.ndarray:
        h = self._curvature
        largest = float(h.max()) or 1.0
        h = np.maximum(h, _LEAST_CURVATURE * largest)
        return h if self._design.weight is None else np.where(self._design.weight > 0.0, h, 0.0)

    def curvature_of(self, k: int) -> np.ndarray:
        """Return the curvatures; there is one linear predictor."""
        return self.curvature

    def intercept_step(self) -> np.ndarray:
        return self.totals / self._curvature.sum()

    def model_size(self) -> float:
        """Return a bound of twice what the loss of a model can fall."""
        h, d = self.curvature, self.derivative[0]
        return float(d / (h if self._design.weight is None else np.where(h > 0.0, h, 1.0)) @ d)

    def curvatures(self) -> "CurvaturesOfOne":
        return CurvaturesOfOne(self.curvature)

    def divergence(self, s: float) -> float | None:
        """Return the divergence of the losses from where their derivatives are s times these."""
        found = self._loss.loss.divergence(self._loss.y, self._eta[0], s)
        return None if found is None else float(self._design.sum_over_rows(found))


class CurvaturesOfOne:
    """Second derivatives of losses."""

    def __init__(self, h: np.ndarray) -> None:
        self._h = h
        self._root = np.sqrt(h)[None]

    def inverse_totals(self) -> np.ndarray:
        """Return the inverse Hessian of the intercepts."""
        return np.array([[1.0 / self._h.sum()]])

    def products(
        self,
        columns: DenseColumns | SparseColumns,
        slots: np.ndarray,
        classes: np.ndarray,
        begin: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of the Hessian of unknowns, and their products with the intercepts."""
        rows = columns.gram(slots[begin:], self._root, slots, self._root)
        moments = columns.correlate(self._h[None])[:, slots[begin:]].T
        return rows, moments


class OfClasses:
    """The multinomial losses of a linear predictor of each class."""

    def __init__(self, loss: ClassesOfRows, design: Design, eta: np.ndarray) -> None:
        self._loss, self._design, self._eta = loss, design, np.ascontiguousarray(eta)
        self.derivative = np.empty_like(self._eta)
        with np.errstate(all="ignore"):
            self.value = loss.expand(self._eta, design.weight, self.derivative)
        totals = self.derivative.sum(axis=1)
        self.totals = totals if design.fit_intercept else np.zeros_like(totals)

    @computed_once
    def probability(self) -> np.ndarray:
        """Probabilities (n_classes, n_samples)."""
        with np.errstate(all="ignore"):
            found = np.exp(self._eta - self._eta.max(axis=0))
        return found / found.sum(axis=0)

    @computed_once
    def weight(self) -> np.ndarray:
        return self._design.row_weights

    @computed_once
    def _of_own(self) -> tuple[np.ndarray, np.ndarray]:
        """Probability of the class of each row, and of the others together."""
        rows = np.arange(self._eta.shape[1])
        own = self.probability[self._loss.y, rows]
        others = self.probability.copy()
        others[self._loss.y, rows] = 0.0
        return own, others.sum(axis=0)

    def curvature_of(self, k: int) -> np.ndarray:
        """Return the curvatures along the linear predictor of a class, where the others stay."""
        h = self.weight * self.probability[k] * (1.0 - self.probability[k])
        h = np.maximum(h, _LEAST_CURVATURE * (float(h.max()) or 1.0))
        return np.where(self.weight > 0.0, h, 0.0)

    def intercept_step(self) -> np.ndarray:
        return self.curvatures().inverse_totals() @ self.totals

    def model_size(self) -> float:
        """Return a bound of twice what the loss of a model can fall."""
        own, others = self._of_own  # d' (diag(p) - pp')^+ d = (1 - p_y) / p_y
        return float(self.weight @ (others / np.maximum(own, 1e-9)))

    def curvatures(self) -> "CurvaturesOfClasses":
        return CurvaturesOfClasses(self.probability, self.weight)

    def divergence(self, s: float) -> float:
        """Return the divergence of the losses from where their derivatives are s times these."""
        own, others = self._of_own
        with np.errstate(all="ignore"):
            change = np.where(others > 0.0, (1.0 - s) * others / own, 0.0)
        # Kullback-Leibler; the derivatives belong to probabilities s p + (1 - s) of the own class
        logs = 0.0 if s <= 0.0 else s * np.log(s)
        new = s * own + (1.0 - s) * (own + others)
        return float(self.weight @ (logs * others + new * np.log1p(change)))


class CurvaturesOfClasses:
    """Second derivatives of multinomial losses: diag(p) - p p' in each row."""

    def __init__(self, probability: np.ndarray, weight: np.ndarray) -> None:
        self._weighted = probability * weight
        self._rooted = probability * np.sqrt(weight)
        self._probability = probability

    def inverse_totals(self) -> np.ndarray:
        """Return the inverse Hessian of the intercepts, whose sum may stay as it is."""
        rooted, K = self._rooted, len(self._rooted)
        found = -rooted @ rooted.T
        np.fill_diagonal(found, 0.0)
        np.fill_diagonal(found, -found.sum(axis=1))
        found += found.trace() / K**2
        return np.linalg.pinv(found, rcond=1e-14, hermitian=True)

    def products(
        self,
        columns: DenseColumns | SparseColumns,
        slots: np.ndarray,
        classes: np.ndarray,
        begin: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of the Hessian of unknowns, and their products with the intercepts."""
        rooted = self._rooted
        rows = -columns.gram(slots[begin:], rooted[classes[begin:]], slots, rooted[classes])
        for k in range(len(rooted)):
            new, every = np.flatnonzero(classes[begin:] == k), np.flatnonzero(classes == k)
            if len(new):
                root = np.sqrt(self._weighted[k])[None]
                block = columns.gram(slots[begin + new], root, slots[every], root)
                rows[np.ix_(new, every)] += block
        means = columns.correlate(self._weighted)[:, slots[begin:]].T  # X'p_k
        moments = np.zeros((len(slots) - begin, len(rooted)))
        own = classes[begin:]
        moments[np.arange(len(own)), own] = means[np.arange(len(own)), own]
        for k in range(len(rooted)):
            some = np.flatnonzero(own == k)
            if len(some):
                both = self._weighted[k] * self._probability
                moments[some] -= columns.correlate(both)[:, slots[begin + some]].T
        return rows, moments
