"""Stochastic gradient descent, with weight decay that is applied in place.

minimise  mean_i loss(y_i, w'x_i + b) + alpha ((1 - l1_ratio)/2 ||w||^2 + l1_ratio |w|_1)
"""
