"""Choose whether a spectrum is computed from the primal or from the dual."""

from fastridge.solvers.direct.dual_spectrum import dual_spectrum
from fastridge.solvers.direct.primal_spectrum import primal_spectrum
from fastridge.solvers.direct.spectrum import Spectrum
from fastridge.solvers.problem import Problem


def spectrum_of(
    problem: Problem, least_alpha: float, how: str = "auto", *, leverage: bool = False
) -> Spectrum:
    """Return the spectrum, for alphas from `least_alpha` up.

    With ``"auto"`` it is computed in the cheapest way that keeps the digits; with ``"eigh"`` from
    the Gram if that keeps them; with ``"svd"`` from the singular values of X if it is dense. If
    leverages are needed, the dual is used from fewer columns on: it has 1 - h without cancellation.
    """
    if how == "svd" and (problem.design.sparse or not problem.design.has_rows):
        how = "auto"
    if is_dual(problem, least_alpha, leverage=leverage):
        return dual_spectrum(problem, least_alpha, how)
    return primal_spectrum(problem, least_alpha, how)


def is_dual(problem: Problem, least_alpha: float, *, leverage: bool = False) -> bool:
    """Return whether the spectrum is made from the Gram matrix of the rows."""
    design = problem.design
    n, p = design.n_counted, design.shape[1]
    early = leverage and least_alpha > 0.0  # without a penalty, p < n leaves 0 / 0 in the dual
    return design.has_rows and p >= (0.8 * n if early else n)
