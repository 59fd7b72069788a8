"""Linear support vector machines, with scikit-learn's names."""

from fastridge.linear_model.linear_svc import LinearSVC
from fastridge.linear_model.linear_svr import LinearSVR

__all__ = ["LinearSVC", "LinearSVR"]
