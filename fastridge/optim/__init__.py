"""Optimizers with weight decay for NumPy networks, with PyTorch's names and meaning.

NumPy arrays hold no gradient, so `step` takes the gradients: a list in the order of the parameters,
with None for a parameter that is not updated. A step works in place, in one pass over memory, and
is atomic: errors in its arguments are raised before anything changes, and Ctrl-C after it.

The meaning of `weight_decay` depends on the optimizer. In `SGD` and `Adam` it is an L2 penalty:
``weight_decay * param`` is added to the gradient. Adam then divides the sum by the root of the mean
square, so weights with large gradients are hardly penalised. In `AdamW` it is weight decay:
``param *= 1 - lr * weight_decay``, whatever the gradients are (Loshchilov & Hutter, "Decoupled
Weight Decay Regularization", ICLR 2019). The two are the same only for SGD without momentum.
"""

from fastridge.optim.adam import Adam, AdamW
from fastridge.optim.clipping import clip_grad_norm_
from fastridge.optim.optimizer import Optimizer
from fastridge.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm_"]
