"""Following several faces: who is followed, from when to when, and through what."""

from __future__ import annotations

import numpy as np

from facepipe.face.cropping import box_of
from facepipe.face.crowd import LOOK_EVERY, MOST_MISSING, Crowd, Run
from tests.face.world import Figure, World

ANNA, OTTO, IDA = Figure(70, looks=1), Figure(220, looks=2), Figure(75, looks=3)


def follow(frames: list[list[Figure]]) -> tuple[list[Run], World]:
    world = World(frames)
    return Crowd(world, world).follow(world.pictures()), world


def reaches(runs: list[Run]) -> list[tuple[int, int]]:
    return [(run.first_frame, run.end_frame) for run in runs]


def test_two_faces_are_two_runs_with_their_boxes() -> None:
    frames = [[Figure(70 + number, looks=1), OTTO] for number in range(30)]
    runs, world = follow(frames)
    assert reaches(runs) == [(0, 30), (0, 30)]
    anna, otto = sorted(runs, key=lambda run: float(run.boxes[0][0]))
    np.testing.assert_array_equal(anna.boxes, [box_of(heads[0].points) for heads in frames])
    np.testing.assert_array_equal(otto.boxes, [box_of(OTTO.points)] * 30)
    assert world.detections == 3, "now and then, and not in every frame"


def test_somebody_who_comes_later_is_met_soon() -> None:
    runs, _ = follow([[ANNA]] * 5 + [[ANNA, OTTO]] * 25)
    assert reaches(runs) == [(0, 30), (LOOK_EVERY, 30)]


def test_a_cut_to_somebody_else_in_the_same_place_ends_the_run() -> None:
    runs, _ = follow([[ANNA]] * 15 + [[IDA]] * 15)
    assert reaches(runs) == [(0, 15), (15, 30)]


def test_a_face_that_is_hidden_for_a_moment_is_one_run() -> None:
    hidden: list[list[Figure]] = [[]] * MOST_MISSING
    runs, _ = follow([[ANNA]] * 10 + hidden + [[ANNA]] * 10)
    assert reaches(runs) == [(0, 20 + MOST_MISSING)]
    np.testing.assert_array_equal(runs[0].boxes, [box_of(ANNA.points)] * len(runs[0].boxes))
    longer, _ = follow([[ANNA]] * 10 + hidden + [[]] + [[ANNA]] * 10)
    assert reaches(longer) == [(0, 10), (11 + MOST_MISSING, 21 + MOST_MISSING)]


def test_frames_that_nobody_wants_are_not_looked_at() -> None:
    world = World([[ANNA]] * 20)
    runs = Crowd(world, world).follow(world.pictures(), wanted=lambda frame: 5 <= frame < 12)
    assert reaches(runs) == [(5, 12)]
    assert world.detections == 1
