"""Built avatars, their expressions and poses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.closing import LID_RING, rim_of
from facepipe.avatar.eyeballs import SPHERE, TURNS
from facepipe.avatar.head import HEAD_PARTS, Head
from facepipe.avatar.mesh import PARTS, Reals
from facepipe.avatar.params import load_params, save_params
from facepipe.avatar.posing import head_rotation
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.errors import InputError


@pytest.fixture(scope="module")
def avatar(head: Head) -> Avatar:
    return build(AvatarVector(), head)


def weights(**units: float) -> Reals:
    row = np.zeros(len(UNITS))
    for name, weight in units.items():
        row[UNITS.index(name)] = weight
    return row


def by_name(avatar: Avatar, places: tuple[Reals, ...]) -> dict[str, Reals]:
    return {part.name: vertices for part, vertices in zip(avatar.parts, places, strict=True)}


def test_parts_are_complete_ordered_and_sound(avatar: Avatar) -> None:
    names = [part.name for part in avatar.parts]
    assert names == sorted(names, key=PARTS.index)
    assert {*HEAD_PARTS, "clothes"} <= set(names)
    for part in avatar.parts:
        count = len(part.vertices)
        assert part.vertices.dtype == part.colours.dtype == np.float32
        assert part.triangles.dtype == np.int32
        assert np.isfinite(part.vertices).all()
        assert part.colours.shape == (count, 3)
        assert 0 <= part.colours.min() <= part.colours.max() <= 1
        assert 0 <= part.triangles.min() <= part.triangles.max() < count
        for name, morph in part.morphs.items():
            assert name in UNITS
            assert len(morph.vertices) == len(morph.offsets) > 0
            assert (np.diff(morph.vertices) > 0).all()
            assert morph.vertices[-1] < count


def test_skin_follows_all_units_but_those_of_other_parts(avatar: Avatar) -> None:
    parts = {part.name: part for part in avatar.parts}
    assert set(parts["skin"].morphs) == set(UNITS) - {"tongueOut"}
    assert set(parts["tongue"].morphs) >= {"jawOpen", "tongueOut"}
    assert set(parts["eye-left"].morphs) == {f"{stem}Left" for stem in TURNS}


def test_equal_vectors_give_equal_bits(head: Head, avatar: Avatar, tmp_path: Path) -> None:
    """Also after the way through a file."""
    random = np.random.default_rng(0)
    vector = AvatarVector({name: float(random.random()) for name in NEUTRAL})
    save_params(vector, tmp_path / "params.json", head_digest=head.digest)
    pose = weights(jawOpen=0.3, eyeBlinkLeft=0.7), head_rotation(10, 5, -3)
    first, second = build(vector, head), build(load_params(tmp_path / "params.json"), head)
    for one, other in zip(first.parts, second.parts, strict=True):
        assert np.array_equal(one.vertices, other.vertices)
        assert np.array_equal(one.colours, other.colours)
    assert all(map(np.array_equal, first.pose(*pose), second.pose(*pose)))


def test_rest_pose_is_the_built_shape(avatar: Avatar) -> None:
    for part, vertices in zip(avatar.parts, avatar.pose(), strict=True):
        assert np.array_equal(part.vertices, vertices)


@pytest.mark.parametrize("seed", range(5))
def test_units_are_added_plainly(avatar: Avatar, seed: int) -> None:
    """Against one addition after the other, where lids do not slide over the eyes."""
    row = np.random.default_rng(seed).random(len(UNITS))
    row[UNITS.index("mouthClose")] *= row[UNITS.index("jawOpen")]
    sliding = np.concatenate([lids.sliding for lids in avatar.rig.lids.values()])
    for part, vertices in zip(avatar.parts, avatar.pose(row), strict=True):
        expected = part.vertices.astype(np.float64)
        for name, weight in zip(UNITS, row, strict=True):
            if name in part.morphs:
                for vertex, offset in zip(part.morphs[name].vertices, part.morphs[name].offsets, strict=True):
                    expected[vertex] += weight * offset
        free = np.setdiff1d(np.arange(len(expected)), sliding if part.name == "skin" else [])
        if part.name != "lashes":
            assert np.abs(vertices - expected)[free].max() < 1e-5


@pytest.mark.parametrize(
    ("jaw", "close", "counted"), [(0.0, 0.6, 0.0), (0.3, 0.8, 0.3), (0.5, 0.2, 0.2), (1.0, 1.0, 1.0)]
)
def test_lips_close_no_further_than_the_jaw_opens(avatar: Avatar, jaw: float, close: float, counted: float) -> None:
    posed = by_name(avatar, avatar.pose(weights(jawOpen=jaw, mouthClose=close)))["skin"]
    assert np.array_equal(posed, by_name(avatar, avatar.pose(weights(jawOpen=jaw, mouthClose=counted)))["skin"])
    shares, rim = np.linspace(0.1, 0.9, 17), rim_of(avatar.head.template, "mouth", 2)
    gap = rim.along("upper", posed, shares)[:, 1] - rim.along("lower", posed, shares)[:, 1]
    assert gap.mean() > -0.02


def test_lids_stay_outside_of_the_eyeballs(avatar: Avatar) -> None:
    rings = avatar.head.template.rings["lid-left"]
    for weight in np.linspace(0, 1, 11):
        skin = by_name(avatar, avatar.pose(weights(eyeBlinkLeft=float(weight))))["skin"]
        front = skin[(rings == LID_RING)]
        away = np.linalg.norm(front - avatar.head.point("eye-left"), axis=1)
        assert away.min() > 0.97 * avatar.head.eye_radius


def test_head_turns_about_the_neck_and_leaves_the_clothes(avatar: Avatar) -> None:
    rotation = head_rotation(30, 10, -5)
    posed, rest = (by_name(avatar, avatar.pose(rotation=turn)) for turn in (rotation, None))
    joint = avatar.head.point("neck")
    for name in ("eye-left", "eye-right", "teeth-upper"):
        assert np.allclose(posed[name], (rest[name] - joint) @ rotation.T + joint, atol=1e-5)
    assert np.array_equal(posed["clothes"], rest["clothes"])
    lowest = rest["skin"][:, 1].argmin()
    assert np.allclose(posed["skin"][lowest], rest["skin"][lowest], atol=5e-3)


def test_signs_of_the_pose(avatar: Avatar) -> None:
    """Positive yaw turns the nose to the right of the picture, pitch down, roll counter-clockwise."""
    tip = avatar.head.template.landmarks["nose-tip"]
    crown = avatar.head.template.landmarks["crown"]
    rest = by_name(avatar, avatar.pose())["skin"]
    yaw, pitch, roll = (
        by_name(avatar, avatar.pose(rotation=head_rotation(*angles)))["skin"] for angles in np.eye(3) * 10
    )
    assert yaw[tip, 0] > rest[tip, 0]
    assert pitch[tip, 1] < rest[tip, 1]
    assert roll[crown, 0] < rest[crown, 0]


def test_gaze_turns_both_eyes_and_units_one(avatar: Avatar) -> None:
    def pupils(places: tuple[Reals, ...]) -> Reals:
        named = by_name(avatar, places)
        return np.array([named[f"eye-{side}"][0] for side in ("left", "right")])

    rest = pupils(avatar.pose())
    assert (pupils(avatar.pose(gaze=(20.0, 0.0)))[:, 0] > rest[:, 0] + 0.02).all()
    assert (pupils(avatar.pose(gaze=(0.0, 20.0)))[:, 1] > rest[:, 1] + 0.02).all()
    looking = pupils(avatar.pose(weights(eyeLookOutLeft=1.0))) - rest
    assert looking[0, 0] > 0.03
    assert np.array_equal(looking[1], np.zeros(3))


def test_eyeballs_stay_round_when_they_turn(avatar: Avatar) -> None:
    for unit in ("eyeLookUpLeft", "eyeLookOutLeft"):
        eye = by_name(avatar, avatar.pose(weights(**{unit: 1.0})))["eye-left"][:SPHERE]
        away = np.linalg.norm(eye - avatar.head.point("eye-left"), axis=1)
        assert np.allclose(away, avatar.head.eye_radius, rtol=1e-4)


@pytest.mark.parametrize(
    "pose",
    [(np.zeros(51),), (np.full(52, np.nan),), (np.zeros(52), np.eye(4)), (np.zeros(52), np.eye(3), (np.inf, 0.0))],
)
def test_other_shapes_and_numbers_are_refused(avatar: Avatar, pose: tuple[Any, ...]) -> None:
    with pytest.raises(InputError, match="must be finite numbers"):
        avatar.pose(*pose)


def test_the_shirt_is_closed(avatar: Avatar) -> None:
    (shirt,) = (part for part in avatar.parts if part.name == "clothes")
    edges = {(int(a), int(b)) for face in shirt.triangles for a, b in zip(face, np.roll(face, -1), strict=True)}
    assert len(edges) == 3 * len(shirt.triangles)
    assert edges == {(b, a) for a, b in edges}
