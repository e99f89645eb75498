"""Training of the implicit motion networks: facepipe.renderers.imf."""
