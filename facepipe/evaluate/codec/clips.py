"""The clips on which codecs are compared: 4 s of 256x256 pixels at 25 frames/s around a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.split import split_items
from facepipe.errors import InputError, NoFaceError
from facepipe.evaluate.manifest import Case, read_cases
from facepipe.evaluate.tracked_clip import FaceTracker
from facepipe.face.cropping import sample
from facepipe.face.track import crop_around
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.probe import probe_video

SIZE_PIXELS, FPS, FRAMES = 256, Fraction(25), 100
SECONDS = float(FRAMES / FPS)
DATA_CLIPS = 15
"""Number of clips of a data folder that are compared, evenly spaced over those that are long enough."""
CHOICE = (
    f"{DATA_CLIPS} clips, evenly spaced over the data folder's clips of unseen identities with at least {SECONDS:g} s, "
    "the first clip of each identity"
)
# The share of the crop's side that is cut, so that a codec's own crop around the face is the whole picture.
TIGHTER = 0.96
# CRF 8: what is compared are the frames of this file, so its loss is in no figure.
QUALITY = 100
Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class CodecClip:
    """A clip as all codecs receive it."""

    name: str
    path: Path
    """The video, `SIZE_PIXELS` wide and high, at `FPS`."""

    @cached_property
    def frames(self) -> Frames:
        """(T, S, S, 3) uint8 RGB."""
        return np.stack(list(decode_frames(self.path)))

    @cached_property
    def digest(self) -> str:
        """The sha256 of the file."""
        return sha256(self.path.read_bytes()).hexdigest()

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.frames) / float(FPS)


def choose(manifest: Path) -> list[Case]:
    """Return the cases of a manifest that are compared; of a data folder, `CHOICE`. Raises InputError."""
    cases = read_cases(manifest, "same")
    if not (manifest / "sources.tsv").is_file():
        return cases
    identities = {item.path: item.identity for item in split_items(manifest)[1]}
    first: dict[str, Case] = {}
    for case in cases:
        if is_long_enough(case.driver):
            first.setdefault(identities[case.driver], case)
    return evenly(list(first.values()), DATA_CLIPS)


def evenly(cases: Sequence[Case], count: int) -> list[Case]:
    """Return `count` cases, evenly spaced, with the first and the last; all of them if there are fewer."""
    places = np.linspace(0, len(cases) - 1, min(count, len(cases))).round().astype(int)
    return [cases[place] for place in places]


def is_long_enough(path: Path) -> bool:
    """Return whether a video gives `FRAMES` frames at `FPS`."""
    info = probe_video(path)
    return info.frame_count_estimate * FPS / info.fps >= FRAMES


def cut(case: Case, folder: Path, tracker: FaceTracker) -> CodecClip:
    """Write FOLDER/NAME.mp4: the clip's first frames, cropped around the face. Does nothing if it is there.

    Raises InputError if the clip is too short, NoFaceError if no face is found in it.
    """
    clip = CodecClip(case.name, folder / f"{case.name}.mp4")
    if clip.path.is_file():
        return clip
    if not is_long_enough(case.driver):
        raise InputError(f"{case.driver}: is shorter than the {SECONDS:g} s that are compared; give a longer clip")
    frames = list(decode_frames(case.driver, fps=FPS, frame_count=FRAMES))
    track = tracker.track(iter(frames))
    if not track.valid.any():
        raise NoFaceError(f"{case.driver}: no face was found in it; give a clip of one visible face")
    around = crop_around(track.points[track.valid], (frames[0].shape[1], frames[0].shape[0]))
    crop = replace(around, side=around.side * TIGHTER)
    folder.mkdir(parents=True, exist_ok=True)
    with VideoWriter(clip.path, size=(SIZE_PIXELS, SIZE_PIXELS), fps=FPS, quality=QUALITY) as writer:
        for frame in frames:
            writer.write(sample(frame, crop, SIZE_PIXELS))
    return clip
