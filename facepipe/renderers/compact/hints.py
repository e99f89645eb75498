"""What the geometric prior tells the compact network of a frame."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity, angles_of

Floats = NDArray[np.floating]


class Flow(Protocol):
    """Where each pixel of a target comes from."""

    @property
    def source_position(self) -> NDArray[np.float32]:
        """(S, S, 2), x and y in pixels of the source."""

    @property
    def triangle(self) -> NDArray[np.int32]:
        """(S, S), triangle of the prior's surface: first skin, then eyes, mouth, and all else."""

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(S, S), whether the source shows that point."""


class Prior(Protocol):
    """A renderer that moves one source picture by geometry alone."""

    def target_points(self, expression: Floats, pose: Similarity) -> Floats:
        """Return (T, 478, 3) points with (T, 64) expressions in T poses, in pixels of the picture."""
        ...

    def drawn(self, points: Floats, pose: Similarity) -> tuple[NDArray[np.uint8], Flow]:
        """Return the (S, S, 3) uint8 RGB picture with the face at (478, 3) points, and its flow."""
        ...

    def regions(self) -> NDArray[np.intp]:
        """Return (4,) where the triangles of skin, eyes, mouth and all else end."""
        ...


class Hints(NamedTuple):
    """One frame of the prior as the network takes it."""

    picture: NDArray[np.uint8]
    """(S, S, 3) RGB."""
    position: NDArray[np.float32]
    """(2, S, S), place in the source, -1 and 1 in the middles of the outermost pixels."""
    maps: NDArray[np.float32]
    """(9, S / 2, S / 2): shift from the source (2), whether it is visible, whether it is skin, eye or mouth (3), and
    the canonical point of the face there (3), zero off the face."""


def surface_table(model: FaceModel, regions: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return (triangles + 1, 6): skin, eye, mouth, and the canonical middle of each triangle; the last row is none."""
    skin, eyes, mouth, count = (int(end) for end in regions)
    table = np.zeros((count + 1, 6), np.float32)
    for column, (first, end) in enumerate(((0, skin), (skin, eyes), (eyes, mouth))):
        table[first:end, column] = 1
    triangles = np.concatenate([model.triangles, model.eye_triangles, model.mouth_triangles])
    table[:mouth, 3:] = model.mean[triangles].mean(1)
    return table


def hints_of(prior: Prior, table: NDArray[np.float32], points: Floats, pose: Similarity) -> Hints:
    """Draw one frame by the prior and lay its flow out for the network."""
    picture, flow = prior.drawn(points, pose)
    side = picture.shape[0]
    position = flow.source_position.transpose(2, 0, 1) * np.float32(2 / (side - 1)) - np.float32(1)
    half = np.s_[..., ::2, ::2]
    line = np.linspace(-1, 1, side, dtype=np.float32)[::2]
    maps = np.empty((9, side // 2, side // 2), np.float32)
    maps[0], maps[1] = position[0][half] - line, position[1][half] - line[:, None]
    maps[2] = flow.visible[half]
    maps[3:] = table[flow.triangle[half]].transpose(2, 0, 1)
    return Hints(picture, np.ascontiguousarray(position, np.float32), maps)


def motion_of(expression: Floats, pose: Similarity, side: int) -> NDArray[np.float32]:
    """Return (T, 70): (T, 64) expressions, angles in radians, and translation as coefficients give it."""
    half, middle = side / 2, (side - 1) / 2
    shift = (pose.translation[:, :2] - middle) / half
    depth = np.log(pose.scale / half)[:, None]
    return np.concatenate([expression, angles_of(pose.rotation), shift, depth], axis=1).astype(np.float32)
