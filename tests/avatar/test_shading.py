"""Light: shading against plain formulas, ambient occlusion, shadows, and the sRGB levels of light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.avatar import shading
from facepipe.avatar.fragments import empty_fragments
from facepipe.avatar.light import FIRST_LEVELS, LEVEL_STARTS, linear
from facepipe.avatar.mesh import Material, Part
from facepipe.avatar.normals import vertex_normals as slow_normals
from facepipe.avatar.picture import write_colour
from facepipe.avatar.rasteriser import render
from facepipe.avatar.scene import build_scene, vertex_normals
from facepipe.avatar.shading import FILL, KEY, shade
from facepipe.avatar.shadows import lit_vertices
from facepipe.avatar.surfaces import TABLE, surface_table
from tests.avatar.slow_raster import CAMERA, Doubles, part, quad, soup


def unit(vector: object) -> Doubles:
    array = np.asarray(vector, float)
    direction: Doubles = array / np.linalg.norm(array)
    return direction


def triple(vector: Doubles) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])


def expected(
    each: Part, albedo: Doubles, normal: Doubles, away: Doubles, up: Doubles, open_part: float, lit: float
) -> Doubles:
    """Return the light of a fragment by plain formulas, without the mirrored windows of eyes."""
    surface = {name: float(value) for name, value in zip(TABLE.names or (), surface_table([each])[0], strict=True)}
    key, fill = unit(KEY), unit(FILL)
    scatter = np.array([surface["red_scatter"], surface["green_scatter"], surface["blue_scatter"]])
    half = unit(key + away)
    ambient = open_part / (1 - albedo * (1 - open_part) * 0.7)
    direct, side = ((np.maximum(normal @ light + scatter, 0) / (1 + scatter)) ** 2 for light in (key, fill))
    shadow = shading.SHADOW + (1 - shading.SHADOW) * lit * (1 + 0.35 * scatter * (1 - lit))
    around = np.array(shading.GROUND_LIGHT) * (0.5 - 0.5 * normal[1]) + np.array(shading.SKY_LIGHT) * (
        0.5 + 0.5 * normal[1]
    )
    diffuse = albedo * (
        np.array(shading.KEY_LIGHT) * direct * shadow * (0.5 + 0.5 * ambient)
        + np.array(shading.FILL_LIGHT) * side * ambient
        + around * ambient
    )
    alpha = each.material.roughness**2
    spread = np.maximum(normal @ half, 0) ** 2 * (alpha**2 - 1) + 1
    shine = surface["specular"] * lit * 0.01 * alpha**2 / spread**2 * np.maximum(normal @ key, 0)
    strand = unit(up - (up @ normal) * normal)
    sheen = (
        surface["sheen"]
        * lit
        * open_part
        * (1 - (strand @ half) ** 2) ** 16
        * np.maximum(0.7 * (normal @ key) + 0.3, 0)
    )
    rim = surface["rim"] * (1 - np.maximum(normal @ away, 0)) ** 3 * open_part * np.clip(0.55 + 0.6 * normal[1], 0, 1)
    mirrored = np.array(shading.KEY_LIGHT) * (shine + sheen * (0.05 + 0.95 * albedo))
    mirrored += np.array(shading.RIM_LIGHT) * rim * (0.12 + 0.88 * albedo)
    light: Doubles = diffuse * each.material.opacity + mirrored
    return light


@pytest.mark.parametrize("name", ["skin", "hair", "glasses", "lashes"])
def test_shading_is_its_formula(name: str) -> None:
    random = np.random.default_rng(len(name))
    each = part([], [], name=name, material=Material(roughness=0.45, opacity=0.7))
    fragments, out, up = empty_fragments(50), np.empty((3, 50), np.float32), unit((0.1, 0.9, -0.2))
    fragments.part[:] = 0
    fragments.albedo[:] = random.uniform(0, 1, (3, 50))
    for vectors in (fragments.normal, fragments.away):
        vectors[:] = np.array([unit(vector) for vector in random.normal((0, 0, 2), 1, (50, 3))]).T
    fragments.open_part[:], fragments.lit[:] = random.uniform(0, 1, (2, 50))
    shade(50, fragments, surface_table([each]), triple(unit(KEY)), triple(unit(FILL)), triple(up), out)
    for f in range(50):
        albedo, normal, away = (
            array[:, f].astype(float) for array in (fragments.albedo, fragments.normal, fragments.away)
        )
        light = expected(each, albedo, normal, away, up, float(fragments.open_part[f]), float(fragments.lit[f]))
        np.testing.assert_allclose(out[:, f], light, rtol=1e-4, atol=1e-6)


def test_eyes_mirror_windows() -> None:
    fragments, out = empty_fragments(2), np.empty((3, 2), np.float32)
    for field in fragments:
        np.asarray(field)[:] = 0
    fragments.open_part[:] = fragments.lit[:] = 1
    x, y = shading.WINDOWS[0][:2]
    fragments.normal[:] = np.array([(x, y, np.sqrt(1 - x * x - y * y)), unit((0.6, 0.6, 0.5))]).T
    fragments.away[2] = 1
    table = surface_table([part([], [], name="eye-left", material=Material(roughness=1.0))])
    shade(2, fragments, table, triple(unit(KEY)), triple(unit(FILL)), (0.0, 1.0, 0.0), out)
    assert out[:, 0].min() > 0.3
    assert out[:, 1].max() < 0.05


def test_light_is_rounded_to_the_nearest_level() -> None:
    srgb = np.concatenate([np.linspace(0, 1, 4097), (np.arange(255) + 0.499) / 255, (np.arange(255) + 0.501) / 255])
    exact = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    colour = np.empty((1, 1, 3), np.uint8)
    for value, light in zip(srgb, exact, strict=True):
        write_colour(np.zeros((1, 4), np.float32), np.full(3, light), LEVEL_STARTS, FIRST_LEVELS, colour)
        assert (colour == np.floor(value * 255 + 0.5)).all()
    np.testing.assert_allclose(linear(srgb), exact, atol=2e-6)


def test_backgrounds_keep_their_colour() -> None:
    for level in range(256):
        assert (render([], CAMERA, (1, 1), (level / 255,) * 3).colour == level).all()


def test_normals_of_vertices() -> None:
    random = np.random.default_rng(0)
    points, triangles = random.normal(size=(40, 3)), random.integers(0, 39, (90, 3)).astype(np.int32)
    normals = vertex_normals(points, triangles)
    np.testing.assert_allclose(normals, slow_normals(points.astype(np.float32), triangles), atol=1e-4)
    assert not normals[39].any()


# Surfaces darken each other within a ninth of a head.
NEAR_CAMERA = replace(CAMERA, head_height=4.0, distance_heads=1.25)


def brightness(parts: list[Part], side: int = 96) -> Doubles:
    picture = render(parts, NEAR_CAMERA, (side, side), (0.5, 0.5, 0.5))
    light: Doubles = linear(picture.colour / 255).sum(2).astype(float)
    return light


def test_corners_are_darker_than_walls() -> None:
    wall = quad(0.0)
    floor = part([(-5, -0.6, 0), (5, -0.6, 0), (5, -0.6, 3), (-5, -0.6, 3)], [(0, 2, 1), (0, 3, 2)])
    plain, corner = brightness([wall]), brightness([wall, floor])
    np.testing.assert_allclose(plain[40:56, 40:56], plain[48, 48], rtol=0.02)
    row = 48 + round(0.6 / 5 * CAMERA.focal_pixels(96, 96))
    assert corner[row - 1, 48] < 0.9 * plain[row - 1, 48]
    assert corner[20, 48] == pytest.approx(plain[20, 48], rel=0.02)


def test_a_silhouette_far_in_front_darkens_nothing() -> None:
    wall, plate = quad(-3.0), quad(2.0, half=0.4)
    shown = brightness([wall, plate])
    edge = 48 + int(0.4 / 3 * CAMERA.focal_pixels(96, 96)) + 3
    assert shown[48, edge] == pytest.approx(brightness([wall])[48, edge], rel=0.02)


def test_a_plate_casts_a_shadow_along_the_light() -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-2, 2, 41))
    index = np.arange(41 * 41).reshape(41, 41)
    faces = [(index[:-1, :-1], index[:-1, 1:], index[1:, 1:]), (index[:-1, :-1], index[1:, 1:], index[1:, :-1])]
    triangles = np.concatenate([np.stack(three, -1).reshape(-1, 3) for three in faces])
    wall = part(np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1), triangles)
    hat = quad(0.5, half=0.5, name="hat")
    light = unit(KEY)
    lit = {}
    for name, parts in {"wall": [wall], "both": [wall, hat], "lashes": [wall, quad(0.5, half=0.5)]}.items():
        scene = build_scene(parts, {})
        points = CAMERA.view(scene.vertices)
        lit[name] = lit_vertices(scene, points, vertex_normals(points, scene.triangles), triple(light), 1.0)[: x.size]
    assert (lit["wall"] == 1).all()
    assert (lit["lashes"] == 1).all(), "lashes cast no shadow"
    shift = -light[:2] / light[2] * 0.5
    away = np.maximum(abs(x - shift[0]), abs(y - shift[1])).ravel() - 0.5
    assert (lit["both"][away < -0.2] < 0.05).all()
    assert (lit["both"][away > 0.2] == 1).all()


def test_pictures_are_the_same_every_time() -> None:
    first, second = (render(soup(9, 20), CAMERA, (48, 48)).colour for _ in range(2))
    np.testing.assert_array_equal(first, second)
