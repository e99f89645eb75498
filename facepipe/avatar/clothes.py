"""Clothes: a plain shirt, from its collar around the neck over the shoulders to a closed hem."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from facepipe.avatar.mesh import Indices, Material, Part, Reals
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Attachment, Template
from facepipe.avatar.vector import AvatarVector

SEGMENTS = 56
ANGLES = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
TUCK = ((-0.25, 0.0, 0.1), (1.25, 1.0, 0.88))
"""Decimetres below the collar, and how wide the skin may be there, as a multiple of the neck's radius at the collar."""
COLLAR = (5.66, 5.95)
"""Heights of the collar in front and behind on the template, decimetres."""
EVENING_ROUNDS = 12
COLLAR_ROWS = np.array([[-0.03, -0.06], [0.025, 0.03], [0.06, 0.045], [0.09, 0.02], [0.1, -0.04], [0.09, -0.07]])
"""Distance from the skin and height above the collar line of the collar's rows of vertices, decimetres."""
INSIDE = 0.6
"""Brightness of what is seen between collar and neck when the head turns, as a multiple of the collar's."""
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
    torso = []
    for wide, deep, up, power in SHOULDERS:
        x, z = (np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(ANGLES), np.sin(ANGLES)))
        row = np.stack([wide * size * x, np.full(SEGMENTS, up * size), deep * size * z], axis=1)
        torso.append(row + np.array([0, line[:, 1].min() + 0.05, middle[2]]))
    rows = [*collar, *torso]
    ends = [row.mean(axis=0, keepdims=True) for row in (rows[-1], rows[0])]
    vertices = np.concatenate([*rows, *ends]).astype(np.float32)
    colour = vector.colour("clothes")
    colours = np.tile(colour, (len(vertices), 1))
    colours[: SEGMENTS * (len(COLLAR_ROWS) - 1)] *= np.float32(0.86)
    colours[[*range(SEGMENTS), -1]] *= np.float32(INSIDE)
    return Part("clothes", vertices, _triangles(len(rows)), colours, material=Material(roughness=0.9))


class Tuck:
    """What keeps the skin below the collar inside the clothes: it is drawn towards the axis of the neck."""

    def __init__(self, template: Template) -> None:
        self._axis, radius = _neck(template)
        away = template.vertices - self._axis
        around = np.arctan2(away[:, 2], away[:, 0])
        below = _height(around) - template.vertices[:, 1]
        wide = np.hypot(away[:, 0], away[:, 2])
        limit = np.interp(around, ANGLES, radius, period=2 * np.pi) * np.interp(below, *TUCK)
        factor = np.minimum(1, limit / np.maximum(wide, 1e-6))
        self._vertices = np.flatnonzero((factor < 1) & (below > TUCK[0][0]))
        self._factor = factor[self._vertices, None].astype(np.float32)

    def apply(self, skin: Reals) -> None:
        """Draw the skin (N, 3) in, in place."""
        places = skin[self._vertices][:, [0, 2]]
        axis = self._axis[[0, 2]].astype(np.float32)
        skin[self._vertices[:, None], [0, 2]] = axis + self._factor * (places - axis)


@lru_cache(maxsize=2)
def _collar(template: Template) -> Attachment:
    """Return the line (SEGMENTS,) where the collar meets the neck, from the avatar's left round by its front."""
    axis, radius = _neck(template)
    points = np.stack([axis[0] + radius * np.cos(ANGLES), _height(ANGLES), axis[2] + radius * np.sin(ANGLES)], axis=1)
    return template.attach(points.astype(np.float32))


def _height(around: Reals) -> Reals:
    """Return the height (K,) of the collar line on the template at angles from the avatar's left by its front."""
    front, back = COLLAR
    return np.asarray(back + (front - back) * (0.5 + 0.5 * np.sin(around)))


def _neck(template: Template) -> tuple[Reals, Reals]:
    """Return the axis (3,) of the template's neck at the collar, and its radius (SEGMENTS,) around along the collar."""
    neck = template.vertices[template.regions["neck"]].astype(np.float64)
    axis = neck[np.abs(neck[:, 1] - 0.5 * sum(COLLAR)) < 0.12].mean(axis=0)
    away = neck - axis
    angles, radii = np.arctan2(away[:, 2], away[:, 0]), np.hypot(away[:, 0], away[:, 2])
    turn = np.abs(np.angle(np.exp(1j * (angles[None] - ANGLES[:, None]))))
    above = neck[None, :, 1] - _height(ANGLES)[:, None]
    nearness = np.exp(-((turn / 0.25) ** 2) - (above / 0.08) ** 2)
    return axis, (nearness * radii).sum(axis=1) / nearness.sum(axis=1)


def _even(line: Reals) -> Reals:
    """Return a closed line (SEGMENTS, 3) without the waves of the mesh that it was placed on."""
    middle = line.mean(axis=0)
    even = line - middle
    for _ in range(EVENING_ROUNDS):
        even = (even + np.roll(even, 1, axis=0) + np.roll(even, -1, axis=0)) / np.float32(3)
    # Each round shrinks a circle by the mean of three of its points.
    shrinkage = ((1 + 2 * np.cos(2 * np.pi / SEGMENTS)) / 3) ** EVENING_ROUNDS
    evened: Reals = middle + even / np.float32(shrinkage)
    return evened


def _triangles(rows: int) -> Indices:
    """Return the triangles of rows of SEGMENTS vertices, closed by the middle of the last row, then of the first."""
    row, segment = np.meshgrid(np.arange(rows - 1), np.arange(SEGMENTS), indexing="ij")
    first = (row * SEGMENTS + segment).ravel()
    second = (row * SEGMENTS + (segment + 1) % SEGMENTS).ravel()
    last = np.arange(SEGMENTS) + (rows - 1) * SEGMENTS
    cap = np.stack([last, np.roll(last, -1), np.full(SEGMENTS, rows * SEGMENTS)], axis=1)
    top = np.arange(SEGMENTS)
    inside = np.stack([np.roll(top, -1), top, np.full(SEGMENTS, rows * SEGMENTS + 1)], axis=1)
    return np.concatenate(
        [
            np.stack([first, second, first + SEGMENTS], axis=1),
            np.stack([second, second + SEGMENTS, first + SEGMENTS], axis=1),
            cap,
            inside,
        ]
    ).astype(np.int32)
