"""Points attached to the skin."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.avatar.head import Head
from facepipe.avatar.shaping import shaper_of
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector


def test_attached_points_are_placed_where_they_were(head: Head) -> None:
    template = head.template
    random = np.random.default_rng(0)
    chosen = random.choice(template.regions["face"], 50)
    points = template.vertices[chosen] + 0.05 * template.normals[chosen] + random.normal(0, 0.02, (50, 3))
    for normal in (True, False):
        attachment = template.attach(points.astype(np.float32), normal=normal)
        surface = np.einsum("kc,kcx->kx", attachment.weights, template.vertices[attachment.corners])
        mixed = np.einsum("kc,kcx->kx", attachment.weights, template.normals[attachment.corners])
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        assert np.allclose(surface + attachment.heights[:, None] * mixed + attachment.drifts, points, atol=1e-5)
        assert attachment.weights.min() > -1e-6
        assert np.allclose(attachment.weights.sum(axis=1), 1, atol=1e-6)


def test_closest_place_is_that_of_a_search_over_all_triangles(head: Head) -> None:
    """Against points spread over every triangle."""
    template = head.template
    random = np.random.default_rng(1)
    corners = template.vertices[template.triangles].astype(np.float64)
    grid = np.array([[a, b, 1 - a - b] for a in np.linspace(0, 1, 7) for b in np.linspace(0, 1 - a, 7)])
    dense = np.einsum("gc,mcx->mgx", grid, corners).reshape(-1, 3)
    for vertex in random.choice(template.regions["face"], 8):
        point = template.vertices[vertex] + 0.08 * template.normals[vertex]
        attachment = template.attach(point[None])
        found = np.einsum("kc,kcx->kx", attachment.weights, template.vertices[attachment.corners])[0]
        assert np.linalg.norm(found - point) <= np.linalg.norm(dense - point, axis=1).min() + 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_attached_points_follow_sliders_and_units(head: Head, seed: int) -> None:
    template = head.template
    random = np.random.default_rng(seed)
    shaped, _ = shaper_of(head).shape(AvatarVector({name: float(random.random()) for name in NEUTRAL}))
    chin = template.regions["chin"]
    attachment = template.attach_vertices(chin, 0.1)
    places = shaped.place(attachment)
    assert np.allclose(np.linalg.norm(places - shaped.vertices[chin], axis=1), 0.1, atol=1e-4)
    jaw = shaped.morphs(attachment)["jawOpen"]
    moved = np.zeros_like(places)
    moved[jaw.vertices] = jaw.offsets
    assert np.allclose(moved, shaped.units[UNITS.index("jawOpen"), chin], atol=1e-4)


def test_patch_keeps_the_triangles_of_a_region(head: Head) -> None:
    template = head.template
    vertices, triangles = template.patch(template.regions["scalp"])
    assert set(vertices) == set(template.regions["scalp"])
    inside = np.isin(template.triangles, vertices).all(axis=1)
    assert np.array_equal(vertices[triangles], template.triangles[inside])
