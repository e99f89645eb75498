"""Avatars: the parts of a vector's head, and their vertices in an expression and pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.clothes import shirt
from facepipe.avatar.eyeballs import eyeball
from facepipe.avatar.head import Head
from facepipe.avatar.lashes import lashes
from facepipe.avatar.mesh import PARTS, Floats, Material, Part, Reals
from facepipe.avatar.painting import skin_colours
from facepipe.avatar.posing import Poser
from facepipe.avatar.shaped_head import ShapedHead, morphs_of
from facepipe.avatar.shaping import shaper_of
from facepipe.avatar.vector import AvatarVector

COLOURS = {"teeth-upper": (0.96, 0.94, 0.9), "teeth-lower": (0.93, 0.91, 0.87), "tongue": (0.8, 0.42, 0.43)}


@dataclass(frozen=True, eq=False)
class Avatar:
    """A built avatar."""

    vector: AvatarVector
    head: ShapedHead
    parts: tuple[Part, ...]
    """In the order of PARTS."""
    rig: Poser

    def pose(
        self, units: Reals | None = None, rotation: Reals | None = None, gaze: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[Floats, ...]:
        """Return the vertices (N, 3) of each part in an expression and a pose; see `Poser.pose`."""
        return self.rig.pose(units, rotation, gaze)


def build(vector: AvatarVector, head: Head) -> Avatar:
    """Build the avatar of a vector on a compiled head."""
    shaper = shaper_of(head)
    shaped, places = shaper.shape(vector)
    parts = [*_head_parts(vector, head, shaped, places)]
    rims = {side: lids.rim for side, lids in shaper.lids.items()}
    lash_part, roots = lashes(shaped, rims, vector.sliders["lashes"], 0.3 * vector.colour("hair"))
    parts.append(lash_part)
    parts.append(shirt(shaped, vector))
    for type_, options in ASSETS.items():
        parts.extend(options[vector.choices[type_]].build(shaped, vector))
    ordered = tuple(sorted(parts, key=lambda part: PARTS.index(part.name)))
    return Avatar(vector, shaped, ordered, Poser(ordered, shaped, shaper.lids, roots))


MOUTH_SCALE: Floats = np.array([0.82, 0.94, 0.94], np.float32)
MOUTH_BACK: Floats = np.array([0.0, 0.0, -0.05], np.float32)
"""Scale of teeth and tongue about their middle, and their displacement in decimetres: sliders narrow jaw and cheeks
more than what lies inside."""


def _behind_lips(vertices: Floats) -> Floats:
    """Return the vertices (N, 3) of a part inside the mouth, drawn back from lips and cheeks."""
    middle = vertices.mean(axis=0) * np.array([0, 1, 1], np.float32)
    moved: Floats = ((vertices - middle) * MOUTH_SCALE + middle + MOUTH_BACK).astype(np.float32)
    return moved


def _head_parts(vector: AvatarVector, head: Head, shaped: ShapedHead, places: Floats) -> list[Part]:
    template = shaped.template
    skin = Part(
        "skin",
        shaped.vertices,
        template.triangles,
        skin_colours(template, vector),
        template.texture_coordinates,
        Material(roughness=0.6),
        morphs_of(shaped.units),
    )
    iris = vector.colour("eyes")
    parts = [skin]
    parts += [eyeball(name, shaped.point(name), shaped.eye_radius, iris) for name in ("eye-left", "eye-right")]
    for name, colour in COLOURS.items():
        vertices = _behind_lips(places[head.spans[name]])
        parts.append(
            Part(
                name,
                vertices,
                head.triangles[name],
                np.tile(np.array(colour, np.float32), (len(vertices), 1)),
                material=Material(roughness=0.4),
                morphs=morphs_of(head.units[:, head.spans[name]]),
            )
        )
    return parts
