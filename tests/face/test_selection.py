"""Selection of the best frame for a portrait."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.face.selection import best_frame
from facepipe.face.track import Track
from tests.face.faces import posed

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
