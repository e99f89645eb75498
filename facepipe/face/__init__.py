"""Faces: detection, landmarks, tracking, the linear face model, coefficients and crop boxes."""
