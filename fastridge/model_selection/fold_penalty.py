"""The penalty that the models of all splits share."""

from dataclasses import dataclass, field

import numpy as np

from fastridge.penalties.l2 import UNIT_PENALTY, L2Penalty
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.solvers.problem import problem_of
from fastridge.statistics.accumulate import CentredProducts


@dataclass
class SplitModel:
    """The settings that the models of all splits share."""

    penalty: L2Penalty = UNIT_PENALTY
    fit_intercept: bool = True
    notes: list[str] = field(default_factory=list)  # on models that did not converge, for a warning

    def spectrum(self, train: CentredProducts, alphas: np.ndarray) -> tuple[Spectrum, np.ndarray]:
        """Return the spectrum of the training rows, and the alphas on the scale of sums."""
        problem = problem_of(train, self.penalty, fit_intercept=self.fit_intercept)
        alphas = problem.on_sums(alphas)
        return spectrum_of(problem, float(alphas.min())), alphas
