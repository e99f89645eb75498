"""Stage `clip`: cut a span out of a raw video, as a square clip with sound, with the track of its face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import InputError, NoFaceError
from facepipe.face.cropping import whole_picture
from facepipe.face.spans import Span, cut_track
from facepipe.face.track import Track, TrackFile, load_track, save_track
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.grid import resize
from facepipe.media.limits import NO_LIMITS
from facepipe.media.mux import concat_and_mux
from facepipe.media.probe import probe_video
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from facepipe.face.tracking import Tracker

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    span: Span
    size_pixels: int = 256
    fps: Fraction = Fraction(25)
    quality: int = 90


def clip(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the clip with its sound, and the track in pixels of the clip."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.face.remarks import gap_remarks_on

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
        track = _write(run, frames, writer)
    if writer.frame_count != len(track.valid):
        raise InputError(f"{path}: expected {len(track.valid)} frames, decoded {writer.frame_count}; run again")
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
    # The track of a whole video has its remarks already.
    remarks = [] if "track" in run.inputs else gap_remarks_on(track, fps)
    return {
        "frames": len(track.valid),
        "frames_without_face": len(track.valid) - valid,
        "sound": muxed.sound,
        "remarks": remark_facts(remarks),
    }


def _write(run: StageRun[Params], frames: Iterator[Picture], writer: VideoWriter) -> Track:
    """Write the resized frames and return their track: cut from the input `track`, or tracked here without it."""
    size, span = run.params.size_pixels, run.params.span
    written = _each_written(frames, writer, size)
    if "track" in run.inputs:
        for _ in written:
            run.advance(1)
        track = cut_track(load_track(run.input("track")).track, span, size)
    else:
        found = _tracker(run).track(written, run.advance)
        track = cut_track(found, Span(0, len(found.valid), 0, 0, span.side), size)
    if not track.valid.any():
        where = f"frames {span.first_frame} to {span.end_frame}"
        raise NoFaceError(f"{run.input('media')}: no face was found in {where} on a closer look")
    return track


def _each_written(frames: Iterator[Picture], writer: VideoWriter, size: int) -> Iterator[Picture]:
    for frame in frames:
        writer.write(resize(frame, (size, size)))
        yield frame


def _tracker(run: StageRun[Params]) -> Tracker:
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.checkpoint import THREADS
    from facepipe.face.detector import Detector
    from facepipe.face.landmarker import Landmarker
    from facepipe.face.tracking import Tracker

    tracker = Tracker(
        load_once(Detector, run.weights["detector"], threads=THREADS),
        load_once(Landmarker, run.weights["landmarker"], threads=THREADS),
        fps=float(run.params.fps),
    )
    # Start at the centre of the square, where the span's face is, even if others appear in it.
    tracker.crop = whole_picture(run.params.span.side)
    return tracker


STAGE = Stage(
    name="clip",
    version=6,
    inputs=("media", "track?"),
    outputs=("clip.mp4", "track.npz"),
    params=Params,
    function=clip,
    weights=("detector?", "landmarker?"),
)
