"""Stage `clip`: cut one span out of a raw video: its square of the picture, its sound, and the track of its face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import InputError, NoFaceError
from facepipe.face.spans import Span, cut_track, whole_picture
from facepipe.face.track import Track, TrackFile, load_track, save_track
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.grid import resize
from facepipe.media.limits import NO_LIMITS
from facepipe.media.mux import concat_and_mux
from facepipe.media.probe import probe_video

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Params:
    """Settings of the stage."""

    span: Span
    size_pixels: int = 256
    fps: Fraction = Fraction(25)
    quality: int = 90


def clip(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the clip, with the sound of its time, and its track in pixels of the clip."""
    params, path, fps = run.params, run.input("media"), run.params.fps
    info = probe_video(path, NO_LIMITS)
    span, size = params.span, params.size_pixels
    frames = decode_frames(
        path,
        info=info,
        fps=fps,
        start_frame=span.first_frame,
        frame_count=span.end_frame - span.first_frame,
        crop=span.box,
    )
    silent = run.output / "silent.mp4"
    with VideoWriter(silent, size=(size, size), fps=fps, quality=params.quality) as writer:
        track = _written(run, frames, writer)
    if writer.frame_count != len(track.valid):
        raise InputError(f"{path}: gave {len(track.valid)} frames, then {writer.frame_count}; run again")
    muxed = concat_and_mux(
        [silent],
        out=run.output / "clip.mp4",
        sound_from=path if info.has_sound else None,
        sound_start_seconds=float(span.first_frame / fps),
        fit="driver",
    )
    silent.unlink()
    save_track(TrackFile(track, fps, whole_picture(size), (size, size)), run.output / "track.npz")
    valid = int(track.valid.sum())
    return {"frames": len(track.valid), "frames_without_face": len(track.valid) - valid, "sound": muxed.sound}


def _written(run: StageRun[Params], frames: Iterator[Picture], writer: VideoWriter) -> Track:
    """Write the frames at their size and return the track: as it was found in the video, or found now."""
    size, span = run.params.size_pixels, run.params.span
    for frame in frames:
        writer.write(resize(frame, (size, size)))
        run.advance(1)
    track = cut_track(load_track(run.input("track")).track, span, size)
    if not track.valid.any():
        raise NoFaceError("no face was found in the span; run the stage spans again with --force spans")
    return track


STAGE = Stage(
    name="clip",
    version=1,
    inputs=("media", "track"),
    outputs=("clip.mp4", "track.npz"),
    params=Params,
    function=clip,
)
