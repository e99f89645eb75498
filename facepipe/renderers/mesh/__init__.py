"""The geometric renderer: a warp by the fitted 3D mesh."""
