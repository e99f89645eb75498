"""Stage `crop`: detect and track one face, and choose the square around it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import NoFaceError
from facepipe.face.cropping import sample
from facepipe.face.selection import frame_of
from facepipe.face.track import (
    MIN_FACE_PIXELS,
    SMALL_FACE_PIXELS,
    Track,
    TrackFile,
    crop_around,
    face_pixels,
    save_track,
)
from facepipe.media.damage import Damage
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.files import kind_of
from facepipe.media.grid import turned
from facepipe.media.image import read_image, read_picture, write_image
from facepipe.media.info import VideoInfo
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from facepipe.face.following import Followed
    from facepipe.face.landmarker import FaceLandmarker

REFERENCE = "reference"
"""The value of `Params.face` for the person on the input `reference`."""
STILL_FPS = Fraction(25)
# Remarks on a whole clip, which are not about the one frame of it that is a portrait.
OF_CLIPS = ("face-missing", "few-faces", "other-person")
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    face: str = "largest"
    """largest, left, right, N for the N-th from the left, or reference for the person on the input `reference`."""
    no_face: str = "hold"
    """fail refuses clips with a frame without a face. The other policies are implemented by later stages."""
    still: str = ""
    """For a video of which one frame is used: best, or the number of the frame. Empty for a clip."""
    landmarker: str = "embedded"
    """embedded, or face-alignment for the 68 points of the package face-alignment."""
    size_pixels: int = 256
    pictures: bool = True
    """Whether to write the cropped picture or clip, in addition to the track."""
    quality: int = 80


def crop(run: StageRun[Params]) -> Mapping[str, Any]:
    """Track the face, choose the crop, and write the results. Limits of the input's size are checked earlier."""
    path = run.input("media")
    if kind_of(path) == "image":
        read = read_picture(path, NO_LIMITS)
        pictures = [read.pixels]
        followed = _follow(
            run, pictures, lambda turn: (turned(picture, turn) for picture in pictures), float(STILL_FPS)
        )
        track = _check(followed, path, STILL_FPS, run.params)
        picture = turned(read.pixels, followed.turned_degrees)
        return _finish_still(run, picture, track, followed, read.remarks, fps=STILL_FPS)
    info = probe_video(path, NO_LIMITS)
    sampled = decode_frames(path, info=info, fps=_sampling_rate(info))
    damage = Damage()
    followed = _follow(
        run, sampled, lambda turn: decode_frames(path, info=info.turned(turn), damage=damage), float(info.fps)
    )
    remarks = [*info.remarks, *damage.remarks(path, len(followed.track.valid))]
    info = info.turned(followed.turned_degrees)
    track = _check(followed, path, info.fps, run.params)
    if run.params.still:
        frame = frame_of(run.params.still, track, path)
        one = track.rows(frame, frame + 1)
        picture = _frame(path, info, frame)
        return _finish_still(run, picture, one, followed, remarks, fps=info.fps, frame=frame)
    return _finish_clip(run, path, info, followed, remarks)


def _sampling_rate(info: VideoInfo) -> Fraction:
    """Return the rate at which a clip is searched for the person of a reference picture."""
    from facepipe.face.person import SAMPLES

    return min(info.fps, Fraction(SAMPLES) / Fraction(info.duration_seconds).limit_denominator(1000))


