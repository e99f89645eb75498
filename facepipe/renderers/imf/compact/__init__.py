"""The embedded implicit motion network: the parts of the paper's, at a size for a CPU."""
