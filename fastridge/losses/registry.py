"""Look up losses by the names that estimators and kernels use."""

from fastridge.losses.epsilon_insensitive import EpsilonInsensitive
from fastridge.losses.hinge import Hinge
from fastridge.losses.huber import Huber
from fastridge.losses.logistic import Logistic
from fastridge.losses.loss import Loss
from fastridge.losses.modified_huber import ModifiedHuber
from fastridge.losses.perceptron import Perceptron
from fastridge.losses.squared import Squared
from fastridge.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitive
from fastridge.losses.squared_hinge import SquaredHinge

LOSSES: dict[str, type[Loss]] = {
    loss.name: loss
    for loss in (
        Hinge,
        Perceptron,
        SquaredHinge,
        Logistic,
        ModifiedHuber,
        Squared,
        Huber,
        EpsilonInsensitive,
        SquaredEpsilonInsensitive,
    )
}
REGRESSION_LOSSES = tuple(name for name, loss in LOSSES.items() if loss.link == "identity")
