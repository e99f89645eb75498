"""Portraits of avatars: the camera in front of a head, and pictures of it in an expression and a pose."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from math import atan, degrees, hypot
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.avatar import Avatar
from facepipe.avatar.camera import Camera, framed
from facepipe.avatar.framing import EYES_ROW, SIDE_UNITS, HasHead
from facepipe.avatar.mesh import Part, Reals
from facepipe.avatar.rasteriser import render

Pixels = NDArray[np.uint8]
WIDER = 0.95
"""Field of view of a portrait, as a multiple of the one that the head and its hair fill."""
LOWER = 0.05
"""How far the middle of a portrait lies below that of the head and its hair, as a fraction of their height."""


class HasParts(HasHead, Protocol):
    """An avatar with its parts."""

    @property
    def parts(self) -> Sequence[Part]:
        """Its parts."""


def portrait_camera(avatar: HasParts) -> Camera:
    """Return a camera that shows the head with some room to move, and the collar."""
    camera = framed(avatar.parts)
    x, y, z = camera.target
    wider = min(WIDER * camera.field_of_view_degrees, 120.0)
    return replace(camera, target=(x, y - LOWER * camera.head_height, z), field_of_view_degrees=wider)


def cut_camera(avatar: HasParts) -> Camera:
    """Return the camera of an avatar's portrait, whose picture is cut to the frame of the face."""
    camera = portrait_camera(avatar)
    names = [f"eye-{end}-{side}" for side in ("left", "right") for end in ("inner", "outer")]
    view = camera.view(np.array([avatar.head.point(name) for name in (*names, "mouth-left", "mouth-right")]))
    flat = view[:, :2] / -view[:, 2:]
    left, right, mouth = flat[0:2].mean(0), flat[2:4].mean(0), flat[4:6].mean(0)
    eyes = (left + right) / 2
    side = SIDE_UNITS * (hypot(*(left - right)) + hypot(*(eyes - mouth))) / 2
    shift = float(eyes[0]) / side, float(eyes[1]) / side - (0.5 - EYES_ROW)
    return replace(camera, field_of_view_degrees=degrees(2 * atan(side / 2)), shift=shift)


@dataclass(frozen=True, eq=False)
class Portraitist:
    """Draws one avatar from one camera."""

    avatar: Avatar
    camera: Camera
    side_pixels: int

    def draw(
        self,
        units: Reals | None = None,
        rotation: Reals | None = None,
        *,
        background: tuple[float, float, float] | None = None,
        threads: Executor | None = None,
    ) -> Pixels:
        """Return a picture (S, S, 3), or with alpha (S, S, 4) without a background; see `Poser.pose` and `render`."""
        places = self.avatar.pose(units, rotation)
        posed = [replace(part, vertices=place) for part, place in zip(self.avatar.parts, places, strict=True)]
        size = (self.side_pixels, self.side_pixels)
        return render(posed, self.camera, size, background, threads=threads).colour
