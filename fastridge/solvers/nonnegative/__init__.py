"""Ridge with coefficients that are not negative."""
