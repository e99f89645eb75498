"""Parser for the description of an input that ffmpeg prints to stderr."""

import re
from dataclasses import dataclass
from fractions import Fraction

from facepipe.media.colour import UNTAGGED, Colours

_DURATION_LINE = re.compile(
    r"^  Duration: (?:N/A|(\d+):(\d\d):(\d\d(?:\.\d+)?))(?:, start: (-?[\d.]+))?,.*$", re.MULTILINE
)
_TURN = re.compile(r"^ +[Dd]isplay ?[Mm]atrix: rotation of (-?[\d.]+) degrees", re.MULTILINE)
# ffmpeg 7 and later indents the streams of a group, such as those that share a time code. Tags are indented further.
_STREAM = re.compile(r"(?: {2}| {4})Stream #0:(\d+).*?: (\w+): (.*)", re.DOTALL)
_PART = re.compile(r"^(?= {2}(?: {2})?Stream #0:\d| {2}(?:Stream group|Program) )", re.MULTILINE)
_DOLBY_VISION = re.compile(r"\bDOVI configuration record:.*?\bprofile: (\d+)")
# The native decoders of VP8 and VP9 leave it out, so the pixel format does not tell.
_ALPHA_TAG = re.compile(r"^ +alpha_mode +: 1$", re.MULTILINE | re.IGNORECASE)
_START = re.compile(r"start (-?[\d.]+)")
# ffmpeg rebases their times to the first stream that is used, so that streams read one by one lose their distance.
_REBASED = ("mpegts", "mpeg")
_COLOUR = re.compile(r"^(\w+)(?:\(([^)]*)\))?$")


@dataclass(frozen=True)
class Pictures:
    """The description of a video stream in its container."""

    codec: str
    width: int
    height: int
    """Stored pixels, before rotation."""
    colours: Colours = UNTAGGED
    interlaced: bool = False
    pixel_aspect: Fraction = Fraction(1)
    """Width of a pixel divided by its height."""
    declared_fps: float = 0.0
    """Frames per second as printed: rounded, 0 if absent."""
    turn_degrees: int = 0
    """Clockwise rotation for display: 0, 90, 180 or 270. Of a mirrored picture, ffmpeg prints 180 degrees more."""
    has_display_matrix: bool = False
    has_alpha: bool = False
    """Whether there is an alpha channel, in the pixels or beside them."""
    start_seconds: float | None = None
    """As printed; None if absent."""


@dataclass(frozen=True)
class SoundStream:
    """The description of a sound stream in its container."""

    codec: str
    """ffmpeg's name, such as "aac"; empty if ffmpeg does not know the codec."""
    profile: str = ""
    """ffmpeg's name, such as "LC"; empty if the codec has none."""
    hertz: int = 0
    """0 if not stated."""
    layout: str = ""
    """ffmpeg's name of the channels, such as "stereo" or "5.1(side)"."""
    sample_format: str = ""
    """ffmpeg's name, such as "fltp"."""
    start_seconds: float | None = None
    """As printed; None if absent."""


@dataclass(frozen=True)
class Header:
    """The description of a file in its container."""

    container: str
    duration_seconds: float | None
    pictures: Pictures | None
    """The chosen video stream, cover pictures excluded."""
    sound_codec: str
    """Codec of the chosen sound stream; empty if there is none."""
    picture_track: int = 0
    """Index of the chosen video stream among the video streams. Players choose the same: the default one, else the
    first."""
    picture_count: int = 0
    sounds: tuple[SoundStream, ...] = ()
    sound_track: int = 0
    """Index in `sounds` of the stream that players choose."""
    start_seconds: float | None = None
    """As printed: that of the first stream."""

    def lost_seconds(self, stream: Pictures | SoundStream) -> float:
        """Return the time from the start of the file to that of a stream which ffmpeg loses if it reads only this."""
        starts = (self.start_seconds, stream.start_seconds)
        if self.container not in _REBASED or starts[0] is None or starts[1] is None:
            return 0.0
        return max(starts[1] - starts[0], 0.0)


def parse_header(messages: str) -> Header | None:
    """Parse the description of input 0 in ffmpeg's messages; None if ffmpeg could not open the file."""
    # Use the last match: file name and tags are printed before it and could imitate a stream.
    duration = None
    for duration in re.finditer(_DURATION_LINE, messages):  # noqa: B007
        pass
    if duration is None:
        return None
    container = re.search(r"^Input #0, (\S+), from", messages, re.MULTILINE)
    streams = messages[duration.end() :].partition("\nStream mapping:")[0].partition("\nOutput #0")[0]
    moving = [part for part in _streams(streams, "Video") if "(attached pic)" not in part]
    sounds = _streams(streams, "Audio")
    picture_track, sound_track = _chosen(moving), _chosen(sounds)
    described = tuple(_parse_sound(part) for part in sounds)
    hours, minutes, seconds, start = duration.groups()
    return Header(
        container=container[1] if container else "",
        duration_seconds=None if hours is None else int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        pictures=_parse_pictures(moving[picture_track]) if moving else None,
        sound_codec=described[sound_track].codec if described else "",
        picture_track=picture_track,
        picture_count=len(moving),
        sounds=described,
        sound_track=sound_track,
        start_seconds=float(start) if start else None,
    )


