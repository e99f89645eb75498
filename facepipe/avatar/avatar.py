"""Avatars: the parts of a vector's head, and their vertices in an expression and pose."""

from __future__ import annotations

from dataclasses import dataclass

from facepipe.avatar.groups import GROUPS, Body, in_order
from facepipe.avatar.head import Head
from facepipe.avatar.lashes import lash_roots
from facepipe.avatar.mesh import Floats, Part, Reals
from facepipe.avatar.posing import Poser
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.shaping import shaper_of
from facepipe.avatar.vector import AvatarVector


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
    body = Body(head, *shaper.shape(vector))
    parts = in_order(part for group in GROUPS.values() for part in group.build(body, vector))
    return Avatar(vector, body.shaped, parts, Poser(parts, body.shaped, shaper.lids, lash_roots(shaper.lids)))
