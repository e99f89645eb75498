"""Textures from portraits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from facepipe.avatar.units import UNITS
from facepipe.errors import InputError
from facepipe.export.avatar_model import Mesh, avatar_model
from facepipe.export.portrait_alignment import portrait_places, shows_teeth
from facepipe.export.portrait_texture import rasterised, with_portrait
from facepipe.export.rigging import rigged_parts
from facepipe.export.texture_layout import CORNER, Layout, layout_of, relaid
from facepipe.face import topology as at
from facepipe.face.model import load_face_model
from facepipe.weights import find
from tests.export.avatar_head import compiled_head, needs_head
from tests.export.avatar_parts import POINTS, small_avatar


def skin() -> Mesh:
    return next(mesh for mesh in avatar_model(small_avatar(), POINTS).meshes if mesh.name == "skin")


def test_insides_and_the_back_have_places_of_their_own() -> None:
    mesh = skin()
    coordinates = mesh.texture_coordinates
    assert coordinates is not None
    inner = mesh.positions[:, 1] > np.quantile(mesh.positions[:, 1], 0.7)
    layout = layout_of(mesh.positions, mesh.triangles, coordinates, inner)
    assert (layout.vertices[layout.triangles] == mesh.triangles).all()
    corners = layout.coordinates[layout.triangles]
    assert np.ptp(corners[layout.moved], axis=1).max() <= CORNER
    assert layout.coordinates.min() >= 0
    assert layout.coordinates.max() <= 1
    kept = ~layout.moved
    assert 20 < kept.sum() < len(kept) - 20
    # The others keep their directions from the middle, and their order along each.
    away = coordinates[layout.vertices] - 0.5
    radius = np.linalg.norm(away, axis=1)
    among = np.unique(layout.triangles[kept])
    moved = layout.coordinates[among] - 0.5
    assert np.abs(moved[:, 0] * away[among, 1] - moved[:, 1] * away[among, 0]).max() < 1e-6
    order = np.argsort(radius[among])
    assert (np.diff(np.linalg.norm(moved, axis=1)[order]) >= -1e-6).all()
    assert (layout.moved[inner[mesh.triangles].all(axis=1)]).all()


def test_a_mesh_in_a_layout_is_the_same_mesh() -> None:
    mesh = skin()
    assert mesh.texture_coordinates is not None
    layout = layout_of(mesh.positions, mesh.triangles, mesh.texture_coordinates, mesh.positions[:, 1] > 0.75)
    made = relaid(mesh, layout, b"png")
    count = len(mesh.positions)
    assert len(made.positions) > count
    for unit in UNITS:
        for kind in ("positions", "normals"):
            before, after = (getattr(one.targets[unit], kind) for one in (mesh, made))
            expected = before.dense(count)[mesh.triangles]
            assert (after.dense(len(made.positions))[made.triangles] == expected).all()
    assert (made.turning[made.triangles] == mesh.turning[mesh.triangles]).all()


def test_a_rasterised_triangle_interpolates() -> None:
    coordinates = np.array([[0.1, 0.9], [0.1, 0.1], [0.9, 0.1]], np.float32)
    layout = Layout(np.arange(3, dtype=np.int32), np.array([[0, 1, 2]], np.int32), coordinates, np.zeros(1, bool))
    side = 64
    # A value that is v itself, and one that is u.
    image, covered = rasterised(layout, coordinates[:, ::-1].astype(float), side)
    rows, columns = np.nonzero(covered)
    assert 0.28 * side**2 < len(rows) < 0.36 * side**2
    assert np.abs(image[rows, columns, 0] - (1 - (rows + 0.5) / side)).max() < 1e-6
    assert np.abs(image[rows, columns, 1] - (columns + 0.5) / side).max() < 1e-6


def front_points() -> np.ndarray:
    """Return the points (478, 2) of the mean face in a picture of 400 pixels, mouth closed."""
    model = load_face_model(find("face-model").path)
    return np.asarray(model.mean[:, :2] * 100 + 200)


@needs_head
def test_a_portrait_in_the_texture() -> None:
    from facepipe.avatar.avatar import build
    from facepipe.avatar.vector import AvatarVector

    avatar = build(AvatarVector(), compiled_head())
    points = front_points()
    places = portrait_places(avatar, points)
    landmarks = avatar.head.template.landmarks
    for name, number in (("nose-tip", at.NOSE_TIP), ("chin-tip", at.CHIN), ("brow-outer-left", 301)):
        assert np.linalg.norm(places[landmarks[name]] - points[number]) < 3
    # One colour in the face, another around it: the texture has the first, and the skin's colours follow it.
    picture = np.full((400, 400, 3), (0, 0, 255), np.uint8)
    low, high = points.min(axis=0).astype(int), points.max(axis=0).astype(int)
    picture[low[1] : high[1], low[0] : high[0]] = (120, 90, 70)
    model = avatar_model(rigged_parts(avatar), avatar.head.points)
    made = next(mesh for mesh in with_portrait(model, avatar, picture, points).meshes if mesh.name == "skin")
    assert made.texture is not None
    texture = np.asarray(Image.open(io.BytesIO(made.texture))).astype(int)
    side = len(texture)
    assert made.texture_coordinates is not None
    first = [
        int(np.flatnonzero(np.all(made.positions == model.meshes[0].positions[landmarks[name]], axis=1))[0])
        for name in ("nose-tip", "cheek-left")
    ]
    for vertex in first:
        u, v = made.texture_coordinates[vertex]
        assert np.abs(texture[int((1 - v) * side), int(u * side)] - (120, 90, 70)).max() <= 4
    assert (texture[..., 2] < 200).all()


@needs_head
def test_a_head_that_is_turned_too_far_is_refused() -> None:
    from facepipe.avatar.avatar import build
    from facepipe.avatar.vector import AvatarVector

    points = front_points()
    points[127] = points[168] + 0.2 * (points[127] - points[168])
    with pytest.raises(InputError, match="turned too far"):
        portrait_places(build(AvatarVector(), compiled_head()), points)


def test_an_open_mouth_is_seen() -> None:
    points = front_points()
    points[13] = points[14]
    assert not shows_teeth(points)
    points[14, 1] += 0.2 * np.linalg.norm(points[at.MOUTH_LEFT] - points[at.MOUTH_RIGHT])
    assert shows_teeth(points)
