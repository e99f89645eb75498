"""Speed of the rasteriser of avatars: whole pictures of one posed avatar, on as many threads as the machine has cores.

The reference is the painter's algorithm on OpenCV's polygons: triangles from back to front in a picture of twice the
size, one colour each, without light, part numbers, depth and normals. It is no faster on more threads, so that it is
compared with one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.avatar import build
from facepipe.avatar.camera import Camera, framed
from facepipe.avatar.compiling import open_head
from facepipe.avatar.mesh import Part
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import AvatarVector
from facepipe.bench.metric import Metric, Threshold, rate
from facepipe.bench.networks import SIDE, interleaved, speedup
from facepipe.device import lone_threads, thread_count

Pixels = NDArray[np.uint8]
LARGE_SIDE = 512
FRAMES = 4
"""Pictures per thread and round."""
ROUNDS = 5
LEAST, LARGE_LEAST = 60, 30
VECTOR = AvatarVector(choices={"hair": "bob", "glasses": "round", "brows": "soft"})
BACKGROUND = (0.90, 0.92, 0.95)
LONE, PAINTER = "avatar, one thread", "avatar painter"


@dataclass(frozen=True)
class Scene:
    """A posed avatar in front of a camera."""

    parts: tuple[Part, ...]
    camera: Camera

    def drawn(self, side: int) -> Pixels:
        """Return a picture (S, S, 3) by the rasteriser."""
        return render(self.parts, self.camera, (side, side), BACKGROUND).colour

    def painted(self, side: int) -> Pixels:
        """Return a picture (S, S, 3) by the painter's algorithm."""
        size = 2 * side
        picture = np.full((size, size, 3), np.round(np.multiply(BACKGROUND, 255)), np.uint8)
        corners, colours = [], []
        for part in self.parts:
            corners.append(self.camera.view(part.vertices)[part.triangles])
            colours.append(part.colours[part.triangles].mean(axis=1) * 255)
        points, fills = np.concatenate(corners), np.concatenate(colours).astype(float)
        focal = self.camera.focal_pixels(size, size)
        places = size / 2 + focal * points[..., :2] * (1, -1) / -points[..., 2:]
        rounded = np.round(places).astype(np.int32)
        for triangle in np.argsort(points[..., 2].mean(axis=1), kind="stable"):
            cv2.fillConvexPoly(picture, rounded[triangle], fills[triangle].tolist())
        return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def posed_scene() -> Scene:
    """Return an avatar with hair and glasses whose head is turned a little."""
    avatar = build(VECTOR, open_head())
    posed = zip(avatar.parts, avatar.pose(), strict=True)
    parts = tuple(replace(part, vertices=places) for part, places in posed)
    return Scene(parts, framed(parts, Camera(yaw_degrees=15)))


def measure(rounds: int) -> Iterable[Metric]:
    """Return frames per second at 256 and 512, timed in turns with the reference, and the ratio to it.

    Raises FacepipeError without the data of the head.
    """
    scene, threads = posed_scene(), thread_count()
    small, large = (f"avatar at {side}" for side in (SIDE, LARGE_SIDE))
    with lone_threads(threads, "bench") as pool:

        def shared(side: int) -> Callable[[], object]:
            return lambda: list(pool.map(scene.drawn, [side] * (FRAMES * threads)))

        variants: dict[str, Callable[[], object]] = {
            small: shared(SIDE),
            large: shared(LARGE_SIDE),
            LONE: lambda: [scene.drawn(SIDE) for _ in range(FRAMES)],
            PAINTER: lambda: [scene.painted(SIDE) for _ in range(FRAMES)],
        }
        for variant in variants.values():
            variant()
        timings = interleaved(variants, max(rounds, ROUNDS))
    yield rate(small, FRAMES * threads, timings[small], Threshold(LEAST, "at least"))
    yield rate(large, FRAMES * threads, timings[large], Threshold(LARGE_LEAST, "at least"))
    yield rate(LONE, FRAMES, timings[LONE])
    yield rate(PAINTER, FRAMES, timings[PAINTER])
    yield speedup(PAINTER, LONE, timings)
