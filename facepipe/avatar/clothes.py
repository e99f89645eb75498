"""Clothes: a plain shirt, from its collar around the neck over the shoulders to a closed hem."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from facepipe.avatar.mesh import Floats, Indices, Material, Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Attachment, Template
from facepipe.avatar.vector import AvatarVector

SEGMENTS = 56
COLLAR = (5.78, 6.02)
"""Heights of the collar in front and behind on the template, decimetres."""
EVENING_ROUNDS = 24
COLLAR_ROWS = np.array([[-0.02, -0.03], [0.015, 0.02], [0.05, 0.03], [0.075, 0.0], [0.08, -0.05], [0.075, -0.07]])
"""Distance from the skin and height above the collar line of the collar's rows of vertices, decimetres."""
SHOULDERS = np.array(
    [
        [0.58, 0.5, -0.16, 2.0],
        [0.85, 0.58, -0.27, 2.0],
        [1.1, 0.63, -0.38, 2.1],
        [1.3, 0.66, -0.52, 2.2],
        [1.42, 0.67, -0.7, 2.4],
        [1.46, 0.67, -0.95, 2.5],
        [1.4, 0.65, -1.3, 2.5],
        [1.34, 0.63, -1.7, 2.5],
    ]
)
"""Half width, half depth, height above the joint of the neck, and exponent of the super-ellipse of each further row."""


def shirt(head: ShapedHead, vector: AvatarVector) -> Part:
    """Return the part of the clothes."""
    line = _even(head.place(_collar(head.template)))
    middle = line.mean(axis=0)
    out = line - middle
    out[:, 1] = 0
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    collar = [line + out * away + np.array([0, up, 0]) for away, up in COLLAR_ROWS]
    sliders = vector.sliders
    size = (1 - 0.2 * sliders["style"]) * (0.92 + 0.16 * sliders["gender"]) * (0.9 + 0.2 * sliders["weight"])
    around = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    torso = []
    for wide, deep, up, power in SHOULDERS:
        x, z = (np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(around), np.sin(around)))
        row = np.stack([wide * size * x, np.full(SEGMENTS, up * size), deep * size * z], axis=1)
        torso.append(row + np.array([0, middle[1] - 0.05, middle[2]]))
    rows = [*collar, *torso]
    bottom = rows[-1].mean(axis=0, keepdims=True)
    vertices = np.concatenate([*rows, bottom]).astype(np.float32)
    colour = vector.colour("clothes")
    colours = np.tile(colour, (len(vertices), 1))
    colours[: SEGMENTS * (len(COLLAR_ROWS) - 1)] *= np.float32(0.86)
    return Part("clothes", vertices, _triangles(len(rows)), colours, material=Material(roughness=0.9))


@lru_cache(maxsize=2)
def _collar(template: Template) -> Attachment:
    """Return the line (SEGMENTS,) where the collar meets the neck, from the avatar's left round by its front."""
    around = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    front, back = COLLAR
    heights = back + (front - back) * (0.5 + 0.5 * np.sin(around))
    neck = template.vertices[template.regions["neck"]].astype(np.float64)
    axis = neck[np.abs(neck[:, 1] - 0.5 * (front + back)) < 0.12].mean(axis=0)
    away = neck - axis
    angles, radii = np.arctan2(away[:, 2], away[:, 0]), np.hypot(away[:, 0], away[:, 2])
    turn = np.abs(np.angle(np.exp(1j * (angles[None] - around[:, None]))))
    nearness = np.exp(-((turn / 0.25) ** 2) - ((away[None, :, 1] + axis[1] - heights[:, None]) / 0.08) ** 2)
    radius = (nearness * radii).sum(axis=1) / nearness.sum(axis=1)
    points = np.stack([axis[0] + radius * np.cos(around), heights, axis[2] + radius * np.sin(around)], axis=1)
    return template.attach(points.astype(np.float32))


def _even(line: Floats) -> Floats:
    """Return a closed line (SEGMENTS, 3) without the waves of the mesh that it was placed on."""
    for _ in range(EVENING_ROUNDS):
        line = (line + np.roll(line, 1, axis=0) + np.roll(line, -1, axis=0)) / np.float32(3)
    return line


def _triangles(rows: int) -> Indices:
    row, segment = np.meshgrid(np.arange(rows - 1), np.arange(SEGMENTS), indexing="ij")
    first = (row * SEGMENTS + segment).ravel()
    second = (row * SEGMENTS + (segment + 1) % SEGMENTS).ravel()
    last = np.arange(SEGMENTS) + (rows - 1) * SEGMENTS
    cap = np.stack([last, np.roll(last, -1), np.full(SEGMENTS, rows * SEGMENTS)], axis=1)
    return np.concatenate(
        [
            np.stack([first, second, first + SEGMENTS], axis=1),
            np.stack([second, second + SEGMENTS, first + SEGMENTS], axis=1),
            cap,
        ]
    ).astype(np.int32)
