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
from facepipe.renderers.mesh import apertures, eyes, pixels
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
# Depth tolerance of visibility in the source, in outer-eye distances.
DEPTH_TOLERANCE = 0.06


class MeshFlow(NamedTuple):
    """Backward flow: the place in the source of each pixel of the target."""

    source_position: NDArray[np.float32]
    """(H, W, 2), x and y in pixels of the source."""
    triangle: NDArray[np.int32]
    """(H, W), triangle of the surface; -1 for none."""
    visible: NDArray[np.bool_]
    """(H, W), whether that point of the surface is visible in the source."""
    attributes: NDArray[np.float32]
    """(H, W, 2), position between the lips and gap in pixels; see `apertures.gap_attributes`."""
    mirror_position: NDArray[np.float32]
    """(H, W, 2), x and y of the mirror point, on the other half of the face, in pixels of the source."""
    own_share: NDArray[np.float32]
    """(H, W), the share of the colour from `source_position`; the rest is from `mirror_position`."""


class MeshRenderer:
    """Renders a source portrait in any pose and expression.

    The residual of the model's fit to the source's landmarks is added to all targets, so the source's own coefficients
    reproduce its picture.
    """

    def __init__(self, model: FaceModel, source: Source, config: MeshConfig | None = None) -> None:
        self.config = config or MeshConfig()
        self.model, self.picture, self.pose = model, source.picture, source.pose
        self.surface = build_surface(model, self.config)
        self.neutral, self.points = model.neutral(source.identity), source.points
        own = self.neutral + model.expression_offsets(source.expression[None])
        self.residual = self.pose.undo(self.points[None])[0] - own[0]
        self.rings = self.surface.ring_points(self.points, self.pose)
        self.follow = self.surface.follow_weights(self.points)[:, None]
        self.vertices = self._behind(np.concatenate([apertures.with_centres_inside(self.points), self.rings]))
        self.own_share = own_share(self.points, model, len(self.picture))
        self.skin = self._skin()
        self.luminance = float(self.skin.mean())
        self.unit = float(self.pose.scale[0])
        self.eye_apertures = [apertures.eye_aperture(self.points, eye) / self.unit for eye in apertures.EYES]
        self.mouth_aperture = apertures.mouth_aperture(self.points) / self.unit
        self.mouth = Mouth(self.picture, self.points, self.pose, self.neutral[0], self.skin)
        height, width = self.picture.shape[:2]
        across, down = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self.grid = np.stack([across, down], axis=-1)
        _, self.depth, _ = rasterise(
            self.vertices, self._front_triangles(self.vertices), self.vertices[:, 2:], height=height, width=width
        )

    @staticmethod
    def _behind(vertices: Floats) -> NDArray[np.float32]:
        """Move the rings behind the face, so that hair never appears in front of a cheek."""
        pushed = vertices.astype(np.float32)
        pushed[topology.POINT_COUNT :, 2] += np.float32(np.ptp(vertices[: topology.POINT_COUNT, 2]) * 2)
        return pushed

    def _skin(self) -> Floats:
        """Return (3,), the mean RGB of the cheeks."""
        height, width = self.picture.shape[:2]
        cheeks = self.points[[50, 280, 117, 346, 205, 425], :2].round().astype(int)
        inside = cheeks[(cheeks >= 0).all(1) & (cheeks[:, 0] < width) & (cheeks[:, 1] < height)]
        return self.picture[inside[:, 1], inside[:, 0]].mean(0) if len(inside) else np.full(3, 128.0)

    def target_points(self, expression: Floats, pose: Similarity) -> Floats:
        """Return (T, 478, 3) points of this face for (T, 64) expressions in T poses, in pixels of the picture."""
        return pose.apply(self.neutral + self.model.expression_offsets(expression) + self.residual)

    def _front_triangles(self, vertices: Floats) -> NDArray[np.int32]:
        """Return the triangles; those of eyes and mouth are made degenerate if crossed lids or lips flipped them."""
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
        """Return the backward flow for (478, 3) target points in the one-row target pose."""
        rigid = pose.apply(self.pose.undo(self.rings[None]))[0]
        oval = list(topology.FACE_OVAL)
        displacement = np.tile(points[oval] - rigid[: len(oval)], (len(rigid) // len(oval), 1))
        rings = self.rings + self.follow * (rigid - self.rings) + self.surface.expression_weights() * displacement
        rings[:, 2] = rigid[:, 2]
        vertices = self._behind(np.concatenate([apertures.with_centres_inside(points), rings]))
        values = np.zeros((len(vertices), 8), np.float32)
        values[:, :3] = self.vertices
        values[: topology.POINT_COUNT, 3:5] = apertures.gap_attributes(points)
        values[: topology.POINT_COUNT, 5:7] = self.points[self.model.mirror, :2]
        values[:, 7] = 1
        values[: topology.POINT_COUNT, 7] = self.own_share
        height, width = self.picture.shape[:2]
        out, _, triangle = rasterise(vertices, self._front_triangles(vertices), values, height=height, width=width)
        position, mirror = np.empty((2, height, width, 2), np.float32)
        pixels.split_positions(out, position, mirror)
        position = _without_holes(position, triangle)
        shift = cv2.GaussianBlur(position - self.grid, (0, 0), self.config.smoothing_pixels * width / 256)
        visible = np.empty((height, width), bool)
        tolerance = DEPTH_TOLERANCE * self.unit
        pixels.finish_positions(position, shift, triangle, self.surface.mouth_end, out, self.depth, tolerance, visible)  # type: ignore[arg-type]
        return MeshFlow(position, triangle, visible, out[..., 3:5], mirror, out[..., 7])

    def frames(self, expression: Floats, pose: Similarity) -> Iterator[NDArray[np.uint8]]:
        """Yield (S, S, 3) uint8 RGB frames for (T, 64) expressions in T poses, in pixels of the picture."""
        for index in range(len(expression)):
            one = Similarity(*(part[index : index + 1] for part in pose))
            yield self.render(self.target_points(expression[index : index + 1], one)[0], one)

    def render(self, points: Floats, pose: Similarity) -> NDArray[np.uint8]:
        """Return the (S, S, 3) uint8 RGB picture for (478, 3) target points in the one-row target pose."""
        return self.render_with_flow(points, pose)[0]

    def render_with_flow(self, points: Floats, pose: Similarity) -> tuple[NDArray[np.uint8], MeshFlow]:
        """Return the picture as `render` does, and the flow."""
        flow = self.flow(points, pose)
        image = self._sample(flow.source_position)
        if self.own_share.min() < 1:
            top, bottom, left, right = pixels.extent(flow.own_share)
            if top < bottom:
                other = self._sample(flow.mirror_position[top:bottom, left:right])
                pixels.mix(image, other, flow.own_share, top, left)
        unit = float(pose.scale[0])
        return self._with_mouth(self._with_eyes(image, flow, points, unit), flow, points, pose), flow

    def regions(self) -> NDArray[np.intp]:
        """Return (4,) end indices of the triangles of skin, eyes, mouth and rings."""
        surface = self.surface
        return np.array([surface.skin_end, surface.eyes_end, surface.mouth_end, len(surface.triangles)])

    def _sample(self, position: NDArray[np.float32]) -> NDArray[np.uint8]:
        # Reflected, because repeated border pixels become streaks.
        border = cv2.BORDER_REFLECT_101
        picture = cv2.remap(self.picture, position, None, cv2.INTER_LINEAR, borderMode=border)  # type: ignore[call-overload]
        return np.asarray(picture, np.uint8)

    def _with_eyes(self, image: NDArray[np.uint8], flow: MeshFlow, points: Floats, unit: float) -> NDArray[np.uint8]:
        """Render eyeballs of eyes that are closed in the source, and lashes of eyes that are closed in the target."""
        middle = (self.surface.skin_end + self.surface.eyes_end) // 2
        ends = ((self.surface.skin_end, middle), (middle, self.surface.eyes_end))
        for (first, end), eye, source in zip(ends, apertures.EYES, self.eye_apertures, strict=True):
            target = apertures.eye_aperture(points, eye) / unit
            share = apertures.rendered_share(source, target, min_source=self.config.min_eye_aperture)
            inside = (flow.triangle >= first) & (flow.triangle < end)
            count = int(np.count_nonzero(inside))
            if share and count >= 4:
                colour = eyes.eyeball_colours(inside, points, eye, luminance=self.luminance)
                image = pixels.blend(image, inside, colour, share)
            closing, shut = self.config.closing_apertures
            closed = float(np.clip((closing - target) / (closing - shut), 0, 1)) * (source > closing)
            line = eyes.lash_line(inside, points, eye) if closed else inside
            if closed and line.any():
                colour = eyes.lash_colours(int(np.count_nonzero(line)), luminance=self.luminance)
                image = pixels.blend(image, line, colour, closed)
        return image

    def _with_mouth(
        self, image: NDArray[np.uint8], flow: MeshFlow, points: Floats, pose: Similarity
    ) -> NDArray[np.uint8]:
        """Render the mouth interior if the source shows too little of it."""
        inside = (flow.triangle >= self.surface.eyes_end) & (flow.triangle < self.surface.mouth_end)
        target, config = apertures.mouth_aperture(points) / float(pose.scale[0]), self.config
        share = apertures.rendered_share(
            self.mouth_aperture, target, min_source=config.min_mouth_aperture, ratios=config.mouth_ratios
        )
        if share == 0 or np.count_nonzero(inside) < 4:
            return image
        if share > 0.5:  # Mark as not visible: warping here would copy the source's lips.
            flow.visible[inside] = False
        colour = self.mouth.render(points, pose, inside, flow.attributes[inside])
        return pixels.blend(image, inside, colour, share)


def _without_holes(position: NDArray[np.float32], triangle: NDArray[np.int32]) -> NDArray[np.float32]:
    """Fill pixels that no triangle covers, slits where lids or lips cross, with the mean position around them."""
    covered = triangle >= 0
    if covered.all():
        return position
    weight = covered.astype(np.float32)
    near = cv2.blur(position * weight[..., None], (7, 7)) / np.maximum(cv2.blur(weight, (7, 7)), 1e-3)[..., None]
    return np.where(covered[..., None], position, near)


def open_mesh(weights: Mapping[str, Path], source: Source) -> MeshRenderer:
    """Open the renderer for a source. `weights` contains the face model."""
    return MeshRenderer(load_once(load_face_model, weights["face-model"]), source)


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: None, prepared: None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`. There is no network to compile."""
    del prior, prepared, compiled
    renderer = open_mesh(weights, source)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
        rows = motion.rows(first, end)
        return renderer.frames(rows.expression, rows.pose(len(source.picture)))

    return render
