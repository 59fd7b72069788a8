"""Ridge of large sparse rows by preconditioned conjugate gradients."""