def _chosen(streams: list[str]) -> int:
    """Return the index of the stream that players choose: the first default one, else the first."""
    return next((number for number, text in enumerate(streams) if "(default)" in text.partition("\n")[0]), 0)


def _parse_sound(text: str) -> SoundStream:
    """Parse e.g. "aac (LC) (mp4a / 0x6134706D), 48000 Hz, 5.1(side), fltp, 128 kb/s (default)"."""
    fields = re.split(r", (?![^(\[]*[)\]])", text.partition("\n")[0])
    name = re.match(r"(\w*)(?: \(([^()/\[\]]+)\))?", fields[0])
    codec, profile = (name[1], name[2] or "") if name else ("", "")
    at = next((number for number, field in enumerate(fields) if re.fullmatch(r"\d+ Hz", field)), len(fields))
    hertz, layout, sample_format, *_ = [*fields[at:], "", "", ""]
    return SoundStream(
        "" if codec == "none" else codec,
        profile.strip(),
        int(hertz.removesuffix(" Hz") or 0),
        layout,
        sample_format.split(" ")[0],
        _start(fields),
    )


def _start(fields: list[str]) -> float | None:
    return next((float(found[1]) for field in fields if (found := _START.match(field))), None)


def _streams(text: str, kind: str) -> list[str]:
    """Return the description of each stream of a kind: the rest of its line and the indented lines below it.

    The order is that of the file. ffmpeg prints the streams of groups and programs first, and one of several twice.
    """
    found = (_STREAM.match(part) for part in re.split(_PART, text))
    by_index = {int(match[1]): match[3] for match in found if match and match[2] == kind}
    return [by_index[index] for index in sorted(by_index)]


def _parse_pictures(text: str) -> Pictures | None:
    """Parse e.g. "h264 (High), yuv420p(tv, bt709, progressive), 512x512 [SAR 1:1 DAR 1:1], 25 fps, 25 tbr"."""
    line, _, below = text.partition("\n")
    fields = re.split(r", (?![^(\[]*[)\]])", line)
    size = next((found for field in fields if (found := re.match(r"(\d+)x(\d+)\b", field))), None)
    if size is None:
        return None
    colour = _COLOUR.match(fields[1]) if len(fields) > 1 else None
    notes = [note.strip() for note in (colour[2] or "").split(",")] if colour else []
    aspect = re.search(r"\bSAR (\d+):(\d+)", line)
    rate = re.search(r"([\d.]+)(k?) fps", line) or re.search(r"([\d.]+)(k?) tbr", line)
    turn = _TURN.search(below)
    colours = _parse_colours(colour[1] if colour else "", notes, below)
    return Pictures(
        codec=fields[0].split(" ")[0],
        width=int(size[1]),
        height=int(size[2]),
        colours=colours,
        interlaced="top first" in line or "bottom first" in line or "top coded" in line or "bottom coded" in line,
        pixel_aspect=Fraction(int(aspect[1]), int(aspect[2])) if aspect and int(aspect[1]) else Fraction(1),
        declared_fps=float(rate[1]) * (1000 if rate[2] else 1) if rate else 0.0,
        # The display matrix rotates counter-clockwise; only multiples of 90 degrees are applied.
        turn_degrees=round(-float(turn[1]) / 90) * 90 % 360 if turn else 0,
        start_seconds=_start(fields),
        has_display_matrix=turn is not None,
        has_alpha=colours.has_alpha or bool(_ALPHA_TAG.search(below)),
    )


def _parse_colours(pixel_format: str, notes: list[str], below: str) -> Colours:
    """Parse the notes in parentheses after the pixel format, and the lines below the stream."""
    # ffmpeg prints one name if matrix, primaries and transfer agree, else all three separated by slashes.
    tags = next((note.split("/") for note in notes if note.count("/") == 2), None)
    if tags is None:
        tags = next(([note] * 3 for note in notes if note.startswith(("bt", "smpte", "fcc", "ycgco", "gbr"))), [""] * 3)
    matrix, primaries, transfer = ("" if tag in ("unknown", "reserved") else tag for tag in tags)
    dolby_vision = _DOLBY_VISION.search(below)
    profile = int(dolby_vision[1]) if dolby_vision else 0
    return Colours(pixel_format, transfer, matrix, primaries, profile)
