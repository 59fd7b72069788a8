"""The penalty that the models of all splits share."""

from dataclasses import dataclass, field

import numpy as np

from fastridge.designs.ridge_problem import RidgeProblem
from fastridge.solvers.direct.path import problem_of
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.direct.spectrum_selection import spectrum_of
from fastridge.statistics.accumulate import CentredProducts


@dataclass
class Penalty:
    """What the penalty of every split's model shares."""

    fit_intercept: bool = True
    standardize: bool = False
    factors: np.ndarray | None = None
    alpha_scale: str = "sum"
    notes: list[str] = field(default_factory=list)  # what did not converge, for a warning

    def problem(self, train: CentredProducts) -> RidgeProblem:
        """The problem of rows that are known by their products."""
        return problem_of(
            train,
            fit_intercept=self.fit_intercept,
            alpha_scale=self.alpha_scale,
            standardize=self.standardize,
            penalty_factors=self.factors,
        )

    def spectrum(self, train: CentredProducts, alphas: np.ndarray) -> tuple[Spectrum, np.ndarray]:
        """The spectrum of such rows, and the alphas on the scale of sums."""
        problem = self.problem(train)
        alphas = problem.on_sums(alphas)
        return spectrum_of(problem, float(alphas.min())), alphas
