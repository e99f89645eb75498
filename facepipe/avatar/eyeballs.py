"""Eyeballs: spheres whose colours are rings about the axis of gaze, with a highlight that stays where the light is."""

from __future__ import annotations

from functools import cache

import numpy as np

from facepipe.avatar.mesh import Indices, Material, Morph, Part, Reals

SEGMENTS = 32
IRIS_DEGREES = 33.0
"""Half the angle of the iris, seen from the centre of the eyeball."""
PUPIL_DEGREES = 13.0
WHITE = np.array([0.965, 0.965, 0.96])
CORNER = np.array([0.9, 0.86, 0.85])
"""Colour of the white towards the lids."""
PUPIL = np.array([0.03, 0.03, 0.04])
HIGHLIGHT = ((-11.0, 8.0), 5.0)
"""Degrees of the middle of the highlight to the viewer's right and up, and half its angle."""
RING_DEGREES = (
    *(0.6, PUPIL_DEGREES - 0.6, PUPIL_DEGREES + 0.6, (PUPIL_DEGREES + IRIS_DEGREES) / 2, IRIS_DEGREES - 5),
    *(IRIS_DEGREES - 2.5, IRIS_DEGREES - 0.6, IRIS_DEGREES + 0.8, IRIS_DEGREES + 14, 72, 100, 140, 179),
)
"""Angles of the rings of vertices from the axis of gaze."""
RINGS = len(RING_DEGREES)
SPHERE = RINGS * SEGMENTS
"""Vertices of the sphere; those of the highlight follow."""
TURNS = {"eyeLookUp": (22.0, 0.0), "eyeLookDown": (-24.0, 0.0), "eyeLookIn": (0.0, -30.0), "eyeLookOut": (0.0, 30.0)}
"""Degrees up and towards the temple by which a unit at weight 1 turns an eyeball."""


def eyeball(name: str, centre: Reals, radius: float, colour: Reals) -> Part:
    """Return the part of an eyeball. `colour` (3,) is that of the iris."""
    disc = _disc()
    vertices = np.concatenate([_sphere(), disc]) * radius + centre
    paints = np.concatenate([np.repeat(_paints(colour), SEGMENTS, axis=0), np.ones((len(disc), 3))])
    return Part(
        name,
        vertices.astype(np.float32),
        _triangles(),
        paints.astype(np.float32),
        material=Material(roughness=0.15),
        morphs=_morphs(name.removeprefix("eye-"), radius),
    )


def gaze_rotation(up_degrees: float, out_degrees: float, side: str) -> Reals:
    """Return the rotation (3, 3) that turns an eye up, and towards its temple."""
    pitch, yaw = np.radians(-up_degrees), np.radians(out_degrees if side == "left" else -out_degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    rotation: Reals = about_y @ about_x
    return rotation


def _paints(colour: Reals) -> Reals:
    """Return the colours (RINGS, 3) of the rings of vertices, for an iris of a colour (3,)."""
    dark, light = colour * 0.45, np.minimum(colour * 1.25 + 0.03, 1)
    iris = [light, colour, colour * 0.8, dark, dark]
    return np.array([PUPIL, PUPIL, *iris, WHITE, WHITE, CORNER, CORNER * 0.9, CORNER * 0.8, CORNER * 0.8])


@cache
def _sphere() -> Reals:
    """Return the vertices (SPHERE, 3) of a sphere of radius 1, ring by ring from the pupil."""
    around = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    rings = np.radians(RING_DEGREES)
    x, y = np.sin(rings)[:, None] * np.cos(around), np.sin(rings)[:, None] * np.sin(around)
    z = np.broadcast_to(np.cos(rings)[:, None], x.shape)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)


@cache
def _triangles() -> Indices:
    ring, segment = np.meshgrid(np.arange(RINGS - 1), np.arange(SEGMENTS), indexing="ij")
    first = (ring * SEGMENTS + segment).ravel()
    second = (ring * SEGMENTS + (segment + 1) % SEGMENTS).ravel()
    front = [[0, segment, segment + 1] for segment in range(1, SEGMENTS - 1)]
    last = SPHERE - SEGMENTS
    back = [[last, last + segment + 1, last + segment] for segment in range(1, SEGMENTS - 1)]
    rim = np.arange(1, len(_disc()))
    highlight = SPHERE + np.stack([np.zeros(len(rim), int), rim, np.roll(rim, -1)], axis=1)
    return np.concatenate(
        [
            np.stack([first, first + SEGMENTS, second + SEGMENTS], axis=1),
            np.stack([first, second + SEGMENTS, second], axis=1),
            np.array(front),
            np.array(back),
            highlight,
        ]
    ).astype(np.int32)


@cache
def _disc() -> Reals:
    """Return the highlight: a middle and a ring of vertices just above the unit sphere."""
    (right, up), size = HIGHLIGHT
    around = 2 * np.pi * np.arange(SEGMENTS // 2) / (SEGMENTS // 2)
    tilt = np.radians(size)
    ring = np.stack(
        [np.sin(tilt) * np.cos(around), np.sin(tilt) * np.sin(around), np.full(len(around), np.cos(tilt))], 1
    )
    points = np.concatenate([[[0.0, 0.0, 1.0]], ring])
    return 1.01 * points @ gaze_rotation(up, right, "left").T


def _morphs(side: str, radius: float) -> dict[str, Morph]:
    """Return how the sphere turns with the units. The highlight stays in place, as the light does."""
    vertices = np.arange(SPHERE, dtype=np.int32)
    return {unit: Morph(vertices, turn * np.float32(radius)) for unit, turn in _turns(side).items()}


@cache
def _turns(side: str) -> dict[str, Reals]:
    """Return the displacements (SPHERE, 3) of a sphere of radius 1 by unit."""
    sphere, turns = _sphere(), {}
    for stem, (up, out) in TURNS.items():
        turned = sphere @ gaze_rotation(up, out, side).T
        turns[f"{stem}{side.capitalize()}"] = (turned - sphere).astype(np.float32)
    return turns
