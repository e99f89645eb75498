"""The rings around the face, and the choice between a point and its mirror point."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.face import topology as at
from facepipe.renderers.mesh.config import MeshConfig
from facepipe.renderers.mesh.surface import build_surface
from facepipe.renderers.mesh.symmetry import facing, own_share
from tests.face.faces import face_model
from tests.renderers.painted import expression_of, points_at, pose_at

CONFIG = MeshConfig()
OVAL = len(at.FACE_OVAL)


def test_the_surface_is_face_and_rings_without_a_gap() -> None:
    """The order is skin, eyes, mouth, rings; strips of triangles connect neighbouring rings."""
    surface, model = build_surface(face_model(), CONFIG), face_model()
    assert surface.skin_end == len(model.triangles)
    assert surface.eyes_end - surface.skin_end == len(model.eye_triangles)
    assert surface.mouth_end - surface.eyes_end == len(model.mouth_triangles)
    strips = surface.triangles[surface.mouth_end :]
    assert len(strips) == 2 * OVAL * len(CONFIG.ring_factors)
    edges = np.sort(np.concatenate([strips[:, [0, 1]], strips[:, [1, 2]], strips[:, [2, 0]]]), axis=1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    # A closed band has two boundaries, each with as many edges as the oval.
    assert (uses == 1).sum() == 2 * OVAL
    assert uses.max() == 2


def test_rings_begin_at_the_oval_and_reach_beyond_the_picture() -> None:
    """The first ring is the oval, each next is further out, and the last is outside of any crop."""
    surface, pose = build_surface(face_model(), CONFIG), pose_at(256, (5, 20, -10))
    points = points_at(expression_of(), pose)
    rings = surface.ring_points(points, pose).reshape(-1, OVAL, 3)
    np.testing.assert_allclose(rings[0], points[list(at.FACE_OVAL)])
    reach = np.linalg.norm(rings[..., :2] - rings[0, :, :2].mean(0), axis=-1)
    assert (np.diff(reach, axis=0) > 0).all()
    assert reach[-1].min() > 256


def test_follow_weights_decrease_outwards_and_below_the_chin() -> None:
    """1 for the copy of the oval, 0 for the outermost ring, smaller at the neck than at the hair."""
    surface = build_surface(face_model(), CONFIG)
    weights = surface.follow_weights(points_at(expression_of(), pose_at(256))).reshape(-1, OVAL)
    assert (weights[0] == 1).all()
    assert (weights[-1] == 0).all()
    assert (np.diff(weights, axis=0) <= 1e-9).all()
    chin, forehead = at.FACE_OVAL.index(at.CHIN), at.FACE_OVAL.index(at.FOREHEAD)
    assert (weights[1:4, chin] < weights[1:4, forehead]).all()


@pytest.mark.parametrize("yaw", [50, -50])
def test_the_averted_cheek_is_filled_from_its_mirror_side(yaw: float) -> None:
    """Only points on the side turned away use their mirror points; those of a frontal face do not."""
    model = face_model()
    front = points_at(expression_of(), pose_at(256))
    assert own_share(front, model, 256).min() > 0.95
    away = points_at(expression_of(), pose_at(256, (0, yaw, 0)))
    cosine, share = facing(away, model.triangles), own_share(away, model, 256)
    averted = np.sign(model.mean[: at.SKIN_COUNT, 0]) == -np.sign(yaw)
    assert share[: at.SKIN_COUNT][~averted].min() > 0.95
    assert (share[: at.SKIN_COUNT][averted] < 0.5).sum() > 30
    assert (cosine[: at.SKIN_COUNT][share[: at.SKIN_COUNT] < 0.5] < 0.25).all()
    assert facing(front, model.triangles)[at.NOSE_TIP] > 0.8
