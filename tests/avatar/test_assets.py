"""Assets: every option builds on every head, follows it, stays out of it, and looks different from the others."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.spatial import KDTree

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.assets.skull import skull_of
from facepipe.avatar.assets.surface import Numbers, ball, ring, tube
from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.camera import Camera, framed
from facepipe.avatar.head import Head
from facepipe.avatar.mesh import PARTS, Indices, Part
from facepipe.avatar.rasteriser import render
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import AvatarVector

LEAST_OPTIONS = {"hair": 24, "beard": 8, "glasses": 8, "brows": 6, "hat": 4, "earrings": 3}
LEAST_DISTANCE = dict.fromkeys(LEAST_OPTIONS, 0.05) | {"earrings": 0.008}
"""Grey levels: least mean difference of pictures of two options of a type, over all pixels of three views."""
DEEPEST = {"glasses": 0.065, "hair": 0.055, "beard": 0.065, "brows": 0.025, "hat": 0.03}
"""Decimetres that a point may lie in the skin: temples press on ears, the edges of beards and brows end in the skin."""
SIDE_PIXELS = 128


def sampled(seed: int, **choices: str) -> AvatarVector:
    """Return a vector of random sliders over their whole range."""
    random = np.random.default_rng(seed)
    return AvatarVector({name: float(random.random()) for name in NEUTRAL}, choices=choices)


def built(head: Head, vector: AvatarVector, name: str) -> list[Part]:
    return [part for part in build(vector, head).parts if part.name == name]


def test_there_are_enough_options() -> None:
    for type_, least in LEAST_OPTIONS.items():
        assert "none" in ASSETS[type_]
        assert len(ASSETS[type_]) > least


@pytest.mark.parametrize("type_", ASSETS)
def test_options_build_on_any_head(head: Head, type_: str) -> None:
    for name in ASSETS[type_]:
        parts = [built(head, sampled(seed, **{type_: name}), type_) for seed in (1, 2)]
        assert bool(parts[0]) == (name != "none")
        for first, second in zip(*parts, strict=True):
            assert np.array_equal(first.triangles, second.triangles), f"the topology of {name} depends on the head"
            assert not np.array_equal(first.vertices, second.vertices), f"{name} does not follow the head"
            assert np.isfinite(first.vertices).all()
            assert 0 <= first.colours.min() <= first.colours.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("type_", DEEPEST)
def test_assets_stay_out_of_the_head(head: Head, type_: str) -> None:
    for seed, name in enumerate(name for name in ASSETS[type_] if name != "none"):
        avatar = build(sampled(seed, **{type_: name}), head)
        points = np.concatenate([part.vertices for part in avatar.parts if part.name == type_])
        deepest = depths(avatar, points[seed % 23 :: 23]).max(initial=0.0)
        assert deepest <= DEEPEST[type_], f"{type_} {name} lies {deepest:.3f} dm in the head of seed {seed}"


def depths(avatar: Avatar, points: Numbers) -> Numbers:
    """Return how deep (K,) points lie in the skin, 0 outside, along the normal of the nearest vertex."""
    skin = avatar.parts[0]
    distance, nearest = KDTree(skin.vertices).query(points)
    points, nearest = points[distance < 0.5], nearest[distance < 0.5]
    below = -np.einsum("kx,kx->k", points - skin.vertices[nearest], avatar.head.normals[nearest])
    inside = winding(points, skin.vertices[skin.triangles].astype(np.float64)) > 0.5
    return np.where(inside, np.maximum(below, 0), 0)


def winding(points: Numbers, triangles: Numbers) -> Numbers:
    """Return how often (K,) the surface of triangles (M, 3, 3) winds around points: 1 inside, 0 outside."""
    turns = np.zeros(len(points))
    for index, point in enumerate(points.astype(np.float64)):
        a, b, c = np.moveaxis(triangles - point, 1, 0)
        x, y, z = (np.linalg.norm(corner, axis=1) for corner in (a, b, c))
        volume = np.einsum("mx,mx->m", a, np.cross(b, c))
        flat = x * y * z + (a * b).sum(1) * z + (b * c).sum(1) * x + (c * a).sum(1) * y
        turns[index] = np.arctan2(volume, flat).sum() / (2 * np.pi)
    return turns


@pytest.mark.slow
def test_options_look_different(head: Head) -> None:
    camera = framed(build(AvatarVector(choices={"hat": "sun-hat", "hair": "afro"}), head).parts)
    for type_, options in ASSETS.items():
        pictures = {name: views(build(AvatarVector(choices={type_: name}), head), camera) for name in options}
        for first, second in combinations(options, 2):
            distance = np.abs(pictures[first] - pictures[second]).mean()
            assert distance >= LEAST_DISTANCE[type_], f"{type_} {first} and {second} differ by {distance:.3f} levels"


def views(avatar: Avatar, camera: Camera) -> Numbers:
    size, turned = (SIDE_PIXELS, SIDE_PIXELS), [replace(camera, yaw_degrees=yaw) for yaw in (0.0, 50.0, 130.0)]
    return np.stack([render(avatar.parts, view, size, (0.5, 0.5, 0.5)).colour.astype(np.float64) for view in turned])


def test_hats_press_hair_down(head: Head) -> None:
    free = built(head, AvatarVector(choices={"hair": "afro"}), "hair")[0]
    under = built(head, AvatarVector(choices={"hair": "afro", "hat": "beanie"}), "hair")[0]
    hat = built(head, AvatarVector(choices={"hat": "beanie"}), "hat")[0]
    assert np.array_equal(free.triangles, under.triangles)
    assert under.vertices[:, 1].max() < hat.vertices[:, 1].max()
    assert free.vertices[:, 1].max() > under.vertices[:, 1].max() + 0.2


@pytest.mark.parametrize(
    ("hat", "hair"), [("cap", "shag"), ("cap", "bob"), ("beret", "bob"), ("pompom", "afro"), ("fedora", "long-curly")]
)
def test_no_hair_sticks_out_of_hats(head: Head, hat: str, hair: str) -> None:
    """Seen from above, on heads with high and low foreheads."""
    number = PARTS.index("hat") + 1
    for forehead in (0.2, 0.8):
        avatar = build(
            AvatarVector({"forehead_height": forehead, "age": 0.4}, choices={"hat": hat, "hair": hair}), head
        )
        camera = framed(avatar.parts, Camera(yaw_degrees=30, pitch_degrees=60))
        bare = [part for part in avatar.parts if part.name != "hair"]
        covered, seen = (render(parts, camera, (96, 96)).parts == number for parts in (bare, avatar.parts))
        assert (covered & ~seen).sum() <= 0.002 * covered.sum()


def test_the_pompom_lies_on_its_hat(head: Head) -> None:
    for forehead in (0.1, 0.9):
        (hat,) = built(head, AvatarVector({"forehead_height": forehead}, choices={"hat": "pompom"}), "hat")
        pompom = hat.vertices[-16 * 24 :]
        assert pompom[:, 1].max() == hat.vertices[:, 1].max()
        top = hat.vertices[: len(hat.vertices) - 16 * 24, 1].max()
        assert pompom[:, 1].min() < top - 0.02 < pompom[:, 1].mean()


@pytest.mark.slow
def test_hats_and_beards_stay_apart(head: Head) -> None:
    """Sideburns end below every hat, over the whole range of sliders."""
    hats = [name for name in ASSETS["hat"] if name != "none"]
    for seed, name in enumerate(name for name in ASSETS["beard"] if name != "none"):
        for hat in (hats[seed % len(hats)], "headband"):
            avatar = build(sampled(seed, beard=name, hat=hat), head)
            parts = {part.name: part.vertices for part in avatar.parts}
            nearest = KDTree(parts["hat"]).query(parts["beard"])[0].min()
            assert nearest > 0.02, f"{name} and {hat} are {nearest:.3f} dm apart on the head of seed {seed}"


def test_beards_follow_the_jaw_and_hair_does_not(head: Head) -> None:
    beard = built(head, AvatarVector(choices={"beard": "full"}), "beard")[0]
    assert np.abs(beard.morphs["jawOpen"].offsets).max() > 0.1
    assert not built(head, AvatarVector(choices={"hair": "long-straight"}), "hair")[0].morphs


def test_the_skull_is_the_skin(head: Head) -> None:
    skull, template = skull_of(head.template), head.template
    scalp = template.vertices[template.regions["scalp"]].astype(np.float64)
    crown = scalp[(scalp[:, 1] > 7.8) & (scalp[:, 1] < 8.3)]
    azimuth = np.degrees(np.arctan2(crown[:, 0], crown[:, 2] - 0.35))
    found = skull.places(azimuth, skull.elevation_at(azimuth, crown[:, 1]))
    assert np.linalg.norm(found - crown, axis=1).max() < 0.03


def circle(radius: float) -> Numbers:
    angle = np.arange(20) * np.pi / 10
    return radius * np.stack([np.cos(angle), np.sin(angle), np.zeros(20)], axis=1)


@pytest.mark.parametrize(
    ("mesh", "volume"),
    [
        (ball(np.zeros(3), np.array([1.0, 2.0, 3.0]), rows=40, columns=60), 4 / 3 * np.pi * 6),
        (tube(np.linspace([0.0, 0, 0], [0.0, -3, 1], 9), np.full(9, 0.3), sides=40), np.pi * 0.09 * np.sqrt(10)),
        (ring(circle(1.0), 0.1, sides=24), 2 * np.pi**2 * 0.01),
    ],
    ids=["ball", "tube", "ring"],
)
def test_closed_surfaces_face_outwards(mesh: tuple[Numbers, Indices], volume: float) -> None:
    vertices, triangles = mesh
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    found = np.einsum("mx,mx->", a, np.cross(b, c)) / 6
    assert found == pytest.approx(volume, rel=0.05)
