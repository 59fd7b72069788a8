"""Losses ``loss(y, eta)`` of a linear predictor ``eta = x'w + b``: one file each."""
