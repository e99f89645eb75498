"""The skin's texture from a portrait: what the portrait shows of the face, and the colours of the skin elsewhere."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from facepipe.avatar.avatar import Avatar
from facepipe.avatar.light import LEVEL_STARTS, linear
from facepipe.avatar.mesh import Floats
from facepipe.creation.landmarks import Points
from facepipe.export.avatar_model import AvatarModel, Mesh
from facepipe.export.portrait_alignment import portrait_places, shows_teeth
from facepipe.export.texture_layout import Layout, layout_of, relaid
from facepipe.face import topology as at
from facepipe.media.image import as_png

Pixels = NDArray[np.uint8]
SIDE_PIXELS = 1024
FACING = (0.25, 0.6)
"""z of unit normals from which the portrait begins to be used, and is used alone."""
FEATHER = 0.12
"""Width of the transition at the border of the face, as a fraction of the distance of the outer eye corners."""
INSIDES = ("mouth-cavity", "socket-left", "socket-right")
GAINS = (0.02, 4.0)
"""Bounds of the factors of linear light that bring the skin's colours to those of the portrait."""
SURE = 0.9
"""Share of the portrait from which on a pixel counts for these factors."""


def with_portrait(model: AvatarModel, avatar: Avatar, picture: Pixels, points: Points) -> AvatarModel:
    """Return a model whose skin has a texture of a portrait.

    Args:
        model: The model of `avatar`.
        avatar: The avatar.
        picture: (H, W, 3), RGB.
        points: (478, 2 or more), landmarks in pixels of the picture.

    Raises InputError if the head is turned too far.
    """
    regions = avatar.head.template.regions
    inner = np.zeros(len(avatar.head.vertices), bool)
    for name in INSIDES:
        inner[regions[name]] = True
    places = portrait_places(avatar, points)
    shares = _shares(avatar, places, points)
    shares[inner] = 0
    if shows_teeth(points):
        shares[regions["lips"]] = 0

    def textured(mesh: Mesh) -> Mesh:
        assert mesh.texture_coordinates is not None
        layout = layout_of(mesh.positions, mesh.triangles, mesh.texture_coordinates, inner)
        values = np.concatenate([linear(mesh.colours), places, shares[:, None]], axis=1)
        return relaid(mesh, layout, as_png(_bake(layout, values, picture)))

    meshes = tuple(textured(mesh) if mesh.name == "skin" else mesh for mesh in model.meshes)
    return replace(model, meshes=meshes)


def _shares(avatar: Avatar, places: Points, points: Points) -> Points:
    """Return the share (N,) of the portrait in the colour of each vertex: facing it, and well inside its face."""
    low, high = FACING
    facing = np.clip((avatar.head.normals[:, 2] - low) / (high - low), 0, 1)
    oval = points[list(at.FACE_OVAL), :2].astype(np.float32)
    width = FEATHER * float(np.linalg.norm(points[at.LEFT_EYE_OUTER, :2] - points[at.RIGHT_EYE_OUTER, :2]))
    depth = np.array([cv2.pointPolygonTest(oval, (float(x), float(y)), True) for x, y in places])
    inside = np.clip(depth / width, 0, 1)
    shares: Points = _smooth(facing) * _smooth(inside)
    return shares


def _smooth(share: Points) -> Points:
    smooth: Points = share * share * (3 - 2 * share)
    return smooth


def _bake(layout: Layout, values: Points, picture: Pixels) -> Pixels:
    """Return the texture. `values` (N, 6): linear colours, places in the picture, shares of the picture."""
    baked, covered = rasterised(layout, values[layout.vertices])
    fill, places, share = baked[..., :3], baked[..., 3:5].astype(np.float32), baked[..., 5:]
    shown = cv2.remap(
        linear(picture / np.float32(255)),
        places[..., 0],
        places[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    sure = covered & (share[..., 0] > SURE)
    gain = np.median(shown[sure], axis=0) / np.maximum(np.median(fill[sure], axis=0), 1e-4) if sure.any() else 1.0
    light = share * shown + (1 - share) * np.clip(fill * np.clip(gain, *GAINS), 0, 1)
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    levels = np.searchsorted(LEVEL_STARTS, light[tuple(nearest)], side="right") - 1
    pixels: Pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return pixels


def rasterised(layout: Layout, values: Points, side: int = SIDE_PIXELS) -> tuple[Points, NDArray[np.bool_]]:
    """Return values (S, S, C) of vertices (N', C) interpolated over the texture, and which pixels (S, S) are covered.

    Triangles that the layout shows from behind, such as backs of ears, are below the others.
    """
    image, covered = np.zeros((side, side, values.shape[1])), np.zeros((side, side), bool)
    # v is up, rows go down. The middle of pixel j is at (j + 0.5) / side.
    corners = (layout.coordinates[layout.triangles] * [1, -1] + [0, 1]) * side - 0.5
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = first[:, 1] * second[:, 0] - first[:, 0] * second[:, 1]
    for number in np.argsort(areas > 0, kind="stable"):
        if areas[number] != 0:
            _draw(corners[number], values[layout.triangles[number]], image, covered)
    return image, covered


def _draw(corners: Floats, values: Points, image: Points, covered: NDArray[np.bool_]) -> None:
    """Draw a triangle (3, 2) with values (3, C) of its corners, in place; its edges a little beyond their pixels."""
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, len(image) - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 1, len(image))
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    (ax, ay), (bx, by), (cx, cy) = corners
    area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
    first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area
    second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area
    weights = np.stack([first, second, 1 - first - second], axis=-1)
    inside = (weights > -1e-6).all(axis=-1)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    image[window][inside] = weights[inside] @ values
    covered[window] |= inside


__all__ = ["rasterised", "with_portrait"]
