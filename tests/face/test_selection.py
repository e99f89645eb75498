"""Selection of the best frame for a portrait, and of frames that differ from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.face.fitting import fit
from facepipe.face.selection import best_frame, different_frames
from facepipe.face.track import Track
from tests.face.faces import face_model, posed

AWAKE = posed()


def track_of(*faces: np.ndarray, valid: tuple[bool, ...] = ()) -> Track:
    there = np.array(valid or (True,) * len(faces))
    return Track(np.stack(faces).astype(np.float32), there, there.astype(np.float32))


@pytest.mark.parametrize(
    "worse",
    [
        posed(degrees=(0, 25, 0)),
        posed(degrees=(0, -25, 0)),
        posed(degrees=(0, 0, 20)),
        posed(controls={"blink_left": 1, "blink_right": 1}),
        posed(controls={"mouth_open": 1, "jaw_open": 1}),
        posed(size=30),
    ],
    ids=["turned", "turned back", "tilted", "asleep", "open mouth", "far away"],
)
def test_a_frontal_awake_face_is_chosen(worse: np.ndarray) -> None:
    """Frames that are worse in one respect are not chosen, at any position."""
    assert best_frame(track_of(worse, AWAKE, worse, AWAKE)) == 1


def test_frames_without_a_face_are_never_chosen() -> None:
    """Only valid rows count, and a track without valid rows is an error."""
    assert best_frame(track_of(AWAKE * 0, posed(degrees=(0, 30, 10)), valid=(False, True))) == 1
    with pytest.raises(ValueError, match="no frame shows a face"):
        best_frame(track_of(AWAKE, valid=(False,)))


def chosen(track: Track, *, first: int = 0, count: int = 3) -> tuple[int, ...]:
    fitted = fit(face_model(), track.points, track.valid)
    return different_frames(track, fitted, first=first, count=count, picture_size=(256, 256))


def still(*faces: np.ndarray) -> Track:
    """Return a track in which each face is seen three times, so that it stands still in the middle."""
    return track_of(*(face for face in faces for _ in range(3)))


TURNED = still(AWAKE, posed(degrees=(0, 5, 0)), posed(degrees=(0, 25, 0)), posed(degrees=(0, -25, 0)))


def test_each_frame_is_the_farthest_from_those_before() -> None:
    assert [frame // 3 for frame in chosen(TURNED, first=1)] == [0, 2, 3]
    speaking = posed(controls={"jaw_open": 1, "mouth_open": 1})
    assert [frame // 3 for frame in chosen(still(AWAKE, posed(degrees=(0, 4, 0)), speaking), count=2)] == [0, 2]


def test_frames_of_another_person_or_without_the_whole_face_are_left_out() -> None:
    changed = replace(TURNED, changed_frames=(6,))
    assert all(frame < 6 for frame in chosen(changed, first=1, count=8))
    assert all(frame >= 6 for frame in chosen(changed, first=7, count=8))
    outside = posed(degrees=(0, 20, 0), middle=(20, 128))
    assert [frame // 3 for frame in chosen(still(AWAKE, outside, posed(degrees=(0, 60, 0))), count=8)][1:] == []


def test_frames_in_motion_are_left_out() -> None:
    """The head stands at 0 and 10 degrees, and passes 40 on the way."""
    faces = [AWAKE] * 6 + [posed(degrees=(0, 35, 0))] + [posed(degrees=(0, 10, 0))] * 6
    track = track_of(*faces)
    assert 6 not in chosen(track, count=8)
