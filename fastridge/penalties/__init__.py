"""The terms added to the loss: value, subgradient, largest useful alpha."""
