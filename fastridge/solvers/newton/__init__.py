"""Newton's method for losses with a curvature and an L2 penalty."""
