"""Eyeballs: spheres whose colours are rings about the axis of gaze, with a highlight that stays where the light is."""

from __future__ import annotations

import numpy as np

from facepipe.avatar.mesh import Floats, Indices, Material, Morph, Part

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
RINGS = 13
SPHERE = RINGS * SEGMENTS
"""Vertices of the sphere; those of the highlight follow."""
TURNS = {"eyeLookUp": (22.0, 0.0), "eyeLookDown": (-24.0, 0.0), "eyeLookIn": (0.0, -30.0), "eyeLookOut": (0.0, 30.0)}
"""Degrees up and towards the temple by which a unit at weight 1 turns an eyeball."""


def eyeball(name: str, centre: Floats, radius: float, colour: Floats) -> Part:
    """Return the part of an eyeball. `colour` (3,) is that of the iris."""
    rings, colours = _rings(colour)
    sphere = _sphere(rings)
    disc = _disc()
    vertices = np.concatenate([sphere, disc]) * radius + centre
    paints = np.concatenate([np.repeat(colours, SEGMENTS, axis=0), np.ones((len(disc), 3))])
    triangles = np.concatenate([_sphere_triangles(len(rings)), _fan(len(sphere), len(disc))])
    return Part(
        name,
        vertices.astype(np.float32),
        triangles,
        paints.astype(np.float32),
        material=Material(roughness=0.15),
        morphs=_morphs(name.removeprefix("eye-"), sphere * radius),
    )


def gaze_rotation(up_degrees: float, out_degrees: float, side: str) -> Floats:
    """Return the rotation (3, 3) that turns an eye up, and towards its temple."""
    pitch, yaw = np.radians(-up_degrees), np.radians(out_degrees if side == "left" else -out_degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    rotation: Floats = about_y @ about_x
    return rotation


def _rings(colour: Floats) -> tuple[Floats, Floats]:
    """Return the angles (R,) of rings of vertices from the axis, radians, and their colours (R, 3)."""
    dark, light = colour * 0.45, np.minimum(colour * 1.25 + 0.03, 1)
    stops = [
        (0.6, PUPIL),
        (PUPIL_DEGREES - 0.6, PUPIL),
        (PUPIL_DEGREES + 0.6, light),
        ((PUPIL_DEGREES + IRIS_DEGREES) / 2, colour),
        (IRIS_DEGREES - 5, colour * 0.8),
        (IRIS_DEGREES - 2.5, dark),
        (IRIS_DEGREES - 0.6, dark),
        (IRIS_DEGREES + 0.8, WHITE),
        (IRIS_DEGREES + 14, WHITE),
        (72, CORNER),
        (100, CORNER * 0.9),
        (140, CORNER * 0.8),
        (179, CORNER * 0.8),
    ]
    return np.radians([angle for angle, _ in stops]), np.array([paint for _, paint in stops])


def _sphere(rings: Floats) -> Floats:
    around = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    x, y = np.sin(rings)[:, None] * np.cos(around), np.sin(rings)[:, None] * np.sin(around)
    z = np.broadcast_to(np.cos(rings)[:, None], x.shape)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)


def _sphere_triangles(rings: int) -> Indices:
    ring, segment = np.meshgrid(np.arange(rings - 1), np.arange(SEGMENTS), indexing="ij")
    first = (ring * SEGMENTS + segment).ravel()
    second = (ring * SEGMENTS + (segment + 1) % SEGMENTS).ravel()
    sides = np.concatenate(
        [
            np.stack([first, first + SEGMENTS, second + SEGMENTS], axis=1),
            np.stack([first, second + SEGMENTS, second], axis=1),
        ]
    )
    front = [[0, segment, segment + 1] for segment in range(1, SEGMENTS - 1)]
    last = (rings - 1) * SEGMENTS
    back = [[last, last + segment + 1, last + segment] for segment in range(1, SEGMENTS - 1)]
    return np.concatenate([sides, np.array(front), np.array(back)]).astype(np.int32)


def _disc() -> Floats:
    """Return the highlight: a middle and a ring of vertices just above the unit sphere."""
    (right, up), size = HIGHLIGHT
    around = 2 * np.pi * np.arange(SEGMENTS // 2) / (SEGMENTS // 2)
    tilt = np.radians(size)
    ring = np.stack(
        [np.sin(tilt) * np.cos(around), np.sin(tilt) * np.sin(around), np.full(len(around), np.cos(tilt))], 1
    )
    points = np.concatenate([[[0.0, 0.0, 1.0]], ring])
    return 1.01 * points @ gaze_rotation(up, right, "left").T


def _fan(start: int, count: int) -> Indices:
    rim = np.arange(1, count)
    return (start + np.stack([np.zeros(count - 1, int), rim, np.roll(rim, -1)], axis=1)).astype(np.int32)


def _morphs(side: str, sphere: Floats) -> dict[str, Morph]:
    """Return how the sphere turns with the units. The highlight stays in place, as the light does."""
    vertices = np.arange(len(sphere), dtype=np.int32)
    morphs = {}
    for stem, (up, out) in TURNS.items():
        turned = sphere @ gaze_rotation(up, out, side).T
        morphs[f"{stem}{side.capitalize()}"] = Morph(vertices, (turned - sphere).astype(np.float32))
    return morphs
