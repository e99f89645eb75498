"""The renderer `avatar`: frames of a built avatar in the expression and pose of each row of motion."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from facepipe.avatar.avatar import build
from facepipe.avatar.camera import Camera
from facepipe.avatar.compiling import open_head
from facepipe.avatar.packing import unpacked
from facepipe.avatar.portrait import Portraitist, portrait_camera
from facepipe.avatar.posing import PICTURE_AXES
from facepipe.device import lone_threads, thread_count
from facepipe.spaces.arkit52.coefficients import UnitCoefficients

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.source import Source
    from facepipe.rendering.spec import FrameRenderer
    from facepipe.spaces.coefficients import Coefficients

Pixels = NDArray[np.uint8]
TRAVEL = 0.35
"""Share of the driver's movement in the picture that the avatar follows. The neck's rotation makes the rest."""


def open_renderer(
    weights: Mapping[str, Path],
    source: Source,
    *,
    prior: None,
    prepared: Mapping[str, Tensor] | None,
    compiled: bool,
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`. There is no network."""
    del weights, prior, compiled
    assert prepared is not None, "an avatar is not made from a picture"
    avatar = build(unpacked(prepared), open_head())
    camera, side = portrait_camera(avatar), len(source.picture)
    resting = source.coefficients.translation[0]

    def draw(motion: UnitCoefficients, row: int) -> Pixels:
        view = moved(camera, TRAVEL * (motion.translation[row] - resting))
        rotation = PICTURE_AXES @ motion.rows(row, row + 1).rotation[0] @ PICTURE_AXES
        return Portraitist(avatar, view, side).draw(motion.weights[row], rotation)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[Pixels]:
        assert isinstance(motion, UnitCoefficients)
        yield from in_threads(partial(draw, motion), first, end)

    return render


def moved(camera: Camera, change: NDArray[np.floating]) -> Camera:
    """Return a camera whose picture of the head is moved and scaled.

    `change` is x to the right and y down in half sides of the picture, and the logarithm of the scale.
    """
    tall = camera.distance * np.tan(np.radians(camera.field_of_view_degrees / 2))
    x, y, z = camera.target
    right, down, scale = (float(value) for value in change)
    distance = camera.distance_heads * float(np.exp(-np.clip(scale, -1.0, 1.0)))
    return replace(camera, target=(x - right * tall, y + down * tall, z), distance_heads=distance)


def in_threads(draw: Callable[[int], Pixels], first: int, end: int) -> Iterator[Pixels]:
    """Yield `draw(row)` for rows first to end - 1 in order; each picture is made by one thread."""
    count = thread_count()
    with lone_threads(count, "render") as pool:
        futures = deque(pool.submit(draw, row) for row in range(first, min(first + 2 * count, end)))
        for row in range(first, end):
            yield futures.popleft().result()
            if (following := row + 2 * count) < end:
                futures.append(pool.submit(draw, following))
