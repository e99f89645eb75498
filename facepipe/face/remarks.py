"""Remarks on a track: who was followed, how the medium was turned, and frames without the face."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from facepipe.engine.remark import Remark
from facepipe.face.following import Followed
from facepipe.face.person import CERTAIN_FLOOR
from facepipe.face.track import FEW_FACES_SHARE, NO_FACE_SHARE, Track
from facepipe.face.tracking import PATIENCE_SECONDS


def remarks_on(followed: Followed, fps: Fraction, rule: str) -> list[Remark]:
    """Return the remarks on a followed face. `rule` is the value of --face, or "reference"."""
    track = followed.track
    return [*_turned(followed), *_chosen(followed, rule), *_changed(track, fps), *_missing(track, fps)]


def _turned(followed: Followed) -> Iterator[Remark]:
    if followed.turned_degrees:
        yield Remark(
            "turned",
            f"turned by {followed.turned_degrees} degrees clockwise, because its faces are upright only then and no "
            "tag says so",
        )


def _chosen(followed: Followed, rule: str) -> Iterator[Remark]:
    track, choice = followed.track, followed.track.choice
    if followed.person and followed.person.likeness < CERTAIN_FLOOR:
        yield Remark(
            "doubtful-person",
            f"the face that is followed is the most similar to the reference picture, but not very similar (likeness "
            f"{followed.person.likeness:.2f}, certain from {CERTAIN_FLOOR}); a picture cut from this input is certain",
        )
    if choice is None or track.max_faces < 2:
        return
    by = {"reference": "the most similar to the reference picture", "largest": "the largest"}
    which = by.get(rule, f"the one of --face {rule}")
    where = f" in frame {choice.frame}" if len(track.valid) > 1 else ""
    yield Remark(
        "several-faces",
        f"up to {track.max_faces} faces in the picture; {which} is used, number {choice.number} of {choice.faces} from "
        f"the left{where}; --face (of a driver --driver-face) left, right, a number or a picture of the person chooses "
        "another",
    )


def _changed(track: Track, fps: Fraction) -> Iterator[Remark]:
    if track.changed_frames:
        seconds = float(track.changed_frames[0] / fps)
        yield Remark(
            "other-person",
            f"another person is followed from {seconds:.2f} s on, because the first one was not seen for "
            f"{PATIENCE_SECONDS:g} s; a picture of the person as --face or --driver-face prevents this",
        )


def _missing(track: Track, fps: Fraction) -> Iterator[Remark]:
    count, missing = len(track.valid), int((~track.valid).sum())
    if not missing or count < 2:
        return
    first = float(int(np.flatnonzero(~track.valid)[0]) / fps)
    yield Remark(
        "held",
        f"{missing} of {count} frames do not show the face, the first at {first:.2f} s, the longest gap "
        f"{float(longest_gap(track) / fps):.2f} s; --no-face says what becomes of them: hold (default), source, cut or "
        "fail",
    )
    if missing >= FEW_FACES_SHARE * count:
        yield Remark(
            "few-faces",
            f"only {count - missing} of {count} frames show the face ({FEW_FACES_SHARE:.0%} or more do not): check "
            f"with `facepipe crop` who is followed; from {NO_FACE_SHARE:.0%} without the face on the clip is refused",
        )


def longest_gap(track: Track) -> int:
    """Return the largest number of consecutive frames without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], ~track.valid, [0]]).astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
