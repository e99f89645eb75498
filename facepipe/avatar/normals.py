"""Smooth normals of meshes."""

from __future__ import annotations

import numpy as np

from facepipe.avatar.mesh import Floats, Indices


def vertex_normals(vertices: Floats, triangles: Indices) -> Floats:
    """Return unit normals (N, 3): the mean of those of the triangles around each vertex, weighted by their areas."""
    first, second, third = (vertices[triangles[:, corner]] for corner in range(3))
    faces = np.cross(second - first, third - first)
    normals = np.empty((len(vertices), 3))
    for axis in range(3):
        normals[:, axis] = sum(np.bincount(triangles[:, corner], faces[:, axis], len(vertices)) for corner in range(3))
    unit: Floats = (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return unit
