"""Avatars: a stylised 3D head from a vector of sliders and choices, its motion, and its picture."""
