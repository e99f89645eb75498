"""Inspection of video files without ffprobe, from ffmpeg's messages and the packet times."""

from dataclasses import replace
from pathlib import Path

from facepipe.errors import InputError
from facepipe.media import ffmpeg
from facepipe.media.animation import probe_animation
from facepipe.media.display_matrix import is_mirrored
from facepipe.media.files import description_of, is_animation, kind_of
from facepipe.media.header import Header, Pictures
from facepipe.media.info import VideoInfo
from facepipe.media.limits import DEFAULT_LIMITS, MediaLimits
from facepipe.media.packets import Packets, list_packets
from facepipe.media.rate import MAX_RECORDED_RATE, find_rate

# In transport streams, sound precedes the pictures by the samples that its encoder adds. Nobody notices so little.
_UNNOTICED_SECONDS = 0.045
# VVC has right packet times in mp4 only: elsewhere ffmpeg 9 lacks decoding times and derives display times from others.
_TIMED_VVC = "mov,"
_SIGNS_OF_DAMAGE = ("partial file", "File ended prematurely")


def probe_video(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> VideoInfo:
    """Describe a video. Its packets are read once and not decoded (about 20 ms for ten seconds of video).

    Raises InputError if it is not a video, is damaged, has no frames or no duration, or exceeds `limits`, and ToolError
    if ffmpeg is missing or does not work.
    """
    kind = kind_of(path)
    if kind == "playlist":
        raise InputError(f"{path}: is a playlist, which refers to other files; give the video itself")
    if kind == "image":
        raise InputError(f"{path}: is a still image, not a video; give a video here")
    info = probe_animation(path, limits) if is_animation(path) else _probe_with_ffmpeg(path, limits)
    limits.check_duration(path, info.duration_seconds)
    return info


def _probe_with_ffmpeg(path: Path, limits: MediaLimits) -> VideoInfo:
    header, packets = _list_frames(path, limits)
    if header is None or header.pictures is None or packets.code != 0:
        raise InputError(_unreadable(path, header, packets.messages), detail=packets.tail)
    limits.check_pixels(path, header.pictures.width, header.pictures.height)
    limits.check_duration(path, header.duration_seconds or 0.0)
    if not packets.times and header.duration_seconds:
        raise InputError(f"{path}: is damaged, none of its frames can be read; copy it again", detail=packets.tail)
    if not packets.times:
        raise InputError(f"{path}: has a video stream without a single frame (zero duration); export it again")
    if any(sign in packets.messages for sign in _SIGNS_OF_DAMAGE):
        raise InputError(
            f"{path}: is truncated: it ends after {len(packets.times)} frames, earlier than its index; copy it again",
            detail=packets.tail,
        )
    if header.pictures.colours.refusal:
        raise InputError(f"{path}: {header.pictures.colours.refusal}; convert it to BT.709 first")
    first_seconds = float(min(packets.times) * packets.time_base) if _has_wrong_times(header) else 0.0
    lost_seconds = max(header.lost_seconds(header.pictures), -first_seconds)
    lost_seconds = lost_seconds if lost_seconds > _UNNOTICED_SECONDS else 0.0
    packets.shift(lost_seconds)
    return replace(_describe(path, header, header.pictures, packets), lost_seconds=lost_seconds)


def _list_frames(path: Path, limits: MediaLimits) -> tuple[Header | None, Packets]:
    """List the packets of the video stream that players choose."""
    # Capital V excludes cover pictures.
    header, packets = list_packets(path, ffmpeg.input_file(path)["V:0"], limits)
    if not header or not (header.picture_track or _has_wrong_times(header)):
        return header, packets
    stream = ffmpeg.input_file(path)[f"V:{header.picture_track}"]
    return list_packets(path, stream, limits, decoded=_has_wrong_times(header))


def _has_wrong_times(header: Header) -> bool:
    """Return whether only decoding gives the times of the frames, which may then be negative."""
    vvc = header.pictures is not None and header.pictures.codec == "vvc"
    return vvc and not header.container.startswith(_TIMED_VVC)


def _unreadable(path: Path, header: Header | None, messages: str) -> str:
    """Return the reason why ffmpeg could not list the frames of a file."""
    if "JPEG" in (what := description_of(path)):
        return f"{path}: is {what}, which may be animated; convert it to PNG, or to mp4 if it is"
    if "not on whitelist" in messages:
        return f"{path}: is a playlist or another format that can refer to other files; give the video itself"
    if kind_of(path) == "unknown":
        return f"{path}: is {description_of(path)}, not a video; give an mp4, mov, mkv, webm or avi file"
    if "moov atom not found" in messages:
        return f"{path}: is truncated: its index (moov) is missing, recording or copying stopped early; copy it again"
    if header is not None and header.pictures is None:
        return f"{path}: has no video stream{' (only sound)' if header.sound_codec else ''}; give a file with video"
    return f"{path}: is damaged or in a format that ffmpeg cannot read; convert it to mp4 first"


def _describe(path: Path, header: Header, pictures: Pictures, packets: Packets) -> VideoInfo:
    rate = find_rate(packets.times, packets.last_duration, packets.time_base, pictures.declared_fps)
    if rate.recorded_fps > MAX_RECORDED_RATE or (rate.recorded_fps and rate.frame_count < 2):
        raise InputError(
            f"{path}: has frames {1 / rate.recorded_fps:.1e} s apart ({rate.recorded_fps:,.0f} frames/s), so its frame "
            "times are wrong; write new ones by converting it at a rate of your choice"
        )
    # Non-square pixels are widened, so that no line is lost.
    width, height = max(round(pictures.width * pictures.pixel_aspect), 1), pictures.height
    if pictures.turn_degrees in (90, 270):
        width, height = height, width
    mirrored = pictures.has_display_matrix and is_mirrored(path, header.picture_track)
    delay_seconds = max(float(rate.start_ticks * packets.time_base), 0.0)
    held = (
        round(delay_seconds * rate.fps) if rate.variable or rate.recorded_fps or delay_seconds * rate.fps > 0.5 else 0
    )
    return VideoInfo(
        width=width,
        height=height,
        fps=rate.fps,
        frame_count_estimate=rate.frame_count + held,
        duration_seconds=float((rate.frame_count + held) / rate.fps),
        has_sound=bool(header.sound_codec),
        sound_codec=header.sound_codec,
        track=header.picture_track + 1,
        track_count=header.picture_count,
        rotation_degrees=(pictures.turn_degrees + 180 * mirrored) % 360,
        mirrored=mirrored,
        variable_rate=rate.variable,
        delay_seconds=delay_seconds,
        recorded_fps=rate.recorded_fps,
        colours=pictures.colours,
        codec=pictures.codec,
        container=header.container,
        interlaced=pictures.interlaced,
        has_alpha=pictures.has_alpha,
    )
