"""What is added to the loss: value, subgradient, largest useful alpha."""
