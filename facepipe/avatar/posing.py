"""Posing: the vertices of an avatar's parts for weights of face units, a rotation of the head, and a gaze."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np

from facepipe.avatar.closing import Lids, slide_over
from facepipe.avatar.eyeballs import SPHERE, gaze_rotation
from facepipe.avatar.lashes import LashRoots
from facepipe.avatar.mesh import Floats, Indices, Part, Reals
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.style import smoothstep
from facepipe.avatar.units import UNITS, with_lips_apart
from facepipe.errors import InputError
from facepipe.models.compiled import compiled

PICTURE_AXES = np.diag([1.0, -1.0, -1.0])
"""From the axes of `facepipe.face.pose` (y down, z away from the viewer) to those of avatars, and back."""
NECK_REACH = (np.array([0.0, -0.14, -0.07]), np.array([0.0, 0.66, 0.23]))
"""Places relative to the joint of the neck: where the head's rotation begins, and where it is full. Decimetres."""
LID_THICKNESS = 1.03
"""Radius at which lids slide over an eyeball, as a multiple of its radius."""


@dataclass(frozen=True, eq=False)
class Poser:
    """The parts of one avatar, ready to be posed."""

    parts: tuple[Part, ...]
    head: ShapedHead
    lids: dict[str, Lids]
    lash_roots: dict[str, LashRoots]

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((len(part.vertices) for part in self.parts), initial=0))

    @cached_property
    def _rest(self) -> Floats:
        return np.concatenate([part.vertices for part in self.parts])

    @cached_property
    def _morphs(self) -> tuple[Indices, Indices, Reals]:
        """All morphs by unit: where each of the 52 begins (53,), its vertices, and their offsets."""
        vertices, offsets, ends = [], [], [0]
        for unit in UNITS:
            for start, part in zip(self._starts, self.parts, strict=False):
                if morph := part.morphs.get(unit):
                    vertices.append(morph.vertices + start)
                    offsets.append(morph.offsets)
            ends.append(sum(map(len, vertices)))
        return np.array(ends, np.int32), np.concatenate(vertices).astype(np.int32), np.concatenate(offsets)

    @cached_property
    def turning(self) -> Floats:
        """(all vertices,), the share of the head's rotation that each takes."""
        start, end = NECK_REACH
        axis = (end - start) / ((end - start) @ (end - start))
        along = ((self._rest - (self.head.point("neck") + start)) * axis).sum(axis=1)
        shares: Floats = smoothstep(along, 0, 1).astype(np.float32)
        for start_vertex, part in zip(self._starts, self.parts, strict=False):
            if part.name == "clothes":
                shares[start_vertex : start_vertex + len(part.vertices)] = 0
        return shares

    @cached_property
    def _lid_radii(self) -> dict[str, Reals]:
        """How near to an eyeball's centre each sliding vertex may come: as near as at rest, or over the eyeball."""
        radii = {}
        for side, lids in self.lids.items():
            away = self.head.vertices[lids.sliding] - self.head.point(f"eye-{side}")
            radii[side] = np.minimum((1 - 1e-6) * np.linalg.norm(away, axis=1), LID_THICKNESS * self.head.eye_radius)
        return radii

    def pose(
        self, units: Reals | None = None, rotation: Reals | None = None, gaze: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[Floats, ...]:
        """Return the vertices (N, 3) of each part.

        `units` (52,) are weights of the face units; `mouthClose` counts up to `jawOpen`. `rotation` (3, 3) turns the
        head about the joint of its neck, and `gaze` turns both eyeballs further, to the avatar's left and up, in
        degrees. Raises InputError for another shape or a value that is not finite.
        """
        weights = _checked("units", np.zeros(len(UNITS)) if units is None else units, (len(UNITS),))
        places = self._rest.copy()
        _add(places, *self._morphs, with_lips_apart(weights).astype(np.float32))
        posed = [places[start:end] for start, end in pairwise(self._starts)]
        named = dict(zip((part.name for part in self.parts), posed, strict=True))
        self._slide_lids(named)
        if gaze != (0.0, 0.0):
            self._turn_eyes(named, gaze)
        if rotation is not None:
            matrix = _checked("rotation", rotation, (3, 3)).astype(np.float32)
            away = places - self.head.point("neck")
            places += self.turning[:, None] * (_rotated(away, matrix) - away)
        return tuple(posed)

    def _slide_lids(self, named: dict[str, Reals]) -> None:
        """Keep the lids outside of the eyeballs, and the lashes at the lids."""
        skin = named["skin"]
        for side, lids in self.lids.items():
            roots = self.lash_roots[side]
            span, corners, weights = roots.span, roots.corners, roots.weights
            before = np.einsum("kc,kcx->kx", weights, skin[corners])
            slide_over(skin, lids.sliding, self.head.point(f"eye-{side}"), self._lid_radii[side])
            named["lashes"][span] += np.einsum("kc,kcx->kx", weights, skin[corners]) - before

    def _turn_eyes(self, named: dict[str, Reals], gaze: tuple[float, float]) -> None:
        left, up = _checked("gaze", np.array(gaze), (2,))
        turn = gaze_rotation(up, left, "left").astype(np.float32)
        for side in self.lids:
            ball, centre = named[f"eye-{side}"][:SPHERE], self.head.point(f"eye-{side}")
            ball[:] = _rotated(ball - centre, turn) + centre


def head_rotation(yaw_degrees: float, pitch_degrees: float, roll_degrees: float) -> Reals:
    """Return the rotation (3, 3) of a head: Rz(roll) Ry(yaw) Rx(pitch), in degrees, as `Camera` turns the whole avatar.

    Positive yaw turns the nose to the right of the picture, pitch turns it down, roll turns counter-clockwise.
    """
    yaw, pitch, roll = np.radians([yaw_degrees, pitch_degrees, roll_degrees])
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    rotation: Reals = (np.array(about_z) @ np.array(about_y) @ np.array(about_x)).astype(np.float32)
    return rotation


def _rotated(places: Reals, matrix: Reals) -> Reals:
    """Return rotated places (N, 3). Sums are written out, because the bits of a product depend on its shape."""
    x, y, z = places[:, :1], places[:, 1:2], places[:, 2:]
    rotated: Reals = x * matrix[:, 0] + y * matrix[:, 1] + z * matrix[:, 2]
    return rotated


def _checked(name: str, values: Reals, shape: tuple[int, ...]) -> Reals:
    array = np.asarray(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise InputError(f"{name} must be finite numbers of shape {shape}, not of {array.shape}")
    return array


@compiled
def _add(places: Reals, ends: Indices, vertices: Indices, offsets: Reals, weights: Reals) -> None:
    for unit in range(len(weights)):
        weight = weights[unit]
        if weight != 0:
            for row in range(ends[unit], ends[unit + 1]):
                for axis in range(3):
                    places[vertices[row], axis] += weight * offsets[row, axis]
