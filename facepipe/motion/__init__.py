"""Motion: retargeting, smoothing, named controls."""
