"""Conditioning of networks on a geometric prior: the picture that the prior renders, and maps of its flow."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity, angles_of

Floats = NDArray[np.floating]


CONDITIONING_CHANNELS = 9
"""Channels of `Conditioning.maps`."""


class Flow(Protocol):
    """Backward flow: the place in the source of each pixel of the target."""

    @property
    def source_position(self) -> NDArray[np.float32]:
        """(S, S, 2), x and y in pixels of the source."""

    @property
    def triangle(self) -> NDArray[np.int32]:
        """(S, S), triangle of the prior's surface, in the order skin, eyes, mouth, surroundings; -1 for none."""

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(S, S), whether that point of the surface is visible in the source."""


class Prior(Protocol):
    """A renderer that warps a source picture by geometry alone."""

    def target_points(self, expression: Floats, pose: Similarity) -> Floats:
        """Return (T, 478, 3) points for (T, 64) expressions in T poses, in pixels of the picture."""
        ...

    def render_with_flow(self, points: Floats, pose: Similarity) -> tuple[NDArray[np.uint8], Flow]:
        """Return the (S, S, 3) uint8 RGB picture for a face at (478, 3) points, and its flow."""
        ...

    def regions(self) -> NDArray[np.intp]:
        """Return (4,) end indices of the triangles of skin, eyes, mouth and surroundings."""
        ...


class Conditioning(NamedTuple):
    """The network's conditioning for one frame."""

    picture: NDArray[np.uint8]
    """(S, S, 3) RGB, rendered by the prior."""
    position: NDArray[np.float32]
    """(2, S, S), x and y in the source; -1 and 1 are the centres of the outermost pixels."""
    maps: NDArray[np.float32]
    """(9, S / 2, S / 2): displacement from the source (2), visibility in the source (1), masks of skin, eyes and mouth
    (3), and projected normalised coordinates, the canonical x, y, z of the face (3); zero off the face."""


def surface_table(model: FaceModel, regions: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return (M + 1, 6) for the M triangles: skin, eye, mouth flags and the canonical centroid; the last row is zero.

    Index -1, a pixel without a triangle, selects the last row.
    """
    skin, eyes, mouth, count = (int(end) for end in regions)
    table = np.zeros((count + 1, 6), np.float32)
    for column, (first, end) in enumerate(((0, skin), (skin, eyes), (eyes, mouth))):
        table[first:end, column] = 1
    triangles = np.concatenate([model.triangles, model.eye_triangles, model.mouth_triangles])
    table[:mouth, 3:] = model.mean[triangles].mean(1)
    return table


def conditioning_of(prior: Prior, table: NDArray[np.float32], points: Floats, pose: Similarity) -> Conditioning:
    """Render one frame with the prior and return it as conditioning.

    Args:
        prior: The renderer.
        table: From `surface_table`.
        points: (478, 3) target points in pixels.
        pose: The target pose, one row.
    """
    picture, flow = prior.render_with_flow(points, pose)
    side = picture.shape[0]
    position = flow.source_position.transpose(2, 0, 1) * np.float32(2 / (side - 1)) - np.float32(1)
    half = np.s_[..., ::2, ::2]
    line = np.linspace(-1, 1, side, dtype=np.float32)[::2]
    maps = np.empty((9, side // 2, side // 2), np.float32)
    maps[0], maps[1] = position[0][half] - line, position[1][half] - line[:, None]
    maps[2] = flow.visible[half]
    maps[3:] = table[flow.triangle[half]].transpose(2, 0, 1)
    return Conditioning(picture, np.ascontiguousarray(position, np.float32), maps)


def motion_of(expression: Floats, pose: Similarity, side: int) -> NDArray[np.float32]:
    """Return (T, 70): (T, 64) expressions, angles in radians, and translation as in coefficient files."""
    half, middle = side / 2, (side - 1) / 2
    shift = (pose.translation[:, :2] - middle) / half
    depth = np.log(pose.scale / half)[:, None]
    return np.concatenate([expression, angles_of(pose.rotation), shift, depth], axis=1).astype(np.float32)
