"""Rasteriser: pictures of avatars by the processor alone.

Of the libraries that run on a machine without GL, embreex returns hits only, at 43 pictures of 256x256 per second,
TinyRenderer reads one colour per file, and OpenCV's `triangleRasterize` has neither part numbers nor anti-aliasing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.camera import Camera
from facepipe.avatar.clipping import Pieces, is_hit, pieces
from facepipe.avatar.coverage import NOTHING, OFFSETS, SAMPLES, UNITS, cover
from facepipe.avatar.fragments import Fragments, Surroundings, empty_fragments
from facepipe.avatar.interpolation import collect
from facepipe.avatar.light import FIRST_LEVELS, LEVEL_STARTS, linear
from facepipe.avatar.mesh import Floats, Indices, Part
from facepipe.avatar.occlusion import REACH, cell_pixels, occlusion
from facepipe.avatar.picture import Picture, add_light, write_colour, write_maps
from facepipe.avatar.scene import Scene, build_scene, vertex_normals
from facepipe.avatar.shading import FILL, KEY, shade
from facepipe.avatar.shadows import lit_vertices
from facepipe.avatar.surfaces import surface_table
from facepipe.avatar.textures import texture_levels

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
BAND_ROWS = 32
MAX_SIDE = 8192
MAX_LAYERS = 8
"""Transparent surfaces in front of each other; farther ones are not drawn."""
NEAR = 1e-3
"""Depth of the near plane as a fraction of the camera's distance."""
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

    Raises ValueError for sizes and colours out of range, and for parts and textures that `build_scene` refuses.
    """
    height, width = size
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"got a picture of {height}x{width} pixels, expected 1 to {MAX_SIDE} rows and columns")
    if background is not None and not all(0 <= value <= 1 for value in background):
        raise ValueError(f"got a background of {background}, expected sRGB in [0, 1]")
    scene = build_scene(parts, textures or {})
    frame = _Frame(scene, camera, height, width, threads)
    return frame.picture(textures or {}, background)


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
        self.lens = (float(camera.focal_pixels(height, width)), *camera.middle_pixels(height, width))
        self.points = camera.view(scene.vertices)
        self.normals = vertex_normals(self.points, scene.triangles)
        self.surfaces = surface_table(scene.parts)
        self.opacity = np.ascontiguousarray(self.surfaces["opacity"])

    def picture(self, textures: Mapping[str, Pixels], background: tuple[float, float, float] | None) -> Picture:
        """Return the picture."""
        height, width = self.shape[:2]
        opaque = self._opaque()
        surroundings = self._surroundings(opaque, textures)
        colour = np.empty((height, width, 3 if background else 4), np.uint8)
        picture = Picture(
            colour,
            np.zeros((height, width), np.uint8),
            np.full((height, width), np.inf, np.float32),
            np.zeros((height, width, 3), np.float32),
        )
        behind = linear(np.array(background or (0.0, 0.0, 0.0))).astype(np.float64)
        glass = self._pieces(slice(self.scene.opaque_triangles, len(self.scene.triangles)))

        def draw(rows: slice) -> None:
            layer = _Layer(opaque.nearest[rows], opaque.owner[rows])
            band = Picture(colour[rows], picture.parts[rows], picture.depth[rows], picture.normals[rows])
            light = self._light(surroundings, layer, glass, rows.start, band)
            write_colour(light, behind, LEVEL_STARTS, FIRST_LEVELS, band.colour)

        self._in_bands(draw)
        return picture

    def _opaque(self) -> _Layer:
        """Return the nearest opaque surfaces."""
        layer = _Layer(np.empty(self.shape, np.float32), np.empty(self.shape, np.int32))
        wall = self._pieces(slice(0, self.scene.opaque_triangles))

        def draw(rows: slice) -> None:
            nearest, owner = layer.nearest[rows], layer.owner[rows]
            nearest.fill(0)
            owner.fill(NOTHING)
            cover(*wall, self.scene.double_sided, rows.start, nearest, owner, _NO_LIMIT)

        self._in_bands(draw)
        return layer

    def _transparent(self, opaque: _Layer, glass: Pieces, top: int) -> Iterator[_Layer]:
        """Yield the transparent surfaces in front of the opaque ones in some rows, the nearest first."""
        if not is_hit(glass, top, len(opaque.owner)):
            return
        limit = np.full(opaque.nearest.shape, np.inf, np.float32)
        for _ in range(MAX_LAYERS):
            layer = _Layer(opaque.nearest.copy(), np.full(opaque.owner.shape, NOTHING, np.int32))
            cover(*glass, self.scene.double_sided, top, layer.nearest, layer.owner, limit)
            if (layer.owner == NOTHING).all():
                return
            yield layer
            limit = layer.nearest

    def _pieces(self, triangles: slice) -> Pieces:
        near = self.camera.distance * NEAR
        return pieces(self.points, self.scene.triangles[triangles], triangles.start, self.lens, near)

    def _surroundings(self, opaque: _Layer, textures: Mapping[str, Pixels]) -> Surroundings:
        """Return what fragments are made of."""
        scene, height = self.scene, self.camera.head_height
        texels, levels = texture_levels(scene.parts, textures)
        depths, openness = occlusion(opaque.nearest, opaque.owner, scene.triangles, self.normals, self.lens, height)
        return Surroundings(
            points=self.points,
            triangles=scene.triangles,
            normals=self.normals,
            colours=scene.colours,
            texture_coordinates=scene.texture_coordinates,
            lit=lit_vertices(scene, self.points, self.normals, _unit(KEY), height),
            part=scene.owner,
            texels=texels,
            levels=levels,
            lens=self.lens,
            depths=depths,
            openness=openness,
            cell=cell_pixels(*self.shape[:2]),
            sharpness=4 / (REACH * height),
        )

    def _light(self, scene: Surroundings, opaque: _Layer, glass: Pieces, top: int, band: Picture) -> Floats:
        """Return the light (R * W, 4) of some rows, linear RGB times alpha and alpha; write their other pictures."""
        light = np.zeros((opaque.owner.shape[0] * opaque.owner.shape[1], 4), np.float32)
        through, space = _NO_LIMIT, empty_fragments(opaque.owner.size)
        for layer in self._transparent(opaque, glass, top):
            through = through if through.size else np.ones(opaque.owner.shape, np.float32)
            count = collect(scene, layer.owner, _SAMPLE_PLACES, self.opacity, top, through, space)
            self._add(space, count, light)
        count = collect(scene, opaque.owner, _SAMPLE_PLACES, self.opacity, top, through, space)
        self._add(space, count, light)
        maps = band.parts.reshape(-1), band.depth.reshape(-1), band.normals.reshape(-1, 3)
        write_maps(count, space, self.scene.numbers, *maps)
        return light

    def _add(self, fragments: Fragments, count: int, light: Floats) -> None:
        """Add the light of fragments to that of pixels."""
        shaded, up = np.empty((3, count), np.float32), self.camera.rotation()[:, 1]
        shade(
            count, fragments, self.surfaces, _unit(KEY), _unit(FILL), (float(up[0]), float(up[1]), float(up[2])), shaded
        )
        add_light(count, fragments, shaded, self.opacity, light)

    def _in_bands(self, action: Callable[[slice], None]) -> None:
        """Call `action` with ranges of rows that together are the whole picture."""
        height = self.shape[0]
        bands = [slice(top, min(top + BAND_ROWS, height)) for top in range(0, height, BAND_ROWS)]
        list(self.threads.map(action, bands) if self.threads else map(action, bands))


def _unit(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    length = hypot(*vector)
    return vector[0] / length, vector[1] / length, vector[2] / length
