"""Rasteriser: pictures of avatars by the processor alone.

Of the libraries that run on a machine without GL, embreex returns hits only, at 43 pictures of 256x256 per second, TinyRenderer
reads one colour per file, and OpenCV's `triangleRasterize` has neither part numbers nor anti-aliasing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.camera import Camera
from facepipe.avatar.coverage import NEAR, NOTHING, OFFSETS, REACH_PIXELS, SAMPLES, UNITS, cover, project
from facepipe.avatar.light import FIRST_LEVELS, LEVEL_STARTS, linear
from facepipe.avatar.mesh import Floats, Indices, Part
from facepipe.avatar.occlusion import REACH, cell_pixels, occlusion
from facepipe.avatar.picture import Picture, write_colour, write_parts
from facepipe.avatar.scene import Scene, build_scene, vertex_normals
from facepipe.avatar.shading import Surroundings, resolve
from facepipe.avatar.surfaces import surface_table
from facepipe.avatar.textures import texture_levels

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
BAND_ROWS = 32
MAX_SIDE = 8192
MAX_LAYERS = 8
"""Transparent surfaces in front of each other; farther ones are not drawn."""
_SAMPLE_PLACES = OFFSETS / UNITS
_NO_LIMIT = np.zeros((0, 0, 0), np.float32)


def render(
    parts: Sequence[Part],
    camera: Camera,
    size: Size,
    background: tuple[float, float, float] | None = None,
    *,
    textures: Mapping[str, Pixels] | None = None,
    threads: Executor | None = None,
) -> Picture:
    """Return a picture of parts whose vertices have been moved by face units and pose.

    Args:
        parts: Parts, in any order.
        camera: The camera; see `framed`.
        size: Height and width in pixels, 1 to MAX_SIDE.
        background: sRGB in [0, 1], or None for a transparent one.
        textures: (H, W, 3) uint8 sRGB, by name of a part with texture coordinates; in place of its colours.
        threads: Threads that share the rows. The picture does not depend on their number. Without them the calling
            thread works alone, which is the fastest way to make many pictures on as many threads.

    Raises ValueError for sizes out of range and parts that `build_scene` refuses.
    """
    height, width = size
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"got a picture of {height}x{width} pixels, expected 1 to {MAX_SIDE} rows and columns")
    scene = build_scene(parts, textures or {})
    frame = _Frame(scene, camera, height, width, threads)
    opaque = frame.opaque()
    return frame.picture(frame.surroundings(opaque, textures or {}), opaque, background)


@dataclass(frozen=True)
class _Layer:
    """The nearest surfaces at the samples of a picture."""

    nearest: Floats
    """(H, W, SAMPLES), nearness; 0 for the background."""
    owner: Indices
    """(H, W, SAMPLES), triangles."""


class _Frame:
    """A scene in front of a camera."""

    def __init__(self, scene: Scene, camera: Camera, height: int, width: int, threads: Executor | None) -> None:
        self.scene, self.camera, self.threads = scene, camera, threads
        self.shape = (height, width, SAMPLES)
        self.lens = (float(camera.focal_pixels(height, width)), width / 2, height / 2)
        self.near = camera.distance * NEAR
        self.view = camera.view(scene.vertices)
        self.normals = vertex_normals(self.view, scene.triangles)
        self.places, self.nearness = project(self.view, self.lens, self.near, REACH_PIXELS)

    def opaque(self) -> _Layer:
        """Return the nearest opaque surfaces."""
        layer = _Layer(np.zeros(self.shape, np.float32), np.full(self.shape, NOTHING, np.int32))
        self._cover(0, self.scene.opaque_triangles, layer, _NO_LIMIT)
        return layer

    def transparent(self, opaque: _Layer) -> Iterator[_Layer]:
        """Yield the transparent surfaces in front of the opaque ones, the nearest first."""
        first, last = self.scene.opaque_triangles, len(self.scene.triangles)
        limit = np.full(self.shape, np.inf, np.float32)
        for _ in range(MAX_LAYERS if first < last else 0):
            layer = _Layer(opaque.nearest.copy(), np.full(self.shape, NOTHING, np.int32))
            self._cover(first, last, layer, limit)
            if (layer.owner == NOTHING).all():
                return
            yield layer
            limit = layer.nearest

    def surroundings(self, opaque: _Layer, textures: Mapping[str, Pixels]) -> Surroundings:
        """Return what shading reads."""
        scene, height = self.scene, self.camera.head_height
        texels, levels = texture_levels(scene.parts, textures)
        depths, openness = occlusion(opaque.nearest, opaque.owner, scene.triangles, self.normals, self.lens, height)
        up = self.camera.rotation()[:, 1]
        return Surroundings(
            points=self.view,
            triangles=scene.triangles,
            normals=self.normals,
            colours=scene.colours,
            texture_coordinates=scene.texture_coordinates,
            part=scene.owner,
            surfaces=surface_table(scene.parts),
            texels=texels,
            levels=levels,
            lens=self.lens,
            up=(float(up[0]), float(up[1]), float(up[2])),
            depths=depths,
            openness=openness,
            cell=cell_pixels(*self.shape[:2]),
            tolerance=REACH * height / 8,
        )

    def picture(
        self, surroundings: Surroundings, opaque: _Layer, background: tuple[float, float, float] | None
    ) -> Picture:
        """Return the picture."""
        height, width = self.shape[:2]
        light, through = np.zeros((height, width, 4), np.float32), np.ones(self.shape, np.float32)
        for layer in self.transparent(opaque):
            unused = np.zeros((0, 0, 0, 0), np.float32)
            self._in_bands(partial(self._resolve, surroundings, layer, through, light, unused))
        normals = np.zeros((*self.shape, 3), np.float32)
        self._in_bands(partial(self._resolve, surroundings, opaque, through, light, normals))
        colour = np.empty((height, width, 3 if background else 4), np.uint8)
        behind = linear(np.array(background or (0.0, 0.0, 0.0))).astype(np.float64)
        self._in_bands(
            lambda top, bottom: write_colour(light, behind, LEVEL_STARTS, FIRST_LEVELS, top, bottom, colour)
        )
        out = np.empty((height, width), np.uint8), np.empty((height, width), np.float32), np.empty_like(normals[:, :, 0])
        numbers = self.scene.numbers[self.scene.owner]
        self._in_bands(
            lambda top, bottom: write_parts(opaque.owner, numbers, opaque.nearest, normals, top, bottom, out)
        )
        return Picture(colour, *out)

    def _cover(self, first: int, last: int, layer: _Layer, limit: Floats) -> None:
        scene = self.scene
        self._in_bands(
            lambda top, bottom: cover(
                self.view,
                scene.triangles,
                scene.double_sided,
                first,
                last,
                self.lens,
                self.near,
                self.places,
                self.nearness,
                top,
                bottom,
                layer.nearest,
                layer.owner,
                limit,
            )
        )

    @staticmethod
    def _resolve(
        scene: Surroundings, layer: _Layer, through: Floats, light: Floats, normals: Floats, top: int, bottom: int
    ) -> None:
        resolve(scene, layer.owner, _SAMPLE_PLACES, top, bottom, through, light, normals)

    def _in_bands(self, action: Callable[[int, int], None]) -> None:
        """Call `action` with the first row and the end of bands that together are the whole picture."""
        height = self.shape[0]
        if self.threads is None:
            action(0, height)
            return
        tops = range(0, height, BAND_ROWS)
        list(self.threads.map(action, tops, [min(top + BAND_ROWS, height) for top in tops]))
