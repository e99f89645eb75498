"""Training of the bi-layer networks."""
