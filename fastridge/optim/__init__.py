"""Optimisers with weight decay for anyone's NumPy network, with PyTorch's names and meaning.

NumPy arrays hold no gradient, so `step` takes them: a list in the order of the parameters, with
None for a parameter to be left as it is. A step works in place, in one pass over memory, and
is whole: what is wrong with its arguments is said before anything is changed, and Ctrl-C is
raised after it.

What `weight_decay` does is not the same everywhere. In `SGD` and `Adam` it is an L2 penalty:
``weight_decay * param`` joins the gradient. Adam then divides it by the root of the mean square,
so that weights with large gradients are hardly held at all. In `AdamW` it is weight decay:
``param *= 1 - lr * weight_decay``, whatever the gradients are (Loshchilov & Hutter, "Decoupled
Weight Decay Regularization", ICLR 2019). Only for SGD without momentum are the two the same.
"""

from fastridge.optim.adam import Adam, AdamW
from fastridge.optim.clipping import clip_grad_norm_
from fastridge.optim.optimizer import Optimizer
from fastridge.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm_"]
