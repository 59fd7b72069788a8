"""Pictures of penalised models, by matplotlib, with scikit-learn's Display conventions.

Each class has class methods that compute what is drawn (`from_estimator`, `from_data` and the
like) and `plot`, which draws it on given or new axes and keeps them as `ax_` and `figure_`.
matplotlib is imported by `plot`: ``pip install 'fastridge-solvers[plot]'``.
"""

from fastridge.display.alpha_selection import AlphaSelectionDisplay
from fastridge.display.bias_variance import BiasVarianceDisplay
from fastridge.display.penalty_geometry import PenaltyGeometryDisplay
from fastridge.display.regularization_path import RegularizationPathDisplay
from fastridge.display.shrinkage import ShrinkageDisplay

__all__ = [
    "AlphaSelectionDisplay",
    "BiasVarianceDisplay",
    "PenaltyGeometryDisplay",
    "RegularizationPathDisplay",
    "ShrinkageDisplay",
]
