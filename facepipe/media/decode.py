"""Video decoding as a stream of frames. ffmpeg runs as a child process; a thread reads a bounded number ahead."""

import queue
import threading
from collections.abc import Generator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import ffmpeg as graph
import numpy as np

from facepipe.errors import EncoderError, InputError
from facepipe.media import ffmpeg, transparency
from facepipe.media.animation import decode_animation
from facepipe.media.damage import LOG_LEVEL, SIGNS, Damage
from facepipe.media.files import is_animation
from facepipe.media.grid import resize, turned
from facepipe.media.info import VideoInfo
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.media.transparency import ACCURATE

_AHEAD_BYTES = 32 << 20
_AHEAD_FRAMES = 16
_LOOK_UP_SECONDS = 0.5
# Containers with frame-accurate seeking, as measured; others are decoded from their start.
_SEEKABLE = ("mov,mp4", "matroska")
_MIN_SHARE_OF_FRAMES = 0.9
_SPARE_FRAMES = 3
_TURNS = {0: [], 90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"]}


def decode_frames(
    path: Path,
    *,
    info: VideoInfo | None = None,
    fps: Fraction | None = None,
    start_frame: int = 0,
    frame_count: int | None = None,
    size: tuple[int, int] | None = None,
    crop: tuple[int, int, int, int] | None = None,
    damage: Damage | None = None,
    alpha: bool = False,
) -> Generator[np.ndarray, None, None]:
    """Yield the frames of a video as (height, width, 3) uint8 RGB, each in a new array.

    Frames are rotated according to the container and `info.turned_degrees`, deinterlaced, converted to 8 bits and, if
    HDR, tone-mapped. A variable rate is resampled to `info.fps`, and any rate to `fps` if given. `start_frame` and
    `frame_count` count frames at that rate. `crop` is (left, top, width, height) in pixels of the rotated picture;
    `size` is the (width, height) of the yielded frames. Closing the generator ends ffmpeg. `damage` receives what the
    decoder reports. With `alpha`, frames are (height, width, 4) with straight alpha, instead of composed over white;
    colours that need the filter zscale and animations cannot be read like this.

    Raises InputError if the video is unusable or truncated, EncoderError if ffmpeg fails, and ToolError if ffmpeg or a
    filter is missing.
    """
    info = info or probe_video(path)
    box = crop or (0, 0, info.width, info.height)
    _check_box(box, info)
    if start_frame < 0 or (frame_count is not None and frame_count < 0):
        raise ValueError(f"got start_frame {start_frame} and frame_count {frame_count}, expected 0 or more")
    if frame_count == 0:
        return _no_frames()
    if alpha and (info.colours.by_zscale or is_animation(path)):
        raise ValueError(f"got {path.name}, an animation or a video with unusual colours, which is read without alpha")
    if is_animation(path):
        return _animation_frames(path, info, fps or info.fps, start_frame, frame_count, box, size or box[2:])
    rate = fps or info.fps
    rest = max(int(info.frame_count_estimate * rate / info.fps) - start_frame, 0)
    expected = rest if frame_count is None else min(rest, frame_count)
    command = _decode_command(path, info, rate, start_frame, frame_count, box, size or box[2:], alpha=alpha)
    return _read_frames(command, path, (*(size or box[2:]), 4 if alpha else 3), expected, damage or Damage())


def _no_frames() -> Generator[np.ndarray, None, None]:
    yield from ()


def _check_box(box: tuple[int, int, int, int], info: VideoInfo) -> None:
    left, top, width, height = box
    if min(left, top) < 0 or min(width, height) < 1 or left + width > info.width or top + height > info.height:
        raise ValueError(f"got crop {box}, expected a box inside the {info.width}x{info.height} picture")


def _decode_command(
    path: Path,
    info: VideoInfo,
    fps: Fraction,
    start_frame: int,
    frame_count: int | None,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
    *,
    alpha: bool,
) -> list[str]:
    """Return the ffmpeg command that writes raw RGB or RGBA frames to its stdout."""
    resampled = info.resampled or fps != info.fps
    options: dict[str, Any] = {}
    skipped = start_frame
    if start_frame and not resampled and info.container.startswith(_SEEKABLE):
        # Seek to half a frame earlier, so that rounding cannot skip the frame itself.
        options["ss"] = f"{float((start_frame - Fraction(1, 2)) / fps) + info.delay_seconds:.6f}"
        skipped = 0
    elif not info.resampled and fps.denominator == 1 and info.container.startswith(_SEEKABLE):
        # Seek to a whole second, at least one earlier: the fps filter then picks the same frames as from the start.
        begin_seconds = max(start_frame // fps.numerator - 1, 0)
        options |= {"ss": str(begin_seconds)} if begin_seconds else {}
        skipped = start_frame - begin_seconds * fps.numerator
    options |= {"itsoffset": f"{info.lost_seconds:.6f}"} if info.lost_seconds else {}
    options |= transparency.decoder_option(info)
    steps = [*_picture_steps(info, box, over_white=not alpha), *_time_steps(fps, resampled=resampled)]
    if skipped:
        steps.append(f"trim=start_frame={skipped},setpts=PTS-STARTPTS")
    # Via planar RGB: accurate conversion straight to packed RGB takes swscale twice as long for the same bytes.
    steps.append(f"scale={size[0]}:{size[1]}:{info.colours.scale_option(info.height)}:{ACCURATE}")
    pixels = "rgba" if alpha else "rgb24"
    steps.append(f"format={'gbrap' if alpha else 'gbrp'},format={pixels}")
    output: dict[str, Any] = {"format": "rawvideo", "pix_fmt": pixels, "r": str(fps), "vf": ",".join(steps)}
    # A damaged file may never end by itself. The estimate rounds, except of a rate that was bounded.
    spare = 0 if info.recorded_fps and fps == info.fps else _SPARE_FRAMES
    rest = max(int(info.frame_count_estimate * fps / info.fps) - start_frame, 0) + spare
    output["frames:v"] = rest if frame_count is None else min(frame_count, rest)
    # Refuse frames that are larger than the header, which was checked against the limits. Some decoders pad frames, and
    # that of CineForm needs more than twice the pixels of a small one.
    source = ffmpeg.input_file(path, max_pixels=max(info.width * info.height * 4, 1 << 18), **options)
    return ffmpeg.arguments(graph.output(source[f"V:{info.track - 1}"], "pipe:1", **output), loglevel=LOG_LEVEL)


def _picture_steps(info: VideoInfo, box: tuple[int, int, int, int], *, over_white: bool) -> list[str]:
    """Return the filters that deinterlace, convert unusual colours, turn and crop, after the container's rotation."""
    steps = []
    if info.interlaced:
        steps.append("bwdif=mode=send_frame:deint=interlaced")
    colour_steps = (
        info.colours.filters(ffmpeg.filters(ffmpeg.find_ffmpeg()), info.height) if info.colours.by_zscale else []
    )
    steps += transparency.over_white(info, colour_steps) if info.has_alpha and over_white else colour_steps
    steps += _TURNS[info.turned_degrees]
    left, top, width, height = box
    if (width, height) == (info.width, info.height):
        return steps
    # Non-square pixels change the width; a crop at odd coordinates needs chroma at full resolution.
    steps.append(f"scale={info.width}:{info.height}")
    planar_rgb = info.colours.by_zscale or info.has_alpha
    if any(value % 2 for value in box) and info.colours.pixel_format.startswith("yuv") and not planar_rgb:
        steps.append("format=yuv444p")
    steps.append(f"crop={width}:{height}:{left}:{top}:exact=1")
    return steps


def _time_steps(fps: Fraction, *, resampled: bool) -> list[str]:
    """Return the filters that set the time of frame n to n/fps."""
    if resampled:
        return [f"fps=fps={fps}:start_time=0:round=near"]
    # Use each frame exactly once, whatever its rounded time in the container.
    return [f"settb={fps.denominator}/{fps.numerator},setpts=N"]


def _read_frames(
    command: list[str], path: Path, size: tuple[int, int, int], expected: int, damage: Damage
) -> Generator[np.ndarray, None, None]:
    """Yield the raw frames that a child process writes, while a thread reads ahead.

    `size` is (width, height, channels).
    """
    width, height, channels = size
    ahead = max(2, min(_AHEAD_FRAMES, _AHEAD_BYTES // (width * height * channels)))
    frames: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=ahead)
    count, stopped = 0, threading.Event()
    with ffmpeg.Child(command, data_out=True, signs=SIGNS) as child:
        reader = threading.Thread(
            target=_fill, args=(child, frames, (height, width, channels), stopped), name="frame-reader", daemon=True
        )
        reader.start()
        try:
            while (frame := frames.get()) is not None:
                count += 1
                yield frame
            code = child.wait()
        finally:
            stopped.set()
            child.kill()
            _empty(frames)
            reader.join()
    damage.add(child.counts)
    if code != 0:
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        raise EncoderError(
            f"{path}: only {count} frames could be read, because ffmpeg {ended}; run again, and if it fails again, "
            "see its messages with -v",
            detail=child.tail,
        )
    if count < expected * _MIN_SHARE_OF_FRAMES:
        raise InputError(
            f"{path}: is damaged, only {count} of {expected} frames can be decoded; copy or export it again",
            detail=child.tail,
        )


def _fill(
    child: ffmpeg.Child, frames: "queue.Queue[np.ndarray | None]", shape: tuple[int, int, int], stopped: threading.Event
) -> None:
    while not stopped.is_set():
        frame = np.empty(shape, dtype=np.uint8)
        if not _read_whole(child, frame.data.cast("B")):
            break
        _offer(frames, frame, stopped)
    _offer(frames, None, stopped)


def _offer(frames: "queue.Queue[np.ndarray | None]", frame: np.ndarray | None, stopped: threading.Event) -> None:
    """Put a frame into the queue, waiting until there is room or `stopped` is set."""
    while not stopped.is_set():
        try:
            frames.put(frame, timeout=_LOOK_UP_SECONDS)
        except queue.Full:
            # Ctrl-C during `get` can lose the notification that there is room.
            continue
        return


def _read_whole(child: ffmpeg.Child, target: memoryview) -> bool:
    """Fill `target` from the child's stdout; return False at the end of the stream."""
    filled = 0
    while filled < len(target):
        read = child.stdout.readinto(target[filled:])  # type: ignore[attr-defined]
        if not read:
            return False
        filled += read
    return True


def _empty(frames: "queue.Queue[np.ndarray | None]") -> None:
    """Empty the queue, so that a reader that waits for room can end."""
    while True:
        try:
            frames.get_nowait()
        except queue.Empty:
            return


def _animation_frames(
    path: Path,
    info: VideoInfo,
    fps: Fraction,
    start_frame: int,
    frame_count: int | None,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
) -> Generator[np.ndarray, None, None]:
    left, top, width, height = box
    # The limits were checked when the file was probed.
    stop = None if frame_count is None else start_frame + frame_count
    for frame in islice(decode_animation(path, fps, NO_LIMITS), start_frame, stop):
        cut = turned(frame, info.turned_degrees)[top : top + height, left : left + width]
        yield np.ascontiguousarray(resize(cut, size))
