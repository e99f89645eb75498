"""The mesh renderer: warps the source picture by the motion of the fitted face mesh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import Similarity
from facepipe.renderers.mesh import openings, pixels
from facepipe.renderers.mesh.config import MeshConfig
from facepipe.renderers.mesh.mouth import Mouth
from facepipe.renderers.mesh.raster import rasterise
from facepipe.renderers.mesh.surface import build_surface
from facepipe.renderers.mesh.symmetry import own_share
from facepipe.rendering.source import Source
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.spec import FrameRenderer
    from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.floating]
# How far behind the source's own surface a point may lie and still count as seen there, in outer-eye distances.
SEEN_DEPTH = 0.06


class MeshFlow(NamedTuple):
    """Where each pixel of the target comes from."""

    source_position: NDArray[np.float32]
    """(H, W, 2), x and y in pixels of the source."""
    triangle: NDArray[np.int32]
    """(H, W), triangle of the surface."""
    visible: NDArray[np.bool_]
    """(H, W), whether the source shows that point of the surface."""
    attributes: NDArray[np.float32]
    """(H, W, 2), place between the lips and gap in pixels; see `openings.gap_attributes`."""
    mirror_position: NDArray[np.float32]
    """(H, W, 2), where the source shows the same point of the other half of the face."""
    own_share: NDArray[np.float32]
    """(H, W), how much of the colour is to come from `source_position`, the rest from `mirror_position`."""


class MeshRenderer:
    """Renders one source portrait in any pose and expression.

    What the model cannot say of the source's landmarks is kept and carried along, so the source's own coefficients give
    back its picture unchanged.
    """

    def __init__(self, model: FaceModel, source: Source, config: MeshConfig | None = None) -> None:
        self.config = config or MeshConfig()
        self.model, self.picture, self.pose = model, source.picture, source.pose
        self.surface = build_surface(model, self.config)
        self.neutral, self.points = model.neutral(source.identity), source.points
        own = self.neutral + model.moved(source.expression[None])
        self.remainder = self.pose.undo(self.points[None])[0] - own[0]
        self.rings = self.surface.ring_points(self.points, self.pose)
        self.follow = self.surface.follow_weights(self.points)[:, None]
        self.vertices = self._behind(np.concatenate([openings.with_centres_inside(self.points), self.rings]))
        self.own_share = own_share(self.points, model)
        self.skin = self._skin()
        self.luminance = float(self.skin.mean())
        self.unit = float(self.pose.scale[0])
        self.eye_gaps = [openings.eye_gap(self.points, eye) / self.unit for eye in openings.EYES]
        self.gap = openings.mouth_gap(self.points) / self.unit
        self.mouth = Mouth(self.picture, self.points, self.pose, self.neutral[0], self.skin)
        height, width = self.picture.shape[:2]
        across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self.grid = np.stack([across, down], axis=-1)
        _, self.depth, _ = rasterise(
            self.vertices, self._facing(self.vertices), self.vertices[:, 2:], height=height, width=width
        )

    @staticmethod
    def _behind(vertices: Floats) -> NDArray[np.float32]:
        """Push the rings behind all of the face, so that hair never shows through a cheek."""
        pushed = vertices.astype(np.float32)
        pushed[topology.POINT_COUNT :, 2] += np.float32(np.ptp(vertices[: topology.POINT_COUNT, 2]) * 2)
        return pushed

    def _skin(self) -> Floats:
        """Return the (3,) mean RGB of the cheeks."""
        height, width = self.picture.shape[:2]
        cheeks = self.points[[50, 280, 117, 346, 205, 425], :2].round().astype(int)
        inside = cheeks[(cheeks >= 0).all(1) & (cheeks[:, 0] < width) & (cheeks[:, 1] < height)]
        return self.picture[inside[:, 1], inside[:, 0]].mean(0) if len(inside) else np.full(3, 128.0)

    def target_points(self, expression: Floats, pose: Similarity) -> Floats:
        """Return (T, 478, 3) points of this face with (T, 64) expressions in (T) poses, in pixels of the picture."""
        return pose.apply(self.neutral + self.model.moved(expression) + self.remainder)

    def _facing(self, vertices: Floats) -> NDArray[np.int32]:
        """Drop eye and mouth triangles that lids or lips have closed over."""
        surface = self.surface
        inner = surface.triangles[surface.skin_end : surface.mouth_end]
        corners = vertices[inner][..., :2]
        edges = corners[:, 1:] - corners[:, :1]
        area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
        triangles = surface.triangles.copy()
        triangles[surface.skin_end : surface.mouth_end][area * self._inner_sign() <= 0] = 0
        return triangles

    def _inner_sign(self) -> NDArray[np.floating]:
        corners = self.model.mean[self.surface.triangles[self.surface.skin_end : self.surface.mouth_end]][..., :2]
        edges = corners[:, 1:] - corners[:, :1]
        return np.sign(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])

    def flow(self, points: Floats, pose: Similarity) -> MeshFlow:
        """Return the backward flow to (478, 3) target points in the one-row target pose."""
        rigid = pose.apply(self.pose.undo(self.rings[None]))[0]
        rim = list(topology.FACE_OVAL)
        moved = np.tile(points[rim] - rigid[: len(rim)], (len(rigid) // len(rim), 1))
        rings = self.rings + self.follow * (rigid - self.rings) + self.surface.expression_weights() * moved
        rings[:, 2] = rigid[:, 2]
        vertices = self._behind(np.concatenate([openings.with_centres_inside(points), rings]))
        values = np.zeros((len(vertices), 8), np.float32)
        values[:, :3] = self.vertices
        values[: topology.POINT_COUNT, 3:5] = openings.gap_attributes(points)
        values[: topology.POINT_COUNT, 5:7] = self.points[self.model.mirror, :2]
        values[:, 7] = 1
        values[: topology.POINT_COUNT, 7] = self.own_share
        height, width = self.picture.shape[:2]
        out, _, triangle = rasterise(vertices, self._facing(vertices), values, height=height, width=width)
        position, mirror = np.empty((2, height, width, 2), np.float32)
        pixels.take_places(out, position, mirror)
        position = _without_holes(position, triangle)
        shift = cv2.GaussianBlur(position - self.grid, (0, 0), self.config.smoothing_pixels * width / 256)
        visible = np.empty((height, width), bool)
        tolerance = SEEN_DEPTH * self.unit
        pixels.settle(position, shift, triangle, self.surface.mouth_end, out, self.depth, tolerance, visible)  # type: ignore[arg-type]
        return MeshFlow(position, triangle, visible, out[..., 3:5], mirror, out[..., 7])

    def frames(self, expression: Floats, pose: Similarity) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB pictures with (T, 64) expressions in T poses, in pixels of the picture."""
        for index in range(len(expression)):
            one = Similarity(*(part[index : index + 1] for part in pose))
            yield self.render(self.target_points(expression[index : index + 1], one)[0], one)

    def render(self, points: Floats, pose: Similarity) -> NDArray[np.uint8]:
        """Return the (S, S, 3) uint8 RGB picture with the face at (478, 3) target points in the one-row target pose."""
        return self.drawn(points, pose)[0]

    def drawn(self, points: Floats, pose: Similarity) -> tuple[NDArray[np.uint8], MeshFlow]:
        """Return what `render` does, and the flow it was drawn by."""
        flow = self.flow(points, pose)
        image = self._sampled(flow.source_position)
        if self.own_share.min() < 1:
            top, bottom, left, right = pixels.extent(flow.own_share)
            if top < bottom:
                other = self._sampled(flow.mirror_position[top:bottom, left:right])
                pixels.mix(image, other, flow.own_share, top, left)
        unit = float(pose.scale[0])
        return self._with_mouth(self._with_eyes(image, flow, points, unit), flow, points, pose), flow

    def regions(self) -> NDArray[np.intp]:
        """Return (4,) where the triangles of skin, eyes, mouth and rings end."""
        surface = self.surface
        return np.array([surface.skin_end, surface.eyes_end, surface.mouth_end, len(surface.triangles)])

    def _sampled(self, position: NDArray[np.float32]) -> NDArray[np.uint8]:
        picture = cv2.remap(self.picture, position, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        return np.asarray(picture, np.uint8)

    def _with_eyes(self, image: NDArray[np.uint8], flow: MeshFlow, points: Floats, unit: float) -> NDArray[np.uint8]:
        """Draw eyeballs where the source keeps its eyes closed."""
        middle = (self.surface.skin_end + self.surface.eyes_end) // 2
        ends = ((self.surface.skin_end, middle), (middle, self.surface.eyes_end))
        for (first, end), eye, own in zip(ends, openings.EYES, self.eye_gaps, strict=True):
            gap = openings.eye_gap(points, eye) / unit
            share = openings.drawn_share(own, gap, at_least=self.config.eye_open)
            inside = (flow.triangle >= first) & (flow.triangle < end)
            count = int(np.count_nonzero(inside))
            if share and count >= 4:
                colour = openings.drawn_eye(inside, points, eye, luminance=self.luminance)
                image = openings.blend(image, inside, colour, share)
            begin, end_gap = self.config.lids_meet
            closed = float(np.clip((begin - gap) / (begin - end_gap), 0, 1)) * (own > begin)
            line = openings.lash_line(inside, points, eye) if closed else inside
            if closed and line.any():
                colour = openings.lashes(int(np.count_nonzero(line)), luminance=self.luminance)
                image = openings.blend(image, line, colour, closed)
        return image

    def _with_mouth(
        self, image: NDArray[np.uint8], flow: MeshFlow, points: Floats, pose: Similarity
    ) -> NDArray[np.uint8]:
        """Draw the inner mouth where the source shows too little of its own."""
        inside = (flow.triangle >= self.surface.eyes_end) & (flow.triangle < self.surface.mouth_end)
        gap = openings.mouth_gap(points) / float(pose.scale[0])
        share = openings.drawn_share(self.gap, gap, at_least=self.config.mouth_open, enough=self.config.mouth_enough)
        if share == 0 or np.count_nonzero(inside) < 4:
            return image
        if share > 0.5:  # Who draws on top of this must know: moved there, the source would show its lips.
            flow.visible[inside] = False
        colour = self.mouth.drawn(points, pose, inside, flow.attributes[inside])
        return openings.blend(image, inside, colour, share)


def _without_holes(position: NDArray[np.float32], triangle: NDArray[np.int32]) -> NDArray[np.float32]:
    """Give pixels that no triangle covers (slits where lids or lips cross) what lies around them."""
    covered = triangle >= 0
    if covered.all():
        return position
    weight = covered.astype(np.float32)
    near = cv2.blur(position * weight[..., None], (7, 7)) / np.maximum(cv2.blur(weight, (7, 7)), 1e-3)[..., None]
    return np.where(covered[..., None], position, near)


def open_mesh(weights: Mapping[str, Path], source: Source) -> MeshRenderer:
    """Open the renderer for a source; weights holds the face model."""
    return MeshRenderer(load_once(load_face_model, weights["face-model"]), source)


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: None, prepared: None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`; there is no network that could be compiled."""
    del prior, prepared, compiled
    renderer = open_mesh(weights, source)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
        rows = motion.rows(first, end)
        return renderer.frames(rows.expression, rows.pose(len(source.picture)))

    return render
