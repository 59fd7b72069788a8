"""Optimizers as their papers and PyTorch write them: NumPy in float64, a new array every line."""

import numpy as np


class SlowSGD:
    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0.0,
        dampening=0.0,
        weight_decay=0.0,
        nesterov=False,
        maximize=False,
    ):
        self.params = [np.array(param, np.float64) for param in params]
        self.buffers = [None] * len(self.params)
        self.lr, self.momentum, self.dampening = lr, momentum, dampening
        self.weight_decay, self.nesterov, self.maximize = weight_decay, nesterov, maximize

    def step(self, grads):
        for k, grad in enumerate(grads):
            if grad is None:
                continue
            d = np.asarray(grad, np.float64) * (-1.0 if self.maximize else 1.0)
            d = d + self.weight_decay * self.params[k]
            if self.momentum:
                if self.buffers[k] is None:
                    self.buffers[k] = d
                else:
                    self.buffers[k] = self.momentum * self.buffers[k] + (1 - self.dampening) * d
                d = d + self.momentum * self.buffers[k] if self.nesterov else self.buffers[k]
            self.params[k] = self.params[k] - self.lr * d


class SlowAdam:
    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
        decoupled_weight_decay=False,
    ):
        self.params = [np.array(param, np.float64) for param in params]
        self.steps = [0] * len(self.params)
        self.mean = [np.zeros_like(param) for param in self.params]
        self.square = [np.zeros_like(param) for param in self.params]
        self.largest = [np.zeros_like(param) for param in self.params]
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.amsgrad, self.maximize, self.decoupled = amsgrad, maximize, decoupled_weight_decay

    def step(self, grads):
        beta1, beta2 = self.betas
        for k, grad in enumerate(grads):
            if grad is None:
                continue
            self.steps[k] += 1
            t = self.steps[k]
            g = np.asarray(grad, np.float64) * (-1.0 if self.maximize else 1.0)
            if self.decoupled:
                self.params[k] = self.params[k] * (1 - self.lr * self.weight_decay)
            else:
                g = g + self.weight_decay * self.params[k]
            self.mean[k] = beta1 * self.mean[k] + (1 - beta1) * g
            self.square[k] = beta2 * self.square[k] + (1 - beta2) * g**2
            square = self.square[k]
            if self.amsgrad:
                square = self.largest[k] = np.maximum(self.largest[k], square)
            mean = self.mean[k] / (1 - beta1**t)
            root = np.sqrt(square / (1 - beta2**t)) + self.eps
            self.params[k] = self.params[k] - self.lr * mean / root


class SlowAdamW(SlowAdam):
    def __init__(self, params, weight_decay=1e-2, **options):
        super().__init__(params, weight_decay=weight_decay, decoupled_weight_decay=True, **options)
