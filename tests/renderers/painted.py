"""Portraits painted on the face model, whose appearance in any pose and expression is known."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology as at
from facepipe.face.fitting import Fit
from facepipe.face.pose import Similarity, rotation_of
from facepipe.renderers.mesh.raster import rasterise
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.rendering.source import Source, source_of_fit
from tests.face.faces import face_model

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
SKIN, LIPS, SCLERA, IRIS = (190, 150, 120), (170, 40, 60), (250, 250, 250), (60, 45, 40)


def pose_at(size: int, degrees: tuple[float, float, float] = (0, 0, 0), *, share: float = 0.25) -> Similarity:
    """Return the pose of a head in the middle of a picture, with an outer-eye distance of `share` of the side."""
    middle = np.array([[size * 0.5, size * 0.47, 0.0]])
    return Similarity(np.array([share * size]), rotation_of(np.radians([degrees])), middle)


def expression_of(**controls: float) -> Floats:
    """Return the (1, 64) expression of named controls."""
    directions = [value * face_model().controls[name].direction for name, value in controls.items()]
    return np.asarray(sum(directions, np.zeros(64)))[None]


def closed(**controls: float) -> Floats:
    """Return an expression with closed lips; those of the mean face are slightly open."""
    model = face_model()
    direction = model.controls["mouth_open"].direction
    value = 0.0
    while inner_gap(model.shape(np.zeros(80), value * direction[None])[0]) > 0.004:
        value -= 0.02
    return np.asarray(expression_of(**controls) + value * direction)


def inner_gap(face: Floats) -> float:
    return float((face[list(at.LIP_INNER_LOWER), 1] - face[list(at.LIP_INNER_UPPER), 1]).max())


def points_at(expression: Floats, pose: Similarity) -> Floats:
    return np.asarray(pose.apply(face_model().shape(np.zeros(80), expression))[0])


def paint(points: Floats, size: int) -> Picture:
    """Paint skin with a symmetric pattern of bands, white eyes and red lips on a blue gradient."""
    model = face_model()
    y, x = np.mgrid[:size, :size] / size
    picture = np.stack([20 + 30 * x, 40 + 40 * y, 120 + 100 * y], axis=-1)
    across, down = np.abs(model.mean[:, :1]), model.mean[:, 1:2]
    band = 35 * np.cos(7 * across) * np.cos(6 * down)
    colours = np.clip(np.array(SKIN) + band, 0, 255).astype(np.float32)
    skin, _, owner = rasterise(points.astype(np.float32), model.triangles, colours, height=size, width=size)
    picture[owner >= 0] = skin[owner >= 0]
    canvas = np.ascontiguousarray(picture.round().astype(np.uint8))
    for ring, iris in ((at.RIGHT_EYE, at.RIGHT_IRIS), (at.LEFT_EYE, at.LEFT_IRIS)):
        mask = ring_mask(points, ring, size)
        canvas[mask] = SCLERA
        ball = np.zeros((size, size), np.uint8)
        radius = np.linalg.norm(points[list(iris[1:]), :2] - points[iris[0], :2], axis=1).mean()
        cv2.circle(ball, tuple(points[iris[0], :2].round().astype(int).tolist()), int(radius), 1, -1)
        canvas[mask & (ball > 0)] = IRIS
    canvas[ring_mask(points, at.LIP_OUTER, size)] = LIPS
    return canvas


def ring_mask(points: Floats, ring: tuple[int, ...], size: int) -> NDArray[np.bool_]:
    """Return the mask of a closed ring of points."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [points[list(ring), :2].round().astype(np.int32)], 1)
    return mask > 0


def source_at(picture: Picture, points: Floats, pose: Similarity, expression: Floats) -> Source:
    """Return a source in a known pose, with the identity of the mean face."""
    fitted = Fit(np.zeros(80), expression[None].astype(np.float64), pose, np.zeros(1), np.ones(1, bool))
    return source_of_fit(picture, points, fitted)


def portrait(size: int, expression: Floats, pose: Similarity) -> Source:
    points = points_at(expression, pose)
    return source_at(paint(points, size), points, pose, expression[0])


def rendered(source: Source, expression: Floats, pose: Similarity) -> Picture:
    return next(iter(MeshRenderer(face_model(), source).frames(expression, pose)))
