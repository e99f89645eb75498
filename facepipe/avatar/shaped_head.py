"""The head of one avatar vector before assets are added: what assets are fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facepipe.avatar.mesh import Floats, Morph
from facepipe.avatar.template import Attachment, Template, smooth_normals
from facepipe.avatar.units import UNITS

STILL = 1e-5
"""Decimetres. A morph that moves no point further is left out, and so are its points that move less."""


@dataclass(frozen=True, eq=False)
class ShapedHead:
    """The skin after all sliders, in the neutral expression, with the face units that move it."""

    template: Template
    vertices: Floats
    """(N, 3), decimetres."""
    normals: Floats
    """(N, 3), smooth unit normals."""
    units: Floats
    """(52, N, 3), displacements of the skin by face unit at weight 1; or (0, N, 3) for a head that stays neutral."""
    points: Mapping[str, Floats]
    """(3,) each: places that are no skin vertex: "eye-left", "eye-right" (centres of the eyeballs), "neck" (joint)."""
    eye_radius: float
    """Decimetres."""

    def point(self, name: str) -> Floats:
        """Return the place (3,) of a landmark of the template, or of one of `points`."""
        found = self.points.get(name)
        place: Floats = self.vertices[self.template.landmarks[name]] if found is None else found
        return place

    def place(self, attachment: Attachment) -> Floats:
        """Return the places (K, 3) of attached points on this head."""
        corners, weights = attachment.corners, attachment.weights
        surface = np.einsum("kc,kcx->kx", weights, self.vertices[corners])
        normals = smooth_normals(weights, self.normals[corners])
        places: Floats = (surface + attachment.heights[:, None] * normals + attachment.drifts).astype(np.float32)
        return places

    def morphs(self, attachment: Attachment) -> dict[str, Morph]:
        """Return how attached points follow the face units: with the surface below them, at the same height."""
        return morphs_of(self.moved(attachment))

    def moved(self, attachment: Attachment) -> Floats:
        """Return the displacements (52, K, 3) of attached points by face unit; (0, K, 3) if the head stays neutral."""
        moved = np.zeros((len(self.units), len(attachment.corners), 3), np.float32)
        for corner in range(3):
            moved += attachment.weights[:, corner, None] * self.units[:, attachment.corners[:, corner]]
        return moved


def morphs_of(moved: Floats) -> dict[str, Morph]:
    """Return sparse morphs by name of displacements (52, K, 3)."""
    beyond = np.abs(moved) > STILL
    far = beyond[..., 0] | beyond[..., 1] | beyond[..., 2]
    morphs = {}
    for unit in np.flatnonzero(far.any(axis=1)):
        vertices = np.flatnonzero(far[unit]).astype(np.int32)
        morphs[UNITS[unit]] = Morph(vertices, moved[unit, vertices])
    return morphs
