"""Remarks on a track: who was followed, how the medium was turned, and frames without the face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from facepipe.engine.remark import Remark
from facepipe.face.clip_candidates import counted
from facepipe.face.following import Followed
from facepipe.face.person import CERTAIN_FLOOR
from facepipe.face.track import FEW_FACES_SHARE, NO_FACE_SHARE, SMALL_FACE_PIXELS, Track, face_pixels
from facepipe.face.tracking import PATIENCE_SECONDS

REFUSED_FROM = f"from {NO_FACE_SHARE:.0%} without the face on the clip is refused"
ADVICE_ON_CLIPS = "look at the clip; data sets do not turn clips that lie on their side or are upside down"


def remarks_on(followed: Followed, fps: Fraction, rule: str) -> list[Remark]:
    """Return the remarks on a followed face. `rule` is the value of --face, or "reference"."""
    track = followed.track
    return [
        *_turned(followed),
        *_stretched(followed),
        *_small(track),
        *_doubtful(followed),
        *_chosen(
            track,
            {"reference": "the most similar to the reference picture", "largest": "the largest"}.get(
                rule, f"the one of --face {rule}"
            ),
            "--face (of a driver --driver-face) left, right, a number or a picture of the person chooses another",
        ),
        *_changed(track, fps, "a picture of the person as --face or --driver-face prevents this"),
        *_missing(track, fps, f"check with `facepipe crop` who is followed; {REFUSED_FROM}"),
    ]


def clip_remarks_on(track: Track, fps: Fraction) -> list[Remark]:
    """Return the remarks on the largest face of a raw video that becomes one clip of a data set."""
    return [
        *_small(track),
        *_chosen(track, "the largest", "--rule voxceleb makes a clip of each"),
        *_changed(track, fps, "--rule voxceleb makes a clip of each person"),
        *_missing(track, fps, ADVICE_ON_CLIPS),
    ]


def gap_remarks_on(track: Track, fps: Fraction) -> list[Remark]:
    """Return the remarks on frames without the face in a clip of a data set."""
    return list(_missing(track, fps, ADVICE_ON_CLIPS))


def rejection_remarks(found: int, rejected: Mapping[str, int]) -> list[Remark]:
    """Return the remark on the parts of a raw video that a rule rejects, if it rejects any.

    `found` is the number of accepted parts, `rejected` that of rejected parts by reason.
    """
    if not rejected:
        return []
    count = sum(rejected.values())
    code, what = ("parts-rejected", f"{count} of {found + count} parts are") if found else ("no-clip", "every part is")
    return [Remark(code, f"{what} rejected: {counted(rejected)}")]


def _turned(followed: Followed) -> Iterator[Remark]:
    if followed.turned_degrees:
        yield Remark(
            "turned",
            f"turned by {followed.turned_degrees} degrees clockwise, because its faces are upright only then and no "
            "tag says so",
        )


def _stretched(followed: Followed) -> Iterator[Remark]:
    if followed.is_stretched and followed.light:
        yield Remark(
            "poor-light",
            f"too {followed.light.word} for face finding ({followed.light}); the face is found in a copy with "
            "stretched contrast, and the result keeps the light as it is",
        )


def _small(track: Track) -> Iterator[Remark]:
    if track.valid.any() and (size := face_pixels(track)) < SMALL_FACE_PIXELS:
        yield Remark(
            "small-face",
            f"the face is {size:.0f} pixels high; below {SMALL_FACE_PIXELS}, its expression is measured coarsely",
        )


def _doubtful(followed: Followed) -> Iterator[Remark]:
    if followed.person and followed.person.likeness < CERTAIN_FLOOR:
        yield Remark(
            "doubtful-person",
            "the face that is followed may be that of another person: it is the most similar to the reference "
            f"picture, with a likeness of {followed.person.likeness:.2f}, and {CERTAIN_FLOOR} is certain; a picture "
            "cut from this input would be certain",
        )


def _chosen(track: Track, which: str, advice: str) -> Iterator[Remark]:
    choice = track.choice
    if choice is None or track.max_faces < 2:
        return
    where = f" in frame {choice.frame}" if len(track.valid) > 1 else ""
    yield Remark(
        "several-faces",
        f"{'up to ' if where else ''}{track.max_faces} faces in the picture; {which} is used, number "
        f"{choice.number} of {choice.faces} from the left{where}; {advice}",
    )


def _changed(track: Track, fps: Fraction, advice: str) -> Iterator[Remark]:
    if track.changed_frames:
        frame = track.changed_frames[0]
        cut = frame > 0 and track.shots[frame] != track.shots[frame - 1]
        why = "is not seen in this shot" if cut else f"was not seen for {PATIENCE_SECONDS:g} s"
        yield Remark(
            "other-person",
            f"another person is followed from {float(frame / fps):.2f} s on, because the first one {why}; {advice}",
        )


def _missing(track: Track, fps: Fraction, advice: str) -> Iterator[Remark]:
    count, missing = len(track.valid), int((~track.valid).sum())
    if not missing or count < 2:
        return
    first = float(int(np.flatnonzero(~track.valid)[0]) / fps)
    yield Remark(
        "face-missing",
        f"{missing} of {count} frames do not show the face, the first at {first:.2f} s, the longest gap "
        f"{float(longest_gap(track) / fps):.2f} s",
    )
    if missing >= FEW_FACES_SHARE * count:
        yield Remark(
            "few-faces",
            f"the face is missing in {FEW_FACES_SHARE:.0%} of the frames or more: {advice}",
        )


def longest_gap(track: Track) -> int:
    """Return the largest number of consecutive frames without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], ~track.valid, [0]]).astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
