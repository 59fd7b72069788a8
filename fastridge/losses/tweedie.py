"""Tweedie losses, of amounts that may be zero, with a log or identity link."""

import numpy as np

from fastridge.losses.gamma import Gamma
from fastridge.losses.poisson import Poisson
from fastridge.losses.smooth import SmoothLoss
from fastridge.losses.squared import Squared


class Tweedie(SmoothLoss):
    """Half the Tweedie deviance of a power with a log link, but for a constant.

    ``exp((2 - power) eta) / (2 - power) - y exp((1 - power) eta) / (1 - power)``, for powers other
    than 1 and 2. The curvature is at least a tenth of ``exp((2 - power) eta)``, which is the one
    that y is expected to have; it may be negative for powers that are not between 1 and 2.
    """

    name = kernel = "tweedie"
    link = "log"

    def __init__(self, power: float) -> None:
        super().__init__()
        self.power = power

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        one, two = 1.0 - self.power, 2.0 - self.power
        return np.exp(two * eta) / two - y * np.exp(one * eta) / one

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        one, two = 1.0 - self.power, 2.0 - self.power
        return np.exp(two * eta) - y * np.exp(one * eta)

    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `SmoothLoss`."""
        one, two = 1.0 - self.power, 2.0 - self.power
        expected = np.exp(two * eta)
        return np.maximum(two * expected - one * y * np.exp(one * eta), 0.1 * expected)

    def divergence(self, y: np.ndarray, eta: np.ndarray, share: float) -> np.ndarray | None:
        """See `SmoothLoss`; known where the loss is convex, from the same point."""
        return np.zeros_like(eta) if share == 1.0 and 1.0 < self.power < 2.0 else None

    def saturated(self, y: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        one, two = 1.0 - self.power, 2.0 - self.power
        size = np.maximum(y, 0.0) if self.power < 0.0 else y
        least: np.ndarray = size**two * (1.0 / two - 1.0 / one)
        return least

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return np.exp(eta)

    def null_predictor(self, mean: float) -> float:
        """See `SmoothLoss`."""
        return float(np.log(mean))


class TweedieIdentity(SmoothLoss):
    """Half the Tweedie deviance of a power other than 0 with ``mean = eta``, but for a constant.

    It is infinite where `eta` is not above 0.
    """

    name = kernel = "tweedie_identity"

    def __init__(self, power: float) -> None:
        super().__init__()
        self.power = power

    def value(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`."""
        mean = np.where(np.asarray(eta) > 0.0, eta, 1.0)
        if self.power == 1.0:
            found = mean - y * np.log(mean)
        elif self.power == 2.0:
            found = np.log(mean) + y / mean
        else:
            one, two = 1.0 - self.power, 2.0 - self.power
            found = mean**two / two - y * mean**one / one
        return np.where(np.asarray(eta) > 0.0, found, np.inf)

    def derivative(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `Loss`; -1 where the loss is infinite."""
        mean = np.where(np.asarray(eta) > 0.0, eta, 1.0)
        return np.where(np.asarray(eta) > 0.0, mean**-self.power * (mean - y), -1.0)

    def curvature(self, y: np.ndarray, eta: np.ndarray | float) -> np.ndarray:
        """See `SmoothLoss`."""
        mean = np.where(np.asarray(eta) > 0.0, eta, 1.0)
        expected = mean**-self.power
        found = expected
        if 1.0 <= self.power <= 2.0:
            exact = expected * ((1.0 - self.power) + self.power * y / mean)
            found = np.where(y > 0.0, np.maximum(exact, 1e-3 * expected), expected)
        return np.where(np.asarray(eta) > 0.0, found, 1.0)

    def saturated(self, y: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        if self.power == 1.0:
            return Poisson().saturated(y)
        if self.power == 2.0:
            return Gamma().saturated(y)
        return Tweedie(self.power).saturated(y)

    def mean_of(self, eta: np.ndarray) -> np.ndarray:
        """See `SmoothLoss`."""
        return eta

    def null_predictor(self, mean: float) -> float:
        """See `SmoothLoss`."""
        return mean


def tweedie_loss(power: float, link: str) -> SmoothLoss:
    """Return the Tweedie loss of a power, with its simplest formula."""
    if link == "identity":
        return Squared() if power == 0.0 else TweedieIdentity(power)
    if power == 1.0:
        return Poisson()
    return Gamma() if power == 2.0 else Tweedie(power)
