"""The embedded bi-layer network: the published design at a size for a CPU, on the flow of the mesh renderer."""
