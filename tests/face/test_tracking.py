"""Tracking of one face: when the detector runs, which face is followed, and frames without a face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest

from facepipe.face.cropping import SquareCrop, aligned_crop
from facepipe.face.landmarker import Located
from facepipe.face.looks import ALONE_FACE_FLOOR, NEAR_FACE_FLOOR, correlation, likeness, looks_of
from facepipe.face.person import Person
from facepipe.face.shots import REACH_FRAMES
from facepipe.face.track import Choice, Track
from facepipe.face.tracking import BATCH_FRAMES, PATIENCE_SECONDS, STEADY_FLOOR, Tracker
from tests.face.world import HEIGHT, WIDTH, Figure, Picture, World


def track(world: World, face: str = "largest", fps: float = 25.0) -> Track:
    return Tracker(world, world, face=face, fps=fps).track(world.pictures())


def points_of(frames: list[list[Figure]], index: int = 0) -> np.ndarray:
    return np.stack([heads[index].points for heads in frames])


def test_a_still_face_is_detected_once_and_keeps_one_crop() -> None:
    """Twenty frames: one detection, one crop, every row valid and exact."""
    world = World([[Figure(120)]] * 20)
    found = track(world)
    assert world.detections == found.detections == found.max_faces == 1
    assert found.valid.all()
    np.testing.assert_array_equal(found.points, points_of(world.frames))
    assert len(set(world.crops[-20:])) == 1


class Sparse(World):
    """A world whose landmarker also finds 68 points: the first of the 478, one pixel to the right."""

    def locate(self, pictures: Sequence[Picture], crops: Sequence[SquareCrop]) -> Located:
        located = super().locate(pictures, crops)
        return located._replace(sixty_eight=located.points[:, :68] + np.array([1, 0, 0], np.float32))


def test_the_68_points_of_a_landmarker_are_kept() -> None:
    """They match `points` while the face is followed, leaves its crop, is lost and found again; zero without a face."""
    frames = [[Figure(80 + 6 * frame)] for frame in range(8)]
    found = track(Sparse([*frames, [], [], *frames]))
    assert found.valid.tolist() == [True] * 8 + [False] * 2 + [True] * 8
    assert found.sixty_eight is not None
    np.testing.assert_allclose(found.sixty_eight[found.valid], found.points[found.valid, :68] + (1, 0, 0), rtol=1e-6)
    assert not found.sixty_eight[~found.valid].any()
    assert track(World(frames)).sixty_eight is None


def test_jitter_does_not_move_the_crop() -> None:
    """A face that moves by a pixel or two keeps its crop."""
    random = np.random.default_rng(0)
    world = World([[Figure(120 + float(random.normal(0, 0.5)), 100 + float(random.normal(0, 0.5)))] for _ in range(20)])
    assert track(world).valid.all()
    assert len(set(world.crops[-20:])) == 1


@pytest.mark.parametrize("change", ["x", "size", "roll"])
def test_a_moving_face_is_followed_without_detecting(change: str) -> None:
    """Shift, growth or rotation: still one detection, and the crop follows."""
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
    """Rows without a face are zero; the detector runs on each of them and once at the return, no more."""
    frames = [[Figure(120)]] * 6 + [[]] * 5 + [[Figure(200)]] * 7
    world = World(frames)
    found = track(world)
    np.testing.assert_array_equal(found.valid, [bool(heads) for heads in frames])
    assert not found.points[~found.valid].any()
    assert not found.score[~found.valid].any()
    np.testing.assert_array_equal(found.points[-1], frames[-1][0].points)
    assert found.detections == 1 + 5 + 1


def test_a_clip_without_any_face_has_no_valid_row() -> None:
    """An empty clip has no rows."""
    assert not track(World([[]] * 5)).valid.any()
    assert track(World([])).points.shape == (0, 478, 3)


def test_a_jump_is_found_again_in_the_same_frame() -> None:
    """The same head at another position after a cut needs one more detection and loses no frame."""
    world = World([[Figure(80)]] * 6 + [[Figure(240)]] * 6)
    found = track(world)
    assert found.valid.all()
    assert found.detections == 2
    np.testing.assert_array_equal(found.points, points_of(world.frames))


@pytest.mark.parametrize(("rule", "index"), [("left", 0), ("right", 1), ("1", 0), ("2", 1), ("largest", 1)])
def test_the_rule_decides_which_face_to_follow(rule: str, index: int) -> None:
    """A chosen face is followed even if the rule would later choose another."""
    frames = [[Figure(80 + 2 * t, 60, 22, looks=1), Figure(220 - 2 * t, 140, 28, looks=2)] for t in range(50)]
    assert frames[-1][0].x > frames[-1][1].x
    found = track(World(frames), rule)
    np.testing.assert_array_equal(found.points, points_of(frames, index))
    assert found.max_faces == 2


def test_a_number_beyond_the_faces_waits_for_that_face() -> None:
    """The second face from the left exists only once there are two."""
    frames = [[Figure(80, looks=1)]] * 3 + [[Figure(80, looks=1), Figure(220, looks=2)]] * 5
    found = track(World(frames), "2")
    np.testing.assert_array_equal(found.valid, [False] * 3 + [True] * 5)


@pytest.mark.parametrize("rule", ["left", "right"])
def test_crossing_faces_keep_their_identity_by_looks(rule: str) -> None:
    """One head passes in front of the other; once they are apart again, each track follows its own face."""
    frames = [[Figure(70 + 5 * t, 100, 26, looks=1), Figure(250 - 5 * t, 104, 26, looks=2)] for t in range(37)]
    found = track(World(frames), rule)
    own = points_of(frames, 0 if rule == "left" else 1)
    apart = np.abs([heads[0].x - heads[1].x for heads in frames]) > 60
    np.testing.assert_array_equal(found.points[apart], own[apart])
    assert apart[-5:].all()


def test_a_face_that_changes_at_once_is_kept_if_it_is_alone() -> None:
    """Nobody else was seen before, so nobody else can be there: the head turned, or the light changed."""

    class Grey(World):
        """Grey heads; the second one has reddish light."""

        def draw(self, number: int) -> Picture:
            picture = super().draw(number)
            grey = picture.mean(-1, keepdims=True) * ((1.12, 1, 1) if self.frames[number][0].looks == 9 else (1, 1, 1))
            picture[:] = np.minimum(grey, 255)
            picture[0, 0] = number
            return picture

    world = Grey([[Figure(120, looks=1)]] * 10 + [[Figure(123, looks=9)]] * 10)
    before, after = (looks_of(world.draw(number), aligned_crop(world.frames[number][0].points)) for number in (9, 10))
    assert ALONE_FACE_FLOOR < likeness(before, after) < NEAR_FACE_FLOOR
    assert correlation(before, after) < STEADY_FLOOR
    assert track(world).valid.all()


@pytest.mark.parametrize("fps", [2.0, 4.0])
def test_another_person_is_chosen_by_rule_after_the_patience(fps: float) -> None:
    """Until then frames with only other people have no face. The time counts, not the number of frames."""
    wait = round(PATIENCE_SECONDS * fps)
    first, others = Figure(50, looks=1, size=22), [Figure(140, looks=4), Figure(250, looks=5, size=40)]
    found = track(World([[first, *others]] * 6 + [others] * (wait + 6)), "left", fps=fps)
    assert found.valid.tolist() == [True] * 6 + [False] * wait + [True] * 6
    np.testing.assert_array_equal(found.points[-1], others[0].points)
    assert found.changed_frames == (6 + wait,)


def test_the_first_person_is_followed_again_after_the_patience() -> None:
    """Somebody else is followed in the meantime, and until the person returns."""
    first, other = Figure(80, looks=1), Figure(240, looks=5)
    frames = [[first]] * 6 + [[other]] * 30 + [[first, other]] * 6
    found = track(World(frames), fps=4.0)
    np.testing.assert_array_equal(found.points[30], other.points)
    np.testing.assert_array_equal(found.points[-1], first.points)
    assert len(found.changed_frames) == 2


class Scenes(World):
    """A world in which frames with a head of looks 1 have another background than those without."""

    def draw(self, number: int) -> Picture:
        picture = super().draw(number)
        scene = 100 + any(one.looks == 1 for one in self.frames[number])
        behind = np.random.default_rng(scene).integers(0, 256, (8, 12, 3)).astype(np.uint8)
        empty = (picture == 90).all(-1)
        picture[empty] = cv2.resize(behind, (WIDTH, HEIGHT))[empty]
        picture[0, 0] = number
        return picture


@pytest.mark.parametrize("at", [6, 7])
@pytest.mark.parametrize("x", [80, 240])
def test_a_shot_that_shows_only_others_has_another_person_at_once(at: int, x: int) -> None:
    """At the same place or elsewhere; after the next cut the first person is followed again at once."""
    first, other = Figure(80, looks=1), Figure(x, looks=5)
    world = Scenes([[first]] * at + [[other]] * 9 + [[first]] * 9)
    found = track(world)
    assert found.shots.tolist() == [0] * at + [1] * 9 + [2] * 9
    assert found.valid.all()
    np.testing.assert_array_equal(found.points, points_of(world.frames))
    assert found.changed_frames == (at, at + 9)


def test_a_person_who_is_given_is_never_replaced() -> None:
    """With a reference nobody else is followed, whoever was there first and however long they are alone."""
    first, wanted = Figure(80, looks=1), Figure(240, looks=5)
    frames = [[first]] * 30 + [[first, wanted]] * 6 + [[first]] * 30
    world = World(frames)
    looks = looks_of(world.draw(32), aligned_crop(wanted.points))
    found = Tracker(world, world, fps=4.0, person=Person((looks,))).track(world.pictures())
    assert np.flatnonzero(found.valid).tolist() == list(range(30, 36))
    np.testing.assert_array_equal(found.points[33], wanted.points)
    assert found.choice == Choice(30, number=2, faces=2)


def test_the_choice_tells_which_face_of_how_many() -> None:
    """The largest of three, the second from the left."""
    found = track(World([[], [Figure(60, looks=1), Figure(150, size=35, looks=3), Figure(250, size=20, looks=2)]]))
    assert found.choice == Choice(1, number=2, faces=3)


def test_frames_are_read_in_small_batches_and_progress_is_reported() -> None:
    """Frames are read on demand, and each is counted."""
    world, read, counted = World([[Figure(120)]] * 10), 0, 0
    pictures = world.pictures()

    def frames() -> Iterator[Picture]:
        nonlocal read
        for picture in pictures:
            read += 1
            yield picture

    def advance(count: int) -> None:
        nonlocal counted
        counted += count
        assert read <= counted + BATCH_FRAMES + REACH_FRAMES

    Tracker(world, world).track(frames(), advance)
    assert counted == 10
