"""Plots of penalised models with matplotlib, following scikit-learn's Display conventions.

Each class has class methods that compute the values to draw (`from_estimator`, `from_data` and
others) and a method `plot`, which draws them on given or new axes and stores these as `ax_` and
`figure_`. Only `plot` imports matplotlib: ``pip install 'fastridge-solvers[plot]'``.
"""

from fastridge.display.alpha_selection import AlphaSelectionDisplay
from fastridge.display.bias_variance import BiasVarianceDisplay
from fastridge.display.forest import ForestDisplay
from fastridge.display.penalty_geometry import PenaltyGeometryDisplay
from fastridge.display.regularization_path import RegularizationPathDisplay
from fastridge.display.reliability import ReliabilityDisplay
from fastridge.display.shrinkage import ShrinkageDisplay

__all__ = [
    "AlphaSelectionDisplay",
    "BiasVarianceDisplay",
    "ForestDisplay",
    "PenaltyGeometryDisplay",
    "RegularizationPathDisplay",
    "ReliabilityDisplay",
    "ShrinkageDisplay",
]
