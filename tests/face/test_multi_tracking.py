"""Tracking of several faces: identity, start and end of tracks, gaps."""

from __future__ import annotations

import numpy as np

from facepipe.face.cropping import box_of
from facepipe.face.multi_tracking import DETECT_EVERY_FRAMES, MAX_MISSING_FRAMES, FaceTrack, MultiFaceTracker
from tests.face.world import Figure, World

ANNA, OTTO, IDA = Figure(70, looks=1), Figure(220, looks=2), Figure(75, looks=3)


def follow(frames: list[list[Figure]]) -> tuple[list[FaceTrack], World]:
    world = World(frames)
    return MultiFaceTracker(world, world).follow(world.pictures()), world


def ranges(tracks: list[FaceTrack]) -> list[tuple[int, int]]:
    return [(track.first_frame, track.end_frame) for track in tracks]


def test_two_faces_are_two_tracks_with_their_boxes() -> None:
    frames = [[Figure(70 + number, looks=1), OTTO] for number in range(30)]
    tracks, world = follow(frames)
    assert ranges(tracks) == [(0, 30), (0, 30)]
    anna, otto = sorted(tracks, key=lambda track: float(track.boxes[0][0]))
    np.testing.assert_array_equal(anna.boxes, [box_of(heads[0].points) for heads in frames])
    np.testing.assert_array_equal(otto.boxes, [box_of(OTTO.points)] * 30)
    assert world.detections == 3, "the detector runs every few frames, not in each"


def test_a_face_that_appears_later_is_detected_soon() -> None:
    tracks, _ = follow([[ANNA]] * 5 + [[ANNA, OTTO]] * 25)
    assert ranges(tracks) == [(0, 30), (DETECT_EVERY_FRAMES, 30)]


def test_a_cut_to_another_person_in_the_same_place_ends_the_track() -> None:
    tracks, _ = follow([[ANNA]] * 15 + [[IDA]] * 15)
    assert ranges(tracks) == [(0, 15), (15, 30)]


def test_a_briefly_hidden_face_is_one_track() -> None:
    hidden: list[list[Figure]] = [[]] * MAX_MISSING_FRAMES
    tracks, _ = follow([[ANNA]] * 10 + hidden + [[ANNA]] * 10)
    assert ranges(tracks) == [(0, 20 + MAX_MISSING_FRAMES)]
    np.testing.assert_array_equal(tracks[0].boxes, [box_of(ANNA.points)] * len(tracks[0].boxes))
    longer, _ = follow([[ANNA]] * 10 + hidden + [[]] + [[ANNA]] * 10)
    assert ranges(longer) == [(0, 10), (11 + MAX_MISSING_FRAMES, 21 + MAX_MISSING_FRAMES)]


def test_unwanted_frames_are_skipped() -> None:
    world = World([[ANNA]] * 20)
    tracks = MultiFaceTracker(world, world).follow(world.pictures(), wanted=lambda frame: 5 <= frame < 12)
    assert ranges(tracks) == [(5, 12)]
    assert world.detections == 1
