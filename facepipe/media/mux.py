"""Concatenation of segments and muxing with sound, without re-encoding the video."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import ffmpeg as graph

from facepipe.engine.remark import Remark
from facepipe.errors import EncoderError
from facepipe.media import ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.encode import DEFAULT_QUALITY, WEBM, VideoWriter, container_options, encoding_failure
from facepipe.media.files import draft_of
from facepipe.media.info import VideoInfo
from facepipe.media.limits import NO_LIMITS
from facepipe.media.origin import append_xmp
from facepipe.media.packets import list_packets
from facepipe.media.probe import probe_video
from facepipe.media.soundtrack import (
    Soundtrack,
    cut_sound,
    encoding_options,
    encoding_remarks,
    plays_in_browsers,
    probe_soundtrack,
)

FitRule = Literal["shortest", "driver", "pad"]

# Sound packets last 20-30 ms, so that sound and video never end at exactly the same time.
_SAME_END_SECONDS = 0.06
# A shorter loss at the end is not noticed.
_TOLD_SECONDS = 0.1


@dataclass(frozen=True)
class MuxFacts:
    """The properties of a finished video."""

    frame_count: int
    """Number of frames in the file."""
    fps: Fraction
    duration_seconds: float
    sound: Literal["none", "copied", "encoded"]
    held_frames: int = 0
    """Repetitions of the last frame to reach the end of the sound."""
    cut_frames: int = 0
    """Frames dropped because the sound ends before them."""
    remarks: tuple[Remark, ...] = ()
    """What the user should know about the sound, and about different lengths of sound and video."""


def concat_and_mux(
    segments: Sequence[Path],
    *,
    out: Path,
    sound_from: Path | None = None,
    fit: FitRule = "shortest",
    metadata: Mapping[str, str] | None = None,
    sound_start_seconds: float = 0.0,
    codec: str = "h264",
    quality: int = DEFAULT_QUALITY,
    kept_frames: Sequence[tuple[int, int]] | None = None,
    mute_segments: bool = False,
    track: int | None = None,
) -> MuxFacts:
    """Join segments made by VideoWriter with the same size, rate and codec, add sound, verify and publish the result.

    `out` is an mp4 or, by its suffix, a WebM, which holds VP9 only and keeps the alpha channel of WebM segments.
    `sound_from` is a video or sound file whose sound is used from `sound_start_seconds` on: that of `track`, from 1, or
    of the track that players choose. If it has no sound, the result is silent. Sound that browsers play is copied,
    other sound encoded as AAC, in a WebM as Opus. `fit` applies if sound and video differ in length: "shortest" ends
    with the shorter one (the video is cut where no re-encoding is needed, at most two frames early); "driver" keeps all
    frames and cuts the sound or lets it end early; "pad" keeps everything: the sound is padded with silence, or the
    last frame is repeated (encoded with `codec` and `quality`, which must be those of the segments).
    `kept_frames` lists half-open ranges of frames of `sound_from`; only their sound is used. `mute_segments` is needed
    for segments with sound: sound that begins before the video or ends after it would make the frame times uneven.
    The same inputs give the same bytes. Raises InputError, EncoderError or DiskError; no file is left at `out` then.
    """
    if not segments:
        raise ValueError("got no segments, expected at least one")
    first = probe_video(segments[0], NO_LIMITS)
    with ExitStack() as stack:
        draft = stack.enter_context(draft_of(out))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facepipe-")))
        if mute_segments:
            segments = [_muted(folder / f"muted-{number}{_suffix(path)}", path) for number, path in enumerate(segments)]
        order = _display_order(_concat_input(folder, segments), None if _is_webm(segments[0]) else first.fps)
        sound = probe_soundtrack(sound_from, sound_start_seconds, track=track) if sound_from else None
        if sound is not None and kept_frames is not None:
            sound = cut_sound(folder, sound, kept_frames, first.fps)
        keep, held = _fitted(order, first.fps, sound.seconds if sound else None, fit)
        if held:
            segments = [*segments, _held(folder, segments[-1], first, held, codec, quality)]
        plan = _Plan(folder, tuple(segments), first.fps, keep + held, keep < len(order), _delay(order), first.has_alpha)
        done = _mux(plan, sound, fit, draft, metadata or {})
        verify_video(draft, frame_count=keep + held, fps=first.fps, size=(first.width, first.height))
        if not _is_webm(out):
            append_xmp(draft, metadata or {})
    frames, cut = keep + held, len(order) - keep
    remarks = _fit_remarks(sound.seconds if sound else 0.0, frames / first.fps, held / first.fps, cut / first.fps)
    if sound:
        encoded = encoding_remarks(sound, webm=_is_webm(out)) if done == "encoded" else ()
        remarks = (*sound.remarks, *encoded, *remarks)
    return MuxFacts(frames, first.fps, float(frames / first.fps), done, held, cut, remarks)


def _fit_remarks(sound: float, pictures: Fraction, held: Fraction, cut: Fraction) -> tuple[Remark, ...]:
    """Return what was lost or filled, by the seconds of the sound, of the finished, the held and the cut pictures."""
    remarks = []
    if (lost := sound - float(pictures)) > _TOLD_SECONDS:
        text = f"the last {lost:.2f} s of the sound are cut off, because the pictures end there; --fit pad keeps them"
        remarks.append(Remark("sound-cut", text))
    if held > _TOLD_SECONDS:
        text = f"the last picture is held for {float(held):.2f} s, until the sound ends"
        remarks.append(Remark("pictures-held", text))
    if cut > _TOLD_SECONDS:
        text = f"the last {float(cut):.2f} s of the pictures are cut off, because the sound ends there"
        remarks.append(Remark("pictures-cut", f"{text}; --fit driver keeps them"))
    return tuple(remarks)


@dataclass(frozen=True)
class _Plan:
    folder: Path
    segments: tuple[Path, ...]
    fps: Fraction
    frame_count: int
    cut: bool
    delay_frames: int
    """Frames by which decoding must precede display (reordering delay)."""
    alpha: bool = False


def _is_webm(path: Path) -> bool:
    return path.suffix.lower() == WEBM


def _suffix(path: Path) -> str:
    return WEBM if _is_webm(path) else ".mp4"


def _muted(out: Path, segment: Path) -> Path:
    """Copy the video stream of a segment, without re-encoding, to a file that starts with its first frame."""
    container = "webm" if _is_webm(out) else "mp4"
    pictures = graph.output(
        ffmpeg.input_file(segment)["V:0"], ffmpeg.file_url(out), format=container, codec="copy", fflags="+bitexact",
        **{"bsf:v": "setts=pts=PTS-STARTPTS:dts=DTS-STARTPTS"},
    )  # fmt: skip
    with ffmpeg.Child(ffmpeg.arguments(pictures)) as child:
        code = child.wait()
    if code != 0:
        raise encoding_failure(out, code, child)
    return out


def _concat_input(folder: Path, segments: Sequence[Path]) -> Any:
    """Return the ffmpeg input that reads the segments in order, by a list file in `folder`."""
    lines = [b"ffconcat version 1.0"]
    for number, segment in enumerate(segments):
        target = segment.absolute()
        if "\n" in str(target) or "\r" in str(target):
            # The list has one name per line and cannot express a line break.
            target = folder / f"{number}{segment.suffix}"
            if not target.is_symlink():
                target.symlink_to(segment.absolute())
        lines.append(b"file '" + os.fsencode(f"file:{target}").replace(b"'", b"'\\''") + b"'")
    listing = folder / f"{len(segments)}.ffconcat"
    listing.write_bytes(b"\n".join(lines) + b"\n")
    return graph.input(
        ffmpeg.file_url(listing), format="concat", safe=0, protocol_whitelist="file,pipe",
        format_whitelist="concat,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
    )  # fmt: skip


def _display_order(source: Any, fps: Fraction | None) -> list[int]:
    """Return the display index of each frame in stored (decoding) order. Without `fps` the two orders are the same."""
    _, packets = list_packets(Path("segments"), source["v:0"])
    if not packets.times:
        raise EncoderError("the segments contain no readable frames; run the render stage again with --force render")
    if fps is None:
        return list(range(len(packets.times)))
    return [round(time * packets.time_base * fps) for time in packets.times]


def _delay(order: Sequence[int]) -> int:
    return max(stored - number for stored, number in enumerate(order))


def _fitted(order: Sequence[int], fps: Fraction, sound_seconds: float | None, fit: FitRule) -> tuple[int, int]:
    """Return the number of frames to keep and the number of repetitions of the last one."""
    count = len(order)
    if sound_seconds is None or fit == "driver":
        return count, 0
    excess = sound_seconds - float(count / fps)
    if fit == "pad" and excess > _SAME_END_SECONDS:
        return count, round(excess * fps)
    if fit == "shortest" and excess < -_SAME_END_SECONDS:
        return _cuttable(order, max(int(sound_seconds * fps), 1)), 0
    return count, 0


def _cuttable(order: Sequence[int], wanted: int) -> int:
    """Return the largest count of up to `wanted` frames, at least 1, that are stored before all later frames."""
    best, latest = 1, -1
    for stored, number in enumerate(order[:wanted], start=1):
        latest = max(latest, number)
        if latest == stored - 1:
            best = stored
    return best


def _held(folder: Path, segment: Path, info: VideoInfo, count: int, codec: str, quality: int) -> Path:
    """Encode the last frame of a segment `count` times."""
    last, alpha = None, info.has_alpha
    for last in decode_frames(segment, info=probe_video(segment, NO_LIMITS), alpha=alpha):  # noqa: B007
        pass
    assert last is not None
    path, size = folder / f"held{_suffix(segment)}", (info.width, info.height)
    with VideoWriter(path, size=size, fps=info.fps, codec=codec, quality=quality, alpha=alpha) as writer:
        for _ in range(count):
            writer.write(last)
    return path


def _mux(
    plan: _Plan, sound: Soundtrack | None, fit: FitRule, draft: Path, metadata: Mapping[str, str]
) -> Literal["none", "copied", "encoded"]:
    """Write the file; return how the sound was added."""
    seconds = float(plan.frame_count / plan.fps)
    pictures = _concat_input(plan.folder, plan.segments)["v:0"]
    webm = _is_webm(draft)
    # At segment boundaries the times are rounded to microseconds by the list, and decoding times may collide. In WebM
    # they are rounded to milliseconds, which add up over the segments.
    shown = "N" if _is_webm(plan.segments[0]) else f"round(PTS*TB*{plan.fps})"
    options: dict[str, Any] = {
        "c:v": "copy",
        "bsf:v": f"setts=pts={shown}/({plan.fps})/TB:dts=(N-{plan.delay_frames})/({plan.fps})/TB",
        "map_chapters": -1,
        **container_options(draft, metadata, alpha=plan.alpha),
    }
    if plan.cut:
        options["frames:v"] = plan.frame_count
    done: Literal["none", "copied", "encoded"] = "none"
    streams = [pictures]
    if sound is not None:
        silent_end = fit == "pad" and sound.seconds < seconds - _SAME_END_SECONDS
        copied = plays_in_browsers(sound.stream, webm=webm) and not sound.changed and not silent_end
        done, end = "copied" if copied else "encoded", seconds if silent_end else None
        options |= {"c:a": "copy"} if copied else encoding_options(sound, end, webm=webm)
        streams.append(sound.input(t=f"{seconds:.6f}"))
    command = ffmpeg.arguments(graph.output(*streams, ffmpeg.file_url(draft), **options), portable=True)
    with ffmpeg.Child(command) as child:
        code = child.wait()
    if code != 0:
        raise encoding_failure(draft, code, child)
    return done


def verify_video(path: Path, *, frame_count: int, fps: Fraction, size: tuple[int, int]) -> None:
    """Raise EncoderError unless a finished video has this frame count, rate and size (width, height)."""
    info = probe_video(path, NO_LIMITS)
    got = (info.frame_count_estimate, info.fps, info.width, info.height)
    # A single frame has no rate.
    wanted = (frame_count, info.fps if frame_count == 1 else fps, *size)
    if got != wanted:
        raise EncoderError(
            f"{path.name}: the finished video has {got[0]} frames of {got[2]}x{got[3]} at {got[1]} frames/s, "
            f"expected {frame_count} of {size[0]}x{size[1]} at {fps}; run again with --force mux"
        )
