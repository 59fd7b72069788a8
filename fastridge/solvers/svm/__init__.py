"""Linear support vector machines: solvers that end with a duality gap."""
