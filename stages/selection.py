"""Stage `selection`: choose frames of a source video that differ in pose and expression, and crop the face of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.face.cropping import sample
from facepipe.face.fitting import fit
from facepipe.face.model import load_face_model
from facepipe.face.selection import different_frames, frame_of
from facepipe.face.track import TrackFile, crop_around, load_track, save_track
from facepipe.media.decode import decode_frames
from facepipe.media.image import write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.weights.loaded import load_once

Picture = NDArray[np.uint8]

MAX_FRAMES = 16
FILES = ("picture.png", "crop.png", "track.npz")
"""The outputs for each frame: as a whole, its crop, its track."""


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    count: int
    """Number of frames, at most `MAX_FRAMES`."""
    still: str = "best"
    """The first frame: best, or its number."""
    changed_frames: tuple[int, ...] = ()
    """Frames from which the track follows another person."""
    size_pixels: int = 256


def file_of(name: str, number: int) -> str:
    """Return the output of one frame, numbered from 0: crop.png, crop-1.png and so on."""
    stem, _, suffix = name.partition(".")
    return f"{stem}-{number}.{suffix}" if number else name


def selection(run: StageRun[Params]) -> Mapping[str, Any]:
    """Choose the frames by the track of the whole video. The first is the portrait, as the stage `crop` makes it."""
    path, params, file = run.input("media"), run.params, load_track(run.input("track"))
    model = load_once(load_face_model, run.weights["face-model"])
    track = replace(file.track, changed_frames=params.changed_frames)
    first = frame_of(params.still, track, path)
    fitted = fit(model, track.points, track.valid)
    chosen = different_frames(track, fitted, first=first, count=params.count, picture_size=file.picture_size)
    for frame, picture in _frames(path, file, chosen):
        number, one = chosen.index(frame), track.rows(frame, frame + 1)
        square = crop_around(one.points, file.picture_size)
        still = TrackFile(one, file.fps, square, file.picture_size, frame)
        save_track(still, run.output / file_of("track.npz", number))
        write_image(run.output / file_of("picture.png", number), picture)
        write_image(run.output / file_of("crop.png", number), sample(picture, square, params.size_pixels))
        run.advance(1)
    return {"pictures": len(chosen), "chosen_frames": list(chosen), "remarks": remark_facts(_remarks(params, chosen))}


def _remarks(params: Params, chosen: tuple[int, ...]) -> list[Remark]:
    if len(chosen) == params.count:
        return []
    text = f"{len(chosen)} frames of the source are used, not {params.count}: no other shows the whole face and differs"
    return [Remark("fewer-frames", text)]


def _frames(path: Path, file: TrackFile, chosen: tuple[int, ...]) -> Iterator[tuple[int, Picture]]:
    """Yield the chosen frames with their numbers, in the order of the video, turned as the track is."""
    info = probe_video(path, NO_LIMITS).turned(file.turned_degrees)
    start = min(chosen)
    frames = decode_frames(path, info=info, start_frame=start, frame_count=max(chosen) + 1 - start)
    for number, picture in enumerate(frames, start):
        if number in chosen:
            yield number, picture


STAGE = Stage(
    name="selection",
    version=1,
    inputs=("media", "track"),
    outputs=(*FILES, *(f"{file_of(name, number)}?" for number in range(1, MAX_FRAMES) for name in FILES)),
    params=Params,
    function=selection,
    weights=("face-model",),
)