def _follow(
    run: StageRun[Params],
    sampled: Iterable[Picture],
    open_frames: Callable[[int], Generator[Picture, None, None]],
    fps: float,
) -> Followed:
    """Follow the face in the frames. `sampled` are frames in which the person of a reference picture is looked for."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.checkpoint import THREADS
    from facepipe.face.detector import Detector
    from facepipe.face.finding import Finder
    from facepipe.face.following import Follower
    from facepipe.face.person import looks_in

    detector = load_once(Detector, run.weights["detector"], threads=THREADS)
    follower = Follower(detector, _landmarker(run), fps, run.params.face, run.advance)
    if "reference" not in run.inputs:
        return follower.follow(open_frames)
    reference = run.input("reference")
    wanted = looks_in(Finder(follower.detector, follower.landmarker), read_image(reference, NO_LIMITS))
    if wanted is None:
        raise NoFaceError(
            f"{reference}: no face was found in it, but --face names it as the picture of a person. "
            f"Give a picture with one upright face of at least {SMALL_FACE_PIXELS} pixels."
        )
    followed = follower.follow_person(wanted, list(sampled), open_frames)
    if followed is None:
        raise NoFaceError(
            f"{run.input('media')}: nobody in it looks like the person in {reference} (--face). "
            "Give a picture cut from this input, or choose by --face left, right or a number."
        )
    return followed


def _landmarker(run: StageRun[Params]) -> FaceLandmarker:
    from facepipe.checkpoint import THREADS
    from facepipe.face.landmarker import Landmarker

    if run.params.landmarker == "embedded":
        return load_once(Landmarker, run.weights["landmarker"], threads=THREADS)
    from facepipe.face.fan import FanLandmarker

    files = (run.weights[name] for name in ("fan-3d", "fan-depth", "face-model"))
    return load_once(FanLandmarker, *files, threads=THREADS)


def _check(followed: Followed, path: Path, fps: Fraction, params: Params) -> Track:
    """Return the track. Raises NoFaceError if it is not usable."""
    track, light = followed.track, followed.light
    missing = int((~track.valid).sum())
    if not track.valid.any():
        which = "" if params.face in ("largest", REFERENCE) else f" for --face {params.face}"
        seen = f"; at most {track.max_faces} faces in one frame" if track.max_faces else ""
        where = f"in {len(track.valid)} frames" if len(track.valid) > 1 else "in it"
        remedy = f"Use an input with a visible face of at least {MIN_FACE_PIXELS} pixels, better {SMALL_FACE_PIXELS}"
        if which and seen:
            remedy = "Choose another face, counted from the left"
        why = f"; it is too {light.word} ({light})" if light and light.word else ""
        raise NoFaceError(f"{path}: no face{which} was found {where}{seen}{why}. {remedy}.")
    size = face_pixels(track)
    if size < MIN_FACE_PIXELS:
        raise NoFaceError(
            f"{path}: the face is {size:.0f} pixels high, which is too small; at least {MIN_FACE_PIXELS} are needed, "
            f"and {SMALL_FACE_PIXELS} are good. Use an input of higher resolution."
        )
    if missing and params.no_face == "fail":
        first = int(np.flatnonzero(~track.valid)[0])
        raise NoFaceError(
            f"{path}: {missing} of {len(track.valid)} frames show no face, the first at {float(first / fps):.2f} s, "
            "and --no-face is fail. Use --no-face hold, source or cut."
        )
    return track


def _frame(path: Path, info: VideoInfo, frame: int) -> Picture:
    frames: Iterator[Picture] = decode_frames(path, info=info, start_frame=frame, frame_count=1)
    return next(frames)


def _finish_still(
    run: StageRun[Params],
    picture: Picture,
    track: Track,
    followed: Followed,
    remarks: Sequence[Remark],
    *,
    fps: Fraction,
    frame: int = -1,
) -> Mapping[str, Any]:
    """Write the crop and the track of a picture, or of one frame of a video (`frame`), which is turned already."""
    from facepipe.face.remarks import remarks_on

    size = (picture.shape[1], picture.shape[0])
    square = crop_around(track.points, size)
    turn = 0 if frame >= 0 else followed.turned_degrees
    save_track(TrackFile(track, fps, square, size, frame, turn), run.output / "track.npz")
    if run.params.pictures:
        write_image(run.output / "crop.png", sample(picture, square, run.params.size_pixels))
    if run.params.still:
        write_image(run.output / "picture.png", picture)
    own = [one for one in remarks_on(followed, fps, run.params.face) if one.code not in OF_CLIPS]
    return {
        "frames": 1,
        "frames_without_face": 0,
        "faces": track.max_faces,
        "frame": frame,
        "turned_degrees": followed.turned_degrees,
        "stretched": followed.is_stretched,
        "remarks": remark_facts([*remarks, *own]),
    }


def _finish_clip(
    run: StageRun[Params], path: Path, info: VideoInfo, followed: Followed, remarks: Sequence[Remark]
) -> Mapping[str, Any]:
    from facepipe.face.remarks import remarks_on

    track = followed.track
    size, side = (info.width, info.height), run.params.size_pixels
    square = crop_around(track.points[track.valid], size)
    # The decoder crops whole pixels; the saved square is the one that is cut.
    length = max(2, int(square.side))
    left = int(np.clip(round(square.center_x + 0.5 - length / 2), 0, size[0] - length))
    top = int(np.clip(round(square.center_y + 0.5 - length / 2), 0, size[1] - length))
    square = replace(square, center_x=left + length / 2 - 0.5, center_y=top + length / 2 - 0.5, side=float(length))
    file = TrackFile(track, info.fps, square, size, turned_degrees=followed.turned_degrees)
    save_track(file, run.output / "track.npz")
    if run.params.pictures:
        with VideoWriter(
            run.output / "crop.mp4", size=(side, side), fps=info.fps, quality=run.params.quality
        ) as writer:
            for picture in decode_frames(path, info=info, crop=(left, top, length, length), size=(side, side)):
                writer.write(picture)
    return {
        "frames": len(track.valid),
        "frames_without_face": int((~track.valid).sum()),
        "faces": track.max_faces,
        "detections": track.detections,
        "turned_degrees": followed.turned_degrees,
        "stretched": followed.is_stretched,
        "changed_frames": list(track.changed_frames),
        "remarks": remark_facts([*remarks, *remarks_on(followed, info.fps, run.params.face)]),
    }


STAGE = Stage(
    name="crop",
    version=8,
    inputs=("media", "reference?"),
    outputs=("track.npz", "crop.png?", "crop.mp4?", "picture.png?"),
    params=Params,
    function=crop,
    weights=("detector", "landmarker?", "fan-3d?", "fan-depth?", "face-model?"),
)
