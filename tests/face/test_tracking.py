"""Following a face: when the detector must look, whom it follows, and what it says of frames without a face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from facepipe.face.cropping import SquareCrop, aligned_crop
from facepipe.face.landmarker import Located
from facepipe.face.track import Track
from facepipe.face.tracking import Tracker
from tests.face.world import Figure, Picture, World


def track(world: World, face: str = "largest") -> Track:
    return Tracker(world, world, face=face).track(world.pictures())


def points_of(frames: list[list[Figure]], index: int = 0) -> np.ndarray:
    return np.stack([heads[index].points for heads in frames])


def test_a_still_face_is_detected_once_and_seen_through_one_crop() -> None:
    """Twenty frames: one detection, one crop, every row valid and exact."""
    world = World([[Figure(120)]] * 20)
    found = track(world)
    assert world.detections == found.detections == found.max_faces == 1
    assert found.valid.all()
    np.testing.assert_array_equal(found.points, points_of(world.frames))
    assert len(set(world.crops[-20:])) == 1


class Sparse(World):
    """A world whose landmarker sees 68 points: the first of the others, a pixel further right."""

    def locate(self, pictures: Sequence[Picture], crops: Sequence[SquareCrop]) -> Located:
        located = super().locate(pictures, crops)
        return located._replace(sixty_eight=located.points[:, :68] + np.array([1, 0, 0], np.float32))


def test_a_landmarkers_own_points_are_kept_beside() -> None:
    """Of the same look, where the face is followed, leaves its crop, is lost and found again; zero without a face."""
    frames = [[Figure(80 + 6 * frame)] for frame in range(8)]
    found = track(Sparse([*frames, [], [], *frames]))
    assert found.valid.tolist() == [True] * 8 + [False] * 2 + [True] * 8
    assert found.sixty_eight is not None
    np.testing.assert_allclose(found.sixty_eight[found.valid], found.points[found.valid, :68] + (1, 0, 0), rtol=1e-6)
    assert not found.sixty_eight[~found.valid].any()
    assert track(World(frames)).sixty_eight is None


def test_trembling_does_not_move_the_crop() -> None:
    """A face that sways by a pixel or two is looked at through the crop of before."""
    random = np.random.default_rng(0)
    world = World([[Figure(120 + float(random.normal(0, 0.5)), 100 + float(random.normal(0, 0.5)))] for _ in range(20)])
    assert track(world).valid.all()
    assert len(set(world.crops[-20:])) == 1


@pytest.mark.parametrize("change", ["x", "size", "roll"])
def test_a_moving_face_is_followed_without_detecting(change: str) -> None:
    """Sideways, nearer, or turning: still one detection, and the crop goes along."""
    start, step = {"x": (80, 4), "size": (25, 1.0), "roll": (-40, 4)}[change]
    figures = [
        Figure(**({"x": 130, "looks": 3} | {change: start + step * frame}))  # type: ignore[arg-type]
        for frame in range(24)
    ]
    world = World([[one] for one in figures])
    found = track(world)
    assert found.detections == 1
    assert found.valid.all()
    np.testing.assert_array_equal(found.points, points_of(world.frames))
    last, kept = aligned_crop(figures[-1].points), world.crops[-1]
    assert abs(kept.center_x - last.center_x) < 0.1 * last.side
    assert abs(np.log(kept.side / last.side)) < 0.12
    assert abs(kept.angle_radians - last.angle_radians) < 0.2


def test_frames_without_a_face_are_invalid_and_it_is_found_again() -> None:
    """Rows without a face are zero; the detector looks in each of these and once at the return, no more."""
    frames = [[Figure(120)]] * 6 + [[]] * 5 + [[Figure(200)]] * 7
    world = World(frames)
    found = track(world)
    np.testing.assert_array_equal(found.valid, [bool(heads) for heads in frames])
    assert not found.points[~found.valid].any()
    assert not found.score[~found.valid].any()
    np.testing.assert_array_equal(found.points[-1], frames[-1][0].points)
    assert found.detections == 1 + 5 + 1


def test_a_clip_without_any_face_has_no_valid_row() -> None:
    """And an empty one no row at all."""
    assert not track(World([[]] * 5)).valid.any()
    assert track(World([])).points.shape == (0, 478, 3)


def test_a_jump_is_found_again_in_the_same_frame() -> None:
    """The same head elsewhere after a cut costs one more detection and no frame."""
    world = World([[Figure(80)]] * 6 + [[Figure(240)]] * 6)
    found = track(world)
    assert found.valid.all()
    assert found.detections == 2
    np.testing.assert_array_equal(found.points, points_of(world.frames))


@pytest.mark.parametrize(("rule", "index"), [("left", 0), ("right", 1), ("1", 0), ("2", 1), ("largest", 1)])
def test_the_rule_decides_whom_to_follow(rule: str, index: int) -> None:
    """Once chosen, a face is followed though the rule would name another later."""
    frames = [[Figure(80 + 2 * t, 60, 22, looks=1), Figure(220 - 2 * t, 140, 28, looks=2)] for t in range(50)]
    assert frames[-1][0].x > frames[-1][1].x
    found = track(World(frames), rule)
    np.testing.assert_array_equal(found.points, points_of(frames, index))
    assert found.max_faces == 2


def test_a_number_beyond_the_faces_waits_for_them() -> None:
    """The second face from the left is not there until there are two."""
    frames = [[Figure(80, looks=1)]] * 3 + [[Figure(80, looks=1), Figure(220, looks=2)]] * 5
    found = track(World(frames), "2")
    np.testing.assert_array_equal(found.valid, [False] * 3 + [True] * 5)


@pytest.mark.parametrize("rule", ["left", "right"])
def test_crossing_faces_keep_their_identity_by_looks(rule: str) -> None:
    """One head passes before the other; when they are apart again each is still followed as itself."""
    frames = [[Figure(70 + 5 * t, 100, 26, looks=1), Figure(250 - 5 * t, 104, 26, looks=2)] for t in range(37)]
    found = track(World(frames), rule)
    own = points_of(frames, 0 if rule == "left" else 1)
    apart = np.abs([heads[0].x - heads[1].x for heads in frames]) > 60
    np.testing.assert_array_equal(found.points[apart], own[apart])
    assert apart[-5:].all()


def test_somebody_else_after_a_cut_is_followed_by_rule() -> None:
    """Nobody looks like the one of before: the rule chooses anew rather than show nobody."""
    frames = [[Figure(80, looks=1)]] * 6 + [[Figure(100, looks=4), Figure(240, looks=5, size=40)]] * 6
    found = track(World(frames))
    assert found.valid.all()
    np.testing.assert_array_equal(found.points[-1], frames[-1][1].points)


def test_few_frames_are_held_at_once_and_progress_is_told() -> None:
    """Frames are read as they are needed, and every one is counted."""
    world, read, told = World([[Figure(120)]] * 10), 0, 0
    pictures = world.pictures()

    def frames() -> Iterator[Picture]:
        nonlocal read
        for picture in pictures:
            read += 1
            yield picture

    def advance(count: int) -> None:
        nonlocal told
        told += count
        assert read <= told + 1

    Tracker(world, world).track(frames(), advance)
    assert told == 10
